// A spec and a rule list become native code that gives the reference's bits.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "api/qlathe.h"
#include "api/qlathe_c.h"
#include "codegen/native/jit_executor.h"
#include "frontend/formats/arrays/array_file.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/pointwise.h"
#include "frontend/reference/reference_executor.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace qlathe {
namespace {

namespace fs = std::filesystem;

class ModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "qlathe-api-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    testing::Random random(1);
    std::map<std::string, HostTensor> weights;
    const auto add = [&](const char* name, const Shape& shape) {
      weights[name] = testing::random_tensor(random, ValueType::kF32, shape, 0.4f);
    };
    add("linear1/kernel", {16, 64});
    add("linear1/bias", {64});
    add("linear2/kernel", {64, 16});
    add("conv1/kernel", {3, 3, 3, 8});
    add("conv1/bias", {8});
    add("dw/kernel", {3, 3, 1, 8});
    add("conv2/kernel", {1, 1, 8, 20});
    add("fc/kernel", {20, 10});
    ASSERT_TRUE(write_npz(path("w.npz"), weights).ok());
    write("mlp.json",
          R"({"qlathe_spec": 1, "name": "mlp", "inputs": [{"name": "x", "shape": [8, 16]}], "weights": "w.npz",
              "allow_unused_weights": true,
              "nodes": [{"op": "linear", "module": "linear1"}, {"op": "relu"}, {"op": "linear", "module": "linear2"}]})");
    write("cnn.json",
          R"({"qlathe_spec": 1, "name": "cnn", "inputs": [{"name": "x", "shape": [2, 9, 11, 3]}], "weights": "w.npz",
              "allow_unused_weights": true,
              "nodes": [{"op": "conv", "module": "conv1", "padding": "SAME", "strides": 2}, {"op": "relu6"},
                        {"op": "conv", "module": "dw", "padding": "SAME", "groups": 8}, {"op": "relu"},
                        {"op": "conv", "module": "conv2"}, {"op": "hard_swish"}, {"op": "global_avg_pool"},
                        {"op": "linear", "module": "fc"}, {"op": "softmax"}]})");
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& text) { std::ofstream(path(name)) << text; }

  /// Compiles model and rules with calibration batches and compares runs on random inputs with the reference on the
  /// quantized graph.
  void expect_reference(const std::string& model, const std::string& rules) {
    write("rules.json", rules);
    const Result<SourceModel> source = read_model(path(model));
    ASSERT_TRUE(source.ok()) << source.status().text();
    const Shape shape = source->graph[source->graph.inputs[0]].shape();
    testing::Random random(2);
    Shape batches = shape;
    batches.insert(batches.begin(), 3);
    ASSERT_TRUE(
        write_npz(path("batches.npz"), {{"x", testing::random_tensor(random, ValueType::kF32, batches, 2.0f)}}).ok());

    ReferenceExecutor reference;
    const QuantizeInputs inputs{path("rules.json"), path("batches.npz"), "", false};
    const Result<QuantizedModel> quantized = quantize_model(*source, inputs, reference);
    ASSERT_TRUE(quantized.ok()) << quantized.status().text();

    CompileOptions options;
    options.rules = inputs.rules;
    options.calibration = inputs.calibration;
    options.cache_folder = path("cache");
    const auto compiled = Model::compile(path(model), options);
    ASSERT_TRUE(compiled.ok()) << compiled.status().text();
    for (const int threads : {1, 2}) {
      const std::unique_ptr<Instance> instance = (*compiled)->instance(threads);
      const std::vector<HostTensor> x = {testing::random_tensor(random, ValueType::kF32, shape, 2.0f)};
      const auto expected = run_reference(quantized->graph, x);
      ASSERT_TRUE(expected.ok()) << expected.status().text();
      const auto actual = instance->run(x);
      ASSERT_TRUE(actual.ok()) << actual.status().text();
      EXPECT_TRUE(testing::same_bits(*actual, *expected)) << threads << " threads, rules " << rules;
    }
  }

  fs::path folder_;
};

TEST_F(ModelTest, FloatModelsEqualTheReference) {
  expect_reference("mlp.json", "[]");
  expect_reference("cnn.json", "[]");
}

TEST_F(ModelTest, DynamicInt8EqualsTheReference) {
  const char* rules = R"([{"weight_qtype": "int8", "act_qtype": "int8"}])";
  expect_reference("mlp.json", rules);
  expect_reference("cnn.json", rules);
}

TEST_F(ModelTest, StaticInt8EqualsTheReference) {
  for (const char* method : {"absmax", "minmax"}) {
    const std::string rules =
        std::string(R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true,)") +
        R"("act_calibration_method": ")" + method + "\"}]";
    expect_reference("mlp.json", rules);
    expect_reference("cnn.json", rules);
  }
}

TEST_F(ModelTest, WeightOnlyTypesEqualTheReference) {
  for (const char* type : {"int2", "int4", "int8", "float8_e4m3fn", "nf4"}) {
    expect_reference("mlp.json", std::string(R"([{"weight_qtype": ")") + type + R"(", "tile_size": 8}])");
  }
  expect_reference("mlp.json", R"([{"module_path": "linear2", "weight_qtype": "mxfp4", "tile_size": 32}])");
}

TEST_F(ModelTest, LayersThatDifferInOneConstantOfTheirCodeAreNotOneKernel) {
  // Equal shapes, types and formulas; zero points and limits differ from layer to layer.
  testing::Random random(7);
  for (const bool depthwise : {false, true}) {
    Graph graph;
    const TensorId x = graph.add_input("x", {ValueType::kU8, {1, 9, 9, 64}});
    const TensorId w = graph.add_constant(
        "w", testing::random_tensor(random, ValueType::kI8, depthwise ? Shape{3, 3, 1, 64} : Shape{1, 1, 64, 64}));
    const TensorId scale = graph.add_constant("s", HostTensor::scalar(0.0004f)),
                   one = graph.add_constant("one", HostTensor::scalar(1));
    auto conv = std::make_shared<ConvAttrs>();
    conv->strides = conv->kernel_dilation = conv->input_dilation = {1, 1};
    conv->pad_lo = conv->pad_hi = {0, 0};
    conv->groups = depthwise ? 64 : 1;
    conv->accumulator = ValueType::kI32;
    for (const int zero : {0, 128, 7}) {
      for (const double hi : {255.0, 200.0}) {
        const std::string suffix = std::to_string(zero) + "_" + std::to_string(static_cast<int>(hi));
        HostTensor zero_point(ValueType::kU8, {});
        zero_point.set_int(0, zero);
        const TensorId z = graph.add_constant("z" + suffix, zero_point);
        const auto sum = graph.add("conv", {x, w}, conv, {.name = "c" + suffix});
        auto steps = std::make_shared<PointwiseAttrs>();
        steps->steps = {
            {.op = "cast"},
            {.op = "mul", .operands = {1}},
            {.op = "quantize", .type = ValueType::kU8, .operands = {2, 3}, .hi = hi, .zero_point_after = true}};
        const auto y = graph.add("pointwise", {*sum, scale, one, z}, steps, {.name = "y" + suffix});
        ASSERT_TRUE(y.ok()) << y.status().text();
        graph.outputs.push_back(*y);
      }
    }
    CompileOptions options;
    options.cache_folder = path("objects");
    const auto model = Model::compile(graph, options);
    ASSERT_TRUE(model.ok()) << model.status().text();
    const std::vector<HostTensor> inputs = {testing::random_tensor(random, ValueType::kU8, {1, 9, 9, 64})};
    const auto expected = run_reference(graph, inputs);
    ASSERT_TRUE(expected.ok()) << expected.status().text();
    const auto actual = (*model)->instance()->run(inputs);
    ASSERT_TRUE(actual.ok()) << actual.status().text();
    EXPECT_TRUE(testing::same_bits(*actual, *expected)) << (depthwise ? "depthwise" : "dense");
  }
}

TEST_F(ModelTest, AModelFromTheCacheGivesTheSameBits) {
  testing::Random random(3);
  const std::vector<HostTensor> x = {testing::random_tensor(random, ValueType::kF32, {2, 9, 11, 3}, 2.0f)};
  std::vector<std::vector<HostTensor>> results;
  for (const char* state : {"cold", "cached", "off"}) {
    CompileOptions options;
    options.cache_folder = path("cache");
    options.cache = std::string(state) != "off";
    options.threads = results.empty() ? 2 : 1;
    const auto model = Model::compile(path("cnn.json"), options);
    ASSERT_TRUE(model.ok()) << state << ": " << model.status().text();
    results.push_back((*model)->instance()->run(x).value());
    EXPECT_TRUE(testing::same_bits(results.back(), results.front())) << state;
  }
}

TEST_F(ModelTest, TheProgramDoesNotDependOnTheThreadsThatPlanIt) {
  const Graph graph = canonical_graph(read_model(path("cnn.json"))->graph).value();
  const Program one = plan_program(graph, host_target(), 1).value();
  const Program four = plan_program(graph, host_target(), 4).value();
  ASSERT_EQ(one.kernels.size(), four.kernels.size());
  for (size_t i = 0; i < one.kernels.size(); i++) {
    EXPECT_EQ(one.kernels[i].key, four.kernels[i].key);
    EXPECT_EQ(one.kernels[i].name, four.kernels[i].name);
  }
  ASSERT_EQ(one.calls.size(), four.calls.size());
  for (size_t i = 0; i < one.calls.size(); i++) {
    EXPECT_EQ(one.calls[i].buffers, four.calls[i].buffers) << i;
    EXPECT_EQ(one.calls[i].notes, four.calls[i].notes) << i;
  }
  ASSERT_EQ(one.constants.size(), four.constants.size());
  for (size_t i = 0; i < one.constants.size(); i++)
    EXPECT_EQ(one.constants[i].bytes, four.constants[i].bytes) << i;
}

TEST_F(ModelTest, InstancesOfOneModelRunConcurrently) {
  CompileOptions options;
  options.cache = false;
  const auto model = Model::compile(path("mlp.json"), options);
  ASSERT_TRUE(model.ok()) << model.status().text();
  testing::Random random(5);
  const std::vector<HostTensor> x = {testing::random_tensor(random, ValueType::kF32, {8, 16}, 2.0f)};
  const std::vector<HostTensor> expected = (*model)->instance()->run(x).value();
  std::vector<std::thread> threads;
  std::atomic<int> different{0};
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      const std::unique_ptr<Instance> instance = (*model)->instance();
      for (int i = 0; i < 200; i++)
        different += instance->run(x).value() == expected ? 0 : 1;
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_EQ(different, 0);
}

TEST_F(ModelTest, CAbiCompilesRunsAndReportsErrors) {
  qlathe_model* model = nullptr;
  EXPECT_EQ(qlathe_compile(path("missing.json").c_str(), nullptr, &model), QLATHE_ERROR_USER);
  EXPECT_NE(std::string(qlathe_last_error()).find("missing.json"), std::string::npos) << qlathe_last_error();
  EXPECT_EQ(model, nullptr);
  qlathe_options options = {};
  options.target = "pdp11";
  EXPECT_EQ(qlathe_compile(path("mlp.json").c_str(), &options, &model), QLATHE_ERROR_USER);
  EXPECT_NE(std::string(qlathe_last_error()).find("pdp11"), std::string::npos) << qlathe_last_error();

  options = {};
  options.no_cache = 1;
  ASSERT_EQ(qlathe_compile(path("mlp.json").c_str(), &options, &model), QLATHE_OK) << qlathe_last_error();
  qlathe_tensor tensor;
  ASSERT_EQ(qlathe_input(model, 0, &tensor), QLATHE_OK);
  EXPECT_EQ(std::string(tensor.name) + " " + tensor.type, "x float32");
  EXPECT_EQ(tensor.bytes, 8u * 16u * 4u);
  EXPECT_EQ(qlathe_output(model, 1, &tensor), QLATHE_ERROR_USER);
  qlathe_instance* instance = nullptr;
  ASSERT_EQ(qlathe_instance_create(model, 1, &instance), QLATHE_OK);
  qlathe_model_free(model);  // the instance keeps what it needs
  testing::Random random(5);
  const HostTensor x = testing::random_tensor(random, ValueType::kF32, {8, 16}, 2.0f);
  HostTensor y(ValueType::kF32, {8, 16});
  const void* inputs[] = {x.bytes()};
  void* outputs[] = {y.bytes()};
  EXPECT_EQ(qlathe_run(instance, inputs, 1, outputs, 0), QLATHE_ERROR_USER);
  ASSERT_EQ(qlathe_run(instance, inputs, 1, outputs, 1), QLATHE_OK) << qlathe_last_error();
  const auto expected = run_reference(read_model(path("mlp.json"))->graph, {x});
  ASSERT_TRUE(expected.ok()) << expected.status().text();
  EXPECT_TRUE(testing::same_bits(y, (*expected)[0]));
  EXPECT_EQ(qlathe_reset(instance), QLATHE_OK);
  qlathe_instance_free(instance);
}

}  // namespace
}  // namespace qlathe
