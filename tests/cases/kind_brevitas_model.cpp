// brevitas_model: networks that Brevitas trained, by their QCDQ exports as ONNX.
#include "frontend/formats/onnx/onnx.h"
#include "frontend/passes/pass_manager.h"
#include "tests/cases/case_kind.h"
#include "tests/support/golden_case.h"

namespace qlathe::cases {
namespace {

class BrevitasModel : public CaseKind {
 public:
  Result<Prepared> prepare(const CaseRef& ref, Executor&) const override {
    const auto golden = testing::GoldenCase::open(ref.folder);
    const Tolerance tolerance(golden.json.value("tolerance", nlohmann::ordered_json::object()));
    Prepared out;
    for (const auto& [exporter, how] : golden.json.at("exports").items()) {
      const std::string key = "output_ort_" + exporter + "_no_optimization";
      // The QONNX dialect is no ONNX that a runtime runs; and some exporters refuse.
      if (!how.contains("file") || !golden.has(key)) continue;
      const HostTensor input = golden.array("input");
      const std::string file = (ref.folder / how["file"].get<std::string>()).string();
      QL_ASSIGN(const std::vector<std::string> names, onnx_inputs(file));
      OnnxOptions options;
      for (const std::string& name : names)
        options.shapes[name] = input.shape();
      QL_ASSIGN(Graph graph, read_onnx(file, options));
      Job job;
      QL_ASSIGN(job.graph, run_passes(std::move(graph), import_passes()));
      job.runs = {{input}};
      job.check = [golden, key, tolerance](size_t, const std::vector<HostTensor>& outputs, Findings& findings) {
        const HostTensor want = golden.array(key);
        findings.compare(key, outputs.at(0), want, tolerance.output());
        findings.note_beyond(tolerance.typical(), key, outputs.at(0), want);
      };
      out.jobs.push_back(std::move(job));
    }
    return out;
  }
};

const Registered registered("brevitas_model", std::make_unique<BrevitasModel>());

}  // namespace
}  // namespace qlathe::cases
