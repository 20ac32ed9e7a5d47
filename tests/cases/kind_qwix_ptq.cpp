// qwix_ptq: a model and its rules through the quantize pass. Compared: parameters, statistics, unused rules, then in
// one run the operands and results of every op, and in another, of the graph as it would be compiled, the output.
#include <set>

#include "frontend/numerics/convert.h"
#include "frontend/rules/calibrate.h"
#include "tests/cases/case_kind.h"
#include "tests/rules/ptq_case.h"

namespace qlathe::cases {
namespace {

using testing::PtqCase;

/// x / scale + zero point for every element of x.
std::vector<float> quotient_of(const HostTensor& x, const HostTensor& scale, const HostTensor* zero_point) {
  HostTensor ones(ValueType::kF32, x.shape());
  const std::vector<float> values = to_floats(x), scales = to_floats(scale);
  const std::vector<float> zeros = zero_point ? to_floats(*zero_point) : std::vector<float>(scales.size(), 0.f);
  std::vector<float> out(values.size());
  for (size_t i = 0; i < values.size(); i++) {
    size_t at = 0, stride = 1, rest = i;
    for (size_t d = x.shape().size(); d-- > 0;) {
      const auto extent = static_cast<size_t>(x.shape()[d]), groups = static_cast<size_t>(scale.shape()[d]);
      at += rest % extent / (extent / groups) * stride;
      stride *= groups;
      rest /= extent;
    }
    out[i] = values[i] / scales[at] + zeros[at];
  }
  return out;
}

/// Whether a sum of products stands before the tensor.
bool behind_product(const Graph& graph, TensorId id) {
  static const std::set<std::string> kMoving = {"pointwise", "reduce", "reshape", "transpose",
                                                "slice",     "pad",    "concat"};
  const int producer = graph.producer(id);
  if (producer < 0) return false;
  const Node& node = graph.nodes[static_cast<size_t>(producer)];
  if (!kMoving.contains(node.op)) return true;
  for (const TensorId input : node.inputs)
    if (input.valid() && behind_product(graph, input)) return true;
  return false;
}

/// An array of the trace: a tensor of the quantized graph.
struct Traced {
  enum class What { kScale, kValues, kZeroPoint, kOut } what;
  std::string key;                    // of the case's array
  TensorId id, x, scale, zero_point;  // x: what was quantized
};

class PtqRun {
 public:
  PtqRun(PtqCase ptq, QuantizedGraph quantized)
      : ptq_(std::move(ptq)), quantized_(std::move(quantized)), tolerance_(ptq_.golden.json.at("tolerance")) {}

  void check_params(Findings& findings) const {
    for (const auto& [name, param] : ptq_.golden.json.at("params").items()) {
      const std::string kind = param.at("kind").get<std::string>();
      if (kind == "quantized") {
        check_weight(name, param, findings);
      } else if (kind == "static_scale" || kind == "static_zero_point") {
        const HostTensor* got = constant(name);
        if (!got) {
          findings.fail(name, "is not in the quantized graph");
          continue;
        }
        const HostTensor want = ptq_.golden.array(param.at("array").get<std::string>());
        findings.compare(name, *got, want,
                         kind == "static_scale" ? tolerance_.scale(Source::kFirstLayer) : Allowance{});
      }
    }
  }

  /// The quantized graph, and the same with all that the trace holds as outputs.
  std::vector<Job> jobs(Findings& findings) {
    std::vector<Job> out(2);
    out[0].graph = quantized_.graph;
    out[0].graph.name = "model";
    out[0].runs = {ptq_.inputs};
    out[0].check = [*this](size_t, const std::vector<HostTensor>& outputs, Findings& found) {
      const HostTensor want = ptq_.golden.array("output");
      found.compare("output", outputs.at(0), want, tolerance_.output());
      found.note_beyond(tolerance_.typical(), "output", outputs.at(0), want);
    };
    collect_trace(findings);
    Graph traced = quantized_.graph;
    traced.name = "traced";
    std::vector<TensorId> ids;
    for (const Traced& t : traced_)
      for (const TensorId id : {t.id, t.x, t.scale, t.zero_point})
        if (id.valid() && !traced[id].is_constant() && std::find(ids.begin(), ids.end(), id) == ids.end())
          ids.push_back(id);
    if (ids.empty()) {
      out.pop_back();
      return out;
    }
    traced.outputs = ids;
    out[1].graph = std::move(traced);
    out[1].runs = {ptq_.inputs};
    out[1].check = [*this, ids](size_t, const std::vector<HostTensor>& outputs, Findings& found) {
      check_trace(ids, outputs, found);
    };
    return out;
  }

 private:
  const HostTensor* constant(const std::string& name) const {
    const TensorId id = quantized_.graph.find(name);
    return id.valid() ? quantized_.graph[id].data.get() : nullptr;
  }

  void check_weight(const std::string& name, const nlohmann::ordered_json& param, Findings& findings) const {
    const HostTensor *values = constant(name + ".qvalue"), *scale = constant(name + ".scale");
    const HostTensor* zero_point = constant(name + ".zero_point");
    if (!values || !scale) {
      findings.fail(name, "is not quantized");
      return;
    }
    const HostTensor want_scale = ptq_.golden.array(param.at("scale").get<std::string>());
    findings.compare(name + ".scale", *scale, want_scale, tolerance_.scale(Source::kWeight));
    const auto quotient = [&] { return quotient_of(ptq_.golden.array("weight:" + name), want_scale, zero_point); };
    findings.compare(name + ".qvalue", *values, ptq_.golden.array(param.at("qvalue").get<std::string>()),
                     tolerance_.stored(Source::kWeight, quotient));
    findings.expect((zero_point != nullptr) == param.contains("zero_point"), name + ".zero_point",
                    "is there on one side only");
    if (zero_point && param.contains("zero_point"))
      findings.compare(name + ".zero_point", *zero_point, ptq_.golden.array(param["zero_point"].get<std::string>()));
  }

  void collect_trace(Findings& findings) {
    const auto& trace = ptq_.golden.json.at("trace");
    findings.expect(
        trace.size() == quantized_.ops.size(), "trace",
        std::to_string(quantized_.ops.size()) + " ops were quantized, expected " + std::to_string(trace.size()));
    for (size_t i = 0; i < std::min(trace.size(), quantized_.ops.size()); i++) {
      const OpReport& op = quantized_.ops[i];
      const std::string expected = trace[i].at("op").get<std::string>();
      findings.expect(op.match.op == expected, "trace " + std::to_string(i), "is " + op.match.op + ", not " + expected);
      for (const char* side : {"lhs", "rhs"}) {
        const auto& want = trace[i].at(side);
        const auto& got = side[0] == 'l' ? op.lhs : op.rhs;
        findings.expect(got.has_value() == want.value("quantized", false), "trace " + std::to_string(i) + " " + side,
                        got ? "is quantized, expected float" : "is float, expected quantized");
        if (!got || !want.contains("qvalue")) continue;
        const int producer = quantized_.graph.producer(got->values);
        const TensorId x = producer < 0 ? kNone : quantized_.graph.nodes[static_cast<size_t>(producer)].inputs[0];
        const auto add = [&](Traced::What what, const char* key, TensorId id) {
          if (!want.contains(key)) return;
          findings.expect(id.valid(), want[key].get<std::string>(), "is not there");
          if (id.valid()) traced_.push_back({what, want[key], id, x, got->scale, got->zero_point});
        };
        add(Traced::What::kScale, "scale", got->scale);
        add(Traced::What::kValues, "qvalue", got->values);
        add(Traced::What::kZeroPoint, "zero_point", got->zero_point);
      }
      traced_.push_back({Traced::What::kOut, trace[i].at("out"), op.result, kNone, kNone, kNone});
    }
  }

  void check_trace(const std::vector<TensorId>& ids, const std::vector<HostTensor>& outputs, Findings& findings) const {
    const auto value = [&](TensorId id) -> const HostTensor& {
      if (quantized_.graph[id].is_constant()) return *quantized_.graph[id].data;
      return outputs.at(static_cast<size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin()));
    };
    for (const Traced& t : traced_) {
      const HostTensor want = ptq_.golden.array(t.key);
      const Source source = behind_product(quantized_.graph, t.id) ? Source::kLaterLayer : Source::kFirstLayer;
      const auto quotient = [&] {
        return quotient_of(value(t.x), value(t.scale), t.zero_point.valid() ? &value(t.zero_point) : nullptr);
      };
      const std::string what = t.key.rfind("trace", 0) == 0 ? t.key : "trace " + t.key;
      switch (t.what) {
        case Traced::What::kScale:
          findings.compare(what, value(t.id), want, tolerance_.scale(source));
          break;
        case Traced::What::kValues:
          findings.compare(what, value(t.id), want, tolerance_.stored(source, quotient));
          break;
        case Traced::What::kZeroPoint:
          findings.compare(what, value(t.id), want);
          break;
        case Traced::What::kOut:
          findings.compare(what, value(t.id), want, tolerance_.output());
          break;
      }
    }
  }

  PtqCase ptq_;
  QuantizedGraph quantized_;
  Tolerance tolerance_;
  std::vector<Traced> traced_;
};

void check_statistics(const PtqCase& ptq, const QuantStats& stats, Findings& findings) {
  const auto& calibration = ptq.golden.json.at("calibration");
  if (calibration.is_null()) return;
  const auto& want = calibration.at("quant_stats");
  findings.expect(stats.size() == want.size(), "quant_stats",
                  std::to_string(stats.size()) + " entries, expected " + std::to_string(want.size()));
  for (const auto& [name, stat] : want.items()) {
    const auto found = stats.find(name);
    if (found == stats.end()) {
      findings.fail("quant_stats " + name, "is missing");
      continue;
    }
    findings.expect(found->second.count == stat.at("count").get<int64_t>(), "quant_stats " + name,
                    "counts " + std::to_string(found->second.count));
    for (const auto& [key, array] : stat.items()) {
      if (key == "count") continue;
      const Statistics& sums = found->second.sums;
      const auto& got = key == "sum_of_absmax" ? sums.absmax : key == "sum_of_min" ? sums.lo : sums.hi;
      const std::string what = "quant_stats " + name + " " + key;
      if (!got) {
        findings.fail(what, "is missing");
        continue;
      }
      HostTensor expected(ValueType::kF32, array.at("shape").get<Shape>());
      const auto values = array.at("values").get<std::vector<double>>();
      for (size_t i = 0; i < values.size(); i++)
        expected.as<float>()[i] = static_cast<float>(values[i]);
      findings.compare(what, *got, expected);
    }
  }
}

class QwixPtq : public CaseKind {
 public:
  Result<Prepared> prepare(const CaseRef& ref, Executor& executor) const override {
    QL_ASSIGN(PtqCase ptq, PtqCase::read(ref.folder));
    Prepared out;
    QuantStats stats;
    QuantizeOptions options;
    if (ptq.is_static()) {
      const std::vector<std::vector<HostTensor>> only{ptq.inputs};
      QL_ASSIGN(stats, calibrate(ptq.graph, ptq.rules, batches_of(ptq.batches.empty() ? only : ptq.batches), executor));
      check_statistics(ptq, stats, out.findings);
      options.statistics = &stats;
    }
    QL_ASSIGN(QuantizedGraph quantized, quantize(ptq.graph, ptq.rules, options));
    const auto unused = ptq.golden.json.at("unused_rules").get<std::vector<int>>();
    out.findings.expect(quantized.matches.unused_rules == unused, "unused_rules", "are others");
    PtqRun run(std::move(ptq), std::move(quantized));
    run.check_params(out.findings);
    out.jobs = run.jobs(out.findings);
    return out;
  }
};

const Registered registered("qwix_ptq", std::make_unique<QwixPtq>());

}  // namespace
}  // namespace qlathe::cases
