#include <algorithm>

#include "frontend/ir/op_registry.h"
#include "frontend/ops/movement.h"
#include "frontend/passes/fold_qdq.h"
#include "frontend/passes/views.h"
#include "frontend/reference/reference_executor.h"

namespace qlathe {
namespace {

/// The one-operand node on another operand, computed here where that is constant.
Result<TensorId> constant_or_node(QdqFolding& f, const Node& node, TensorId q) {
  const Tensor& t = f.to()[q];
  if (!t.is_constant()) return f.add(node.op, {q}, node.attrs, node.origin);
  const Node moved_node{node.op, {q}, {}, node.attrs, node.origin};
  QL_ASSIGN(const auto types, infer_types(f.to(), moved_node));
  QL_ASSIGN(std::vector<HostTensor> out, evaluate_node(moved_node, {t.data.get()}, types));
  return f.rebuild.to.add_constant(t.name, std::move(out[0]));
}

/// Scales per channel move with their axes; constants are computed here.
Result<bool> transpose(QdqFolding& f, const Node& node) {
  if (f.known(node.inputs[0]) == nullptr) return false;
  const Quantized x = *f.known(node.inputs[0]);
  const auto& permutation = node.as<TransposeAttrs>().permutation;
  const auto turn = [&](TensorId parameter) -> Result<TensorId> {
    const Tensor& t = f.to()[parameter];
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
    return f.rebuild.to.add_constant(t.name, std::move(out[0]));
  };
  QL_ASSIGN(const TensorId q, constant_or_node(f, node, x.q));
  QL_ASSIGN(const TensorId scale, turn(x.scale));
  TensorId zero_point = kNone;
  if (x.zero_point.valid()) {
    QL_ASSIGN(zero_point, turn(x.zero_point));
  }
  QL_RETURN_IF_ERROR(f.know(node, {q, scale, zero_point, {}}));
  return true;
}

/// Padding with the real number 0 is padding with the zero point.
Result<bool> pad(QdqFolding& f, const Node& node) {
  if (f.known(node.inputs[0]) == nullptr || !f.per_tensor(*f.known(node.inputs[0]))) return false;
  const Quantized x = *f.known(node.inputs[0]);
  const auto& attrs = node.as<PadAttrs>();
  const bool constant = attrs.mode == PadMode::kConstant;
  if (constant && node.inputs.size() > 1 && node.inputs[1].valid()) {
    const HostTensor* fill = f.from[node.inputs[1]].data.get();
    if (fill == nullptr || fill->type() != ValueType::kF32 || fill->size() != 1 || fill->as<float>()[0] != 0)
      return false;
  }
  std::vector<TensorId> inputs = {x.q};
  if (constant && x.zero_point.valid()) {
    if (f.to()[x.zero_point].type.type != f.to()[x.q].type.type) return false;
    QL_ASSIGN(const TensorId fill, reshape_to(f.rebuild.to, x.zero_point, {}, node.origin));
    inputs.push_back(fill);
  }
  return f.moved(node, x, std::move(inputs));
}

/// Parts with one scale and zero point are joined as they are; others wait for what the whole is quantized to.
Result<bool> concat(QdqFolding& f, const Node& node) {
  const auto is_known = [&](TensorId id) { return f.known(id) != nullptr; };
  if (std::none_of(node.inputs.begin(), node.inputs.end(), is_known)) return false;
  const Quantized* first = f.known(node.inputs[0]);
  std::vector<TensorId> inputs;
  for (TensorId id : node.inputs) {
    const Quantized* x = f.known(id);
    if (x != nullptr && first != nullptr && f.same_parameters(*x, *first)) inputs.push_back(x->q);
  }
  if (inputs.size() == node.inputs.size()) return f.moved(node, *first, std::move(inputs));
  f.defer(node);
  return true;
}

const FoldQdqRegistry::Add kTranspose("transpose", transpose);
const FoldQdqRegistry::Add kPad("pad", pad);
const FoldQdqRegistry::Add kConcat("concat", concat);

}  // namespace

Result<bool> quantize_parts(QdqFolding& f, const Node& concat, const Node& quantize) {
  if (concat.op != "concat" || f.from[concat.outputs[0]].shape() != f.from[quantize.outputs[0]].shape()) return false;
  const PointwiseStep& step = quantize.as<PointwiseAttrs>().steps[0];
  std::vector<TensorId> parameters;
  for (int64_t operand : step.operands) {
    const TensorId id = quantize.inputs[static_cast<size_t>(operand)];
    if (element_count(f.from[id].shape()) != 1) return false;
    QL_RETURN_IF_ERROR(f.materialize(id));
    QL_ASSIGN(const TensorId scalar, reshape_to(f.rebuild.to, f.rebuild.map(id), {}, quantize.origin));
    parameters.push_back(scalar);
  }
  const Quantized target{kNone, parameters[0], parameters.size() > 1 ? parameters[1] : kNone, {}};
  std::vector<TensorId> parts;
  for (TensorId id : concat.inputs) {
    const Quantized* x = f.known(id);
    const bool from_integers = x != nullptr && f.per_tensor(*x);
    if (from_integers && f.keeps(*x, step, target)) {
      parts.push_back(x->q);
      continue;
    }
    auto attrs = std::make_shared<PointwiseAttrs>();
    std::vector<TensorId> inputs, operands;
    if (from_integers) {
      inputs = {x->q};
      attrs->steps = f.dequantize_steps(*x, operands, 1);
      inputs.insert(inputs.end(), operands.begin(), operands.end());
    } else {
      QL_RETURN_IF_ERROR(f.materialize(id));
      inputs = {f.rebuild.map(id)};
    }
    attrs->steps.push_back(step);
    attrs->steps.back().operands.clear();
    for (TensorId parameter : parameters) {
      attrs->steps.back().operands.push_back(static_cast<int64_t>(inputs.size()));
      inputs.push_back(parameter);
    }
    QL_ASSIGN(const TensorId part, f.add("pointwise", inputs, attrs, quantize.origin));
    parts.push_back(part);
  }
  QL_ASSIGN(const TensorId whole, f.add("concat", parts, concat.attrs, concat.origin));
  f.rebuild.set(quantize.outputs[0], whole);
  return true;
}

}  // namespace qlathe
