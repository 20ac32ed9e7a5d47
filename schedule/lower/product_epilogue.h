#pragma once
/// What contraction and depthwise do with an accumulator on its way out. Only .cpp files that build pipelines include
/// this.
#include <functional>
#include <string>
#include <vector>

#include "frontend/ops/contraction.h"
#include "schedule/lower/lowering.h"
#include "schedule/lower/steps.h"

namespace qlathe {

/// Gives the value of an operand at the result element in flight. `name` is for its kernel parameter.
using OperandAt = std::function<FlightValue(size_t input, const std::string& name)>;

/// float(acc) * lhs_scale * rhs_scale, two roundings in the stated order; a missing scale is no multiplication.
FlightValue scale_product(const LoweringContext& context, FlightValue accumulator, ScaleOrder order,
                          const OperandAt& at);

/// The stored result of the steps.
Result<Halide::Expr> finish_product(const LoweringContext& context, FlightValue value,
                                    const std::vector<PointwiseStep>& steps, const OperandAt& at,
                                    const std::function<FlightValue(size_t input, Halide::Expr index)>& table);

/// Largest magnitude of a sum of `count` products of integers of these types, each less a zero point of its type where
/// it has one; the accumulator's own limit where the sum may wrap.
double product_bound(ValueType lhs, bool lhs_zero_point, ValueType rhs, bool rhs_zero_point, int64_t count,
                     double added, ValueType accumulator);

}  // namespace qlathe
