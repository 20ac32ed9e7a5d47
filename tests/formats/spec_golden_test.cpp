// The model blocks of the reference data: read, run as float graphs, compared with the reference's float outputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "frontend/formats/arrays/array_file.h"
#include "frontend/formats/spec/spec.h"
#include "frontend/reference/reference_executor.h"
#include "tests/support/golden_case.h"

namespace qlathe {
namespace {

using testing::GoldenCase;

float value_at(const HostTensor& t, size_t i) {
  if (t.type() == ValueType::kF32) return t.as<float>()[i];
  const uint32_t word = static_cast<uint32_t>(t.as<uint16_t>()[i]) << 16;  // bfloat16
  float out;
  std::memcpy(&out, &word, sizeof out);
  return out;
}

/// Largest difference over the largest magnitude of `expected`.
double relative_difference(const HostTensor& got, const HostTensor& expected) {
  double difference = 0, magnitude = 0;
  for (size_t i = 0; i < static_cast<size_t>(expected.size()); ++i) {
    difference = std::max(difference, std::abs(double{value_at(got, i)} - double{value_at(expected, i)}));
    magnitude = std::max(magnitude, std::abs(double{value_at(expected, i)}));
  }
  return difference / magnitude;
}

struct Loaded {
  SpecModel model;
  std::vector<HostTensor> inputs;
};

/// A parameter; nf4 values are stored as uint4, so their type is taken from what the case says about them.
HostTensor typed_parameter(const GoldenCase& golden, const std::string& key) {
  HostTensor tensor = golden.array(key);
  for (const auto& [name, parameter] : golden.json["params"].items()) {
    if (parameter.value("qvalue", "") != key || parameter["how"]["qtype"] != "nf4") continue;
    auto typed = as_value_type(std::move(tensor), ValueType::kNF4);
    EXPECT_TRUE(typed.ok()) << typed.status().text();
    return *std::move(typed);
  }
  return tensor;
}

/// The case's model with its float weights, or with the quantized parameters in their place.
Result<Loaded> load(const GoldenCase& golden, bool quantized) {
  std::map<std::string, HostTensor> arrays;
  SpecSurroundings surroundings;
  surroundings.allow_unused_weights = true;
  for (const auto& [key, entry] : golden.json["arrays"].items()) {
    if (key.starts_with("weight:") && !quantized) arrays.emplace(key.substr(7), golden.array(key));
    if (key.starts_with("param:") && quantized) arrays.emplace(key.substr(6), typed_parameter(golden, key));
    if (key.starts_with("input:")) {
      const HostTensor input = golden.array(key);
      surroundings.input_types[key.substr(6)] = {input.type(), input.shape()};
    }
  }
  QL_ASSIGN(JsonDocument parsed, read_json_file((golden.folder / "case.json").string()));
  auto document = std::make_shared<const JsonDocument>(std::move(parsed));
  QL_ASSIGN(SpecModel model,
            read_spec_model(document, *document->root.find("model"), MemoryWeights(std::move(arrays)), surroundings));
  Loaded out{std::move(model), {}};
  for (TensorId id : out.model.graph.inputs)
    out.inputs.push_back(golden.array("input:" + out.model.graph[id].name));
  return out;
}

Result<HostTensor> run(const Loaded& loaded) {
  ReferenceExecutor executor;
  QL_ASSIGN(auto executable, executor.prepare(loaded.model.graph));
  QL_ASSIGN(auto outputs, executable->run(loaded.inputs));
  return outputs.at(0);
}

TEST(SpecGolden, FloatModelsGiveTheReferencesOutputs) {
  if (testing::shared_folder().empty()) GTEST_SKIP() << "no reference data: set QLATHE_SHARED";
  int compared = 0;
  for (const auto& folder : testing::case_folders(testing::shared_folder() / "golden/qwix/ptq")) {
    const GoldenCase golden = GoldenCase::open(folder);
    if (!golden.has("output_float")) continue;
    const auto loaded = load(golden, false);
    ASSERT_TRUE(loaded.ok()) << folder << "\n" << loaded.status().text();
    const auto got = run(*loaded);
    ASSERT_TRUE(got.ok()) << folder << "\n" << got.status().text();
    const HostTensor expected = golden.array("output_float");
    ASSERT_EQ(got->type(), expected.type()) << folder;
    ASSERT_EQ(got->shape(), expected.shape()) << folder;
    // A float sum in another order moves the last bits; bfloat16 has 8 of them.
    const double tolerance = expected.type() == ValueType::kF32 ? 2e-6 : 1.0 / 64;
    EXPECT_LE(relative_difference(*got, expected), tolerance) << folder;
    ++compared;
  }
  EXPECT_GE(compared, 80);
}

TEST(SpecGolden, QuantizedParametersStandInForWeights) {
  if (testing::shared_folder().empty()) GTEST_SKIP() << "no reference data: set QLATHE_SHARED";
  int compared = 0;
  for (const auto& folder : testing::case_folders(testing::shared_folder() / "golden/qwix/ptq")) {
    if (folder.filename().string().find("weight_only") == std::string::npos) continue;
    const GoldenCase golden = GoldenCase::open(folder);
    const auto loaded = load(golden, true);
    ASSERT_TRUE(loaded.ok()) << folder << "\n" << loaded.status().text();
    const auto got = run(*loaded);
    ASSERT_TRUE(got.ok()) << folder << "\n" << got.status().text();
    const HostTensor expected = golden.array("output");
    ASSERT_EQ(got->type(), expected.type()) << folder;
    const double tolerance = expected.type() == ValueType::kF32 ? 2e-6 : 1.0 / 64;
    EXPECT_LE(relative_difference(*got, expected), tolerance) << folder;
    ++compared;
  }
  EXPECT_GE(compared, 10);
}

}  // namespace
}  // namespace qlathe
