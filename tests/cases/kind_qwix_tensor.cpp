// qwix_tensor: one tensor through calibrate, quantize and dequantize, as nodes of a graph: those that the quantize pass
// makes for dynamic activations.
#include "frontend/rules/activation_nodes.h"
#include "tests/cases/case_kind.h"
#include "tests/support/golden_case.h"

namespace qlathe::cases {
namespace {

Result<HowToQuantize> read_how(const nlohmann::ordered_json& json) {
  HowToQuantize how;
  QL_ASSIGN(how.format, parse_quant_format(json.at("qtype").get<std::string>()));
  QL_ASSIGN(how.method, parse_calibration_method(json.at("calibration_method").get<std::string>()));
  how.channelwise_axes = json.at("channelwise_axes").get<std::vector<int>>();
  for (const auto& [axis, tile] : json.at("tiled_axes").items()) {
    how.tiled_axes[std::stoi(axis)] =
        tile.is_number_float() ? TileSize::of_axis(tile.get<double>()) : TileSize::of(tile.get<int64_t>());
  }
  return how;
}

class QwixTensor : public CaseKind {
 public:
  Result<Prepared> prepare(const CaseRef& ref, Executor&) const override {
    const auto golden = testing::GoldenCase::open(ref.folder);
    QL_ASSIGN(const HowToQuantize how, read_how(golden.json.at("how")));
    const HostTensor input = golden.array("input");
    Job job;
    job.graph.name = "tensor";
    const TensorId x = job.graph.add_input("x", {input.type(), input.shape()});
    NodeBuilder builder(job.graph, Origin{"t", "", "", ""});
    QL_ASSIGN(const StatisticTensors statistics, add_statistics(builder, "", x, how));
    QL_ASSIGN(const ScaleTensors scale, add_scale(builder, "", statistics, *how.format, input.type()));
    QL_ASSIGN(const TensorId q, add_quantize(builder, "", x, *how.format, scale));
    QL_ASSIGN(const TensorId back, add_dequantize(builder, "", q, scale));
    job.graph.outputs = {q, scale.scale, back};
    std::vector<std::string> keys = {"qvalue", "scale", "dequantized"};
    if (scale.zero_point.valid()) {
      job.graph.outputs.push_back(scale.zero_point);
      keys.emplace_back("zero_point");
    }
    job.runs = {{input}};
    Prepared out;
    out.findings.expect(scale.zero_point.valid() == golden.has("zero_point"), "zero_point",
                        "is there on one side only");
    job.check = [golden, keys](size_t, const std::vector<HostTensor>& outputs, Findings& findings) {
      const Tolerance tolerance(golden.json.value("tolerance", nlohmann::ordered_json::object()));
      for (size_t i = 0; i < keys.size(); i++) {
        if (!golden.has(keys[i])) continue;
        const auto quotient = [] { return std::vector<float>(); };
        const Allowance allowance = keys[i] == "qvalue"  ? tolerance.stored(Source::kFirstLayer, quotient)
                                    : keys[i] == "scale" ? tolerance.scale(Source::kFirstLayer)
                                                         : Allowance{};
        findings.compare(keys[i], outputs.at(i), golden.array(keys[i]), allowance);
      }
    };
    out.jobs.push_back(std::move(job));
    return out;
  }
};

const Registered registered("qwix_tensor", std::make_unique<QwixTensor>());

}  // namespace
}  // namespace qlathe::cases
