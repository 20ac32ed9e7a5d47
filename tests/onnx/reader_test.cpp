// What the reader makes of models and of their mistakes; the operators themselves are held by reference cases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

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

using Floats = std::vector<float>;

std::string refusal(const ModelBuilder& b, const OnnxOptions& options = {}) {
  const auto graph = b.read(options);
  return graph.ok() ? "(read)" : graph.status().text();
}

TEST(OnnxReader, ConvolvesWithPaddingOnOneSideAndStride) {
  ModelBuilder b;
  b.input("x", {1, 1, 3, 3}).floats("w", {1, 1, 2, 2}, {1, 2, 3, 4}).floats("bias", {1}, {10}).output("y");
  auto& conv = b.node("Conv", {"x", "w", "bias"}, {"y"});
  set_ints(conv, "pads", {1, 0, 0, 1});
  set_ints(conv, "strides", {2, 1});
  // Rows -1, 0 and 1, 2; columns 0..2 with one of padding behind.
  EXPECT_THAT(b.run({{1, 2, 3, 4, 5, 6, 7, 8, 9}}),
              ElementsAre(10 + 3 + 8, 10 + 6 + 12, 10 + 9,  //
                          10 + 4 + 10 + 21 + 32, 10 + 5 + 12 + 24 + 36, 10 + 6 + 27));
}

TEST(OnnxReader, TransposedConvolutionScattersItsKernel) {
  ModelBuilder b;
  b.input("x", {1, 1, 1, 2}).floats("w", {1, 1, 1, 3}, {1, 2, 3}).output("y");
  set_ints(b.node("ConvTranspose", {"x", "w"}, {"y"}), "strides", {1, 2});
  EXPECT_THAT(b.run({{1, 10}}), ElementsAre(1, 2, 3 + 10, 20, 30));
}

TEST(OnnxReader, ShapeArithmeticFoldsAway) {
  ModelBuilder b;
  b.input("x", {2, 6}).ints("zero", {0}).ints("open", {-1}).ints("three", {3}).output("y");
  b.node("Shape", {"x"}, {"shape"});
  b.node("Gather", {"shape", "zero"}, {"rows"});
  b.node("Mul", {"rows", "three"}, {"more"});
  set_int(b.node("Concat", {"more", "open"}, {"to"}), "axis", 0);
  b.node("Reshape", {"x", "to"}, {"y"});
  const auto graph = b.read();
  ASSERT_TRUE(graph.ok()) << graph.status().text();
  EXPECT_EQ((*graph)[graph->outputs[0]].shape(), (Shape{6, 2}));
  EXPECT_EQ(graph->nodes.size(), 1u) << "only the reshape runs with the model";
}

TEST(OnnxReader, RulesSeeModulesByTheNodesScopeOrTheWeightsName) {
  ModelBuilder b;
  b.input("x", {1, 2}).floats("encoder.fc1.weight", {2, 2}, {1, 2, 3, 4}).floats("w", {2, 2}, {1, 2, 3, 4}).output("y");
  b.node("Gemm", {"x", "encoder.fc1.weight"}, {"a"});
  b.node("MatMul", {"a", "w"}, {"c"}).set_name("/head/fc/MatMul");
  b.node("MatMul", {"c", "w"}, {"d"}).set_name("net/last/MatMul;net/last/Relu;net/other/BiasAdd");
  b.node("MatMul", {"d", "w"}, {"y"}).set_name("Conv_81");
  const auto graph = b.read();
  ASSERT_TRUE(graph.ok()) << graph.status().text();
  std::vector<std::string> seen;
  for (const Node& node : graph->nodes) {
    if (!node.origin.rule_op.empty()) seen.push_back(node.origin.module_path + " " + node.origin.rule_op);
  }
  EXPECT_THAT(seen, ElementsAre("encoder/fc1 dot_general", "head/fc dot_general", "net/last dot_general",
                                "Conv_81 dot_general"));
}

TEST(OnnxReader, NodesMayStandInAnyOrder) {
  ModelBuilder b;
  b.input("x", {2}).output("y");
  b.node("Neg", {"middle"}, {"y"});
  b.node("Abs", {"x"}, {"middle"});
  EXPECT_THAT(b.run({{-3, 4}}), ElementsAre(-3, -4));
}

TEST(OnnxReader, ACycleIsAnErrorThatNamesItsTensor) {
  ModelBuilder b;
  b.input("x", {2}).output("y");
  b.node("Add", {"x", "b"}, {"a"});
  b.node("Neg", {"a"}, {"b"});
  b.node("Neg", {"b"}, {"y"});
  EXPECT_THAT(refusal(b), HasSubstr("cycle"));
}

TEST(OnnxReader, AllUnsupportedOperatorsAreListedAtOnce) {
  ModelBuilder b;
  b.input("x", {2}).output("y");
  b.node("NoSuchOp", {"x"}, {"a"});
  b.node("Relu", {"a"}, {"b"});
  b.node("AnotherOne", {"b"}, {"c"}, "com.example");
  b.node("Reluu", {"c"}, {"y"});
  const std::string text = refusal(b);
  EXPECT_THAT(text, HasSubstr("NoSuchOp"));
  EXPECT_THAT(text, HasSubstr("com.example:AnotherOne"));
  EXPECT_THAT(text, HasSubstr("did you mean 'Relu'"));
}

TEST(OnnxReader, AnAttributeThatIsNotReadIsRefusedByName) {
  ModelBuilder b;
  b.input("x", {2}).output("y");
  set_int(b.node("Relu", {"x"}, {"y"}), "shiny", 1);
  EXPECT_THAT(refusal(b), HasSubstr("shiny"));
}

TEST(OnnxReader, SymbolicDimensionsAreBoundByInputOrByName) {
  ModelBuilder b;
  b.input("x", {-1, 2}).output("y");
  b.node("Relu", {"x"}, {"y"});
  EXPECT_THAT(refusal(b), HasSubstr("--shape x=1x2"));
  OnnxOptions by_input, by_name, wrong, unknown;
  by_input.shapes["x"] = {3, 2};
  by_name.dimensions["n"] = 5;
  wrong.shapes["x"] = {3, 4};
  unknown.shapes["z"] = {3, 4};
  EXPECT_EQ((*b.read(by_input))[TensorId{0}].shape(), (Shape{3, 2}));
  EXPECT_EQ((*b.read(by_name))[TensorId{0}].shape(), (Shape{5, 2}));
  EXPECT_THAT(refusal(b, wrong), HasSubstr("the model states nx2"));
  EXPECT_THAT(refusal(b, unknown), HasSubstr("z"));
}

TEST(OnnxReader, IfWithAKnownConditionIsItsBranch) {
  ModelBuilder b;
  b.input("x", {2}).output("y");
  auto* condition = b.model.mutable_graph()->add_initializer();
  condition->set_name("c");
  condition->set_data_type(onnx::TensorProto::BOOL);
  condition->set_raw_data(std::string(1, '\0'));
  auto& node = b.node("If", {"c"}, {"y"});
  for (const char* branch : {"then_branch", "else_branch"}) {
    auto* attribute = node.add_attribute();
    attribute->set_name(branch);
    attribute->set_type(onnx::AttributeProto::GRAPH);
    auto* inner = attribute->mutable_g()->add_node();
    inner->set_op_type(branch[0] == 't' ? "Abs" : "Neg");
    inner->add_input("x");
    inner->add_output("r");
    attribute->mutable_g()->add_output()->set_name("r");
  }
  EXPECT_THAT(b.run({{-1, 2}}), ElementsAre(1, -2));
}

TEST(OnnxReader, QuantizeRoundsHalfToEvenBeforeTheZeroPoint) {
  ModelBuilder b;
  b.input("x", {6}).floats("s", {}, {2}).bytes("z", {}, {3}, false).output("y");
  b.node("QuantizeLinear", {"x", "s", "z"}, {"y"});
  EXPECT_THAT(b.run({{1, 3, 5, -1, -100, 1e9f}}), ElementsAre(3, 5, 5, 3, 0, 255));
}

TEST(OnnxReader, AScaleOfZeroIsRefused) {
  ModelBuilder b;
  b.input("x", {2}).floats("s", {}, {0}).output("y");
  b.node("QuantizeLinear", {"x", "s"}, {"y"});
  EXPECT_THAT(refusal(b), HasSubstr("a scale is a positive finite number"));
}

TEST(OnnxReader, AScaleOfZeroIsRefusedInAnyFloatType) {
  ModelBuilder b;
  b.input("x", {2}).output("y");
  auto* scale = b.model.mutable_graph()->add_initializer();
  scale->set_name("s");
  scale->set_data_type(onnx::TensorProto::FLOAT16);
  scale->add_int32_data(0);
  b.node("QuantizeLinear", {"x", "s"}, {"y"});
  EXPECT_THAT(refusal(b), HasSubstr("a scale is a positive finite number"));
}

TEST(OnnxReader, AZeroPointOfATypeThatNothingIsQuantizedToIsRefused) {
  ModelBuilder b;
  b.input("x", {2}).floats("s", {}, {1}).ints("z", {3}).output("y");
  b.node("QuantizeLinear", {"x", "s", "z"}, {"y"});
  EXPECT_THAT(refusal(b), HasSubstr("zero_point: is int64"));
}

TEST(OnnxReader, OpsetsThatAreNotThereOrNewerAreRefused) {
  ModelBuilder b(99);
  b.input("x", {2}).output("y");
  b.node("Relu", {"x"}, {"y"});
  EXPECT_THAT(refusal(b), HasSubstr("opset 99 is not supported"));
  b.model.clear_opset_import();
  EXPECT_THAT(refusal(b), HasSubstr("does not say which opset"));
}

TEST(OnnxReader, BeforeOpset7TheAttributeAxisPlacesTheRightOperand) {
  ModelBuilder b(6);
  b.input("x", {1, 2, 2}).floats("w", {2}, {10, 20}).output("y");
  auto& node = b.node("Add", {"x", "w"}, {"y"});
  set_int(node, "broadcast", 1);
  set_int(node, "axis", 1);
  EXPECT_THAT(b.run({{1, 2, 3, 4}}), ElementsAre(11, 12, 23, 24));
}

TEST(OnnxReader, AttributesThatOperatorsHadBeforeOpset7AreRefused) {
  ModelBuilder b(6);
  b.input("x", {2}).output("y");
  set_int(b.node("Equal", {"x", "x"}, {"y"}), "broadcast", 1);
  EXPECT_THAT(refusal(b), HasSubstr("broadcast: unsupported: is not supported here"));
}

TEST(OnnxReader, ABatchNormalizationInTrainingModeTakesTheStatisticsOfTheBatch) {
  ModelBuilder b;
  b.input("x", {2, 1, 2}).floats("s", {1}, {2}).floats("b", {1}, {1}).floats("m", {1}, {4}).floats("v", {1}, {1});
  b.output("y").output("mean").output("var");
  auto& node = b.node("BatchNormalization", {"x", "s", "b", "m", "v"}, {"y", "mean", "var"});
  set_int(node, "training_mode", 1);
  set_float(node, "momentum", 0.75f);
  set_float(node, "epsilon", 0);
  const Graph graph = b.read().value();
  const auto outputs = ReferenceExecutor().prepare(graph).value()->run(
      {HostTensor::of(ValueType::kF32, {2, 1, 2}, std::vector<float>{1, 3, 1, 3})});
  ASSERT_TRUE(outputs.ok()) << outputs.status().text();
  const auto values = [&](size_t i) {
    const auto span = (*outputs)[i].as<float>();
    return std::vector<float>(span.begin(), span.end());
  };
  EXPECT_THAT(values(0), ElementsAre(-1, 3, -1, 3));  // mean 2, variance 1
  EXPECT_THAT(values(1), ElementsAre(3.5f));
  EXPECT_THAT(values(2), ElementsAre(1));
}

TEST(OnnxReader, StatisticsThatAreComputedNormalizeABatch) {
  ModelBuilder b;
  b.input("x", {1, 2, 1}).input("v", {2}).floats("one", {2}, {1, 1}).floats("zero", {2}, {0, 0}).output("y");
  set_float(b.node("BatchNormalization", {"x", "one", "zero", "one", "v"}, {"y"}), "epsilon", 0);
  EXPECT_THAT(b.run({{3, 5}, {4, 16}}), ElementsAre(1, 1));
}

TEST(OnnxReader, Uint64IsInt64BelowItsLimit) {
  ModelBuilder b;
  b.input("x", {2}, onnx::TensorProto::UINT64).output("y");
  auto& limit = *b.model.mutable_graph()->add_initializer();
  limit.set_name("c");
  limit.set_data_type(onnx::TensorProto::UINT64);
  limit.add_dims(1);
  limit.add_uint64_data(7);
  b.node("Div", {"x", "c"}, {"y"});
  const Graph graph = b.read().value();
  const auto outputs = ReferenceExecutor().prepare(graph).value()->run(
      {HostTensor::of(ValueType::kI64, {2}, std::vector<int64_t>{20, int64_t{7} << 40})});
  ASSERT_TRUE(outputs.ok()) << outputs.status().text();
  EXPECT_EQ((*outputs)[0].int_at(0), 2);
  EXPECT_EQ((*outputs)[0].int_at(1), int64_t{1} << 40);
  limit.set_uint64_data(0, uint64_t{1} << 63);
  EXPECT_THAT(refusal(b), HasSubstr("c: data: unsupported: holds uint64 values of 2^63 and more"));
}

TEST(OnnxReader, ANameThatIsMadeTwiceIsRefused) {
  ModelBuilder b;
  b.input("x", {2}).output("y");
  b.node("Relu", {"x"}, {"y"});
  b.node("Neg", {"x"}, {"y"});
  EXPECT_THAT(refusal(b), HasSubstr("output: 'y' is there already"));
}

TEST(OnnxReader, OperandsThatTheOperatorDoesNotKnowAreRefused) {
  ModelBuilder b;
  b.input("x", {2}).input("z", {2}).output("y");
  b.node("Relu", {"x", "z"}, {"y"});
  EXPECT_THAT(refusal(b), HasSubstr("operand 1 (z) is not supported"));
}

TEST(OnnxReader, AKnownIndexOutOfRangeIsRefused) {
  ModelBuilder b;
  b.input("x", {2}).ints("i", {2}).output("y");
  b.node("Gather", {"x", "i"}, {"y"});
  EXPECT_THAT(refusal(b), HasSubstr("2 is no index of 2 elements"));
}

TEST(OnnxReader, AttentionSeesItsWindowOfTheKeysThatAreThere) {
  ModelBuilder b(25);
  // All scores are equal: every query averages the values that it sees. Its position is its index + 3 keys - 2 queries.
  b.input("q", {1, 1, 2, 1}).input("v", {1, 1, 4, 1}).floats("k", {1, 1, 4, 1}, {0, 0, 0, 0}).ints("there", {3});
  b.output("y");
  auto& node = b.node("Attention", {"q", "k", "v", "", "", "", "there"}, {"y"});
  set_int(node, "left_window_size", 1);
  EXPECT_THAT(b.run({{1, 1}, {2, 4, 8, 100}}), ElementsAre(::testing::FloatNear(14.f / 3, 1e-5f), 6));
  set_int(node, "is_causal", 1);
  EXPECT_THAT(b.run({{1, 1}, {2, 4, 8, 100}}), ElementsAre(3, 6));
}

TEST(OnnxReader, AnIntegerProductSubtractsBothZeroPoints) {
  ModelBuilder b;
  b.input("a", {1, 2}, onnx::TensorProto::UINT8).bytes("w", {2, 1}, {5, -6}, true);
  b.bytes("az", {}, {10}, false).bytes("wz", {}, {1}, true).output("y");
  b.node("MatMulInteger", {"a", "w", "az", "wz"}, {"y"});
  const auto graph = b.read();
  ASSERT_TRUE(graph.ok()) << graph.status().text();
  EXPECT_EQ((*graph)[graph->outputs[0]].type.type, ValueType::kI32);
}

TEST(OnnxReader, WeightsOfFourBitsInBlocksMultiplyTheirScales) {
  ModelBuilder b;
  // Two columns, K = 4 in blocks of 2; codes low nibble first, less 8: column 0 is 1 2 | 3 -8, column 1 is 0 0 | 7 1.
  b.input("a", {1, 4}).bytes("w", {2, 2, 1}, {0xA9, 0x0B, 0x88, 0x9F}, false);
  b.floats("s", {4}, {1, 10, 2, 0.5f}).output("y");
  auto& node = b.node("MatMulNBits", {"a", "w", "s"}, {"y"}, "com.microsoft");
  for (const auto& [name, value] :
       {std::pair{"K", 4}, std::pair{"N", 2}, std::pair{"bits", 4}, std::pair{"block_size", 2}})
    set_int(node, name, value);
  EXPECT_THAT(b.run({{1, 1, 1, 1}}), ElementsAre(1 + 2 + 10 * (3 - 8), 0.5f * (7 + 1)));
}

TEST(OnnxReader, TheLastBlockOfWeightsMayBeFilledUp) {
  ModelBuilder b;
  // K = 3 in blocks of 2; the last code belongs to nothing.
  b.input("a", {1, 3}).bytes("w", {1, 2, 1}, {0xA9, 0xFB}, false).floats("s", {2}, {1, 10}).output("y");
  auto& node = b.node("MatMulNBits", {"a", "w", "s"}, {"y"}, "com.microsoft");
  for (const auto& [name, value] :
       {std::pair{"K", 3}, std::pair{"N", 1}, std::pair{"bits", 4}, std::pair{"block_size", 2}})
    set_int(node, name, value);
  EXPECT_THAT(b.run({{1, 1, 1}}), ElementsAre(1 + 2 + 10 * 3));
}

TEST(OnnxReader, TruncatedTensorDataIsRefused) {
  ModelBuilder b;
  b.input("x", {2}).floats("w", {1000}, {1, 2, 3}).output("y");
  b.node("Add", {"x", "w"}, {"y"});
  EXPECT_THAT(refusal(b), HasSubstr("needs 1000"));
}

TEST(OnnxReader, AbsurdDimensionsAreRefusedWithoutMemory) {
  ModelBuilder b;
  b.input("x", {1LL << 40, 1LL << 40}).output("y");
  b.node("Relu", {"x"}, {"y"});
  EXPECT_THAT(refusal(b), HasSubstr("test.onnx"));
  ModelBuilder c;
  c.ints("shape", {1LL << 30, 1LL << 9}).output("y");
  c.node("ConstantOfShape", {"shape"}, {"y"});
  EXPECT_THAT(refusal(c), HasSubstr("GiB"));
}

TEST(OnnxReader, ADamagedFileIsRefused) {
  ModelBuilder b;
  b.input("x", {2}).output("y");
  b.node("Relu", {"x"}, {"y"});
  const std::string whole = b.serialized();
  for (size_t length = 0; length < whole.size(); length++) {
    const auto graph = read_onnx_bytes("cut.onnx", whole.substr(0, length));
    if (graph.ok()) continue;  // protobuf cannot tell a cut behind a whole field
    EXPECT_THAT(graph.status().text(), HasSubstr("cut.onnx"));
  }
  EXPECT_FALSE(read_onnx_bytes("text.onnx", "this is no model").ok());
}

class OnnxExternalData : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("onnx_external_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::create_directories(folder_ / "model");
    const float values[] = {10, 20};
    for (const char* file : {"model/weights.bin", "secret.bin"})
      std::ofstream(folder_ / file, std::ios::binary).write(reinterpret_cast<const char*>(values), 8);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<Graph> read(const std::string& location, const std::string& offset, const std::string& length) {
    ModelBuilder b;
    b.input("x", {2}).output("y");
    b.node("Add", {"x", "w"}, {"y"});
    auto* w = b.model.mutable_graph()->add_initializer();
    w->set_name("w");
    w->set_data_type(onnx::TensorProto::FLOAT);
    w->add_dims(2);
    w->set_data_location(onnx::TensorProto::EXTERNAL);
    for (const auto& [key, value] :
         {std::pair{"location", location}, std::pair{"offset", offset}, std::pair{"length", length}}) {
      auto* entry = w->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    const std::filesystem::path file = folder_ / "model" / "model.onnx";
    std::ofstream(file, std::ios::binary) << b.serialized();
    return read_onnx(file.string());
  }
  std::string refusal(const std::string& location, const std::string& offset = "0", const std::string& length = "8") {
    const auto graph = read(location, offset, length);
    return graph.ok() ? "(read)" : graph.status().text();
  }

  std::filesystem::path folder_;
};

TEST_F(OnnxExternalData, IsReadFromBesideTheModel) {
  const auto graph = read("weights.bin", "0", "8");
  ASSERT_TRUE(graph.ok()) << graph.status().text();
  EXPECT_EQ((*graph)[graph->find("w")].data->as<float>()[1], 20);
}

TEST_F(OnnxExternalData, NeverLeavesTheFolderOfTheModel) {
  EXPECT_THAT(refusal("../secret.bin"), HasSubstr("below the folder of the model"));
  EXPECT_THAT(refusal((folder_ / "secret.bin").string()), HasSubstr("below the folder of the model"));
  std::filesystem::create_symlink(folder_ / "secret.bin", folder_ / "model" / "link.bin");
  EXPECT_THAT(refusal("link.bin"), HasSubstr("outside the folder"));
}

TEST_F(OnnxExternalData, MustBeThereAndLongEnough) {
  EXPECT_THAT(refusal("none.bin"), HasSubstr("none.bin"));
  EXPECT_THAT(refusal("weights.bin", "4"), HasSubstr("truncated"));
  EXPECT_THAT(refusal("weights.bin", "-4"), HasSubstr("offset"));
  EXPECT_THAT(refusal("weights.bin", "18446744073709551612"), HasSubstr("truncated"));
}

}  // namespace
}  // namespace qlathe
