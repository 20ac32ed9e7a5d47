// What the TFLite reader says of damaged files, and what it makes of what a file leaves open. The operators themselves
// are held by reference cases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tflite_schema_generated.h>

#include "frontend/formats/tflite/tflite.h"
#include "frontend/reference/reference_executor.h"

namespace qlathe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A model of one operator: y = op(x, constant?).
class Model {
 public:
  explicit Model(tflite::BuiltinOperator op) {
    model_.version = 3;
    model_.buffers.push_back(std::make_unique<tflite::BufferT>());
    auto code = std::make_unique<tflite::OperatorCodeT>();
    code->builtin_code = op;
    code->deprecated_builtin_code = static_cast<int8_t>(std::min(127, static_cast<int>(op)));
    model_.operator_codes.push_back(std::move(code));
    model_.subgraphs.push_back(std::make_unique<tflite::SubGraphT>());
    graph().operators.push_back(std::make_unique<tflite::OperatorT>());
  }
  tflite::ModelT& model() { return model_; }
  tflite::SubGraphT& graph() { return *model_.subgraphs[0]; }
  tflite::OperatorT& op() { return *graph().operators[0]; }
  tflite::TensorT& tensor(const std::string& name, std::vector<int32_t> shape, tflite::TensorType type) {
    auto tensor = std::make_unique<tflite::TensorT>();
    tensor->name = name;
    tensor->shape = std::move(shape);
    tensor->type = type;
    graph().tensors.push_back(std::move(tensor));
    return *graph().tensors.back();
  }
  int32_t last() { return static_cast<int32_t>(graph().tensors.size()) - 1; }
  tflite::TensorT& input(const std::string& name, std::vector<int32_t> shape,
                         tflite::TensorType type = tflite::TensorType::FLOAT32) {
    tflite::TensorT& t = tensor(name, std::move(shape), type);
    graph().inputs.push_back(last());
    op().inputs.push_back(last());
    return t;
  }
  template <class T>
  tflite::TensorT& constant(const std::string& name, std::vector<int32_t> shape, tflite::TensorType type,
                            const std::vector<T>& values) {
    tflite::TensorT& t = tensor(name, std::move(shape), type);
    auto buffer = std::make_unique<tflite::BufferT>();
    buffer->data.resize(values.size() * sizeof(T));
    std::memcpy(buffer->data.data(), values.data(), buffer->data.size());
    t.buffer = static_cast<uint32_t>(model_.buffers.size());
    model_.buffers.push_back(std::move(buffer));
    op().inputs.push_back(last());
    return t;
  }
  tflite::TensorT& output(const std::string& name, std::vector<int32_t> shape,
                          tflite::TensorType type = tflite::TensorType::FLOAT32) {
    tflite::TensorT& t = tensor(name, std::move(shape), type);
    graph().outputs.push_back(last());
    op().outputs.push_back(last());
    return t;
  }
  std::string bytes() const {
    flatbuffers::FlatBufferBuilder builder;
    tflite::FinishModelBuffer(builder, tflite::Model::Pack(builder, &model_));
    return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
  }
  Result<Graph> read(const TfliteOptions& options = {}) const {
    return read_tflite_bytes("m.tflite", bytes(), options);
  }
  std::string refusal(const TfliteOptions& options = {}) const {
    const auto graph = read(options);
    return graph.ok() ? "(read)" : graph.status().text();
  }

 private:
  tflite::ModelT model_;
};

Model relu() {
  Model m(tflite::BuiltinOperator::RELU);
  m.input("x", {1, 4});
  m.output("y", {1, 4});
  return m;
}

std::unique_ptr<tflite::QuantizationParametersT> quantized(float scale, int64_t zero_point) {
  auto q = std::make_unique<tflite::QuantizationParametersT>();
  q->scale = {scale};
  q->zero_point = {zero_point};
  return q;
}

TEST(TfliteReader, AnEmptyFileIsNoModel) {
  EXPECT_THAT(read_tflite_bytes("m.tflite", "").status().text(), HasSubstr("TFL3"));
  EXPECT_THAT(read_tflite_bytes("m.tflite", std::string(100, 'x')).status().text(), HasSubstr("TFL3"));
}

TEST(TfliteReader, EveryTruncationIsRefused) {
  const std::string whole = relu().bytes();
  for (size_t n = 0; n < whole.size(); n++) {
    const auto graph = read_tflite_bytes("m.tflite", whole.substr(0, n));
    EXPECT_FALSE(graph.ok()) << "of " << whole.size() << " bytes the first " << n << " were read as a model";
  }
}

TEST(TfliteReader, IndicesOutOfRangeNameTheOperator) {
  Model m = relu();
  m.op().inputs = {7};
  EXPECT_THAT(m.refusal(), HasSubstr("operator 0 (RELU)"));
  Model code = relu();
  code.op().opcode_index = 5;
  EXPECT_THAT(code.refusal(), HasSubstr("operator code 5 of 1"));
  Model buffer = relu();
  buffer.graph().tensors[0]->buffer = 9;
  EXPECT_THAT(buffer.refusal(), HasSubstr("buffer 9 of 1"));
}

TEST(TfliteReader, AnOperatorThatReadsItsOwnResultIsACycle) {
  Model m = relu();
  m.op().inputs = {1};
  EXPECT_THAT(m.refusal(), HasSubstr("m.tflite"));
  EXPECT_NE(m.refusal(), "(read)");
}

TEST(TfliteReader, UnsupportedOperatorsAreListedTogether) {
  Model m(tflite::BuiltinOperator::HASHTABLE);
  m.input("x", {1});
  m.output("y", {1});
  auto code = std::make_unique<tflite::OperatorCodeT>();
  code->builtin_code = tflite::BuiltinOperator::RFFT2D;
  code->deprecated_builtin_code = 127;
  m.model().operator_codes.push_back(std::move(code));
  auto second = std::make_unique<tflite::OperatorT>(m.op());
  second->opcode_index = 1;
  m.graph().operators.push_back(std::move(second));
  EXPECT_THAT(m.refusal(), HasSubstr("HASHTABLE"));
  EXPECT_THAT(m.refusal(), HasSubstr("RFFT2D"));
}

TEST(TfliteReader, QuantizedOperatorsNeedTheirScales) {
  Model m(tflite::BuiltinOperator::ADD);
  m.input("a", {1, 4}, tflite::TensorType::INT8);
  m.input("b", {1, 4}, tflite::TensorType::INT8).quantization = quantized(0.5f, 0);
  m.output("y", {1, 4}, tflite::TensorType::INT8).quantization = quantized(0.5f, 0);
  EXPECT_THAT(m.refusal(), HasSubstr("quantization of a"));
}

TEST(TfliteReader, ScalesAndZeroPointsThatMeanNothingAreRefused) {
  for (const auto& [scale, zero] : std::vector<std::pair<float, int64_t>>{
           {0.0f, 0}, {-1.0f, 0}, {std::numeric_limits<float>::quiet_NaN(), 0}, {0.5f, 300}}) {
    Model m(tflite::BuiltinOperator::LOGISTIC);
    m.input("x", {1, 4}, tflite::TensorType::INT8).quantization = quantized(scale, zero);
    m.output("y", {1, 4}, tflite::TensorType::INT8).quantization = quantized(1 / 256.f, -128);
    EXPECT_THAT(m.refusal(), HasSubstr("quantization of x")) << scale << ", " << zero;
  }
}

TEST(TfliteReader, ConstantsOfTheWrongSizeAreRefused) {
  Model m(tflite::BuiltinOperator::ADD);
  m.input("x", {1, 4});
  m.constant<float>("c", {1, 4}, tflite::TensorType::FLOAT32, {1, 2, 3});
  m.output("y", {1, 4});
  EXPECT_THAT(m.refusal(), HasSubstr("12 bytes of data, shape 1x4 of float32 needs 16"));
}

TEST(TfliteReader, AbsurdShapesAreRefused) {
  for (const std::vector<int32_t>& shape : std::vector<std::vector<int32_t>>{{-3, 4}, {1 << 30, 1 << 30, 1 << 30}}) {
    Model m(tflite::BuiltinOperator::RELU);
    m.input("x", shape);
    m.output("y", shape);
    EXPECT_NE(m.refusal(), "(read)");
  }
}

TEST(TfliteReader, TheBatchMayBeBoundAndOtherExtentsMayNot) {
  TfliteOptions options;
  options.shapes["x"] = {3, 4};
  const auto graph = relu().read(options);
  ASSERT_TRUE(graph.ok()) << graph.status().text();
  EXPECT_EQ((*graph)[graph->outputs[0]].shape(), (Shape{3, 4}));
  options.shapes["x"] = {1, 5};
  EXPECT_THAT(relu().refusal(options), HasSubstr("bound to 1x5, the model states 1x4"));
  EXPECT_THAT(relu().refusal({TfliteNumerics::kLitertRef, {{"z", {1}}}, {}}), HasSubstr("no input of the model"));
}

TEST(TfliteReader, FullyConnectedScalesInFloat64AsTheReferenceKernelDoes) {
  Model m(tflite::BuiltinOperator::FULLY_CONNECTED);
  m.input("x", {1, 1}, tflite::TensorType::INT8).quantization = quantized(1, 0);
  m.constant<int8_t>("w", {1, 1}, tflite::TensorType::INT8, {1}).quantization = quantized(0.5f, 0);
  m.output("y", {1, 1}, tflite::TensorType::INT8).quantization = quantized(1, 3);
  const auto graph = m.read();
  ASSERT_TRUE(graph.ok()) << graph.status().text();
  // Half away from zero on both sides, then the zero point.
  for (const auto& [x, y] : std::vector<std::pair<int8_t, int8_t>>{{5, 6}, {-5, 0}, {4, 5}, {-1, 2}, {127, 67}}) {
    const auto out = run_reference(*graph, {HostTensor::of<int8_t>(ValueType::kI8, {1, 1}, {x})});
    ASSERT_TRUE(out.ok()) << out.status().text();
    EXPECT_EQ((*out)[0].int_at(0), y) << "of " << int{x};
  }
}

}  // namespace
}  // namespace qlathe
