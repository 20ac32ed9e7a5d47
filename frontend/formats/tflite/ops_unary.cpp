// Element-wise operators with one operand, and softmax.
#include "frontend/formats/tflite/quantized.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

struct Unary {
  const char* tflite;
  std::vector<PointwiseStep> (*steps)(TfliteNode&);  ///< on float32
};

PointwiseStep clamp(double lo, double hi) {
  PointwiseStep step = import_step("clamp");
  step.lo = lo;
  step.hi = hi;
  return step;
}

PointwiseStep with_alpha(const char* op, double alpha) {
  PointwiseStep step = import_step(op);
  step.alpha = alpha;
  return step;
}

using Steps = std::vector<PointwiseStep>;
const Unary kUnary[] = {
    {"LOGISTIC", [](TfliteNode&) { return Steps{import_step("sigmoid")}; }},
    {"TANH", [](TfliteNode&) { return Steps{import_step("tanh")}; }},
    {"HARD_SWISH", [](TfliteNode&) { return Steps{import_step("hard_swish")}; }},
    {"RELU", [](TfliteNode&) { return Steps{import_step("relu")}; }},
    {"RELU6", [](TfliteNode&) { return Steps{clamp(0, 6)}; }},
    {"RELU_N1_TO_1", [](TfliteNode&) { return Steps{clamp(-1, 1)}; }},
    {"RELU_0_TO_1", [](TfliteNode&) { return Steps{clamp(0, 1)}; }},
    {"LEAKY_RELU",
     [](TfliteNode& node) {
       return Steps{with_alpha("leaky_relu", static_cast<double>(node.options<tflite::LeakyReluOptions>().alpha()))};
     }},
    {"ELU", [](TfliteNode&) { return Steps{with_alpha("elu", 1)}; }},
    {"GELU",
     [](TfliteNode& node) {
       return Steps{import_step(node.options<tflite::GeluOptions>().approximate() ? "gelu_tanh" : "gelu")};
     }},
    {"EXP", [](TfliteNode&) { return Steps{import_step("exp")}; }},
    {"LOG", [](TfliteNode&) { return Steps{import_step("log")}; }},
    {"SQRT", [](TfliteNode&) { return Steps{import_step("sqrt")}; }},
    {"RSQRT", [](TfliteNode&) { return Steps{import_step("rsqrt")}; }},
    {"ABS", [](TfliteNode&) { return Steps{import_step("abs")}; }},
    {"NEG", [](TfliteNode&) { return Steps{import_step("neg")}; }},
    {"SIN", [](TfliteNode&) { return Steps{import_step("sin")}; }},
    {"COS", [](TfliteNode&) { return Steps{import_step("cos")}; }},
    {"FLOOR", [](TfliteNode&) { return Steps{import_step("floor")}; }},
    {"CEIL", [](TfliteNode&) { return Steps{import_step("ceil")}; }},
    {"ROUND", [](TfliteNode&) { return Steps{import_step("round")}; }},
};

/// Arithmetic on int32 and int64, which has no steps of its own.
TensorId integer_unary(TfliteNode& node, TensorId x) {
  const ValueType type = node.type(x).type;
  const TensorId zero = node.scalar(type, 0);
  const std::string& op = node.op();
  if (op == "NEG") return node.binary("sub", zero, x);
  if (op == "ABS") return node.binary("max", x, node.binary("sub", zero, x));
  if (op == "RELU" || op == "RELU6") {
    PointwiseStep step = import_step("clamp", type);
    step.lo = 0;
    if (op == "RELU6") step.hi = 6;
    return node.pointwise(x, {step});
  }
  node.unsupported("input", std::string("is ") + name(type) + "; float32 is supported");
}

void read_unary(TfliteNode& node) {
  const TensorId x = node.in(0);
  const ValueType type = node.in_type(0);
  if (is_float(type)) {
    for (const Unary& row : kUnary) {
      if (node.op() == row.tflite) return node.result(node.pointwise(x, row.steps(node)));
    }
  }
  if (is_quantized(type)) node.unsupported("input", std::string("is ") + name(type) + "; float32 is supported");
  node.result(integer_unary(node, x));
}

void read_square(TfliteNode& node) {
  const TensorId x = node.in(0);
  if (is_quantized(node.in_type(0))) node.unsupported("input", "is quantized; float32 and int32 are supported");
  node.result(node.binary("mul", x, x));
}

void read_sign(TfliteNode& node) {
  const TensorId x = node.in(0);
  const ValueType type = node.in_type(0);
  if (type != ValueType::kF32 && type != ValueType::kI32) node.unsupported("input", std::string("is ") + name(type));
  const TensorId zero = node.scalar(type, 0);
  // NaN and zeros keep themselves.
  const TensorId below = node.select(node.compare("less", x, zero), node.scalar(type, -1), x);
  node.result(node.select(node.compare("greater", x, zero), node.scalar(type, 1), below));
}

void read_softmax(TfliteNode& node) {
  const TensorId x = node.in(0);
  if (node.in_type(0) != ValueType::kF32) node.unsupported("input", "is quantized");
  const float beta = node.options<tflite::SoftmaxOptions>().beta();
  const TensorId scaled = beta == 1 || beta == 0 ? x : node.binary("mul", x, node.scalar(beta));
  node.result(node.add("softmax", {scaled}, std::make_shared<SoftmaxAttrs>()));
}

void read_log_softmax(TfliteNode& node) {
  if (node.in_type(0) != ValueType::kF32) node.unsupported("input", "is quantized");
  auto attrs = std::make_shared<SoftmaxAttrs>();
  attrs->log = true;
  node.result(node.add("softmax", {node.in(0)}, attrs));
}

std::vector<TfliteOp> rows() {
  std::vector<TfliteOp> out = {
      {"SQUARE", read_square}, {"SIGN", read_sign}, {"SOFTMAX", read_softmax}, {"LOG_SOFTMAX", read_log_softmax}};
  for (const Unary& row : kUnary)
    out.push_back({row.tflite, read_unary});
  return out;
}

const TfliteOps::Add kOps(rows());

}  // namespace
}  // namespace qlathe
