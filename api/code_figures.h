#pragma once
/// Exact sizes of emitted C++, by the target's compiler.
#include <optional>
#include <vector>

#include "codegen/cpp/emit.h"

namespace qlathe {

/// The command of the target's g++, which need not be installed.
std::string gcc_of(const Target& target);

/// Compiles `files` (of emit_cpp, the model called `model`) with the target's g++ at -O2 and reads size and call graph.
/// Nothing where the compiler is not installed; a failure where it does not take the files or a stack frame has no
/// fixed size.
Result<std::optional<CodeFigures>> measure_code(const std::vector<EmittedFile>& files, const std::string& model,
                                                const Target& target);

}  // namespace qlathe
