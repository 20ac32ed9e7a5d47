// The conditions of golden/qwix/errors of PtqProvider: refused here too, for the same reason, in our words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/formats/spec/spec.h"
#include "frontend/reference/reference_executor.h"
#include "tests/rules/ptq_case.h"

namespace qlathe {
namespace {

using ::testing::HasSubstr;

/// Reads, calibrates where something is static, quantizes.
Status attempt(const std::shared_ptr<const JsonDocument>& document, const JsonValue& entry) {
  QL_ASSIGN(const RuleList rules, read_rules(document, *entry.find("rules")));
  const auto filled = [](const JsonValue& shape, size_t seed) {
    Shape extents;
    for (const JsonValue& extent : *shape.array())
      extents.push_back(*extent.integer());
    HostTensor out(ValueType::kF32, extents);
    for (float& value : out.as<float>())
      value = static_cast<float>((seed = seed * 1103515245 + 12345) % 2001) / 1000.f - 1.f;
    return out;
  };
  SpecSurroundings surroundings;
  std::map<std::string, HostTensor> weights;
  std::vector<HostTensor> inputs;
  const JsonValue& names = *entry.find("model")->find("inputs");
  for (size_t i = 0; i < names.array()->size(); ++i) {
    inputs.push_back(filled((*entry.find("inputs")->array())[i], i));
    surroundings.input_types[*(*names.array())[i].string()] = {ValueType::kF32, inputs.back().shape()};
  }
  for (const auto& member : *entry.find("weights")->object())
    weights[member.key] = filled(member.value, member.key.size());
  QL_ASSIGN(const SpecModel model,
            read_spec_model(document, *entry.find("model"), MemoryWeights(weights), surroundings));
  const Graph& graph = model.graph;
  ReferenceExecutor executor;
  QL_ASSIGN(const QuantStats stats, calibrate(graph, rules, batches_of({inputs}), executor));
  QuantizeOptions options;
  options.statistics = &stats;
  return quantize(graph, rules, options).status();
}

const std::map<std::string, std::string>& expectations() {
  static const std::map<std::string, std::string> table = {
      {"conv with weight-only rule",
       "needs one type for weights and activations; weight_qtype is int8, act_qtype none"},
      {"conv with different weight and activation types", "weight_qtype is int4, act_qtype int8"},
      {"conv with asymmetric weights", "a convolution's weights cannot have zero points"},
      {"tile_size that does not divide the contraction axis", "tile size 32 does not divide axis 0 of shape 16x64"},
      {"fractional tile_size that does not divide", "tile size 0.3 (5 elements) does not divide axis 0"},
      {"act_static_scale without act_qtype", "act_static_scale is set, but activations are not quantized"},
      {"asymmetric weights and asymmetric activations", "both operands have zero points"},
      {"asymmetric fp8", "float8_e4m3fn has no zero point"},
      {"asymmetric nf4", "nf4 has no zero point"},
      {"asymmetric uint8", "uint8 has no zero point"},
      {"16-bit integer type", "'int16' is wider than one byte"},
      {"bfloat16 as a quantized type", "'bfloat16' is wider than one byte"},
      {"unknown type name", "unknown type 'int9'"},
      {"mxfp8 without tile_size", "mxfp8 needs a tiled axis"},
      {"mxfp8 with tile_size 16", "mxfp8 needs tiles of 32, axis 0 has 16"},
      {"nvfp4 with tile_size 32", "nvfp4 needs tiles of 16, axis 0 has 32"},
      {"unknown calibration method", "unknown calibration method 'entropy'"},
      {"rms without a factor", "needs a factor"},
      {"fixed without a range", "needs a range"},
      {"fixed range without 0", "does not contain 0"},
      {"calibration argument that is not a number", "'half', which is not a finite number"},
      {"einsum with three operands", "einsum takes 1 to 2, not 3"},
      {"einsum with a repeated index in one operand", "is repeated in 'aab'"},
      {"invalid regular expression", "'(' is no regular expression"},
      {"static scale and channelwise non-batch axis with two activations", "axis 5 is not among the 3 axes"},
  };
  return table;
}

TEST(QwixErrors, EveryConditionOfPtqProviderIsRefusedForItsReason) {
  const auto folder = testing::shared_folder() / "golden/qwix/errors";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no reference data: set QLATHE_SHARED";
  auto parsed = read_json_file((folder / "case.json").string());
  ASSERT_TRUE(parsed.ok()) << parsed.status().text();
  const auto document = std::make_shared<const JsonDocument>(std::move(*parsed));
  size_t checked = 0;
  for (const JsonValue& entry : *document->root.find("entries")->array()) {
    if (*entry.find("provider")->string() != "PtqProvider") continue;
    const std::string condition = *entry.find("condition")->string();
    SCOPED_TRACE(condition);
    const Status status = attempt(document, entry);
    EXPECT_FALSE(status.ok());
    const auto expected = expectations().find(condition);
    ASSERT_NE(expected, expectations().end()) << "no expectation for this condition; got: " << status.text();
    EXPECT_THAT(status.text(), HasSubstr(expected->second));
    EXPECT_THAT(status.text(), ::testing::Not(HasSubstr("internal error")));
    ++checked;
  }
  EXPECT_EQ(checked, expectations().size());
}

}  // namespace
}  // namespace qlathe
