#pragma once
/// The loops of an element-wise output: which axis is vectorized and which loop callers may run in parts. Only .cpp
/// files that build pipelines include this.
#include <string>
#include <vector>

#include "schedule/kernel.h"
#include "schedule/lower/lowering.h"

namespace qlathe {

/// Elements that are worth a task of their own on another thread.
constexpr int64_t kElementsPerTask = 16384;

/// Vars named i, j, k, ... for axes, outermost first.
std::vector<Halide::Var> axis_vars(size_t count);
std::vector<Halide::Expr> as_expressions(const std::vector<Halide::Var>& vars);
/// Halide's order of arguments: innermost first. Never empty.
template <class T>
std::vector<T> innermost_first(const std::vector<T>& outermost_first) {
  return {outermost_first.rbegin(), outermost_first.rend()};
}
std::vector<int32_t> innermost_first_extents(const Shape& extents);

/// Vectorizes the last of `vars` (`extents` outermost first, at least one) by the largest power of two up to `lanes`,
/// makes the outer axes the row loop, and notes both in pipeline and call. True if no element is computed twice, so
/// that the result may overwrite an operand.
bool schedule_rows(Halide::Func out, const std::vector<Halide::Var>& vars, const Shape& extents, int lanes,
                   KernelPipeline& pipeline, LoweredCall& call);

/// Bits of the widest number that an expression computes with; indices of loads do not count. At least 8.
int widest_bits(const Halide::Expr& e);

}  // namespace qlathe
