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
  if (rule.qwix->activation) out += rule.qwix->static_activations ? " static" : " dynamic";
  return out;
}

Status explain(const Arguments& arguments) {
  QL_ASSIGN(const SourceModel model, read_model(arguments.operands()[0]));
  QL_ASSIGN(const std::optional<RuleList> found, read_rules_for(model, arguments.get("rules")));
  const RuleList rules = found ? *found : RuleList();
  QL_ASSIGN(const RuleMatches matches, match_rules(model.graph, rules));
  if (arguments.has("json")) {
    JsonText json;
    json.object().key("ops").array();
    for (const OpMatch& op : matches.ops) {
      json.object().member("name", op.name).member("module_path", op.module_path).member("op", op.op);
      json.member("rule", op.rule).key("verdicts").array();
      for (const RuleVerdict& verdict : op.verdicts)
        json.object().member("verdict", verdict_name(verdict.verdict)).member("why", verdict.why).end();
      json.end().end();
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
                op.rule < 0 ? "no rule takes it" : ("rule " + std::to_string(op.rule)).c_str());
    for (size_t r = 0; r < op.verdicts.size(); r++) {
      const bool takes = op.verdicts[r].verdict == Verdict::kTakes;
      std::printf("  %s rule %zu: %s\n", takes ? "✓" : "·", r, op.verdicts[r].why.c_str());
    }
  }
  for (const int unused : matches.unused_rules) {
    const Rule& rule = rules.rules[static_cast<size_t>(unused)];
    if (rule.type == "QuantizationRule")
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
      "path of the op's module, and whose op_names is empty or names the op, takes it.";
  command.options = {{"rules", "FILE", "list of rules (JSON); the model's own where absent", 'r', "", {}},
                     json_option()};
  command.example = "  qlathe rules examples/digits/digits.json --rules examples/digits/rules/int4_weights.json";
  command.run = [](const Arguments& arguments) { return finish(explain(arguments)); };
  return command;
}

}  // namespace qlathe::cli
