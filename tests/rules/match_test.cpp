#include "frontend/rules/match.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qlathe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

RuleList rules(const std::string& text) { return parse_rules("rules.json", text).value(); }

// Nodes as a reader makes them; matching looks at their origin only.
Graph graph_of(const std::vector<std::pair<std::string, std::string>>& ops) {
  Graph graph;
  for (const auto& [path, op] : ops) {
    Node node;
    node.op = "x";
    node.origin = {"n" + std::to_string(graph.nodes.size()), path, op, ""};
    graph.nodes.push_back(node);
  }
  return graph;
}

TEST(MatchRules, TheFirstMatchingRuleTakesTheOp) {
  const auto matches = match_rules(graph_of({{"fc1", "dot_general"}, {"", ""}, {"fc2", "dot_general"}}),
                                   rules(R"([{"module_path": "fc2"}, {"module_path": ".*"}, {}])"));
  ASSERT_TRUE(matches.ok());
  ASSERT_EQ(matches->ops.size(), 2u);
  EXPECT_EQ(matches->rule_of(0), 1);
  EXPECT_EQ(matches->rule_of(1), -1);
  EXPECT_EQ(matches->rule_of(2), 0);
  EXPECT_THAT(matches->unused_rules, ElementsAre(2));
}

TEST(MatchRules, OpNamesLimitARule) {
  const auto matches =
      match_rules(graph_of({{"a", "einsum"}, {"a", "dot_general"}}), rules(R"([{"op_names": ["einsum"]}])"));
  EXPECT_EQ(matches->rule_of(0), 0);
  EXPECT_EQ(matches->rule_of(1), -1);
}

TEST(MatchRules, EveryRuleSaysWhyItDoesNotTakeTheOp) {
  const auto matches = match_rules(
      graph_of({{"fc1", "dot_general"}}),
      rules(
          R"([{"module_path": "fc2"}, {"op_names": ["einsum", "conv_general_dilated"]}, {"module_path": "fc."}, {}])"));
  const auto& verdicts = matches->ops[0].verdicts;
  EXPECT_EQ(verdicts[0].why, "module_path 'fc2' does not match 'fc1'");
  EXPECT_EQ(verdicts[1].why, "op_names has einsum, conv_general_dilated, not dot_general");
  EXPECT_EQ(verdicts[2].why, "module_path 'fc.' matches 'fc1'");
  EXPECT_EQ(verdicts[3].why, "module_path '.*' matches, but rules[2] comes first");
  EXPECT_EQ(verdicts[3].verdict, Verdict::kEarlier);
  EXPECT_THAT(matches->unused_rules, ElementsAre(0, 1, 3));
}

TEST(MatchRules, OpsAreNumberedPerModuleAndName) {
  const auto matches = match_rules(
      graph_of({{"a", "dot_general"}, {"a", "einsum"}, {"a", "dot_general"}, {"b", "dot_general"}}), rules("[]"));
  EXPECT_EQ(matches->ops[0].id, "dot_general0");
  EXPECT_EQ(matches->ops[1].id, "einsum0");
  EXPECT_EQ(matches->ops[2].id, "dot_general1");
  EXPECT_EQ(matches->ops[3].id, "dot_general0");
}

TEST(MatchRules, AProductOfIntegersStaysAsItIs) {
  Graph graph;
  const TensorId x = graph.add_input("x", {ValueType::kI8, {2, 3}}), w = graph.add_input("w", {ValueType::kI8, {3, 4}});
  Node node{"dot_general", {x, w}, {}, nullptr, {"fc", "fc", "dot_general", ""}};
  graph.nodes.push_back(node);
  const auto matches = match_rules(graph, rules("[{}]"));
  EXPECT_EQ(matches->rule_of(0), -1);
  EXPECT_EQ(matches->ops[0].verdicts[0].verdict, Verdict::kQuantized);
  EXPECT_EQ(matches->ops[0].verdicts[0].why, "module_path '.*' matches 'fc', but the model has it quantized already");
  EXPECT_THAT(matches->unused_rules, ElementsAre(0));
}

TEST(MatchRules, AnExpensivePatternIsAnErrorAtItsRule) {
  const auto matches =
      match_rules(graph_of({{std::string(64, 'a') + "!", "einsum"}}), rules(R"([{}, {"module_path": "(a+)+$"}])"));
  EXPECT_THAT(matches.status().text(), HasSubstr("rules[1]: module_path: matching"));
}

}  // namespace
}  // namespace qlathe
