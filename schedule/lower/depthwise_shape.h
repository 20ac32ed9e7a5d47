#pragma once
/// What the two forms of the depthwise kernel share: loops over the result, operands, the epilogue.
#include <string>
#include <vector>

#include "schedule/kernel.h"
#include "schedule/lower/flat_operands.h"
#include "schedule/lower/product_epilogue.h"

namespace qlathe {

/// A depthwise node under construction. Coordinates of the result [I, o0.., C * M] are `at`, outermost first.
class DepthwiseKernel {
 public:
  explicit DepthwiseKernel(const LoweringContext& context);

  const LoweringContext& context;
  const DepthwiseAttrs& attrs;
  FlatOperands operands;
  NodeLowering lowering;
  Shape out_shape;
  size_t spatial = 0;  ///< axes 1 .. spatial of the result
  int64_t channels = 1, multiplier = 1, taps = 1;
  std::vector<int64_t> lhs_strides;  ///< of [I, s0.., C]
  std::string epilogue_key;          ///< what of the epilogue is part of the code
  std::string note;                  ///< the decision about requantization

  int64_t n() const { return channels * multiplier; }
  int64_t rows() const;  ///< result elements of a channel

  /// Operand `input` at the result element with these coordinates.
  FlightValue operand(size_t input, const std::string& parameter, const std::vector<Halide::Expr>& at);
  /// Scales, steps and storage of an accumulator.
  Result<Halide::Expr> epilogue(const Halide::Expr& accumulator, double added_bound,
                                const std::vector<PointwiseStep>& steps, const std::vector<Halide::Expr>& at);
  Result<NodeLowering> finish(Halide::Func out, std::vector<KernelDim> dims, const std::string& row_loop,
                              int64_t row_extent, const std::string& form, const std::string& tile);
};

/// The form on the dot instruction: rows of the window are interleaved bytewise and reduced four at a time. Whether it
/// applies, and the kernel.
bool depthwise_dot_applies(const LoweringContext& context);
Result<NodeLowering> lower_depthwise_dot(const LoweringContext& context);

}  // namespace qlathe
