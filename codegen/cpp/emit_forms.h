#pragma once
/// One model for several instruction sets in one program.
#include <string>
#include <vector>

#include "codegen/cpp/emit.h"

namespace qlathe {

/// The model for one target.
struct EmitForm {
  Program program;
  std::vector<LoweredKernel> kernels;
};

/// Whether the C++ of these targets can be forms of one program: vector targets of one processor family, each once.
Status check_forms(const std::vector<const Target*>& targets);

/// The files of emit_cpp with <model>.cpp a dispatcher, which takes the best form that the processor has when the
/// program is loaded (cpuid on x86, the auxiliary vector on ARM Linux; no library). Each form is
/// <model>_<instruction set>.h and .cpp with its own packed weights. The forms are of one graph under one name; the
/// arena's size is the largest. Weights inline or separate.
Result<std::vector<EmittedFile>> emit_forms(std::vector<EmitForm> forms, const EmitOptions& options);

}  // namespace qlathe
