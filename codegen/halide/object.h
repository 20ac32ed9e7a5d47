#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/halide/lower.h"
#include "frontend/ir/result.h"

namespace qlathe {

/// Object code of the kernels, one C function each under its name, in a relocatable file of the kernels' common Halide
/// target. `unit` names the translation unit inside the file. The same kernels in the same order give the same bytes.
Result<std::vector<uint8_t>> compile_object(const std::vector<LoweredKernel>& kernels, const std::string& unit);

}  // namespace qlathe
