#include "frontend/rules/brevitas_sites.h"

#include <algorithm>
#include <array>

#include "frontend/ops/pointwise.h"

namespace qlathe {
namespace {

// The activation function that a pointwise node ends in, "" if none.
std::string activation_of(const Node& node) {
  static constexpr std::array kActivations = {"relu",       "sigmoid",      "tanh",     "gelu", "gelu_tanh",  "silu",
                                              "hard_swish", "hard_sigmoid", "softplus", "elu",  "leaky_relu", "clamp"};
  if (node.op != "pointwise") return "";
  const auto& steps = node.as<PointwiseAttrs>().steps;
  if (steps.empty()) return "";
  const std::string& last = steps.back().op;
  return std::find(kActivations.begin(), kActivations.end(), last) == kActivations.end() ? "" : last;
}

}  // namespace

std::vector<BrevitasSite> brevitas_sites(const Graph& graph) {
  std::vector<BrevitasSite> sites;
  for (size_t i = 0; i < graph.inputs.size(); i++)
    sites.push_back({BrevitasSite::Kind::kInput, static_cast<int>(i), graph[graph.inputs[i]].name, "input"});
  for (size_t i = 0; i < graph.nodes.size(); i++) {
    const Node& node = graph.nodes[i];
    const int index = static_cast<int>(i);
    if (!node.origin.rule_op.empty()) {
      sites.push_back({BrevitasSite::Kind::kLayer, index, node.origin.module_path, node.origin.rule_op});
    } else if (const std::string activation = activation_of(node); !activation.empty()) {
      const std::string& module = node.origin.module_path;
      const std::string path = module.empty() ? node.origin.name : module + "/" + node.origin.name;
      sites.push_back({BrevitasSite::Kind::kActivation, index, path, activation});
    }
  }
  return sites;
}

Result<std::vector<BrevitasMatch>> match_brevitas_rules(const Graph& graph, const RuleList& rules) {
  std::vector<BrevitasMatch> matches;
  for (const BrevitasSite& site : brevitas_sites(graph)) {
    BrevitasMatch match{site, -1, {}};
    QL_ASSIGN(match.verdicts, judge(rules, site.path, site.op));
    for (size_t r = 0; r < match.verdicts.size(); r++) {
      if (match.verdicts[r].verdict == Verdict::kTakes && rules.rules[r].type == "BrevitasRule")
        match.rule = static_cast<int>(r);
    }
    matches.push_back(std::move(match));
  }
  return matches;
}

Result<std::vector<BrevitasTarget>> brevitas_targets(const Graph& graph, const RuleList& rules) {
  Status problems;
  std::vector<std::optional<BrevitasRule>> read(rules.rules.size());
  for (size_t r = 0; r < rules.rules.size(); r++) {
    const Rule& rule = rules.rules[r];
    if (rule.type != "BrevitasRule") continue;
    auto result = read_brevitas_rule(*rules.document, *rule.json, rule.place.node);
    if (result.ok()) {
      read[r] = std::move(*result);
    } else {
      problems.merge(result.status());
    }
  }
  if (!problems.ok()) return problems;
  QL_ASSIGN(const std::vector<BrevitasMatch> matches, match_brevitas_rules(graph, rules));
  std::vector<BrevitasTarget> targets;
  for (const BrevitasMatch& match : matches) {
    if (match.rule >= 0) targets.push_back({match.site, *read[static_cast<size_t>(match.rule)]});
  }
  return targets;
}

}  // namespace qlathe
