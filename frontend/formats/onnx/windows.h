#pragma once
#include <vector>

#include "frontend/formats/onnx/node.h"
#include "frontend/ops/contraction.h"

namespace qlathe {

/// Kernel, strides, dilations and padding of a convolution or pooling over the spatial axes.
struct OnnxWindows {
  std::vector<int64_t> extent;  ///< of the input
  std::vector<Window> windows;
  std::vector<int64_t> pad_lo, pad_hi;
};

/// Reads strides, dilations, pads and auto_pad for x [N, C, s..]; `kernel` are the taps along each spatial axis.
OnnxWindows onnx_windows(OnnxNode& node, const Shape& x, const std::vector<int64_t>& kernel);

/// The chain that makes integers of a sum: bias (kNone: none) added, times `multiplier` in float32, rounded half to
/// even, the zero point added, saturated. Operands are counted from `first`; they are appended to `operands`.
std::vector<PointwiseStep> onnx_requantize_steps(OnnxNode& node, TensorId bias, TensorId multiplier,
                                                 TensorId zero_point, ValueType type, int64_t first,
                                                 std::vector<TensorId>& operands);

/// A scale or zero point of one element or of one for each index along `axis`, as a tensor of `rank` axes.
TensorId onnx_parameter(OnnxNode& node, TensorId given, int64_t rank, int64_t axis);

}  // namespace qlathe
