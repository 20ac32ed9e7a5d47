#pragma once
/// Element-wise nodes of one or two bytes: all operands but those are single constants, so the node is a function of
/// 256 values or 65536 pairs. Every one of them is computed as stated and compared with a cheap formula, which takes
/// the steps' place where no value differs.
#include <optional>
#include <string>

#include "schedule/lower/lowering.h"

namespace qlathe {

struct ByteFormula {
  enum class Kind {
    kLinear,    ///< (a * first + b * second + addend) >> shift, in int32
    kHalfAway,  ///< ((t + 2^(shift - 1) - (t < 0)) >> shift) + zero_point, t = a * first + b * second + addend
    kProduct,   ///< rint(fma(float(p), factor, p < 0 ? -bias : bias)) + zero_point, half to even, p = (a - first) *
                ///< (b - second)
  };
  Kind kind = Kind::kLinear;
  int64_t other = -1;  ///< input of the node that is b; -1: there is none, and second is 0
  int32_t first = 0, second = 0, addend = 0, zero_point = 0;
  int shift = 0;
  float factor = 0, bias = 0;
  int32_t lo = 0, hi = 0;  ///< every formula's result is clamped to this

  std::string key() const;  ///< all of it, for a kernel's key
};

/// The formula of a pointwise node, or nothing where its steps stay as stated; `note` says which, for the report.
std::optional<ByteFormula> choose_byte_formula(const LoweringContext& context, std::string& note);

}  // namespace qlathe
