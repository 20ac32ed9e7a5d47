#pragma once
#include <functional>
#include <span>
#include <vector>

#include "frontend/numerics/brevitas_quantizer.h"

/// Searched scales and zero points.
namespace qlathe::brevitas {

/// Values arranged so that each row shares a scale.
struct Rows {
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<float> data;  ///< [rows][columns]

  std::span<const float> row(int64_t r) const { return {data.data() + r * columns, static_cast<size_t>(columns)}; }
  std::span<float> row(int64_t r) { return {data.data() + r * columns, static_cast<size_t>(columns)}; }
};

/// Grid search for each row on its own: 20 candidates from the smaller of init / 20 and init to the larger one, equally
/// spaced; the first of the least losses. `loss(row, candidate)`.
std::vector<float> grid_search(const std::vector<float>& init, const std::function<float(int64_t, float)>& loss);

/// Half-quadratic optimization of the scales (symmetric quantizers): alternates between shrinking the error
/// (|e| - |e|^(p-1) / beta, p = 0.7, beta = 1e5 growing by 1.01) and taking the median of (x - e) / q as the new scale,
/// while the mean absolute error over all rows falls. Takes and gives statistics (scale * scale_divisor).
/// `whole_tensor_per_row`: the values that a row's scale is fitted to are those of all rows; so it is for convolution
/// weights with a scale per channel, where the reference's view of the weight broadcasts against the scale's shape.
std::vector<float> half_quadratic_scale(const Quantizer& q, const Rows& x, std::vector<float> init,
                                        bool whole_tensor_per_row);

/// The same for the low end that makes a zero point: the mean of (x - e) - q * scale, p = 0.5, beta from *beta on
/// (1 at first). `requantized` is what the quantizer sees of `x`; `zero_point(low, scale)` is how a low end becomes a
/// zero point while searching.
std::vector<float> half_quadratic_low(const Quantizer& q, const Rows& x, const Rows& requantized,
                                      const std::vector<float>& scale, std::vector<float> init, double* beta,
                                      const std::function<float(float, float)>& zero_point);

}  // namespace qlathe::brevitas
