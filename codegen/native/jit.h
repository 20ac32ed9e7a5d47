#pragma once
#include <memory>

#include "codegen/native/driver.h"
#include "codegen/native/kernels.h"

struct qlathe_gpu_model;  // codegen/native/gpu/driver.h

namespace qlathe {

/// A program loaded into this process: kernels and driver linked by LLVM ORC into one dylib of its own. Immutable; runs
/// may go on concurrently, each with memory of its own.
class JitProgram {
 public:
  /// Takes the program over: its constants move to aligned memory, so the `bytes` of program() are empty afterwards.
  /// `cache` (may be null) keeps the driver.
  static Result<std::shared_ptr<const JitProgram>> load(Program program, std::vector<NativeKernel> kernels,
                                                        ObjectCache* cache = nullptr);
  ~JitProgram();
  JitProgram(const JitProgram&) = delete;
  JitProgram& operator=(const JitProgram&) = delete;

  const Program& program() const { return program_; }
  /// Null for targets with a device.
  RunFunction run() const { return run_; }
  /// The program on its device; null for targets without one.
  qlathe_gpu_model* device() const;
  int64_t arena_bytes(int32_t workers = 1) const { return arena_bytes_ + scratch_bytes_ * workers; }

 private:
  struct Session;  // LLVM's side
  struct Device;
  JitProgram();
  Status load_on_device(Program program, std::vector<NativeKernel> kernels);

  Program program_;
  std::unique_ptr<void, void (*)(void*)> constants_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Device> device_;
  RunFunction run_ = nullptr;
  int64_t arena_bytes_ = 0, scratch_bytes_ = 0;
};

}  // namespace qlathe
