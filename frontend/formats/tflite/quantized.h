#pragma once
// What the quantized operators of TFLite share: multipliers, activation ranges, steps.
#include <cmath>
#include <string>
#include <vector>

#include "frontend/formats/tflite/node.h"

namespace qlathe {

/// Steps of a node with their operands, which the steps count from `first` on (1 for pointwise, pool and reduce,
/// kContractionExtra for products).
class TfliteSteps {
 public:
  explicit TfliteSteps(TfliteNode& node, int64_t first = 1) : node_(node), first_(first) {}

  PointwiseStep& add(const char* op, ValueType type, const std::vector<TensorId>& operands = {});

  /// int32 or int64 -> type: times the real multipliers (one, or one per channel) in the fixed-point form of the
  /// profile, plus the zero point, clamped to [lo, hi].
  void requantize(const std::vector<double>& multipliers, ValueType type, int64_t zero_point, double lo, double hi);
  /// The same by the exact product in float64, rounded half away from zero.
  void requantize_float64(const std::vector<double>& multipliers, ValueType type, int64_t zero_point, double lo,
                          double hi);
  /// The same as XNNPACK does: float32(x) * scale in float32, half to even.
  void requantize_float32(const std::vector<float>& scales, ValueType type, int64_t zero_point, double lo, double hi);
  /// The same to int32, without a zero point.
  void rescale(double multiplier) { requantize({multiplier}, ValueType::kI32, 0, -HUGE_VAL, HUGE_VAL); }
  /// q - zero_point as int32.
  void center(int64_t zero_point);

  /// What a fused activation does to a float.
  void activation(tflite::ActivationFunctionType function);

  std::vector<PointwiseStep> steps;
  std::vector<TensorId> operands;

 private:
  TfliteNode& node_;
  int64_t first_;
};

struct TfliteRange {
  int64_t lo = 0, hi = 0;
};
/// The quantized values that a fused activation leaves of the result's type: CalculateActivationRangeQuantized of
/// LiteRT's kernel_util.
TfliteRange tflite_range(TfliteNode& node, tflite::ActivationFunctionType function, ValueType type,
                         const TfliteQuant& quant);

/// A zero point as an operand of steps.
TensorId tflite_zero_point(TfliteNode& node, int64_t zero_point);

/// A scalar of int32, or a vector.
TensorId tflite_integers(TfliteNode& node, const std::vector<int64_t>& values);

inline bool is_eight_bit(ValueType t) { return t == ValueType::kI8 || t == ValueType::kU8; }
/// Quantized activations: int8, uint8, int16.
inline bool is_quantized(ValueType t) { return is_eight_bit(t) || t == ValueType::kI16; }

/// x through the steps.
TensorId tflite_apply(TfliteNode& node, TensorId x, TfliteSteps steps);

}  // namespace qlathe
