#include "frontend/rules/match.h"

#include <algorithm>
#include <map>

#include "frontend/ir/suggest.h"
#include "frontend/ops/contraction.h"
#include "frontend/rules/brevitas_sites.h"

namespace qlathe {
namespace {

std::string path_text(const std::string& path) { return path.empty() ? "the root module ''" : in_quotes(path); }

std::string list_text(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names)
    out += (out.empty() ? "" : ", ") + printable(name, 80);
  return out;
}

}  // namespace

Result<std::vector<RuleVerdict>> judge(const RuleList& rules, const std::string& module_path, const std::string& op) {
  std::vector<RuleVerdict> out;
  int taken = -1;
  for (size_t i = 0; i < rules.rules.size(); ++i) {
    const Rule& rule = rules.rules[i];
    auto matched = rule.regex.full_match(module_path);
    if (!matched.ok()) {
      Place place = rule.place;
      place.field = "module_path";
      return matched.status().at(place);
    }
    const std::string pattern = "module_path " + in_quotes(rule.module_path);
    if (!*matched) {
      out.push_back({Verdict::kOtherPath, pattern + " does not match " + path_text(module_path)});
    } else if (!rule.op_names.empty() &&
               std::find(rule.op_names.begin(), rule.op_names.end(), op) == rule.op_names.end()) {
      out.push_back({Verdict::kOtherOp, "op_names has " + list_text(rule.op_names) + ", not " + op});
    } else if (taken >= 0) {
      out.push_back({Verdict::kEarlier, pattern + " matches, but rules[" + std::to_string(taken) + "] comes first"});
    } else {
      taken = static_cast<int>(i);
      out.push_back({Verdict::kTakes, pattern + " matches " + path_text(module_path)});
    }
  }
  return out;
}

bool is_quantized_product(const Graph& graph, const Node& node) {
  if (node.op != "dot_general" && node.op != "conv") return false;
  return !is_float(graph[node.inputs[kLhs]].type.type) || !is_float(graph[node.inputs[kRhs]].type.type);
}

Result<RuleMatches> match_rules(const Graph& graph, const RuleList& rules) {
  RuleMatches out;
  std::vector<bool> used(rules.rules.size(), false);
  std::map<std::pair<std::string, std::string>, int> counts;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Origin& origin = graph.nodes[i].origin;
    if (origin.rule_op.empty()) continue;
    OpMatch op;
    op.node = static_cast<int>(i);
    op.name = origin.name;
    op.module_path = origin.module_path;
    op.op = origin.rule_op;
    op.id = op.op + std::to_string(counts[{op.module_path, op.op}]++);
    auto verdicts = judge(rules, op.module_path, op.op);
    if (!verdicts.ok()) return verdicts.status();
    op.verdicts = std::move(*verdicts);
    for (size_t r = 0; r < op.verdicts.size(); ++r) {
      if (op.verdicts[r].verdict != Verdict::kTakes) continue;
      if (is_quantized_product(graph, graph.nodes[i])) {
        op.verdicts[r].verdict = Verdict::kQuantized;
        op.verdicts[r].why += ", but the model has it quantized already";
        continue;
      }
      op.rule = static_cast<int>(r);
      used[r] = true;
    }
    out.ops.push_back(std::move(op));
  }
  const bool brevitas =
      std::any_of(rules.rules.begin(), rules.rules.end(), [](const Rule& rule) { return rule.type == "BrevitasRule"; });
  if (brevitas) {
    // These take inputs and activation functions too.
    QL_ASSIGN(const std::vector<BrevitasMatch> sites, match_brevitas_rules(graph, rules));
    for (const BrevitasMatch& match : sites) {
      if (match.rule >= 0) used[static_cast<size_t>(match.rule)] = true;
    }
  }
  for (size_t r = 0; r < used.size(); ++r) {
    if (!used[r]) out.unused_rules.push_back(static_cast<int>(r));
  }
  return out;
}

int RuleMatches::rule_of(int node) const {
  for (const OpMatch& op : ops) {
    if (op.node == node) return op.rule;
  }
  return -1;
}

}  // namespace qlathe
