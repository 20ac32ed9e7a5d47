#include "frontend/ir/live_nodes.h"

namespace qlathe {

std::vector<bool> live_nodes(const Graph& graph) {
  std::vector<bool> needed(graph.tensors.size(), false), live(graph.nodes.size(), false);
  const auto need = [&](TensorId id) {
    if (id.valid()) needed[static_cast<size_t>(id.index)] = true;
  };
  for (TensorId id : graph.outputs)
    need(id);
  for (const State& state : graph.states)
    need(state.next);
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    for (TensorId id : graph.nodes[n].outputs)
      live[n] = live[n] || needed[static_cast<size_t>(id.index)];
    if (!live[n]) continue;
    for (TensorId id : graph.nodes[n].inputs)
      need(id);
  }
  return live;
}

}  // namespace qlathe
