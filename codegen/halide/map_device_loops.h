#pragma once
#include <Halide.h>

#include <set>
#include <string>

#include "frontend/ir/result.h"

namespace qlathe {

/// Names of the two loops that become a launch: blocks, and the threads of one, directly inside.
inline constexpr const char* kBlockLoop = "gpu_block";
inline constexpr const char* kThreadLoop = "gpu_thread";
/// Threads of a block, where there are as many. A multiple of every device's group.
constexpr int32_t kBlockThreads = 128;

/// Turns every outermost statement of a kernel into a launch: the loops of `parallel` that nest perfectly from the
/// outside become its threads, the innermost of them the neighbours in a block; everything else stays a serial loop of
/// one thread. `outputs` are the buffers that the kernel writes.
Result<Halide::Internal::Stmt> map_device_loops(const Halide::Internal::Stmt& body,
                                                const std::set<std::string>& parallel,
                                                const std::set<std::string>& outputs);

}  // namespace qlathe
