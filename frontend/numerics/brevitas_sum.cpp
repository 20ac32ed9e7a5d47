#include <algorithm>
#include <array>
#include <bit>

#include "frontend/numerics/brevitas_arith.h"

// Pairwise-like summation with few accumulators: rows of `Lanes` values are added into level 0; every 2^p rows level 0
// is emptied into level 1, every 2^2p rows level 1 into level 2, and so on.

namespace qlathe::brevitas {
namespace {

constexpr int kLevels = 4;

template <int Lanes>
std::array<float, Lanes> cascade(const float* x, int64_t rows) {
  std::array<std::array<float, Lanes>, kLevels> level{};
  const int log2_rows = rows <= 1 ? 0 : static_cast<int>(std::bit_width(static_cast<uint64_t>(rows - 1)));
  const int power = std::max(4, log2_rows / kLevels);
  const int64_t step = int64_t{1} << power;
  auto add_row = [&](int64_t row) {
    for (int lane = 0; lane < Lanes; lane++)
      level[0][static_cast<size_t>(lane)] += x[row * Lanes + lane];
  };
  int64_t row = 0;
  while (row + step <= rows) {
    for (int64_t k = 0; k < step; k++)
      add_row(row++);
    for (int j = 1; j < kLevels; j++) {
      auto& from = level[static_cast<size_t>(j) - 1];
      for (size_t lane = 0; lane < Lanes; lane++) {
        level[static_cast<size_t>(j)][lane] += from[lane];
        from[lane] = 0;
      }
      if ((row & ((step - 1) << (j * power))) != 0) break;
    }
  }
  while (row < rows)
    add_row(row++);
  for (size_t j = 1; j < kLevels; j++)
    for (size_t lane = 0; lane < Lanes; lane++)
      level[0][lane] += level[j][lane];
  return level[0];
}

// Four rows of `Width` values side by side, then the four are added up.
template <int Width>
std::array<float, Width> cascade_by_four(const float* x, int64_t rows) {
  constexpr int kAbreast = 4;
  const auto partial = cascade<kAbreast * Width>(x, rows / kAbreast);
  std::array<float, Width> sum{};
  std::copy_n(partial.begin(), Width, sum.begin());
  for (int64_t row = rows / kAbreast * kAbreast; row < rows; row++)
    for (int64_t lane = 0; lane < Width; lane++)
      sum[static_cast<size_t>(lane)] += x[row * Width + lane];
  for (size_t k = 1; k < kAbreast; k++)
    for (size_t lane = 0; lane < Width; lane++)
      sum[lane] += partial[k * Width + lane];
  return sum;
}

}  // namespace

float cascade_sum(std::span<const float> x) {
  constexpr int64_t kWidth = 8;
  const auto n = static_cast<int64_t>(x.size());
  if (n < kWidth) return cascade_row_sum(x);
  const auto lanes = cascade_by_four<kWidth>(x.data(), n / kWidth);
  float sum = 0;
  for (int64_t i = n / kWidth * kWidth; i < n; i++)
    sum += x[static_cast<size_t>(i)];
  for (float lane : lanes)
    sum += lane;
  return sum;
}

float cascade_row_sum(std::span<const float> x) {
  return cascade_by_four<1>(x.data(), static_cast<int64_t>(x.size()))[0];
}

float cascade_column_sum(std::span<const float> x) { return cascade<1>(x.data(), static_cast<int64_t>(x.size()))[0]; }

}  // namespace qlathe::brevitas
