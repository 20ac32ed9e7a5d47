#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "frontend/ir/op_registry.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/pointwise.h"
#include "frontend/ops/reduction.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/passes/rebuild.h"
#include "frontend/passes/views.h"
#include "frontend/reference/reference_executor.h"

namespace qlathe {
namespace {

/// A tensor of real numbers as the integers it was quantized to, in the new graph: (q - zero_point) * scale.
struct Quantized {
  TensorId q;
  TensorId scale;               ///< one element, or constant with one per channel: the shape broadcasts to q's
  TensorId zero_point = kNone;  ///< one element, or constant of scale's shape; kNone: 0
  Origin origin;                ///< of the node that dequantizes
};

/// Dequantizations wait: every tensor may be known by its integers. Movement and maxima work on the integers; products
/// and sums of 8-bit integers sum exactly in int32, and what they give is again integers with a scale; quantizing with
/// the parameters that are there already is nothing. All else gets the dequantization before it. So integers stay
/// integers from one quantization to the next:
///
///   conv(dequantize(x), dequantize(w)) + dequantize(b)   becomes   dequantize(conv(x, w) + b)
///
/// whose dequantization, activation and quantization become the product's epilogue. A sum of integers is exact, where
/// the sum of their real numbers in float is rounded at every step: results differ by that rounding.
class FoldQdq {
 public:
  explicit FoldQdq(const Graph& graph) : graph_(graph), rebuild_(graph), known_(graph.tensors.size()) {}

  Result<Graph> run() {
    for (const Node& node : graph_.nodes)
      QL_RETURN_IF_ERROR(visit(node));
    QL_RETURN_IF_ERROR(for_each_result(graph_, [&](TensorId id) { return materialize(id); }));
    return rebuild_.finish();
  }

 private:
  const Graph& to() const { return rebuild_.to; }

  const Quantized* known(TensorId old) const {
    return old.valid() && known_[static_cast<size_t>(old.index)] ? &*known_[static_cast<size_t>(old.index)] : nullptr;
  }
  Status know(const Node& node, Quantized value) {
    value.origin = node.origin;
    known_[static_cast<size_t>(node.outputs[0].index)] = std::move(value);
    return {};
  }

  Result<TensorId> add(const std::string& op, std::vector<TensorId> inputs, std::shared_ptr<const OpAttrs> attrs,
                       const Origin& origin) {
    return rebuild_.to.add(op, std::move(inputs), std::move(attrs), origin);
  }

  static PointwiseStep step(const char* op, ValueType type, std::vector<int64_t> operands = {}) {
    PointwiseStep out;
    out.op = op;
    out.type = type;
    out.operands = std::move(operands);
    return out;
  }

  /// The steps and operands that make real numbers of q; operands are counted from `first`.
  std::vector<PointwiseStep> dequantize_steps(const Quantized& value, std::vector<TensorId>& operands,
                                              int64_t first) const {
    const auto operand = [&](TensorId id) {
      operands.push_back(id);
      return first + static_cast<int64_t>(operands.size()) - 1;
    };
    const ValueType type = to()[value.scale].type.type;
    if (to()[value.q].type.type == ValueType::kI32 && !value.zero_point.valid() && type == ValueType::kF32) {
      return {step("cast", type), step("mul", type, {operand(value.scale)})};
    }
    PointwiseStep dequantize = step("dequantize", type, {operand(value.scale)});
    if (value.zero_point.valid()) dequantize.operands.push_back(operand(value.zero_point));
    return {dequantize};
  }

  Status materialize(TensorId old) {
    const Quantized* value = known(old);
    if (value == nullptr || rebuild_.is_mapped(old)) return {};
    auto attrs = std::make_shared<PointwiseAttrs>();
    std::vector<TensorId> inputs = {value->q}, operands;
    attrs->steps = dequantize_steps(*value, operands, 1);
    inputs.insert(inputs.end(), operands.begin(), operands.end());
    QL_ASSIGN(const TensorId now, add("pointwise", inputs, attrs, value->origin));
    rebuild_.set(old, now);
    return {};
  }

  Status visit(const Node& node) {
    if (node.outputs.size() == 1) {
      QL_ASSIGN(const bool done, try_integers(node));
      if (done) return {};
    }
    for (TensorId id : node.inputs)
      QL_RETURN_IF_ERROR(materialize(id));
    return rebuild_.copy(node);
  }

  Result<bool> try_integers(const Node& node) {
    if (node.op == "pointwise") return pointwise(node);
    if (node.op == "conv" || node.op == "dot_general") return product(node);
    if (node.op == "pool") return pool(node);
    if (node.op == "reduce") return reduce(node);
    if (node.op == "concat") return concat(node);
    const Quantized* x = node.inputs.empty() ? nullptr : known(node.inputs[0]);
    if (x == nullptr) return false;
    if (node.op == "transpose") return transpose(node, *x);
    if (!per_tensor(*x)) return false;
    if (node.op == "reshape" || node.op == "slice" || node.op == "broadcast") return moved(node, *x, {x->q});
    if (node.op == "gather" && known(node.inputs[1]) == nullptr)
      return moved(node, *x, {x->q, rebuild_.map(node.inputs[1])});
    if (node.op == "pad") return pad(node, *x);
    return false;
  }

  bool per_tensor(const Quantized& x) const {
    return element_count(to()[x.scale].shape()) == 1 &&
           (!x.zero_point.valid() || element_count(to()[x.zero_point].shape()) == 1);
  }

  Result<bool> moved(const Node& node, const Quantized& x, std::vector<TensorId> inputs) {
    QL_ASSIGN(const TensorId q, add(node.op, std::move(inputs), node.attrs, node.origin));
    QL_RETURN_IF_ERROR(know(node, {q, x.scale, x.zero_point, {}}));
    return true;
  }

  /// Scales per channel move with their axes; constants are computed here.
  Result<bool> transpose(const Node& node, const Quantized& x) {
    const auto& permutation = node.as<TransposeAttrs>().permutation;
    const auto turn = [&](TensorId parameter) -> Result<TensorId> {
      const Tensor& t = to()[parameter];
      if (element_count(t.shape()) == 1) return parameter;
      Shape full = t.shape();
      while (full.size() < permutation.size())
        full.insert(full.begin(), 1);
      const HostTensor data = t.data->reshaped(full);
      Shape shape;
      for (int64_t axis : permutation)
        shape.push_back(full[static_cast<size_t>(axis)]);
      const Node turned{"transpose", {parameter}, {}, node.attrs, node.origin};
      QL_ASSIGN(std::vector<HostTensor> out, evaluate_node(turned, {&data}, {{t.type.type, shape}}));
      return rebuild_.to.add_constant(t.name, std::move(out[0]));
    };
    QL_ASSIGN(const TensorId q, constant_or_node(node, x.q));
    QL_ASSIGN(const TensorId scale, turn(x.scale));
    TensorId zero_point = kNone;
    if (x.zero_point.valid()) {
      QL_ASSIGN(zero_point, turn(x.zero_point));
    }
    QL_RETURN_IF_ERROR(know(node, {q, scale, zero_point, {}}));
    return true;
  }

  /// The one-operand node on another operand, computed here where that is constant.
  Result<TensorId> constant_or_node(const Node& node, TensorId q) {
    const Tensor& t = to()[q];
    if (!t.is_constant()) return add(node.op, {q}, node.attrs, node.origin);
    const Node moved_node{node.op, {q}, {}, node.attrs, node.origin};
    QL_ASSIGN(const auto types, infer_types(to(), moved_node));
    QL_ASSIGN(std::vector<HostTensor> out, evaluate_node(moved_node, {t.data.get()}, types));
    return rebuild_.to.add_constant(t.name, std::move(out[0]));
  }

  /// Padding with the real number 0 is padding with the zero point.
  Result<bool> pad(const Node& node, const Quantized& x) {
    const auto& attrs = node.as<PadAttrs>();
    const bool constant = attrs.mode == PadMode::kConstant;
    if (constant && node.inputs.size() > 1 && node.inputs[1].valid()) {
      const HostTensor* fill = graph_[node.inputs[1]].data.get();
      if (fill == nullptr || fill->type() != ValueType::kF32 || fill->size() != 1 || fill->as<float>()[0] != 0)
        return false;
    }
    std::vector<TensorId> inputs = {x.q};
    if (constant && x.zero_point.valid()) {
      if (to()[x.zero_point].type.type != to()[x.q].type.type) return false;
      QL_ASSIGN(const TensorId fill, reshape_to(rebuild_.to, x.zero_point, {}, node.origin));
      inputs.push_back(fill);
    }
    return moved(node, x, std::move(inputs));
  }

  // Constants ----------------------------------------------------------------------------------------------------

  std::optional<std::vector<double>> numbers(TensorId id) const {
    if (!id.valid()) return std::vector<double>{0.0};
    const HostTensor* data = to()[id].data.get();
    if (data == nullptr) return std::nullopt;
    std::vector<double> out;
    for (int64_t i = 0; i < data->size(); i++) {
      if (data->type() == ValueType::kF32)
        out.push_back(static_cast<double>(data->as<float>()[static_cast<size_t>(i)]));
      else if (is_integer(data->type()))
        out.push_back(static_cast<double>(data->int_at(i)));
      else
        return std::nullopt;
    }
    return out;
  }

  bool same(TensorId a, TensorId b) const {
    if (a == b) return true;
    const auto x = numbers(a), y = numbers(b);
    return x && y && *x == *y;
  }

  bool same_parameters(const Quantized& a, const Quantized& b) const {
    return per_tensor(a) && per_tensor(b) && to()[a.q].type.type == to()[b.q].type.type && same(a.scale, b.scale) &&
           same(a.zero_point, b.zero_point);
  }

  // Elements -----------------------------------------------------------------------------------------------------

  Result<bool> pointwise(const Node& node) {
    const auto& attrs = node.as<PointwiseAttrs>();
    if (attrs.steps.empty()) return false;
    const PointwiseStep& first = attrs.steps[0];
    if (first.op == "dequantize" && attrs.steps.size() == 1 && dequantizes(node, first)) return true;
    const Quantized* x = known(node.inputs[0]);
    if (first.op == "quantize" && attrs.steps.size() == 1 && x != nullptr) {
      QL_ASSIGN(const bool done, requantizes_to_itself(node, first, *x));
      if (done) return true;
    }
    if (first.op == "add" && attrs.steps.size() == 1 && x != nullptr) {
      QL_ASSIGN(const bool done, adds_bias(node, first, *x));
      if (done) return true;
    }
    return on_quantized_operands(node);
  }

  /// Takes a dequantization in, to be done when it is needed. Scales that are computed, or blocked, stay where they
  /// are.
  bool dequantizes(const Node& node, const PointwiseStep& step_) {
    const TensorId q = node.inputs[0];
    if (known(q) != nullptr || !is_integer(graph_[q].type.type)) return false;
    if (step_.type != ValueType::kF32 ||
        graph_[node.inputs[static_cast<size_t>(step_.operands[0])]].type.type != ValueType::kF32)
      return false;
    Quantized value{rebuild_.map(q), kNone, kNone, node.origin};
    const Shape& shape = graph_[q].shape();
    for (size_t i = 0; i < step_.operands.size(); i++) {
      const TensorId parameter = node.inputs[static_cast<size_t>(step_.operands[i])];
      if (known(parameter) != nullptr) return false;
      const Tensor& t = graph_[parameter];
      if (element_count(t.shape()) != 1) {
        if (!t.is_constant() || t.shape().size() != shape.size()) return false;
        for (size_t d = 0; d < shape.size(); d++) {
          if (t.shape()[d] != 1 && t.shape()[d] != shape[d]) return false;
        }
      }
      (i == 0 ? value.scale : value.zero_point) = rebuild_.map(parameter);
    }
    known_[static_cast<size_t>(node.outputs[0].index)] = value;
    return true;
  }

  /// round((q - z) * s / s) + z is q.
  Result<bool> requantizes_to_itself(const Node& node, const PointwiseStep& step_, const Quantized& x) {
    Quantized target{x.q, rebuild_.map(node.inputs[static_cast<size_t>(step_.operands[0])]), kNone, {}};
    if (step_.operands.size() > 1)
      target.zero_point = rebuild_.map(node.inputs[static_cast<size_t>(step_.operands[1])]);
    const bool whole = !std::isfinite(step_.lo) && !std::isfinite(step_.hi);
    const bool same_type = to()[x.q].type.type == step_.type;
    const bool plain = step_.zero_point_after || step_.operands.size() == 1;
    if (!whole || !same_type || !plain || step_.rounding != Rounding::kHalfEven || !same_parameters(x, target))
      return false;
    rebuild_.alias(node.outputs[0], x.q);
    return true;
  }

  /// acc * s + bias, the bias quantized with the same scale, is (acc + bias) * s.
  Result<bool> adds_bias(const Node& node, const PointwiseStep& step_, const Quantized& x) {
    if (step_.operands.size() != 1 || node.inputs.size() != 2) return false;
    const Quantized* b = known(node.inputs[static_cast<size_t>(step_.operands[0])]);
    if (b == nullptr || x.zero_point.valid() || b->zero_point.valid()) return false;
    if (to()[x.q].type.type != ValueType::kI32 || to()[b->q].type.type != ValueType::kI32 || !to()[b->q].is_constant())
      return false;
    const auto of_x = numbers(x.scale), of_b = numbers(b->scale);
    if (!of_x || !of_b) return false;
    const size_t n = std::max(of_x->size(), of_b->size());
    if ((of_x->size() != 1 && of_x->size() != n) || (of_b->size() != 1 && of_b->size() != n)) return false;
    for (size_t i = 0; i < n; i++) {
      const double s = (*of_x)[of_x->size() == 1 ? 0 : i], t = (*of_b)[of_b->size() == 1 ? 0 : i];
      if (!(std::abs(s - t) <= 2e-7 * s)) return false;
    }
    // Both scales run along the last axis, or one of them is for all.
    if (n > 1 && to()[b->q].shape().back() != static_cast<int64_t>(n)) return false;
    if (element_count(to()[b->q].shape()) != to()[b->q].shape().back()) return false;
    // The sum must not wrap: as far as the product may reach with the bias on top.
    double largest = 0;
    const auto values = numbers(b->q);
    for (double v : *values)
      largest = std::max(largest, std::abs(v));
    if (largest + reach_[x.q] >= 2147483647.0) return false;
    auto attrs = std::make_shared<PointwiseAttrs>();
    attrs->steps = {step("add", ValueType::kI32, {1})};
    QL_ASSIGN(const TensorId sum, add("pointwise", {x.q, b->q}, attrs, node.origin));
    reach_[sum] = largest + reach_[x.q];
    QL_RETURN_IF_ERROR(know(node, {sum, x.scale, kNone, {}}));
    return true;
  }

  /// Steps that take a second operand dequantized: it is read as integers, and the value in flight too.
  Result<bool> on_quantized_operands(const Node& node) {
    const auto& old = node.as<PointwiseAttrs>();
    const Quantized* x = known(node.inputs[0]);
    bool any = false;
    for (size_t i = 1; i < node.inputs.size(); i++)
      any = any || known(node.inputs[i]) != nullptr;
    if (!any) return false;
    auto attrs = std::make_shared<PointwiseAttrs>();
    std::vector<TensorId> inputs;
    if (x != nullptr) {
      inputs = {x->q};
      std::vector<TensorId> operands;
      attrs->steps = dequantize_steps(*x, operands, 1);
      inputs.insert(inputs.end(), operands.begin(), operands.end());
    } else {
      inputs = {rebuild_.map(node.inputs[0])};
    }
    std::map<size_t, int64_t> places;
    const auto place = [&](TensorId id) {
      inputs.push_back(id);
      return static_cast<int64_t>(inputs.size()) - 1;
    };
    for (PointwiseStep s : old.steps) {
      const Quantized* b = s.operands.size() == 1 ? known(node.inputs[static_cast<size_t>(s.operands[0])]) : nullptr;
      const bool direct = b != nullptr && (s.op == "add" || s.op == "mul" || s.op == "sub") &&
                          s.type == ValueType::kF32 && s.operands[0] != 0 && per_tensor(*b);
      if (direct) {
        s.op += "_dequantized";
        s.operands = {place(b->q), place(b->scale)};
        if (b->zero_point.valid()) s.operands.push_back(place(b->zero_point));
        attrs->steps.push_back(s);
        continue;
      }
      for (int64_t& operand : s.operands) {
        const auto from = static_cast<size_t>(operand);
        if (places.find(from) == places.end()) {
          QL_RETURN_IF_ERROR(materialize(node.inputs[from]));
          places[from] = place(rebuild_.map(node.inputs[from]));
        }
        operand = places[from];
      }
      attrs->steps.push_back(s);
    }
    QL_ASSIGN(const TensorId now, add("pointwise", std::move(inputs), attrs, node.origin));
    rebuild_.set(node.outputs[0], now);
    return true;
  }

  // Sums ---------------------------------------------------------------------------------------------------------

  bool small(TensorId q) const {
    const ValueType type = to()[q].type.type;
    return is_integer(type) && info(type).bits <= 8;
  }

  /// A zero point or scale under a shape of its operand's rank.
  Result<TensorId> full_rank(TensorId parameter, size_t rank, const Origin& origin) {
    if (!parameter.valid()) return kNone;
    Shape shape = to()[parameter].shape();
    while (shape.size() < rank)
      shape.insert(shape.begin(), 1);
    const Tensor& t = to()[parameter];
    if (shape == t.shape()) return parameter;
    if (t.is_constant()) return rebuild_.to.add_constant(t.name, t.data->reshaped(shape));
    return reshape_to(rebuild_.to, parameter, shape, origin);
  }

  /// The channel of a weight's scale must be the result's last axis, and the only axis it differs along.
  static bool last_axis_only(const Shape& shape) {
    return std::all_of(shape.begin(), shape.empty() ? shape.end() : shape.end() - 1, [](int64_t e) { return e == 1; });
  }

  /// The last axis of the right operand is the last of the result, and no batch or permutation comes between.
  static bool ends_in_rhs_channels(const Node& node, size_t rhs_rank) {
    if (node.op == "conv") return true;
    const auto& attrs = node.as<DotGeneralAttrs>();
    const auto last = static_cast<int64_t>(rhs_rank) - 1;
    const bool used = std::count(attrs.rhs_contracting.begin(), attrs.rhs_contracting.end(), last) ||
                      std::count(attrs.rhs_batch.begin(), attrs.rhs_batch.end(), last);
    return attrs.output_permutation.empty() && !used;
  }

  template <class ProductAttrs>
  std::shared_ptr<OpAttrs> integer_attrs(const Node& node) {
    auto attrs = std::make_shared<ProductAttrs>(node.as<ProductAttrs>());
    attrs->accumulator = ValueType::kI32;
    attrs->steps.clear();
    return attrs;
  }

  static bool is_depthwise(const Node& node) { return node.op == "conv" && node.as<ConvAttrs>().groups > 1; }

  /// Constant weights whose values all fit four bits or two are stored so: what a Clip narrowed keeps its width.
  TensorId narrowed(TensorId q) {
    const Tensor& t = to()[q];
    if (!t.is_constant() || !is_signed(t.type.type) || info(t.type.type).bits != 8) return q;
    const HostTensor data = *t.data;
    int64_t lo = 0, hi = 0;
    for (int64_t i = 0; i < data.size(); i++) {
      lo = std::min(lo, data.int_at(i));
      hi = std::max(hi, data.int_at(i));
    }
    for (const ValueType type : {ValueType::kI2, ValueType::kI4}) {
      if (lo < info(type).min || hi > info(type).max) continue;
      HostTensor out(type, data.shape());
      for (int64_t i = 0; i < data.size(); i++)
        out.set_int(i, data.int_at(i));
      return rebuild_.to.add_constant(t.name, std::move(out));
    }
    return q;
  }

  Result<bool> product(const Node& node) {
    if (node.inputs.size() != 2) return false;
    const Quantized *x = known(node.inputs[0]), *w = known(node.inputs[1]);
    if (x == nullptr || w == nullptr || !small(x->q) || !small(w->q) || !per_tensor(*x)) return false;
    const bool conv = node.op == "conv";
    if (conv ? !node.as<ConvAttrs>().steps.empty() || node.as<ConvAttrs>().accumulator != ValueType::kF32
             : !node.as<DotGeneralAttrs>().steps.empty() || node.as<DotGeneralAttrs>().accumulator != ValueType::kF32) {
      return false;
    }
    if (!to()[x->scale].is_constant() || !to()[w->scale].is_constant()) return false;
    const size_t x_rank = to()[x->q].shape().size(), w_rank = to()[w->q].shape().size();
    if (!per_tensor(*w)) {
      if (!ends_in_rhs_channels(node, w_rank)) return false;
      QL_ASSIGN(const TensorId full, full_rank(w->scale, w_rank, node.origin));
      if (!last_axis_only(to()[full].shape())) return false;
    }
    // The sum of all products must fit int32.
    const Shape& weights = to()[w->q].shape();
    double reach = 1;
    if (conv) {
      for (size_t d = 0; d + 1 < weights.size(); d++)
        reach *= static_cast<double>(weights[d]);
    } else {
      for (int64_t axis : node.as<DotGeneralAttrs>().rhs_contracting)
        reach *= static_cast<double>(weights[static_cast<size_t>(axis)]);
    }
    reach *= 255.0 * 255.0;
    if (reach >= 2147483647.0) return false;
    QL_ASSIGN(const TensorId x_zero, full_rank(x->zero_point, x_rank, node.origin));
    QL_ASSIGN(const TensorId w_zero, full_rank(w->zero_point, w_rank, node.origin));
    const TensorId weight = w_zero.valid() || is_depthwise(node) ? w->q : narrowed(w->q);
    std::vector<TensorId> inputs = {x->q, weight, x_zero, w_zero};
    while (!inputs.back().valid())
      inputs.pop_back();
    QL_ASSIGN(const TensorId sum,
              add(node.op, inputs, conv ? integer_attrs<ConvAttrs>(node) : integer_attrs<DotGeneralAttrs>(node),
                  node.origin));
    reach_[sum] = reach;
    // The scale of the sum, per channel where the weights' is.
    const auto a = numbers(x->scale), b = numbers(w->scale);
    std::vector<float> scale;
    for (double v : *b)
      scale.push_back(static_cast<float>(v) * static_cast<float>((*a)[0]));
    const Shape shape = scale.size() == 1 ? Shape{} : Shape{static_cast<int64_t>(scale.size())};
    const TensorId s =
        rebuild_.to.add_constant(node.origin.name + ".scale", HostTensor::of(ValueType::kF32, shape, scale));
    QL_RETURN_IF_ERROR(know(node, {sum, s, kNone, {}}));
    return true;
  }

  /// Appends the steps of a sum or mean to its integer form.
  Result<bool> with_steps(const Node& node, const Quantized& sum, const std::vector<PointwiseStep>& steps) {
    if (steps.empty()) {
      QL_RETURN_IF_ERROR(know(node, sum));
      return true;
    }
    auto attrs = std::make_shared<PointwiseAttrs>();
    std::vector<TensorId> inputs = {sum.q}, operands;
    attrs->steps = dequantize_steps(sum, operands, 1);
    inputs.insert(inputs.end(), operands.begin(), operands.end());
    for (PointwiseStep s : steps) {
      for (int64_t& operand : s.operands) {
        const TensorId old = node.inputs[static_cast<size_t>(operand)];
        QL_RETURN_IF_ERROR(materialize(old));
        inputs.push_back(rebuild_.map(old));
        operand = static_cast<int64_t>(inputs.size()) - 1;
      }
      attrs->steps.push_back(s);
    }
    QL_ASSIGN(const TensorId now, add("pointwise", std::move(inputs), attrs, node.origin));
    rebuild_.set(node.outputs[0], now);
    return true;
  }

  /// sum(q) - n * zero point, with n the number of elements that each sum has.
  Result<TensorId> without_zero_point(const Node& node, TensorId sum, const Quantized& x, const HostTensor& counts) {
    if (!x.zero_point.valid()) return sum;
    const auto zero = numbers(x.zero_point);
    HostTensor term(ValueType::kI32, counts.shape());
    for (int64_t i = 0; i < counts.size(); i++)
      term.set_int(i, -static_cast<int64_t>((*zero)[0]) * counts.int_at(i));
    auto attrs = std::make_shared<PointwiseAttrs>();
    attrs->steps = {step("add", ValueType::kI32, {1})};
    const TensorId constant = rebuild_.to.add_constant(node.origin.name + ".zero", std::move(term));
    return add("pointwise", {sum, constant}, attrs, node.origin);
  }

  Result<bool> pool(const Node& node) {
    const auto& attrs = node.as<PoolAttrs>();
    const Quantized* x = known(node.inputs[0]);
    if (x == nullptr || !per_tensor(*x) || !small(x->q)) return false;
    if (attrs.kind == PoolKind::kMax) {
      if (!attrs.steps.empty()) return false;
      return moved(node, *x, {x->q});
    }
    if (!numbers(x->zero_point)) return false;
    auto bare = std::make_shared<PoolAttrs>(attrs);
    bare->steps.clear();
    QL_ASSIGN(TensorId sum, add("pool", {x->q}, bare, node.origin));
    if (x->zero_point.valid()) {
      // A pooling of ones counts what every window holds.
      Shape one = to()[x->q].shape();
      one[0] = 1;
      one.back() = 1;
      HostTensor ones(ValueType::kI8, one);
      for (int64_t i = 0; i < ones.size(); i++)
        ones.set_int(i, 1);
      Shape out = to()[sum].shape();
      out[0] = 1;
      out.back() = 1;
      const Node counting{"pool", {sum}, {}, bare, node.origin};
      QL_ASSIGN(const std::vector<HostTensor> counts, evaluate_node(counting, {&ones}, {{ValueType::kI32, out}}));
      QL_ASSIGN(sum, without_zero_point(node, sum, *x, counts[0]));
    }
    return with_steps(node, {sum, x->scale, kNone, node.origin}, attrs.steps);
  }

  Result<bool> reduce(const Node& node) {
    const auto& attrs = node.as<ReduceAttrs>();
    const Quantized* x = known(node.inputs[0]);
    if (x == nullptr || !per_tensor(*x) || !small(x->q)) return false;
    if (attrs.kind == ReduceKind::kMax || attrs.kind == ReduceKind::kMin) {
      if (!attrs.steps.empty()) return false;
      return moved(node, *x, {x->q});
    }
    if (attrs.kind != ReduceKind::kSum || !numbers(x->zero_point)) return false;
    int64_t count = 1;
    for (int64_t axis : attrs.axes)
      count *= to()[x->q].shape()[static_cast<size_t>(axis)];
    if (count > (int64_t{1} << 22)) return false;
    auto bare = std::make_shared<ReduceAttrs>(attrs);
    bare->steps.clear();
    bare->sum_order = SumOrder::kSequential;
    QL_ASSIGN(TensorId sum, add("reduce", {x->q}, bare, node.origin));
    HostTensor counts(ValueType::kI32, {});
    counts.set_int(0, count);
    QL_ASSIGN(sum, without_zero_point(node, sum, *x, counts));
    return with_steps(node, {sum, x->scale, kNone, node.origin}, attrs.steps);
  }

  /// Parts with one scale and zero point.
  Result<bool> concat(const Node& node) {
    const Quantized* first = known(node.inputs[0]);
    if (first == nullptr) return false;
    std::vector<TensorId> inputs;
    for (TensorId id : node.inputs) {
      const Quantized* x = known(id);
      if (x == nullptr || !same_parameters(*x, *first)) return false;
      inputs.push_back(x->q);
    }
    return moved(node, *first, std::move(inputs));
  }

  const Graph& graph_;
  Rebuild rebuild_;
  std::vector<std::optional<Quantized>> known_;  // by old tensor
  std::map<TensorId, double> reach_;             // of sums, by new tensor: the largest magnitude
};

const PassRegistry::Add kPass({.name = "fold_qdq",
                               .summary = "dequantize, op, quantize become the op on integers",
                               .run = [](Graph graph) { return FoldQdq(graph).run(); },
                               .keeps_bits = false});

}  // namespace
}  // namespace qlathe
