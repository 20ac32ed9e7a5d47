#pragma once
// Element-wise arithmetic on integers that takes more than steps.
#include "frontend/formats/tflite/quantized.h"

namespace qlathe {

/// DIV of 8-bit and 16-bit values: both reciprocals and roundings as LiteRT's DivElementwise (reference/div.h).
TensorId tflite_quantized_division(TfliteNode& node, tflite::ActivationFunctionType function);

/// POW of int32. With one exponent for all, which broadcasts, products wrap; otherwise what does not fit is the lowest
/// number (std::pow in double, converted on x86).
TensorId tflite_integer_power(TfliteNode& node);

}  // namespace qlathe
