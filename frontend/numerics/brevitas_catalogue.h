#pragma once
#include <vector>

#include "frontend/numerics/brevitas_quantizer.h"

namespace qlathe::brevitas {

/// Every quantizer that brevitas.quant names for weights, activations and biases.
const std::vector<Quantizer>& catalogue();

}  // namespace qlathe::brevitas
