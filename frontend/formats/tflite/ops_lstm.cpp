// LSTM, UNIDIRECTIONAL_SEQUENCE_LSTM, BIDIRECTIONAL_SEQUENCE_LSTM.
#include "frontend/formats/tflite/lstm.h"

namespace qlathe {
namespace {

std::vector<TensorId> run(TfliteNode& node, const TfliteSequence& sequence, const LstmOptions& options) {
  if (is_float(node.in_type(0))) return run_float_lstm(node, sequence, {}, options);
  return node.numerics() == TfliteNumerics::kTflm ? run_micro_lstm(node, sequence, {}, options)
                                                  : run_integer_lstm(node, sequence, {}, options);
}

void read_sequence_lstm(TfliteNode& node) {
  const auto& o = node.options<tflite::UnidirectionalSequenceLSTMOptions>();
  if (o.diagonal_recurrent_tensors()) node.unsupported("diagonal_recurrent_tensors", "are not supported");
  const LstmOptions options{o.fused_activation_function(), o.cell_clip(), o.proj_clip(),
                            o.asymmetric_quantize_inputs()};
  const TfliteSequence sequence = tflite_sequence(node, node.in(0), o.time_major());
  node.result(tflite_joined(node, run(node, sequence, options), o.time_major()));
}

/// Operands: input, last output, weights [4 * units, inputs + units], biases, last cell; gates in the order input,
/// cell, forget, output. Results: output, cell, and two that are for the runtime's own use.
void read_basic_lstm(TfliteNode& node) {
  const TensorId x = node.in(0), h = node.in(1), c = node.in(4);
  if (!is_float(node.in_type(0))) node.unsupported("input", "is quantized with kernel_type BASIC");
  const Shape cell = node.in_shape(4);
  const int64_t units = cell.empty() ? 0 : cell.back();
  if (cell.size() != 2 || node.in_shape(1) != cell || node.in_shape(2).size() != 2 ||
      node.in_shape(2)[0] != 4 * units || node.rank(x) != 2)
    node.problem("weights", to_string(node.in_shape(2)) + " do not fit a cell of " + to_string(cell));
  const TensorId both = node.concat({x, h}, 1);
  const TensorId sums =
      tflite_linear(node, both, tflite_weights(node, {2}), tflite_vectors(node, {3}, ValueType::kF32), false);
  const auto gate = [&](int64_t i, const char* op) {
    return node.unary(op, node.slice_axis(sums, 1, i * units, units));
  };
  const TensorId fresh = node.binary("mul", gate(0, "sigmoid"), gate(1, "tanh"));
  const TensorId next = node.binary("add", node.binary("mul", gate(2, "sigmoid"), c), fresh);
  node.result(node.binary("mul", gate(3, "sigmoid"), node.unary("tanh", next)));
  node.result(next);
  node.result(both);
  node.result(sums);
}

void read_lstm(TfliteNode& node) {
  const auto& o = node.options<tflite::LSTMOptions>();
  if (o.kernel_type() == tflite::LSTMKernelType::BASIC) return read_basic_lstm(node);
  const Shape x = node.in_shape(0);
  if (x.size() != 2 || element_count(x) == 0) node.problem("input", "has the shape " + to_string(x));
  const TfliteSequence one{1, x[0], x[1], node.in(0)};
  node.result(
      run(node, one, {o.fused_activation_function(), o.cell_clip(), o.proj_clip(), o.asymmetric_quantize_inputs()})[0]);
}

/// Operands: input, 17 of each direction, four states (output and cell forward, then backward), then an auxiliary
/// input.
void read_bidirectional_lstm(TfliteNode& node) {
  const auto& o = node.options<tflite::BidirectionalSequenceLSTMOptions>();
  for (size_t i = 39; i < 48; i++) {
    if (node.has(i)) node.unsupported("aux_input", "is not supported");
  }
  if (!is_float(node.in_type(0))) node.unsupported("input", "is quantized; float32 is supported");
  const LstmOptions options{o.fused_activation_function(), o.cell_clip(), o.proj_clip(),
                            o.asymmetric_quantize_inputs()};
  const TfliteSequence sequence = tflite_sequence(node, node.in(0), o.time_major());
  const LstmSlots forward{1, 5, 9, 12, 16, 17, 35, 36, 0}, backward{18, 22, 26, 29, 33, 34, 37, 38, 0};
  const TensorId there = tflite_joined(node, run_float_lstm(node, sequence, forward, options), o.time_major());
  const TensorId back = tflite_joined(node, run_float_lstm(node, sequence, backward, options, true), o.time_major());
  if (o.merge_outputs()) return node.result(node.concat({there, back}, 2));
  node.result(there);
  node.result(back);
}

const TfliteOps::Add kOps({
    {"LSTM", read_lstm},
    {"UNIDIRECTIONAL_SEQUENCE_LSTM", read_sequence_lstm},
    {"BIDIRECTIONAL_SEQUENCE_LSTM", read_bidirectional_lstm},
});

}  // namespace
}  // namespace qlathe
