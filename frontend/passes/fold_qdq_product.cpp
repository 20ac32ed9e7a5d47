#include <algorithm>

#include "frontend/ops/contraction.h"
#include "frontend/passes/fold_qdq.h"
#include "frontend/passes/views.h"

namespace qlathe {
namespace {

/// A zero point or scale under a shape of its operand's rank.
Result<TensorId> full_rank(QdqFolding& f, TensorId parameter, size_t rank, const Origin& origin) {
  if (!parameter.valid()) return kNone;
  Shape shape = f.to()[parameter].shape();
  while (shape.size() < rank)
    shape.insert(shape.begin(), 1);
  const Tensor& t = f.to()[parameter];
  if (shape == t.shape()) return parameter;
  if (t.is_constant()) return f.rebuild.to.add_constant(t.name, t.data->reshaped(shape));
  return reshape_to(f.rebuild.to, parameter, shape, origin);
}

/// The channel of a weight's scale must be the result's last axis, and the only axis it differs along.
bool last_axis_only(const Shape& shape) {
  return std::all_of(shape.begin(), shape.empty() ? shape.end() : shape.end() - 1, [](int64_t e) { return e == 1; });
}

/// The last axis of the right operand is the last of the result, and no batch or permutation comes between.
bool ends_in_rhs_channels(const Node& node, size_t rhs_rank) {
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

bool is_depthwise(const Node& node) { return node.op == "conv" && node.as<ConvAttrs>().groups > 1; }

/// Constant weights whose values all fit four bits or two are stored so: what a Clip narrowed keeps its width.
TensorId narrowed(QdqFolding& f, TensorId q) {
  const Tensor& t = f.to()[q];
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
    return f.rebuild.to.add_constant(t.name, std::move(out));
  }
  return q;
}

template <class ProductAttrs>
bool is_plain(const ProductAttrs& attrs) {
  return attrs.steps.empty() && attrs.accumulator == ValueType::kF32;
}

/// Whether a scale of the weights can be the product's own: per channel of the result, or in blocks of a matrix.
bool scales_weights(const Node& node, const Shape& weights, const Shape& scale) {
  if (element_count(scale) == 1) return true;
  if (!ends_in_rhs_channels(node, weights.size())) return false;
  if (node.op == "conv") return last_axis_only(scale) && scale.back() == weights.back();
  constexpr int64_t kSmallestBlock = 8;  // smaller ones cost more than they save
  if (!node.as<DotGeneralAttrs>().rhs_batch.empty()) return false;
  for (size_t axis = 0; axis + 1 < weights.size(); axis++) {
    if (scale[axis] != 1 && (weights[axis] % scale[axis] != 0 || weights[axis] / scale[axis] < kSmallestBlock))
      return false;
  }
  return weights.back() % scale.back() == 0;
}

/// A product of real numbers and integer weights: these stay as they are stored, the product multiplies by their scale.
Result<bool> product_with_stored_weights(QdqFolding& f, const Node& node) {
  const Quantized* w = f.known(node.inputs[1]);
  if (w == nullptr || !f.small(w->q) || !f.to()[w->q].is_constant() || !f.to()[w->scale].is_constant() ||
      f.to()[w->scale].type.type != ValueType::kF32 || f.from[node.inputs[0]].type.type != ValueType::kF32 ||
      (w->zero_point.valid() && !f.to()[w->zero_point].is_constant()) || is_depthwise(node))
    return false;
  const Shape& weights = f.to()[w->q].shape();
  QL_ASSIGN(const TensorId scale, full_rank(f, w->scale, weights.size(), node.origin));
  QL_ASSIGN(const TensorId zero, full_rank(f, w->zero_point, weights.size(), node.origin));
  if (!scales_weights(node, weights, f.to()[scale].shape())) return false;
  QL_RETURN_IF_ERROR(f.materialize(node.inputs[0]));
  const TensorId stored = zero.valid() ? w->q : narrowed(f, w->q);
  QL_ASSIGN(const TensorId y, f.add(node.op, {f.rebuild.map(node.inputs[0]), stored, kNone, zero, kNone, scale},
                                    node.attrs, node.origin));
  f.rebuild.set(node.outputs[0], y);
  return true;
}

Result<bool> integer_product(QdqFolding& f, const Node& node) {
  const Quantized *x = f.known(node.inputs[0]), *w = f.known(node.inputs[1]);
  if (x == nullptr || w == nullptr || !f.small(x->q) || !f.small(w->q) || !f.per_tensor(*x)) return false;
  const bool conv = node.op == "conv";
  if (!f.to()[x->scale].is_constant() || !f.to()[w->scale].is_constant()) return false;
  const size_t x_rank = f.to()[x->q].shape().size(), w_rank = f.to()[w->q].shape().size();
  if (!f.per_tensor(*w)) {
    if (!ends_in_rhs_channels(node, w_rank)) return false;
    QL_ASSIGN(const TensorId full, full_rank(f, w->scale, w_rank, node.origin));
    const Shape& scale = f.to()[full].shape();
    if (!last_axis_only(scale) || scale.back() != f.to()[w->q].shape().back()) return false;
  }
  // The sum of all products must fit int32.
  const Shape& weights = f.to()[w->q].shape();
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
  QL_ASSIGN(const TensorId x_zero, full_rank(f, x->zero_point, x_rank, node.origin));
  QL_ASSIGN(const TensorId w_zero, full_rank(f, w->zero_point, w_rank, node.origin));
  const TensorId weight = w_zero.valid() || is_depthwise(node) ? w->q : narrowed(f, w->q);
  std::vector<TensorId> inputs = {x->q, weight, x_zero, w_zero};
  while (!inputs.back().valid())
    inputs.pop_back();
  QL_ASSIGN(const TensorId sum,
            f.add(node.op, inputs, conv ? integer_attrs<ConvAttrs>(node) : integer_attrs<DotGeneralAttrs>(node),
                  node.origin));
  f.reach[sum] = reach;
  // The scale of the sum, per channel where the weights' is.
  const auto a = f.numbers(x->scale), b = f.numbers(w->scale);
  std::vector<float> scale;
  for (double v : *b)
    scale.push_back(static_cast<float>(v) * static_cast<float>((*a)[0]));
  const Shape shape = scale.size() == 1 ? Shape{} : Shape{static_cast<int64_t>(scale.size())};
  const TensorId s =
      f.rebuild.to.add_constant(node.origin.name + ".scale", HostTensor::of(ValueType::kF32, shape, scale));
  QL_RETURN_IF_ERROR(f.know(node, {sum, s, kNone, {}}));
  return true;
}

Result<bool> product(QdqFolding& f, const Node& node) {
  if (node.inputs.size() != 2) return false;
  if (!(node.op == "conv" ? is_plain(node.as<ConvAttrs>()) : is_plain(node.as<DotGeneralAttrs>()))) return false;
  QL_ASSIGN(const bool done, integer_product(f, node));
  return done ? done : product_with_stored_weights(f, node);
}

const FoldQdqRegistry::Add kConv("conv", product);
const FoldQdqRegistry::Add kDotGeneral("dot_general", product);

}  // namespace
}  // namespace qlathe
