// Element-wise ops with one and two operands.
#include <algorithm>

#include "frontend/formats/spec/builder.h"
#include "frontend/ir/suggest.h"
#include "frontend/ops/pointwise.h"

namespace qlathe {
namespace {

/// Ops that are one step of the same name with no fields.
constexpr const char* kUnary[] = {"relu", "sigmoid", "tanh", "silu",  "hard_swish", "hard_sigmoid", "softplus",
                                  "exp",  "log",     "sqrt", "rsqrt", "abs",        "neg",          "erf"};
constexpr const char* kBinary[] = {"add", "sub", "mul", "div", "min", "max"};

void add_steps(SpecNode& node, std::vector<PointwiseStep> steps, std::vector<TensorId> operands = {}) {
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = std::move(steps);
  operands.insert(operands.begin(), node.inputs[0]);
  node.result(node.add("pointwise", std::move(operands), std::move(attrs)));
}

PointwiseStep step(const std::string& op, ValueType type) {
  PointwiseStep out;
  out.op = op;
  out.type = type;
  return out;
}

void read_unary(SpecNode& node) { add_steps(node, {step(node.op, node.type(0).type)}); }

void read_relu6(SpecNode& node) {
  PointwiseStep clamp = step("clamp", node.type(0).type);
  clamp.lo = 0;
  clamp.hi = 6;
  add_steps(node, {clamp});
}

void read_clamp(SpecNode& node) {
  PointwiseStep clamp = step("clamp", node.type(0).type);
  const auto lo = node.fields.number("min"), hi = node.fields.number("max");
  if (!lo && !hi) node.problem("min", "neither 'min' nor 'max' is given");
  if (lo && hi && *lo > *hi) node.problem("min", "is greater than 'max'");
  if (lo) clamp.lo = *lo;
  if (hi) clamp.hi = *hi;
  add_steps(node, {clamp});
}

/// gelu by the error function; approximate: true gives the tanh form.
void read_gelu(SpecNode& node) {
  const bool approximate = node.fields.boolean("approximate").value_or(false);
  add_steps(node, {step(approximate ? "gelu_tanh" : "gelu", node.type(0).type)});
}

void read_alpha(SpecNode& node) {
  PointwiseStep s = step(node.op, node.type(0).type);
  s.alpha = node.fields.number("alpha").value_or(node.op == "elu" ? 1.0 : 0.01);
  add_steps(node, {s});
}

/// NumPy's broadcasting; the steps' own rule also takes divisors, which no one means in an addition of two activations.
bool broadcast_together(const Shape& a, const Shape& b) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const int64_t x = a[a.size() - 1 - i], y = b[b.size() - 1 - i];
    if (x != y && x != 1 && y != 1) return false;
  }
  return true;
}

void read_binary(SpecNode& node) {
  const TensorType &a = node.type(0), &b = node.type(1);
  if (!broadcast_together(a.shape, b.shape)) {
    node.problem("inputs",
                 "shapes " + to_string(a.shape) + " and " + to_string(b.shape) + " do not broadcast together");
    return node.result(std::nullopt);
  }
  if (is_integer(a.type) && is_float(b.type) && node.names[1].empty()) {
    node.problem("inputs", std::string("a number with a fraction is added to ") + name(a.type), "cast the input first");
    return node.result(std::nullopt);
  }
  const ValueType type = is_integer(a.type) && a.type == b.type ? a.type : float_result(a.type, b.type);
  PointwiseStep s = step(node.op, type);
  s.operands = {1};
  add_steps(node, {s}, {node.inputs[1]});
}

std::optional<ValueType> required_type(SpecNode& node) {
  const std::string text = node.fields.required_string("type");
  const auto type = parse_value_type(text);
  if (!type && !text.empty()) {
    std::vector<std::string> known;
    for (const ValueTypeInfo& row : value_types())
      known.push_back(row.name);
    node.problem("type", "there is no type " + in_quotes(text), did_you_mean(text, known));
  }
  return type;
}

void read_cast(SpecNode& node) {
  const auto type = required_type(node);
  if (!type) return node.result(std::nullopt);
  add_steps(node, {step("cast", *type)});
}

std::vector<SpecOp> rows() {
  std::vector<SpecOp> out = {
      {"relu6", 1, 1, read_relu6, {}, false},
      {"clamp", 1, 1, read_clamp, {"max", "min"}, false},
      {"gelu", 1, 1, read_gelu, {"approximate"}, false},
      {"elu", 1, 1, read_alpha, {"alpha"}, false},
      {"leaky_relu", 1, 1, read_alpha, {"alpha"}, false},
      {"cast", 1, 1, read_cast, {"type"}, false},
  };
  for (const char* name : kUnary)
    out.push_back({name, 1, 1, read_unary, {}, false});
  for (const char* name : kBinary)
    out.push_back({name, 2, 2, read_binary, {}, false});
  return out;
}

const SpecOps::Add kPointwiseOps(rows());

}  // namespace
}  // namespace qlathe
