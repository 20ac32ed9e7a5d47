#include <algorithm>
#include <cstdio>

#include "cli/commands/commands.h"
#include "cli/commands/common.h"
#include "cli/terminal/terminal.h"

namespace qlathe::cli {
namespace {

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kTakes:
      return "takes";
    case Verdict::kEarlier:
      return "earlier";
    case Verdict::kOtherOp:
      return "other_op";
    case Verdict::kOtherPath:
      return "other_path";
    case Verdict::kQuantized:
      return "quantized";
  }
  return "";
}

std::string rule_text(const Rule& rule) {
  std::string out = "module_path '" + rule.module_path + "'";
  for (const std::string& op : rule.op_names)
    out += (&op == &rule.op_names.front() ? ", op_names " : " ") + op;
  if (!rule.qwix) return out + ", " + rule.type;
  out += std::string(", weights ") + (rule.qwix->weight ? rule.qwix->weight->name : "float");
  out += std::string(", activations ") + (rule.qwix->activation ? rule.qwix->activation->name : "float");
  if (rule.qwix->tile_size) out += ", tile_size " + rule.qwix->tile_size->text();
  if (rule.qwix->block_int) out += " block_int";
  if (rule.qwix->activation) out += rule.qwix->static_activations ? " static" : " dynamic";
  return out;
}

std::string taker(int rule) { return rule < 0 ? "no rule takes it" : "rule " + std::to_string(rule); }

void print_verdicts(const std::vector<RuleVerdict>& verdicts, int rule) {
  for (size_t r = 0; r < verdicts.size(); r++) {
    const bool takes = static_cast<int>(r) == rule;
    // A QuantizationRule before it keeps a place from a BrevitasRule, and has nothing to do with it itself.
    const bool keeps = !takes && verdicts[r].verdict == Verdict::kTakes;
    std::printf("  %s rule %zu: %s%s\n", takes ? "✓" : "·", r, verdicts[r].why.c_str(),
                keeps ? ", but only a BrevitasRule quantizes it" : "");
  }
}

void json_verdicts(JsonText& json, const std::vector<RuleVerdict>& verdicts) {
  json.key("verdicts").array();
  for (const RuleVerdict& verdict : verdicts)
    json.object().member("verdict", verdict_name(verdict.verdict)).member("why", verdict.why).end();
  json.end();
}

/// Inputs and activation functions, which only BrevitasRules take: nothing where the list has none.
Result<std::vector<BrevitasMatch>> match_activations(const Graph& graph, const RuleList& rules) {
  std::vector<BrevitasMatch> out;
  const bool brevitas =
      std::any_of(rules.rules.begin(), rules.rules.end(), [](const Rule& rule) { return rule.type == "BrevitasRule"; });
  if (!brevitas) return out;
  QL_ASSIGN(std::vector<BrevitasMatch> all, match_brevitas_rules(graph, rules));
  for (BrevitasMatch& match : all) {
    if (match.site.kind != BrevitasSite::Kind::kLayer) out.push_back(std::move(match));
  }
  return out;
}

Status explain(const Arguments& arguments) {
  QL_ASSIGN(const SourceModel model, read_given_model(arguments));
  QL_ASSIGN(const std::optional<RuleList> found, read_rules_for(model, arguments.get("rules")));
  const RuleList rules = found ? *found : RuleList();
  QL_ASSIGN(const RuleMatches matches, match_rules(model.graph, rules));
  // What BrevitasRules ask for is read here too, so that mistakes show now and not when the rules are applied.
  QL_RETURN_IF_ERROR(brevitas_targets(model.graph, rules).status());
  QL_ASSIGN(const std::vector<BrevitasMatch> activations, match_activations(model.graph, rules));
  if (arguments.has("json")) {
    JsonText json;
    json.object().key("ops").array();
    for (const OpMatch& op : matches.ops) {
      json.object().member("name", op.name).member("module_path", op.module_path).member("op", op.op);
      json.member("rule", op.rule);
      json_verdicts(json, op.verdicts);
      json.end();
    }
    json.end().key("activations").array();
    for (const BrevitasMatch& match : activations) {
      json.object().member("path", match.site.path).member("op", match.site.op).member("rule", match.rule);
      json_verdicts(json, match.verdicts);
      json.end();
    }
    json.end().key("unused_rules").array();
    for (const int rule : matches.unused_rules)
      json.value(rule);
    std::fputs(json.end().end().text().c_str(), stdout);
    return {};
  }
  for (size_t r = 0; r < rules.rules.size(); r++)
    std::printf("rule %zu  %s\n", r, rule_text(rules.rules[r]).c_str());
  if (rules.rules.empty()) std::printf("no rules: the model stays as it is\n");
  for (const OpMatch& op : matches.ops) {
    std::printf("\n%s  (%s in module '%s')  %s\n", op.name.c_str(), op.op.c_str(), op.module_path.c_str(),
                taker(op.rule).c_str());
    print_verdicts(op.verdicts, op.rule);
  }
  for (const BrevitasMatch& match : activations) {
    std::printf("\n%s  (%s)  %s\n", match.site.path.c_str(), match.site.op.c_str(), taker(match.rule).c_str());
    print_verdicts(match.verdicts, match.rule);
  }
  for (const int unused : matches.unused_rules) {
    const Rule& rule = rules.rules[static_cast<size_t>(unused)];
    print_warning("rule " + std::to_string(unused) + " takes no op: " + rule_text(rule));
  }
  return {};
}

}  // namespace

Command rules_command() {
  Command command;
  command.name = "rules";
  command.summary = "show which rule takes which op, and why the others do not";
  command.operands = {"MODEL"};
  command.details =
      "For every op that rules can take: the verdict of every rule. The first rule whose module_path matches the "
      "whole\n"
      "path of the op's module, and whose op_names is empty or names the op, takes it. Where the list has "
      "BrevitasRules,\n"
      "inputs and activation functions follow, which they take too.";
  command.options = {{"rules", "FILE", "list of rules (JSON); the model's own where absent", 'r', "", {}},
                     json_option()};
  add_model_options(command.options);
  command.example = "  qlathe rules examples/digits/digits.json --rules examples/digits/rules/int4_weights.json";
  command.run = [](const Arguments& arguments) { return finish(explain(arguments)); };
  return command;
}

}  // namespace qlathe::cli
