#pragma once

/// The search for the constants of the float formulas whose offset is free (kF32Fma, kF32TwoOffsets, kF32ThreeOffsets):
/// for a multiplier, the offsets that meet one side of an output step are all floats above or below some float, so the
/// steps leave an interval of them, or none. Internal to the proof.

#include <cstdint>
#include <span>

#include "frontend/numerics/proof.h"

namespace qlathe::requant {

/// Where the stated function goes up: at `acc`, from `below` (its value at acc - 1) to `at`.
struct RequantStep {
  int64_t acc, below, at;
};

/// An increasing stated function over [lo, hi].
struct RequantSteps {
  std::span<const RequantStep> steps;
  int64_t lo = 0, hi = 0;        ///< the interval
  int64_t at_lo = 0, at_hi = 0;  ///< values at its ends
};

/// Constants near `c` (its multiplier, its offset, its limits) that meet all steps and both ends, in place; false where
/// none of the multipliers within reach allows it. `moved`: how many floats the multiplier went.
/// kF32Fma: one offset for all; the others: another one from some step on, as often as their names say.
bool find_offsets(RequantFormula formula, const RequantSteps& stated, RequantConstants& c, int& moved);

}  // namespace qlathe::requant
