#pragma once
#include "schedule/target.h"

namespace qlathe {

/// Multiply-accumulates a second that the dot instruction of the target does on registers alone, over about a
/// millisecond; 0 where the instruction is unknown here.
double measure_dot_peak(const Target& target);
/// The same of float32 fused multiply-adds.
double measure_fma_peak(const Target& target);

}  // namespace qlathe
