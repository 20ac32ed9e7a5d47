#include "frontend/formats/tflite/lstm.h"
#include "frontend/ops/reduction.h"

namespace qlathe {

std::vector<size_t> LstmForm::slots(size_t first) const {
  std::vector<size_t> out;
  for (Gate gate : gates)
    out.push_back(first + static_cast<size_t>(gate));
  return out;
}

TensorId LstmForm::part(TfliteNode& node, TensorId all, Gate gate) const {
  const int64_t position = static_cast<int64_t>(gate) - static_cast<int64_t>(gates[0]);
  return node.slice_axis(all, node.rank(all) - 1, position * cells, cells);
}

size_t LstmForm::peephole_slot(const LstmSlots& at, Gate gate) const {
  if (!peephole || gate == kCell) return 0;
  return at.peephole + (gate == kOutput ? 2 : static_cast<size_t>(gate));
}

LstmForm lstm_form(TfliteNode& node, const LstmSlots& at, int64_t inputs) {
  LstmForm form;
  form.inputs = inputs;
  if (node.has(at.weights)) form.gates.push_back(LstmForm::kInput);
  form.gates.insert(form.gates.end(), {LstmForm::kForget, LstmForm::kCell, LstmForm::kOutput});
  const Shape recurrent = node.in_shape(at.recurrent + 1);
  if (recurrent.size() != 2 || element_count(recurrent) == 0)
    node.problem("recurrent_to_forget_weights", "have the shape " + to_string(recurrent));
  form.cells = recurrent[0];
  form.outputs = recurrent[1];
  form.peephole = node.has(at.peephole + 2);
  form.norm = at.norm != 0 && node.has(at.norm + LstmForm::kForget);
  form.projection = node.has(at.projection);
  const auto vector = [&](size_t slot, const char* meaning) {
    if (element_count(node.in_shape(slot)) != form.cells)
      node.problem(meaning, "have the shape " + to_string(node.in_shape(slot)) + ", expected " +
                                std::to_string(form.cells) + " values");
  };
  for (LstmForm::Gate gate : form.gates) {
    const auto k = static_cast<size_t>(gate);
    tflite_expect_shape(node, at.weights + k, "weights", {form.cells, inputs});
    tflite_expect_shape(node, at.recurrent + k, "recurrent_weights", recurrent);
    vector(at.bias + k, "biases");
    if (form.norm) vector(at.norm + k, "layer_norm_coefficients");
    if (const size_t slot = form.peephole_slot(at, gate)) vector(slot, "peephole weights");
  }
  if (form.projection)
    tflite_expect_shape(node, at.projection, "projection_weights", {form.outputs, form.cells});
  else if (form.outputs != form.cells)
    node.problem("recurrent_weights", to_string(recurrent) + " need a projection");
  return form;
}

namespace {

class FloatLstm {
 public:
  FloatLstm(TfliteNode& node, const LstmSlots& at, const LstmOptions& options, int64_t inputs)
      : node_(node), at_(at), options_(options), form_(lstm_form(node, at, inputs)) {
    weights_ = tflite_weights(node, form_.slots(at.weights));
    recurrent_ = tflite_weights(node, form_.slots(at.recurrent));
    bias_ = tflite_vectors(node, form_.slots(at.bias), ValueType::kF32);
    if (form_.norm) norm_ = tflite_vectors(node, form_.slots(at.norm), ValueType::kF32);
    if (form_.projection) {
      projection_ = tflite_weights(node, {at.projection});
      projection_bias_ = tflite_vectors(node, {at.projection_bias}, ValueType::kF32);
    }
  }

  std::vector<TensorId> run(const TfliteSequence& sequence, bool backward) {
    // What the inputs add does not wait for the state: all time steps in one product.
    const TensorId inputs =
        tflite_linear(node_, sequence.rows, weights_, form_.norm ? kNone : bias_, options_.asymmetric);
    state_ = tflite_state_rows(node_, at_.state, sequence.batch, form_.outputs);
    cell_ = tflite_state_rows(node_, at_.cell, sequence.batch, form_.cells);
    std::vector<TensorId> out(static_cast<size_t>(sequence.time));
    for (int64_t i = 0; i < sequence.time; i++) {
      const int64_t t = backward ? sequence.time - 1 - i : i;
      step(tflite_time_step(node_, sequence, inputs, t));
      out[static_cast<size_t>(t)] = state_;
    }
    tflite_next_state(node_, at_.state, state_);
    tflite_next_state(node_, at_.cell, cell_);
    return out;
  }

 private:
  void step(TensorId inputs) {
    sums_ = tflite_linear(node_, state_, recurrent_, inputs, options_.asymmetric);
    const TensorId forget = gate(LstmForm::kForget), fresh = gate(LstmForm::kCell);
    const TensorId input = form_.coupled() ? node_.binary("sub", node_.scalar(1.0f), forget) : gate(LstmForm::kInput);
    TfliteSteps update(node_);
    update.add("mul", ValueType::kF32, {cell_});
    update.add("add", ValueType::kF32, {node_.binary("mul", input, fresh)});
    clip(update, options_.cell_clip);
    cell_ = tflite_apply(node_, forget, std::move(update));

    TfliteSteps out(node_);
    out.activation(options_.activation);
    out.add("mul", ValueType::kF32, {gate(LstmForm::kOutput)});
    state_ = tflite_apply(node_, cell_, std::move(out));
    if (!form_.projection) return;
    state_ = tflite_linear(node_, state_, projection_, projection_bias_, options_.asymmetric);
    if (!(options_.proj_clip > 0)) return;
    TfliteSteps clipped(node_);
    clip(clipped, options_.proj_clip);
    state_ = tflite_apply(node_, state_, std::move(clipped));
  }

  void clip(TfliteSteps& steps, float limit) {
    if (!(limit > 0)) return;
    PointwiseStep& step = steps.add("clamp", ValueType::kF32);
    step.lo = -static_cast<double>(limit);
    step.hi = static_cast<double>(limit);
  }

  TensorId gate(LstmForm::Gate which) {
    TensorId sum = form_.part(node_, sums_, which);
    if (const size_t slot = form_.peephole_slot(at_, which)) {
      TensorId weights = tflite_vectors(node_, {slot}, ValueType::kF32);
      if (is_integer(node_.in_type(slot)))
        weights = node_.binary("mul", weights, node_.scalar(tflite_one_scale(node_, slot)));
      TfliteSteps peephole(node_);
      peephole.add("mul", ValueType::kF32, {weights});
      peephole.add("add", ValueType::kF32, {sum});
      sum = tflite_apply(node_, cell_, std::move(peephole));
    }
    if (form_.norm) {
      auto attrs = std::make_shared<LayerNormAttrs>();
      attrs->epsilon = 1e-8;
      sum = node_.add("layer_norm", {sum, form_.part(node_, norm_, which), form_.part(node_, bias_, which)}, attrs);
    }
    TfliteSteps steps(node_);
    if (which == LstmForm::kCell)
      steps.activation(options_.activation);
    else
      steps.add("sigmoid", ValueType::kF32);
    return tflite_apply(node_, sum, std::move(steps));
  }

  TfliteNode& node_;
  const LstmSlots at_;
  const LstmOptions options_;
  const LstmForm form_;
  RecurrentWeights weights_, recurrent_, projection_;
  TensorId bias_, norm_, projection_bias_;
  TensorId state_, cell_, sums_;
};

}  // namespace

std::vector<TensorId> run_float_lstm(TfliteNode& node, const TfliteSequence& sequence, const LstmSlots& at,
                                     const LstmOptions& options, bool backward) {
  return FloatLstm(node, at, options, sequence.width).run(sequence, backward);
}

}  // namespace qlathe
