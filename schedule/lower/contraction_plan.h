#pragma once
/// Every decision about a contraction before its Halide pipeline is built: path, storage, tile, constants.
#include <optional>
#include <string>
#include <vector>

#include "schedule/lower/requantize_choice.h"
#include "schedule/packing/block_scales.h"
#include "schedule/packing/contraction_weights.h"

namespace qlathe {

/// Element offsets that make a stored operand what the multiply instruction takes: stored' = stored + offset.
struct ContractionPlan {
  const LoweringContext* context = nullptr;
  ContractionShape shape;
  ContractionTile tile;
  ReductionPlan reduction;

  ValueType lhs_type, rhs_type, accumulator;
  bool dot = false;          ///< 8-bit operands, `reduction.kr` at a time
  bool float_sum = false;    ///< the accumulator is float32
  bool interleaved = false;  ///< float sums as 16 interleaved ones and a tree (frontend/numerics/sum.h)
  bool by_lane = false;      ///< lhs is read 16 bytes at a time, into registers that the dot instruction takes 4 from
  bool flip_lhs = false;     ///< the kernel reads lhs with its sign bit flipped
  bool widen = false;        ///< both operands are multiplied as 16-bit words; lhs is widened once into scratch
  int64_t lhs_offset = 0;    ///< what flipping adds to an element of lhs: 128, -128 or 0
  bool constant_rhs = true;
  WeightStorage storage;
  bool words = false;      ///< one row of floats by packed weights: 32 bits of them at a time
  int64_t rhs_offset = 0;  ///< the kernel's weights are element + rhs_offset

  bool has_lhs_zp = false;  ///< a zero point of lhs is read at run time
  bool has_rhs_zp = false;  ///< a zero point of rhs is subtracted by the kernel
  int64_t lhs_zp = 0;       ///< constant zero point of lhs where it is one number
  bool row_sums = false;    ///< sums of lhs are needed, for has_rhs_zp or a rhs_offset
  /// A constant that all elements of lhs are multiplied by as their sums are made, in place of a zero point of rhs;
  /// `initial` holds what the zero point of lhs adds to it.
  std::optional<int8_t> row_factor;
  bool scaled = false;      ///< has float scale operands: blocks are added in float32
  bool multiplied = false;  ///< one of the scales is a multiplier: blocks are added in `total`
  ValueType total = ValueType::kI32;
  bool folded = false;        ///< the multiplier is in `initial` and `sums`, which are per channel then
  bool packs_scales = false;  ///< rhs_scale differs by block: block_scales is read in its place
  std::optional<PackedConstant> block_scales;

  std::vector<PointwiseStep> steps;      ///< without the bias that `initial` swallowed
  std::vector<int32_t> initial;          ///< [slice][n][blocks]: start of each accumulator; empty: 0
  std::vector<int32_t> sums;             ///< [slice][n][blocks]: sums of the kernel's weights, for run-time lhs_zp
  std::optional<PackedWeights> weights;  ///< of a constant rhs; a run-time one is packed by a kernel of its own
  Shape packed;                          ///< extents of the packed weights
  bool run_time_sums = false;            ///< `sums` are made by a kernel too
  std::optional<RequantChoice> requant;  ///< takes the place of scales and steps
  std::string requant_note;
  double accumulator_bound = 0;  ///< largest magnitude of an accumulator with its zero points; infinite: unknown
};

/// The kernels that pack a run-time rhs (and sum its channels, if plan.run_time_sums) into the temporaries 0 (and 1),
/// which are added.
Status add_packing_kernels(const ContractionPlan& plan, NodeLowering& lowering);

/// What is not supported comes back as such.
Result<ContractionPlan> plan_contraction(const LoweringContext& context);

}  // namespace qlathe
