#include <algorithm>
#include <cmath>
#include <map>

#include "frontend/ops/pointwise.h"
#include "frontend/passes/fold_qdq.h"

namespace qlathe {
namespace {

/// Takes a dequantization in, to be done when it is needed. Scales that are computed stay where they are, unless there
/// is one for all.
bool dequantizes(QdqFolding& f, const Node& node, const PointwiseStep& step_) {
  const TensorId q = node.inputs[0];
  if (f.known(q) != nullptr || !is_integer(f.from[q].type.type)) return false;
  if (step_.type != ValueType::kF32 ||
      f.from[node.inputs[static_cast<size_t>(step_.operands[0])]].type.type != ValueType::kF32)
    return false;
  Quantized value{f.rebuild.map(q), kNone, kNone, node.origin};
  const Shape& shape = f.from[q].shape();
  for (size_t i = 0; i < step_.operands.size(); i++) {
    const TensorId parameter = node.inputs[static_cast<size_t>(step_.operands[i])];
    if (f.known(parameter) != nullptr) return false;
    const Tensor& t = f.from[parameter];
    if (element_count(t.shape()) != 1) {
      if (!t.is_constant() || t.shape().size() != shape.size()) return false;
      for (size_t d = 0; d < shape.size(); d++) {
        if (t.shape()[d] == 0 || shape[d] % t.shape()[d] != 0) return false;
      }
    }
    (i == 0 ? value.scale : value.zero_point) = f.rebuild.map(parameter);
  }
  QL_CHECK(f.know(node, value).ok(), node.op);
  return true;
}

/// acc * s + bias, the bias quantized with the same scale, is (acc + bias) * s.
Result<bool> adds_bias(QdqFolding& f, const Node& node, const PointwiseStep& step_, const Quantized& x) {
  if (step_.operands.size() != 1 || node.inputs.size() != 2) return false;
  const Quantized* b = f.known(node.inputs[static_cast<size_t>(step_.operands[0])]);
  if (b == nullptr || x.zero_point.valid() || b->zero_point.valid()) return false;
  if (f.to()[x.q].type.type != ValueType::kI32 || f.to()[b->q].type.type != ValueType::kI32 ||
      !f.to()[b->q].is_constant())
    return false;
  const auto of_x = f.numbers(x.scale), of_b = f.numbers(b->scale);
  if (!of_x || !of_b) return false;
  const size_t n = std::max(of_x->size(), of_b->size());
  if ((of_x->size() != 1 && of_x->size() != n) || (of_b->size() != 1 && of_b->size() != n)) return false;
  for (size_t i = 0; i < n; i++) {
    const double s = (*of_x)[of_x->size() == 1 ? 0 : i], t = (*of_b)[of_b->size() == 1 ? 0 : i];
    if (!(std::abs(s - t) <= 2e-7 * s)) return false;
  }
  // Both scales run along the last axis, or one of them is for all.
  if (n > 1 && f.to()[b->q].shape().back() != static_cast<int64_t>(n)) return false;
  if (element_count(f.to()[b->q].shape()) != f.to()[b->q].shape().back()) return false;
  // The sum must not wrap: as far as the product may reach with the bias on top.
  double largest = 0;
  const auto values = f.numbers(b->q);
  for (double v : *values)
    largest = std::max(largest, std::abs(v));
  if (largest + f.reach[x.q] >= 2147483647.0) return false;
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = {qdq_step("add", ValueType::kI32, {1})};
  QL_ASSIGN(const TensorId sum, f.add("pointwise", {x.q, b->q}, attrs, node.origin));
  f.reach[sum] = largest + f.reach[x.q];
  QL_RETURN_IF_ERROR(f.know(node, {sum, x.scale, kNone, {}}));
  return true;
}

/// Steps that take a second operand dequantized: it is read as integers, and the value in flight too.
Result<bool> on_quantized_operands(QdqFolding& f, const Node& node) {
  const auto& old = node.as<PointwiseAttrs>();
  const Quantized* x = f.known(node.inputs[0]);
  bool any = false;
  for (size_t i = 1; i < node.inputs.size(); i++)
    any = any || f.known(node.inputs[i]) != nullptr;
  if (!any) return false;
  auto attrs = std::make_shared<PointwiseAttrs>();
  std::vector<TensorId> inputs;
  if (x != nullptr) {
    inputs = {x->q};
    std::vector<TensorId> operands;
    attrs->steps = f.dequantize_steps(*x, operands, 1);
    inputs.insert(inputs.end(), operands.begin(), operands.end());
  } else {
    inputs = {f.rebuild.map(node.inputs[0])};
  }
  std::map<size_t, int64_t> places;
  const auto place = [&](TensorId id) {
    inputs.push_back(id);
    return static_cast<int64_t>(inputs.size()) - 1;
  };
  for (PointwiseStep s : old.steps) {
    const Quantized* b = s.operands.size() == 1 ? f.known(node.inputs[static_cast<size_t>(s.operands[0])]) : nullptr;
    const bool direct = b != nullptr && (s.op == "add" || s.op == "mul" || s.op == "sub") &&
                        s.type == ValueType::kF32 && s.operands[0] != 0 && f.per_tensor(*b);
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
        QL_RETURN_IF_ERROR(f.materialize(node.inputs[from]));
        places[from] = place(f.rebuild.map(node.inputs[from]));
      }
      operand = places[from];
    }
    attrs->steps.push_back(s);
  }
  QL_ASSIGN(const TensorId now, f.add("pointwise", std::move(inputs), attrs, node.origin));
  f.rebuild.set(node.outputs[0], now);
  return true;
}

Result<bool> pointwise(QdqFolding& f, const Node& node) {
  const auto& attrs = node.as<PointwiseAttrs>();
  if (attrs.steps.empty()) return false;
  const PointwiseStep& first = attrs.steps[0];
  const Node* made = f.deferred(node.inputs[0]);
  if (first.op == "quantize" && attrs.steps.size() == 1 && made != nullptr) {
    QL_ASSIGN(const bool done, quantize_parts(f, *made, node));
    if (done) return true;
  }
  for (TensorId id : node.inputs) {
    if (f.deferred(id) != nullptr) QL_RETURN_IF_ERROR(f.materialize(id));
  }
  if (first.op == "dequantize" && attrs.steps.size() == 1 && dequantizes(f, node, first)) return true;
  const Quantized* x = f.known(node.inputs[0]);
  if (first.op == "quantize" && attrs.steps.size() == 1 && x != nullptr) {
    TensorId parameters[] = {kNone, kNone};
    for (size_t i = 0; i < first.operands.size(); i++) {
      const TensorId old = node.inputs[static_cast<size_t>(first.operands[i])];
      QL_RETURN_IF_ERROR(f.materialize(old));
      parameters[i] = f.rebuild.map(old);
    }
    if (f.keeps(*x, first, {kNone, parameters[0], parameters[1], {}})) {
      f.rebuild.alias(node.outputs[0], x->q);
      return true;
    }
  }
  if (first.op == "add" && attrs.steps.size() == 1 && x != nullptr) {
    QL_ASSIGN(const bool done, adds_bias(f, node, first, *x));
    if (done) return true;
  }
  return on_quantized_operands(f, node);
}

const FoldQdqRegistry::Add kPointwise("pointwise", pointwise);

}  // namespace
}  // namespace qlathe
