#pragma once
#include <optional>
#include <string>
#include <vector>

#include "frontend/ir/graph.h"
#include "frontend/rules/brevitas_rule.h"
#include "frontend/rules/match.h"

namespace qlathe {

/// A place of a float graph that a BrevitasRule can take.
struct BrevitasSite {
  enum class Kind {
    kInput,  ///< a graph input; op "input", path its name: act_quant quantizes it (QuantIdentity)
    kLayer,  ///< an op that rules match; path its module path: weight_quant, bias_quant, and act_quant for its input
    kActivation,  ///< a pointwise node that ends in an activation function; op its name ("relu"), path the module path
                  ///< and the node's name joined by '/': act_quant quantizes its result (QuantReLU, …)
  };
  Kind kind = Kind::kLayer;
  int index = 0;  ///< in Graph::inputs or Graph::nodes
  std::string path;
  std::string op;
};

std::vector<BrevitasSite> brevitas_sites(const Graph& graph);

struct BrevitasMatch {
  BrevitasSite site;
  int rule = -1;                      ///< of the list, where a BrevitasRule takes the site
  std::vector<RuleVerdict> verdicts;  ///< of every rule of the list
};

/// Matches every site with the list as match_rules does (the first that matches takes it, of whatever type).
Result<std::vector<BrevitasMatch>> match_brevitas_rules(const Graph& graph, const RuleList& rules);

/// A site and what is to be done there: from a rule list, or from the layer's own block in a spec.
struct BrevitasTarget {
  BrevitasSite site;
  BrevitasRule rule;
};

/// The BrevitasRules of a list with the sites that they take.
Result<std::vector<BrevitasTarget>> brevitas_targets(const Graph& graph, const RuleList& rules);

}  // namespace qlathe
