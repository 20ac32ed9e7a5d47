#include "frontend/numerics/requantize.h"

#include "frontend/numerics/multiplier_of.h"

namespace qlathe {

QuantizedMultiplier quantize_multiplier(double real) { return multiplier_of(real); }

}  // namespace qlathe
