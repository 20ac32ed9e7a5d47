#pragma once
#include <optional>

#include "frontend/ir/tensor.h"
#include "frontend/numerics/calibrate.h"

namespace qlathe {

struct ScaleZeroPoint {
  HostTensor scale;                      ///< shape and type of the statistics
  std::optional<HostTensor> zero_point;  ///< integers of the format's type, scale's shape; absent when symmetric
};

/// The smallest scale that is kept: 2^-63, the square root of the smallest normal float32 (bfloat16 likewise), 2^-7 for
/// float16. Smaller ones (and negative ones, from negative factors) become 1.
float smallest_scale(ValueType float_type);

/// Scale and zero point of statistics (compute_scale_zero_point). T is the type of the statistics; every step is
/// rounded to T; div as in calibrate.h, with constants as one element:
///
///     symmetric   scale = div(absmax, B)
///     asymmetric  scale = div(hi - lo, qmax - qmin)
///     then        scale = scale < smallest_scale ? 1 : scale
///     asymmetric  zero_point = clip(round(qmin - lo / scale)), a true division (both have one element a group)
///     then        kPowerOfTwo: power_of_two_scale(scale);  kE4M3: encode(clip(scale, +-448)) widened again
///
/// Error: asymmetric statistics for a format that has no zero point.
Result<ScaleZeroPoint> compute_scale_zero_point(const Statistics& statistics, const QuantFormat& format);

/// q = convert(div(x, scale) + zero_point), the sum only with a zero point; scale's tile is shape / scale.shape.
/// The scale is rounded to x's type first. Integers: half to even, clipped to the format's range; codes: encode().
Result<HostTensor> quantize(const HostTensor& x, const QuantFormat& format, const HostTensor& scale,
                            const HostTensor* zero_point);

/// (float(q) - float(zero_point)) * scale, each step rounded to the scale's type, codes decoded first.
Result<HostTensor> dequantize(const HostTensor& q, const HostTensor& scale, const HostTensor* zero_point);

/// A quantized array with all that belongs to it.
struct QuantizedTensor {
  const QuantFormat* format = nullptr;
  HostTensor values;
  HostTensor scale;
  std::optional<HostTensor> zero_point;

  const HostTensor* zero_point_or_null() const { return zero_point ? &*zero_point : nullptr; }
};

/// calibrate, compute_scale_zero_point, quantize.
Result<QuantizedTensor> quantize(const HostTensor& x, const HowToQuantize& how);

}  // namespace qlathe
