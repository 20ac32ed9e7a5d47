// Division, rest, bits, and how integers of few bits are computed with.
#include <limits>

#include "frontend/formats/onnx/widen.h"

namespace qlathe {

TensorId onnx_no_double(OnnxNode& node, TensorId x) {
  return node.type(x).type == ValueType::kF64 ? node.cast(x, ValueType::kF32) : x;
}

Widened onnx_widen(OnnxNode& node, TensorId x) {
  x = onnx_no_double(node, x);
  const ValueType type = node.type(x).type;
  if (is_float(type) || type == ValueType::kI32 || type == ValueType::kI64) return {x, type};
  if (type == ValueType::kBool || is_code(type)) {
    node.unsupported("input", "arithmetic on " + std::string(name(type)) + " is not supported", "cast it");
  }
  return {node.cast(x, type == ValueType::kU32 ? ValueType::kI64 : ValueType::kI32), type};
}

TensorId onnx_narrow(OnnxNode& node, TensorId x, ValueType type) {
  if (node.type(x).type == type) return x;
  PointwiseStep step = onnx_step("cast", type);
  step.wraps = is_integer(type) && is_integer(node.type(x).type);
  return node.pointwise(x, {step});
}

TensorId onnx_cast(OnnxNode& node, TensorId x, ValueType to) {
  x = onnx_no_double(node, x);
  const ValueType from = node.type(x).type;
  if (!is_integer(to) || to == from) return node.cast(x, to);
  if (is_integer(from)) {
    const bool fits = info(from).min >= info(to).min && info(from).max <= info(to).max;
    return fits ? node.cast(x, to) : onnx_narrow(node, x, to);
  }
  if (from == ValueType::kBool || to == ValueType::kI32 || to == ValueType::kI64) return node.cast(x, to);
  return onnx_narrow(node, node.cast(x, to == ValueType::kU32 ? ValueType::kI64 : ValueType::kI32), to);
}

namespace {

void refuse_zero(OnnxNode& node, TensorId divisor) {
  const HostTensor* known = node.data(divisor);
  for (int64_t i = 0; known != nullptr && i < known->size(); i++) {
    if (known->int_at(i) == 0) node.problem("input", "divides an integer by zero");
  }
}

/// Both operands widened; a problem where they differ in type.
struct Pair {
  TensorId a, b;
  ValueType type;
};
Pair pair_of(OnnxNode& node) {
  const auto [a, type] = onnx_widen(node, node.in(0));
  const auto [b, other] = onnx_widen(node, node.right_operand());
  if (type != other) node.problem("input", std::string("mixes ") + name(type) + " and " + name(other));
  return {a, b, type};
}

void read_div(OnnxNode& node) {
  const auto [a, b, type] = pair_of(node);
  node.result(onnx_narrow(node, onnx_divide(node, a, b), type));
}

/// |a| - |b| * floor(|a| / |b|) with one rounding, put right where the quotient was rounded across an integer, and the
/// sign of a: exact for quotients below 2^24.
TensorId float_rest(OnnxNode& node, TensorId a, TensorId b) {
  const ValueType t = node.type(a).type;
  const TensorId zero = node.scalar(t, 0), x = node.unary("abs", a), y = node.unary("abs", b);
  const TensorId whole = node.unary("floor", node.binary("div", x, y));
  TensorId rest = node.pointwise(node.unary("neg", y), {onnx_step("fma", t, {1, 2})}, {whole, x});
  rest = node.select(node.compare("less", rest, zero), node.binary("add", rest, y), rest);
  rest = node.select(node.compare("less", x, y), x, rest);
  return node.select(node.compare("less", a, zero), node.unary("neg", rest), rest);
}

/// Mod with fmod = 0 has the sign of the divisor; with fmod = 1 that of the dividend.
void read_mod(OnnxNode& node) {
  const bool fmod = node.integer("fmod", 0) != 0;
  const auto [a, b, type] = pair_of(node);
  const ValueType t = node.type(a).type;
  if (!is_float(t)) refuse_zero(node, b);
  TensorId rest = is_float(t) ? float_rest(node, a, b) : node.binary("rem", a, b);
  if (!fmod) {
    // Not zero (or NaN), and of another sign than the divisor.
    const TensorId zero = node.scalar(t, 0);
    const auto below = [&](TensorId x) { return node.compare("less", x, zero); };
    const auto above = [&](TensorId x) { return node.compare("greater", x, zero); };
    const TensorId opposite =
        node.binary("or", node.binary("and", below(rest), above(b)), node.binary("and", above(rest), below(b)));
    rest = node.select(opposite, node.binary("add", rest, b), rest);
  }
  node.result(onnx_narrow(node, rest, type));
}

void read_bitwise(OnnxNode& node) {
  const std::string op = node.op();
  if (op == "BitwiseNot") {
    const auto [x, type] = onnx_widen(node, node.in(0));
    return node.result(onnx_narrow(node, node.binary("bitwise_xor", x, node.scalar(node.type(x).type, -1)), type));
  }
  const auto [a, b, type] = pair_of(node);
  if (is_float(type)) node.problem("input", "is " + std::string(name(type)) + ", expected integers");
  const char* step = op == "BitwiseAnd" ? "bitwise_and" : op == "BitwiseOr" ? "bitwise_or" : "bitwise_xor";
  node.result(onnx_narrow(node, node.binary(step, a, b), type));
}

void read_bit_shift(OnnxNode& node) {
  const std::string direction = node.string("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") node.problem("direction", "is neither LEFT nor RIGHT");
  const auto [a, b, type] = pair_of(node);
  if (is_float(type)) node.problem("input", "is " + std::string(name(type)) + ", expected integers");
  node.result(onnx_narrow(node, node.binary(direction == "LEFT" ? "bit_shift_left" : "bit_shift_right", a, b), type));
}

const OnnxOps::Add kOps({
    {"Div", read_div},
    {"Mod", read_mod},
    {"BitwiseAnd", read_bitwise},
    {"BitwiseOr", read_bitwise},
    {"BitwiseXor", read_bitwise},
    {"BitwiseNot", read_bitwise},
    {"BitShift", read_bit_shift},
});

}  // namespace

TensorId onnx_divide(OnnxNode& node, TensorId a, TensorId b) {
  if (!is_float(node.type(a).type)) refuse_zero(node, b);
  return node.binary("div", a, b);
}

}  // namespace qlathe
