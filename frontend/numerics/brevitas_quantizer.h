#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/ir/result.h"

/// Brevitas' quantizers: what each published name means (brevitas.quant 0.13), as data. The arithmetic is float32
/// throughout, in the order in which the library does it on a CPU.
namespace qlathe::brevitas {

enum class Role { kWeight, kAct, kBias };

/// What the quantized values are.
enum class Number {
  kFloat,      ///< not quantized (the None… quantizers)
  kInt,        ///< integers of `bit_width` bits
  kBinary,     ///< -1 and 1
  kMinifloat,  ///< small floats of `format`
};

/// float_to_int_impl_type. kDpu is half to even, but a negative half goes up.
enum class RoundMode { kRound, kFloor, kCeil, kRoundToZero, kDpu };

/// Which elements share a scale: scaling_per_output_type. The channel of a weight is its output channel; groups are
/// `group_size` consecutive elements of the axis after it (the axis is padded with zeros to a multiple).
enum class Granularity { kTensor, kChannel, kGroup };

/// The number that a scale is made from, before it is divided by the integer range.
enum class Statistic {
  kAbsMax,
  kMinMax,              ///< max - min(min, 0)
  kAbsPercentile,       ///< high_percentile of the absolute values
  kPercentileInterval,  ///< high_percentile - min(low_percentile, 0)
  kAbsMaxMean,          ///< mean over the channels (axis 1) of the largest absolute value, averaged over the batches
  kConstant,            ///< scaling_const
  kRange,               ///< max(|min_val|, |max_val|)
  kUnit,                ///< the scale is 1
  kAccumulator,         ///< the scale is input scale * weight scale (biases)
};

/// A value that is searched for instead of computed: least squared error over a grid, or half-quadratic optimization.
enum class Search { kNone, kMse, kHqo };

/// restrict_scaling_type, with the rounding of the exponent.
enum class Restrict { kFloat, kPowerOfTwoCeil, kPowerOfTwoFloor };

enum class ZeroPoint { kZero, kMin, kLowPercentile };

/// Sign, exponent and mantissa bits; subnormals, saturation at `max_value`, no infinities.
struct MinifloatFormat {
  int exponent_bits = 4;
  int mantissa_bits = 3;
  int exponent_bias = 7;
  float max_value = 480.0f;
};

struct Quantizer {
  std::string name;
  Role role = Role::kWeight;
  Number number = Number::kInt;
  int bit_width = 8;
  bool is_signed = true;
  bool narrow_range = false;
  RoundMode rounding = RoundMode::kRound;
  Granularity granularity = Granularity::kTensor;
  int64_t group_size = 32;
  Statistic statistic = Statistic::kAbsMax;
  Search scale_search = Search::kNone;
  Restrict restrict = Restrict::kFloat;
  ZeroPoint zero_point = ZeroPoint::kZero;
  Search zero_point_search = Search::kNone;
  bool quantize_zero_point = true;  ///< false: the zero point stays a real number
  MinifloatFormat format;

  double scaling_const = 0.1;
  double min_val = 0.0;  ///< kRange; ignored by unsigned quantizers
  double max_val = 0.0;
  double low_percentile_q = 0.001;
  double high_percentile_q = 99.999;
  double scaling_min_val = 1e-10;  ///< lower bound of a scale's statistic; 0: none
  int collect_stats_steps = 300;   ///< batches after this many no longer count
  double momentum = 0.1;           ///< weight of a new batch; negative: a true average
  std::string unsupported;         ///< why this named quantizer is not available here; empty: it is

  /// Integer range (signed narrow ranges are symmetric, unsigned narrow ones lose the largest value).
  int64_t min_int() const;
  int64_t max_int() const;
};

/// Every name, sorted.
std::vector<std::string> quantizer_names(Role role);
/// By Brevitas' name; an unknown one is a user error with the nearest known name. "None" and "" give Number::kFloat.
Result<Quantizer> find_quantizer(Role role, std::string_view name);

/// "round", "floor", "ceil", "round_to_zero", "dpu", in any case.
Result<RoundMode> parse_round_mode(std::string_view name);
/// "tensor", "channel", "group", in any case.
Result<Granularity> parse_granularity(std::string_view name);

/// Ranges of the options: bit widths 1 to 8 (biases to 32), group sizes, percentiles, step counts, min < max.
Status check(const Quantizer& quantizer);

}  // namespace qlathe::brevitas
