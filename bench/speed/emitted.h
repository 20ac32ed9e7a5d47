#pragma once
/// The C++ that a model is emitted as, compiled by a compiler of this machine and loaded into this process.
#include <memory>
#include <string>
#include <vector>

#include "frontend/ir/graph.h"
#include "frontend/ir/result.h"
#include "schedule/program.h"

namespace qlathe::bench {

/// A folder that vanishes with what is in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct FreeMemory {
  void operator()(void* memory) const;
};
/// Zeros, as the JIT keeps its constants (codegen/native/jit.cpp): half a megabyte and more on large pages.
using Memory = std::unique_ptr<void, FreeMemory>;
Memory make_memory(size_t bytes);

/// One emitted model in this process.
class EmittedModel {
 public:
  ~EmittedModel();
  EmittedModel(const EmittedModel&) = delete;
  EmittedModel& operator=(const EmittedModel&) = delete;
  const std::string& compiler() const { return compiler_; }
  /// False where the model refused its pointers.
  bool run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs) {
    return run_(inputs.data(), outputs.data(), state_.get(), weights_.get(), arena_.get()) == 0;
  }

 private:
  friend Result<std::vector<std::unique_ptr<EmittedModel>>> compile_emitted(const Program&,
                                                                            const std::vector<HostTensor>&,
                                                                            const std::vector<HostTensor>&,
                                                                            const std::vector<std::string>&, int);
  EmittedModel() = default;
  using Run = int (*)(const void* const*, void* const*, void*, void*, void*);
  std::string compiler_;
  void* library_ = nullptr;
  Run run_ = nullptr;
  Memory state_, weights_, arena_;
};

/// The compilers of emitted C++ that this machine has: "g++" and "clang++" or a versioned clang++.
std::vector<std::string> emitted_compilers();

/// Emits the program (its constants must be there) and compiles it at -O2 with the target's flags by each compiler.
/// `inputs` and `outputs` go into the self-test, which is not run here.
Result<std::vector<std::unique_ptr<EmittedModel>>> compile_emitted(const Program& program,
                                                                   const std::vector<HostTensor>& inputs,
                                                                   const std::vector<HostTensor>& outputs,
                                                                   const std::vector<std::string>& compilers,
                                                                   int threads);

}  // namespace qlathe::bench
