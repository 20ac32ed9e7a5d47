#include "codegen/halide/lower_program.h"

#include <algorithm>

#include "schedule/kernel.h"

namespace qlathe {

Result<std::vector<LoweredKernel>> lower_program(const Program& program, int threads, const Progress& progress) {
  return for_each_kernel<LoweredKernel>(
      program, threads, progress, [&](const ProgramKernel& kernel) -> Result<LoweredKernel> {
        QL_ASSIGN(const LoweredKernel lowered, lower_kernel(*kernel.pipeline, program.target->halide));
        return lowered.renamed(kernel.name);
      });
}

int64_t scratch_bytes(const Program& program, const std::vector<LoweredKernel>& kernels) {
  int64_t most = 0;
  for (const LoweredKernel& kernel : kernels)
    most = std::max(most, kernel.scratch_bytes());
  return (most + program.arena_alignment - 1) / program.arena_alignment * program.arena_alignment;
}

}  // namespace qlathe
