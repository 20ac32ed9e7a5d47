// qwix_errors: conditions that the reference library refuses; each must be refused here, as a mistake of the user's.
#include "frontend/formats/json_reader.h"
#include "frontend/formats/spec/spec.h"
#include "frontend/rules/calibrate.h"
#include "tests/cases/case_kind.h"

namespace qlathe::cases {
namespace {

HostTensor filled(const Shape& shape, size_t seed) {
  HostTensor out(ValueType::kF32, shape);
  for (float& value : out.as<float>())
    value = static_cast<float>((seed = seed * 1103515245 + 12345) % 2001) / 1000.f - 1.f;
  return out;
}

Shape shape_of(const JsonValue& json) {
  Shape out;
  for (const JsonValue& extent : *json.array())
    out.push_back(*extent.integer());
  return out;
}

/// Reads, calibrates where something is static, quantizes.
Status attempt(const std::shared_ptr<const JsonDocument>& document, const JsonValue& entry, Executor& executor) {
  QL_ASSIGN(const RuleList rules, read_rules(document, *entry.find("rules")));
  std::map<std::string, TensorType> types;
  std::map<std::string, HostTensor> weights;
  std::vector<HostTensor> inputs;
  const JsonValue& names = *entry.find("model")->find("inputs");
  for (size_t i = 0; i < names.array()->size(); ++i) {
    inputs.push_back(filled(shape_of((*entry.find("inputs")->array())[i]), i));
    types[*(*names.array())[i].string()] = {ValueType::kF32, inputs.back().shape()};
  }
  for (const auto& member : *entry.find("weights")->object())
    weights[member.key] = filled(shape_of(member.value), member.key.size());
  QL_ASSIGN(const SpecModel model,
            read_spec_model(document, *entry.find("model"), MemoryWeights(weights), {types, false}));
  const Graph& graph = model.graph;
  QL_ASSIGN(const QuantStats stats, calibrate(graph, rules, batches_of({inputs}), executor));
  QuantizeOptions options;
  options.statistics = &stats;
  return quantize(graph, rules, options).status();
}

class QwixErrors : public CaseKind {
 public:
  std::vector<std::string> parts(const nlohmann::ordered_json& json) const override {
    std::vector<std::string> out;
    for (const auto& entry : json.at("entries"))
      out.push_back(entry.at("condition").get<std::string>());
    return out;
  }

  Result<Prepared> prepare(const CaseRef& ref, Executor& executor) const override {
    QL_ASSIGN(JsonDocument parsed, read_json_file((ref.folder / "case.json").string()));
    const auto document = std::make_shared<const JsonDocument>(std::move(parsed));
    Prepared out;
    for (const JsonValue& entry : *document->root.find("entries")->array()) {
      if (*entry.find("condition")->string() != ref.part) continue;
      if (*entry.find("provider")->string() != "PtqProvider") {
        out.not_applicable = "a condition of " + *entry.find("provider")->string() + ", which is no part of this path";
        return out;
      }
      const Status status = attempt(document, entry, executor);
      out.findings.expect(!status.ok(), "error", "is accepted, expected a refusal");
      for (const Diagnostic& d : status.diagnostics())
        out.findings.expect(d.kind != Diagnostic::Kind::kInternal, "error",
                            "is refused by a fault of ours: " + d.text());
      if (!status.ok()) out.findings.notes.push_back("refused: " + status.diagnostics()[0].text());
    }
    return out;
  }
};

const Registered registered("qwix_errors", std::make_unique<QwixErrors>());

}  // namespace
}  // namespace qlathe::cases
