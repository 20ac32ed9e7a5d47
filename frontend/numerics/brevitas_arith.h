#pragma once
#include <span>
#include <vector>

#include "frontend/numerics/brevitas_quantizer.h"

/// The float32 steps that Brevitas' quantizers are made of.
namespace qlathe::brevitas {

float round_value(RoundMode mode, float x);

/// Lower bound on the magnitude, sign kept (0 counts as positive). A bound of 0 is none.
float clamp_min_signed(float x, double min_value);

/// The scale that a statistic gives, before the division: |x|, or the power of two whose exponent is log2(x) rounded up
/// or down. log2 is rounded to float32 first, so a value just below 2^k counts as 2^k.
float restrict_value(Restrict restrict, float x);

/// What the restricted statistic is divided by: the largest magnitude of the integer range (a power of two where scales
/// are), or the largest minifloat.
float scale_divisor(const Quantizer& q);

/// Scale of a weight's or bias' statistic: bounded below, restricted, bounded again, divided.
float parameter_scale(const Quantizer& q, float statistic);
/// Scale of a calibrated activation statistic: restricted, divided, then bounded below.
float activation_scale(const Quantizer& q, float statistic);

/// Zero point for a low end of `low_magnitude` = |low|: clamp(round(|low| / scale)), or a real number where the
/// quantizer does not round it.
float zero_point_of(const Quantizer& q, float low_magnitude, float scale);

/// One value through the quantizer and back: `q` the integer (for a minifloat the quantized value in units of the
/// scale), `value` the dequantized one.
struct Step {
  float q;
  float value;
};
Step quantize_value(const Quantizer& q, float x, float scale, float zero_point);

/// Brevitas' integer view of a dequantized value, as QuantTensor.int() derives it: round(value / scale + zero_point),
/// for minifloats the mantissa with its leading one, signed.
float integer_view(const Quantizer& q, float value, float scale, float zero_point);

/// Sum of consecutive float32 in a stated order (that of the reference's CPU reductions): 32 lanes in runs of at least
/// 16 rows that cascade through four levels; the lanes then in four steps of eight; what is left over a multiple of
/// eight first, then the eight lanes ascending. Fewer than eight: four lanes likewise.
float cascade_sum(std::span<const float> x);
/// The same for a column of a strided reduction: one lane, four levels.
float cascade_column_sum(std::span<const float> x);
/// Four lanes, whatever the length.
float cascade_row_sum(std::span<const float> x);

/// k-th smallest (from 1; k is cut to 1..n).
float kth_smallest(std::span<const float> x, int64_t k);
/// k of a high and of a low percentile of n values.
int64_t high_percentile_k(double percentile, int64_t n);
int64_t low_percentile_k(double percentile, int64_t n);
/// min(low percentile or minimum, 0).
float low_statistic(const Quantizer& q, std::span<const float> x);
/// The quantizer's statistic of one group (kAbsMax, kMinMax and the percentiles).
float scale_statistic(const Quantizer& q, std::span<const float> x);

}  // namespace qlathe::brevitas
