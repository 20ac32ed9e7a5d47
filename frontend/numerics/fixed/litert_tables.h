#pragma once

/// The tables that LiteRT's reference kernels look up, or that have their integers: unary operators between quantized
/// tensors. Every entry follows the kernel's own arithmetic (activations.cc, elementwise.cc, exp.cc, common.h,
/// hard_swish.h and leaky_relu.h under tflite/kernels); where it calls a float function of the C library, that is here
/// the double one rounded to float. Where the C++ conversion of a float to int32 is undefined, it is what x86 gives:
/// the lowest number.

#include <string>

#include "frontend/ir/tensor.h"
#include "frontend/numerics/requantize.h"

namespace qlathe {

struct LitertUnary {
  std::string op;                   ///< the operator's name in the TFLite schema: "LOGISTIC"
  ValueType type = ValueType::kI8;  ///< of operand and result
  float in_scale = 1;
  int32_t in_zero_point = 0;
  float out_scale = 1;
  int32_t out_zero_point = 0;
  float alpha = 0;           ///< LEAKY_RELU
  bool approximate = false;  ///< GELU by tanh
};

/// 8 bits: the 256 entries of step `lookup` (pointwise.h), in the operand's type. 16 bits: the 513 entries of step
/// `interpolated_lookup`, for EXP, LOG, RSQRT and GELU.
///
/// 8-bit operators: LOGISTIC TANH ELU GELU EXP LOG SQRT RSQRT ABS HARD_SWISH LEAKY_RELU RELU RELU6 RELU_N1_TO_1
/// RELU_0_TO_1. A run of LiteRT fails at negative numbers under SQRT and RSQRT; here the first counts them as 0, the
/// second gives its largest number.
Result<HostTensor> litert_table(const LitertUnary& unary);

/// RSQRT of int16 as TFLite Micro computes it, by the formula of eight bits: int16[32768] for operands from 0 on.
HostTensor micro_rsqrt_table(float in_scale, float out_scale);

/// LOGISTIC and TANH of int16: the operand times `multiplier`, step shift_right (half_up) by `shift`, then step
/// logistic_lookup or tanh_lookup with sigmoid_table().
struct LitertSigmoid16 {
  int32_t multiplier = 0;
  int32_t shift = 0;
};
LitertSigmoid16 litert_logistic_16(float in_scale);
LitertSigmoid16 litert_tanh_16(float in_scale);
/// uint16[256]: sigmoid(i / 24) * 2^16 raised by half of what a chord to the next entry lies below the curve.
HostTensor sigmoid_table();

/// 8-bit SOFTMAX and LOG_SOFTMAX (pointwise over x - max in [-255, 0], index + 255): int32[256].
struct LitertSoftmax8 {
  HostTensor exps;   ///< exp without integer bits, 0 where the kernel skips the element
  HostTensor diffs;  ///< x - max with 5 integer bits
  int32_t diff_min = 0;
  QuantizedMultiplier reverse;  ///< from 5 integer bits back to steps of x, of LOG_SOFTMAX
};
LitertSoftmax8 litert_softmax_8(float in_scale, float beta);

/// SOFTMAX of int16: int16[513] each.
struct LitertSoftmax16 {
  HostTensor exps, reciprocals;
  QuantizedMultiplier multiplier;  ///< from steps of x to steps of `exps`
};
LitertSoftmax16 litert_softmax_16(float in_scale, float beta);

}  // namespace qlathe
