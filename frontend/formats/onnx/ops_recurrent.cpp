// LSTM, GRU, RNN over sequences of known length, step by step.
#include <algorithm>
#include <cctype>

#include "frontend/formats/onnx/dynamic_quantize.h"
#include "frontend/formats/onnx/node.h"
#include "frontend/ops/contraction.h"

namespace qlathe {
namespace {

/// Every step becomes nodes of its own.
constexpr int64_t kMaxSteps = 1024;

/// An activation by its ONNX name with its parameters.
struct Activation {
  std::string name;
  double alpha = 0, beta = 0;
};

TensorId activate(OnnxNode& node, const Activation& f, TensorId x) {
  std::string name = f.name;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (name == "sigmoid" || name == "tanh" || name == "relu" || name == "softplus") return node.unary(name.c_str(), x);
  if (name == "scaledtanh") {
    const TensorId inner = node.binary("mul", x, node.scalar(static_cast<float>(f.beta)));
    return node.binary("mul", node.unary("tanh", inner), node.scalar(static_cast<float>(f.alpha)));
  }
  if (name == "thresholdedrelu") {
    const TensorId above = node.compare("greater", x, node.scalar(static_cast<float>(f.alpha)));
    return node.select(above, x, node.scalar(0.0f));
  }
  PointwiseStep step = onnx_step(name == "elu" ? "elu" : "leaky_relu");
  step.alpha = f.alpha;
  if (name == "elu" || name == "leakyrelu") return node.pointwise(x, {step});
  if (name == "hardsigmoid") {
    PointwiseStep clamp = onnx_step("clamp");
    clamp.lo = 0;
    clamp.hi = 1;
    return node.pointwise(x, {onnx_step("mul", ValueType::kF32, {1}), onnx_step("add", ValueType::kF32, {2}), clamp},
                          {node.scalar(static_cast<float>(f.alpha)), node.scalar(static_cast<float>(f.beta))});
  }
  if (name == "affine") {
    return node.pointwise(x, {onnx_step("mul", ValueType::kF32, {1}), onnx_step("add", ValueType::kF32, {2})},
                          {node.scalar(static_cast<float>(f.alpha)), node.scalar(static_cast<float>(f.beta))});
  }
  if (name == "softsign") {
    PointwiseStep divide = onnx_step("div", ValueType::kF32, {2});
    divide.swapped = true;
    return node.pointwise(x, {onnx_step("abs"), onnx_step("add", ValueType::kF32, {1}), divide},
                          {node.scalar(1.0f), x});
  }
  node.unsupported("activations", "'" + f.name + "' is not supported");
}

/// Weights that were quantized, for com.microsoft's DynamicQuantizeLSTM: [I, gates * H] with scale and zero point.
struct Weights {
  TensorId w;
  TensorId scale = kNone, zero = kNone;
  bool transposed = false;  ///< [in, out] rather than [out, in]
};

/// x [.., I] by the weights: [.., out].
TensorId product(OnnxNode& node, TensorId x, const Weights& weights) {
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_contracting = {node.rank(x) - 1};
  attrs->rhs_contracting = {weights.transposed ? 0 : 1};
  if (!weights.scale.valid()) return node.add("dot_general", {x, weights.w}, attrs);
  const DynamicallyQuantized of_x = onnx_dynamic_quantize(node, x);
  attrs->accumulator = ValueType::kI32;
  const TensorId x_zero = node.reshape(of_x.zero_point, Shape(node.shape(x).size(), 1));
  const TensorId sum = node.add("dot_general", {of_x.q, weights.w, x_zero, weights.zero}, attrs);
  return node.binary(
      "mul", node.cast(sum, ValueType::kF32),
      node.binary("mul", of_x.scale, node.reshape(weights.scale, {element_count(node.shape(weights.scale))})));
}

/// Part `i` of `count` equal parts of the last axis.
TensorId part(OnnxNode& node, TensorId x, int64_t i, int64_t size) {
  return node.slice_axis(x, node.rank(x) - 1, i * size, size);
}

/// Entry `i` of the leading axis, without it.
TensorId entry(OnnxNode& node, TensorId x, int64_t i) {
  Shape rest = node.shape(x);
  rest.erase(rest.begin());
  return node.reshape(node.slice_axis(x, 0, i, 1), rest);
}

struct Cell {
  OnnxNode& node;
  std::string op;
  int64_t hidden = 0, batch = 0, gates = 0;
  std::vector<Activation> f;
  double clip = 0;
  bool input_forget = false, linear_before_reset = false;
  Weights r;
  TensorId r_bias = kNone;    // [gates * H], of the recurrence where it cannot be added to that of the input
  TensorId peephole = kNone;  // [3 * H]: i, o, f

  TensorId limited(TensorId x) const {
    if (clip <= 0) return x;
    PointwiseStep step = onnx_step("clamp");
    step.lo = -clip;
    step.hi = clip;
    return node.pointwise(x, {step});
  }
  TensorId add(TensorId a, TensorId b) const { return node.binary("add", a, b); }
  TensorId mul(TensorId a, TensorId b) const { return node.binary("mul", a, b); }

  void lstm(TensorId x, TensorId& h, TensorId& c) const {
    const TensorId all = add(x, product(node, h, r));  // i o f c
    TensorId i = part(node, all, 0, hidden), o = part(node, all, 1, hidden), forget = part(node, all, 2, hidden);
    if (peephole.valid()) {
      i = add(i, mul(c, part(node, peephole, 0, hidden)));
      forget = add(forget, mul(c, part(node, peephole, 2, hidden)));
    }
    i = activate(node, f[0], limited(i));
    forget = input_forget ? node.binary("sub", node.scalar(1.0f), i) : activate(node, f[0], limited(forget));
    const TensorId candidate = activate(node, f[1], limited(part(node, all, 3, hidden)));
    c = add(mul(forget, c), mul(i, candidate));
    if (peephole.valid()) o = add(o, mul(c, part(node, peephole, 1, hidden)));
    h = mul(activate(node, f[0], limited(o)), activate(node, f[2], c));
  }

  void gru(TensorId x, TensorId& h) const {  // z r h
    Weights zr = r, n = r;
    zr.w = node.slice_axis(r.w, 0, 0, 2 * hidden);
    n.w = node.slice_axis(r.w, 0, 2 * hidden, hidden);
    const TensorId recurrent = add(product(node, h, zr), node.slice_axis(r_bias, 0, 0, 2 * hidden));
    const TensorId n_bias = node.slice_axis(r_bias, 0, 2 * hidden, hidden);
    const TensorId z = activate(node, f[0], limited(add(part(node, x, 0, hidden), part(node, recurrent, 0, hidden))));
    const TensorId reset =
        activate(node, f[0], limited(add(part(node, x, 1, hidden), part(node, recurrent, 1, hidden))));
    const TensorId inner = linear_before_reset ? mul(reset, add(product(node, h, n), n_bias))
                                               : add(product(node, mul(reset, h), n), n_bias);
    const TensorId candidate = activate(node, f[1], limited(add(part(node, x, 2, hidden), inner)));
    h = add(mul(node.binary("sub", node.scalar(1.0f), z), candidate), mul(z, h));
  }

  void rnn(TensorId x, TensorId& h) const { h = activate(node, f[0], limited(add(x, product(node, h, r)))); }
};

std::vector<Activation> activations(OnnxNode& node, const std::vector<std::string>& given, size_t directions,
                                    const std::vector<const char*>& defaults) {
  const auto alphas = node.numbers("activation_alpha", {}), betas = node.numbers("activation_beta", {});
  std::vector<Activation> out;
  size_t a = 0, b = 0;
  for (size_t i = 0; i < directions * defaults.size(); i++) {
    Activation f{i < given.size() ? given[i] : defaults[i % defaults.size()]};
    std::string name = f.name;
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    const bool takes_beta = name == "hardsigmoid" || name == "affine" || name == "scaledtanh";
    const bool takes_alpha = takes_beta || name == "leakyrelu" || name == "elu" || name == "thresholdedrelu";
    f.alpha = takes_alpha && a < alphas.size() ? alphas[a++]
              : name == "hardsigmoid"          ? 0.2
              : name == "leakyrelu"            ? 0.01
                                               : 1.0;
    f.beta = takes_beta && b < betas.size() ? betas[b++] : name == "hardsigmoid" ? 0.5 : 0.0;
    out.push_back(f);
  }
  return out;
}

/// How many steps of each sequence count; all where there are no lengths.
struct Lengths {
  TensorId values = kNone;  // [batch, 1]
  int64_t shortest = 0;     // 0 where it depends on data

  /// Which sequences have a step `at`, [batch, 1]; nothing where all have.
  TensorId running(OnnxNode& node, int64_t at) const {
    if (!values.valid() || at < shortest) return kNone;
    return node.compare("greater", values, node.scalar(node.type(values).type, static_cast<double>(at)));
  }
};

Lengths sequence_lengths(OnnxNode& node, int64_t steps, int64_t batch) {
  if (!node.has(4)) return {};
  if (node.shape(node.in(4)) != Shape{batch})
    node.problem("sequence_lens", "of shape " + to_string(node.shape(node.in(4))) + " is not one for each sequence");
  Lengths out{node.reshape(node.in(4), {batch, 1}), 0};
  if (!node.is_constant(4)) return out;
  out.shortest = steps;
  for (int64_t n : node.constant_integers(4, "sequence_lens")) {
    if (n < 0 || n > steps)
      node.problem("sequence_lens", std::to_string(n) + " is not within the " + std::to_string(steps) + " steps");
    out.shortest = std::min(out.shortest, n);
  }
  return out;
}

void read_recurrent(OnnxNode& node) {
  const bool quantized = node.op() == "DynamicQuantizeLSTM";
  const std::string op = quantized ? "LSTM" : node.op();
  const int64_t gates = op == "LSTM" ? 4 : op == "GRU" ? 3 : 1;
  const bool batch_first = node.integer("layout", 0) != 0;
  TensorId x = node.in(0);
  if (node.rank(x) != 3) node.problem("X", "of shape " + to_string(node.shape(x)) + " is not [steps, batch, features]");
  if (batch_first) x = node.transpose(x, {1, 0, 2});
  const int64_t steps = node.shape(x)[0], batch = node.shape(x)[1];
  if (steps > kMaxSteps)
    node.unsupported("X",
                     "has " + std::to_string(steps) + " steps; at most " + std::to_string(kMaxSteps) + " are unrolled",
                     "export the model with shorter sequences and its states as inputs and outputs");
  const std::string direction = node.string("direction", "forward");
  const int64_t directions = direction == "bidirectional" ? 2 : 1;
  const TensorId w = node.in(1), r = node.in(2);
  if (node.rank(w) != 3 || node.rank(r) != 3 || node.shape(w)[0] != directions || node.shape(r)[0] != directions)
    node.problem("W", "W and R need a leading axis of the " + std::to_string(directions) + " directions");
  const int64_t hidden = node.shape(r)[quantized ? 1 : 2];
  if (node.integer("hidden_size", hidden) != hidden || node.shape(w)[quantized ? 2 : 1] != gates * hidden)
    node.problem("hidden_size", "disagrees with the shapes of W and R");
  const Lengths lengths = sequence_lengths(node, steps, batch);
  const std::vector<std::string> names = node.strings("activations");
  const std::vector<const char*> defaults = op == "LSTM"  ? std::vector<const char*>{"Sigmoid", "Tanh", "Tanh"}
                                            : op == "GRU" ? std::vector<const char*>{"Sigmoid", "Tanh"}
                                                          : std::vector<const char*>{"Tanh"};
  const std::vector<Activation> all = activations(node, names, static_cast<size_t>(directions), defaults);
  std::vector<TensorId> outputs, last_h, last_c;
  for (int64_t d = 0; d < directions; d++) {
    Cell cell{node, op, hidden, batch, gates, {}};
    cell.f.assign(all.begin() + d * static_cast<int64_t>(defaults.size()),
                  all.begin() + (d + 1) * static_cast<int64_t>(defaults.size()));
    cell.clip = node.number("clip", 0);
    cell.input_forget = node.integer("input_forget", 0) != 0;
    if (op == "GRU") cell.linear_before_reset = node.integer("linear_before_reset", 0) != 0;
    Weights of_x{entry(node, w, d)};
    cell.r.w = entry(node, r, d);
    if (quantized) {
      of_x.transposed = cell.r.transposed = true;
      const auto parameter = [&](size_t i) {
        return entry(node, node.in(i), std::min(d, node.shape(node.in(i))[0] - 1));
      };
      const auto zero = [&](size_t i) {
        const TensorId z = parameter(i);
        return node.reshape(z, {1, element_count(node.shape(z))});
      };
      of_x.scale = parameter(8);
      of_x.zero = zero(9);
      cell.r.scale = parameter(10);
      cell.r.zero = zero(11);
    }
    TensorId xw = product(node, x, of_x);  // [steps, batch, gates * H]
    if (node.has(3)) {
      const TensorId bias = entry(node, node.in(3), d);
      const TensorId of_input = node.slice_axis(bias, 0, 0, gates * hidden),
                     of_state = node.slice_axis(bias, 0, gates * hidden, gates * hidden);
      xw = node.binary("add", xw, op == "GRU" ? of_input : node.binary("add", of_input, of_state));
      cell.r_bias = of_state;
    } else if (op == "GRU") {
      cell.r_bias = node.constant(HostTensor(ValueType::kF32, {gates * hidden}));
    }
    if (op == "LSTM" && node.has(7)) cell.peephole = entry(node, node.in(7), d);
    const auto initial = [&](size_t i) {
      if (!node.has(i)) return node.constant(HostTensor(ValueType::kF32, {batch, hidden}));
      TensorId given = node.in(i);
      if (batch_first) given = node.transpose(given, {1, 0, 2});
      return entry(node, given, d);
    };
    TensorId h = initial(5), c = op == "LSTM" ? initial(6) : kNone;
    const bool reverse = direction == "reverse" || d == 1;
    std::vector<TensorId> sequence(static_cast<size_t>(steps));
    for (int64_t t = 0; t < steps; t++) {
      const int64_t at = reverse ? steps - 1 - t : t;
      const TensorId input = entry(node, xw, at);
      const TensorId h_before = h, c_before = c;
      if (op == "LSTM")
        cell.lstm(input, h, c);
      else if (op == "GRU")
        cell.gru(input, h);
      else
        cell.rnn(input, h);
      TensorId y = h;
      if (const TensorId runs = lengths.running(node, at); runs.valid()) {
        // A sequence that is over keeps its state; its results are zeros.
        y = node.select(runs, h, node.scalar(0.0f));
        h = node.select(runs, h, h_before);
        if (c.valid()) c = node.select(runs, c, c_before);
      }
      sequence[static_cast<size_t>(at)] = node.reshape(y, {1, 1, batch, hidden});
    }
    outputs.push_back(node.concat(sequence, 0));
    last_h.push_back(node.reshape(h, {1, batch, hidden}));
    if (c.valid()) last_c.push_back(node.reshape(c, {1, batch, hidden}));
  }
  TensorId y = node.concat(outputs, 1), h = node.concat(last_h, 0);
  if (batch_first) {
    y = node.transpose(y, {2, 0, 1, 3});
    h = node.transpose(h, {1, 0, 2});
  }
  node.result(y);
  node.result(h);
  if (!last_c.empty()) {
    const TensorId c = node.concat(last_c, 0);
    node.result(batch_first ? node.transpose(c, {1, 0, 2}) : c);
  }
}

const OnnxOps::Add kOps({{"LSTM", read_recurrent},
                         {"GRU", read_recurrent},
                         {"RNN", read_recurrent},
                         {"com.microsoft:DynamicQuantizeLSTM", read_recurrent}});

}  // namespace
}  // namespace qlathe
