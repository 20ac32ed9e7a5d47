// Weights: quantized now, or given quantized already.
#include <cmath>

#include "frontend/ir/suggest.h"
#include "frontend/numerics/convert.h"
#include "frontend/ops/contraction.h"
#include "frontend/rules/quantizer.h"

namespace qlathe {
Status check_finite(const HostTensor& weight, const std::string& name) {
  const std::vector<float> values = to_floats(weight);
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    return Status::user({"", name, ""},
                        std::string("element ") + std::to_string(i) + " of the weight is " +
                            (std::isnan(values[i]) ? "NaN" : "infinite"),
                        "correct the weights, or leave this op out of the rules");
  }
  return {};
}

namespace {

std::string parameters_text(const Shape& shape, bool zero_point) {
  return "a scale of shape " + to_string(shape) + (zero_point ? " with zero points" : " without zero points");
}

/// Whether a weight that was quantized elsewhere is what the rule asks for.
Status check_given(const QuantizedTensor& given, const Shape& shape, const HowToQuantize& how,
                   const std::string& name) {
  const Place place{"", name, ""};
  const ValueType type = given.values.type();
  if (type != how.format->type && type != how.format->container) {
    return Status::user(
        place, std::string("the quantized parameter is ") + qlathe::name(type) + ", the rule says " + how.format->name,
        "set weight_qtype to its type, or give the float parameter");
  }
  if (given.values.shape() != shape) {
    return Status::user(place, "the quantized parameter has shape " + to_string(given.values.shape()) +
                                   ", the weight " + to_string(shape));
  }
  QL_ASSIGN(const Shape tile, tile_shape(shape, how));
  const Shape expected = how.method.per_tensor() ? Shape(shape.size(), 1) : scale_shape(shape, tile);
  if (given.scale.shape() != expected || given.zero_point.has_value() != how.method.asymmetric()) {
    return Status::user(place,
                        "the quantized parameter has " +
                            parameters_text(given.scale.shape(), given.zero_point.has_value()) +
                            ", the rule asks for " + parameters_text(expected, how.method.asymmetric()),
                        "set tile_size and weight_calibration_method to what it was made with");
  }
  if (!is_code(type)) {
    for (int64_t i = 0; i < given.values.size(); ++i) {
      const int64_t value = given.values.int_at(i);
      if (value >= how.format->qmin() && value <= how.format->qmax()) continue;
      return Status::user(place, "element " + std::to_string(i) + " of the quantized parameter is " +
                                     std::to_string(value) + ", outside the range of " + how.format->name);
    }
  }
  return {};
}

/// The same elements under the format's own type: int3 values that lie in an int4 array.
HostTensor as_type(const HostTensor& tensor, ValueType type) {
  if (tensor.type() == type) return tensor;
  HostTensor out(type, tensor.shape());
  if (out.byte_size() > 0) std::memcpy(out.bytes(), tensor.bytes(), tensor.byte_size());
  return out;
}

}  // namespace

std::optional<QuantizedTensor> Quantizer::stored_weight(TensorId id, std::string& name) const {
  if (from_[id].is_constant()) return std::nullopt;
  const int producer = producers_[static_cast<size_t>(id.index)];
  if (producer < 0) return std::nullopt;
  const Node& node = from_.nodes[static_cast<size_t>(producer)];
  if (node.op != "pointwise") return std::nullopt;
  const auto& steps = node.as<PointwiseAttrs>().steps;
  if (steps.size() != 1 || steps[0].op != "dequantize" || !from_[node.inputs[0]].is_constant()) return std::nullopt;
  std::vector<const HostTensor*> operands;
  for (int64_t operand : steps[0].operands) {
    const Tensor& tensor = from_[node.inputs[static_cast<size_t>(operand)]];
    if (!tensor.is_constant()) return std::nullopt;
    operands.push_back(tensor.data.get());
  }
  name = from_[id].name;
  QuantizedTensor out{nullptr, *from_[node.inputs[0]].data, *operands[0], std::nullopt};
  if (operands.size() > 1) out.zero_point = *operands[1];
  return out;
}

Result<OperandReport> Quantizer::quantize_weight(Site& site, const HowToQuantize& how) {
  const TensorId old = site.node.inputs[kRhs];
  // Steps of an unrolled recurrence read one weight; it is quantized and kept once.
  const std::string key = from_[old].name + " " + how.format->name + describe_how(how);
  if (const auto found = weights_.find(key); found != weights_.end()) return found->second;
  QL_ASSIGN(OperandReport made, quantize_new_weight(site, how));
  return weights_.emplace(key, std::move(made)).first->second;
}

Result<OperandReport> Quantizer::quantize_new_weight(Site& site, const HowToQuantize& how) {
  const TensorId old = site.node.inputs[kRhs];
  std::string name = from_[old].name;
  std::optional<QuantizedTensor> given = stored_weight(old, name);
  if (const auto param = options_.params.find(name); param != options_.params.end()) {
    used_params_[name] = true;
    given = param->second;
  }
  if (given) {
    QL_RETURN_IF_ERROR(check_given(*given, from_[old].shape(), how, name));
    given->values = as_type(given->values, how.format->type);
    return add_weight(name, *given, how);
  }
  if (how.method.asymmetric() && !how.format->asymmetric) {
    return Status::user({"", "", "weight_calibration_method"},
                        std::string(how.format->name) + " has no zero point, so its range must be symmetric",
                        "use absmax, rms or fixed,a; or int8 or int4");
  }
  const HostTensor& weight = *from_[old].data;
  QL_RETURN_IF_ERROR(check_finite(weight, name));
  QL_ASSIGN(const QuantizedTensor quantized, qlathe::quantize(weight, how));
  return add_weight(name, quantized, how);
}

Result<OperandReport> Quantizer::add_weight(const std::string& name, const QuantizedTensor& weight,
                                            const HowToQuantize& how) {
  OperandReport out;
  out.weight = true;
  out.how = how;
  Graph& graph = out_.graph;
  out.values = graph.add_constant(name + ".qvalue", weight.values);
  out.scale = graph.add_constant(name + ".scale", weight.scale);
  if (weight.zero_point) out.zero_point = graph.add_constant(name + ".zero_point", *weight.zero_point);
  QL_ASSIGN(Shape tile, tile_of(weight.values.shape(), weight.scale.shape()));
  graph[out.values].quantization = Quantization{out.scale, out.zero_point, std::move(tile)};
  return out;
}

}  // namespace qlathe
