#include "schedule/lower/product_epilogue.h"

#include <algorithm>
#include <limits>

#include "frontend/ops/product_checks.h"

namespace qlathe {
namespace {

/// A readable parameter name for a step's operand.
std::string operand_name(const std::vector<PointwiseStep>& steps, int64_t input) {
  for (const PointwiseStep& step : steps) {
    for (size_t i = 0; i < step.operands.size(); i++) {
      if (step.operands[i] != input) continue;
      if (step.op == "quantize" || step.op == "dequantize") return i == 0 ? "scale" : "zero_point";
      if (step.op == "requantize") return i == 0 ? "multiplier" : i == 1 ? "shift" : "zero_point";
      return step.op == "mul" ? "factor" : step.op == "add" ? "addend" : "operand";
    }
  }
  return "operand";
}

/// The largest |element| of an integer type, less a zero point of the type.
double magnitude(ValueType type, bool zero_point) {
  const double lo = static_cast<double>(info(type).min), hi = static_cast<double>(info(type).max);
  return zero_point ? hi - lo : std::max(-lo, hi);
}

}  // namespace

FlightValue scale_product(const LoweringContext& context, FlightValue accumulator, ScaleOrder order,
                          const OperandAt& at) {
  FlightValue value = accumulator;
  if (accumulator.type != ValueType::kF32) value.expr = Halide::cast<float>(accumulator.expr);
  value.type = ValueType::kF32;
  const bool lhs_first = order == ScaleOrder::kLhsFirst;
  for (size_t slot : {lhs_first ? kLhsScale : kRhsScale, lhs_first ? kRhsScale : kLhsScale}) {
    if (!context.has(slot) || is_multiplier(context.in(slot).type.type)) continue;
    const FlightValue scale = to_float(at(slot, slot == kLhsScale ? "lhs_scale" : "rhs_scale"));
    value.expr = value.expr * scale.expr;
    value.bound *= scale.bound;
  }
  return value;
}

Result<Halide::Expr> finish_product(const LoweringContext& context, FlightValue value,
                                    const std::vector<PointwiseStep>& steps, const OperandAt& at,
                                    const std::function<FlightValue(size_t input, Halide::Expr index)>& table) {
  StepOperands operands;
  operands.at = [&](int64_t input) { return at(static_cast<size_t>(input), operand_name(steps, input)); };
  operands.table = [&](int64_t input, Halide::Expr index) { return table(static_cast<size_t>(input), index); };
  auto result = apply_steps(value, steps, operands);
  if (!result.ok()) return result.status().at(context.place());
  return store_value(*result);
}

double product_bound(ValueType lhs, bool lhs_zero_point, ValueType rhs, bool rhs_zero_point, int64_t count,
                     double added, ValueType accumulator) {
  if (accumulator == ValueType::kF32 || !is_integer(lhs) || !is_integer(rhs))
    return std::numeric_limits<double>::infinity();
  const double bound =
      magnitude(lhs, lhs_zero_point) * magnitude(rhs, rhs_zero_point) * static_cast<double>(count) + added;
  // Beyond the type's range the sum wraps, and any value of the type is possible.
  return std::min(bound, accumulator == ValueType::kI32 ? 0x1p31 : 0x1p63);
}

}  // namespace qlathe
