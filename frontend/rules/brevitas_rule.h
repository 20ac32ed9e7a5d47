#pragma once
#include <optional>
#include <string>

#include "frontend/formats/json_reader.h"
#include "frontend/numerics/brevitas_quantizer.h"

namespace qlathe {

/// What a BrevitasRule says of the ops it takes, checked. Quantizers that are not named have Number::kFloat.
///
/// JSON fields: weight_quant, act_quant, bias_quant (names of brevitas.quant); for each of them, with the prefix
/// weight_, act_ or bias_, the options
///   bit_width, narrow_range, signed, rounding (or float_to_int_impl_type), per_channel (or
///   scaling_per_output_channel), granularity (or scaling_per_output_type: tensor, channel, group), group_size,
///   scaling_const, min_val, max_val, high_percentile_q, low_percentile_q, collect_stats_steps, scaling_min_val,
///   momentum
/// bit_width, narrow_range and rounding without a prefix hold for the weight and the activation quantizer alike, unless
/// one has its own; per_channel without a prefix for the weight's. act_scale and act_zero_point give an activation's
/// scale and zero point instead of calibration.
struct BrevitasRule {
  brevitas::Quantizer weight;
  brevitas::Quantizer act;
  brevitas::Quantizer bias;
  std::optional<float> act_scale;
  std::optional<int64_t> act_zero_point;
  Place place;

  bool quantizes_weight() const { return weight.number != brevitas::Number::kFloat; }
  bool quantizes_act() const { return act.number != brevitas::Number::kFloat; }
  bool quantizes_bias() const { return bias.number != brevitas::Number::kFloat; }
};

/// Reads a block of these fields: an entry of a rule list, or the `quantization` of a layer of a spec. `_type`,
/// module_path and op_names are left to who reads the list. Every problem is reported, unknown names with the nearest
/// known one.
Result<BrevitasRule> read_brevitas_rule(const JsonDocument& document, const JsonValue& block, std::string node);

}  // namespace qlathe
