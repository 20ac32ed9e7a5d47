// Every case of golden/qwix/tensor: stored values, scale, zero point and dequantized values, bit for bit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/numerics/convert.h"
#include "frontend/numerics/quantize.h"
#include "tests/support/golden_case.h"

namespace qlathe {
namespace {

using testing::GoldenCase;
using ::testing::Values;

HowToQuantize how_of(const nlohmann::ordered_json& json) {
  HowToQuantize how;
  how.format = parse_quant_format(json.at("qtype").get<std::string>()).value();
  how.method = parse_calibration_method(json.at("calibration_method").get<std::string>()).value();
  how.channelwise_axes = json.at("channelwise_axes").get<std::vector<int>>();
  for (const auto& [axis, tile] : json.at("tiled_axes").items()) {
    how.tiled_axes[std::stoi(axis)] =
        tile.is_number_float() ? TileSize::of_axis(tile.get<double>()) : TileSize::of(tile.get<int64_t>());
  }
  return how;
}

// Equal storage, whatever the logical type is called (int3 values live in an int4 array).
std::string difference(const HostTensor& got, const HostTensor& want) {
  if (got.shape() != want.shape()) return "shape " + to_string(got.shape()) + ", expected " + to_string(want.shape());
  const auto width = static_cast<size_t>(storage_bytes(want.type()));
  if (got.byte_size() != want.byte_size()) return "element size";
  size_t count = 0, first = 0;
  for (size_t i = 0; i < static_cast<size_t>(want.size()); ++i) {
    if (std::memcmp(got.bytes() + i * width, want.bytes() + i * width, width) != 0 && count++ == 0) first = i;
  }
  if (count == 0) return "";
  return std::to_string(count) + " of " + std::to_string(want.size()) + " elements differ, the first at " +
         std::to_string(first) + ": " + std::to_string(to_floats(got)[first]) + ", expected " +
         std::to_string(to_floats(want)[first]);
}

TEST(QwixTensor, EveryCaseIsReproducedBitForBit) {
  const auto root = testing::shared_folder() / "golden/qwix/tensor";
  if (!std::filesystem::is_directory(root)) GTEST_SKIP() << "no reference data: set QLATHE_SHARED";
  int checked = 0;
  for (const auto& folder : testing::case_folders(root)) {
    SCOPED_TRACE(folder.filename().string());
    const GoldenCase golden = GoldenCase::open(folder);
    const HowToQuantize how = how_of(golden.json.at("how"));
    const auto result = quantize(golden.array("input"), how);
    ASSERT_TRUE(result.ok()) << result.status().text();
    EXPECT_EQ(how.format->container,
              how.format->type == ValueType::kNF4 ? ValueType::kU4 : golden.array("qvalue").type());
    EXPECT_EQ(difference(result->scale, golden.array("scale")), "");
    EXPECT_EQ(difference(result->values, golden.array("qvalue")), "");
    EXPECT_EQ(result->zero_point.has_value(), golden.has("zero_point"));
    if (result->zero_point && golden.has("zero_point")) {
      EXPECT_EQ(difference(*result->zero_point, golden.array("zero_point")), "");
    }
    const auto back = dequantize(result->values, result->scale, result->zero_point_or_null());
    ASSERT_TRUE(back.ok()) << back.status().text();
    EXPECT_EQ(difference(*back, golden.array("dequantized")), "");
    ++checked;
  }
  EXPECT_GE(checked, 37);
}

}  // namespace
}  // namespace qlathe
