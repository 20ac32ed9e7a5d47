// The steps of integer networks as Halide expressions: requantization, shifts, fixed-point functions, tables.
#include <cmath>

#include "frontend/numerics/fixed/row_functions.h"
#include "schedule/halide_fixed_algebra.h"
#include "schedule/lower/step_forms.h"

namespace qlathe {
namespace {

using Halide::cast;
using Halide::Expr;
using Halide::Int;
using Halide::reinterpret;
using Halide::select;
using A = HalideFixedAlgebra;

Expr i64(int64_t x) { return Halide::Internal::IntImm::make(Int(64), x); }
// Shifts are unsigned, for a signed amount could mean the other direction.
Expr left(const Expr& x, const Expr& n) { return x << cast<uint64_t>(n); }
Expr right(const Expr& x, const Expr& n) { return x >> cast<uint64_t>(n); }

/// requantize_fixed_single of numerics/requantize.h: int32 to int64.
Expr multiplied_single(const Expr& v, const Expr& mantissa, const Expr& shift) {
  const Expr total = i64(31) - cast<int64_t>(shift);
  return right(cast<int64_t>(v) * cast<int64_t>(mantissa) + left(i64(1), total - i64(1)), total);
}

Expr multiplied_int16(const Expr& v, const Expr& mantissa, const Expr& shift) {
  constexpr int64_t kLimit = (int64_t{1} << 47) - 1;
  const Expr m = cast<int64_t>(mantissa);
  const Expr reduced = select(m < i64(0x7fff0000), (m + i64(1 << 15)) >> cast<uint64_t>(16), i64(0x7fff));
  const Expr total = i64(15) - cast<int64_t>(shift);
  return right(Halide::clamp(v, i64(-kLimit), i64(kLimit)) * reduced + left(i64(1), total - i64(1)), total);
}

/// requantize_float64: int32 or int64 to int32. Truncation leaves a rest whose size decides; every step is exact.
Expr multiplied_float64(const Expr& v, const Expr& mantissa, const Expr& exponent) {
  const Expr power = reinterpret<double>((cast<int64_t>(exponent) + i64(1023)) << cast<uint64_t>(52));
  const Expr t = cast<double>(v) * (cast<double>(mantissa) * power);
  const auto f64 = [](double x) { return Halide::Internal::FloatImm::make(Halide::Float(64), x); };
  const Expr cut = Halide::clamp(t, f64(-2147483648.0), f64(2147483647.0));
  const Expr whole = cast<int32_t>(cut);
  const Expr rest = cut - cast<double>(whole);
  return whole + select(rest >= f64(0.5), A::i32(1), A::i32(0)) - select(rest <= f64(-0.5), A::i32(1), A::i32(0));
}

/// A shift operand of any integer type cut to what the formulas take.
Expr shift_of(const FlightValue& operand, int32_t largest) {
  if (operand.expr.type().bits() < 64 && operand.type != ValueType::kU32)
    return Halide::clamp(cast<int32_t>(operand.expr), A::i32(-31), A::i32(largest));
  return cast<int32_t>(Halide::clamp(cast<int64_t>(operand.expr), i64(-31), i64(largest)));
}

/// The zero point added and the sum narrowed.
FlightValue finished(const StepContext& c, FlightValue result) {
  if (c.operands.size() > 2) {
    const FlightValue& zero_point = c.a(2);
    const bool narrow = info(c.step.type).bits <= 16 && info(zero_point.type).bits <= 16;
    if (narrow) {
      // Beyond +-2^18 the zero point cannot bring the sum back into the type's range.
      constexpr int32_t kFar = 1 << 18;
      const Expr cut = result.type == ValueType::kI64 ? cast<int32_t>(Halide::clamp(result.expr, i64(-kFar), i64(kFar)))
                                                      : Halide::clamp(result.expr, A::i32(-kFar), A::i32(kFar));
      result = {cut + cast<int32_t>(zero_point.expr), ValueType::kI32, kFar + 65536.0};
    } else {
      // The product has less than 63 bits, and a zero point beyond 32 saturates as its limit does.
      Expr addend = cast<int64_t>(zero_point.expr);
      if (zero_point.type == ValueType::kI64)
        addend = Halide::clamp(addend, i64(-(int64_t{1} << 62)), i64(int64_t{1} << 62));
      result = {cast<int64_t>(result.expr) + addend, ValueType::kI64};
    }
  }
  return cast_value(result, c.step.type, c.step.rounding, c.step.lo, c.step.hi);
}

FlightValue requantize(const StepContext& c) {
  const bool wide = c.v.type == ValueType::kI64;
  const Expr mantissa = c.a(0).expr;
  FlightValue result;
  if (c.step.mode == RequantizeMode::kFloat64) {
    const Expr exponent = Halide::clamp(cast<int32_t>(c.a(1).expr), A::i32(-1000), A::i32(900));
    result = {multiplied_float64(c.v.expr, mantissa, exponent), ValueType::kI32};
    return finished(c, result);
  }
  const Expr shift = shift_of(c.a(1), wide ? 14 : 30);
  if (wide) {
    result = {multiplied_int16(c.v.expr, mantissa, shift), ValueType::kI64};
  } else if (c.step.mode == RequantizeMode::kFixedSingle) {
    result = {multiplied_single(c.v.expr, mantissa, shift), ValueType::kI64};
  } else {
    result = {fixed::multiplied<A>(c.v.expr, mantissa, shift), ValueType::kI32};
  }
  return finished(c, result);
}

Expr wrapped_to_32(const Expr& x) {
  return x.type().bits() <= 32 ? cast<int32_t>(x) : cast<int32_t>(cast<uint32_t>(x));
}

/// int32(b) - zero_point, wrapping where the zero point is wide.
Expr centered(const StepContext& c, size_t zero_point) {
  const Expr b = cast<int32_t>(c.a(0).expr);
  if (c.operands.size() <= zero_point) return b;
  const Expr z = wrapped_to_32(c.a(zero_point).expr);
  if (info(c.a(zero_point).type).bits <= 16) return b - z;
  return wrapping(b, z, [](const Expr& x, const Expr& y) { return x - y; });
}

template <class Op>
FlightValue with_requantized(const StepContext& c, Op op) {
  const Expr b = A::shift_left(centered(c, 3), static_cast<int>(c.step.shift_left));
  const Expr shift = shift_of(c.a(2), 30), mantissa = c.a(1).expr;
  Expr x = c.v.expr, y;
  if (c.step.mode == RequantizeMode::kFixedSingle)
    y = wrapped_to_32(multiplied_single(b, mantissa, shift));
  else
    y = fixed::multiplied<A>(b, mantissa, shift);
  if (c.step.swapped) std::swap(x, y);
  return {wrapping(x, y, op), ValueType::kI32};
}

FlightValue add_requantized(const StepContext& c) {
  return with_requantized(c, [](const Expr& x, const Expr& y) { return x + y; });
}
FlightValue sub_requantized(const StepContext& c) {
  return with_requantized(c, [](const Expr& x, const Expr& y) { return x - y; });
}

FlightValue mul_centered(const StepContext& c) {
  const double b = c.a().bound + (c.operands.size() > 1 ? c.a(1).bound : 0), bound = c.v.bound * b;
  const Expr y = centered(c, 1);
  if (bound <= 2147483647.0) return {c.v.expr * y, ValueType::kI32, bound};
  return {wrapping(c.v.expr, y, [](const Expr& p, const Expr& q) { return p * q; }), ValueType::kI32};
}

FlightValue shift_right(const StepContext& c) {
  const auto n = static_cast<int>(c.step.shift_right);
  const Expr x = c.v.expr;
  if (n == 0) return c.v;
  FlightValue out{x >> n, ValueType::kI32, c.v.bound / std::pow(2.0, n) + 1};
  if (c.step.rounding == Rounding::kHalfUp) {
    // Unsigned: of a signed x / 2 + x % 2 Halide makes (x + 1) / 2, which overflows.
    out.expr = wrapping(out.expr, (x >> (n - 1)) & 1, [](const Expr& p, const Expr& q) { return p + q; });
  }
  if (c.step.rounding == Rounding::kHalfAwayFromZero) {
    const auto mask = static_cast<uint32_t>((int64_t{1} << n) - 1);
    const auto u32 = [](uint32_t value) { return Halide::Internal::UIntImm::make(Halide::UInt(32), value); };
    const Expr threshold = select(x < A::i32(0), u32((mask >> 1) + 1), u32(mask >> 1));
    out.expr = out.expr + select((reinterpret<uint32_t>(x) & u32(mask)) > threshold, A::i32(1), A::i32(0));
  }
  return out;
}

template <Expr (*kFunction)(Expr, int)>
FlightValue fixed_function(const StepContext& c) {
  const Expr y = kFunction(cast<int32_t>(c.v.expr), static_cast<int>(c.step.integer_bits));
  return {cast<int16_t>(y), ValueType::kI16, 32768};
}

FlightValue lookup(const StepContext& c) {
  Expr index = cast<int32_t>(c.v.expr);
  if (is_signed(c.v.type)) index = index + 128;
  return c.source.table(c.step.operands[0], index);
}

/// Sums of 16 bits wrap.
FlightValue interpolated_lookup(const StepContext& c) {
  const Expr v = cast<int32_t>(c.v.expr), index = (v >> 7) + 256;
  const Expr base = c.source.table(c.step.operands[0], index).expr;
  const Expr next = c.source.table(c.step.operands[0], index + 1).expr;
  const Expr slope = cast<int32_t>(cast<int16_t>(cast<int32_t>(next) - cast<int32_t>(base)));
  const Expr delta = (slope * (v & 127) + 64) >> 7;
  return {cast<int16_t>(cast<int32_t>(base) + delta), ValueType::kI16, 32768};
}

/// The table between entry |v| >> bits and the next, times 2^bits; `beyond` from the last entry on.
Expr between_entries(const StepContext& c, int bits, int32_t beyond) {
  // |v| in 31 bits: the lowest number is as far beyond the table as its neighbour.
  const Expr v = Halide::max(c.v.expr, A::i32(-INT32_MAX)), a = select(v < A::i32(0), A::i32(0) - v, v);
  const Expr far = a >= A::i32(255 << bits);
  const Expr i = Halide::min(a >> bits, 254);
  const Expr base = cast<int32_t>(c.source.table(c.step.operands[0], i).expr);
  const Expr next = cast<int32_t>(c.source.table(c.step.operands[0], i + 1).expr);
  return select(far, A::i32(beyond), (base << bits) + (a & ((1 << bits) - 1)) * (next - base));
}

FlightValue logistic_lookup(const StepContext& c) {
  const Expr t = between_entries(c, 9, 0x7fff << 10);
  const Expr y = select(c.v.expr < A::i32(0), A::i32((1 << 25) + 511) - t, t + A::i32(512)) >> 10;
  return {cast<int16_t>(y), ValueType::kI16, 32768};
}

FlightValue tanh_lookup(const StepContext& c) {
  const Expr t = between_entries(c, 8, 0xffff << 8);
  const Expr y = select(c.v.expr < A::i32(0), A::i32((1 << 23) + 127) - t, t - A::i32((1 << 23) - 128)) >> 8;
  return {cast<int16_t>(y), ValueType::kI16, 32768};
}

}  // namespace

const std::map<std::string, StepForm>& fixed_point_step_forms() {
  static const std::map<std::string, StepForm> forms = {
      {"requantize", requantize},
      {"add_requantized", add_requantized},
      {"sub_requantized", sub_requantized},
      {"mul_centered", mul_centered},
      {"shift_right", shift_right},
      {"fixed_logistic", fixed_function<fixed::logistic<A, 16>>},
      {"fixed_tanh", fixed_function<fixed::tanh<A, 16>>},
      {"lookup", lookup},
      {"logistic_lookup", logistic_lookup},
      {"tanh_lookup", tanh_lookup},
      {"interpolated_lookup", interpolated_lookup},
  };
  return forms;
}

}  // namespace qlathe
