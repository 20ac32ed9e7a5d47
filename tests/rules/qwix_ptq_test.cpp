// Every case of golden/qwix/ptq through the quantize pass and the reference executor: parameters, scales of static
// activations, the trace of quantized operands and results, statistics, outputs; as each case's `tolerance` states.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "frontend/reference/reference_executor.h"
#include "tests/rules/ptq_case.h"

namespace qlathe {
namespace {

using testing::different_elements;
using testing::PtqCase;
using testing::relative_to_max;

/// What a case allows. `loose_*`: the largest step by which a stored value of a later layer may move.
struct Tolerance {
  bool exact_weights = true, exact_scales = true, exact_activations = true, exact_output = false;
  double scale_rel = 0, output_rel = 0, typical_rel = 0;
};

Tolerance tolerance_of(const nlohmann::ordered_json& json) {
  Tolerance t;
  const std::string qvalue = json.value("qvalue", "");
  const std::string scale = json.value("scale", "");
  t.exact_activations = qvalue == "exact" || qvalue.empty();
  t.exact_weights = qvalue.rfind("exact", 0) == 0 || qvalue.empty();
  t.exact_scales = scale == "exact" || scale == "exact for weights" || scale.empty();
  t.scale_rel = json.value("scale_rel", 0.0);
  if (t.scale_rel > 0) t.exact_scales = false;
  if (scale == "one bfloat16 step") t.scale_rel = 1.0 / 128, t.exact_activations = false;
  t.exact_output = json.value("output", "") == "exact";
  t.output_rel = json.value("output_rel_to_max", 0.0);
  t.typical_rel = json.value("typical_rel_to_max", 0.0);
  return t;
}

class QwixPtq : public ::testing::TestWithParam<std::string> {
 protected:
  /// The values of every tensor of the quantized graph in one run.
  Status run(const QuantizedGraph& quantized, const std::vector<HostTensor>& inputs) {
    values_.clear();
    const Graph& graph = quantized.graph;
    for (size_t i = 0; i < graph.tensors.size(); ++i) {
      if (graph.tensors[i].is_constant()) values_[static_cast<int32_t>(i)] = *graph.tensors[i].data;
    }
    ReferenceExecutor executor([this](const Node& node, const auto&, const std::vector<const HostTensor*>& results) {
      for (size_t i = 0; i < results.size(); ++i)
        values_[node.outputs[i].index] = *results[i];
    });
    QL_ASSIGN(const auto executable, executor.prepare(graph));
    QL_ASSIGN(outputs_, executable->run(inputs));
    return {};
  }

  void expect_stored(const std::string& what, const HostTensor& got, const HostTensor& want, bool exact) {
    const size_t count = different_elements(got, want);
    if (exact) {
      EXPECT_EQ(count, 0u) << what << ": stored values differ, of " << want.size();
      return;
    }
    ASSERT_EQ(got.shape(), want.shape()) << what;
    // A value may move by one step of its type where it was near the middle between two.
    for (int64_t i = 0; i < want.size(); ++i)
      EXPECT_LE(std::abs(got.int_at(i) - want.int_at(i)), 1) << what << " at " << i;
    EXPECT_LE(static_cast<double>(count), 0.02 * static_cast<double>(want.size())) << what;
  }

  void expect_scale(const std::string& what, const HostTensor& got, const HostTensor& want, const Tolerance& t,
                    bool exact) {
    if (exact) {
      EXPECT_EQ(different_elements(got, want), 0u) << what << ": scales differ, of " << want.size();
      return;
    }
    const auto a = testing::floats(got), b = testing::floats(want);
    ASSERT_EQ(got.shape(), want.shape()) << what;
    for (size_t i = 0; i < a.size(); ++i)
      EXPECT_LE(std::fabs(a[i] - b[i]), std::max(t.scale_rel, 1e-6) * std::fabs(b[i])) << what << " at " << i;
  }

  void check_weights(const PtqCase& ptq, const QuantizedGraph& quantized, const Tolerance& t) {
    for (const auto& [name, param] : ptq.golden.json["params"].items()) {
      const std::string kind = param.at("kind").get<std::string>();
      const auto constant = [&, &path = name](const std::string& suffix) -> const HostTensor* {
        const TensorId id = quantized.graph.find(path + suffix);
        return id.valid() ? quantized.graph[id].data.get() : nullptr;
      };
      if (kind == "quantized") {
        ASSERT_NE(constant(".qvalue"), nullptr) << name;
        const bool exact = t.exact_weights && t.scale_rel == 0;
        expect_stored(name, *constant(".qvalue"), ptq.golden.array(param["qvalue"]), exact);
        expect_scale(name, *constant(".scale"), ptq.golden.array(param["scale"]), t, t.exact_scales);
        EXPECT_EQ(constant(".zero_point") != nullptr, param.contains("zero_point")) << name;
        if (param.contains("zero_point") && constant(".zero_point")) {
          EXPECT_EQ(different_elements(*constant(".zero_point"), ptq.golden.array(param["zero_point"])), 0u) << name;
        }
      } else if (kind == "static_scale" || kind == "static_zero_point") {
        ASSERT_NE(constant(""), nullptr) << name;
        EXPECT_EQ(different_elements(*constant(""), ptq.golden.array(param["array"])), 0u) << name;
      }
    }
  }

  void check_trace(const PtqCase& ptq, const QuantizedGraph& quantized, const Tolerance& t) {
    if (!ptq.golden.json.contains("trace")) return;
    const auto& trace = ptq.golden.json["trace"];
    ASSERT_EQ(quantized.ops.size(), trace.size());
    for (size_t i = 0; i < trace.size(); ++i) {
      const OpReport& op = quantized.ops[i];
      EXPECT_EQ(op.match.op, trace[i]["op"].get<std::string>());
      for (const char* side : {"lhs", "rhs"}) {
        const auto& want = trace[i][side];
        const auto& got = side[0] == 'l' ? op.lhs : op.rhs;
        const std::string what = "trace " + std::to_string(i) + " " + side;
        ASSERT_EQ(got.has_value(), want.value("quantized", false)) << what;
        if (!got || !want.contains("qvalue")) continue;
        // The first op reads the inputs themselves; later ones may be moved by sums before them.
        const bool exact = t.exact_activations || (i == 0 && t.scale_rel == 0);
        expect_scale(what, values_.at(got->scale.index), ptq.golden.array(want["scale"]), t, exact);
        expect_stored(what, values_.at(got->values.index), ptq.golden.array(want["qvalue"]), exact);
        if (want.contains("zero_point")) {
          EXPECT_EQ(different_elements(values_.at(got->zero_point.index), ptq.golden.array(want["zero_point"])), 0u);
        }
      }
      const std::string out = trace[i]["out"].get<std::string>();
      expect_output("trace " + std::to_string(i) + " out", values_.at(op.result.index), ptq.golden.array(out), t);
    }
  }

  void expect_output(const std::string& what, const HostTensor& got, const HostTensor& want, const Tolerance& t) {
    if (t.exact_output) {
      EXPECT_EQ(different_elements(got, want), 0u)
          << what << ": of " << want.size() << ", relative difference " << relative_to_max(got, want);
    } else {
      EXPECT_LE(relative_to_max(got, want), t.output_rel) << what;
    }
  }

  void check_statistics(const PtqCase& ptq, const QuantStats& stats) {
    if (ptq.golden.json["calibration"].is_null()) return;
    const auto& want = ptq.golden.json["calibration"]["quant_stats"];
    ASSERT_EQ(stats.size(), want.size());
    for (const auto& [name, stat] : want.items()) {
      ASSERT_TRUE(stats.count(name)) << name;
      EXPECT_EQ(stats.at(name).count, stat["count"].get<int64_t>());
      for (const auto& [key, array] : stat.items()) {
        if (key == "count") continue;
        const Statistics& sums = stats.at(name).sums;
        const auto& got = key == "sum_of_absmax" ? sums.absmax : key == "sum_of_min" ? sums.lo : sums.hi;
        ASSERT_TRUE(got.has_value()) << name << " " << key;
        EXPECT_EQ(got->shape(), array["shape"].get<Shape>());
        const auto values = array["values"].get<std::vector<double>>();
        for (size_t i = 0; i < values.size(); ++i)
          EXPECT_EQ(got->as<float>()[i], static_cast<float>(values[i])) << name << " " << key << " at " << i;
      }
    }
    // What is written reads back as the same statistics.
    const auto again = parse_statistics("written", write_statistics(stats));
    ASSERT_TRUE(again.ok()) << again.status().text();
    EXPECT_EQ(write_statistics(*again), write_statistics(stats));
  }

  std::map<int32_t, HostTensor> values_;  // by tensor of the quantized graph
  std::vector<HostTensor> outputs_;
};

std::filesystem::path root() {
  const auto shared = testing::shared_folder();
  return shared.empty() ? shared : shared / "golden/qwix/ptq";
}

TEST_P(QwixPtq, IsReproducedWithinTheCasesTolerance) {
  if (GetParam() == "none") GTEST_SKIP() << "no reference data: set QLATHE_SHARED";
  auto read = PtqCase::read(root() / GetParam());
  ASSERT_TRUE(read.ok()) << read.status().text();
  const PtqCase& ptq = *read;
  const Tolerance t = tolerance_of(ptq.golden.json["tolerance"]);

  ReferenceExecutor executor;
  QuantStats stats;
  QuantizeOptions options;
  if (ptq.is_static()) {
    const std::vector<std::vector<HostTensor>> only{ptq.inputs};
    const auto& batches = ptq.batches.empty() ? only : ptq.batches;
    auto collected = calibrate(ptq.graph, ptq.rules, batches_of(batches), executor);
    ASSERT_TRUE(collected.ok()) << collected.status().text();
    stats = std::move(*collected);
    check_statistics(ptq, stats);
    options.statistics = &stats;
  }
  const auto quantized = quantize(ptq.graph, ptq.rules, options);
  ASSERT_TRUE(quantized.ok()) << quantized.status().text();
  EXPECT_TRUE(verify(quantized->graph).ok()) << verify(quantized->graph).text();
  EXPECT_EQ(quantized->matches.unused_rules, ptq.golden.json["unused_rules"].get<std::vector<int>>());
  check_weights(ptq, *quantized, t);

  const Status status = run(*quantized, ptq.inputs);
  ASSERT_TRUE(status.ok()) << status.text();
  check_trace(ptq, *quantized, t);
  expect_output("output", outputs_.at(0), ptq.golden.array("output"), t);
  const double relative = relative_to_max(outputs_[0], ptq.golden.array("output"));
  if (t.typical_rel > 0 && relative > t.typical_rel) {
    RecordProperty("beyond_typical", std::to_string(relative));
    std::printf("note: %s: relative difference %g, typically %g\n", GetParam().c_str(), relative, t.typical_rel);
  }
}

TEST_P(QwixPtq, ParametersGivenQuantizedGiveTheSameOutput) {
  if (GetParam() == "none") GTEST_SKIP() << "no reference data: set QLATHE_SHARED";
  auto read = PtqCase::read(root() / GetParam(), true);
  ASSERT_TRUE(read.ok()) << read.status().text();
  QuantizeOptions options;
  options.static_scales = read->static_scales();
  const auto quantized = quantize(read->graph, read->rules, options);
  ASSERT_TRUE(quantized.ok()) << quantized.status().text();
  for (const auto& [name, param] : read->golden.json["params"].items()) {
    if (param["kind"] != "quantized") continue;
    const TensorId id = quantized->graph.find(name + ".qvalue");
    ASSERT_TRUE(id.valid()) << name;
    EXPECT_EQ(different_elements(*quantized->graph[id].data, read->golden.array(param["qvalue"])), 0u) << name;
  }
  const Status status = run(*quantized, read->inputs);
  ASSERT_TRUE(status.ok()) << status.text();
  expect_output("output", outputs_.at(0), read->golden.array("output"), tolerance_of(read->golden.json["tolerance"]));
}

TEST_P(QwixPtq, TheFloatModelGivesTheFloatOutput) {
  if (GetParam() == "none") GTEST_SKIP() << "no reference data: set QLATHE_SHARED";
  auto read = PtqCase::read(root() / GetParam());
  ASSERT_TRUE(read.ok()) << read.status().text();
  const auto outputs = run_reference(read->graph, read->inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.status().text();
  const HostTensor want = read->golden.array("output_float");
  EXPECT_LE(relative_to_max(outputs->at(0), want), want.type() == ValueType::kF32 ? 1e-6 : 0.02);
}

std::vector<std::string> case_names() {
  std::vector<std::string> out;
  if (!root().empty()) {
    for (const auto& folder : testing::case_folders(root()))
      out.push_back(folder.filename().string());
  }
  return out.empty() ? std::vector<std::string>{"none"} : out;
}

INSTANTIATE_TEST_SUITE_P(Golden, QwixPtq, ::testing::ValuesIn(case_names()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace qlathe
