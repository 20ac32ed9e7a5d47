#pragma once
/// The memory plan for people: as text and as a drawing.
#include <string>

#include "schedule/program.h"

namespace qlathe {

/// Size, proven minimum, the busiest call and what is live there, then every tensor with its offset and lifetime.
std::string memory_text(const Program& program);

/// Name of the first call at which most bytes are live; empty where there are no calls.
std::string peak_call_name(const Program& program);

/// An SVG of its own: calls from left to right, addresses upwards, one rectangle a tensor.
std::string memory_svg(const Program& program);

}  // namespace qlathe
