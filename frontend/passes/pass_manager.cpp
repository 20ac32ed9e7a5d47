#include "frontend/passes/pass_manager.h"

#include <map>

#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

std::map<std::string, Pass>& registry() {
  static std::map<std::string, Pass> passes;
  return passes;
}

}  // namespace

const Pass* PassRegistry::find(const std::string& name) {
  const auto it = registry().find(name);
  return it == registry().end() ? nullptr : &it->second;
}

std::vector<std::string> PassRegistry::names() {
  std::vector<std::string> out;
  for (const auto& entry : registry())
    out.push_back(entry.first);
  return out;
}

PassRegistry::Add::Add(Pass pass) {
  const std::string name = pass.name;
  const bool added = registry().emplace(name, std::move(pass)).second;
  QL_CHECK(added, "pass '" + name + "' is registered twice");
}

Result<Graph> run_passes(Graph graph, const std::vector<std::string>& names, const PassObserver& observer) {
  for (const std::string& name : names) {
    const Pass* pass = PassRegistry::find(name);
    if (pass == nullptr) {
      return Status::user({"", "", "passes"}, "there is no pass " + in_quotes(name),
                          did_you_mean(name, PassRegistry::names()));
    }
    Graph before;
    if (observer) before = graph;
    QL_ASSIGN(Graph after, pass->run(std::move(graph)));
    if (const Status broken = verify(after); !broken.ok()) {
      return Status::internal("pass '" + name + "' broke the graph:\n" + broken.text());
    }
    if (observer) observer(name, before, after);
    graph = std::move(after);
  }
  return graph;
}

const std::vector<std::string>& import_passes() {
  static const std::vector<std::string> names = {"remove_dead", "sink_transposes", "merge_views", "fold_affine",
                                                 "fold_qdq",    "fold_pads",       "remove_dead"};
  return names;
}

const std::vector<std::string>& lowering_passes() {
  // A use by a dead node keeps a value from being fused, so they go first.
  static const std::vector<std::string> names = {"remove_dead", "fold_constants", "canonicalize",   "fold_constants",
                                                 "merge_views", "remove_dead",    "fuse_epilogues", "fold_constants",
                                                 "merge_views", "remove_dead"};
  return names;
}

}  // namespace qlathe
