#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "frontend/ir/result.h"

namespace qlathe {

struct KernelPipeline;  ///< schedule/kernel.h

/// The calling convention of a kernel, in the order of its C parameters.
enum class ParameterRole { kInput, kOutput, kScratch, kScalar, kRowBegin, kRowEnd };

struct KernelParameter {
  ParameterRole role;
  std::string name;   ///< as in the emitted text
  std::string type;   ///< of an element in emitted C++: "u8", "i32", "f32"; "u16" for bfloat16, float16, "u8" for bool
  int64_t bytes = 0;  ///< extent of the memory reached through the pointer (0 for scalars)
  int32_t alignment = 1;  ///< promised by the caller, in bytes
};

/// A kernel after Halide's lowering and our passes: canonical names, raw pointers, a row range, serial loops. Immutable
/// and cheap to copy; printing it and making object code from it give the same bytes in every process and thread.
class LoweredKernel {
 public:
  struct Impl;  ///< codegen/halide/lowered.h: the Halide statement

  explicit LoweredKernel(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

  const std::string& name() const;
  const std::vector<KernelParameter>& parameters() const;
  int64_t scratch_bytes() const;  ///< 0: there is no scratch parameter; its alignment is 64
  int32_t row_extent() const;
  const std::string& halide_target() const;

  /// The same kernel under another symbol name (kernels with equal `text` may share one function).
  LoweredKernel renamed(const std::string& name) const;

  /// The lowered statement as text, without the kernel's name: equal texts mean equal code. For cache keys and dumps.
  const std::string& text() const;

  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

/// Lowers once, for printing and for object code. `halide_target` is a Halide target string such as
/// "x86-64-linux-avx512_zen4" (no_runtime, no_asserts, no_bounds_query and strict_float are added). Errors of the
/// pipeline (bad schedule, a loop kind that is not allowed, unknown row loop) come back as a Status.
Result<LoweredKernel> lower_kernel(const KernelPipeline& pipeline, const std::string& halide_target);

}  // namespace qlathe
