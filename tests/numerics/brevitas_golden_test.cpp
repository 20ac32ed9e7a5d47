#include <gtest/gtest.h>

#include "frontend/numerics/brevitas_weight.h"
#include "tests/numerics/brevitas_case.h"

namespace qlathe::brevitas {
namespace {

// Every difference of one case, empty where it agrees.
std::string weight_differences(const cases::Case& c) {
  const Quantizer q = cases::weight_quantizer(c);
  const HostTensor weight = c.array("weight");
  const auto result = quantize_weight(weight, q);
  if (!result.ok()) return result.status().text();
  const std::pair<const char*, const HostTensor*> arrays[] = {{"scale", &result->scale},
                                                              {"zero_point", &result->zero_point},
                                                              {"int", &result->integers},
                                                              {"dequantized", &result->dequantized}};
  std::string all;
  for (const auto& [key, got] : arrays) {
    if (!c.has(key)) continue;
    const std::string difference = cases::difference(*got, c.array(key), weight.shape(), result->tile);
    if (!difference.empty()) all += std::string(" ") + key + ": " + difference + ";";
  }
  return all;
}

std::string act_differences(const cases::Case& c) {
  const Quantizer q = cases::act_quantizer(c);
  const auto activation = parse_activation_layer(c.json.at("layer").get<std::string>());
  if (!activation.ok()) return activation.status().text();
  auto calibrator = ActCalibrator::make(q, *activation);
  if (!calibrator.ok()) return calibrator.status().text();
  for (int i = 0; c.has("calib" + std::to_string(i)); i++) {
    const auto batch = calibrator->observe(activate(*activation, c.array("calib" + std::to_string(i))));
    if (!batch.ok()) return batch.status().text();
  }
  const auto result =
      quantize_activation(activate(*activation, c.array("input")), q, calibrator->scale(), calibrator->zero_point());
  if (!result.ok()) return result.status().text();
  const std::pair<const char*, const HostTensor*> arrays[] = {{"scale", &result->scale},
                                                              {"zero_point", &result->zero_point},
                                                              {"output_int", &result->integers},
                                                              {"output", &result->dequantized}};
  std::string all;
  for (const auto& [key, got] : arrays) {
    if (!c.has(key)) continue;
    const std::string difference = cases::difference(*got, c.array(key));
    if (!difference.empty()) all += std::string(" ") + key + ": " + difference + ";";
  }
  return all;
}

void expect_all_agree(const std::string& kind, std::string (*differences)(const cases::Case&)) {
  const auto folders = cases::folders(kind);
  if (folders.empty()) GTEST_SKIP() << "no reference data: set QLATHE_SHARED";
  size_t agreed = 0;
  for (const auto& folder : folders) {
    const std::string found = differences(cases::Case::open(folder));
    EXPECT_EQ(found, "") << kind << " case " << folder.filename();
    agreed += found.empty() ? 1 : 0;
  }
  std::cout << kind << ": " << agreed << " of " << folders.size() << " cases agree\n";
}

TEST(BrevitasGolden, EveryWeightCaseAgreesBitForBit) { expect_all_agree("weight", weight_differences); }

TEST(BrevitasGolden, EveryActivationCaseAgreesBitForBit) { expect_all_agree("act", act_differences); }

}  // namespace
}  // namespace qlathe::brevitas
