#include "frontend/ir/live_nodes.h"
#include "frontend/ops/rebuild.h"
#include "frontend/passes/pass_manager.h"

namespace qlathe {
namespace {

/// Nodes that no output and no state depends on go, and with them the tensors that nothing uses. Inputs stay: they are
/// the model's signature.
Result<Graph> remove_dead(Graph graph) {
  const std::vector<bool> live = live_nodes(graph);
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
