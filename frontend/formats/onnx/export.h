#pragma once
#include <string>

#include "frontend/ir/graph.h"

namespace qlathe {

/// A graph of the front-end, quantized or not, as the bytes of an ONNX model of opset 13 or 21: integer products become
/// DequantizeLinear on both operands and the float operator (QDQ; types of fewer than 8 bits are int8 or uint8 with
/// Clip at opset 13), so that any runtime runs it. What has no such form is listed at once.
Result<std::string> export_onnx(const Graph& graph, int64_t opset);

}  // namespace qlathe
