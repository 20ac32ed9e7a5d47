#pragma once
#include <vector>

#include "codegen/halide/for_each_kernel.h"
#include "codegen/halide/lower.h"
#include "schedule/program.h"

namespace qlathe {

/// Every kernel of the program under its unique name, in the program's order. Lowers on `threads` threads; the result
/// does not depend on them. Scratch that a kernel needs is known from here on.
Result<std::vector<LoweredKernel>> lower_program(const Program& program, int threads = 1,
                                                 const Progress& progress = nullptr);

/// Largest scratch of any kernel, rounded up to the arena's alignment.
int64_t scratch_bytes(const Program& program, const std::vector<LoweredKernel>& kernels);

}  // namespace qlathe
