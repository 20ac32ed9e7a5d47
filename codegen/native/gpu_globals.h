#pragma once
#include "codegen/native/gpu/driver.h"

namespace llvm {
class Constant;
class Module;
}  // namespace llvm

namespace qlathe {

/// The tables of a program as read-only data of the module, constants and kernels' sources included: the address of a
/// qlathe_gpu_program.
llvm::Constant* add_gpu_program(llvm::Module& module, const qlathe_gpu_program& program);

}  // namespace qlathe
