#pragma once
#include <gtest/gtest.h>

#include "schedule/target.h"
#include "tests/contraction/contraction_cases.h"

namespace qlathe::testing {

inline void expect_same(const NodeCase& node_case, const HostTensor& expected, const HostTensor& actual) {
  int64_t wrong = 0, first = -1;
  const int64_t bytes = storage_bytes(expected.type());
  for (int64_t i = 0; i < expected.size(); i++) {
    if (std::memcmp(expected.bytes() + i * bytes, actual.bytes() + i * bytes, static_cast<size_t>(bytes)) == 0)
      continue;
    if (wrong++ == 0) first = i;
  }
  if (wrong == 0) return;
  std::string detail;
  if (expected.type() == ValueType::kF32) {
    detail = std::to_string(expected.as<float>()[static_cast<size_t>(first)]) + " and is " +
             std::to_string(actual.as<float>()[static_cast<size_t>(first)]);
  } else {
    detail = std::to_string(expected.int_at(first)) + " and is " + std::to_string(actual.int_at(first));
  }
  ADD_FAILURE() << node_case.label << ": " << wrong << " of " << expected.size() << " differ; element " << first
                << " should be " << detail;
}

/// Lowers, runs and compares every case on a target; skips where this machine cannot run it.
inline void check_cases(const std::vector<ContractionSpec>& specs, NodeCase (*make)(const ContractionSpec&, uint32_t),
                        const char* target_name) {
  const Target* target = TargetRegistry::find(target_name);
  ASSERT_NE(target, nullptr);
  if (!host_can_run(*target)) GTEST_SKIP() << "this machine cannot run " << target_name;
  std::vector<NodeCase> cases;
  uint32_t seed = 1;
  for (const ContractionSpec& spec : specs)
    cases.push_back(make(spec, seed++));
  cases = chosen_cases(std::move(cases));
  for (const CaseRunner& runner : case_runners()) {
    const auto results = runner.run(cases, *target);
    ASSERT_TRUE(results.ok()) << results.status().text();
    for (size_t i = 0; i < cases.size(); i++)
      expect_same(cases[i], reference_result(cases[i]), (*results)[i]);
  }
}

/// Bias, scale per channel, zero point, bytes: as a quantized network states it.
inline ContractionSpec to_bytes(ContractionSpec s, ValueType out, float scale, double zero_point,
                                int64_t channels = 0) {
  if (channels == 0) channels = s.n;
  HostTensor bias(ValueType::kI32, {channels}), factor(ValueType::kF32, {channels});
  for (int64_t i = 0; i < channels; i++) {
    bias.set_int(i, 37 * i - 300);
    factor.as<float>()[static_cast<size_t>(i)] = scale * (1.0f + 0.013f * static_cast<float>(i));
  }
  s.extra = {bias, factor, HostTensor::scalar(static_cast<float>(zero_point))};
  s.steps = {{.op = "add", .type = ValueType::kI32, .operands = {kContractionExtra}},
             {.op = "cast", .type = ValueType::kF32},
             {.op = "mul", .type = ValueType::kF32, .operands = {kContractionExtra + 1}},
             {.op = "add", .type = ValueType::kF32, .operands = {kContractionExtra + 2}},
             {.op = "cast", .type = out}};
  s.label += std::string(" to ") + name(out);
  return s;
}

}  // namespace qlathe::testing
