#pragma once
/// The Halide pipeline of a contraction, built from its plan. Only .cpp files that build pipelines include this.
#include <string>
#include <utility>
#include <vector>

#include "schedule/kernel.h"
#include "schedule/lower/contraction_plan.h"
#include "schedule/lower/flat_operands.h"
#include "schedule/lower/product_epilogue.h"

namespace qlathe {

inline int32_t i32(int64_t value) { return static_cast<int32_t>(value); }

/// Loop variables of the result: absent ones (extent 1) are the constant 0.
struct ContractionCoordinates {
  Halide::Expr n, chunk = 0, group = 0;
  std::vector<Halide::Expr> rows;  ///< parallel to ContractionShape::rows
};

/// contraction.cpp: operands, epilogue, the call. contraction_sums.cpp: the accumulators. contraction_schedule.cpp: the
/// loops.
class ContractionBuilder {
 public:
  ContractionBuilder(const LoweringContext& context, const ContractionPlan& plan)
      : c_(context), attrs_(context.node.as<ContractionAttrs>()), plan_(plan), operands_(context) {}

  Result<NodeLowering> build();

 private:
  const ReductionPlan& reduction() const { return plan_.reduction; }
  const ContractionShape& shape() const { return plan_.shape; }
  const ContractionTile& tile() const { return plan_.tile; }
  bool blocked() const { return reduction().blocks > 1; }
  std::string name() const { return c_.node.origin.name.empty() ? "contraction" : c_.node.origin.name; }

  Halide::ImageParam channel_constant(const std::vector<int32_t>& values, const std::string& what);

  void declare_variables();
  std::vector<Halide::Var> variables() const { return vars_; }
  std::vector<Halide::Var> variables_with(const Halide::Var& extra) const {
    std::vector<Halide::Var> all = vars_;
    all.push_back(extra);
    return all;
  }
  std::vector<Halide::Expr> arguments() const { return std::vector<Halide::Expr>(vars_.begin(), vars_.end()); }

  /// Position in lhs of the first element of the result's window.
  Halide::Expr lhs_base() const {
    Halide::Expr at = here_.group * i32(shape().lhs_group_stride);
    for (size_t i = 0; i < shape().rows.size(); i++)
      at += here_.rows[i] * i32(shape().rows[i].lhs_stride);
    return at;
  }
  Halide::Expr slice() const {
    Halide::Expr batch = 0;
    for (size_t i = 0; i < shape().rows.size(); i++)
      batch += here_.rows[i] * i32(shape().rows[i].rhs_stride);
    return batch * i32(shape().groups_n) + here_.group;
  }

  /// The reduction's loops: j (elements of a step), part, lane (steps of a register), s (step), then the window.
  struct Loops {
    Halide::RDom domain;
    Halide::Expr j = 0, part = 0, lane = 0, s;
    std::vector<Halide::Expr> window;
    std::vector<std::pair<std::string, std::string>> names;  ///< Halide::RVar, its readable name
  };
  Loops loops(int kr, int parts, int lanes, const std::string& prefix) const;
  /// Without those over the elements of a step.
  Loops outer_loops(int64_t steps, const std::string& prefix) const;

  /// Element of the run at which a step starts; see ReductionPlan::start.
  Halide::Expr step_start(const Halide::Expr& step, const std::vector<Halide::Expr>& window) const {
    const int kr = reduction().kr;
    if (reduction().overhang()) return Halide::min(window[0], 1) * i32(reduction().run - kr);
    if (reduction().exact()) return step * kr;
    return Halide::min(step * kr, i32(reduction().run - kr));
  }

  /// Position in lhs of element `e` (of the run) at a window position, or in a block.
  Halide::Expr lhs_position(const Halide::Expr& e, const std::vector<Halide::Expr>& window,
                            const Halide::Expr& block) const;

  Halide::Expr lhs_value(const Halide::Expr& position) const;

  /// A stored element with its sign bit flipped.
  Halide::Expr flipped(const Halide::Expr& element) const;
  void define_staged();

  /// 16 bytes of lhs for a position of the window, of which the reduction's step takes 4.
  Halide::Expr lane_value(const Halide::Expr& block);

  /// Index into the packed weights: [slice][chunk][position or block][step / parts][channel][kr].
  Halide::Expr weight_index(const Halide::Expr& channel_and_j, const Halide::Expr& step,
                            const std::vector<Halide::Expr>& window, const Halide::Expr& block) const;

  /// The stored byte or word as the multiplication's operand.
  Halide::Expr decode_weight(const Halide::Expr& stored, const Halide::Expr& part, const Halide::Expr& block) const;

  /// The float of part `part` of a word of packed integers.
  Halide::Expr decode_word(const Halide::Expr& word, int part, const Halide::Expr& block) const;
  /// One row: every step takes a word's parts, one multiply-add after the other.
  void accumulate_words(const std::vector<Halide::Expr>& at, const Halide::Expr& block);

  bool decodes_weights() const {
    if (plan_.interleaved || plan_.words) return false;
    return reduction().parts > 1 || plan_.widen ||
           (plan_.float_sum && (plan_.rhs_type != ValueType::kF32 || plan_.has_rhs_zp));
  }

  /// A zero point or scale operand at the result element `here_`.
  Halide::Expr zero_point(size_t slot, const Halide::Expr& block = Halide::Expr(0)) const {
    return Halide::cast<int32_t>(operand(slot, block).expr);
  }
  FlightValue operand(size_t slot, const Halide::Expr& block) const {
    if (slot == kRhsScale && plan_.packs_scales) return packed_scale(block);
    static const char* const kNames[] = {"lhs", "rhs", "lhs_zero_point", "rhs_zero_point", "lhs_scale", "rhs_scale"};
    // Blocks are one more axis in front.
    const Shape& full = c_.in(slot).shape();
    std::vector<int64_t> extents = shape().grouped(Shape(full.begin() + 1, full.end()));
    std::vector<int64_t> result = shape().grouped_result();
    std::vector<Halide::Expr> at = result_coordinates();
    extents.insert(extents.begin(), full[0]);
    result.insert(result.begin(), reduction().blocks);
    at.insert(at.begin(), block);
    return operands_.at(c_.node.inputs[slot], kNames[slot], extents, result, at);
  }
  /// Element of plan_.block_scales.
  FlightValue packed_scale(const Halide::Expr& block) const;
  /// ContractionCoordinates over {groups.., G, N}.
  std::vector<Halide::Expr> result_coordinates() const {
    std::vector<Halide::Expr> at(shape().groups.size(), Halide::Expr(0));
    for (size_t i = 0; i < shape().rows.size(); i++) {
      const RowAxis& axis = shape().rows[i];
      at[static_cast<size_t>(axis.group)] += here_.rows[i] * i32(axis.group_stride);
    }
    at.push_back(here_.group);
    at.push_back(channel());
    return at;
  }
  Halide::Expr channel() const { return here_.chunk * i32(tile().chunk) + here_.n; }
  /// Index into [slice][n][blocks].
  Halide::Expr channel_index(const Halide::Expr& block) const {
    Halide::Expr at = slice() * i32(shape().n) + channel();
    return blocked() && !plan_.folded ? at * i32(reduction().blocks) + block : at;
  }

  /// The sums of lhs that a zero point of rhs is multiplied by (contraction_row_sums.cpp).
  void define_row_sums();
  /// By the dot instruction, in as many lanes as there are elements for, added at the end.
  void define_row_lanes(const std::vector<Halide::Var>& args);
  void schedule_row_sums(const Halide::Var& xo, const Halide::Var& x);
  std::vector<Halide::Var> row_variables() const {
    std::vector<Halide::Var> args(row_vars_.rbegin(), row_vars_.rend());
    if (shape().groups_n > 1) args.push_back(g_);
    return args;
  }
  Halide::Expr row_sum(const Halide::Expr& block) const {
    const std::vector<Halide::Var> vars = row_variables();
    std::vector<Halide::Expr> args(vars.begin(), vars.end());
    if (blocked()) args.push_back(block);
    return row_sums_(args);
  }

  Halide::Type accumulator_type() const {
    return plan_.float_sum ? Halide::Float(32) : Halide::Int(plan_.accumulator == ValueType::kI64 ? 64 : 32);
  }

  /// 16 interleaved sums: partial l takes the elements l, l + 16, ...; past the end it takes 0 * w, which changes
  /// nothing.
  void define_interleaved();
  /// The accumulator at these arguments, the tree of the interleaved ones included.
  Halide::Expr accumulated(std::vector<Halide::Expr> at) const;

  void define_accumulator();

  /// The accumulator (or, folded, the sum of the multiplied blocks) with the zero points' terms that `initial` could
  /// not hold.
  Halide::Expr corrected(const Halide::Expr& raw, const Halide::Expr& block) const;

  /// The sum of the blocks, each times its multiplier.
  FlightValue multiplied_sum();

  FlightValue scaled(const Halide::Expr& accumulator, const Halide::Expr& block) const {
    return scaled(FlightValue{accumulator, plan_.accumulator, plan_.accumulator_bound}, block);
  }
  FlightValue scaled(const FlightValue& accumulator, const Halide::Expr& block) const {
    return scale_product(c_, accumulator, attrs_.scale_order,
                         [&](size_t slot, const std::string&) { return operand(slot, block); });
  }

  Result<Halide::Expr> epilogue();

  void schedule();

  void schedule_interleaved(const Halide::Var& x);

  /// Counting costs a scalar kernel a fifth of a step: marks the innermost loop of the reduction, if it is short, as
  /// one that is to be unrolled, or names it, if its steps are to be two at a time.
  std::string unroll_steps();

  bool stages_lhs() const { return (plan_.flip_lhs && !reduction().overhang()) || plan_.widen; }
  /// Chunks of channels that run inside of an iteration that may be shared out, on the same staged lhs.
  int64_t chunks_inside() const;
  /// lhs with its sign bits flipped or as words: the rows of a tile, or with a window all that a row of tiles reads.
  void schedule_staged(const Halide::Var& xo);

  Result<NodeLowering> finish();

  std::string key_text() const;

  const LoweringContext& c_;
  const ContractionAttrs& attrs_;
  const ContractionPlan& plan_;
  mutable FlatOperands operands_;  ///< grows on first use of an operand
  NodeLowering lowering_;

  Halide::Var n_{"n"}, d_{"d"}, g_{"g"}, block_{"block"}, l_{"l"};
  std::vector<Halide::Var> row_vars_;
  std::vector<Halide::Var> vars_;  ///< of the result, innermost first
  ContractionCoordinates here_;
  Halide::ImageParam lhs_, weights_, initial_, sums_, scales_;
  Halide::Func accumulator_{"acc"}, blocks_{"sum"}, decoded_{"w"}, staged_{"flipped"}, registers_{"a"},
      row_sums_{"row_sums"}, out_{"out"};
  /// Partial sums of rows in a vector: the reduction's loops over the elements of a step and the lanes, and the loop
  /// that adds the lanes.
  struct RowLanes {
    Halide::Func sums;
    Halide::Var lane;
    Halide::RVar j, total;
  };
  std::vector<RowLanes> row_lanes_;  ///< of fewer and fewer lanes
  Loops reduce_;
  Halide::Var q_, h_, b_{"b"};
  std::string block_loop_, row_loop_, requant_key_;
  std::vector<KernelPipeline::UnrolledLoop> unrolled_;
  int64_t row_extent_ = 1;
};

}  // namespace qlathe
