// Weights and activations of int8, gates and cell of int16: the integers of LiteRT's lstm_eval.
#include <algorithm>
#include <cmath>

#include "frontend/formats/tflite/lstm.h"
#include "frontend/ops/contraction.h"

namespace qlathe {
namespace {

constexpr double kNoLimit = HUGE_VAL;

class IntegerLstm {
 public:
  IntegerLstm(TfliteNode& node, const LstmSlots& at, const LstmOptions& options, int64_t inputs)
      : node_(node), at_(at), options_(options), form_(lstm_form(node, at, inputs)) {
    if (form_.peephole && form_.projection)
      node.unsupported("peephole weights", "with a projection have no meaning that runtimes agree on");
    if (node.in_type(0) != ValueType::kI8 || options.activation != tflite::ActivationFunctionType::TANH)
      node.unsupported("input", "is supported as int8 with tanh");
    if (node.output_type() != ValueType::kI8) node.unsupported("output", "is not int8");
    scales();
    all_ = integer_weights(form_.slots(at.weights));
    recurrent_ = integer_weights(form_.slots(at.recurrent));
    bias_ = tflite_vectors(node, form_.slots(at.bias), ValueType::kI32);
  }

  std::vector<TensorId> run(const TfliteSequence& sequence) {
    TfliteSteps steps(node_, kContractionExtra);
    // With layer norm the bias comes behind it.
    if (!form_.norm) steps.add("add", ValueType::kI32, {bias_});
    steps.requantize(input_multipliers_, ValueType::kI32, 0, INT16_MIN, INT16_MAX);
    const TensorId inputs = tflite_integer_linear(node_, sequence.rows, node_.in_zero(0), all_, std::move(steps));
    state_ = tflite_state_rows(node_, at_.state, sequence.batch, form_.outputs);
    cell_ = tflite_state_rows(node_, at_.cell, sequence.batch, form_.cells);
    if (node_.type(state_).type != ValueType::kI8 || node_.type(cell_).type != ValueType::kI16)
      node_.unsupported("state", "is not int8 with a cell of int16");
    std::vector<TensorId> out;
    for (int64_t t = 0; t < sequence.time; t++) {
      step(tflite_time_step(node_, sequence, inputs, t));
      out.push_back(state_);
    }
    tflite_next_state(node_, at_.state, state_);
    tflite_next_state(node_, at_.cell, cell_);
    return out;
  }

 private:
  /// Effective scales, float32 throughout as in the runtime's preparation.
  void scales() {
    const float x = node_.in_scale(0), h = state_quant().scale[0], c = required(at_.cell).scale[0];
    const double exponent = std::round(std::log2(static_cast<double>(c)));
    if (!(exponent >= -15 && exponent <= -9) || std::abs(std::log2(static_cast<double>(c)) - exponent) > 1e-3)
      node_.unsupported("cell state", "has the scale " + std::to_string(c), "a power of two from 2^-15 to 2^-9");
    cell_exponent_ = static_cast<int64_t>(exponent);
    for (LstmForm::Gate which : form_.gates) {
      const auto k = static_cast<size_t>(which);
      const float gate = gate_scale(which);
      const float w = tflite_one_scale(node_, at_.weights + k) * x / gate;
      const float r = tflite_one_scale(node_, at_.recurrent + k) * h / gate;
      input_multipliers_.insert(input_multipliers_.end(), static_cast<size_t>(form_.cells), static_cast<double>(w));
      recurrent_multipliers_.insert(recurrent_multipliers_.end(), static_cast<size_t>(form_.cells),
                                    static_cast<double>(r));
    }
    const tflite::Tensor* hidden = node_.intermediate(4);
    const auto quant = hidden == nullptr ? std::nullopt : node_.quant_of(*hidden);
    if (!quant || !(quant->scale[0] > 0))
      node_.problem("intermediates", "the quantization of the hidden state is missing", "convert the model again");
    hidden_scale_ = quant->scale[0];
    hidden_zero_ = quant->zero_point[0];
    const double product = std::ldexp(1.0, -15) / static_cast<double>(hidden_scale_) * std::ldexp(1.0, -15);
    hidden_multiplier_ = static_cast<double>(static_cast<float>(product));
  }

  /// Of a gate's sum: three integer bits, or with layer norm what the file says.
  float gate_scale(LstmForm::Gate which) {
    if (!form_.norm) return 0x1p-12f;
    const tflite::Tensor* sum = node_.intermediate(static_cast<size_t>(which));
    const auto quant = sum == nullptr ? std::nullopt : node_.quant_of(*sum);
    if (!quant || !(quant->scale[0] > 0))
      node_.problem("intermediates", "the quantization of a gate before its layer norm is missing",
                    "convert the model again");
    return quant->scale[0];
  }

  TfliteQuant required(size_t slot) {
    const TfliteQuant quant = node_.in_quant(slot);
    if (quant.scale.size() != 1) node_.problem("state", "has several scales");
    return quant;
  }
  TfliteQuant state_quant() { return required(at_.state); }

  TensorId integer_weights(const std::vector<size_t>& slots) {
    const RecurrentWeights weights = tflite_weights(node_, slots);
    if (weights.scales.empty()) node_.unsupported("weights", "are float32 with an input of int8");
    return weights.values;
  }

  void step(TensorId inputs) {
    TfliteSteps sum(node_, kContractionExtra);
    sum.requantize(recurrent_multipliers_, ValueType::kI32, 0, -kNoLimit, kNoLimit);
    sum.add("add", ValueType::kI32, {inputs});
    sum.add("cast", ValueType::kI16);
    sums_ = tflite_integer_linear(node_, state_, state_quant().zero_point[0], recurrent_, std::move(sum));
    // Peepholes come before the norm, and the output gate's sees the next cell.
    if (form_.norm && !form_.peephole)
      sums_ = tflite_integer_layer_norm(node_, sums_, form_.slots(at_.norm), form_.slots(at_.bias));

    const TensorId forget = gate(LstmForm::kForget), fresh = gate(LstmForm::kCell);
    TfliteSteps added(node_);
    added.add("cast", ValueType::kI32);
    if (form_.coupled()) {
      added.add("sub", ValueType::kI32, {tflite_integers(node_, {INT16_MAX})}).swapped = true;
    }
    added.add("mul_centered", ValueType::kI32, {fresh});
    shift(added, 30 + cell_exponent_);
    const TensorId addend = tflite_apply(node_, form_.coupled() ? forget : gate(LstmForm::kInput), std::move(added));
    TfliteSteps update(node_);
    update.add("cast", ValueType::kI32);
    update.add("mul_centered", ValueType::kI32, {cell_});
    shift(update, 15);
    update.add("add", ValueType::kI32, {addend});
    const double limit = clip(options_.cell_clip, required(at_.cell).scale[0], INT16_MIN, INT16_MAX);
    PointwiseStep& narrow = update.add("cast", ValueType::kI16);
    if (limit > 0) {
      narrow.lo = -limit;
      narrow.hi = limit;
    }
    cell_ = tflite_apply(node_, forget, std::move(update));

    TfliteSteps out(node_);
    out.add("fixed_tanh", ValueType::kI16).integer_bits = 15 + cell_exponent_;
    out.add("cast", ValueType::kI32);
    out.add("mul_centered", ValueType::kI32, {gate(LstmForm::kOutput)});
    // Where a projection follows, the runtime subtracts the zero point instead of adding it, and adds it below.
    out.requantize({hidden_multiplier_}, ValueType::kI8, form_.projection ? -hidden_zero_ : hidden_zero_, -kNoLimit,
                   kNoLimit);
    if (!form_.projection && hidden_zero_ != state_quant().zero_point[0])
      node_.unsupported("intermediates", "the hidden state has another zero point than the output's");
    state_ = tflite_apply(node_, cell_, std::move(out));
    if (form_.projection) project();
  }

  void project() {
    const float product = tflite_one_scale(node_, at_.projection) * hidden_scale_;
    const TfliteQuant state = state_quant();
    const float multiplier = product / state.scale[0];
    TfliteSteps steps(node_, kContractionExtra);
    if (node_.has(at_.projection_bias))
      steps.add("add", ValueType::kI32, {tflite_vectors(node_, {at_.projection_bias}, ValueType::kI32)});
    steps.requantize({static_cast<double>(multiplier)}, ValueType::kI8, state.zero_point[0], -kNoLimit, kNoLimit);
    const double limit = clip(options_.proj_clip, state.scale[0], INT8_MIN, INT8_MAX);
    if (limit > 0) {
      PointwiseStep& clamp = steps.add("clamp", ValueType::kI8);
      clamp.lo = -limit;
      clamp.hi = limit;
    }
    state_ = tflite_integer_linear(node_, state_, -hidden_zero_, integer_weights({at_.projection}), std::move(steps));
  }

  static double clip(float limit, float scale, double lo, double hi) {
    return limit > 0 ? std::trunc(std::clamp(static_cast<double>(limit / scale), lo, hi)) : 0;
  }

  static void shift(TfliteSteps& steps, int64_t by) {
    PointwiseStep& step = steps.add("shift_right", ValueType::kI32);
    step.shift_right = by;
    step.rounding = Rounding::kHalfAwayFromZero;
  }

  TensorId gate(LstmForm::Gate which) {
    TensorId sum = form_.part(node_, sums_, which);
    if (const size_t slot = form_.peephole_slot(at_, which)) {
      const double weights = static_cast<double>(tflite_one_scale(node_, slot));
      const double product =
          std::ldexp(1.0, static_cast<int>(cell_exponent_)) * weights / static_cast<double>(gate_scale(which));
      TfliteSteps peephole(node_);
      peephole.add("cast", ValueType::kI32);
      peephole.add("mul_centered", ValueType::kI32, {tflite_vectors(node_, {slot}, ValueType::kI16)});
      peephole.rescale(static_cast<double>(static_cast<float>(product)));
      peephole.add("add", ValueType::kI32, {node_.cast(sum, ValueType::kI32)});
      peephole.add("cast", ValueType::kI16);
      sum = tflite_apply(node_, cell_, std::move(peephole));
    }
    if (form_.norm && form_.peephole) {
      const auto k = static_cast<size_t>(which);
      sum = tflite_integer_layer_norm(node_, sum, {at_.norm + k}, {at_.bias + k});
    }
    TfliteSteps steps(node_);
    steps.add(which == LstmForm::kCell ? "fixed_tanh" : "fixed_logistic", ValueType::kI16).integer_bits = 3;
    return tflite_apply(node_, sum, std::move(steps));
  }

  TfliteNode& node_;
  const LstmSlots at_;
  const LstmOptions options_;
  const LstmForm form_;
  std::vector<double> input_multipliers_, recurrent_multipliers_;
  float hidden_scale_ = 0;
  double hidden_multiplier_ = 0;
  int64_t hidden_zero_ = 0, cell_exponent_ = 0;
  TensorId all_, recurrent_, bias_;
  TensorId state_, cell_, sums_;
};

}  // namespace

std::vector<TensorId> run_integer_lstm(TfliteNode& node, const TfliteSequence& sequence, const LstmSlots& at,
                                       const LstmOptions& options) {
  return IntegerLstm(node, at, options, sequence.width).run(sequence);
}

}  // namespace qlathe
