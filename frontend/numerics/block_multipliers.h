#pragma once
#include "frontend/numerics/quantize.h"

namespace qlathe {

/// Weights whose blocks along one axis differ by integers (the rule option block_int; ours, not Qwix's):
///
///     real = q * multiplier[block] * scale[channel]
///
/// with multipliers of 1 to 255, so that a product with integer activations is summed in integers to the end and scaled
/// once.
struct BlockQuantizedTensor {
  const QuantFormat* format = nullptr;
  HostTensor values;
  HostTensor multiplier;  ///< uint8, shape / tile
  HostTensor scale;       ///< float32, the same with extent 1 along the tiled axis
};

/// `how` has one tiled axis and a symmetric method with a scale of its own for every block. In float32, half to even:
///
///     s[b]          the scale of block b as compute_scale_zero_point gives it, 0 where the statistic is too small for
///     one scale         max over b of s[b] / 255, a true division; 1 where all are 0 multiplier[b] clip(ceil(s[b] /
///     scale), 1, 255), a true division; 1 where s[b] is 0 q             quantize(x, format, float(multiplier) * scale)
///
/// Rounded up, a multiplier makes no element leave the range of q. Its cost in precision is measured in
/// docs/numerics.md.
Result<BlockQuantizedTensor> quantize_block_int(const HostTensor& x, const HowToQuantize& how);

/// The largest sum over the blocks of a channel of multiplier * sum |q|: times the largest activation it bounds every
/// partial sum of a product with these weights.
int64_t largest_multiplied_sum(const BlockQuantizedTensor& weight, int tiled_axis);

}  // namespace qlathe
