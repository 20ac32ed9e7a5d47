#pragma once
/// What the two forms of the depthwise kernel share: loops over the result, operands, the epilogue.
#include <optional>
#include <string>
#include <vector>

#include "schedule/kernel.h"
#include "schedule/lower/flat_operands.h"
#include "schedule/lower/product_epilogue.h"
#include "schedule/lower/requantize_choice.h"
#include "schedule/packing/contraction_weights.h"

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
  std::vector<int64_t> lhs_strides;                    ///< of [I, s0.., C]
  std::string epilogue_key;                            ///< what of the epilogue is part of the code
  std::string note;                                    ///< the decision about requantization
  std::vector<KernelPipeline::UnrolledLoop> unrolled;  ///< KernelPipeline::unrolled

  int64_t n() const { return channels * multiplier; }
  int64_t rows() const;  ///< result elements of a channel

  /// Operand `input` at the result element with these coordinates.
  FlightValue operand(size_t input, const std::string& parameter, const std::vector<Halide::Expr>& at);
  /// Scales, steps and storage of an accumulator.
  Result<Halide::Expr> epilogue(const Halide::Expr& accumulator, double added_bound,
                                const std::vector<PointwiseStep>& steps, const std::vector<Halide::Expr>& at);
  Result<NodeLowering> finish(Halide::Func out, std::vector<KernelDim> dims, const std::string& row_loop,
                              int64_t row_extent, const std::string& form, const std::string& tile,
                              Halide::Internal::Stmt body = {});
};

/// What the forms on the dot instruction need beside their weights: the accumulators' start values and the epilogue.
struct DepthwiseSums {
  int64_t offset = 0;                ///< what flipping the sign bit adds to an element of lhs: 128, -128 or 0
  std::vector<int32_t> start;        ///< [c]: the zero point's term and the bias
  std::vector<PointwiseStep> steps;  ///< without the bias that `start` swallowed
  double added = 0;                  ///< largest magnitude of that bias
  std::vector<AccumulatorInterval> reachable;

  /// A proven formula for scales and steps; the decision is noted in the kernel. Adds to `start` what it asks for.
  std::optional<RequantChoice> choose(DepthwiseKernel& kernel);
};
DepthwiseSums depthwise_sums(const DepthwiseKernel& kernel);
/// Whether depthwise_sums can say them: bytes, constant weights with zero points of constants, two window axes.
bool depthwise_sums_apply(const LoweringContext& context);
/// Bytes that add up to any of the weights less its zero point: 1, or 2 where some are no int8 (uint8 weights whose
/// zero point is not 128); 0 where two are not enough.
int depthwise_weight_bytes(const DepthwiseKernel& kernel);
/// Element (ky, kx, c) of the weights less its zero point.
int64_t depthwise_weight(const DepthwiseKernel& kernel, int64_t ky, int64_t kx, int64_t channel);
/// Rows of the result that share interleaved rows of lhs.
struct DepthwiseRows {
  int64_t tile = 1;    ///< result rows
  int64_t groups = 1;  ///< groups of four input rows
  int64_t needed = 1;  ///< input rows of a tile
  int64_t step = 1;    ///< rows of lhs between those that are interleaved
};
DepthwiseRows depthwise_rows(const DepthwiseKernel& kernel);

/// The form on the dot instruction: rows of the window are interleaved bytewise and reduced four at a time. Whether it
/// applies, and the kernel.
bool depthwise_dot_applies(const LoweringContext& context);
Result<NodeLowering> lower_depthwise_dot(const LoweringContext& context);

/// The same on registers of 64 bytes, whatever their channels are, with the bytes in the order that in-lane unpacks
/// give and in-lane packs undo. Nothing where it does not apply.
Result<std::optional<NodeLowering>> lower_depthwise_lanes(const LoweringContext& context);

}  // namespace qlathe
