#pragma once
#include <optional>
#include <vector>

#include "frontend/ir/tensor.h"
#include "frontend/numerics/quant_axes.h"

namespace qlathe {

/// Statistics of the groups of one tensor, in the shape of its scale and in the type of the tensor: absmax, or lo and
/// hi. Static scales are averages of these.
struct Statistics {
  std::optional<HostTensor> absmax;
  std::optional<HostTensor> lo, hi;

  bool asymmetric() const { return lo.has_value(); }
};

/// The division of the reference: where b has fewer elements than a, it multiplies by the reciprocal of b, rounded to
/// float32 (and to float16 where T is float16); where both have equally many, it divides.
///
///     div(a, b) = round_T( count(b) < count(a) ? a * (1 / b) : a / b )
///
/// T is the type that the tensors have; arithmetic is float32 in any case. A constant b counts as one element.
enum class Division { kReciprocal, kTrue };
inline Division division_of(int64_t count_a, int64_t count_b) {
  return count_b < count_a ? Division::kReciprocal : Division::kTrue;
}
/// Reciprocal as above: float32(1) / b, rounded to float16 when T is float16.
float reciprocal_of(ValueType float_type, float b);

/// Statistics of x (kF32, kBF16 or kF16). T is x's type, every step is computed in float32 and rounded to T:
///
///     absmax  a = max |x|;                           then a = a * f when a factor is given
///     minmax  lo = min(min x, 0), hi = max(max x, 0); then each times f
///     rms     a = sqrt(mean(x * x)) * f,             x * x rounded before it is added; mean: windowed_mean
///     fixed   as given, one element; absmax when lo == -hi
///
/// NaN in a group makes its statistics NaN. Errors: as tile_shape, and a type that is not one of the three.
Result<Statistics> calibrate(const HostTensor& x, const HowToQuantize& how);

/// Sum of float32 values of shape `extents` (row-major) in the order of the reference, `single` being whether this is
/// the only sum of its tensor. Axes of extent 1 do not count.
///
/// Where no extent is above 32: ascending into one accumulator; except that a single sum over two axes may run in lanes
/// (sum_lanes): lane l adds the rows l, l + lanes, ..., and the lanes are added by halves, l + (l + lanes / 2).
///
/// Otherwise every extent above 32 is cut into windows of 32, the first and the last shortened equally (sum_windows),
/// each box of windows is summed ascending, and the same is done to the sums.
///
/// The reference's own order is a compiler's choice; this is what it was measured to be for axes of up to about 100
/// elements. Beyond that the last bits of a mean or of an rms scale may differ.
float windowed_sum(std::vector<float> values, Shape extents, bool single);
/// windowed_sum * (1 / n), the reciprocal rounded to float32, whatever the number of groups.
float windowed_mean(std::vector<float> values, Shape extents, bool single);

/// Lanes of a single sum over `extents`: 1 unless two extents are above 1, the inner one of them at most 8 and the
/// outer one 2, 4, a multiple of 8, or a multiple of 4 above 16.
int64_t sum_lanes(const Shape& extents);

/// The windows that windowed_sum cuts an axis of n > 32 elements into: `windows` of 32, after `missing` elements are
/// put in front of it and the rest behind.
struct SumWindows {
  int64_t windows, missing_before, missing_behind;
};
constexpr int64_t kSumWindow = 32;
inline SumWindows sum_windows(int64_t n) {
  const int64_t windows = (n + kSumWindow - 1) / kSumWindow;
  const int64_t missing = windows * kSumWindow - n;
  return {windows, missing / 2, missing - missing / 2};
}

}  // namespace qlathe
