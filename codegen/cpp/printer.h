#pragma once

#include <string>

#include "codegen/halide/lower.h"
#include "frontend/ir/result.h"

namespace qlathe {

struct PrintOptions {
  std::string indent = "  ";
  /// Refuse vector types: for plain ISO C++11 from an unvectorized schedule.
  bool scalar_only = false;
};

/// The kernel as the text of one function definition, `QL_KERNEL void name(const u8* in, ..., int row_begin, int
/// row_end)`, for use inside namespace `qlathe_runtime` names (runtime/README.md). A node the printer does not know is
/// an error that names it.
Result<std::string> print_kernel(const LoweredKernel& kernel, const PrintOptions& options = {});

}  // namespace qlathe
