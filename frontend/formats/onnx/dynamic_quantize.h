#pragma once
#include "frontend/formats/onnx/node.h"

namespace qlathe {

struct DynamicallyQuantized {
  TensorId q;           ///< uint8, of x's shape
  TensorId scale;       ///< float32, one element
  TensorId zero_point;  ///< uint8, one element
};

/// uint8 over the range of x widened to hold 0, as DynamicQuantizeLinear defines it.
DynamicallyQuantized onnx_dynamic_quantize(OnnxNode& node, TensorId x);

}  // namespace qlathe
