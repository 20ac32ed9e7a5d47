#pragma once
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "frontend/formats/spec/spec.h"
#include "frontend/reference/reference_executor.h"

namespace qlathe::testing {

using Arrays = std::map<std::string, HostTensor>;

inline HostTensor floats(Shape shape, const std::vector<float>& values) {
  return HostTensor::of<float>(ValueType::kF32, std::move(shape), values);
}

/// A model object in memory with its weights.
inline Result<SpecModel> read_model(const std::string& text, Arrays weights = {}) {
  QL_ASSIGN(JsonDocument parsed, parse_json("m.json", text));
  auto document = std::make_shared<const JsonDocument>(std::move(parsed));
  return read_spec_model(document, document->root, MemoryWeights(std::move(weights)), {});
}

inline std::string error_of(const std::string& text, Arrays weights = {}) {
  auto model = read_model(text, std::move(weights));
  return model.ok() ? "no error" : model.status().text();
}

/// {"inputs": x of that shape and type, "nodes": [node]} as text.
inline std::string one_node(const std::string& shape, const std::string& node, const std::string& type = "float32") {
  return R"({"inputs": [{"name": "x", "shape": )" + shape + R"(, "type": ")" + type + R"("}], "nodes": [)" + node +
         "]}";
}

/// Runs the model on the reference executor; all outputs.
inline std::vector<HostTensor> run_model(const std::string& text, const std::vector<HostTensor>& inputs,
                                         Arrays weights = {}) {
  auto model = read_model(text, std::move(weights));
  EXPECT_TRUE(model.ok()) << model.status().text();
  if (!model.ok()) return {};
  auto out = run_reference(model->graph, inputs);
  EXPECT_TRUE(out.ok()) << out.status().text();
  return out.ok() ? *std::move(out) : std::vector<HostTensor>{};
}

}  // namespace qlathe::testing
