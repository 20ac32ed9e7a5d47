#include "tests/rules/ptq_case.h"

#include <cmath>
#include <fstream>

#include "frontend/numerics/convert.h"
#include "tests/support/golden_model.h"

namespace qlathe::testing {

Result<PtqCase> PtqCase::read(const std::filesystem::path& folder) {
  PtqCase out{GoldenCase::open(folder), {}, {}, {}, {}};
  QL_ASSIGN(JsonDocument parsed, read_json_file((folder / "case.json").string()));
  const auto document = std::make_shared<const JsonDocument>(std::move(parsed));
  std::map<std::string, TensorType> inputs;
  std::map<std::string, HostTensor> weights;
  for (const auto& [key, entry] : out.golden.json["arrays"].items()) {
    if (key.rfind("weight:", 0) == 0) weights[key.substr(7)] = out.golden.array(key);
    if (key.rfind("input:", 0) != 0) continue;
    const HostTensor tensor = out.golden.array(key);
    inputs[key.substr(6)] = {tensor.type(), tensor.shape()};
  }
  QL_ASSIGN(out.graph, read_golden_model(*document, *document->root.find("model"), inputs, weights));
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
