#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "codegen/native/kernels.h"
#include "frontend/ir/result.h"
#include "schedule/program.h"

namespace qlathe {

/// What kernels assume of a pointer to a packed constant, in bytes.
inline constexpr int64_t kConstantAlignment = 64;

/// How the driver reaches the program's constants.
enum class ConstantLinkage {
  kEmbedded,  ///< read-only data of the driver's object
  kSymbol,    ///< one block of memory, the symbol <prefix>_constants that the loader defines (JIT)
};

struct DriverOptions {
  std::string prefix;  ///< of every symbol, a C identifier
  std::string triple;  ///< LLVM target triple; empty: this process
  ConstantLinkage constants = ConstantLinkage::kEmbedded;
  std::vector<int64_t> offsets;  ///< of each constant in that block, multiples of kConstantAlignment
};

/// Object code of a program's entry points, made with LLVM IR. It defines
///
///   int32_t <prefix>_run_arrays(const void* const* inputs, void* const* outputs, void* arena, void* state,
///                               const qlathe_parallel* parallel)
///
/// which calls the kernels in order and returns 0. `parallel` may be null; otherwise calls with enough rows are handed
/// to it (see Parallel). `arena` has arena_bytes(program, kernels, workers) bytes. With embedded constants also the
/// functions of the emitted header (codegen/cpp/emit.h):
///
///   int32_t <prefix>_run(const T* input..., T* output..., [void* state,] void* arena)   1 for null or misaligned
///   pointers void <prefix>_reset(void* state)                                                    where there is state
///
/// For a target with a device run_arrays calls codegen/native/gpu/driver.h, `arena` holds the device's memory and is
/// closed by <prefix>_close(arena); <prefix>_error(arena) says why a run returned 2.
///
/// `cache` (may be null) keeps what was made, by the content of the module.
Result<std::vector<uint8_t>> compile_driver(const Program& program, const std::vector<NativeKernel>& kernels,
                                            const DriverOptions& options, ObjectCache* cache = nullptr);

/// The hook that distributes rows, as C sees it: struct { void* context; void (*run)(…); int32_t workers; }.
/// run(context, task, argument, rows, grain) calls task(argument, begin, end, worker) so that [0, rows) is covered
/// once, in parts of at least `grain` rows where it can, from workers 0..workers-1, and returns when all are done.
struct Parallel {
  using Task = void (*)(void* argument, int32_t begin, int32_t end, int32_t worker);
  void* context = nullptr;
  void (*run)(void* context, Task task, void* argument, int32_t rows, int32_t grain) = nullptr;
  int32_t workers = 1;
};

using RunFunction = int32_t (*)(const void* const* inputs, void* const* outputs, void* arena, void* state,
                                const Parallel* parallel);

/// Bytes of arena for a run on `workers` workers: tensors, then one slice of scratch a worker.
int64_t arena_bytes(const Program& program, const std::vector<NativeKernel>& kernels, int32_t workers = 1);

}  // namespace qlathe
