// Quantization operators, and com.microsoft's element-wise ones on quantized tensors.
#include <limits>

#include "frontend/formats/onnx/dynamic_quantize.h"
#include "frontend/formats/onnx/node.h"
#include "frontend/formats/onnx/windows.h"

namespace qlathe {
namespace {

/// A scale or zero point as it broadcasts to x: one value, one per index of `axis`, or blocked like x itself.
TensorId placed(OnnxNode& node, TensorId t, TensorId x, int64_t axis) {
  if (element_count(node.shape(t)) == 1) return node.reshape(t, {});
  if (node.rank(t) == node.rank(x)) return t;
  if (node.rank(t) != 1 || node.rank(x) == 0)
    node.problem("scale", "of shape " + to_string(node.shape(t)) + " does not fit");
  axis = node.axis(axis, node.rank(x));
  if (node.shape(t)[0] != node.shape(x)[static_cast<size_t>(axis)])
    node.problem("scale", "has " + std::to_string(node.shape(t)[0]) + " values for axis " + std::to_string(axis) +
                              " of " + to_string(node.shape(x)));
  return onnx_parameter(node, t, node.rank(x), axis);
}

/// Blocks of a scale stand for equal runs of x, which is what operands of steps mean as well; NumPy's rule is not.
TensorId with_parameters(OnnxNode& node, TensorId x, PointwiseStep step, const std::vector<TensorId>& parameters,
                         bool folds = true) {
  auto attrs = std::make_shared<PointwiseAttrs>();
  std::vector<TensorId> operands = {x};
  for (TensorId p : parameters) {
    step.operands.push_back(static_cast<int64_t>(operands.size()));
    operands.push_back(p);
  }
  attrs->steps = {std::move(step)};
  return node.add("pointwise", std::move(operands), attrs, folds);
}

void check_scale(OnnxNode& node, TensorId scale) {
  const ValueType type = node.type(scale).type;
  if (!is_float(type)) node.problem("scale", std::string("is ") + name(type) + ", expected a float");
  const HostTensor* values = node.data(scale);
  if (values == nullptr) return;
  values = node.data(node.cast(scale, ValueType::kF32));
  for (float s : values->as<float>()) {
    if (!(s > 0) || s > std::numeric_limits<float>::max())
      node.problem("scale", "is " + std::to_string(s) + "; a scale is a positive finite number",
                   "quantize the model again");
  }
}

int64_t quantization_axis(OnnxNode& node) {
  const int64_t axis = node.integer("axis", 1);
  node.ignore("saturate");
  node.ignore("precision");
  node.integer("block_size", 0);
  return axis;
}

/// round half even (x / scale) + zero point, saturated.
void read_quantize_linear(OnnxNode& node) {
  TensorId x = node.in(0);
  if (node.type(x).type == ValueType::kI32) x = node.cast(x, ValueType::kF32);
  const int64_t axis = quantization_axis(node);
  check_scale(node, node.in(1));
  const TensorId scale = placed(node, node.cast(node.in(1), ValueType::kF32), x, axis);
  ValueType type = ValueType::kU8;
  if (const auto code = static_cast<int>(node.integer("output_dtype", 0)); code != 0) {
    const auto known = onnx_type(code);
    if (!known) node.unsupported("output_dtype", onnx_type_name(code) + " is not supported");
    type = *known;
  }
  PointwiseStep step = onnx_step("quantize");
  std::vector<TensorId> parameters = {scale};
  if (node.has(2)) type = node.type(node.in(2)).type;
  const bool known = is_integer(type) ? info(type).bits <= 16 : is_code(type);
  if (!known) {
    node.problem(node.has(2) ? "zero_point" : "output_dtype",
                 std::string("is ") + name(type) + "; integers of at most 16 bits and 8-bit floats are quantized to");
  }
  step.type = type;
  if (node.has(2) && is_integer(type)) {
    step.zero_point_after = true;
    parameters.push_back(placed(node, node.in(2), x, axis));
  }
  node.result(with_parameters(node, x, step, parameters));
}

/// (x - zero point) * scale.
void read_dequantize_linear(OnnxNode& node) {
  const TensorId x = node.in(0);
  const int64_t axis = quantization_axis(node);
  node.ignore("output_dtype");
  const ValueType result = node.type(node.in(1)).type;
  if (!is_integer(node.type(x).type) && !is_code(node.type(x).type))
    node.unsupported("x", std::string(name(node.type(x).type)) + " is no quantized type");
  check_scale(node, node.in(1));
  std::vector<TensorId> parameters = {placed(node, node.in(1), x, axis)};
  if (node.has(2) && is_integer(node.type(node.in(2)).type)) {
    // Most exporters write zero points of zero.
    const HostTensor* zero = node.data(node.in(2));
    bool all_zero = zero != nullptr;
    for (int64_t i = 0; all_zero && i < zero->size(); i++)
      all_zero = zero->int_at(i) == 0;
    if (!all_zero) parameters.push_back(placed(node, node.in(2), x, axis));
  }
  // Weights stay integers with a scale, for the pass that makes integer products of them.
  node.result(with_parameters(node, x, onnx_step("dequantize", result), parameters, false));
}

void read_dynamic_quantize(OnnxNode& node) {
  const DynamicallyQuantized x = onnx_dynamic_quantize(node, node.in(0));
  node.result(x.q);
  node.result(x.scale);
  node.result(x.zero_point);
}

TensorId dequantized(OnnxNode& node, size_t at) {
  std::vector<TensorId> parameters = {node.reshape(node.in(at + 1), {})};
  if (node.has(at + 2)) parameters.push_back(node.reshape(node.in(at + 2), {}));
  return with_parameters(node, node.in(at), onnx_step("dequantize"), parameters);
}

TensorId quantized(OnnxNode& node, TensorId y, size_t at, ValueType fallback) {
  PointwiseStep step = onnx_step("quantize", node.has(at + 1) ? node.type(node.in(at + 1)).type : fallback);
  std::vector<TensorId> parameters = {node.reshape(node.in(at), {})};
  if (node.has(at + 1)) {
    step.zero_point_after = true;
    parameters.push_back(node.reshape(node.in(at + 1), {}));
  }
  return with_parameters(node, y, step, parameters);
}

/// QLinearAdd, QLinearMul: A, scale, zero, B, scale, zero, C scale, zero.
void read_qlinear_binary(OnnxNode& node) {
  const TensorId a = dequantized(node, 0), b = dequantized(node, 3);
  const TensorId y = node.binary(node.op() == "QLinearAdd" ? "add" : "mul", a, b);
  node.result(quantized(node, y, 6, node.type(node.in(0)).type));
}

/// QLinearSigmoid, QLinearLeakyRelu: X, scale, zero, Y scale, zero.
void read_qlinear_unary(OnnxNode& node) {
  const TensorId x = dequantized(node, 0);
  PointwiseStep step = onnx_step(node.op() == "QLinearSigmoid" ? "sigmoid" : "leaky_relu");
  if (step.op == "leaky_relu") step.alpha = node.number("alpha", static_cast<double>(0.01f));
  node.result(quantized(node, node.pointwise(x, {step}), 3, node.type(node.in(0)).type));
}

/// QLinearConcat: Y scale, Y zero, then (tensor, scale, zero) of each operand.
void read_qlinear_concat(OnnxNode& node) {
  std::vector<TensorId> parts;
  const ValueType type = node.type(node.in(2)).type;
  for (size_t i = 2; i + 1 < node.input_count(); i += 3)
    parts.push_back(quantized(node, dequantized(node, i), 0, type));
  node.result(node.concat(parts, node.axis(node.integer("axis", 1), node.rank(parts[0]))));
}

/// QLinearWhere: condition, X, scale, zero, Y, scale, zero, Z scale, zero.
void read_qlinear_where(OnnxNode& node) {
  const TensorId z = node.select(node.in(0), dequantized(node, 1), dequantized(node, 4));
  node.result(quantized(node, z, 7, node.type(node.in(1)).type));
}

const OnnxOps::Add kOps({
    {"QuantizeLinear", read_quantize_linear},
    {"DequantizeLinear", read_dequantize_linear},
    {"com.microsoft:QuantizeLinear", read_quantize_linear},
    {"com.microsoft:DequantizeLinear", read_dequantize_linear},
    {"DynamicQuantizeLinear", read_dynamic_quantize},
    {"com.microsoft:QLinearAdd", read_qlinear_binary},
    {"com.microsoft:QLinearMul", read_qlinear_binary},
    {"com.microsoft:QLinearSigmoid", read_qlinear_unary},
    {"com.microsoft:QLinearLeakyRelu", read_qlinear_unary},
    {"com.microsoft:QLinearConcat", read_qlinear_concat},
    {"com.microsoft:QLinearWhere", read_qlinear_where},
});

}  // namespace
}  // namespace qlathe
