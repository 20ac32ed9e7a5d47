#pragma once
#include "frontend/formats/onnx/node.h"

namespace qlathe {

/// The elements of x [.., n] that have places 0 to k - 1 in their rows, in that order: [.., k].
TensorId onnx_first_places(OnnxNode& node, TensorId x, TensorId places, int64_t k);

/// Indices along an axis of n elements as int32; negative ones count from the end, and those out of range become -1.
TensorId onnx_checked_indices(OnnxNode& node, TensorId indices, int64_t n);

}  // namespace qlathe
