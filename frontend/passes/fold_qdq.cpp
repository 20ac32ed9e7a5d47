#include "frontend/passes/fold_qdq.h"

#include <cmath>

#include "frontend/ir/op_registry.h"
#include "frontend/passes/pass_manager.h"

namespace qlathe {
namespace {

std::map<std::string, FoldQdq>& registry() {
  static std::map<std::string, FoldQdq> ops;
  return ops;
}

}  // namespace

FoldQdq FoldQdqRegistry::find(const std::string& op) {
  const auto it = registry().find(op);
  return it == registry().end() ? nullptr : it->second;
}

FoldQdqRegistry::Add::Add(const std::string& op, FoldQdq fold) {
  const bool added = registry().emplace(op, fold).second;
  QL_CHECK(added, op);
}

PointwiseStep qdq_step(const char* op, ValueType type, std::vector<int64_t> operands) {
  PointwiseStep out;
  out.op = op;
  out.type = type;
  out.operands = std::move(operands);
  return out;
}

Result<Graph> QdqFolding::run() {
  for (const Node& node : from.nodes)
    QL_RETURN_IF_ERROR(visit(node));
  QL_RETURN_IF_ERROR(for_each_result(from, [&](TensorId id) { return materialize(id); }));
  return rebuild.finish();
}

const Quantized* QdqFolding::known(TensorId old) const {
  return old.valid() && known_[static_cast<size_t>(old.index)] ? &*known_[static_cast<size_t>(old.index)] : nullptr;
}

Status QdqFolding::know(const Node& node, Quantized value) {
  value.origin = node.origin;
  known_[static_cast<size_t>(node.outputs[0].index)] = std::move(value);
  return {};
}

Result<TensorId> QdqFolding::add(const std::string& op, std::vector<TensorId> inputs,
                                 std::shared_ptr<const OpAttrs> attrs, const Origin& origin) {
  return rebuild.to.add(op, std::move(inputs), std::move(attrs), origin);
}

std::vector<PointwiseStep> QdqFolding::dequantize_steps(const Quantized& value, std::vector<TensorId>& operands,
                                                        int64_t first) const {
  const auto operand = [&](TensorId id) {
    operands.push_back(id);
    return first + static_cast<int64_t>(operands.size()) - 1;
  };
  const ValueType type = to()[value.scale].type.type;
  if (to()[value.q].type.type == ValueType::kI32 && !value.zero_point.valid() && type == ValueType::kF32) {
    return {qdq_step("cast", type), qdq_step("mul", type, {operand(value.scale)})};
  }
  PointwiseStep dequantize = qdq_step("dequantize", type, {operand(value.scale)});
  if (value.zero_point.valid()) dequantize.operands.push_back(operand(value.zero_point));
  return {dequantize};
}

const Node* QdqFolding::deferred(TensorId old) const {
  const auto found = old.valid() ? deferred_.find(old) : deferred_.end();
  return found == deferred_.end() || rebuild.is_mapped(old) ? nullptr : found->second;
}

Status QdqFolding::materialize(TensorId old) {
  if (const Node* node = deferred(old)) {
    for (TensorId id : node->inputs)
      QL_RETURN_IF_ERROR(materialize(id));
    return rebuild.copy(*node);
  }
  const Quantized* value = known(old);
  if (value == nullptr || rebuild.is_mapped(old)) return {};
  auto attrs = std::make_shared<PointwiseAttrs>();
  std::vector<TensorId> inputs = {value->q}, operands;
  attrs->steps = dequantize_steps(*value, operands, 1);
  inputs.insert(inputs.end(), operands.begin(), operands.end());
  QL_ASSIGN(const TensorId now, add("pointwise", inputs, attrs, value->origin));
  rebuild.set(old, now);
  return {};
}

Status QdqFolding::visit(const Node& node) {
  if (node.outputs.size() == 1) {
    QL_ASSIGN(const bool done, try_integers(node));
    if (done) return {};
  }
  for (TensorId id : node.inputs)
    QL_RETURN_IF_ERROR(materialize(id));
  return rebuild.copy(node);
}

Result<bool> QdqFolding::try_integers(const Node& node) {
  if (const FoldQdq fold = FoldQdqRegistry::find(node.op)) return fold(*this, node);
  const OpDef* def = OpRegistry::find(node.op);
  const Quantized* x = node.inputs.empty() ? nullptr : known(node.inputs[0]);
  if (def->work != OpWork::kMoves || x == nullptr || !per_tensor(*x)) return false;
  std::vector<TensorId> inputs = {x->q};
  for (size_t i = 1; i < node.inputs.size(); i++) {
    if (known(node.inputs[i]) != nullptr) return false;
    QL_RETURN_IF_ERROR(materialize(node.inputs[i]));
    inputs.push_back(rebuild.map(node.inputs[i]));
  }
  return moved(node, *x, std::move(inputs));
}

bool QdqFolding::per_tensor(const Quantized& x) const {
  return element_count(to()[x.scale].shape()) == 1 &&
         (!x.zero_point.valid() || element_count(to()[x.zero_point].shape()) == 1);
}

Result<bool> QdqFolding::moved(const Node& node, const Quantized& x, std::vector<TensorId> inputs) {
  QL_ASSIGN(const TensorId q, add(node.op, std::move(inputs), node.attrs, node.origin));
  QL_RETURN_IF_ERROR(know(node, {q, x.scale, x.zero_point, {}}));
  return true;
}

Result<bool> QdqFolding::with_steps(const Node& node, const Quantized& sum, const std::vector<PointwiseStep>& steps) {
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
      inputs.push_back(rebuild.map(old));
      operand = static_cast<int64_t>(inputs.size()) - 1;
    }
    attrs->steps.push_back(s);
  }
  QL_ASSIGN(const TensorId now, add("pointwise", std::move(inputs), attrs, node.origin));
  rebuild.set(node.outputs[0], now);
  return true;
}

std::optional<std::vector<double>> QdqFolding::numbers(TensorId id) const {
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

bool QdqFolding::same_parameters(const Quantized& a, const Quantized& b) const {
  const auto same = [&](TensorId one, TensorId other) {
    const auto x = numbers(one), y = numbers(other);
    return one == other || (x && y && *x == *y);
  };
  return per_tensor(a) && per_tensor(b) && to()[a.q].type.type == to()[b.q].type.type && same(a.scale, b.scale) &&
         same(a.zero_point, b.zero_point);
}

bool QdqFolding::keeps(const Quantized& x, const PointwiseStep& quantize, Quantized target) const {
  target.q = x.q;
  const bool whole = !std::isfinite(quantize.lo) && !std::isfinite(quantize.hi);
  const bool plain = quantize.zero_point_after || quantize.operands.size() == 1;
  return whole && plain && quantize.rounding == Rounding::kHalfEven && to()[x.q].type.type == quantize.type &&
         same_parameters(x, target);
}

bool QdqFolding::small(TensorId q) const {
  const ValueType type = to()[q].type.type;
  return is_integer(type) && info(type).bits <= 8;
}

namespace {

const PassRegistry::Add kPass({.name = "fold_qdq",
                               .summary = "dequantize, op, quantize become the op on integers",
                               .run = [](Graph graph) { return QdqFolding(graph).run(); },
                               .keeps_bits = false});

}  // namespace
}  // namespace qlathe
