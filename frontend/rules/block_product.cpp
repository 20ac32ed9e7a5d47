// block_int: weights in blocks that differ by integer multipliers, summed in integers to the end.
#include <limits>

#include "frontend/numerics/block_multipliers.h"
#include "frontend/ops/contraction.h"
#include "frontend/rules/quantizer.h"

namespace qlathe {

Result<OperandReport> Quantizer::quantize_block_weight(Site& site, const HowToQuantize& how) {
  const TensorId old = site.node.inputs[kRhs];
  std::string name = from_[old].name;
  const bool stored = stored_weight(old, name).has_value();
  const auto param = options_.params.find(name);
  if (param != options_.params.end()) used_params_[name] = true;
  if (stored || param != options_.params.end()) {
    return Status::user({"", name, ""}, "a weight that is quantized already has no block multipliers",
                        "give the float weight, or remove block_int");
  }
  const HostTensor& weight = *from_[old].data;
  if (weight.type() != ValueType::kF32) {
    return Status::unsupported({"", name, ""},
                               std::string("block_int weights of a ") + qlathe::name(weight.type()) + " model",
                               "cast the model to float32, or remove block_int");
  }
  QL_RETURN_IF_ERROR(check_finite(weight, name));
  QL_RETURN_IF_ERROR(tile_shape(weight.shape(), how).status());
  QL_ASSIGN(const BlockQuantizedTensor quantized, quantize_block_int(weight, how));
  OperandReport out;
  out.weight = true;
  out.how = how;
  out.values = out_.graph.add_constant(name + ".qvalue", quantized.values);
  out.multiplier = out_.graph.add_constant(name + ".multiplier", quantized.multiplier);
  out.scale = out_.graph.add_constant(name + ".scale", quantized.scale);
  out.multiplied_sum = largest_multiplied_sum(quantized, how.tiled_axes.begin()->first);
  return out;
}

Result<TensorId> Quantizer::add_block_product(Site& site, const OpReport& report) {
  if (site.builder.type(report.lhs->scale) != ValueType::kF32) {
    return Status::unsupported(
        {"", "", "block_int"},
        std::string("block_int with activations in ") + name(site.builder.type(report.lhs->scale)),
        "cast the model to float32, or remove block_int");
  }
  std::vector<TensorId> inputs(site.inputs);
  inputs.resize(std::max<size_t>(inputs.size(), kContractionExtra), kNone);
  inputs[kLhs] = report.lhs->values;
  inputs[kRhs] = report.rhs->values;
  inputs[kLhsZeroPoint] = report.lhs->zero_point;
  inputs[kLhsScale] = report.lhs->scale;
  inputs[kRhsScale] = report.rhs->multiplier;
  auto attrs = std::make_shared<DotGeneralAttrs>(site.node.as<DotGeneralAttrs>());
  // The zero point is a value of the type, so that a difference has at most its whole range.
  const QuantFormat& format = *report.lhs->how.format;
  const int64_t activation =
      report.lhs->zero_point.valid() ? format.qmax() - format.qmin() : std::max(-format.qmin(), format.qmax());
  const bool fits = report.rhs->multiplied_sum <= std::numeric_limits<int32_t>::max() / activation;
  attrs->accumulator = fits ? ValueType::kI32 : ValueType::kI64;
  PointwiseStep step;
  step.op = "mul";
  step.type = ValueType::kF32;
  step.operands = {static_cast<int64_t>(inputs.size())};
  QL_ASSIGN(const TensorId scale, scale_of_result(site, Side::kRight, report));
  inputs.push_back(scale);
  attrs->steps.insert(attrs->steps.begin(), step);
  return out_.graph.add(site.node.op, inputs, attrs, site.node.origin);
}

}  // namespace qlathe
