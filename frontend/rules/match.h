#pragma once
#include <string>
#include <vector>

#include "frontend/ir/graph.h"
#include "frontend/rules/rule.h"

namespace qlathe {

/// Why a rule does or does not take an op.
enum class Verdict {
  kTakes,    ///< the first rule that matches
  kEarlier,  ///< matches too, but an earlier rule takes the op
  kOtherOp,  ///< the path matches, the op's name is not among op_names
  kOtherPath,
  kQuantized,  ///< would take the op, whose operands the model has as integers already
};

struct RuleVerdict {
  Verdict verdict = Verdict::kOtherPath;
  std::string why;  ///< "module_path 'linear2' does not match 'linear1'"
};

/// One op that rules can take, with the verdict of every rule on it.
struct OpMatch {
  int node = 0;                       ///< index in Graph::nodes
  std::string name;                   ///< of the node
  std::string module_path;            ///< empty for the root module
  std::string op;                     ///< "dot_general", "einsum", "conv_general_dilated"
  std::string id;                     ///< op and its number among the ops of that name in the module: "dot_general0"
  int rule = -1;                      ///< index of the rule that takes it
  std::vector<RuleVerdict> verdicts;  ///< one per rule
};

struct RuleMatches {
  std::vector<OpMatch> ops;       ///< in the order of the graph: every node with a rule_op
  std::vector<int> unused_rules;  ///< rules that took no op, nor, of BrevitasRules, an input or an activation function
  /// The rule of a node, -1 if none.
  int rule_of(int node) const;
};

/// Matches every op of the graph with every rule: the first rule whose module_path matches the op's whole path and
/// whose op_names is empty or has the op's name takes it, unless its operands are integers already. Error: a pattern
/// whose match is given up.
Result<RuleMatches> match_rules(const Graph& graph, const RuleList& rules);

/// A product of which an operand was quantized before: it keeps its name for rules, and stays as it is.
bool is_quantized_product(const Graph& graph, const Node& node);

/// Matches one op: what match_rules does for every op.
Result<std::vector<RuleVerdict>> judge(const RuleList& rules, const std::string& module_path, const std::string& op);

}  // namespace qlathe
