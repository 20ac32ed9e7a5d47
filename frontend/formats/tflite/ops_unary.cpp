// Element-wise operators with one operand, and softmax.
#include <algorithm>
#include <cmath>
#include <optional>

#include "frontend/formats/tflite/quantized.h"
#include "frontend/numerics/fixed/litert_tables.h"
#include "frontend/ops/fixed_rows.h"
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

bool by_rescaling(const std::string& op) { return op.starts_with("RELU"); }

/// TFLite Micro's RELU6 looks at the input's scale alone and copies what lies between.
TensorId micro_relu6(TfliteNode& node, TensorId x) {
  const TfliteQuant from = node.in_quant(0);
  const ValueType type = node.output_type();
  const int64_t six =
      std::min(info(type).max, from.zero_point[0] + static_cast<int64_t>(std::round(6.0f / from.scale[0])));
  TfliteSteps steps(node);
  PointwiseStep& clamp = steps.add("clamp", type);
  clamp.lo = static_cast<double>(from.zero_point[0]);
  clamp.hi = static_cast<double>(six);
  return tflite_apply(node, x, std::move(steps));
}

/// Its RSQRT of int16 is that of int8: a table of all numbers that have a root.
TensorId micro_rsqrt_16(TfliteNode& node, TensorId x) {
  const TensorId table = node.constant(micro_rsqrt_table(node.in_scale(0), node.out_quant().scale[0]), "table");
  const TensorId wide = node.cast(x, ValueType::kI32);
  return node.gather(table, node.binary("max", wide, node.scalar(ValueType::kI32, 0)), 0);
}

/// XNNPACK's LEAKY_RELU: factors in 256ths, one rounding, half up. Nothing where it does not take the scales.
std::optional<HostTensor> xnnpack_leaky_relu(TfliteNode& node) {
  const TfliteQuant from = node.in_quant(0), to = node.out_quant();
  const float above = from.scale[0] / to.scale[0], below = above * node.options<tflite::LeakyReluOptions>().alpha();
  if (above < 0x1p-8f || above > 128 || below < -127.99609375f || below > 128 || std::fabs(below) < 0x1p-8f)
    return std::nullopt;
  const int64_t factor_above = std::lrint(-256 * above), factor_below = std::lrint(-256 * below);
  const ValueType type = node.output_type();
  HostTensor out(type, {256});
  for (int i = 0; i < 256; i++) {
    const int64_t v = (from.zero_point[0] - (info(type).min + i)) * 128;
    const int64_t y = ((v * (v <= 0 ? factor_above : factor_below) + (1 << 14)) >> 15) + to.zero_point[0];
    out.set_int(i, std::clamp<int64_t>(y, info(type).min, info(type).max));
  }
  return out;
}

/// RELU and its kin: rescaled, then cut to the quantized bounds.
TensorId rescaled_relu(TfliteNode& node, TensorId x) {
  const TfliteQuant from = node.in_quant(0), to = node.out_quant();
  const ValueType type = node.output_type();
  const std::string& op = node.op();
  const auto bound = [&](float real) {
    return to.zero_point[0] + static_cast<int64_t>(std::round(real / to.scale[0]));
  };
  int64_t lo = info(type).min, hi = info(type).max;
  lo = std::max(lo, bound(op == "RELU_N1_TO_1" ? -1.0f : 0.0f));
  if (op == "RELU6") hi = std::min(hi, bound(6.0f));
  if (op == "RELU_N1_TO_1" || op == "RELU_0_TO_1") hi = std::min(hi, bound(1.0f));
  TfliteSteps steps(node);
  steps.center(from.zero_point[0]);
  steps.requantize({static_cast<double>(from.scale[0] / to.scale[0])}, type, to.zero_point[0], static_cast<double>(lo),
                   static_cast<double>(hi));
  return tflite_apply(node, x, std::move(steps));
}

/// Both sides of zero with multipliers of their own; a negative slope is applied as its size and a sign.
TensorId leaky_relu_16(TfliteNode& node, TensorId x) {
  const TfliteQuant from = node.in_quant(0), to = node.out_quant();
  const float alpha = node.options<tflite::LeakyReluOptions>().alpha();
  const auto side = [&](double slope) {
    TfliteSteps steps(node);
    steps.center(from.zero_point[0]);
    steps.rescale(std::abs(slope));
    if (slope < 0) steps.add("mul", ValueType::kI32, {tflite_integers(node, {-1})});
    steps.add("add", ValueType::kI32, {tflite_integers(node, {to.zero_point[0]})});
    steps.add("cast", ValueType::kI16);
    return tflite_apply(node, x, std::move(steps));
  };
  TfliteSteps sign(node);
  sign.add("cast", ValueType::kI32);
  sign.add("greater_equal", ValueType::kBool, {tflite_integers(node, {from.zero_point[0]})});
  // The ratios are float32; as TFLite Micro is built, float64.
  const bool micro = node.numerics() == TfliteNumerics::kTflm;
  const double exact = static_cast<double>(from.scale[0]) / static_cast<double>(to.scale[0]);
  const TensorId positive = side(micro ? exact : static_cast<double>(from.scale[0] / to.scale[0]));
  const TensorId negative = side(static_cast<double>(from.scale[0] * alpha / to.scale[0]));
  return node.select(tflite_apply(node, x, std::move(sign)), positive, negative);
}

TensorId abs_16(TfliteNode& node, TensorId x) {
  const TfliteQuant from = node.in_quant(0), to = node.out_quant();
  TfliteSteps center(node), steps(node);
  center.center(from.zero_point[0]);
  const TensorId t = tflite_apply(node, x, std::move(center));
  steps.add("max", ValueType::kI32, {node.binary("sub", tflite_integers(node, {0}), t)});
  if (from.scale[0] != to.scale[0]) steps.rescale(static_cast<double>(from.scale[0] / to.scale[0]));
  steps.add("add", ValueType::kI32, {tflite_integers(node, {to.zero_point[0]})});
  steps.add("cast", ValueType::kI16);
  return tflite_apply(node, t, std::move(steps));
}

/// In float32, the quotient cut off.
TensorId sqrt_16(TfliteNode& node, TensorId x) {
  const TfliteQuant from = node.in_quant(0), to = node.out_quant();
  TfliteSteps steps(node);
  steps.add("dequantize", ValueType::kF32, {node.scalar(from.scale[0]), tflite_zero_point(node, from.zero_point[0])});
  steps.add("sqrt", ValueType::kF32);
  steps.add("div", ValueType::kF32, {node.scalar(to.scale[0])});
  steps.add("cast", ValueType::kI32).rounding = Rounding::kToZero;
  steps.add("add", ValueType::kI32, {tflite_integers(node, {to.zero_point[0]})});
  steps.add("cast", ValueType::kI16);
  return tflite_apply(node, x, std::move(steps));
}

/// By the table of the runtime's sigmoid, between whose entries it interpolates.
TensorId sigmoid_16(TfliteNode& node, TensorId x) {
  const bool tanh = node.op() == "TANH";
  const LitertSigmoid16 m = tanh ? litert_tanh_16(node.in_scale(0)) : litert_logistic_16(node.in_scale(0));
  TfliteSteps steps(node);
  steps.add("cast", ValueType::kI32);
  steps.add("mul", ValueType::kI32, {tflite_integers(node, {m.multiplier})});
  if (m.shift > 0) {
    PointwiseStep& shift = steps.add("shift_right", ValueType::kI32);
    shift.shift_right = m.shift;
    shift.rounding = Rounding::kHalfUp;
  }
  steps.add(tanh ? "tanh_lookup" : "logistic_lookup", ValueType::kI16, {node.constant(sigmoid_table(), "table")});
  return tflite_apply(node, x, std::move(steps));
}

/// Every operator on eight bits is a table of 256 entries; of 16 bits some are tables that are interpolated.
TensorId by_table(TfliteNode& node, TensorId x) {
  LitertUnary unary;
  const TfliteQuant from = node.in_quant(0), to = node.out_quant();
  unary.op = node.op();
  unary.type = node.in_type(0);
  unary.in_scale = from.scale[0];
  unary.in_zero_point = static_cast<int32_t>(from.zero_point[0]);
  unary.out_scale = to.scale[0];
  unary.out_zero_point = static_cast<int32_t>(to.zero_point[0]);
  if (unary.op == "LEAKY_RELU") unary.alpha = node.options<tflite::LeakyReluOptions>().alpha();
  if (unary.op == "GELU") unary.approximate = node.options<tflite::GeluOptions>().approximate();
  auto table = litert_table(unary);
  if (unary.op == "LEAKY_RELU" && node.numerics() == TfliteNumerics::kLitertXnnpack) {
    if (auto own = xnnpack_leaky_relu(node)) table = std::move(*own);
  }
  if (!table.ok()) node.fail(table.status());
  TfliteSteps steps(node);
  const bool wide = unary.type == ValueType::kI16;
  steps.add(wide ? "interpolated_lookup" : "lookup", unary.type, {node.constant(std::move(*table), "table")});
  return tflite_apply(node, x, std::move(steps));
}

TensorId quantized_unary(TfliteNode& node, TensorId x) {
  const std::string& op = node.op();
  if (op == "LEAKY_RELU") {
    const float alpha = node.options<tflite::LeakyReluOptions>().alpha();
    if (!(std::abs(alpha) <= 0x1p20f)) node.problem("alpha", "is " + std::to_string(alpha));
  }
  if (node.output_type() != node.in_type(0))
    node.unsupported("output", std::string("is ") + name(node.output_type()) + ", the input " + name(node.in_type(0)));
  const bool micro = node.numerics() == TfliteNumerics::kTflm;
  if (op == "RELU6" && micro) return micro_relu6(node, x);
  if (op == "RSQRT" && micro && node.in_type(0) == ValueType::kI16) return micro_rsqrt_16(node, x);
  if (by_rescaling(op)) return rescaled_relu(node, x);
  if (node.in_type(0) == ValueType::kI16) {
    if (op == "LOGISTIC" || op == "TANH") return sigmoid_16(node, x);
    if (op == "LEAKY_RELU") return leaky_relu_16(node, x);
    if (op == "ABS") return abs_16(node, x);
    if (op == "SQRT") return sqrt_16(node, x);
  }
  return by_table(node, x);
}

void read_unary(TfliteNode& node) {
  const TensorId x = node.in(0);
  const ValueType type = node.in_type(0);
  if (is_float(type)) {
    for (const Unary& row : kUnary) {
      if (node.op() == row.tflite) return node.result(node.pointwise(x, row.steps(node)));
    }
  }
  node.result(is_quantized(type) ? quantized_unary(node, x) : integer_unary(node, x));
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

/// LiteRT's optimized kernel for bytes: exponentials from a float table, summed in order; uint8 with half added and
/// cut.
TensorId optimized_softmax_8(TfliteNode& node, TensorId x, float beta) {
  const TfliteQuant y = node.out_quant();
  const ValueType type = node.output_type();
  HostTensor table(ValueType::kF32, {256});
  const float scale = -node.in_scale(0) * beta;
  for (int below = 0; below < 256; below++) {
    const float argument = scale * static_cast<float>(below);
    table.as<float>()[static_cast<size_t>(255 - below)] = static_cast<float>(std::exp(static_cast<double>(argument)));
  }
  const TensorId wide = node.cast(x, ValueType::kI32);
  auto most = std::make_shared<ReduceAttrs>();
  most->kind = ReduceKind::kMax;
  most->axes = {node.rank(x) - 1};
  most->keep_dims = true;
  TfliteSteps exps(node);
  exps.add("sub", ValueType::kI32, {node.add("reduce", {wide}, most)});
  exps.add("add", ValueType::kI32, {tflite_integers(node, {255})});
  exps.add("cast", ValueType::kU8);
  exps.add("lookup", ValueType::kF32, {node.constant(std::move(table), "exps")});
  const TensorId e = tflite_apply(node, wide, std::move(exps));
  auto sum = std::make_shared<ReduceAttrs>();
  sum->axes = most->axes;
  sum->keep_dims = true;
  TfliteSteps inverse(node), steps(node);
  inverse.add("mul", ValueType::kF32, {node.scalar(y.scale[0])});
  inverse.add("reciprocal", ValueType::kF32);
  steps.add("mul", ValueType::kF32, {tflite_apply(node, node.add("reduce", {e}, sum), std::move(inverse))});
  if (type == ValueType::kU8) {
    steps.add("add", ValueType::kF32, {node.scalar(0.5f)});
    steps.add("cast", type).rounding = Rounding::kToZero;
  } else {
    steps.add("cast", ValueType::kI32).rounding = Rounding::kHalfAwayFromZero;
    steps.add("add", ValueType::kI32, {tflite_integers(node, {y.zero_point[0]})});
    steps.add("cast", type);
  }
  return tflite_apply(node, e, std::move(steps));
}

void read_softmax(TfliteNode& node) {
  const TensorId x = node.in(0);
  const ValueType type = node.in_type(0);
  const float beta = node.options<tflite::SoftmaxOptions>().beta();
  if (!(beta >= 0) || beta > 0x1p20f) node.problem("beta", "is " + std::to_string(beta));
  if (type == ValueType::kF32) {
    const TensorId scaled = beta == 1 || beta == 0 ? x : node.binary("mul", x, node.scalar(beta));
    return node.result(node.add("softmax", {scaled}, std::make_shared<SoftmaxAttrs>()));
  }
  if (!is_quantized(type)) node.unsupported("input", std::string("is ") + name(type));
  auto attrs = std::make_shared<SoftmaxFixedAttrs>();
  attrs->type = node.output_type();
  if (type == ValueType::kI16) {
    LitertSoftmax16 tables = litert_softmax_16(node.in_scale(0), beta);
    attrs->multiplier = tables.multiplier.mantissa;
    attrs->shift = tables.multiplier.shift;
    const TensorId exps = node.constant(std::move(tables.exps), "exps");
    return node.result(
        node.add("softmax_fixed", {x, exps, node.constant(std::move(tables.reciprocals), "reciprocals")}, attrs));
  }
  if (node.numerics() == TfliteNumerics::kLitertXnnpack) return node.result(optimized_softmax_8(node, x, beta));
  LitertSoftmax8 tables = litert_softmax_8(node.in_scale(0), beta);
  node.result(node.add("softmax_fixed", {x, node.constant(std::move(tables.exps), "exps")}, attrs));
}

void read_log_softmax(TfliteNode& node) {
  const TensorId x = node.in(0);
  const ValueType type = node.in_type(0);
  if (type == ValueType::kF32) {
    auto attrs = std::make_shared<SoftmaxAttrs>();
    attrs->log = true;
    return node.result(node.add("softmax", {x}, attrs));
  }
  if (!is_eight_bit(type)) node.unsupported("input", std::string("is ") + name(type));
  LitertSoftmax8 tables = litert_softmax_8(node.in_scale(0), 1.0f);
  auto attrs = std::make_shared<LogSoftmaxFixedAttrs>();
  attrs->diff_min = tables.diff_min;
  attrs->multiplier = tables.reverse.mantissa;
  attrs->shift = tables.reverse.shift;
  const TensorId exps = node.constant(std::move(tables.exps), "exps");
  node.result(node.add("log_softmax_fixed", {x, exps, node.constant(std::move(tables.diffs), "diffs")}, attrs));
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
