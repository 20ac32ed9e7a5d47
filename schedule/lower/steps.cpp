#include "schedule/lower/steps.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "frontend/numerics/convert.h"
#include "frontend/numerics/elementary.h"
#include "frontend/numerics/power_of_two.h"
#include "schedule/halide_algebra.h"
#include "schedule/lower/step_forms.h"
#include "schedule/lower/step_names.h"

namespace qlathe {
namespace {

using Halide::cast;
using Halide::Expr;
using Halide::reinterpret;
using Halide::select;
using Halide::UInt;
using A = HalideAlgebra;
namespace el = elementary;

constexpr double kUnknown = std::numeric_limits<double>::infinity();

/// The result of a float step: rounded to the step's float type.
FlightValue rounded(const StepContext& c, Expr x, double bound = kUnknown) {
  const bool narrow = c.step.type != ValueType::kF32;
  return {round_to_float_type(x, c.step.type), c.step.type, narrow ? bound * 1.01 : bound};
}

template <class Op>
FlightValue arithmetic(const StepContext& c, Op op, double bound) {
  Expr x = c.v.expr, y = c.a().expr;
  if (c.step.swapped) std::swap(x, y);
  if (is_float(c.v.type)) return rounded(c, op(x, y), bound * (1 + 1e-6));
  // Where the bounds show that nothing overflows, plain signed arithmetic says more to every later stage.
  const double limit = x.type().bits() == 64 ? 9.2e18 : 2147483647.0;
  if (bound <= limit) return {op(x, y), c.step.type, bound};
  return {wrapping(x, y, op), c.step.type, kUnknown};
}

FlightValue add(const StepContext& c) {
  return arithmetic(
      c, [](Expr x, Expr y) { return x + y; }, c.v.bound + c.a().bound);
}
FlightValue sub(const StepContext& c) {
  return arithmetic(
      c, [](Expr x, Expr y) { return x - y; }, c.v.bound + c.a().bound);
}
FlightValue mul(const StepContext& c) {
  return arithmetic(
      c, [](Expr x, Expr y) { return x * y; }, c.v.bound * c.a().bound);
}

FlightValue max_step(const StepContext& c) {
  Expr x = c.v.expr, y = c.a().expr;
  if (c.step.swapped) std::swap(x, y);
  const double bound = std::max(c.v.bound, c.a().bound);
  if (is_float(c.v.type)) return rounded(c, select(x > y, x, y), bound);
  return {Halide::max(x, y), c.step.type, bound};
}
FlightValue min_step(const StepContext& c) {
  Expr x = c.v.expr, y = c.a().expr;
  if (c.step.swapped) std::swap(x, y);
  const double bound = std::max(c.v.bound, c.a().bound);
  if (is_float(c.v.type)) return rounded(c, select(x < y, x, y), bound);
  return {Halide::min(x, y), c.step.type, bound};
}

/// Integers divide by their magnitudes, unsigned: Halide's unsigned x / 0 and x % 0 are 0.
FlightValue integer_division(const StepContext& c, const Expr& x, const Expr& y, bool quotient) {
  const Halide::Type t = x.type(), u = t.with_code(halide_type_uint);
  const Expr zero = Halide::Internal::make_zero(t), unsigned_zero = Halide::Internal::make_zero(u);
  const auto magnitude = [&](const Expr& e) {
    return select(e < zero, unsigned_zero - reinterpret(u, e), reinterpret(u, e));
  };
  const Expr a = magnitude(x), b = magnitude(y);
  const Expr value = quotient ? a / b : a % b;
  const Expr negative = quotient ? (x ^ y) < zero : x < zero;
  return {reinterpret(t, select(negative, unsigned_zero - value, value)), c.step.type,
          quotient ? c.v.bound : std::min(c.v.bound, c.a().bound)};
}

FlightValue div(const StepContext& c) {
  Expr x = c.v.expr, y = c.a().expr;
  if (c.step.swapped) std::swap(x, y);
  if (is_float(c.v.type)) return rounded(c, x / y);
  FlightValue out = integer_division(c, x, y, true);
  if (c.step.swapped) out.bound = c.a().bound;
  return out;
}

FlightValue rem(const StepContext& c) {
  Expr x = c.v.expr, y = c.a().expr;
  if (c.step.swapped) std::swap(x, y);
  return integer_division(c, x, y, false);
}

template <class Op>
FlightValue bitwise(const StepContext& c, Op op) {
  return {op(c.v.expr, c.a().expr), c.step.type, kUnknown};
}

FlightValue bit_shift(const StepContext& c, bool left) {
  Expr x = c.v.expr, n = c.a().expr;
  if (c.step.swapped) std::swap(x, n);
  const Halide::Type t = x.type(), u = t.with_code(halide_type_uint);
  const Expr amount = reinterpret(u, n), most = Halide::Internal::make_const(u, t.bits() - 1);
  const Expr inside = Halide::min(amount, most);
  if (!left) return {x >> inside, c.step.type, c.step.swapped ? kUnknown : c.v.bound};
  const Expr moved = reinterpret(t, reinterpret(u, x) << inside);
  return {select(amount > most, Halide::Internal::make_zero(t), moved), c.step.type, kUnknown};
}

FlightValue fma_step(const StepContext& c) {
  return rounded(c, A::fma(c.v.expr, c.a(0).expr, c.a(1).expr), (c.v.bound * c.a(0).bound + c.a(1).bound) * (1 + 1e-6));
}

FlightValue pow_step(const StepContext& c) {
  Expr x = c.v.expr, y = c.a().expr;
  if (c.step.swapped) std::swap(x, y);
  return rounded(c, el::pow<A>(x, y));
}

FlightValue relu(const StepContext& c) {
  if (is_float(c.v.type)) return rounded(c, select(c.v.expr > A::f32(0), c.v.expr, A::f32(0)), c.v.bound);
  return {Halide::max(c.v.expr, Halide::Internal::make_zero(c.v.expr.type())), c.step.type, c.v.bound};
}

FlightValue clamp(const StepContext& c) {
  if (!is_float(c.v.type)) return cast_value(c.v, c.step.type, c.step.rounding, c.step.lo, c.step.hi);
  Expr x = c.v.expr;
  const Expr lo = A::f32(static_cast<float>(c.step.lo)), hi = A::f32(static_cast<float>(c.step.hi));
  x = select(x > lo, x, lo);
  x = select(x < hi, x, hi);
  // A finite upper limit replaces infinities, and the lower one NaN.
  const double limit = std::max(std::abs(c.step.lo), std::abs(c.step.hi));
  return rounded(
      c, x,
      std::min(limit,
               c.v.bound < limit ? std::max(c.v.bound, std::min(std::abs(c.step.lo), std::abs(c.step.hi))) : limit));
}

/// The low bits of an integer as another type.
FlightValue wrapped_cast(const FlightValue& v, ValueType type) {
  const ValueTypeInfo& row = info(type);
  const Halide::Type wanted = flight_type(type), carrier = UInt(wanted.bits());
  Expr x = cast(carrier, v.expr);
  const int drop = wanted.bits() - row.bits;
  const auto amount = [&] { return Halide::Internal::make_const(carrier, drop); };
  if (drop > 0) x = x << amount();
  x = wanted.is_int() ? reinterpret(wanted, x) : x;
  if (drop > 0) x = x >> amount();
  return {x, type, std::max(-static_cast<double>(row.min), static_cast<double>(row.max))};
}

FlightValue cast_step(const StepContext& c) {
  if (c.step.wraps) return wrapped_cast(c.v, c.step.type);
  return cast_value(c.v, c.step.type, c.step.rounding, c.step.lo, c.step.hi);
}

FlightValue quantize(const StepContext& c) {
  const Expr scale = to_float(c.a(0)).expr;
  // The reciprocal of a scale that does not vary is computed once outside the loops.
  const Expr t = c.step.reciprocal ? c.v.expr * (A::f32(1) / scale) : c.v.expr / scale;
  const double bound = c.a(0).least > 0 ? c.v.bound / c.a(0).least * (1 + 1e-6) : kUnknown;
  if (c.operands.size() < 2)
    return cast_value({t, ValueType::kF32, bound}, c.step.type, c.step.rounding, c.step.lo, c.step.hi);
  const FlightValue zero_point = to_float(c.a(1));
  if (!c.step.zero_point_after) {
    return cast_value({t + zero_point.expr, ValueType::kF32, bound + zero_point.bound}, c.step.type, c.step.rounding,
                      c.step.lo, c.step.hi);
  }
  // The sum of the rounded value and the zero point saturates; beyond +-2^21 the zero point (8 or 16 bits) cannot bring
  // it back.
  const FlightValue whole = cast_value({t, ValueType::kF32}, ValueType::kI32, c.step.rounding, -2097152.0, 2097152.0);
  const FlightValue sum{whole.expr + cast<int32_t>(c.a(1).expr), ValueType::kI32, 2097152.0 + 65536.0};
  FlightValue out = cast_value(sum, c.step.type, c.step.rounding, c.step.lo, c.step.hi);
  // NaN is 0, not the zero point.
  const Expr nan = (reinterpret<uint32_t>(t) & cast<uint32_t>(0x7fffffff)) > cast<uint32_t>(0x7f800000);
  out.expr = select(nan, Halide::Internal::make_zero(out.expr.type()), out.expr);
  return out;
}

FlightValue dequantize(const StepContext& c) {
  FlightValue x = to_float(c.v);
  if (c.operands.size() > 1) {
    const FlightValue zero_point = to_float(c.a(1));
    x = {x.expr - zero_point.expr, ValueType::kF32, x.bound + zero_point.bound};
  }
  return rounded(c, x.expr * to_float(c.a(0)).expr, x.bound * c.a(0).bound * (1 + 1e-6));
}

/// The second operand read as integers and made real numbers on the way.
template <class Op>
FlightValue with_dequantized(const StepContext& c, Op op, double bound_of) {
  Expr b = cast<float>(c.a(0).expr);
  if (c.operands.size() > 2) b = b - cast<float>(c.a(2).expr);
  Expr x = c.v.expr, y = b * c.a(1).expr;
  if (c.step.swapped) std::swap(x, y);
  return rounded(c, op(x, y), bound_of);
}

/// Under strict_float Halide's <= and >= are true with NaN (it negates > and <), so they are never used on floats.
template <class Op>
FlightValue compare(const StepContext& c, Op op) {
  Expr x = c.v.expr, y = c.a().expr;
  if (!is_float(c.v.type) && !(x.type() == y.type())) {
    x = cast<int64_t>(x);
    y = cast<int64_t>(y);
  }
  if (c.step.swapped) std::swap(x, y);
  return {op(x, y), ValueType::kBool, 1};
}

FlightValue select_step(const StepContext& c) {
  return {select(c.v.expr, c.a(0).expr, c.a(1).expr), c.step.type, std::max(c.a(0).bound, c.a(1).bound)};
}

FlightValue neg(const StepContext& c) {
  if (is_float(c.v.type)) return rounded(c, el::negate<A>(c.v.expr), c.v.bound);
  return {wrapping(Halide::Internal::make_zero(c.v.expr.type()), c.v.expr, [](Expr x, Expr y) { return x - y; }),
          c.step.type, c.v.bound};
}

FlightValue abs_step(const StepContext& c) {
  if (is_float(c.v.type)) return rounded(c, el::abs<A>(c.v.expr), c.v.bound);
  FlightValue minus = neg(c);
  return {select(c.v.expr < Halide::Internal::make_zero(c.v.expr.type()), minus.expr, c.v.expr), c.step.type,
          c.v.bound};
}

FlightValue leaky_relu(const StepContext& c) {
  const Expr x = c.v.expr;
  return rounded(c, el::leaky_relu<A>(x, static_cast<float>(c.step.alpha)),
                 c.v.bound * std::max(1.0, std::abs(c.step.alpha)));
}

FlightValue nonzero_scale(const StepContext& c) {
  return rounded(c, select(c.v.expr < A::f32(static_cast<float>(c.step.lo)), A::f32(1), c.v.expr),
                 std::max(c.v.bound, 1.0));
}

/// numerics/power_of_two.h: E + (m >= T(E)) + (m - 2^23 >= T(E + 1)) as an exponent, with E and m the exponent and
/// mantissa bits.
FlightValue power_of_two_ceil(const StepContext& c) {
  // As the reference: in the result's type, at least 2^-63 (float16: 2^-7); NaN and infinity stay what they are.
  const Expr least = A::f32(c.step.type == ValueType::kF16 ? 0x1p-7f : 0x1p-63f);
  Expr x = round_to_float_type(c.v.expr, c.step.type);
  x = select(x < least, least, x);
  const Expr finite = (reinterpret<uint32_t>(x) & cast<uint32_t>(0x7fffffff)) < cast<uint32_t>(0x7f800000);
  const Expr bits = reinterpret<int32_t>(select(finite, x, A::f32(1)));
  const Expr exponent = bits >> 23, mantissa = bits & 0x7fffff;
  const auto offset = [&](const Expr& biased) {
    Expr out = A::i32(0);
    const int step_bits = c.step.type == ValueType::kBF16 ? 16 : c.step.type == ValueType::kF16 ? 13 : 0;
    const int lowest = c.step.type == ValueType::kF16 ? -7 : -63, highest = c.step.type == ValueType::kF16 ? 15 : 127;
    for (int k = lowest; k <= highest; k++) {
      const int steps = power_of_two_offset(c.step.type, k);
      if (steps != 0) out = select(biased == k + 127, A::i32(steps * (1 << step_bits)), out);
    }
    return out;
  };
  const Expr first = select(mantissa >= offset(exponent), A::i32(1), A::i32(0));
  const Expr second = select(mantissa - (1 << 23) >= offset(exponent + 1), A::i32(1), A::i32(0));
  return rounded(c, select(finite, reinterpret<float>((exponent + first + second) << 23), x));
}

/// A step that is one function of a float.
template <class Function>
StepForm unary(Function) {
  return [](const StepContext& c) { return rounded(c, Function{}(c.v.expr)); };
}

std::map<std::string, StepForm> all_forms() {
  std::map<std::string, StepForm> forms = {

      {"add", add},
      {"sub", sub},
      {"mul", mul},
      {"div", div},
      {"rem", rem},
      {"bitwise_and", [](const StepContext& c) { return bitwise(c, [](Expr x, Expr y) { return x & y; }); }},
      {"bitwise_or", [](const StepContext& c) { return bitwise(c, [](Expr x, Expr y) { return x | y; }); }},
      {"bitwise_xor", [](const StepContext& c) { return bitwise(c, [](Expr x, Expr y) { return x ^ y; }); }},
      {"bit_shift_left", [](const StepContext& c) { return bit_shift(c, true); }},
      {"bit_shift_right", [](const StepContext& c) { return bit_shift(c, false); }},
      {"add_dequantized",
       [](const StepContext& c) {
         return with_dequantized(
             c, [](Expr x, Expr y) { return x + y; }, kUnknown);
       }},
      {"sub_dequantized",
       [](const StepContext& c) {
         return with_dequantized(
             c, [](Expr x, Expr y) { return x - y; }, kUnknown);
       }},
      {"mul_dequantized",
       [](const StepContext& c) {
         return with_dequantized(
             c, [](Expr x, Expr y) { return x * y; }, kUnknown);
       }},
      {"min", min_step},
      {"max", max_step},
      {"fma", fma_step},
      {"pow", pow_step},
      {"relu", relu},
      {"clamp", clamp},
      {"cast", cast_step},
      {"quantize", quantize},
      {"dequantize", dequantize},
      {"select", select_step},
      {"neg", neg},
      {"abs", abs_step},
      {"leaky_relu", leaky_relu},
      {"nonzero_scale", nonzero_scale},
      {"power_of_two_ceil", power_of_two_ceil},
      {"sqrt", unary([](Expr x) { return Halide::sqrt(x); })},
      {"rsqrt", unary([](Expr x) { return el::rsqrt<A>(x); })},
      {"reciprocal", unary([](Expr x) { return A::f32(1) / x; })},
      {"exp", unary([](Expr x) { return el::exp<A>(x); })},
      {"log", unary([](Expr x) { return el::log<A>(x); })},
      {"sin", unary([](Expr x) { return el::sin<A>(x); })},
      {"cos", unary([](Expr x) { return el::cos<A>(x); })},
      {"erf", unary([](Expr x) { return el::erf<A>(x); })},
      {"floor", unary([](Expr x) { return el::floor<A>(x); })},
      {"ceil", unary([](Expr x) { return el::ceil<A>(x); })},
      {"round", unary([](Expr x) { return el::round_half_even<A>(x); })},
      {"sigmoid", unary([](Expr x) { return el::sigmoid<A>(x); })},
      {"tanh", unary([](Expr x) { return el::tanh<A>(x); })},
      {"gelu", unary([](Expr x) { return el::gelu<A>(x); })},
      {"gelu_tanh", unary([](Expr x) { return el::gelu_tanh<A>(x); })},
      {"silu", unary([](Expr x) { return el::silu<A>(x); })},
      {"hard_swish", unary([](Expr x) { return el::hard_swish<A>(x); })},
      {"hard_sigmoid", unary([](Expr x) { return el::hard_sigmoid<A>(x); })},
      {"softplus", unary([](Expr x) { return el::softplus<A>(x); })},
      {"elu", [](const StepContext& c) { return rounded(c, el::elu<A>(c.v.expr, static_cast<float>(c.step.alpha))); }},
      {"less", [](const StepContext& c) { return compare(c, [](Expr x, Expr y) { return x < y; }); }},
      {"less_equal", [](const StepContext& c) { return compare(c, [](Expr x, Expr y) { return x < y || x == y; }); }},
      {"greater", [](const StepContext& c) { return compare(c, [](Expr x, Expr y) { return x > y; }); }},
      {"greater_equal",
       [](const StepContext& c) { return compare(c, [](Expr x, Expr y) { return x > y || x == y; }); }},
      {"equal", [](const StepContext& c) { return compare(c, [](Expr x, Expr y) { return x == y; }); }},
      {"not_equal", [](const StepContext& c) { return compare(c, [](Expr x, Expr y) { return x != y; }); }},
      {"and",
       [](const StepContext& c) {
         return FlightValue{c.v.expr && c.a().expr, ValueType::kBool, 1};
       }},
      {"or",
       [](const StepContext& c) {
         return FlightValue{c.v.expr || c.a().expr, ValueType::kBool, 1};
       }},
      {"not",
       [](const StepContext& c) {
         return FlightValue{!c.v.expr, ValueType::kBool, 1};
       }},
  };
  forms.insert(fixed_point_step_forms().begin(), fixed_point_step_forms().end());
  return forms;
}

const std::map<std::string, StepForm>& table() {
  static const std::map<std::string, StepForm> forms = all_forms();
  return forms;
}

}  // namespace

Result<FlightValue> apply_steps(FlightValue value, const std::vector<PointwiseStep>& steps,
                                const StepOperands& operands) {
  for (const PointwiseStep& step : steps) {
    const auto found = table().find(step.op);
    if (found == table().end()) {
      return Status::unsupported({"", "", "steps"}, "step '" + step.op + "' has no kernel form");
    }
    StepContext context{step, value, {}, operands};
    if (!reads_table(step)) {
      for (const int64_t i : step.operands)
        context.operands.push_back(operands.at(i));
    }
    value = found->second(context);
  }
  return value;
}

std::vector<std::string> kernel_step_names() {
  std::vector<std::string> out;
  for (const auto& entry : table())
    out.push_back(entry.first);
  return out;
}

std::string steps_key(const std::vector<PointwiseStep>& steps) {
  struct ToText final {
    std::string out;
    void value(const AttrValue& v) {
      if (const bool* b = std::get_if<bool>(&v.v)) out += *b ? "true" : "false";
      if (const int64_t* i = std::get_if<int64_t>(&v.v)) out += std::to_string(*i);
      if (const double* d = std::get_if<double>(&v.v)) {
        char text[40];
        std::snprintf(text, sizeof text, "%a", *d);
        out += text;
      }
      if (const std::string* s = std::get_if<std::string>(&v.v)) out += *s;
      if (const AttrList* list = std::get_if<AttrList>(&v.v)) {
        for (const AttrValue& item : *list)
          value(item), out += ',';
      }
      if (const AttrMap* map = std::get_if<AttrMap>(&v.v)) {
        for (const auto& [key, item] : *map)
          out += key + '=', value(item), out += ';';
      }
    }
  };
  PointwiseAttrs attrs;
  attrs.steps = steps;
  ToText text;
  text.value(AttrValue(to_attr_map(attrs)));
  return text.out;
}

}  // namespace qlathe
