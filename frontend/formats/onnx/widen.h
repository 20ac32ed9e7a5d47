#pragma once
#include "frontend/formats/onnx/node.h"

namespace qlathe {

/// float64 as float32, in which all arithmetic runs.
TensorId onnx_no_double(OnnxNode& node, TensorId x);

/// Arithmetic runs in float or in 32- or 64-bit integers; smaller integers are widened, and wrap on their way back.
struct Widened {
  TensorId x;
  ValueType type;  ///< before
};
Widened onnx_widen(OnnxNode& node, TensorId x);
/// An integer keeps its low bits.
TensorId onnx_narrow(OnnxNode& node, TensorId x, ValueType type);

/// Integers divide towards zero; what is known to be divided by zero is a problem.
TensorId onnx_divide(OnnxNode& node, TensorId a, TensorId b);

/// As Cast does: integers wrap, and floats become integers of fewer than 32 bits through int32.
TensorId onnx_cast(OnnxNode& node, TensorId x, ValueType to);

}  // namespace qlathe
