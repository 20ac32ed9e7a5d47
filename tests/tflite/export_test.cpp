// Models quantized by Qwix's ODML provider and written as TFLite: the file, read again, has the integers that LiteRT's
// reference kernels gave on the file that Qwix's own conversion made (golden/README.md, "Qwix: ODML").
#include "frontend/formats/tflite/export.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "frontend/formats/spec/spec.h"
#include "frontend/formats/tflite/tflite.h"
#include "frontend/ops/pointwise.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/reference/reference_executor.h"
#include "frontend/rules/odml.h"
#include "tests/support/golden_case.h"

namespace qlathe {
namespace {

using nlohmann::ordered_json;
using testing::GoldenCase;

const std::filesystem::path kFolder = testing::shared_folder() / "golden" / "qwix" / "odml_tflite";

std::vector<HostTensor> run(const Graph& graph, const GoldenCase& golden) {
  const auto imported = run_passes(graph, import_passes());
  EXPECT_TRUE(imported.ok()) << imported.status().text();
  std::vector<HostTensor> inputs;
  for (const auto& [key, entry] : golden.json.at("arrays").items())
    if (key.rfind("input:", 0) == 0) inputs.push_back(golden.array(key));
  ReferenceExecutor executor;
  auto prepared = executor.prepare(*imported);
  EXPECT_TRUE(prepared.ok()) << prepared.status().text();
  auto outputs = (*prepared)->run(inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status().text();
  return *outputs;
}

/// The case's model under its rules and statistics.
Result<QuantizedGraph> quantized(const GoldenCase& golden) {
  QL_ASSIGN(JsonDocument parsed, read_json_file((golden.folder / "case.json").string()));
  const auto document = std::make_shared<const JsonDocument>(std::move(parsed));
  SpecSurroundings surroundings;
  std::map<std::string, HostTensor> weights;
  for (const auto& [key, entry] : golden.json.at("arrays").items()) {
    if (key.rfind("weight:", 0) == 0) weights[key.substr(7)] = golden.array(key);
    if (key.rfind("input:", 0) != 0) continue;
    const HostTensor tensor = golden.array(key);
    surroundings.input_types[key.substr(6)] = {tensor.type(), tensor.shape()};
  }
  QL_ASSIGN(const SpecModel model,
            read_spec_model(document, *document->root.find("model"), MemoryWeights(weights), surroundings));
  ordered_json provider = golden.json.at("provider");
  provider["type"] = "odml";
  const ordered_json rules = {{"provider", provider}, {"rules", golden.json.at("rules")}};
  QL_ASSIGN(const RuleList list, parse_rules("case.json", rules.dump()));
  QL_ASSIGN(const QuantStats statistics, parse_statistics("case.json", golden.json.at("quant_stats").dump()));
  OdmlOptions options;
  options.statistics = &statistics;
  return quantize_odml(model.graph, list, options);
}

size_t differing(const HostTensor& got, const HostTensor& want, float bound) {
  size_t out = got.shape() == want.shape() ? 0 : 1;
  for (size_t i = 0; out == 0 && i < want.as<float>().size(); i++)
    out += std::abs(got.as<float>()[i] - want.as<float>()[i]) > bound;
  return out;
}

TEST(TfliteExport, FilesOfTheOdmlProviderHaveTheIntegersOfQwixsOwn) {
  if (!std::filesystem::exists(kFolder)) GTEST_SKIP() << "no reference data at " << kFolder;
  int compared = 0;
  for (const auto& folder : testing::case_folders(kFolder)) {
    SCOPED_TRACE(folder.filename().string());
    const GoldenCase golden = GoldenCase::open(folder);
    const auto graph = quantized(golden);
    if (!graph.ok()) {
      ADD_FAILURE() << graph.status().text();
      continue;
    }
    const auto bytes = export_tflite(graph->graph);
    if (!bytes.ok()) {
      ADD_FAILURE() << bytes.status().text();
      continue;
    }
    if (const char* keep = std::getenv("QLATHE_KEEP_TFLITE"))
      std::ofstream(std::filesystem::path(keep) / (folder.filename().string() + ".tflite"), std::ios::binary) << *bytes;
    const auto own = read_tflite_bytes("own.tflite", *bytes);
    if (!own.ok() && own.status().only_unsupported()) {
      // What the reader has no form of is said, and is not written by Qwix in a form that it has.
      std::printf("%s: %s\n", folder.filename().c_str(), own.status().text().c_str());
      EXPECT_FALSE(read_tflite((folder / "model.tflite").string()).ok());
      continue;
    }
    if (!own.ok()) {
      ADD_FAILURE() << own.status().text();
      continue;
    }
    // Weights alone: float sums, whose order differs.
    const float bound = golden.json.at("quant_stats").empty() ? 1e-4f : 0.f;
    EXPECT_EQ(differing(run(*own, golden).at(0), golden.array("output_litert_ref"), bound), 0u);
    compared++;
  }
  EXPECT_GE(compared, 9);
}

TEST(TfliteExport, WhatHasNoFormIsListedAtOnce) {
  Graph graph;
  const TensorId x = graph.add_input("x", {ValueType::kF32, {2, 3}});
  TensorId y = x;
  for (const char* op : {"softplus", "erf"}) {
    auto attrs = std::make_shared<PointwiseAttrs>();
    attrs->steps = {PointwiseStep{.op = op}};
    y = *graph.add("pointwise", {y}, attrs, {op, "", "", ""});
  }
  graph.outputs = {y};
  const auto bytes = export_tflite(graph);
  ASSERT_FALSE(bytes.ok());
  EXPECT_NE(bytes.status().text().find("'softplus' has no TFLite form"), std::string::npos) << bytes.status().text();
  EXPECT_NE(bytes.status().text().find("'erf' has no TFLite form"), std::string::npos) << bytes.status().text();
}

TEST(Odml, AnOpWithoutAnIntegerFormIsAnErrorWhereStrict) {
  Graph graph;
  const TensorId x = graph.add_input("x", {ValueType::kF32, {2, 3}});
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = {PointwiseStep{.op = "exp"}};
  graph.outputs = {*graph.add("pointwise", {x}, attrs, {"e", "", "", ""})};
  const std::string list = R"("rules": [{"weight_qtype": "int8", "act_qtype": "int8"}]})";
  const auto strict = parse_rules("r", R"({"provider": {"type": "odml"}, )" + list);
  ASSERT_TRUE(strict.ok()) << strict.status().text();
  const auto refused = quantize_odml(graph, *strict);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().text().find("'exp' has no integer form"), std::string::npos) << refused.status().text();
  const auto lenient = parse_rules("r", R"({"provider": {"type": "odml", "strict": false}, )" + list);
  ASSERT_TRUE(lenient.ok()) << lenient.status().text();
  EXPECT_TRUE(quantize_odml(graph, *lenient).ok());
}

}  // namespace
}  // namespace qlathe
