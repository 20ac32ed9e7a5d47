#pragma once
/// Kernels over rows: the elements of the last axes, flattened. Only .cpp files that build pipelines include this.
#include <functional>
#include <string>
#include <vector>

#include "schedule/lower/operands.h"
#include "schedule/lower/row_stages.h"

namespace qlathe {

/// A kernel whose result has the operand's shape, seen as [rows, n].
class RowKernel {
 public:
  RowKernel(const LoweringContext& context, int64_t n, const std::vector<PointwiseStep>& steps, std::string name);

  /// Element i of the row in flight as float32.
  Halide::Expr x(const Halide::Expr& i) const { return to_float(stored(i)).expr; }
  /// The same as an int32.
  Halide::Expr integer(const Halide::Expr& i) const { return Halide::cast<int32_t>(stored(i).expr); }
  /// Element i of a float operand of n elements.
  std::function<Halide::Expr(Halide::Expr)> along_row(size_t input, const std::string& name);
  /// Element i of an integer operand of one axis, as an int32; i is cut to its range.
  std::function<Halide::Expr(Halide::Expr)> table(size_t input, const std::string& name);
  Halide::Expr index() const { return i_; }

  /// The kernel that computes `value` at index() and then the steps.
  Result<NodeLowering> finish(const FlightValue& value, const std::string& what);

 private:
  FlightValue stored(const Halide::Expr& i) const { return load_value(context_.in(0).type.type, x_(i, row_)); }

  const LoweringContext& context_;
  const std::vector<PointwiseStep>& steps_;
  std::string name_, key_;
  int64_t n_, rows_;
  KernelBindings bindings_;
  Halide::ImageParam x_;
  Halide::Var i_{"i"}, row_{"row"};

 public:
  RowStages stages;
};

}  // namespace qlathe
