#pragma once
#include <functional>
#include <string>
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe {

/// A rewriting of a graph that keeps its meaning: same inputs and outputs, same bits by the reference (unless
/// `keeps_bits` says that results move by roundings).
struct Pass {
  std::string name;
  std::string summary;
  Result<Graph> (*run)(Graph graph) = nullptr;
  bool keeps_bits = true;
};

/// Every pass registers itself (frontend/passes/<pass>.cpp).
class PassRegistry {
 public:
  static const Pass* find(const std::string& name);
  static std::vector<std::string> names();  ///< sorted

  struct Add {
    explicit Add(Pass pass);
  };
};

/// Called before and after each pass, for dumps (ir/text.h).
using PassObserver = std::function<void(const std::string& pass, const Graph& before, const Graph& after)>;

/// Runs the named passes in order and verifies the graph after each.
Result<Graph> run_passes(Graph graph, const std::vector<std::string>& names, const PassObserver& observer = {});

/// What a graph from another framework's file goes through once: layouts are settled, and what is quantized there
/// becomes ops on integers. Their result is what the model means from here on.
const std::vector<std::string>& import_passes();

/// What brings any graph of the front-end to the form that schedule/ lowers.
const std::vector<std::string>& lowering_passes();

}  // namespace qlathe
