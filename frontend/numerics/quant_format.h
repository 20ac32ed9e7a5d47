#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "frontend/ir/result.h"
#include "frontend/ir/value_type.h"

namespace qlathe {

/// What happens to a scale after it was computed from the statistics (qarray.py, compute_scale_zero_point).
enum class ScaleRule : uint8_t {
  kPlain,       ///< kept
  kPowerOfTwo,  ///< 2^ceil(log2(scale)), see power_of_two.h
  kE4M3,        ///< clipped to +-448 and rounded to float8_e4m3fn
};

/// What a rule's `weight_qtype` or `act_qtype` names: the stored type and how its scale is made. One row of a table.
struct QuantFormat {
  const char* name;     ///< "int3", "mxfp8", …
  ValueType type;       ///< of the stored elements: mxfp8 stores kF8E4M3, nvfp4 and mxfp4 kF4E2M1
  ValueType container;  ///< type of Qwix's stored array: int2 and int3 live in int4, int5…int7 in int8, nf4 in uint4
  float bound;          ///< B: a symmetric scale is statistic / B (numerics.py, get_symmetric_bound)
  ScaleRule scale_rule;
  int tile;         ///< the only tile size allowed, 0 = any
  bool asymmetric;  ///< may have a zero point: int8 and int4 only

  int64_t qmin() const { return info(type).min; }
  int64_t qmax() const { return info(type).max; }
  /// nf4 codes index a table, so products of codes mean nothing: such operands are dequantized before a contraction.
  bool uniform() const { return type != ValueType::kNF4; }
};

const std::vector<QuantFormat>& quant_formats();

/// By name. Errors: a type wider than one byte, a name that is no type (with the nearest one as a suggestion).
Result<const QuantFormat*> parse_quant_format(std::string_view name);

}  // namespace qlathe
