#include "frontend/formats/tflite/recurrent.h"

#include <algorithm>

#include "frontend/formats/tflite/dynamic_range.h"
#include "frontend/ops/contraction.h"

namespace qlathe {
namespace {

TensorId product(TfliteNode& node, TensorId x, TensorId weights, TensorId zero_point, ValueType accumulator,
                 TfliteSteps steps) {
  const Shape rows = node.shape(x), w = node.shape(weights);
  if (rows.size() != 2 || w.size() != 2 || rows[1] != w[1])
    node.problem("weights", to_string(w) + " do not fit rows of the shape " + to_string(rows));
  std::vector<TensorId> operands = {x, weights, zero_point, kNone, kNone, kNone};
  operands.insert(operands.end(), steps.operands.begin(), steps.operands.end());
  while (!operands.back().valid())
    operands.pop_back();
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_contracting = {1};
  attrs->rhs_contracting = {1};
  attrs->accumulator = accumulator;
  attrs->steps = std::move(steps.steps);
  return node.add("dot_general", operands, attrs);
}

TensorId floats(TfliteNode& node, const std::vector<float>& values) {
  HostTensor out(ValueType::kF32, values.size() == 1 ? Shape{} : Shape{static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), out.as<float>().begin());
  return node.constant(std::move(out), "weight_scale");
}

}  // namespace

float tflite_one_scale(TfliteNode& node, size_t slot) {
  const TfliteQuant quant = node.in_quant(slot);
  if (quant.scale.size() != 1)
    node.unsupported("operand " + std::to_string(slot), "has several scales in a recurrent operator");
  return quant.scale[0];
}

RecurrentWeights tflite_weights(TfliteNode& node, const std::vector<size_t>& slots) {
  RecurrentWeights out;
  if (slots.empty() || !node.has(slots[0])) return out;
  std::vector<TensorId> parts;
  const ValueType type = node.in_type(slots[0]);
  for (size_t slot : slots) {
    TensorId part = node.in(slot);
    const ValueType own = node.type(part).type;
    if (node.rank(part) != 2 || node.shape(part)[1] != node.in_shape(slots[0])[1])
      node.problem("weights", "have the shape " + to_string(node.shape(part)));
    if (own != type) node.problem("weights", std::string("are ") + name(own) + " and " + name(type));
    if (own == ValueType::kI8) {
      const TfliteQuant quant = node.in_quant(slot);
      if (quant.zero_point[0] != 0) node.unsupported("weights", "have a zero point");
      out.scales.insert(out.scales.end(), static_cast<size_t>(node.shape(part)[0]), tflite_one_scale(node, slot));
    } else if (is_float(own)) {
      part = node.cast(part, ValueType::kF32);
    } else {
      node.unsupported("weights", std::string("are ") + name(own) + "; float32 and int8 are supported");
    }
    parts.push_back(part);
  }
  out.values = node.concat(parts, 0);
  if (slots.size() == 1 && !out.scales.empty()) out.scales.resize(1);
  return out;
}

TensorId tflite_vectors(TfliteNode& node, const std::vector<size_t>& slots, ValueType type) {
  if (slots.empty() || !node.has(slots[0])) return kNone;
  std::vector<TensorId> parts;
  for (size_t slot : slots)
    parts.push_back(node.cast(node.reshape(node.in(slot), {element_count(node.in_shape(slot))}), type));
  return node.concat(parts, 0);
}

TensorId tflite_linear(TfliteNode& node, TensorId x, const RecurrentWeights& weights, TensorId add, bool asymmetric,
                       tflite::ActivationFunctionType function) {
  if (node.type(x).type != ValueType::kF32)
    node.unsupported("input", std::string("is ") + name(node.type(x).type) + " with these weights");
  TfliteSteps steps(node, kContractionExtra);
  if (weights.scales.empty()) {
    if (add.valid()) steps.add("add", ValueType::kF32, {add});
    steps.activation(function);
    return product(node, x, weights.values, kNone, ValueType::kF32, std::move(steps));
  }
  const DynamicRange range{asymmetric ? DynamicRange::Form::kAsymmetric : DynamicRange::Form::kSymmetric, 1};
  const DynamicallyQuantized q = tflite_dynamic_quantize(node, x, range);
  // The two scales are multiplied first, as the runtime does.
  const TensorId scale = node.binary("mul", q.scale, floats(node, weights.scales));
  steps.add("cast", ValueType::kF32);
  steps.add("mul", ValueType::kF32, {scale});
  if (add.valid()) steps.add("add", ValueType::kF32, {add});
  steps.activation(function);
  return product(node, q.values, weights.values, q.zero_point, ValueType::kI32, std::move(steps));
}

TensorId tflite_integer_linear(TfliteNode& node, TensorId x, int64_t zero_point, TensorId weights, TfliteSteps steps,
                               ValueType accumulator) {
  TensorId zero;
  if (zero_point != 0) {
    const auto& own = info(node.type(x).type);
    const bool fits = zero_point >= own.min && zero_point <= own.max;
    HostTensor value(fits ? node.type(x).type : ValueType::kI16, {1, 1});
    value.set_int(0, zero_point);
    zero = node.constant(std::move(value), "zero_point");
  }
  return product(node, x, weights, zero, accumulator, std::move(steps));
}

TfliteSequence tflite_sequence(TfliteNode& node, TensorId x, bool time_major) {
  Shape shape = node.shape(x);
  if (shape.size() != 3) node.problem("input", "has the shape " + to_string(shape) + ", expected three axes");
  if (!time_major) {
    x = shape[0] == 1 ? x : node.transpose(x, {1, 0, 2});
    std::swap(shape[0], shape[1]);
  }
  if (element_count(shape) == 0) node.problem("input", "has no elements: " + to_string(shape));
  return {shape[0], shape[1], shape[2], node.reshape(x, {shape[0] * shape[1], shape[2]})};
}

TensorId tflite_time_step(TfliteNode& node, const TfliteSequence& sequence, TensorId rows, int64_t t) {
  return sequence.time == 1 ? rows : node.slice_axis(rows, 0, t * sequence.batch, sequence.batch);
}

TensorId tflite_joined(TfliteNode& node, const std::vector<TensorId>& steps, bool time_major) {
  const Shape one = node.shape(steps[0]);
  const auto time = static_cast<int64_t>(steps.size());
  const TensorId rows = node.concat(steps, 0);
  if (time_major || one[0] == 1)
    return node.reshape(rows, time_major ? Shape{time, one[0], one[1]} : Shape{1, time, one[1]});
  return node.transpose(node.reshape(rows, {time, one[0], one[1]}), {1, 0, 2});
}

TensorId tflite_state_rows(TfliteNode& node, size_t slot, int64_t batch, int64_t width) {
  const TensorId state = node.state_in(slot);
  if (element_count(node.shape(state)) != batch * width) {
    node.problem("state",
                 "has the shape " + to_string(node.shape(state)) + ", expected " + to_string(Shape{batch, width}));
  }
  return node.reshape(state, {batch, width});
}

void tflite_next_state(TfliteNode& node, size_t slot, TensorId rows) {
  node.state_out(slot, node.reshape(rows, tflite_shape(node.input(slot))));
}

void tflite_expect_shape(TfliteNode& node, size_t slot, const char* meaning, const Shape& expected) {
  if (node.in_shape(slot) != expected)
    node.problem(meaning, "has the shape " + to_string(node.in_shape(slot)) + ", expected " + to_string(expected));
}

}  // namespace qlathe
