#pragma once

#include <Halide.h>

namespace qlathe {

/// Replaces calls of schedule/lane_calls.h, and roundings to int32, by what Halide turns into the instructions. Objects
/// only: the printer calls the runtime's functions.
Halide::Internal::Stmt lower_lane_calls(const Halide::Internal::Stmt& body, const Halide::Target& target);

}  // namespace qlathe
