#pragma once
#include <string>

#include "frontend/ir/graph.h"

namespace qlathe {

/// A graph of float operators, with steps that quantize and dequantize or without, as the bytes of a TFLite model
/// (format version 3). A value that only quantize steps read is held in integers, and an operator whose operands and
/// result are integers becomes the quantized operator, its bias in int32 and its activation fused; movement, pooling
/// and the like pass the quantization of one side on. What stays float stands between DEQUANTIZE and QUANTIZE.
/// Inputs and outputs keep their names and types. What has no such form is listed at once.
Result<std::string> export_tflite(const Graph& graph);

}  // namespace qlathe
