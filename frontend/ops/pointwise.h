#pragma once
#include <limits>
#include <string>
#include <vector>

#include "frontend/ir/attrs.h"
#include "frontend/ops/enums.h"

namespace qlathe {

/// One step of an element-wise chain: the value in flight `v` becomes op(v, operands...). The same steps are a
/// pointwise node's body and the epilogue of a contraction, pooling or reduction, so that fusing is moving list
/// entries.
///
/// `operands` are indices into the node's inputs. An operand is broadcast to the node's result: aligned at the last
/// axis, and along an axis of n elements an operand extent p (a divisor of n) means element i uses index i / (n / p): p
/// = 1 is one value for the axis, p = n one per element, anything between is sub-channel tiling.
///
/// The value in flight has the type of the last step's result. Float arithmetic is float32; a result type of bfloat16
/// or float16 rounds each step's float32 result to it (half to even). int32 arithmetic wraps. Steps and their meaning:
///
///   add sub mul div min max pow     v op a (swapped: a op v). max(x, y) is x > y ? x : y and min(x, y) is x < y ? x :
///   y, so that
///                                   NaN in x gives y on every target. float32 or int32 (add, sub, mul, min, max).
///   fma                             v * a + b with one rounding (float32)
///   add_dequantized sub_dequantized mul_dequantized     b scale [zero_point]
///                                   v op (float(b) - float(zero_point)) * scale, b an integer; swapped: that op v
///   neg abs sqrt rsqrt exp log sin cos erf floor ceil round (half even) reciprocal
///   sigmoid tanh gelu (erf) gelu_tanh silu hard_swish hard_sigmoid softplus elu(alpha) leaky_relu(alpha)
///                                   float32, by the expressions of numerics/elementary.h
///   relu                            v > 0 ? v : 0 (float32, or the integer types)
///   clamp                           min(max(v, lo), hi)
///   cast                            to `type`: float to integer rounds by `rounding` and saturates to [lo, hi] cut
///   with the type's
///                                   range, NaN gives 0; integer to integer saturates likewise; integer to float rounds
///                                   half to even; float to bfloat16, float16, float8, float4 rounds half to even
///                                   (float8/float4 saturate); to nf4: nearest table entry, the first of equals; codes
///                                   to float32 decode
///   quantize     scale [zero_point] t = reciprocal ? v * (1 / scale) : v / scale; then unless zero_point_after t +=
///   float(zero_point);
///                                   cast to `type` as above; with zero_point_after the zero point is added to the
///                                   rounded integer before saturating (ONNX)
///   dequantize   scale [zero_point] (float(v) - float(zero_point)) * scale, codes decoded first
///   requantize   multiplier shift [zero_point]   int32 -> `type`: multiply by the 31-bit multiplier, shift, round by
///   `mode`
///                                   (numerics/requantize.h), add the zero point, saturate to [lo, hi] cut with the
///                                   type's range. int64 (of 16-bit activations): requantize_fixed_int16, the value
///                                   first saturated to 48 bits. Shifts are cut to what the formula takes. Mode
///                                   float64: int32 or int64 times multiplier * 2^shift in float64 (an int64 of 53 bits
///                                   and an exponent), half away from zero
///   add_requantized sub_requantized   b multiplier shift [zero_point]
///                                   v (int32) op ((int32(b) - zero_point) * 2^shift_left, multiplied, shifted and
///                                   rounded as requantize does by `mode`); swapped: that op v. b is an integer of at
///                                   most 16 bits; int32, everything wraps
///   mul_centered   b [zero_point]   v (int32) * (int32(b) - zero_point), b an integer of at most 16 bits; int32, wraps
///   shift_right                     v / 2^shift_right on int32, `rounding` half_up, half_away_from_zero or floor
///   fixed_logistic fixed_tanh       int16 -> int16: v has `integer_bits` (0 to 6) integer bits, v * 2^(integer_bits -
///                                   15); the result none; numerics/fixed/functions.h, 16 bits
///   logistic_lookup tanh_lookup table[256]   int32 -> int16: the table (uint16) holds sigmoid(i / 24) * 2^16. With
///                                   a = |v| (in 64 bits), i = a >> 9, f = a & 511 (tanh: 8, 255), t = table[i] * 512 +
///                                   f * (table[i + 1] - table[i]) (tanh: * 256), for i >= 255 t = 0x7fff * 2^10
///                                   (tanh: 0xffff * 2^8): logistic (v < 0 ? 2^25 - t + 511 : t + 512) >> 10, tanh
///                                   (v < 0 ? 2^23 - t + 127 : t - 2^23 + 128) >> 8
///   lookup       table[256]         v is 8-bit; index v for unsigned, v + 128 for signed. The result has the table's
///                                   type
///   interpolated_lookup table[513]  int16 -> int16: with i = (v >> 7) + 256 and f = v & 127, table[i] + (((table[i +
///   1]
///                                   - table[i]) * f + 64) >> 7); the difference and the sum wrap in 16 bits
///   less less_equal greater greater_equal equal not_equal   v op a -> bool; and, or, not on bool
///   select       a b                v (bool) ? a : b
///   nonzero_scale                   v < lo ? 1 : v: the guard of golden/README "Scale and zero point" with its limit
///                                   in lo
///   power_of_two_ceil               2^ceil(log2 v) as mxfp4/mxfp8 scales are made (power_of_two_scale of
///                                   numerics/power_of_two.h for `type`); below 2^-63 (float16: 2^-7) as that
struct PointwiseStep {
  std::string op;
  ValueType type = ValueType::kF32;  ///< of the result
  std::vector<int64_t> operands;
  bool swapped = false;
  double lo = -std::numeric_limits<double>::infinity();
  double hi = std::numeric_limits<double>::infinity();
  double alpha = 0;
  Rounding rounding = Rounding::kHalfEven;
  RequantizeMode mode = RequantizeMode::kFixedSingle;
  bool reciprocal = false;
  bool zero_point_after = false;
  int64_t shift_left = 0;
  int64_t shift_right = 0;
  int64_t integer_bits = 0;

  void visit(FieldVisitor& v) {
    v.field("op", op);
    v.field("type", type, ValueType::kF32);
    v.optional_list("operands", operands);
    v.field("swapped", swapped, false);
    v.field("lo", lo, -std::numeric_limits<double>::infinity());
    v.field("hi", hi, std::numeric_limits<double>::infinity());
    v.field("alpha", alpha, 0.0);
    v.field("rounding", rounding, Rounding::kHalfEven);
    v.field("mode", mode, RequantizeMode::kFixedSingle);
    v.field("reciprocal", reciprocal, false);
    v.field("zero_point_after", zero_point_after, false);
    v.field("shift_left", shift_left, int64_t{0});
    v.field("shift_right", shift_right, int64_t{0});
    v.field("integer_bits", integer_bits, int64_t{0});
  }
};

/// Whether operand 0 of a step is a table, used whole instead of broadcast.
inline bool reads_table(const PointwiseStep& step) { return step.op == "lookup" || step.op == "interpolated_lookup"; }

/// pointwise(x, operands...): x is the value that enters the first step. The result has the common broadcast shape (as
/// above) of all inputs and the type of the last step.
struct PointwiseAttrs : Attrs<PointwiseAttrs> {
  std::vector<PointwiseStep> steps;
  void visit(FieldVisitor& v) override { v.optional_list("steps", steps); }
};

}  // namespace qlathe
