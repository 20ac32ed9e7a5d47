// The accumulators of a contraction: what is multiplied, in which order, and the terms of the zero points.
#include <algorithm>

#include "schedule/halide_algebra.h"
#include "schedule/lower/contraction_builder.h"

namespace qlathe {

using Halide::cast;
using Halide::Expr;
using Halide::RDom;
using Halide::RVar;
using Halide::Var;

ContractionBuilder::Loops ContractionBuilder::loops(int kr, int parts, int lanes, const std::string& prefix) const {
  Halide::Region region;
  Loops out;
  std::vector<std::string> names;
  if (kr > 1) region.push_back({0, kr}), names.push_back("j");
  if (parts > 1) region.push_back({0, parts}), names.push_back("part");
  if (lanes > 1) region.push_back({0, lanes}), names.push_back("lane");
  const int64_t at_once = int64_t{kr} * parts * lanes, steps = (reduction().run + at_once - 1) / at_once;
  region.push_back({0, i32(steps)}), names.push_back("k");
  for (size_t a = reduction().window.size(); a-- > 0;) {
    region.push_back({0, i32(reduction().window[a].extent)});
    names.push_back(reduction().window[a].name);
  }
  out.domain = RDom(region, prefix);
  int at = 0;
  if (kr > 1) out.j = out.domain[at++];
  if (parts > 1) out.part = out.domain[at++];
  if (lanes > 1) out.lane = out.domain[at++];
  out.s = out.domain[at++];
  for (size_t a = 0; a < reduction().window.size(); a++)
    out.window.push_back(out.domain[at + static_cast<int>(reduction().window.size() - 1 - a)]);
  for (size_t i = 0; i < names.size(); i++)
    out.names.emplace_back(out.domain[static_cast<int>(i)].name(), names[i]);
  return out;
}

ContractionBuilder::Loops ContractionBuilder::outer_loops(int64_t steps, const std::string& prefix) const {
  Halide::Region region = {{0, i32(steps)}};
  Loops out;
  for (size_t a = reduction().window.size(); a-- > 0;)
    region.push_back({0, i32(reduction().window[a].extent)});
  out.domain = RDom(region, prefix);
  out.s = out.domain[0];
  out.names.emplace_back(out.domain[0].name(), "k");
  const size_t windows = reduction().window.size();
  for (size_t a = 0; a < windows; a++)
    out.window.push_back(out.domain[static_cast<int>(windows - a)]);
  for (size_t a = windows; a-- > 0;)
    out.names.emplace_back(out.domain[static_cast<int>(windows - a)].name(), reduction().window[a].name);
  return out;
}

Expr ContractionBuilder::lhs_position(const Expr& e, const std::vector<Expr>& window, const Expr& block) const {
  if (!blocked() && !reduction().decode) {
    Expr at = lhs_base() + e;
    for (size_t a = 0; a < window.size(); a++)
      at += window[a] * i32(reduction().window[a].lhs_stride);
    return at;
  }
  const Expr flat = blocked() ? block * i32(reduction().run) + e : e;
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

Expr ContractionBuilder::lhs_value(const Expr& position) const {
  if (stages_lhs()) return staged_(position);
  Expr value = lhs_(position);
  if (plan_.flip_lhs) return flipped(value);
  if (plan_.float_sum) {
    value = to_float(load_value(plan_.lhs_type, value)).expr;
    return c_.has(kLhsZeroPoint) ? value - cast<float>(zero_point(kLhsZeroPoint)) : value;
  }
  return value;
}

Expr ContractionBuilder::flipped(const Expr& element) const {
  const Expr byte = Halide::reinterpret(Halide::UInt(8), element) ^ cast<uint8_t>(128);
  return plan_.lhs_offset > 0 ? byte : Halide::reinterpret(Halide::Int(8), byte);
}

void ContractionBuilder::define_staged() {
  Var p("p");
  if (plan_.widen) {
    staged_(p) = cast<int16_t>(lhs_(p));
    return;
  }
  staged_(p) = flipped(lhs_(p));
}

Expr ContractionBuilder::lane_value(const Expr& block) {
  const Var s("s");
  std::vector<Var> args = {b_, s};
  std::vector<Expr> at = {reduce_.lane * 4 + reduce_.j, reduce_.s}, window;
  for (size_t i = 0; i < reduce_.window.size(); i++) {
    args.emplace_back("v" + std::to_string(i));
    at.push_back(reduce_.window[i]);
    window.emplace_back(args.back());
  }
  for (size_t i = 1; i < vars_.size(); i++) {
    args.push_back(vars_[i]);
    at.emplace_back(vars_[i]);
  }
  if (blocked()) {
    args.push_back(block_);
    at.emplace_back(block_);
  }
  registers_(args) = lhs_value(lhs_position(s * 16 + b_, window, block));
  return registers_(at);
}

Expr ContractionBuilder::weight_index(const Expr& channel_and_j, const Expr& step, const std::vector<Expr>& window,
                                      const Expr& block) const {
  Expr position = blocked() ? block : Expr(0);
  for (size_t a = 0; a < window.size(); a++)
    position = position * i32(reduction().window[a].extent) + window[a];
  const int64_t positions = blocked() ? reduction().blocks : reduction().positions();
  const int64_t step_stride = plan_.packed[4] * reduction().kr;
  Expr panel = (slice() * i32(tile().chunks) + here_.chunk) * i32(positions) + position;
  return panel * i32(step_stride * reduction().packed_steps()) + step * i32(step_stride) + channel_and_j;
}

Expr ContractionBuilder::decode_weight(const Expr& stored, const Expr& part, const Expr& block) const {
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
  if (plan_.widen) return cast<int16_t>(value);
  if (!plan_.float_sum) return value;
  Expr real = to_float(load_value(type, value)).expr;
  if (plan_.has_rhs_zp) real = real - cast<float>(zero_point(kRhsZeroPoint, block));
  return real;
}

Expr ContractionBuilder::decode_word(const Expr& word, int part, const Expr& block) const {
  // A code at bit p of the mantissa of 2^(23-p) makes the float 2^(23-p) + code, exactly: an and, an or (one
  // instruction of AVX-512) and a subtraction, where shifting, extending and converting take five.
  const int bits = plan_.storage.bits;
  const bool upper = (part + 1) * bits > 23;
  const int p = part * bits - (upper ? 16 : 0);
  const Expr half = upper ? word >> cast<uint32_t>(16) : word;
  const uint32_t power = static_cast<uint32_t>(127 + 23 - p) << 23, mask = ((1u << bits) - 1) << p;
  const Expr sum = Halide::reinterpret<float>((half & Expr(mask)) | Expr(power));
  const float base = static_cast<float>(uint32_t{1} << (23 - p)) + static_cast<float>(plan_.storage.offset);
  Expr real = sum - base;
  if (plan_.has_rhs_zp) real = real - cast<float>(zero_point(kRhsZeroPoint, block));
  return real;
}

void ContractionBuilder::accumulate_words(const std::vector<Expr>& at, const Expr& block) {
  const int parts = reduction().parts;
  reduce_ = outer_loops(reduction().packed_steps(), "r");
  const Expr word = weights_(weight_index(n_, reduce_.s, reduce_.window, block));
  Expr sum = accumulator_(at);
  for (int part = 0; part < parts; part++) {
    const Expr a = lhs_value(lhs_position(reduce_.s * parts + part, reduce_.window, block));
    sum = HalideAlgebra::fma(a, decode_word(word, part, block), sum);
  }
  accumulator_(at) = sum;
  for (const auto& [from, to] : reduce_.names)
    accumulator_.update().rename(RVar(from), RVar(to));
}

void ContractionBuilder::define_interleaved() {
  const Expr block = blocked() ? Expr(block_) : Expr(0);
  std::vector<Var> args = blocked() ? variables_with(block_) : variables();
  args.push_back(l_);
  const std::vector<Expr> exprs(args.begin(), args.end());
  accumulator_(args) = 0.0f;
  reduce_.domain = RDom(0, i32((reduction().run + 15) / 16), "r");
  reduce_.names = {{reduce_.domain.x.name(), "k"}};
  Expr e = reduce_.domain.x * 16 + l_, inside = e < i32(reduction().run);
  const bool exact = reduction().run % 16 == 0;
  if (!exact) e = Halide::min(e, i32(reduction().run - 1));
  Expr a = lhs_value(lhs_position(e, {}, block));
  if (!exact) a = Halide::select(inside, a, 0.0f);
  Expr w = decode_weight(weights_(weight_index(n_, e, {}, block)), 0, block);
  if (!exact) w = Halide::select(inside, w, 0.0f);
  accumulator_(exprs) = HalideAlgebra::fma(a, w, accumulator_(exprs));
  accumulator_.update().rename(RVar(reduce_.domain.x.name()), RVar("k"));
  accumulator_.bound(l_, 0, 16);
}

Expr ContractionBuilder::accumulated(std::vector<Expr> at) const {
  if (!plan_.interleaved) return accumulator_(at);
  std::vector<Expr> partial;
  at.emplace_back(0);
  for (int l = 0; l < 16; l++) {
    at.back() = l;
    partial.push_back(accumulator_(at));
  }
  for (size_t half = 8; half > 0; half /= 2) {
    for (size_t i = 0; i < half; i++)
      partial[i] = partial[i] + partial[i + half];
  }
  return partial[0];
}

void ContractionBuilder::define_accumulator() {
  if (plan_.interleaved) return define_interleaved();
  const int kr = reduction().kr;
  const Expr block = blocked() ? Expr(block_) : Expr(0);
  std::vector<Var> args = blocked() ? variables_with(block_) : variables();
  std::vector<Expr> exprs(args.begin(), args.end());
  Expr start = Halide::Internal::make_zero(accumulator_type());
  if (initial_.defined() && !plan_.folded) start = cast(accumulator_type(), initial_(channel_index(block)));
  accumulator_(args) = start;
  if (plan_.words) return accumulate_words(exprs, block);

  reduce_ = loops(kr, reduction().parts, plan_.by_lane ? 4 : 1, "r");
  const Expr step = reduction().parts > 1 ? reduce_.s * reduction().parts + reduce_.part
                    : plan_.by_lane       ? reduce_.s * 4 + reduce_.lane
                                          : reduce_.s;
  Expr position = lhs_position(step_start(step, reduce_.window), reduce_.window, block);
  // Halide does not see that a step hangs over towards the inside only.
  if (reduction().overhang())
    position = Halide::unsafe_promise_clamped(position, 0, i32(std::max<int64_t>(0, shape().lhs_size - kr)));
  Expr a = plan_.by_lane ? lane_value(block) : lhs_value(position + reduce_.j);
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
    const ContractionCoordinates saved = here_;
    // Rows share weights: decoded once for the tile. LLVM sees that without being told, g++ fills an array a row.
    const size_t first_row = vars_.size() - row_vars_.size();
    for (size_t i = 1; i < vars_.size(); i++) {
      const size_t row = vars_.size() - 1 - i;  // vars_ has the rows in reverse
      if (i >= first_row && shape().rows[row].rhs_stride == 0 && !(plan_.float_sum && plan_.has_rhs_zp)) {
        here_.rows[row] = 0;
        continue;
      }
      decoded_args.push_back(vars_[i]);
      decoded_at.push_back(vars_[i]);
    }
    if (blocked()) {
      decoded_args.push_back(block_);
      decoded_at.push_back(block_);
    }
    here_.n = q / kr;
    decoded_(decoded_args) = decode_weight(weights_(weight_index(q, s, window, block)), part, block);
    here_ = saved;
    w = decoded_(decoded_at);
    q_ = q;
    h_ = h;
  } else {
    w = weights_(weight_index(n_ * kr + reduce_.j, step, reduce_.window, block));
  }
  if (plan_.float_sum) {
    accumulator_(exprs) = HalideAlgebra::fma(a, w, accumulator_(exprs));
  } else if (plan_.accumulator == ValueType::kI64) {
    accumulator_(exprs) += cast<int64_t>(a) * cast<int64_t>(w);
  } else if (plan_.dot && !plan_.widen) {
    accumulator_(exprs) += cast<int32_t>(cast<int16_t>(a)) * cast<int32_t>(cast<int16_t>(w));
  } else {
    accumulator_(exprs) += cast<int32_t>(a) * cast<int32_t>(w);
  }
  for (const auto& [from, to] : reduce_.names)
    accumulator_.update().rename(RVar(from), RVar(to));
}

Expr ContractionBuilder::corrected(const Expr& raw, const Expr& block) const {
  if (plan_.float_sum) return raw;
  const auto wide = [&](Expr x) { return cast(raw.type(), x); };
  Expr value = raw;
  Expr lhs_zp = i32(plan_.lhs_zp + plan_.lhs_offset);
  if (plan_.has_lhs_zp) lhs_zp = zero_point(kLhsZeroPoint, block) + i32(plan_.lhs_offset);
  const bool constant_zero = !plan_.has_lhs_zp && plan_.lhs_zp + plan_.lhs_offset == 0;
  if (sums_.defined()) value -= wide(lhs_zp) * wide(sums_(channel_index(block)));
  if (plan_.row_factor) {
    value += wide(row_sum(block));
  } else if (plan_.row_sums) {
    Expr rhs_zp = i32(plan_.rhs_offset);
    if (plan_.has_rhs_zp) rhs_zp = zero_point(kRhsZeroPoint, block) + i32(plan_.rhs_offset);
    Expr sum = wide(row_sum(block));
    if (!constant_zero) sum -= wide(lhs_zp) * wide(i32(reduction().products()));
    value -= wide(rhs_zp) * sum;
  }
  return value;
}

}  // namespace qlathe
