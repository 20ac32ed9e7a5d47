#pragma once
#include <memory>
#include <vector>

#include "codegen/native/jit.h"
#include "frontend/ir/tensor.h"

namespace qlathe {

/// The memory of one run at a time of a loaded program: arena (with scratch for `workers`) and state, reset on
/// construction. On a device memory may run out: then every run says so.
class JitInstance {
 public:
  explicit JitInstance(std::shared_ptr<const JitProgram> jit, int32_t workers = 1);
  ~JitInstance();

  const Program& program() const { return jit_->program(); }
  /// Why it cannot run, where a device has not enough memory; else ok.
  Status ready() const;
  /// Of a program on a device: its memory there.
  int64_t arena_bytes() const;

  /// One pointer per input and output, each to `bytes` of its ProgramIo, dense row-major, any alignment. User errors
  /// for wrong counts and null pointers. `parallel` may be null; otherwise it must have at most `workers` workers.
  Status run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs,
             const Parallel* parallel = nullptr);
  /// The same with tensors; types and shapes are checked.
  Result<std::vector<HostTensor>> run(const std::vector<HostTensor>& inputs, const Parallel* parallel = nullptr);
  void reset();

 private:
  struct Memory;
  std::shared_ptr<const JitProgram> jit_;
  int32_t workers_;
  std::unique_ptr<Memory> memory_;
};

}  // namespace qlathe
