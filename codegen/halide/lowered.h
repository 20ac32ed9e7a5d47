#pragma once

#include <Halide.h>

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/halide/lower.h"

namespace qlathe {

/// What the printer and the object writer read. The body refers to buffers, scratch slices and scalars by the parameter
/// names and contains no halide_buffer_t, no ProducerConsumer and no assertion; loops to unroll have
/// ForType::Unrolled, all others are serial.
struct LoweredKernel::Impl {
  std::string name;
  std::vector<KernelParameter> parameters;
  std::vector<Halide::Internal::LoweredArgument> arguments;  ///< same order; pointers are Handle scalars
  Halide::Internal::Stmt body;
  Halide::Target target;
  std::string target_text;  ///< as given by the caller
  int64_t scratch_bytes = 0;
  int32_t row_extent = 1;
  bool any_strict_float = false;
  bool in_place = false;
  std::string text;
};

}  // namespace qlathe
