#pragma once
#include "codegen/native/jit.h"
#include "frontend/ir/executor.h"

namespace qlathe {

/// Runs canonical graphs (after frontend/passes) as native code in this process.
class JitExecutor : public Executor {
 public:
  /// `target` must be one that objects reach and this machine runs. `cache` may be null.
  explicit JitExecutor(const Target& target = host_target(), ObjectCache* cache = nullptr, int threads = 1)
      : target_(target), cache_(cache), threads_(threads) {}

  Result<std::unique_ptr<Executable>> prepare(const Graph& graph) override;

 private:
  const Target& target_;
  ObjectCache* cache_;
  int threads_;
};

}  // namespace qlathe
