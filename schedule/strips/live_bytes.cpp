#include "schedule/strips/live_bytes.h"

#include <map>
#include <set>

#include "schedule/memory/aliases.h"

namespace qlathe {

std::vector<int64_t> live_bytes(const Graph& graph) {
  const Aliases aliases(graph, {true, true});
  std::set<TensorId> fixed(graph.inputs.begin(), graph.inputs.end());
  for (const TensorId id : graph.outputs)
    fixed.insert(aliases.of(id).root);
  for (const State& state : graph.states)
    fixed.insert({aliases.of(state.current).root, aliases.of(state.next).root});
  struct Life {
    int first, last;
  };
  std::map<TensorId, Life> lives;
  const auto touch = [&](TensorId id, int node) {
    const TensorId root = aliases.of(id).root;
    if (fixed.count(root) || graph[root].is_constant()) return;
    const auto [life, added] = lives.emplace(root, Life{node, node});
    if (!added) life->second.last = node;
  };
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    if (aliases.is_view(static_cast<int>(n))) continue;
    for (const TensorId id : graph.nodes[n].inputs) {
      if (id.valid()) touch(id, static_cast<int>(n));
    }
    for (const TensorId id : graph.nodes[n].outputs)
      touch(id, static_cast<int>(n));
  }
  std::vector<int64_t> change(graph.nodes.size() + 1, 0);
  for (const auto& [root, life] : lives) {
    const int64_t bytes = bytes_of(graph[root].type);
    change[static_cast<size_t>(life.first)] += bytes;
    change[static_cast<size_t>(life.last) + 1] -= bytes;
  }
  std::vector<int64_t> live(graph.nodes.size(), 0);
  int64_t now = 0;
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    now += change[n];
    if (!aliases.is_view(static_cast<int>(n))) live[n] = now;
  }
  return live;
}

}  // namespace qlathe
