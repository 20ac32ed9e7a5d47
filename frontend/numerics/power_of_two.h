#pragma once
#include "frontend/ir/value_type.h"

namespace qlathe {

/// The power-of-two scale of mxfp8 and mxfp4: 2^ceil(log2(scale)), where log2 has the last bits of the reference:
///
///     log2(x) = round_T( round_T(ln x) * recip ),   recip = float32(1) / round_T(ln 2), for float16 rounded to it too
///
/// with T the type of the scale (kF32, kBF16, kF16). It is off by a last bit near some powers of two, on either
/// side: 2^-13 becomes 2^-12, and 2^-8 * (1 + 2^-23) stays 2^-8. Stated here as thresholds, so that nothing
/// depends on a library's logarithm: with e = floor(log2(scale)) exactly,
///
///     result = 2^(e + (scale >= T(e)) + (scale >= T(e + 1))),   T(k) = the value with bits(2^k) +
///     power_of_two_offset(k)
///
/// `scale` is at least 2^-63 (float16: 2^-7), which compute_scale_zero_point has made sure of, or NaN or infinite,
/// which are returned as they are.
float power_of_two_scale(ValueType type, float scale);

/// T(k) as a distance from 2^k in steps of the type's bit pattern. k in -63..127 (float16: -7..15).
int power_of_two_offset(ValueType type, int k);

}  // namespace qlathe
