#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "frontend/ir/tensor.h"

namespace qlathe {

/// The 16 values of NormalFloat4 (Appendix E of arXiv 2305.14314).
extern const float kNf4Table[16];

/// Value of a code of float8_e4m3fn, float8_e5m2, float4_e2m1fn or nf4.
float decode(ValueType code_type, uint8_t code);

/// Code of the nearest value, ties to the even code. Values beyond the largest finite one, infinities included,
/// saturate to it. NaN becomes the type's NaN (float8), -0 (float4, which has none) or 0 (nf4).
/// nf4: the first of the nearest table entries; an infinity is equally far from all, so it becomes code 0.
uint8_t encode(ValueType code_type, float value);

float bf16_to_f32(uint16_t bits);
float f16_to_f32(uint16_t bits);
/// Round to nearest even; values beyond the range become infinities, as IEEE has it.
uint16_t f32_to_bf16(float value);
uint16_t f32_to_f16(float value);

/// `value` rounded to float_type (kF32, kBF16 or kF16) and widened again.
float round_to(ValueType float_type, float value);

/// Round half to even, then clip to [min, max]; NaN becomes 0. |min|, |max| <= 2^24.
int32_t round_clip(float value, int32_t min, int32_t max);

/// Every element of a tensor of any type as a float32 (integers converted, codes decoded, 64-bit types rounded).
std::vector<float> to_floats(const HostTensor& tensor);
/// A tensor of float_type (kF32, kBF16 or kF16) from float32 values, each rounded.
HostTensor from_floats(ValueType float_type, Shape shape, std::span<const float> values);

}  // namespace qlathe
