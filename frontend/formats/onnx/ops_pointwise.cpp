// Element-wise operators.
#include <cmath>
#include <limits>

#include "frontend/formats/onnx/widen.h"

namespace qlathe {
namespace {

/// Operators that are one step of their own name here.
struct Named {
  const char* onnx;
  const char* step;
};
constexpr Named kUnary[] = {
    {"Relu", "relu"},
    {"Sigmoid", "sigmoid"},
    {"Tanh", "tanh"},
    {"Softplus", "softplus"},
    {"Exp", "exp"},
    {"Log", "log"},
    {"Sqrt", "sqrt"},
    {"Reciprocal", "reciprocal"},
    {"Floor", "floor"},
    {"Ceil", "ceil"},
    {"Sin", "sin"},
    {"Cos", "cos"},
    {"Round", "round"},
    {"Erf", "erf"},
    {"HardSwish", "hard_swish"},
};
constexpr Named kBinary[] = {{"Add", "add"}, {"Sub", "sub"}, {"Mul", "mul"}};
constexpr Named kCompare[] = {{"Equal", "equal"},
                              {"Less", "less"},
                              {"LessOrEqual", "less_equal"},
                              {"Greater", "greater"},
                              {"GreaterOrEqual", "greater_equal"}};

const char* step_of(OnnxNode& node, std::span<const Named> table) {
  for (const Named& row : table) {
    if (node.op() == row.onnx) return row.step;
  }
  node.unsupported("", "is not supported");
}

void read_unary(OnnxNode& node) {
  const TensorId x = onnx_no_double(node, node.in(0));
  node.ignore("consumed_inputs");
  node.result(node.unary(step_of(node, kUnary), x));
}

void read_abs(OnnxNode& node) {
  const auto [x, type] = onnx_widen(node, node.in(0));
  if (is_float(node.type(x).type)) return node.result(node.unary("abs", x));
  node.result(onnx_narrow(node, node.binary("max", x, node.binary("sub", node.scalar(node.type(x).type, 0), x)), type));
}

void read_neg(OnnxNode& node) {
  const auto [x, type] = onnx_widen(node, node.in(0));
  if (is_float(node.type(x).type)) return node.result(node.unary("neg", x));
  node.result(onnx_narrow(node, node.binary("sub", node.scalar(node.type(x).type, 0), x), type));
}

void read_sign(OnnxNode& node) {
  const auto [x, type] = onnx_widen(node, node.in(0));
  const ValueType t = node.type(x).type;
  const TensorId zero = node.scalar(t, 0);
  const TensorId below = node.select(node.compare("less", x, zero), node.scalar(t, -1), zero);
  node.result(onnx_narrow(node, node.select(node.compare("greater", x, zero), node.scalar(t, 1), below), type));
}

void read_binary(OnnxNode& node) {
  const auto [a, type] = onnx_widen(node, node.in(0));
  const auto [b, other] = onnx_widen(node, node.right_operand());
  if (type != other) node.problem("input", std::string("mixes ") + name(type) + " and " + name(other));
  node.result(onnx_narrow(node, node.binary(step_of(node, kBinary), a, b), type));
}

/// Constant exponents that real models use are products and roots, exact where pow by logarithms is not.
void read_pow(OnnxNode& node) {
  const auto [x, type] = onnx_widen(node, node.in(0));
  if (node.is_constant(1)) {
    const auto exponents = node.constant_numbers(1, "exponent");
    if (exponents.size() == 1) {
      const double e = exponents[0];
      const Shape out = node.broadcast_shape(node.shape(x), node.shape(node.in(1)));
      const auto done = [&](TensorId y) { node.result(onnx_narrow(node, node.broadcast(y, out), type)); };
      if (e == 2) return done(node.binary("mul", x, x));
      if (e == 3) return done(node.binary("mul", node.binary("mul", x, x), x));
      if (e == 1) return done(x);
      if (is_float(type) && e == 0.5) return done(node.unary("sqrt", x));
      if (is_float(type) && e == -1) return done(node.unary("reciprocal", x));
    }
  }
  TensorId y = onnx_no_double(node, node.in(1));
  if (is_float(type)) return node.result(node.binary("pow", x, node.cast(y, node.type(x).type)));
  const TensorId power = node.binary("pow", node.cast(x, ValueType::kF32), node.cast(y, ValueType::kF32));
  node.result(node.cast(power, type, Rounding::kHalfEven));
}

/// Min, Max, Sum, Mean of any number of operands.
void read_variadic(OnnxNode& node) {
  const std::string op = node.op();
  const auto [first, type] = onnx_widen(node, node.in(0));
  TensorId sum = first;
  for (size_t i = 1; i < node.input_count(); i++) {
    const auto [x, other] = onnx_widen(node, node.in(i));
    if (other != type) node.problem("input", std::string("mixes ") + name(type) + " and " + name(other));
    sum = node.binary(op == "Min" ? "min" : op == "Max" ? "max" : "add", sum, x);
  }
  if (op == "Mean") {
    sum = onnx_divide(node, sum, node.scalar(node.type(sum).type, static_cast<double>(node.input_count())));
  }
  node.result(onnx_narrow(node, sum, type));
}

void read_compare(OnnxNode& node) {
  TensorId a = onnx_no_double(node, node.in(0)), b = onnx_no_double(node, node.in(1));
  for (TensorId* x : {&a, &b}) {
    if (node.type(*x).type == ValueType::kBool) *x = node.cast(*x, ValueType::kI32);
  }
  node.result(node.compare(step_of(node, kCompare), a, b));
}

void read_logic(OnnxNode& node) {
  const std::string op = node.op();
  const TensorId a = node.in(0);
  if (op == "Not") return node.result(node.unary("not", a));
  const TensorId b = node.in(1);
  if (op == "Xor") {
    return node.result(node.compare("not_equal", node.cast(a, ValueType::kI32), node.cast(b, ValueType::kI32)));
  }
  node.result(node.binary(op == "And" ? "and" : "or", a, b));
}

void read_where(OnnxNode& node) {
  const TensorId yes = onnx_no_double(node, node.in(1)), no = onnx_no_double(node, node.in(2));
  if (node.type(yes).type == ValueType::kBool) {
    const TensorId picked = node.select(node.in(0), node.cast(yes, ValueType::kI32), node.cast(no, ValueType::kI32));
    return node.result(node.cast(picked, ValueType::kBool));
  }
  node.result(node.select(node.in(0), yes, no));
}

/// Clip: limits are attributes before opset 11, then operands. Of a quantized chain (QCDQ) they narrow the integers.
void read_clip(OnnxNode& node) {
  const TensorId x = onnx_no_double(node, node.in(0));
  const ValueType type = node.type(x).type;
  PointwiseStep step = onnx_step("clamp", type);
  if (node.opset < 11) {
    step.lo = node.number("min", step.lo);
    step.hi = node.number("max", step.hi);
    return node.result(node.pointwise(x, {step}));
  }
  if ((!node.has(1) || node.is_constant(1)) && (!node.has(2) || node.is_constant(2))) {
    if (node.has(1)) step.lo = node.constant_number(1, "min");
    if (node.has(2)) step.hi = node.constant_number(2, "max");
    if (step.lo > step.hi) step.lo = step.hi;  // min(max(x, lo), hi)
    return node.result(node.pointwise(x, {step}));
  }
  const auto [wide, narrow_type] = onnx_widen(node, x);
  TensorId y = wide;
  if (node.has(1)) y = node.binary("max", y, onnx_widen(node, node.in(1)).x);
  if (node.has(2)) y = node.binary("min", y, onnx_widen(node, node.in(2)).x);
  node.result(onnx_narrow(node, y, narrow_type));
}

void read_with_alpha(OnnxNode& node) {
  const std::string op = node.op();
  const TensorId x = onnx_no_double(node, node.in(0));
  PointwiseStep step = onnx_step(op == "Elu" ? "elu" : "leaky_relu", node.type(x).type);
  step.alpha = node.number("alpha", op == "Elu" ? 1.0 : static_cast<double>(0.01f));
  node.result(node.pointwise(x, {step}));
}

void read_prelu(OnnxNode& node) {
  const TensorId x = onnx_no_double(node, node.in(0)), slope = onnx_no_double(node, node.in(1));
  const TensorId zero = node.scalar(node.type(x).type, 0);
  node.result(node.select(node.compare("less", x, zero), node.binary("mul", x, slope),
                          node.broadcast(x, node.broadcast_shape(node.shape(x), node.shape(slope)))));
}

void read_thresholded_relu(OnnxNode& node) {
  const TensorId x = node.in(0);
  const ValueType t = node.type(x).type;
  node.result(node.select(node.compare("greater", x, node.scalar(t, node.number("alpha", 1.0))), x, node.scalar(t, 0)));
}

/// Towards zero by `bias`, and zero within `lambd` of it.
void read_shrink(OnnxNode& node) {
  const TensorId x = onnx_no_double(node, node.in(0));
  const ValueType t = node.type(x).type;
  if (!is_float(t)) node.unsupported("input", std::string(name(t)) + " is not supported");
  const TensorId bias = node.scalar(t, node.number("bias", 0));
  const double lambda = node.number("lambd", 0.5);
  const TensorId below = node.compare("less", x, node.scalar(t, -lambda)),
                 above = node.compare("greater", x, node.scalar(t, lambda));
  node.result(node.select(below, node.binary("add", x, bias),
                          node.select(above, node.binary("sub", x, bias), node.scalar(t, 0))));
}

/// max(0, min(1, alpha * x + beta)).
void read_hard_sigmoid(OnnxNode& node) {
  const TensorId x = onnx_no_double(node, node.in(0));
  const ValueType t = node.type(x).type;
  PointwiseStep clamp = onnx_step("clamp", t);
  clamp.lo = 0;
  clamp.hi = 1;
  node.result(node.pointwise(
      x, {onnx_step("mul", t, {1}), onnx_step("add", t, {2}), clamp},
      {node.scalar(t, node.number("alpha", static_cast<double>(0.2f))), node.scalar(t, node.number("beta", 0.5))}));
}

void read_selu(OnnxNode& node) {
  const TensorId x = onnx_no_double(node, node.in(0));
  const ValueType t = node.type(x).type;
  PointwiseStep elu = onnx_step("elu", t);
  elu.alpha = node.number("alpha", 1.67326319217681884765625);
  node.result(node.pointwise(x, {elu, onnx_step("mul", t, {1})},
                             {node.scalar(t, node.number("gamma", 1.05070102214813232421875))}));
}

/// max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) = alpha * elu(x / alpha).
void read_celu(OnnxNode& node) {
  const TensorId x = onnx_no_double(node, node.in(0));
  const ValueType t = node.type(x).type;
  const TensorId alpha = node.scalar(t, node.number("alpha", 1.0));
  PointwiseStep elu = onnx_step("elu", t);
  elu.alpha = 1;
  node.result(node.pointwise(x, {onnx_step("div", t, {1}), elu, onnx_step("mul", t, {1})}, {alpha}));
}

void read_gelu(OnnxNode& node) {
  const TensorId x = onnx_no_double(node, node.in(0));
  const std::string approximate = node.string("approximate", "none");
  if (approximate != "none" && approximate != "tanh")
    node.unsupported("approximate", "'" + approximate + "' is not known; 'none' and 'tanh' are");
  node.result(node.unary(approximate == "tanh" ? "gelu_tanh" : "gelu", x));
}

/// x * tanh(softplus(x)).
void read_mish(OnnxNode& node) {
  const TensorId x = onnx_no_double(node, node.in(0));
  const ValueType t = node.type(x).type;
  node.result(node.pointwise(x, {onnx_step("softplus", t), onnx_step("tanh", t), onnx_step("mul", t, {1})}, {x}));
}

/// x * sigmoid(alpha * x).
void read_swish(OnnxNode& node) {
  const TensorId x = onnx_no_double(node, node.in(0));
  const ValueType t = node.type(x).type;
  const double alpha = node.number("alpha", 1.0);
  if (alpha == 1.0) return node.result(node.unary("silu", x));
  node.result(node.pointwise(x, {onnx_step("mul", t, {1}), onnx_step("sigmoid", t), onnx_step("mul", t, {2})},
                             {node.scalar(t, alpha), x}));
}

/// x / (1 + |x|).
void read_softsign(OnnxNode& node) {
  const TensorId x = onnx_no_double(node, node.in(0));
  const ValueType t = node.type(x).type;
  PointwiseStep divide_x = onnx_step("div", t, {2});
  divide_x.swapped = true;
  node.result(node.pointwise(x, {onnx_step("abs", t), onnx_step("add", t, {1}), divide_x}, {node.scalar(t, 1), x}));
}

void read_cast(OnnxNode& node) {
  node.ignore("saturate");
  node.ignore("round_mode");
  const bool like = node.op() == "CastLike";
  const TensorId x = node.in(0);
  std::optional<ValueType> to;
  if (like) {
    to = node.type(node.in(1)).type;
  } else {
    const auto code = static_cast<int>(node.integer("to", 0));
    to = onnx_type(code);
    if (!to) node.unsupported("to", "tensors of " + onnx_type_name(code) + " are not supported");
  }
  // A double that only passes through on constants becomes float32: all arithmetic here is.
  if (*to == ValueType::kF64) to = ValueType::kF32;
  node.result(onnx_cast(node, x, *to));
}

void read_identity(OnnxNode& node) { node.result(node.in(0)); }

/// Inference: the input, and a mask of ones where one is asked for.
void read_dropout(OnnxNode& node) {
  node.ignore("ratio");
  node.ignore("seed");
  node.ignore("is_test");
  const bool no_ratio = node.has(1) && node.is_constant(1) && node.constant_number(1, "ratio") == 0;
  if (!no_ratio && node.has(2) && node.constant_number(2, "training_mode") != 0)
    node.unsupported("training_mode", "is set; models are compiled for inference", "export in evaluation mode");
  node.result(node.in(0));
  if (node.output_count() > 1) {
    HostTensor mask(ValueType::kBool, node.shape(node.in(0)));
    for (int64_t i = 0; i < mask.size(); i++)
      mask.bytes()[i] = 1;
    node.result(node.constant(std::move(mask), "mask"));
  }
}

void read_is(OnnxNode& node) {
  const TensorId x = onnx_no_double(node, node.in(0));
  if (node.op() == "IsNaN") return node.result(node.compare("not_equal", x, x));
  const bool positive = node.integer("detect_positive", 1) != 0, negative = node.integer("detect_negative", 1) != 0;
  const ValueType t = node.type(x).type;
  const double infinity = std::numeric_limits<double>::infinity();
  const TensorId up = node.compare("equal", x, node.scalar(t, infinity)),
                 down = node.compare("equal", x, node.scalar(t, -infinity));
  if (positive && negative) return node.result(node.binary("or", up, down));
  if (positive || negative) return node.result(positive ? up : down);
  node.result(node.binary("and", up, down));
}

const OnnxOps::Add kOps({
    {"Relu", read_unary},
    {"Sigmoid", read_unary},
    {"Tanh", read_unary},
    {"Softplus", read_unary},
    {"Exp", read_unary},
    {"Log", read_unary},
    {"Sqrt", read_unary},
    {"Reciprocal", read_unary},
    {"Floor", read_unary},
    {"Ceil", read_unary},
    {"Sin", read_unary},
    {"Cos", read_unary},
    {"Round", read_unary},
    {"Erf", read_unary},
    {"HardSwish", read_unary},
    {"Abs", read_abs},
    {"Neg", read_neg},
    {"Sign", read_sign},
    {"Add", read_binary},
    {"Sub", read_binary},
    {"Mul", read_binary},
    {"Pow", read_pow},
    {"Min", read_variadic},
    {"Max", read_variadic},
    {"Sum", read_variadic},
    {"Mean", read_variadic},
    {"Equal", read_compare},
    {"Less", read_compare},
    {"LessOrEqual", read_compare},
    {"Greater", read_compare},
    {"GreaterOrEqual", read_compare},
    {"And", read_logic},
    {"Or", read_logic},
    {"Xor", read_logic},
    {"Not", read_logic},
    {"Where", read_where},
    {"Clip", read_clip},
    {"Elu", read_with_alpha},
    {"LeakyRelu", read_with_alpha},
    {"Shrink", read_shrink},
    {"PRelu", read_prelu},
    {"ThresholdedRelu", read_thresholded_relu},
    {"HardSigmoid", read_hard_sigmoid},
    {"Selu", read_selu},
    {"Celu", read_celu},
    {"Gelu", read_gelu},
    {"com.microsoft:Gelu", read_gelu},
    {"Mish", read_mish},
    {"Swish", read_swish},
    {"Softsign", read_softsign},
    {"Cast", read_cast},
    {"CastLike", read_cast},
    {"Identity", read_identity},
    {"Dropout", read_dropout},
    {"IsNaN", read_is},
    {"IsInf", read_is},
});

}  // namespace
}  // namespace qlathe
