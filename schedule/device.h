#pragma once
#include <string>

#include "schedule/target.h"

namespace qlathe {

/// The interface of a GPU that a target's kernels run through, "opencl" or "cuda"; empty for processors. A device has
/// memory of its own, and a thread for every iteration of a kernel's outer loops.
std::string device_of(const Target& target);

inline bool has_device(const Target& target) { return !device_of(target).empty(); }

}  // namespace qlathe
