#include "frontend/numerics/brevitas_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "frontend/numerics/brevitas_arith.h"

namespace qlathe::brevitas {
namespace {

constexpr int kGridIterations = 20;
constexpr int kHalfQuadraticIterations = 1000;

// The i-th of 19 equally spaced values from 1/19 to 1: counted from the nearer end, one rounding each.
float grid_fraction(int i) {
  constexpr int kSteps = kGridIterations - 1;
  const float first = static_cast<float>(1.0 / kSteps);
  const float step = (1.0f - first) / static_cast<float>(kSteps - 1);
  if (i < kSteps / 2) return std::fma(step, static_cast<float>(i), first);
  return std::fma(-step, static_cast<float>(kSteps - 1 - i), 1.0f);
}

// sign(e) * max(|e| - weight * |e|^exponent, 0).
float shrink(float e, float weight, float exponent) {
  const float magnitude = std::fabs(e);
  if (magnitude == 0) return 0.0f;
  const float power = exponent == -0.5f ? 1.0f / std::sqrt(magnitude)
                                        : static_cast<float>(std::pow(static_cast<double>(magnitude), exponent));
  const float rest = std::max(magnitude - weight * power, 0.0f);
  return e > 0 ? rest : -rest;
}

float mean_of(std::span<const float> x) { return cascade_sum(x) / static_cast<float>(x.size()); }

// The lower median, NaN without values.
float lower_median(std::vector<float>& values) {
  if (values.empty()) return std::numeric_limits<float>::quiet_NaN();
  const auto middle = values.begin() + static_cast<int64_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::vector<float> grid_search(const std::vector<float>& init, const std::function<float(int64_t, float)>& loss) {
  std::vector<float> best(init.size());
  for (size_t row = 0; row < init.size(); row++) {
    const float base = init[row] / static_cast<float>(kGridIterations);
    const float low = std::min(base, init[row]);
    const float high = std::max(base, init[row]);
    const auto index = static_cast<int64_t>(row);
    best[row] = low;
    float best_loss = loss(index, low);
    for (int i = 0; i < kGridIterations - 1; i++) {
      const float candidate = low + (high - low) * grid_fraction(i);
      const float candidate_loss = loss(index, candidate);
      if (candidate_loss < best_loss) {
        best[row] = candidate;
        best_loss = candidate_loss;
      }
    }
  }
  return best;
}

std::vector<float> half_quadratic_scale(const Quantizer& q, const Rows& x, std::vector<float> init,
                                        bool whole_tensor_per_row) {
  constexpr double kKappa = 1.01;
  constexpr double kNorm = 0.7;
  const float divisor = scale_divisor(q);
  double beta = 1e5;
  std::vector<float> candidate = std::move(init);
  std::vector<float> best = candidate;
  float best_loss = std::numeric_limits<float>::infinity();
  const int64_t per_row = whole_tensor_per_row ? x.rows * x.columns : x.columns;
  auto source = [&](int64_t row) { return whole_tensor_per_row ? x.data.data() : x.data.data() + row * x.columns; };
  std::vector<float> error(static_cast<size_t>(x.rows * per_row));
  std::vector<float> value(error.size());
  for (int iteration = 0; iteration < kHalfQuadraticIterations; iteration++) {
    std::vector<float> scale(candidate.size());
    for (int64_t row = 0; row < x.rows; row++) {
      scale[static_cast<size_t>(row)] = parameter_scale(q, candidate[static_cast<size_t>(row)]);
      for (int64_t i = 0; i < per_row; i++) {
        const auto at = static_cast<size_t>(row * per_row + i);
        value[at] = quantize_value(q, source(row)[i], scale[static_cast<size_t>(row)], 0.0f).value;
        error[at] = std::fabs(value[at] - source(row)[i]);
      }
    }
    const float loss = mean_of(error);
    if (loss < best_loss) best = candidate;
    if (loss >= best_loss) break;
    best_loss = std::min(loss, best_loss);
    const float weight = static_cast<float>(1.0 / beta);
    for (int64_t row = 0; row < x.rows; row++) {
      std::vector<float> ratios;
      for (int64_t i = 0; i < per_row; i++) {
        const float wanted = source(row)[i];
        const float got = value[static_cast<size_t>(row * per_row + i)];
        const float numerator = wanted - shrink(wanted - got, weight, static_cast<float>(kNorm - 1));
        const float denominator = std::nearbyint(got / scale[static_cast<size_t>(row)]);
        if (numerator != 0 && denominator != 0) ratios.push_back(numerator / denominator);
      }
      const float next = clamp_min_signed(lower_median(ratios), q.scaling_min_val) * divisor;
      if (std::isfinite(next)) candidate[static_cast<size_t>(row)] = next;
    }
    beta *= kKappa;
  }
  return best;
}

std::vector<float> half_quadratic_low(const Quantizer& q, const Rows& x, const Rows& requantized,
                                      const std::vector<float>& scale, std::vector<float> init, double* beta,
                                      const std::function<float(float, float)>& zero_point) {
  constexpr double kKappa = 1.01;
  std::vector<float> candidate = std::move(init);
  std::vector<float> best = candidate;
  float best_loss = std::numeric_limits<float>::infinity();
  Rows value = x;
  std::vector<float> error(x.data.size());
  std::vector<float> target(static_cast<size_t>(x.columns));
  for (int iteration = 0; iteration < kHalfQuadraticIterations; iteration++) {
    std::vector<float> zero(candidate.size());
    for (int64_t row = 0; row < x.rows; row++) {
      const auto r = static_cast<size_t>(row);
      zero[r] = zero_point(candidate[r], scale[r]);
      for (size_t i = 0; i < target.size(); i++) {
        value.row(row)[i] = quantize_value(q, requantized.row(row)[i], scale[r], zero[r]).value;
        error[r * target.size() + i] = std::fabs(value.row(row)[i] - x.row(row)[i]);
      }
    }
    const float loss = mean_of(error);
    if (loss < best_loss) best = candidate;
    if (loss >= best_loss) break;
    best_loss = std::min(loss, best_loss);
    const float weight = static_cast<float>(1.0 / *beta);
    for (int64_t row = 0; row < x.rows; row++) {
      const auto r = static_cast<size_t>(row);
      for (size_t i = 0; i < target.size(); i++) {
        const float got = value.row(row)[i];
        const float integer = got / scale[r] + zero[r];
        const float wanted = x.row(row)[i];
        target[i] = (wanted - shrink(wanted - got, weight, -0.5f)) - integer * scale[r];
      }
      candidate[r] = mean_of(target);
    }
    *beta *= kKappa;
  }
  return best;
}

}  // namespace qlathe::brevitas
