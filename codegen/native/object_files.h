#pragma once
#include <string>
#include <vector>

#include "codegen/cpp/emit.h"
#include "codegen/halide/lower.h"
#include "frontend/ir/result.h"
#include "schedule/program.h"

namespace qlathe {

enum class ObjectKind {
  kObject,  ///< <model>.o (entry points and constants) and <model>_kernels.o; for a device qlathe_gpu_driver.o
  kStatic,  ///< lib<model>.a of the two
  kShared,  ///< lib<model>.so, linked by the target's compiler driver
};

/// The program as native code with the header and the self-test of the C++ output (codegen/cpp/emit.h, weights inline):
/// the same functions, callable from C. `kernels` are the program's, lowered. Any target that objects reach, cross
/// targets included; the same program gives the same bytes.
Result<std::vector<EmittedFile>> emit_objects(const Program& program, const std::vector<LoweredKernel>& kernels,
                                              const EmitOptions& options, ObjectKind kind);

}  // namespace qlathe
