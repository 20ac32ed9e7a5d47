// How one step of an element-wise chain is written.
#include <cmath>

#include "frontend/formats/tflite/export_node.h"

namespace qlathe {
namespace {

using Op = tflite::BuiltinOperator;
using Activation = tflite::ActivationFunctionType;

/// Steps that are one operator on floats; `stored`: on int8 too.
struct Row {
  Op code;
  bool stored = false;
};
const std::map<std::string, Row>& unary() {
  static const std::map<std::string, Row> rows = {{"neg", {Op::NEG}},
                                                  {"abs", {Op::ABS}},
                                                  {"sqrt", {Op::SQRT}},
                                                  {"rsqrt", {Op::RSQRT}},
                                                  {"exp", {Op::EXP}},
                                                  {"log", {Op::LOG}},
                                                  {"sin", {Op::SIN}},
                                                  {"cos", {Op::COS}},
                                                  {"floor", {Op::FLOOR}},
                                                  {"ceil", {Op::CEIL}},
                                                  {"round", {Op::ROUND}},
                                                  {"not", {Op::LOGICAL_NOT}},
                                                  {"sigmoid", {Op::LOGISTIC, true}},
                                                  {"tanh", {Op::TANH, true}},
                                                  {"relu", {Op::RELU, true}},
                                                  {"hard_swish", {Op::HARD_SWISH, true}}};
  return rows;
}
const std::map<std::string, Op>& comparisons() {
  static const std::map<std::string, Op> rows = {{"less", Op::LESS},       {"less_equal", Op::LESS_EQUAL},
                                                 {"greater", Op::GREATER}, {"greater_equal", Op::GREATER_EQUAL},
                                                 {"equal", Op::EQUAL},     {"not_equal", Op::NOT_EQUAL},
                                                 {"and", Op::LOGICAL_AND}, {"or", Op::LOGICAL_OR},
                                                 {"min", Op::MINIMUM},     {"max", Op::MAXIMUM},
                                                 {"pow", Op::POW}};
  return rows;
}

/// The runtimes know one form of the results of these.
bool has_fixed_form(const TfliteStorage& form, float scale, int64_t zero_point) {
  return form.type == ValueType::kI8 && form.scale == std::vector<float>{scale} &&
         form.zero_point == std::vector<int64_t>{zero_point};
}

class StepWriter {
 public:
  StepWriter(TfliteExporter& e, const Node& node)
      : e_(e), node_(node), s_(*TfliteExportPlan::step(node)), y_(node.outputs[0]) {}

  void write() {
    if (s_.op == "quantize" || s_.op == "dequantize") {
      if (!e_.plan.parameters(node_) && !stored_weight())
        e_.unsupported("steps", "'" + s_.op + "' with scales that are not one constant, or one per index of an axis, " +
                                    "has no TFLite form here");
      return;  // written where its result is read
    }
    const ValueType type = e_.type(node_.inputs[0]);
    if (type == ValueType::kBF16 || type == ValueType::kF16)
      e_.unsupported("type", std::string("arithmetic on ") + name(type) + " has no TFLite form");
    if (const auto found = unary().find(s_.op); found != unary().end()) return write_unary(found->second);
    if (s_.op == "add" || s_.op == "sub" || s_.op == "mul" || s_.op == "div") return arithmetic();
    if (const auto found = comparisons().find(s_.op); found != comparisons().end())
      return e_.op(found->second, pair(false), e_.result(y_, false));
    if (s_.op == "clamp") return clamp();
    if (s_.op == "cast") return cast();
    if (s_.op == "select")
      return e_.op(Op::SELECT_V2, {x(), operand(0), operand(1)}, e_.result(y_, false), tflite::SelectV2OptionsT{});
    if (s_.op == "fma") {
      const int32_t product = between("product");
      e_.op(Op::MUL, {x(), operand(0)}, product, tflite::MulOptionsT{});
      return e_.op(Op::ADD, {product, operand(1)}, e_.result(y_, false), tflite::AddOptionsT{});
    }
    if (s_.op == "reciprocal") return e_.op(Op::DIV, {number(1), x()}, e_.result(y_, false), tflite::DivOptionsT{});
    if (s_.op == "silu") {
      const int32_t gate = between("sigmoid");
      e_.op(Op::LOGISTIC, {x()}, gate);
      return e_.op(Op::MUL, {x(), gate}, e_.result(y_, false), tflite::MulOptionsT{});
    }
    if (s_.op == "gelu" || s_.op == "gelu_tanh") {
      tflite::GeluOptionsT o;
      o.approximate = s_.op == "gelu_tanh";
      return e_.op(Op::GELU, {x()}, e_.result(y_, false), std::move(o));
    }
    if (s_.op == "elu" && s_.alpha == 1) return e_.op(Op::ELU, {x()}, e_.result(y_, false));
    if (s_.op == "leaky_relu") {
      tflite::LeakyReluOptionsT o;
      o.alpha = static_cast<float>(s_.alpha);
      const bool quantized = in_integers();
      return e_.op(Op::LEAKY_RELU, {e_.operand(node_.inputs[0], quantized)}, e_.result(y_, quantized), std::move(o),
                   quantized ? 2 : 1);
    }
    e_.unsupported("steps", "'" + s_.op + "' has no TFLite form here");
  }

 private:
  TensorId operand_id(size_t i) const { return node_.inputs[static_cast<size_t>(s_.operands[i])]; }
  int32_t x() { return e_.real(node_.inputs[0]); }
  int32_t operand(size_t i) { return e_.real(operand_id(i)); }
  int32_t between(const char* suffix) { return e_.between(suffix, ValueType::kF32, e_.shape(y_), nullptr); }
  int32_t number(float value) { return e_.constant("value", HostTensor::scalar(value)); }
  bool in_integers() { return e_.is_quantized({node_.inputs[0]}, y_, {ValueType::kI8}); }

  /// A dequantize step of a constant, whose scales the reader looks at.
  bool stored_weight() const {
    return s_.op == "dequantize" && e_.graph[node_.inputs[0]].is_constant() && e_.graph[operand_id(0)].is_constant();
  }

  void check_broadcast() {
    const Shape& whole = e_.shape(y_);
    for (size_t i = 0; i < s_.operands.size(); i++) {
      const Shape& own = e_.shape(operand_id(i));
      for (size_t d = 0; d < own.size(); d++) {
        if (own[d] != 1 && own[d] != whole[whole.size() - own.size() + d])
          e_.unsupported("operand",
                         "of shape " + to_string(own) + " stands for tiles, which TFLite does not broadcast");
      }
    }
  }

  std::vector<int32_t> pair(bool quantized) {
    check_broadcast();
    const int32_t a = e_.operand(node_.inputs[0], quantized), b = e_.operand(operand_id(0), quantized);
    return s_.swapped ? std::vector<int32_t>{b, a} : std::vector<int32_t>{a, b};
  }

  void arithmetic() {
    check_broadcast();
    const bool real = s_.type == ValueType::kF32;
    const TfliteTail tail = real ? e_.tail(y_, 0, false) : TfliteTail{y_};
    const bool quantized =
        s_.op != "div" && e_.is_quantized({node_.inputs[0], operand_id(0)}, tail.result, {ValueType::kI8});
    const std::vector<int32_t> inputs = pair(quantized);
    const int32_t out = e_.result(tail.result, quantized);
    const int version = quantized ? 2 : 1;
    const auto with = [&](auto options, Op code) {
      options.fused_activation_function = tail.activation;
      e_.op(code, inputs, out, std::move(options), version);
    };
    if (s_.op == "add") return with(tflite::AddOptionsT{}, Op::ADD);
    if (s_.op == "sub") return with(tflite::SubOptionsT{}, Op::SUB);
    if (s_.op == "mul") return with(tflite::MulOptionsT{}, Op::MUL);
    with(tflite::DivOptionsT{}, Op::DIV);
  }

  void write_unary(const Row& row) {
    bool quantized = row.stored && in_integers();
    if (quantized && s_.op == "sigmoid") quantized = has_fixed_form(*e_.plan.storage(y_), 1.f / 256, -128);
    if (quantized && s_.op == "tanh") quantized = has_fixed_form(*e_.plan.storage(y_), 1.f / 128, 0);
    e_.op(row.code, {e_.operand(node_.inputs[0], quantized)}, e_.result(y_, quantized), quantized ? 2 : 1);
  }

  void clamp() {
    const bool quantized = in_integers();
    if (s_.lo == 0 && (s_.hi == 6 || std::isinf(s_.hi))) {
      return e_.op(std::isinf(s_.hi) ? Op::RELU : Op::RELU6, {e_.operand(node_.inputs[0], quantized)},
                   e_.result(y_, quantized), quantized ? 2 : 1);
    }
    if (s_.lo == -1 && s_.hi == 1)
      return e_.op(Op::RELU_N1_TO_1, {e_.operand(node_.inputs[0], quantized)}, e_.result(y_, quantized),
                   quantized ? 2 : 1);
    if (s_.type != ValueType::kF32) e_.unsupported("steps", "a clamp of integers has no TFLite form here");
    int32_t value = x();
    if (std::isfinite(s_.lo)) {
      const int32_t raised = std::isfinite(s_.hi) ? between("raised") : e_.result(y_, false);
      e_.op(Op::MAXIMUM, {value, number(static_cast<float>(s_.lo))}, raised, tflite::MaximumMinimumOptionsT{});
      value = raised;
    }
    if (std::isfinite(s_.hi))
      e_.op(Op::MINIMUM, {value, number(static_cast<float>(s_.hi))}, e_.result(y_, false),
            tflite::MaximumMinimumOptionsT{});
  }

  void cast() {
    const ValueType from = e_.type(node_.inputs[0]);
    if (is_code(from) || is_code(s_.type)) e_.unsupported("type", "codes have no TFLite form");
    const auto exact = [](ValueType t) { return is_float(t) || info(t).bits >= 32 || t == ValueType::kBool; };
    const bool truncates = is_float(from) && is_integer(s_.type);
    if ((truncates && s_.rounding != Rounding::kToZero) || (!truncates && !exact(s_.type)))
      e_.unsupported("steps",
                     std::string("a cast to ") + name(s_.type) + " that rounds or saturates has no TFLite form");
    e_.op(Op::CAST, {x()}, e_.result(y_, false), tflite::CastOptionsT{});
  }

  TfliteExporter& e_;
  const Node& node_;
  const PointwiseStep& s_;
  const TensorId y_;
};

}  // namespace

void export_step(TfliteExporter& e, const Node& node) {
  if (TfliteExportPlan::step(node) == nullptr) e.unsupported("steps", "are not one");
  StepWriter(e, node).write();
}

}  // namespace qlathe
