// softmax_fixed, log_softmax_fixed, l2_normalize_fixed: a row at a time, what concerns the whole row computed once.
#include "frontend/ops/fixed_rows.h"

#include <limits>

#include "frontend/numerics/fixed/row_functions.h"
#include "schedule/halide_fixed_algebra.h"
#include "schedule/lower/row_kernel.h"

namespace qlathe {
namespace {

using Halide::cast;
using Halide::Expr;
using Halide::reinterpret;
using Halide::select;
using A = HalideFixedAlgebra;
using Element = std::function<Expr(Expr)>;

const std::vector<PointwiseStep> kNoSteps;

/// A row of int8, uint8 or int16.
class FixedRow {
 public:
  FixedRow(const LoweringContext& context, const std::string& name)
      : context_(context), n_(context.in(0).shape().back()), kernel(context, n_, kNoSteps, kNoSteps, name) {}

  Expr largest() {
    const auto larger = [](const Expr& a, const Expr& b) { return Halide::max(a, b); };
    const auto least = static_cast<int32_t>(info(context_.in(0).type.type).min);
    return kernel.stages.fold_any_order(
        A::i32(least), n_, "m", true, [&](const Expr& m, const Expr& i) { return Halide::max(m, kernel.integer(i)); },
        larger);
  }
  /// A sum that wraps.
  Expr sum(const Element& term) {
    const auto plus = [](const Expr& a, const Expr& b) { return a + b; };
    return reinterpret<int32_t>(kernel.stages.fold_any_order(
        Halide::Internal::UIntImm::make(Halide::UInt(32), 0), n_, "s", false,
        [&](const Expr& s, const Expr& i) { return s + reinterpret<uint32_t>(term(i)); }, plus));
  }
  /// value(i) of the whole row, in memory.
  Element kept(const std::string& name, const Element& value) { return kernel.stages.buffer(n_, name, value); }

  /// `value` saturated to `type`.
  Result<NodeLowering> finish(const Expr& value, ValueType type, const std::string& what) {
    const ValueTypeInfo& t = info(type);
    const Expr cut = Halide::clamp(value, A::i32(static_cast<int32_t>(t.min)), A::i32(static_cast<int32_t>(t.max)));
    return kernel.finish({cast(flight_type(type), cut), type}, what);
  }

 private:
  const LoweringContext& context_;
  int64_t n_;

 public:
  RowKernel kernel;
};

Expr at_least(const Expr& x, int32_t least) { return Halide::max(x, A::i32(least)); }

/// rounding_divide_by_power by a number known here.
Expr divided(const Expr& x, int n) { return fixed::scaled_down<A>(x, n); }

/// Step interpolated_lookup: sums of 16 bits wrap.
Expr interpolated(const Element& table, const Expr& x) {
  const Expr i = (x >> 7) + 256, base = table(i);
  const Expr slope = cast<int32_t>(cast<int16_t>(table(i + 1) - base));
  return cast<int32_t>(cast<int16_t>(base + ((slope * (x & 127) + 64) >> 7)));
}

Result<NodeLowering> lower_softmax_8(const LoweringContext& context, const SoftmaxFixedAttrs& attrs) {
  FixedRow row(context, "softmax_fixed");
  const Element exps = row.kernel.table(1, "exps");
  const Expr m = row.largest();
  const Element e = row.kept("e", [&](const Expr& i) { return exps(row.kernel.integer(i) - m + 255); });
  const Expr s = at_least(row.sum([&](const Expr& i) { return divided(e(i), 12); }), 1);
  const fixed::Reciprocal<A> r = fixed::reciprocal<A>(s, 12);
  const Expr scale = row.kernel.stages.once("scale", r.scale);
  const int bits = info(attrs.type).bits;
  const Expr exponent = row.kernel.stages.once("exponent", Halide::min(r.bits_over_unit + (31 - bits), 31));
  const Expr y = A::rounding_shift_right(fixed::product<A, 32>(scale, e(row.kernel.index())), exponent);
  return row.finish(y + A::i32(static_cast<int32_t>(info(attrs.type).min)), attrs.type, "softmax_fixed");
}

Result<NodeLowering> lower_softmax_16(const LoweringContext& context, const SoftmaxFixedAttrs& attrs) {
  FixedRow row(context, "softmax_fixed");
  const Element exps = row.kernel.table(1, "exps"), reciprocals = row.kernel.table(2, "reciprocals");
  const Expr multiplier = A::i32(static_cast<int32_t>(attrs.multiplier)),
             shift = A::i32(static_cast<int32_t>(attrs.shift));
  const Expr m = row.largest();
  const Element e = row.kept("e", [&](const Expr& i) {
    const Expr d = fixed::multiplied<A>(row.kernel.integer(i) - m, multiplier, shift);
    return interpolated(exps, Halide::clamp(d, A::i32(-65535), A::i32(0)) + 32767);
  });
  const Expr s = row.kernel.stages.once("least", at_least(row.sum(e), 1));
  const Expr h = A::leading_zeros(s);
  // Unsigned, for the sum may have 32 bits.
  const Expr normal = reinterpret<uint32_t>(A::shift_left(s, h - 1));
  const Expr t = reinterpret<int32_t>((normal + cast<uint32_t>(1 << 13)) >> cast<uint32_t>(14));
  const Expr place = Halide::clamp(t - ((1 << 15) + (1 << 16)), A::i32(INT16_MIN), A::i32(INT16_MAX));
  const Expr r = row.kernel.stages.once("r", interpolated(reciprocals, place));
  const Expr right = row.kernel.stages.once("right", Halide::max(31 - h, 1));
  const Expr half = row.kernel.stages.once("half", A::shift_left(A::i32(1), right - 1));
  const Expr y = A::shift_right(e(row.kernel.index()) * r + half, right);
  return row.finish(Halide::max(y, 0), ValueType::kI16,
                    "softmax_fixed|" + std::to_string(attrs.multiplier) + "," + std::to_string(attrs.shift));
}

Result<NodeLowering> lower_softmax(const LoweringContext& context) {
  const auto& attrs = context.node.as<SoftmaxFixedAttrs>();
  return context.in(0).type.type == ValueType::kI16 ? lower_softmax_16(context, attrs)
                                                    : lower_softmax_8(context, attrs);
}

Result<NodeLowering> lower_log_softmax(const LoweringContext& context) {
  const auto& attrs = context.node.as<LogSoftmaxFixedAttrs>();
  const ValueType type = context.in(0).type.type;
  FixedRow row(context, "log_softmax_fixed");
  const Element exps = row.kernel.table(1, "exps"), diffs = row.kernel.table(2, "diffs");
  const Expr m = row.largest();
  const Expr s =
      at_least(row.sum([&](const Expr& i) { return divided(exps(row.kernel.integer(i) - m + 255), 12); }), 1 << 19);
  const Expr log = row.kernel.stages.once("log", fixed::log_of_at_least_one<A, 5, 12>(s));
  // log >= 0, so the bit is the sum l - 2^31; as a sum Halide would fold it to a difference that overflows.
  const Expr back = fixed::multiplied<A>(log | A::i32(INT32_MIN), A::i32(static_cast<int32_t>(attrs.multiplier)),
                                         A::i32(static_cast<int32_t>(attrs.shift)));
  const Expr first = row.kernel.stages.once("first", at_least(back, static_cast<int32_t>(attrs.diff_min) - 1));
  const Expr d = row.kernel.integer(row.kernel.index()) - m;
  const Expr difference = reinterpret<int32_t>(reinterpret<uint32_t>(diffs(d + 255)) - reinterpret<uint32_t>(log));
  const Expr y = divided(difference, 22) + static_cast<int32_t>(info(type).max);
  return row.finish(select(d > first, y, A::i32(static_cast<int32_t>(info(type).min))), type,
                    "log_softmax_fixed|" + std::to_string(attrs.diff_min) + "," + std::to_string(attrs.multiplier) +
                        "," + std::to_string(attrs.shift));
}

Result<NodeLowering> lower_l2(const LoweringContext& context) {
  const auto zero_point = static_cast<int32_t>(context.node.as<L2NormalizeFixedAttrs>().zero_point);
  const ValueType type = context.in(0).type.type;
  FixedRow row(context, "l2_normalize_fixed");
  const Element centered = [&](const Expr& i) { return row.kernel.integer(i) - zero_point; };
  const Expr s = at_least(row.sum([&](const Expr& i) { return centered(i) * centered(i); }), 0);
  const fixed::InverseRoot<A> root = fixed::inverse_root<A>(s);
  const Expr mantissa = row.kernel.stages.once("mantissa", root.mantissa);
  const Expr shift = row.kernel.stages.once("shift", root.shift);
  const Expr x = centered(row.kernel.index());
  const Expr y = type == ValueType::kI8 ? fixed::multiplied<A>(x, mantissa, shift + 7)
                                        : fixed::multiplied<A>(x * 128, mantissa, shift) + 128;
  return row.finish(y, type, "l2_normalize_fixed|" + std::to_string(zero_point));
}

const LoweringRegistry::Add add_softmax("softmax_fixed", lower_softmax);
const LoweringRegistry::Add add_log_softmax("log_softmax_fixed", lower_log_softmax);
const LoweringRegistry::Add add_l2("l2_normalize_fixed", lower_l2);

}  // namespace
}  // namespace qlathe
