#pragma once
/// The kernel forms of steps, by family. Only the .cpp files of steps include this.
#include <map>
#include <string>
#include <vector>

#include "schedule/lower/steps.h"

namespace qlathe {

struct StepContext {
  const PointwiseStep& step;
  FlightValue v;
  std::vector<FlightValue> operands;  ///< tables excepted
  const StepOperands& source;

  const FlightValue& a(size_t i = 0) const { return operands[i]; }
};

using StepForm = FlightValue (*)(const StepContext&);

/// int32 and int64 arithmetic wraps: done unsigned.
template <class Op>
Halide::Expr wrapping(const Halide::Expr& x, const Halide::Expr& y, Op op) {
  const Halide::Type t = x.type(), u = t.with_code(halide_type_uint);
  return Halide::reinterpret(t, op(Halide::reinterpret(u, x), Halide::reinterpret(u, y)));
}

/// requantize, add_requantized, mul_centered, shift_right, fixed_*, lookups.
const std::map<std::string, StepForm>& fixed_point_step_forms();

}  // namespace qlathe
