// Qwix's ODML provider. qwix_odml_tflite: the stored .tflite file gives the runtime's output bit for bit, and so does
// the file that the same model, rules and statistics become here. qwix_odml_qat: the fake-quantized model of training.
#include <fstream>

#include "frontend/formats/spec/spec.h"
#include "frontend/formats/tflite/export.h"
#include "frontend/formats/tflite/tflite.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/rules/odml.h"
#include "tests/cases/case_kind.h"
#include "tests/support/golden_case.h"

namespace qlathe::cases {
namespace {

using nlohmann::ordered_json;
using testing::GoldenCase;

struct OdmlCase {
  GoldenCase golden;
  Graph graph;
  RuleList rules;
  QuantStats statistics;
  std::vector<HostTensor> inputs;
};

Result<OdmlCase> read_case(const CaseRef& ref) {
  OdmlCase out{GoldenCase::open(ref.folder), {}, {}, {}, {}};
  const ordered_json& json = out.golden.json;
  for (const auto& rule : json.at("rules")) {
    if (rule.contains("act_static_scale") && rule["act_static_scale"] == false)
      return Status::unsupported({ref.folder.string(), "", "act_static_scale"},
                                 "activations with scales that are computed while the model runs");
  }
  QL_ASSIGN(JsonDocument parsed, read_json_file((ref.folder / "case.json").string()));
  const auto document = std::make_shared<const JsonDocument>(std::move(parsed));
  SpecSurroundings surroundings;
  std::map<std::string, HostTensor> weights;
  for (const auto& [key, entry] : json.at("arrays").items()) {
    if (key.rfind("weight:", 0) == 0) weights[key.substr(7)] = out.golden.array(key);
    if (key.rfind("input:", 0) != 0) continue;
    const HostTensor tensor = out.golden.array(key);
    surroundings.input_types[key.substr(6)] = {tensor.type(), tensor.shape()};
  }
  QL_ASSIGN(SpecModel model,
            read_spec_model(document, *document->root.find("model"), MemoryWeights(weights), surroundings));
  out.graph = std::move(model.graph);
  ordered_json provider = json.at("provider");
  provider["type"] = "odml";
  const ordered_json rules = {{"provider", provider}, {"rules", json.at("rules")}};
  QL_ASSIGN(out.rules, parse_rules("case.json", rules.dump()));
  QL_ASSIGN(out.statistics, parse_statistics("case.json", json.at("quant_stats").dump()));
  for (TensorId id : out.graph.inputs)
    out.inputs.push_back(out.golden.array("input:" + out.graph[id].name));
  return out;
}

Job job_of(Graph graph, const OdmlCase& from, const std::string& label, const HostTensor& want, Allowance allowance) {
  Job job;
  job.graph = std::move(graph);
  job.graph.name = label;
  job.runs = {from.inputs};
  job.check = [label, want, allowance](size_t, const std::vector<HostTensor>& outputs, Findings& findings) {
    findings.compare(label, outputs.at(0), want, allowance);
  };
  return job;
}

/// Statistics of our own calibration: the float sums before them have no stated order.
Status check_statistics(const OdmlCase& c, Executor& executor, Findings& findings) {
  const int steps = c.golden.json.value("stats_steps", 0);
  std::vector<std::vector<HostTensor>> batches;
  for (int i = 0; i < steps; i++) {
    std::vector<HostTensor>& batch = batches.emplace_back();
    for (TensorId id : c.graph.inputs) {
      const std::string key = "calib" + std::to_string(i) + ":" + c.graph[id].name;
      if (!c.golden.has(key)) return {};
      batch.push_back(c.golden.array(key));
    }
  }
  if (batches.empty() || c.statistics.empty()) return {};
  QL_ASSIGN(const QuantStats got, calibrate_odml(c.graph, c.rules, batches_of(batches), executor));
  for (const auto& [name, want] : c.statistics) {
    if (want.count != steps) continue;  // of a fixed range, which needs none
    const auto found = got.find(name);
    if (found == got.end()) {
      findings.fail("quant_stats " + name, "is missing");
      continue;
    }
    findings.expect(found->second.count == want.count, "quant_stats " + name, "counts otherwise");
    const Allowance close{Allowance::Kind::kRelativeToMax, 2e-7};
    const auto compare = [&](const auto& a, const auto& b, const char* what) {
      findings.expect(a.has_value() == b.has_value(), "quant_stats " + name, "is of another kind");
      if (a && b) findings.compare("quant_stats " + name + what, *a, *b, close);
    };
    compare(found->second.sums.absmax, want.sums.absmax, " absmax");
    compare(found->second.sums.lo, want.sums.lo, " min");
    compare(found->second.sums.hi, want.sums.hi, " max");
  }
  return {};
}

class OdmlTflite : public CaseKind {
 public:
  Result<Prepared> prepare(const CaseRef& ref, Executor& executor) const override {
    QL_ASSIGN(const OdmlCase c, read_case(ref));
    Prepared out;
    const HostTensor want = c.golden.array("output_litert_ref");
    // Weights alone: float sums, whose order differs.
    const bool weights_alone = c.golden.json.at("quant_stats").empty();
    const Allowance allowance =
        weights_alone ? Allowance{Allowance::Kind::kRelativeToMax, 1e-5} : Allowance{Allowance::Kind::kExact};
    const std::string path = (ref.folder / "model.tflite").string();
    QL_ASSIGN(Graph stored, read_tflite(path));
    QL_ASSIGN(stored, run_passes(std::move(stored), import_passes()));
    out.jobs.push_back(job_of(std::move(stored), c, "stored_file", want, allowance));

    OdmlOptions options;
    options.statistics = &c.statistics;
    QL_ASSIGN(const QuantizedGraph quantized, quantize_odml(c.graph, c.rules, options));
    QL_ASSIGN(std::string bytes, export_tflite(quantized.graph));
    QL_ASSIGN(Graph own, read_tflite_bytes("own.tflite", std::move(bytes)));
    QL_ASSIGN(own, run_passes(std::move(own), import_passes()));
    out.jobs.push_back(job_of(std::move(own), c, "own_file", want, allowance));
    QL_RETURN_IF_ERROR(check_statistics(c, executor, out.findings));
    return out;
  }
};

class OdmlQat : public CaseKind {
 public:
  Result<Prepared> prepare(const CaseRef& ref, Executor&) const override {
    QL_ASSIGN(const OdmlCase c, read_case(ref));
    Prepared out;
    OdmlOptions options;
    options.statistics = &c.statistics;
    options.full_range_weights = true;
    QL_ASSIGN(QuantizedGraph quantized, quantize_odml(c.graph, c.rules, options));
    const double bound = c.golden.json.at("tolerance").at("output_rel_to_max").get<double>();
    out.jobs.push_back(job_of(std::move(quantized.graph), c, "output", c.golden.array("output"),
                              {Allowance::Kind::kRelativeToMax, bound}));
    return out;
  }
};

const Registered tflite("qwix_odml_tflite", std::make_unique<OdmlTflite>());
const Registered qat("qwix_odml_qat", std::make_unique<OdmlQat>());

}  // namespace
}  // namespace qlathe::cases
