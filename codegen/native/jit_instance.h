#pragma once
#include <memory>
#include <vector>

#include "codegen/native/jit.h"
#include "frontend/ir/tensor.h"

namespace qlathe {

/// The memory of one run at a time of a loaded program: arena (with scratch for `workers`) and state, reset on
/// construction.
class JitInstance {
 public:
  explicit JitInstance(std::shared_ptr<const JitProgram> jit, int32_t workers = 1);
  ~JitInstance();

  const Program& program() const { return jit_->program(); }
  int64_t arena_bytes() const { return jit_->arena_bytes(workers_); }

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
