// Recurrent operators without gates: RNN, UNIDIRECTIONAL_SEQUENCE_RNN, BIDIRECTIONAL_SEQUENCE_RNN, SVDF.
#include "frontend/formats/tflite/recurrent.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

using Activation = tflite::ActivationFunctionType;

/// Where the operands of one direction are.
struct RnnSlots {
  size_t weights = 1, recurrent = 2, bias = 3, state = 4;
};

/// h' = activation(W x + R h + b) over the sequence; the results of the steps.
std::vector<TensorId> run_rnn(TfliteNode& node, const TfliteSequence& sequence, const RnnSlots& at, Activation function,
                              bool asymmetric, bool backward = false) {
  const RecurrentWeights w = tflite_weights(node, {at.weights}), r = tflite_weights(node, {at.recurrent});
  if (!w.values.valid() || !r.values.valid()) node.problem("weights", "are missing");
  const int64_t units = node.shape(w.values)[0];
  tflite_expect_shape(node, at.recurrent, "recurrent_weights", {units, units});
  const TensorId bias = tflite_vectors(node, {at.bias}, ValueType::kF32);
  const TensorId inputs = tflite_linear(node, sequence.rows, w, bias, asymmetric);
  TensorId h = tflite_state_rows(node, at.state, sequence.batch, units);
  std::vector<TensorId> out(static_cast<size_t>(sequence.time));
  for (int64_t i = 0; i < sequence.time; i++) {
    const int64_t t = backward ? sequence.time - 1 - i : i;
    h = tflite_linear(node, h, r, tflite_time_step(node, sequence, inputs, t), asymmetric, function);
    out[static_cast<size_t>(t)] = h;
  }
  tflite_next_state(node, at.state, h);
  return out;
}

void read_rnn(TfliteNode& node) {
  const auto& o = node.options<tflite::RNNOptions>();
  const Shape x = node.in_shape(0);
  if (x.size() != 2 || element_count(x) == 0) node.problem("input", "has the shape " + to_string(x));
  const TfliteSequence one{1, x[0], x[1], node.in(0)};
  node.result(run_rnn(node, one, {}, o.fused_activation_function(), o.asymmetric_quantize_inputs())[0]);
}

void read_sequence_rnn(TfliteNode& node) {
  const auto& o = node.options<tflite::SequenceRNNOptions>();
  const TfliteSequence sequence = tflite_sequence(node, node.in(0), o.time_major());
  node.result(tflite_joined(node,
                            run_rnn(node, sequence, {}, o.fused_activation_function(), o.asymmetric_quantize_inputs()),
                            o.time_major()));
}

/// Operands: input, forward (weights, recurrent, bias, state), backward likewise, then an auxiliary input.
void read_bidirectional_rnn(TfliteNode& node) {
  const auto& o = node.options<tflite::BidirectionalSequenceRNNOptions>();
  for (size_t i = 9; i < 12; i++) {
    if (node.has(i)) node.unsupported("aux_input", "is not supported");
  }
  const TfliteSequence sequence = tflite_sequence(node, node.in(0), o.time_major());
  const auto run = [&](const RnnSlots& at, bool backward) {
    return tflite_joined(
        node, run_rnn(node, sequence, at, o.fused_activation_function(), o.asymmetric_quantize_inputs(), backward),
        o.time_major());
  };
  const TensorId forward = run({1, 2, 3, 4}, false), backward = run({5, 6, 7, 8}, true);
  if (o.merge_outputs()) return node.result(node.concat({forward, backward}, 2));
  node.result(forward);
  node.result(backward);
}

/// The last `memory` results of every filter, the newest at the end: [batch, filters, memory].
TensorId shifted_memory(TfliteNode& node, TensorId state, TensorId newest) {
  const Shape s = node.shape(state);
  const TensorId column = node.reshape(newest, {s[0], s[1], 1});
  if (s[2] == 1) return column;
  return node.concat({node.slice_axis(state, 2, 1, s[2] - 1), column}, 2);
}

struct Svdf {
  int64_t batch, inputs, filters, memory, units, rank;
};

/// The products with the weights in time [filters, memory], summed over memory and rank: [batch, units], then steps.
TensorId over_time(TfliteNode& node, const Svdf& s, TensorId products, TfliteSteps steps) {
  auto attrs = std::make_shared<ReduceAttrs>();
  attrs->kind = ReduceKind::kSum;
  attrs->axes = {2};
  attrs->steps = std::move(steps.steps);
  std::vector<TensorId> operands = {node.reshape(products, {s.batch, s.units, s.rank * s.memory})};
  operands.insert(operands.end(), steps.operands.begin(), steps.operands.end());
  return node.add("reduce", operands, attrs);
}

void read_integer_svdf(TfliteNode& node, const Svdf& s, TensorId state) {
  const TfliteQuant x = node.in_quant(0), y = node.out_quant();
  const ValueType held = node.type(state).type;
  if (node.in_type(1) != ValueType::kI8 || (held != ValueType::kI16 && held != ValueType::kI8) ||
      node.in_type(2) != held || node.output_type() != ValueType::kI8)
    node.unsupported("weights", "have other types than int8 in space and int16 or int8 in time");
  const TfliteQuant memory = node.in_quant(4);
  const float state_scale = memory.scale[0];
  // The scales are float32 throughout, as is their product.
  const float feature = x.scale[0] * tflite_one_scale(node, 1) / state_scale;
  const float time = state_scale * tflite_one_scale(node, 2) / y.scale[0];
  TfliteSteps newest(node, kContractionExtra);
  newest.requantize({static_cast<double>(feature)}, held, 0, -HUGE_VAL, HUGE_VAL);
  const TensorId column = tflite_integer_linear(node, node.in(0), x.zero_point[0], node.in(1), std::move(newest));
  const TensorId next = shifted_memory(node, state, column);
  node.state_out(4, node.reshape(next, tflite_shape(node.input(4))));
  if (memory.zero_point[0] != 0) node.unsupported("state", "has a zero point");

  TfliteSteps times(node);
  times.add("cast", ValueType::kI32);
  times.add("mul_centered", ValueType::kI32, {node.in(2)});
  const TensorId products = tflite_apply(node, next, std::move(times));
  TfliteSteps sum(node);
  if (node.has(3)) sum.add("add", ValueType::kI32, {node.cast(node.in(3), ValueType::kI32)});
  sum.requantize({static_cast<double>(time)}, ValueType::kI8, y.zero_point[0], -HUGE_VAL, HUGE_VAL);
  node.result(over_time(node, s, products, std::move(sum)));
}

void read_float_svdf(TfliteNode& node, const Svdf& s, TensorId state, Activation function, bool asymmetric) {
  const RecurrentWeights feature = tflite_weights(node, {1});
  const TensorId column = tflite_linear(node, node.in(0), feature, kNone, asymmetric);
  const TensorId next = shifted_memory(node, state, column);
  node.state_out(4, node.reshape(next, tflite_shape(node.input(4))));
  TensorId time = node.cast(node.in(2), ValueType::kF32);
  if (is_integer(node.in_type(2))) time = node.binary("mul", time, node.scalar(tflite_one_scale(node, 2)));
  TfliteSteps sum(node);
  if (node.has(3)) sum.add("add", ValueType::kF32, {node.cast(node.in(3), ValueType::kF32)});
  sum.activation(function);
  node.result(over_time(node, s, node.binary("mul", next, time), std::move(sum)));
}

/// A dense layer of low rank: every filter sees the input now (features), and its own last results (time). Operands:
/// input, features [filters, inputs], time [filters, memory], bias, state [batch, filters * memory].
void read_svdf(TfliteNode& node) {
  const auto& o = node.options<tflite::SVDFOptions>();
  const Shape x = node.in_shape(0), feature = node.in_shape(1), time = node.in_shape(2);
  if (x.size() != 2 || feature.size() != 2 || time.size() != 2 || feature[1] != x[1] || time[0] != feature[0] ||
      o.rank() < 1 || feature[0] % o.rank() != 0 || element_count(time) == 0 || element_count(x) == 0)
    node.problem("weights", to_string(feature) + " and " + to_string(time) + " do not fit an input of " + to_string(x));
  const Svdf s{x[0], x[1], feature[0], time[1], feature[0] / o.rank(), o.rank()};
  const TensorId state =
      node.reshape(tflite_state_rows(node, 4, s.batch, s.filters * s.memory), {s.batch, s.filters, s.memory});
  if (is_float(node.in_type(0)))
    read_float_svdf(node, s, state, o.fused_activation_function(), o.asymmetric_quantize_inputs());
  else
    read_integer_svdf(node, s, state);
}

const TfliteOps::Add kOps({
    {"RNN", read_rnn},
    {"UNIDIRECTIONAL_SEQUENCE_RNN", read_sequence_rnn},
    {"BIDIRECTIONAL_SEQUENCE_RNN", read_bidirectional_rnn},
    {"SVDF", read_svdf},
});

}  // namespace
}  // namespace qlathe
