#include "frontend/passes/pass_manager.h"
#include "frontend/passes/rebuild.h"

namespace qlathe {
namespace {

/// Nodes that no output and no state depends on go, and with them the tensors that nothing uses. Inputs stay: they are
/// the model's signature.
Result<Graph> remove_dead(Graph graph) {
  std::vector<bool> needed(graph.tensors.size(), false);
  const auto need = [&](TensorId id) {
    if (id.valid()) needed[static_cast<size_t>(id.index)] = true;
  };
  for (TensorId id : graph.outputs)
    need(id);
  for (const State& state : graph.states)
    need(state.next);
  std::vector<bool> live(graph.nodes.size(), false);
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    for (TensorId id : graph.nodes[n].outputs)
      live[n] = live[n] || needed[static_cast<size_t>(id.index)];
    if (!live[n]) continue;
    for (TensorId id : graph.nodes[n].inputs)
      need(id);
  }
  Rebuild rebuild(graph);
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    if (live[n]) QL_RETURN_IF_ERROR(rebuild.copy(graph.nodes[n]));
  }
  return rebuild.finish();
}

const PassRegistry::Add kPass({.name = "remove_dead",
                               .summary = "nodes and tensors that nothing depends on go",
                               .run = remove_dead});

}  // namespace
}  // namespace qlathe
