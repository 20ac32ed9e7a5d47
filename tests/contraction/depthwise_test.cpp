#include <algorithm>

#include "tests/contraction/check_cases.h"

namespace qlathe::testing {
namespace {

using Operand = ContractionSpec::Operand;
using V = ValueType;

ContractionSpec depthwise(int64_t h, int64_t w, int64_t channels, int64_t multiplier, Window y, Window x) {
  ContractionSpec s;
  s.spatial = {h, w};
  s.windows = {y, x};
  s.k = channels;
  s.n = multiplier;
  s.label = std::to_string(h) + "x" + std::to_string(w) + "x" + std::to_string(channels) + "*" +
            std::to_string(multiplier) + " " + std::to_string(y.kernel) + "x" + std::to_string(x.kernel) + "/" +
            std::to_string(y.stride) + "+" + std::to_string(y.dilation);
  return s;
}

void check(const std::vector<ContractionSpec>& specs, const char* target) {
  check_cases(specs, make_depthwise, target);
}

class DepthwiseOn : public ::testing::TestWithParam<const char*> {};

TEST_P(DepthwiseOn, WindowsStridesDilationsAndChannels) {
  std::vector<ContractionSpec> specs;
  specs.push_back(depthwise(12, 14, 32, 1, {3, 1, 1}, {3, 1, 1}));
  specs.push_back(depthwise(9, 9, 20, 1, {3, 1, 1}, {3, 1, 1}));
  specs.push_back(depthwise(11, 30, 48, 1, {5, 1, 1}, {5, 1, 1}));
  specs.push_back(depthwise(13, 12, 6, 1, {3, 2, 1}, {3, 2, 1}));
  specs.push_back(depthwise(15, 15, 16, 1, {3, 1, 2}, {3, 1, 2}));
  specs.push_back(depthwise(12, 12, 24, 1, {5, 2, 1}, {5, 2, 1}));
  specs.push_back(depthwise(12, 9, 7, 1, {7, 1, 1}, {2, 1, 1}));
  specs.push_back(depthwise(4, 4, 33, 1, {4, 1, 1}, {4, 1, 1}));
  specs.push_back(depthwise(8, 8, 3, 1, {3, 1, 1}, {3, 1, 1}));
  specs.push_back(depthwise(8, 8, 8, 3, {3, 1, 1}, {3, 1, 1}));
  specs.push_back(depthwise(8, 8, 1, 8, {3, 1, 1}, {3, 2, 1}));
  specs.push_back(depthwise(8, 8, 16, 1, {1, 1, 1}, {3, 1, 1}));
  ContractionSpec images = depthwise(8, 9, 32, 1, {3, 1, 1}, {3, 1, 1});
  images.images = 3;
  specs.push_back(images);
  ContractionSpec line = depthwise(1, 20, 18, 1, {1, 1, 1}, {4, 1, 1});
  line.spatial = {20};
  line.windows = {Window{4, 1, 2}};
  specs.push_back(line);
  ContractionSpec volume = line;
  volume.spatial = {5, 6, 7};
  volume.windows = {Window{2, 1, 1}, Window{3, 1, 1}, Window{2, 2, 1}};
  specs.push_back(volume);
  check(specs, GetParam());
}

TEST_P(DepthwiseOn, TypesZeroPointsAndScales) {
  std::vector<ContractionSpec> specs;
  for (V lhs : {V::kI8, V::kU8, V::kI16, V::kF32, V::kBF16})
    for (V rhs : {V::kI8, V::kU8, V::kI4, V::kF32, V::kU4}) {
      ContractionSpec s = depthwise(9, 9, 24, 1, {3, 1, 1}, {3, 1, 1});
      const bool real = !is_integer(lhs) || !is_integer(rhs);
      s.lhs_type = lhs;
      s.rhs_type = rhs;
      s.accumulator = real ? V::kF32 : lhs == V::kI16 ? V::kI64 : V::kI32;
      if (is_integer(lhs)) s.lhs_zero_point = Operand::kOne;
      if (is_integer(rhs)) s.rhs_zero_point = Operand::kPerChannel;
      s.label = std::string(name(lhs)) + "*" + name(rhs);
      specs.push_back(s);
      if (rhs == V::kI8 && lhs != V::kF32) {
        s.rhs_zero_point = Operand::kAbsent;
        s.lhs_scale = Operand::kPerRow;
        s.rhs_scale = Operand::kPerChannel;
        s.label += " scaled";
        specs.push_back(s);
      }
    }
  check(specs, GetParam());
}

/// Weights less their zero point that are no bytes take two.
TEST_P(DepthwiseOn, WeightsOfUint8WithAnyZeroPoint) {
  std::vector<ContractionSpec> specs;
  for (const int64_t channels : {6, 20, 32, 64, 96, 144}) {
    for (const Operand zero_point : {Operand::kOne, Operand::kPerChannel, Operand::kAbsent}) {
      const int64_t kernel = channels == 96 ? 5 : 3;
      ContractionSpec s = depthwise(11, 13, channels, 1, {kernel, channels % 5 == 4 ? 2 : 1, 1}, {kernel, 1, 1});
      s.rhs_type = V::kU8;
      s.rhs_zero_point = zero_point;
      s.lhs_zero_point = Operand::kOne;
      s.label += " zero point " + std::to_string(static_cast<int>(zero_point));
      specs.push_back(to_bytes(s, V::kU8, 0.002f, 11, channels));
      s.lhs_type = V::kI8;
      specs.push_back(s);
    }
  }
  check(specs, GetParam());
}

/// Registers of 64 bytes: parts of a column, a column, several columns.
TEST_P(DepthwiseOn, BytesInAndOut) {
  std::vector<ContractionSpec> specs;
  const Window three{3, 1, 1}, five{5, 1, 1};
  const auto add = [&](ContractionSpec s, V out, float scale, double zero_point) {
    const int64_t channels = s.k * s.n;
    specs.push_back(to_bytes(s, out, scale, zero_point, channels));
  };
  add(depthwise(12, 14, 64, 1, three, three), V::kU8, 0.01f, 0);
  add(depthwise(12, 14, 96, 1, three, three), V::kU8, 0.01f, 3);
  add(depthwise(9, 19, 96, 1, three, three), V::kI8, 0.01f, -4);
  add(depthwise(7, 10, 32, 1, three, three), V::kU8, 0.01f, 0);
  add(depthwise(7, 10, 48, 1, three, three), V::kI8, 0.01f, 0);
  add(depthwise(8, 6, 16, 1, three, three), V::kU8, 0.01f, 9);
  add(depthwise(8, 9, 160, 1, three, three), V::kU8, 0.01f, 0);
  add(depthwise(10, 12, 240, 1, five, five), V::kU8, 0.003f, 0);
  add(depthwise(11, 11, 112, 1, {7, 1, 1}, {7, 1, 1}), V::kI8, 0.003f, 1);
  add(depthwise(11, 13, 96, 1, {3, 2, 1}, {3, 2, 1}), V::kU8, 0.01f, 0);
  add(depthwise(11, 13, 64, 1, {3, 1, 2}, {3, 1, 2}), V::kI8, 0.01f, 0);
  add(depthwise(9, 70, 96, 1, three, three), V::kU8, 0.01f, 0);
  add(depthwise(9, 140, 64, 1, {4, 1, 1}, {2, 1, 1}), V::kU8, 0.01f, 0);
  specs.back().steps.insert(specs.back().steps.end() - 1, {.op = "clamp", .type = V::kF32, .lo = 5, .hi = 77});
  add(depthwise(8, 10, 64, 1, three, three), V::kU8, 0.01f, 0);
  specs.back().images = 3;
  add(depthwise(9, 10, 96, 1, three, three), V::kI8, 0.01f, 0);
  specs.back().images = 2;
  for (size_t i = 0; i < specs.size(); i += 3) {
    specs[i].lhs_type = V::kI8;
    specs[i].lhs_zero_point = Operand::kOne;
  }
  check(specs, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Targets, DepthwiseOn, ::testing::ValuesIn(tested_targets()), [](const auto& param) {
  std::string text = param.param;
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
});

}  // namespace
}  // namespace qlathe::testing
