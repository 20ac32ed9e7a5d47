// Loops, functions of the model, and results whose size depends on data.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/reference/reference_executor.h"
#include "tests/onnx/model_builder.h"

namespace qlathe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ModelBuilder;
using testing::set_float;
using testing::set_int;
using testing::set_ints;

onnx::GraphProto& set_graph(onnx::NodeProto& node, const std::string& name) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::GRAPH);
  return *attribute->mutable_g();
}

void add_node(onnx::GraphProto& graph, const std::string& op, const std::vector<std::string>& inputs,
              const std::string& output) {
  auto* node = graph.add_node();
  node->set_op_type(op);
  for (const std::string& input : inputs)
    node->add_input(input);
  node->add_output(output);
}

/// h' = h * x + outer, and what h' is after each step.
void fill_body(onnx::GraphProto& body, bool loop) {
  if (loop) body.add_input()->set_name("i"), body.add_input()->set_name("cond");
  body.add_input()->set_name("h");
  if (!loop) body.add_input()->set_name("s");
  if (loop) add_node(body, "Identity", {"cond"}, "cond_out");
  add_node(body, "Mul", {"h", loop ? "x" : "s"}, "scaled");
  add_node(body, "Add", {"scaled", "outer"}, "next");
  add_node(body, "Identity", {"next"}, "each");
  if (loop) body.add_output()->set_name("cond_out");
  body.add_output()->set_name("next");
  body.add_output()->set_name("each");
}

TEST(OnnxControl, LoopsCarryValuesAndCollectOthers) {
  ModelBuilder b;
  b.input("x", {1})
      .floats("start", {1}, {1})
      .floats("outer", {1}, {10})
      .ints("count", {3})
      .output("all")
      .output("last");
  fill_body(set_graph(b.node("Loop", {"count", "", "start"}, {"last", "all"}), "body"), true);
  EXPECT_THAT(b.run({{2}}), ElementsAre(12, 34, 78));
}

TEST(OnnxControl, ScansRunBackwardsWhereTheySaySo) {
  ModelBuilder b;
  b.input("x", {3, 1}).floats("start", {1}, {1}).floats("outer", {1}, {10}).output("all").output("last");
  auto& scan = b.node("Scan", {"start", "x"}, {"last", "all"});
  set_int(scan, "num_scan_inputs", 1);
  set_ints(scan, "scan_input_directions", {1});
  fill_body(set_graph(scan, "body"), false);
  // 1 * 3 + 10, then * 2 + 10, then * 1 + 10.
  EXPECT_THAT(b.run({{1, 2, 3}}), ElementsAre(13, 36, 46));
}

TEST(OnnxControl, LoopsOfUnknownLengthAreRefused) {
  ModelBuilder b;
  b.input("x", {1}).input("count", {1}, onnx::TensorProto::INT64).floats("start", {1}, {1}).floats("outer", {1}, {10});
  b.output("last");
  fill_body(set_graph(b.node("Loop", {"count", "", "start"}, {"last", ""}), "body"), true);
  const auto graph = b.read();
  ASSERT_FALSE(graph.ok());
  EXPECT_THAT(graph.status().text(), HasSubstr("M"));
}

TEST(OnnxControl, FunctionsOfTheModelAreReadInPlaceWithTheirAttributes) {
  ModelBuilder b;
  b.input("x", {2}).output("y");
  auto* function = b.model.add_functions();
  function->set_name("Leak");
  function->set_domain("own");
  function->add_input("a");
  function->add_output("r");
  function->add_attribute("slope");
  auto* inner = function->add_node();
  inner->set_op_type("LeakyRelu");
  inner->add_input("a");
  inner->add_output("r");
  auto* reference = inner->add_attribute();
  reference->set_name("alpha");
  reference->set_ref_attr_name("slope");
  reference->set_type(onnx::AttributeProto::FLOAT);
  set_float(b.node("Leak", {"x"}, {"once"}, "own"), "slope", 0.5f);
  set_float(b.node("Leak", {"once"}, {"y"}, "own"), "slope", 0.25f);
  EXPECT_THAT(b.run({{8, -8}}), ElementsAre(8, -1));
}

TEST(OnnxControl, FunctionsThatCallThemselvesAreRefused) {
  ModelBuilder b;
  b.input("x", {2}).output("y");
  auto* function = b.model.add_functions();
  function->set_name("Again");
  function->set_domain("own");
  function->add_input("a");
  function->add_output("r");
  auto* inner = function->add_node();
  inner->set_op_type("Again");
  inner->set_domain("own");
  inner->add_input("a");
  inner->add_output("r");
  b.node("Again", {"x"}, {"y"}, "own");
  const auto graph = b.read();
  ASSERT_FALSE(graph.ok());
  EXPECT_THAT(graph.status().text(), HasSubstr("nested too deeply"));
}

TEST(OnnxControl, SelectedBoxesFillABufferBesideTheirCount) {
  ModelBuilder b;
  b.input("boxes", {1, 4, 4}).input("scores", {1, 1, 4}).ints("most", {3}).floats("iou", {}, {0.5f});
  b.floats("least", {}, {0.1f}).output("selected");
  b.node("NonMaxSuppression", {"boxes", "scores", "most", "iou", "least"}, {"selected"});
  const auto graph = b.read();
  ASSERT_TRUE(graph.ok()) << graph.status().text();
  ASSERT_EQ(graph->outputs.size(), 2u);
  EXPECT_EQ((*graph)[graph->outputs[1]].name, "selected_count");
  // The second overlaps the third, which is better; the last is below the threshold.
  const std::vector<float> boxes = {0, 0, 1, 1, 0, 5, 1, 6, 0, 5.1f, 1, 6.1f, 3, 3, 4, 4},
                           scores = {0.3f, 0.6f, 0.9f, 0};
  const auto out = run_reference(
      *graph, {HostTensor::of(ValueType::kF32, {1, 4, 4}, boxes), HostTensor::of(ValueType::kF32, {1, 1, 4}, scores)});
  ASSERT_TRUE(out.ok()) << out.status().text();
  EXPECT_EQ(out->at(0).shape(), (Shape{3, 3}));
  const auto rows = out->at(0).as<int64_t>();
  EXPECT_THAT(std::vector<int64_t>(rows.begin(), rows.end()), ElementsAre(0, 0, 2, 0, 0, 0, -1, -1, -1));
  EXPECT_EQ(out->at(1).int_at(0), 2);
}

TEST(OnnxControl, ScatteringOutOfRangePlacesNothing) {
  ModelBuilder b;
  b.input("x", {4}).floats("updates", {3}, {7, 8, 9}).input("at", {3, 1}, onnx::TensorProto::INT64).output("y");
  b.node("ScatterND", {"x", "at", "updates"}, {"y"});
  const auto graph = b.read();
  ASSERT_TRUE(graph.ok()) << graph.status().text();
  const auto out = run_reference(*graph, {HostTensor::of(ValueType::kF32, {4}, std::vector<float>{1, 2, 3, 4}),
                                          HostTensor::of(ValueType::kI64, {3, 1}, std::vector<int64_t>{4, -1, -5})});
  ASSERT_TRUE(out.ok()) << out.status().text();
  const auto values = out->at(0).as<float>();
  EXPECT_THAT(std::vector<float>(values.begin(), values.end()), ElementsAre(1, 2, 3, 8));
}

}  // namespace
}  // namespace qlathe
