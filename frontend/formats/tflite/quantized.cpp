#include "frontend/formats/tflite/quantized.h"

#include <algorithm>
#include <cmath>

#include "frontend/ops/fixed_point.h"

namespace qlathe {

PointwiseStep& TfliteSteps::add(const char* op, ValueType type, const std::vector<TensorId>& with) {
  PointwiseStep step = import_step(op, type);
  for (TensorId t : with) {
    step.operands.push_back(first_ + static_cast<int64_t>(operands.size()));
    operands.push_back(t);
  }
  return steps.emplace_back(std::move(step));
}

void TfliteSteps::requantize(const std::vector<double>& multipliers, ValueType type, int64_t zero_point, double lo,
                             double hi) {
  for (double m : multipliers) {
    if (!std::isfinite(m) || m < 0)
      node_.problem("quantization", "gives the multiplier " + std::to_string(m), "the scales are damaged");
  }
  Shape shape;
  if (multipliers.size() > 1) shape.push_back(static_cast<int64_t>(multipliers.size()));
  FixedPointOperands constants = fixed_point_operands(shape, multipliers);
  std::vector<TensorId> with = {node_.constant(std::move(constants.multiplier), "multiplier"),
                                node_.constant(std::move(constants.shift), "shift")};
  if (zero_point != 0) with.push_back(tflite_zero_point(node_, zero_point));
  PointwiseStep& step = add("requantize", type, with);
  step.mode = RequantizeMode::kFixedDouble;
  step.lo = lo;
  step.hi = hi;
}

void TfliteSteps::requantize_float64(const std::vector<double>& multipliers, ValueType type, int64_t zero_point,
                                     double lo, double hi) {
  Shape shape;
  if (multipliers.size() > 1) shape.push_back(static_cast<int64_t>(multipliers.size()));
  HostTensor mantissa(ValueType::kI64, shape), exponent(ValueType::kI32, shape);
  for (size_t i = 0; i < multipliers.size(); i++) {
    if (!std::isfinite(multipliers[i]) || multipliers[i] < 0)
      node_.problem("quantization", "gives the multiplier " + std::to_string(multipliers[i]), "the scales are damaged");
    const ExactMultiplier m = exact_multiplier(multipliers[i]);
    mantissa.set_int(static_cast<int64_t>(i), m.mantissa);
    exponent.set_int(static_cast<int64_t>(i), m.exponent);
  }
  std::vector<TensorId> with = {node_.constant(std::move(mantissa), "multiplier"),
                                node_.constant(std::move(exponent), "exponent")};
  if (zero_point != 0) with.push_back(tflite_zero_point(node_, zero_point));
  PointwiseStep& step = add("requantize", type, with);
  step.mode = RequantizeMode::kFloat64;
  step.lo = lo;
  step.hi = hi;
}

void TfliteSteps::requantize_float32(const std::vector<float>& scales, ValueType type, int64_t zero_point, double lo,
                                     double hi) {
  HostTensor scale(ValueType::kF32, scales.size() > 1 ? Shape{static_cast<int64_t>(scales.size())} : Shape{});
  std::copy(scales.begin(), scales.end(), scale.as<float>().begin());
  add("cast", ValueType::kF32);
  add("mul", ValueType::kF32, {node_.constant(std::move(scale), "scale")});
  PointwiseStep& step = add("quantize", type, {node_.scalar(1.0f), tflite_zero_point(node_, zero_point)});
  step.zero_point_after = true;
  step.lo = lo;
  step.hi = hi;
}

void TfliteSteps::center(int64_t zero_point) {
  add("cast", ValueType::kI32);
  if (zero_point != 0) add("sub", ValueType::kI32, {tflite_integers(node_, {zero_point})});
}

void TfliteSteps::activation(tflite::ActivationFunctionType function) {
  using F = tflite::ActivationFunctionType;
  const auto clamp = [&](double lo, double hi) {
    PointwiseStep& step = add("clamp", ValueType::kF32);
    step.lo = lo;
    step.hi = hi;
  };
  switch (function) {
    case F::NONE:
      return;
    case F::RELU:
      add("relu", ValueType::kF32);
      return;
    case F::RELU6:
      return clamp(0, 6);
    case F::RELU_N1_TO_1:
      return clamp(-1, 1);
    case F::TANH:
      add("tanh", ValueType::kF32);
      return;
    default:
      break;
  }
  const char* known = tflite::EnumNameActivationFunctionType(function);
  node_.unsupported("fused_activation_function",
                    (*known ? std::string(known) : std::to_string(static_cast<int>(function))) + " is not supported");
}

TfliteRange tflite_range(TfliteNode& node, tflite::ActivationFunctionType function, ValueType type,
                         const TfliteQuant& quant) {
  using F = tflite::ActivationFunctionType;
  TfliteRange out{info(type).min, info(type).max};
  const auto quantized = [&](float real) {
    const float q = std::round(real / quant.scale[0]);
    if (!(std::abs(q) < 2147483648.0f)) node.problem("quantization", "the scale is too small for the fused activation");
    return quant.zero_point[0] + static_cast<int64_t>(q);
  };
  switch (function) {
    case F::NONE:
      break;
    case F::RELU:
      out.lo = std::max(out.lo, quantized(0));
      break;
    case F::RELU6:
      out = {std::max(out.lo, quantized(0)), std::min(out.hi, quantized(6))};
      break;
    case F::RELU_N1_TO_1:
      out = {std::max(out.lo, quantized(-1)), std::min(out.hi, quantized(1))};
      break;
    default:
      node.unsupported("fused_activation_function",
                       std::to_string(static_cast<int>(function)) + " is not supported on quantized results");
  }
  return out;
}

TensorId tflite_zero_point(TfliteNode& node, int64_t zero_point) {
  const bool narrow = zero_point >= INT16_MIN && zero_point <= INT16_MAX;
  HostTensor out(narrow ? ValueType::kI16 : ValueType::kI32, {});
  out.set_int(0, zero_point);
  return node.constant(std::move(out), "zero_point");
}

TensorId tflite_integers(TfliteNode& node, const std::vector<int64_t>& values) {
  HostTensor out(ValueType::kI32, values.size() == 1 ? Shape{} : Shape{static_cast<int64_t>(values.size())});
  for (size_t i = 0; i < values.size(); i++)
    out.set_int(static_cast<int64_t>(i), values[i]);
  return node.constant(std::move(out));
}

TensorId tflite_apply(TfliteNode& node, TensorId x, TfliteSteps steps) {
  return node.pointwise(x, std::move(steps.steps), std::move(steps.operands));
}

}  // namespace qlathe
