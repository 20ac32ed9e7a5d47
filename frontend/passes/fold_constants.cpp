#include "frontend/ir/op_registry.h"
#include "frontend/ops/rebuild.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/reference/reference_executor.h"

namespace qlathe {
namespace {

/// Results above this many bytes are only folded where they are no larger than their operands: a folded broadcast must
/// not fill the memory and the emitted file.
constexpr size_t kMaxGrowthBytes = size_t{16} << 20;

size_t bytes_of(const TensorType& type) {
  return static_cast<size_t>(element_count(type.shape)) * static_cast<size_t>(storage_bytes(type.type));
}

/// Every operand is constant, and the results are of a size worth storing.
bool foldable(const Graph& graph, const Node& node, const std::vector<TensorId>& inputs) {
  size_t from = 0, to = 0;
  for (TensorId id : inputs) {
    if (!id.valid()) continue;
    if (!graph[id].is_constant()) return false;
    from += bytes_of(graph[id].type);
  }
  const auto types = infer_types(graph, Node{node.op, inputs, {}, node.attrs, node.origin});
  if (!types.ok()) return false;  // copying the node reports it
  for (const TensorType& type : *types)
    to += bytes_of(type);
  return to <= kMaxGrowthBytes || to <= from;
}

Result<Graph> fold_constants(Graph graph) {
  Rebuild rebuild(graph);
  for (const Node& node : graph.nodes) {
    const std::vector<TensorId> inputs = rebuild.map(node.inputs);
    if (!foldable(rebuild.to, node, inputs)) {
      QL_RETURN_IF_ERROR(rebuild.copy(node));
      continue;
    }
    std::vector<const HostTensor*> operands;
    for (TensorId id : inputs)
      operands.push_back(id.valid() ? rebuild.to[id].data.get() : nullptr);
    std::vector<TensorType> types;
    for (TensorId id : node.outputs)
      types.push_back(graph[id].type);
    QL_ASSIGN(std::vector<HostTensor> results, evaluate_node(node, operands, types));
    for (size_t i = 0; i < results.size(); i++) {
      const TensorId folded = rebuild.to.add_constant(graph[node.outputs[i]].name, std::move(results[i]));
      rebuild.set(node.outputs[i], folded);
    }
  }
  return rebuild.finish();
}

const PassRegistry::Add kPass({.name = "fold_constants",
                               .summary = "nodes whose operands are constants become constants",
                               .run = fold_constants});

}  // namespace
}  // namespace qlathe
