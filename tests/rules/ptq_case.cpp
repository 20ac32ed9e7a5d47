#include "tests/rules/ptq_case.h"

#include <cmath>
#include <fstream>

#include "frontend/formats/spec/spec.h"
#include "frontend/numerics/convert.h"

namespace qlathe::testing {

namespace {

/// A quantized parameter under the type its rule names (int3 lies in int4, nf4 in uint4).
HostTensor typed(const HostTensor& stored, const nlohmann::ordered_json& param) {
  const auto format = parse_quant_format(param.at("how").at("qtype").get<std::string>());
  HostTensor out(format.value()->type, stored.shape());
  std::memcpy(out.bytes(), stored.bytes(), stored.byte_size());
  return out;
}

}  // namespace

std::map<std::string, ScaleZeroPoint> PtqCase::static_scales() const {
  std::map<std::string, ScaleZeroPoint> out;
  for (const auto& [name, param] : golden.json["params"].items()) {
    const std::string suffix = "_scale";
    if (param["kind"] != "static_scale") continue;
    const std::string activation = name.substr(0, name.size() - suffix.size());
    out[activation].scale = golden.array(param["array"]);
    const std::string zero = "param:" + activation + "_zero_point";
    if (golden.has(zero)) out[activation].zero_point = golden.array(zero);
  }
  return out;
}

Result<PtqCase> PtqCase::read(const std::filesystem::path& folder, bool quantized_weights) {
  PtqCase out{GoldenCase::open(folder), {}, {}, {}, {}};
  QL_ASSIGN(JsonDocument parsed, read_json_file((folder / "case.json").string()));
  const auto document = std::make_shared<const JsonDocument>(std::move(parsed));
  SpecSurroundings surroundings;
  std::map<std::string, HostTensor> weights;
  for (const auto& [name, param] : out.golden.json["params"].items()) {
    if (!quantized_weights || param["kind"] != "quantized") continue;
    weights[name + ".qvalue"] = typed(out.golden.array(param["qvalue"]), param);
    weights[name + ".scale"] = out.golden.array(param["scale"]);
    if (param.contains("zero_point")) weights[name + ".zero_point"] = out.golden.array(param["zero_point"]);
  }
  for (const auto& [key, entry] : out.golden.json["arrays"].items()) {
    if (key.rfind("weight:", 0) == 0 && !weights.count(key.substr(7) + ".qvalue"))
      weights[key.substr(7)] = out.golden.array(key);
    if (key.rfind("input:", 0) != 0) continue;
    const HostTensor tensor = out.golden.array(key);
    surroundings.input_types[key.substr(6)] = {tensor.type(), tensor.shape()};
  }
  QL_ASSIGN(SpecModel model,
            read_spec_model(document, *document->root.find("model"), MemoryWeights(weights), surroundings));
  out.graph = std::move(model.graph);
  QL_ASSIGN(out.rules, read_rules(document, *document->root.find("rules")));
  for (TensorId id : out.graph.inputs)
    out.inputs.push_back(out.golden.array("input:" + out.graph[id].name));
  const auto& calibration = out.golden.json["calibration"];
  for (int i = 0; !calibration.is_null() && i < calibration["batches"].get<int>(); ++i) {
    std::vector<HostTensor>& batch = out.batches.emplace_back();
    for (TensorId id : out.graph.inputs)
      batch.push_back(out.golden.array("calib" + std::to_string(i) + ":" + out.graph[id].name));
  }
  return out;
}

bool PtqCase::is_static() const {
  for (const Rule& rule : rules.rules) {
    if (rule.qwix && rule.qwix->static_activations) return true;
  }
  return false;
}

std::vector<float> floats(const HostTensor& tensor) { return to_floats(tensor); }

size_t different_elements(const HostTensor& got, const HostTensor& want) {
  if (got.shape() != want.shape() || got.byte_size() != want.byte_size()) return static_cast<size_t>(want.size()) + 1;
  const auto width = static_cast<size_t>(storage_bytes(want.type()));
  size_t count = 0;
  for (size_t i = 0; i < want.byte_size(); i += width)
    count += std::memcmp(got.bytes() + i, want.bytes() + i, width) != 0;
  return count;
}

double relative_to_max(const HostTensor& got, const HostTensor& want) {
  if (got.shape() != want.shape()) return INFINITY;
  const std::vector<float> a = to_floats(got), b = to_floats(want);
  double difference = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return INFINITY;
    if (std::isnan(a[i])) continue;
    difference = std::max(difference, std::fabs(static_cast<double>(a[i]) - b[i]));
    largest = std::max(largest, std::fabs(static_cast<double>(b[i])));
  }
  return largest > 0 ? difference / largest : difference;
}

}  // namespace qlathe::testing
