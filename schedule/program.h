#pragma once
/// What the schedule hands to codegen: kernels, constants, a memory plan and an ordered list of calls. No Halide types.
#include <memory>
#include <string>
#include <vector>

#include "frontend/ir/graph.h"
#include "schedule/lower/lowering.h"
#include "schedule/memory/pools.h"
#include "schedule/target.h"

namespace qlathe {

/// Memory a call reads or writes.
struct BufferRef {
  enum class Space {
    kInput,     ///< the caller's input `index`
    kOutput,    ///< the caller's output `index`
    kConstant,  ///< Program::constants[index]
    kArena,     ///< at `offset` in the arena
    kState,     ///< at `offset` in the instance's state memory
  };
  Space space = Space::kArena;
  int index = 0;
  int64_t offset = 0;  ///< bytes, from the start of the space's object (views into inputs may have one too)
  friend bool operator==(const BufferRef&, const BufferRef&) = default;
};

struct ProgramKernel {
  std::string name;  ///< unique in the program, a C identifier
  std::string key;
  std::shared_ptr<const KernelPipeline> pipeline;
  std::string description;
};

struct ProgramCall {
  int kernel = 0;                  ///< index into kernels
  std::vector<BufferRef> buffers;  ///< the kernel's inputs, then outputs
  int32_t rows = 1;                ///< the kernel is run for rows [0, rows), in any split
  int32_t min_rows_per_task = 1;
  Origin origin;
  int64_t macs = 0;
  std::string description;
  std::vector<std::string> notes;
  std::vector<std::string> buffer_names;  ///< for comments and named offsets, one per buffer
};

/// A model input or output as a caller sees it.
struct ProgramIo {
  std::string name;
  TensorType type;
  int64_t bytes = 0;
  std::string quantization;  ///< "real = (q - 3) * 0.0235", empty for float
};

struct ProgramState {
  std::string name;
  TensorType type;
  int64_t offset = 0;  ///< in the state memory
  int64_t bytes = 0;
  std::vector<uint8_t> initial;
};

/// One interval of the memory plan, for reports.
struct ArenaItem {
  std::string name;
  int64_t offset = 0, bytes = 0;
  int first_call = 0, last_call = 0;  ///< indices of the calls between which it is live, inclusive
};

/// A memory of its own that holds a part of the arena.
struct ArenaPool {
  std::string name;                          ///< a C identifier
  int64_t offset = 0, bytes = 0, limit = 0;  ///< in the arena; used; what there is
};

struct Program {
  std::string name;
  const Target* target = nullptr;
  std::vector<ProgramIo> inputs, outputs;
  std::vector<PackedConstant> constants;
  std::vector<ProgramKernel> kernels;
  std::vector<ProgramCall> calls;
  std::vector<ProgramState> states;
  int64_t arena_bytes =
      0;  ///< of tensors and temporaries; kernels' scratch is added by codegen, which knows it after lowering
  int64_t arena_alignment = 64;
  int64_t state_bytes = 0;
  std::vector<ArenaItem> arena;
  std::vector<ArenaPool> pools;   ///< in order of their offsets, all of the arena; empty: it is one memory
  int64_t arena_lower_bound = 0;  ///< largest sum of bytes live at one call
};

/// Lowers every node of a canonical graph for the target and plans its memory. All unsupported nodes are reported at
/// once. Lowers on `threads` threads; the result does not depend on them.
/// With `pools` the arena is spread over them, or it is an error that says what does not fit.
Result<Program> plan_program(const Graph& graph, const Target& target, int threads = 1,
                             const std::vector<PoolLimit>& pools = {});

}  // namespace qlathe
