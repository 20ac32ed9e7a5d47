#include "api/native_executor.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "api/pipeline.h"
#include "codegen/native/jit_executor.h"
#include "frontend/reference/reference_executor.h"

namespace qlathe {
namespace {

/// The passes, the JIT and its cache in one.
class NativeExecutor : public Executor {
 public:
  explicit NativeExecutor(bool cache) {
    if (cache) cache_.emplace(ObjectCache::default_folder());
    const int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    jit_.emplace(host_target(), cache_ ? &*cache_ : nullptr, threads);
    compiling_.emplace(*jit_);
  }
  Result<std::unique_ptr<Executable>> prepare(const Graph& graph) override { return compiling_->prepare(graph); }

 private:
  std::optional<ObjectCache> cache_;
  std::optional<JitExecutor> jit_;
  std::optional<CompilingExecutor> compiling_;
};

}  // namespace

std::unique_ptr<Executor> native_executor(bool cache) { return std::make_unique<NativeExecutor>(cache); }
std::unique_ptr<Executor> reference_executor() { return std::make_unique<ReferenceExecutor>(); }

}  // namespace qlathe
