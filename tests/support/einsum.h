#pragma once
#include <string_view>
#include <utility>

#include "frontend/ops/contraction.h"

namespace qlathe {

/// A two-operand einsum as a dot_general with an output permutation. `ranks` resolves "..."; without "->" the result
/// has the indices that occur once, in alphabetical order, as numpy has it. Errors: another number of operands, an
/// index twice in one operand, an index of one operand that is neither in the other nor in the result, an unknown index
/// in the result.
Result<DotGeneralAttrs> parse_einsum(std::string_view equation, std::pair<size_t, size_t> ranks);

}  // namespace qlathe
