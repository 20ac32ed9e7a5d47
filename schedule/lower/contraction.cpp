// contraction: dense products and convolutions on the target's dot instruction. One kernel: a register tile of rows x
// channels stays in registers while the reduction runs over packed weights; the epilogue is applied to the tile. Windows
// are read in place, without an im2col copy.
#include <cstring>

#include "schedule/halide_algebra.h"
#include "schedule/kernel.h"
#include "schedule/lower/contraction_plan.h"
#include "schedule/lower/flat_operands.h"
#include "schedule/lower/product_epilogue.h"
#include "schedule/lower/requantize_kernel.h"

namespace qlathe {
namespace {

using Halide::cast;
using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

int32_t i32(int64_t value) { return static_cast<int32_t>(value); }

/// Loop variables of the result: absent ones (extent 1) are the constant 0.
struct Coordinates {
  Expr n, chunk = 0, group = 0;
  std::vector<Expr> rows;  ///< parallel to ContractionShape::rows
};

class ContractionBuilder {
 public:
  ContractionBuilder(const LoweringContext& context, const ContractionPlan& plan)
      : c_(context), attrs_(context.node.as<ContractionAttrs>()), plan_(plan), operands_(context) {}

  Result<NodeLowering> build() {
    declare_variables();
    lhs_ = operands_.tensor(c_.node.inputs[kLhs], "lhs");
    if (plan_.constant_rhs) {
      lowering_.constants.push_back(plan_.weights->constant);
      lowering_.constants.back().name = name() + ".weights";
      weights_ = operands_.constant(lowering_.constants[0], 0, "weights");
    } else {
      QL_RETURN_IF_ERROR(add_packing_kernels(plan_, lowering_));
      weights_ = operands_.temporary(plan_.storage.type, element_count(plan_.packed), 0, "weights");
      if (plan_.run_time_sums) {
        const int64_t sums = shape().batches * shape().groups_n * shape().n * reduction().blocks;
        sums_ = operands_.temporary(ValueType::kI32, sums, 1, "sums");
      }
    }
    if (!plan_.initial.empty()) initial_ = channel_constant(plan_.initial, "initial");
    if (!plan_.sums.empty()) sums_ = channel_constant(plan_.sums, "sums");
    if (plan_.flip_lhs) define_flipped();
    if (plan_.row_sums) define_row_sums();
    define_accumulator();
    if (plan_.requant) {
      const RequantKernel requant(*plan_.requant, c_.out().type.type, name(), operands_, lowering_);
      requant_key_ = requant.key();
      out_(variables()) = requant.apply(corrected(accumulator_(arguments()), 0), channel_index(0));
    } else {
      QL_ASSIGN(const Expr result, epilogue());
      out_(variables()) = result;
    }
    schedule();
    return finish();
  }

 private:
  const ReductionPlan& reduction() const { return plan_.reduction; }
  const ContractionShape& shape() const { return plan_.shape; }
  const ContractionTile& tile() const { return plan_.tile; }
  bool blocked() const { return reduction().blocks > 1; }
  std::string name() const { return c_.node.origin.name.empty() ? "contraction" : c_.node.origin.name; }

  Halide::ImageParam channel_constant(const std::vector<int32_t>& values, const std::string& what) {
    PackedConstant constant;
    constant.name = name() + "." + what;
    constant.type = ValueType::kI32;
    constant.shape = {static_cast<int64_t>(values.size())};
    constant.bytes.resize(values.size() * 4);
    std::memcpy(constant.bytes.data(), values.data(), constant.bytes.size());
    constant.layout = blocked() ? "[c][block]" : "[c]";
    const int index = static_cast<int>(lowering_.constants.size());
    lowering_.constants.push_back(constant);
    return operands_.constant(constant, index, what);
  }

  void declare_variables() {
    here_.n = n_;
    vars_ = {n_};
    row_vars_.clear();
    if (tile().chunks > 1) {
      here_.chunk = d_;
      vars_.push_back(d_);
    }
    if (shape().groups_n > 1) {
      here_.group = g_;
      vars_.push_back(g_);
    }
    for (size_t i = 0; i < shape().rows.size(); i++) {
      row_vars_.emplace_back(shape().rows[i].name);
      here_.rows.push_back(row_vars_.back());
    }
    for (size_t i = row_vars_.size(); i-- > 0;)
      vars_.push_back(row_vars_[i]);
  }
  std::vector<Var> variables() const { return vars_; }
  std::vector<Var> variables_with(const Var& extra) const {
    std::vector<Var> all = vars_;
    all.push_back(extra);
    return all;
  }
  std::vector<Expr> arguments() const { return std::vector<Expr>(vars_.begin(), vars_.end()); }

  /// Position in lhs of the first element of the result's window.
  Expr lhs_base() const {
    Expr at = here_.group * i32(shape().lhs_group_stride);
    for (size_t i = 0; i < shape().rows.size(); i++)
      at += here_.rows[i] * i32(shape().rows[i].lhs_stride);
    return at;
  }
  Expr slice() const {
    Expr batch = 0;
    for (size_t i = 0; i < shape().rows.size(); i++)
      batch += here_.rows[i] * i32(shape().rows[i].rhs_stride);
    return batch * i32(shape().groups_n) + here_.group;
  }

  /// The reduction's loops: j (elements of a step), part, s (step), then the window.
  struct Loops {
    RDom domain;
    Expr j = 0, part = 0, s;
    std::vector<Expr> window;
    std::vector<std::pair<std::string, std::string>> names;  ///< RVar, its readable name
  };
  Loops loops(int kr, int parts, const std::string& prefix) const {
    Halide::Region region;
    Loops out;
    std::vector<std::string> names;
    if (kr > 1) region.push_back({0, kr}), names.push_back("j");
    if (parts > 1) region.push_back({0, parts}), names.push_back("part");
    const int64_t steps = (reduction().run + int64_t{kr} * parts - 1) / (int64_t{kr} * parts);
    region.push_back({0, i32(steps)}), names.push_back("k");
    for (size_t a = reduction().window.size(); a-- > 0;) {
      region.push_back({0, i32(reduction().window[a].extent)});
      names.push_back(reduction().window[a].name);
    }
    out.domain = RDom(region, prefix);
    int at = 0;
    if (kr > 1) out.j = out.domain[at++];
    if (parts > 1) out.part = out.domain[at++];
    out.s = out.domain[at++];
    for (size_t a = 0; a < reduction().window.size(); a++)
      out.window.push_back(out.domain[at + static_cast<int>(reduction().window.size() - 1 - a)]);
    for (size_t i = 0; i < names.size(); i++)
      out.names.emplace_back(out.domain[static_cast<int>(i)].name(), names[i]);
    return out;
  }

  /// Element of the run at which a step starts; see ReductionPlan::start.
  Expr step_start(const Expr& step) const {
    const int kr = reduction().kr;
    if (reduction().exact()) return step * kr;
    return Halide::min(step * kr, i32(reduction().run - kr));
  }

  /// Position in lhs of element `e` (of the run) at a window position, or in a block.
  Expr lhs_position(const Expr& e, const std::vector<Expr>& window, const Expr& block) const {
    if (!blocked()) {
      Expr at = lhs_base() + e;
      for (size_t a = 0; a < window.size(); a++)
        at += window[a] * i32(reduction().window[a].lhs_stride);
      return at;
    }
    Expr flat = block * i32(reduction().run) + e;
    if (!reduction().decode) return lhs_base() + flat;
    const auto run = i32(shape().run);
    Expr at = lhs_base() + flat % run, rest = flat / run;
    // Window axes in the flattened order, the innermost first; swallowed ones are part of the run.
    for (size_t a = shape().window.size(); a-- > 0;) {
      const ReductionAxis& axis = shape().window[a];
      at += rest % i32(axis.extent) * i32(axis.lhs_stride);
      rest = rest / i32(axis.extent);
    }
    return at;
  }

  Expr lhs_value(const Expr& position) const {
    if (plan_.flip_lhs) return flipped_(position);
    Expr value = lhs_(position);
    if (plan_.float_sum) {
      value = to_float(load_value(plan_.lhs_type, value)).expr;
      return c_.has(kLhsZeroPoint) ? value - cast<float>(zero_point(kLhsZeroPoint)) : value;
    }
    return value;
  }

  void define_flipped() {
    Var p("p");
    const bool to_unsigned = plan_.lhs_offset > 0;
    Expr byte = Halide::reinterpret(Halide::UInt(8), lhs_(p)) ^ cast<uint8_t>(128);
    flipped_(p) = to_unsigned ? byte : Halide::reinterpret(Halide::Int(8), byte);
  }

  /// Index into the packed weights: [slice][chunk][position or block][step / parts][channel][kr].
  Expr weight_index(const Expr& channel_and_j, const Expr& step, const std::vector<Expr>& window,
                    const Expr& block) const {
    Expr position = blocked() ? block : Expr(0);
    for (size_t a = 0; a < window.size(); a++)
      position = position * i32(reduction().window[a].extent) + window[a];
    const int64_t positions = blocked() ? reduction().blocks : reduction().positions();
    const int64_t step_stride = plan_.packed[4] * reduction().kr;
    Expr panel = (slice() * i32(tile().chunks) + here_.chunk) * i32(positions) + position;
    return panel * i32(step_stride * reduction().packed_steps()) + step * i32(step_stride) + channel_and_j;
  }

  /// The stored byte or word as the multiplication's operand.
  Expr decode_weight(const Expr& stored, const Expr& part, const Expr& block) const {
    Expr value = stored;
    ValueType type = plan_.rhs_type;
    if (reduction().parts > 1) {
      const int bits = plan_.storage.bits;
      value = (stored >> cast<uint8_t>(part * bits)) & cast<uint8_t>((1 << bits) - 1);
      if (is_integer(plan_.rhs_type)) {
        value = Halide::reinterpret(Halide::Int(8), value) - cast<int8_t>(i32(plan_.storage.offset));
        type = ValueType::kI8;
      }
    } else if (plan_.storage.type != plan_.rhs_type) {
      type = plan_.storage.type;
    }
    if (!plan_.float_sum) return value;
    Expr real = to_float(load_value(type, value)).expr;
    if (plan_.has_rhs_zp) real = real - cast<float>(zero_point(kRhsZeroPoint, block));
    return real;
  }

  bool decodes_weights() const {
    return reduction().parts > 1 || (plan_.float_sum && (plan_.rhs_type != ValueType::kF32 || plan_.has_rhs_zp));
  }

  /// A zero point or scale operand at the result element `here_`.
  Expr zero_point(size_t slot, const Expr& block = Expr(0)) const {
    return cast<int32_t>(operand(slot, block).expr);
  }
  FlightValue operand(size_t slot, const Expr& block) const {
    static const char* const kNames[] = {"lhs", "rhs", "lhs_zero_point", "rhs_zero_point", "lhs_scale", "rhs_scale"};
    // Blocks are one more axis in front.
    const Shape& full = c_.in(slot).shape();
    std::vector<int64_t> extents = shape().grouped(Shape(full.begin() + 1, full.end()));
    std::vector<int64_t> result = shape().grouped_result();
    std::vector<Expr> at = result_coordinates();
    extents.insert(extents.begin(), full[0]);
    result.insert(result.begin(), reduction().blocks);
    at.insert(at.begin(), block);
    return operands_.at(c_.node.inputs[slot], kNames[slot], extents, result, at);
  }
  /// Coordinates over {groups.., G, N}.
  std::vector<Expr> result_coordinates() const {
    std::vector<Expr> at(shape().groups.size(), Expr(0));
    for (size_t i = 0; i < shape().rows.size(); i++) {
      const RowAxis& axis = shape().rows[i];
      at[static_cast<size_t>(axis.group)] += here_.rows[i] * i32(axis.group_stride);
    }
    at.push_back(here_.group);
    at.push_back(channel());
    return at;
  }
  Expr channel() const { return here_.chunk * i32(tile().chunk) + here_.n; }
  /// Index into [slice][n][blocks].
  Expr channel_index(const Expr& block) const {
    Expr at = slice() * i32(shape().n) + channel();
    return blocked() ? at * i32(reduction().blocks) + block : at;
  }

  void define_row_sums() {
    const Loops r = loops(1, 1, "rs");
    std::vector<Var> args = row_variables();
    if (blocked()) args.push_back(block_);
    row_sums_(args) = 0;
    row_sums_(args) += cast<int32_t>(lhs_value(lhs_position(r.s, r.window, block_)));
    for (const auto& [from, to] : r.names)
      row_sums_.update().rename(RVar(from), RVar(to));
  }
  std::vector<Var> row_variables() const {
    std::vector<Var> args(row_vars_.rbegin(), row_vars_.rend());
    if (shape().groups_n > 1) args.push_back(g_);
    return args;
  }
  Expr row_sum(const Expr& block) const {
    const std::vector<Var> vars = row_variables();
    std::vector<Expr> args(vars.begin(), vars.end());
    if (blocked()) args.push_back(block);
    return row_sums_(args);
  }

  Halide::Type accumulator_type() const {
    return plan_.float_sum ? Halide::Float(32) : Halide::Int(plan_.accumulator == ValueType::kI64 ? 64 : 32);
  }

  void define_accumulator() {
    const int kr = reduction().kr;
    reduce_ = loops(kr, reduction().parts, "r");
    const Expr block = blocked() ? Expr(block_) : Expr(0);
    std::vector<Var> args = blocked() ? variables_with(block_) : variables();
    std::vector<Expr> exprs(args.begin(), args.end());
    Expr start = Halide::Internal::make_zero(accumulator_type());
    if (initial_.defined()) start = cast(accumulator_type(), initial_(channel_index(block)));
    accumulator_(args) = start;

    const Expr step = reduction().parts > 1 ? reduce_.s * reduction().parts + reduce_.part : reduce_.s;
    const Expr e = step_start(step) + reduce_.j;
    Expr a = lhs_value(lhs_position(e, reduce_.window, block));
    Expr w;
    if (decodes_weights()) {
      // Decoded once a step into registers: q is channel * kr + j.
      Var q("q"), h("h"), s("s");
      std::vector<Var> decoded_args = {q};
      std::vector<Expr> decoded_at = {n_ * kr + reduce_.j};
      Expr part = 0;
      if (reduction().parts > 1) {
        decoded_args.push_back(h);
        decoded_at.push_back(reduce_.part);
        part = h;
      }
      decoded_args.push_back(s);
      decoded_at.push_back(reduce_.s);
      std::vector<Expr> window;
      for (size_t i = 0; i < reduce_.window.size(); i++) {
        Var v("v" + std::to_string(i));
        decoded_args.push_back(v);
        decoded_at.push_back(reduce_.window[i]);
        window.push_back(v);
      }
      for (size_t i = 1; i < vars_.size(); i++) {
        decoded_args.push_back(vars_[i]);
        decoded_at.push_back(vars_[i]);
      }
      if (blocked()) {
        decoded_args.push_back(block_);
        decoded_at.push_back(block_);
      }
      const Coordinates saved = here_;
      here_.n = q / kr;
      decoded_(decoded_args) = decode_weight(weights_(weight_index(q, s, window, block)), part, block);
      here_ = saved;
      w = decoded_(decoded_at);
      q_ = q;
      h_ = h;
    } else {
      w = weights_(weight_index(n_ * kr + reduce_.j, reduce_.s, reduce_.window, block));
    }
    if (plan_.float_sum) {
      accumulator_(exprs) = HalideAlgebra::fma(a, w, accumulator_(exprs));
    } else if (plan_.accumulator == ValueType::kI64) {
      accumulator_(exprs) += cast<int64_t>(a) * cast<int64_t>(w);
    } else if (plan_.dot) {
      accumulator_(exprs) += cast<int32_t>(cast<int16_t>(a)) * cast<int32_t>(cast<int16_t>(w));
    } else {
      accumulator_(exprs) += cast<int32_t>(a) * cast<int32_t>(w);
    }
    for (const auto& [from, to] : reduce_.names)
      accumulator_.update().rename(RVar(from), RVar(to));
  }

  /// The accumulator with the zero points' terms that `initial` could not hold.
  Expr corrected(const Expr& raw, const Expr& block) const {
    if (plan_.float_sum) return raw;
    const auto wide = [&](Expr x) { return cast(accumulator_type(), x); };
    Expr value = raw;
    Expr lhs_zp = i32(plan_.lhs_zp + plan_.lhs_offset);
    if (plan_.has_lhs_zp) lhs_zp = zero_point(kLhsZeroPoint, block) + i32(plan_.lhs_offset);
    const bool constant_zero = !plan_.has_lhs_zp && plan_.lhs_zp + plan_.lhs_offset == 0;
    if (sums_.defined()) value -= wide(lhs_zp) * wide(sums_(channel_index(block)));
    if (plan_.row_sums) {
      Expr rhs_zp = i32(plan_.rhs_offset);
      if (plan_.has_rhs_zp) rhs_zp = zero_point(kRhsZeroPoint, block) + i32(plan_.rhs_offset);
      Expr sum = wide(row_sum(block));
      if (!constant_zero) sum -= wide(lhs_zp) * wide(i32(reduction().run * reduction().positions()));
      value -= wide(rhs_zp) * sum;
    }
    return value;
  }

  FlightValue scaled(const Expr& accumulator, const Expr& block) const {
    return scale_product(c_, {accumulator, plan_.accumulator, plan_.accumulator_bound}, attrs_.scale_order,
                         [&](size_t slot, const std::string&) { return operand(slot, block); });
  }

  Result<Expr> epilogue() {
    FlightValue value;
    const std::vector<Expr> here = arguments();
    if (blocked()) {
      RDom b(0, i32(reduction().blocks), "b");
      std::vector<Expr> at = here;
      at.push_back(b.x);
      blocks_(variables()) = 0.0f;
      const FlightValue term = scaled(corrected(accumulator_(at), b.x), b.x);
      blocks_(here) += term.expr;
      block_loop_ = b.x.name();
      value = {blocks_(here), ValueType::kF32, term.bound * static_cast<double>(reduction().blocks) * 1.0001};
    } else if (plan_.scaled) {
      value = scaled(corrected(accumulator_(here), 0), 0);
    } else {
      value = {corrected(accumulator_(here), 0), plan_.accumulator, plan_.accumulator_bound};
    }
    return finish_product(
        c_, value, plan_.steps,
        [&](size_t input, const std::string& parameter) {
          const TensorId id = c_.node.inputs[input];
          return operands_.at(id, parameter, shape().grouped(c_.in(input).shape()), shape().grouped_result(),
                              result_coordinates());
        },
        [&](size_t input, const Expr& index) { return operands_.table(c_.node.inputs[input], index); });
  }

  void schedule() {
    const Var np("np"), nj("nj"), v("v"), lane("c"), row("row");
    const Var x = row_vars_.back(), xo(x.name() + "o"), xi(x.name() + "i");
    const ContractionTile& t = tile();
    const bool vectors = t.lanes > 1;
    const int64_t x_extent = shape().rows.back().extent;
    const auto tail = [](bool exact) { return exact ? TailStrategy::RoundUp : TailStrategy::ShiftInwards; };

    out_.split(n_, np, nj, i32(t.width()), tail(t.chunk % t.width() == 0));
    out_.split(x, xo, xi, t.rows, tail(x_extent % t.rows == 0));
    std::vector<Halide::VarOrRVar> order;
    if (vectors) {
      out_.split(nj, v, lane, t.lanes, TailStrategy::RoundUp).vectorize(lane);
      order = {lane, v, xi, xo, np};
    } else {
      order = {nj, xi, xo, np};
    }
    // Everything else is one loop whose iterations may be shared out: rows innermost, then channels, groups, batches.
    std::vector<Var> outer;
    for (size_t i = row_vars_.size() - 1; i-- > 0;) {
      if (shape().rows[i].rhs_stride == 0) outer.push_back(row_vars_[i]);
    }
    if (t.chunks > 1) outer.push_back(d_);
    if (shape().groups_n > 1) outer.push_back(g_);
    for (size_t i = row_vars_.size() - 1; i-- > 0;) {
      if (shape().rows[i].rhs_stride != 0) outer.push_back(row_vars_[i]);
    }
    for (const Var& var : outer)
      order.push_back(var);
    out_.reorder(order);
    row_extent_ = t.chunks * shape().groups_n;
    for (size_t i = 0; i + 1 < shape().rows.size(); i++)
      row_extent_ *= shape().rows[i].extent;
    if (!outer.empty()) {
      Var fused = outer[0];
      for (size_t i = 1; i < outer.size(); i++) {
        Var next(i + 1 == outer.size() ? "row" : "f" + std::to_string(i));
        out_.fuse(fused, outer[i], next);
        fused = next;
      }
      row_loop_ = fused.name();
    }

    Func& sum = accumulator_;
    const Var sn("m"), sv("v"), sc("c");
    const auto vectorize_channels = [&](Func& f) {
      if (!vectors) return;
      f.split(n_, sv, sc, t.lanes, TailStrategy::RoundUp).vectorize(sc);
    };
    const Var sx = x;
    if (blocked()) {
      blocks_.compute_at(out_, xo);
      vectorize_channels(blocks_);
      blocks_.reorder(vectors ? std::vector<Halide::VarOrRVar>{sc, sv, sx} : std::vector<Halide::VarOrRVar>{n_, sx});
      auto update = blocks_.update();
      const RVar b(block_loop_);
      if (vectors) {
        update.split(n_, sv, sc, t.lanes).vectorize(sc);
        update.reorder({sc, sv, sx, b});
      } else {
        update.reorder({n_, sx, b});
      }
      blocks_.bound_extent(n_, i32(t.width()));
      sum.compute_at(blocks_, b);
    } else {
      sum.compute_at(out_, xo);
    }
    vectorize_channels(sum);
    sum.reorder(vectors ? std::vector<Halide::VarOrRVar>{sc, sv, sx} : std::vector<Halide::VarOrRVar>{n_, sx});
    auto update = sum.update();
    std::vector<Halide::VarOrRVar> inner;
    if (reduction().kr > 1) inner.push_back(RVar("j"));
    if (vectors) {
      update.split(n_, sv, sc, t.lanes);
      inner.insert(inner.end(), {sc, sv, sx});
    } else {
      inner.insert(inner.end(), {n_, sx});
    }
    for (const auto& [from, to] : reduce_.names) {
      if (to != "j") inner.push_back(RVar(to));
    }
    update.reorder(inner);
    if (reduction().kr > 1) update.atomic().vectorize(RVar("j"));
    if (vectors) update.vectorize(sc);

    if (decodes_weights()) {
      decoded_.compute_at(sum, RVar("k"));
      const int width = t.lanes * reduction().kr;
      if (vectors) {
        const Var qo("qo"), qi("qi");
        decoded_.split(q_, qo, qi, width, TailStrategy::RoundUp).vectorize(qi);
      }
    }
    if (plan_.flip_lhs) schedule_flipped(xo);
    if (plan_.row_sums) row_sums_.compute_at(out_, xo);
  }

  /// lhs with its sign bits flipped: the rows of a tile, or with a window all that a row of tiles reads.
  void schedule_flipped(const Var& xo) {
    int64_t extent = reduction().run * (reduction().blocks);
    const RowAxis& axis = shape().rows.back();
    const bool windowed = !shape().window.empty();
    extent += ((windowed ? axis.extent : tile().rows) - 1) * axis.lhs_stride;
    for (const ReductionAxis& w : shape().window)
      extent += (w.extent - 1) * w.lhs_stride;
    if (windowed && !row_loop_.empty())
      flipped_.compute_at(out_, Var(row_loop_));
    else if (windowed)
      flipped_.compute_root();
    else
      flipped_.compute_at(out_, xo);
    if (c_.target.vectorize) {
      int64_t lanes = c_.target.vector_bits / 8;
      while (lanes > extent)
        lanes /= 2;
      const Var pv("pv"), pi("pi");
      flipped_.split(flipped_.args()[0], pv, pi, i32(lanes), TailStrategy::ShiftInwards).vectorize(pi);
    }
  }

  Result<NodeLowering> finish() {
    auto pipeline = std::make_shared<KernelPipeline>();
    const std::string kind = attrs_.windows.empty() || shape().window.empty() ? "gemm" : "conv";
    pipeline->name = kind + "_" + std::string(qlathe::name(plan_.lhs_type)) + "_" +
                     std::string(qlathe::name(plan_.rhs_type)) + "_" + tile().text();
    pipeline->inputs = operands_.inputs();
    std::vector<KernelDim> dims = {{i32(tile().chunk), 1, 0}};
    if (tile().chunks > 1) dims.push_back({i32(tile().chunks), i32(tile().chunk), 0});
    if (shape().groups_n > 1) dims.push_back({i32(shape().groups_n), i32(shape().out_group_stride), 0});
    for (size_t i = shape().rows.size(); i-- > 0;)
      dims.push_back({i32(shape().rows[i].extent), i32(shape().rows[i].out_stride), 0});
    const ValueType out_type = c_.out().type.type;
    pipeline->outputs = {{out_, dims, storage_bytes(out_type)}};
    pipeline->row_loop = row_loop_;
    pipeline->row_extent = row_loop_.empty() ? 1 : i32(row_extent_);

    LoweredCall call;
    call.operands = operands_.operands();
    call.operands.push_back(KernelOperand::of(c_.node.outputs[0]));
    call.macs = shape().out_size * shape().reduction;
    // A hand-over costs about a microsecond: a task of less than some 200,000 multiply-accumulates is not worth one.
    call.min_rows_per_task = i32(std::max<int64_t>(1, 200000 * row_extent_ / std::max<int64_t>(1, call.macs)));
    call.description = kind + " " + to_string(c_.in(kLhs).shape()) + " * " + to_string(c_.in(kRhs).shape()) + " -> " +
                       to_string(c_.out().shape()) + ", tile " + tile().text();
    call.key = "contraction|" + c_.target.name + "|" + key_text() + "|" + operands_.key() + "|" +
               (plan_.requant ? requant_key_ : steps_key(plan_.steps)) + "|" + qlathe::name(out_type);
    if (!plan_.requant_note.empty()) call.notes.push_back(plan_.requant_note);
    call.pipeline = std::move(pipeline);
    lowering_.calls.push_back(std::move(call));
    return std::move(lowering_);
  }

  std::string key_text() const {
    std::string key = to_string(c_.in(kLhs).shape()) + "*" + to_string(c_.in(kRhs).shape()) + ";";
    for (const Window& w : attrs_.windows)
      key += std::to_string(w.kernel) + "/" + std::to_string(w.stride) + "/" + std::to_string(w.dilation) + ",";
    key += std::string(qlathe::name(plan_.lhs_type)) + "*" + qlathe::name(plan_.rhs_type) + "+" +
           qlathe::name(plan_.accumulator) + ";" + tile().text() + ";";
    const std::vector<int64_t> numbers = {
        tile().chunk,   tile().chunks,    reduction().blocks, reduction().kr,      reduction().parts,
        plan_.lhs_zp,   plan_.lhs_offset, plan_.rhs_offset,   plan_.storage.offset, plan_.storage.fold_zero_point,
        plan_.row_sums, plan_.has_lhs_zp, plan_.has_rhs_zp,   static_cast<int64_t>(attrs_.scale_order),
        !plan_.initial.empty(), !plan_.sums.empty()};
    for (int64_t v : numbers)
      key += std::to_string(v) + ",";
    for (const RowAxis& axis : shape().rows)
      key += std::to_string(axis.extent) + "x";
    return key;
  }

  const LoweringContext& c_;
  const ContractionAttrs& attrs_;
  const ContractionPlan& plan_;
  mutable FlatOperands operands_;  ///< grows on first use of an operand
  NodeLowering lowering_;

  Var n_{"n"}, d_{"d"}, g_{"g"}, block_{"block"};
  std::vector<Var> row_vars_;
  std::vector<Var> vars_;  ///< of the result, innermost first
  Coordinates here_;
  Halide::ImageParam lhs_, weights_, initial_, sums_;
  Func accumulator_{"acc"}, blocks_{"sum"}, decoded_{"w"}, flipped_{"flipped"}, row_sums_{"row_sums"}, out_{"out"};
  Loops reduce_;
  Var q_, h_;
  std::string block_loop_, row_loop_, requant_key_;
  int64_t row_extent_ = 1;
};

Result<NodeLowering> lower_contraction(const LoweringContext& context) {
  try {
    QL_ASSIGN(const ContractionPlan plan, plan_contraction(context));
    return ContractionBuilder(context, plan).build();
  } catch (const Halide::Error& error) {
    return Status::internal(std::string("contraction '") + context.node.origin.name + "': " + error.what());
  }
}

const LoweringRegistry::Add add_contraction("contraction", lower_contraction);

}  // namespace
}  // namespace qlathe
