#include "frontend/ops/steps/rules.h"

#include <algorithm>

#include "frontend/numerics/convert.h"
#include "frontend/ops/checks.h"

namespace qlathe {

std::string all_float(const StepTypes& types) {
  if (!is_arithmetic_float(types.value)) return "takes a float, not " + std::string(name(types.value));
  for (ValueType operand : types.operands) {
    if (!is_arithmetic_float(operand)) return "takes float operands, not " + std::string(name(operand));
  }
  if (!is_arithmetic_float(types.step.type)) return "gives a float, not " + std::string(name(types.step.type));
  return "";
}

std::string float_or_wide_integer(const StepTypes& types) {
  if (types.value != ValueType::kI32 && types.value != ValueType::kI64) {
    return is_integer(types.value) ? "takes float, int32 or int64, not " + std::string(name(types.value)) + "; cast it"
                                   : all_float(types);
  }
  const bool same = std::all_of(types.operands.begin(), types.operands.end(),
                                [&](ValueType operand) { return operand == types.value; });
  if (!same || types.step.type != types.value) {
    return "on " + std::string(name(types.value)) + " takes operands of that type and gives it, not " +
           name(same ? types.step.type : types.operands[0]);
  }
  return "";
}

std::string same_float_or_integer(const StepTypes& types) {
  if (!is_integer(types.value)) return all_float(types);
  if (types.step.type == types.value) return "";
  return "on " + std::string(name(types.value)) + " gives that type, not " + name(types.step.type);
}

Value rounded(const StepArgs& args, float value) { return {.f = round_to(args.step.type, value)}; }

Value wrapped(const StepArgs& args, uint64_t value) {
  if (args.step.type == ValueType::kI32) return {.i = static_cast<int32_t>(static_cast<uint32_t>(value))};
  return {.i = static_cast<int64_t>(value)};
}

}  // namespace qlathe
