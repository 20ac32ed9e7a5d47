#include "frontend/ops/reduction.h"
#include "frontend/passes/fold_qdq.h"

namespace qlathe {
namespace {

/// Integers are dequantized on their way in.
Result<bool> softmax(QdqFolding& f, const Node& node) {
  const auto& old = node.as<SoftmaxAttrs>();
  const Quantized* x = f.known(node.inputs[0]);
  if (x == nullptr || !f.per_tensor(*x) || !f.small(x->q) || !old.before.empty()) return false;
  auto attrs = std::make_shared<SoftmaxAttrs>(old);
  std::vector<TensorId> inputs = {x->q}, operands;
  for (size_t i = 1; i < node.inputs.size(); i++) {
    QL_RETURN_IF_ERROR(f.materialize(node.inputs[i]));
    inputs.push_back(f.rebuild.map(node.inputs[i]));
  }
  attrs->before = f.dequantize_steps(*x, operands, static_cast<int64_t>(inputs.size()));
  inputs.insert(inputs.end(), operands.begin(), operands.end());
  QL_ASSIGN(const TensorId now, f.add(node.op, std::move(inputs), attrs, node.origin));
  f.rebuild.set(node.outputs[0], now);
  return true;
}

const FoldQdqRegistry::Add kSoftmax("softmax", softmax);

}  // namespace
}  // namespace qlathe
