#pragma once
#include <string>

#include "frontend/ops/pointwise_steps.h"

namespace qlathe {

// Type rules that several steps share: what is wrong, or "".

/// Value, operands and result are float32, bfloat16 or float16.
std::string all_float(const StepTypes& types);
/// As all_float, or all of them int32, or all of them int64.
std::string float_or_wide_integer(const StepTypes& types);
/// Float to float, or an integer type to itself.
std::string same_float_or_integer(const StepTypes& types);

/// A float32 result in the step's type: rounded where that is bfloat16 or float16.
Value rounded(const StepArgs& args, float value);
/// A 64-bit result wrapped to the step's type, int32 or int64.
Value wrapped(const StepArgs& args, uint64_t value);

}  // namespace qlathe
