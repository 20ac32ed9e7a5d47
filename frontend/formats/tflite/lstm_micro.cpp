// The quantized LSTM as TFLite Micro computes it (micro/kernels/lstm_eval.h): products of int8 or int16 rounded to
// int16 each, gates by the table of the 16-bit logistic function.
#include <algorithm>
#include <cmath>

#include "frontend/formats/tflite/lstm.h"
#include "frontend/numerics/fixed/litert_tables.h"
#include "frontend/ops/contraction.h"

namespace qlathe {
namespace {

class MicroLstm {
 public:
  MicroLstm(TfliteNode& node, const LstmSlots& at, const LstmOptions& options, int64_t inputs)
      : node_(node), at_(at), options_(options), form_(lstm_form(node, at, inputs)), type_(node.in_type(0)) {
    if (form_.norm || form_.peephole || form_.projection || form_.coupled())
      node.unsupported("input", "is quantized: this runtime has no peepholes, projection, layer norm or coupled gates");
    if ((type_ != ValueType::kI8 && type_ != ValueType::kI16) || node.output_type() != type_ ||
        options.activation != tflite::ActivationFunctionType::TANH)
      node.unsupported("input", "is supported as int8 or int16 with tanh");
    accumulator_ = type_ == ValueType::kI8 ? ValueType::kI32 : ValueType::kI64;
    if (type_ == ValueType::kI16 && node.in_type(at.bias) != ValueType::kI64)
      node.unsupported("biases", "are not int64, as which this runtime reads them beside int16");
    table_ = node.constant(sigmoid_table(), "table");
    all_ = weights(at.weights);
    recurrent_ = weights(at.recurrent);
    bias_ = tflite_vectors(node, form_.slots(at.bias), accumulator_);
  }

  std::vector<TensorId> run(const TfliteSequence& sequence) {
    const TfliteQuant x = node_.in_quant(0), h = node_.in_quant(at_.state), c = node_.in_quant(at_.cell);
    TfliteSteps steps(node_, kContractionExtra);
    steps.add("add", accumulator_, {bias_});
    steps.requantize(multipliers(at_.weights, x.scale[0]), ValueType::kI16, 0, INT16_MIN, INT16_MAX);
    const TensorId inputs =
        tflite_integer_linear(node_, sequence.rows, x.zero_point[0], all_, std::move(steps), accumulator_);
    TensorId state = tflite_state_rows(node_, at_.state, sequence.batch, form_.outputs);
    TensorId cell = tflite_state_rows(node_, at_.cell, sequence.batch, form_.cells);
    if (node_.type(state).type != type_ || node_.type(cell).type != ValueType::kI16)
      node_.unsupported("state", "is not of the input's type with a cell of int16");
    const std::vector<double> again = multipliers(at_.recurrent, h.scale[0]);
    std::vector<TensorId> out;
    for (int64_t t = 0; t < sequence.time; t++) {
      TfliteSteps sum(node_, kContractionExtra);
      sum.requantize(again, ValueType::kI16, 0, INT16_MIN, INT16_MAX);
      sum.add("cast", ValueType::kI32);
      sum.add("add", ValueType::kI32, {node_.cast(tflite_time_step(node_, sequence, inputs, t), ValueType::kI32)});
      sum.add("cast", ValueType::kI16);
      sums_ = tflite_integer_linear(node_, state, h.zero_point[0], recurrent_, std::move(sum), accumulator_);
      cell = next_cell(cell, static_cast<double>(c.scale[0]));
      state = product(tanh_of(cell, exponent(c.scale[0])), gate(LstmForm::kOutput),
                      0x1p-30 / static_cast<double>(h.scale[0]), type_, h.zero_point[0]);
      out.push_back(state);
    }
    tflite_next_state(node_, at_.state, state);
    tflite_next_state(node_, at_.cell, cell);
    return out;
  }

 private:
  TensorId weights(size_t first) {
    const RecurrentWeights out = tflite_weights(node_, form_.slots(first));
    if (out.scales.empty()) node_.unsupported("weights", "are float32 with a quantized input");
    return out.values;
  }

  /// One of each channel of all gates: the product of the scales in float32, as of a FULLY_CONNECTED.
  std::vector<double> multipliers(size_t first, float scale) {
    std::vector<double> out;
    for (const size_t slot : form_.slots(first)) {
      const float both = scale * tflite_one_scale(node_, slot);
      out.insert(out.end(), static_cast<size_t>(form_.cells), static_cast<double>(both) / 0x1p-12);
    }
    return out;
  }

  int exponent(float scale) {
    const double out = std::round(std::log2(static_cast<double>(scale)));
    if (!(out >= -30 && out <= 0)) node_.unsupported("cell state", "has the scale " + std::to_string(scale));
    return static_cast<int>(out);
  }

  TensorId gate(LstmForm::Gate which) {
    const TensorId sum = form_.part(node_, sums_, which);
    if (which == LstmForm::kCell) return tanh_of(sum, -12);
    TfliteSteps steps(node_);
    steps.add("cast", ValueType::kI32);
    steps.add("mul", ValueType::kI32, {tflite_integers(node_, {3})});
    steps.add("logistic_lookup", ValueType::kI16, {table_});
    return tflite_apply(node_, sum, std::move(steps));
  }

  /// Of values in units of 2^power.
  TensorId tanh_of(TensorId x, int power) {
    const int left = 15 + power - 3;
    TfliteSteps steps(node_);
    steps.add("cast", ValueType::kI32);
    steps.add("mul", ValueType::kI32, {tflite_integers(node_, {left > 0 ? int64_t{3} << left : 3})});
    if (left < 0) {
      PointwiseStep& shift = steps.add("shift_right", ValueType::kI32);
      shift.shift_right = -left;
      shift.rounding = Rounding::kHalfUp;
    }
    steps.add("tanh_lookup", ValueType::kI16, {table_});
    return tflite_apply(node_, x, std::move(steps));
  }

  /// a * b * multiplier, two values of int16.
  TensorId product(TensorId a, TensorId b, double multiplier, ValueType type, int64_t zero_point) {
    TfliteSteps steps(node_);
    steps.add("cast", ValueType::kI32);
    steps.add("mul_centered", ValueType::kI32, {b});
    steps.requantize({multiplier}, type, zero_point, -HUGE_VAL, HUGE_VAL);
    return tflite_apply(node_, a, std::move(steps));
  }

  TensorId next_cell(TensorId cell, double scale) {
    const TensorId kept = product(gate(LstmForm::kForget), cell, 0x1p-15 * scale / scale, ValueType::kI16, 0);
    const TensorId added = product(gate(LstmForm::kInput), gate(LstmForm::kCell), 0x1p-30 / scale, ValueType::kI16, 0);
    TfliteSteps sum(node_);
    sum.add("cast", ValueType::kI32);
    sum.add("add", ValueType::kI32, {node_.cast(added, ValueType::kI32)});
    PointwiseStep& narrow = sum.add("cast", ValueType::kI16);
    if (options_.cell_clip > 0) {
      const double limit = std::trunc(std::min(static_cast<double>(options_.cell_clip) / scale, 32767.0));
      narrow.lo = -limit;
      narrow.hi = limit;
    }
    return tflite_apply(node_, kept, std::move(sum));
  }

  TfliteNode& node_;
  const LstmSlots at_;
  const LstmOptions options_;
  const LstmForm form_;
  const ValueType type_;
  ValueType accumulator_ = ValueType::kI32;
  TensorId table_, all_, recurrent_, bias_, sums_;
};

}  // namespace

std::vector<TensorId> run_micro_lstm(TfliteNode& node, const TfliteSequence& sequence, const LstmSlots& at,
                                     const LstmOptions& options) {
  return MicroLstm(node, at, options, sequence.width).run(sequence);
}

}  // namespace qlathe
