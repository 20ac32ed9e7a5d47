#include "schedule/lower/value.h"

#include <algorithm>
#include <cmath>

#include "frontend/ir/result.h"
#include "frontend/numerics/convert.h"
#include "schedule/halide_algebra.h"

namespace qlathe {
namespace {

using Halide::Bool;
using Halide::cast;
using Halide::Expr;
using Halide::Float;
using Halide::Int;
using Halide::reinterpret;
using Halide::select;
using Halide::UInt;

Expr f32(double x) { return HalideAlgebra::f32(static_cast<float>(x)); }
Expr u32(uint32_t x) { return Halide::Internal::UIntImm::make(UInt(32), x); }
Expr bits_of(Expr x) { return reinterpret<uint32_t>(x); }
Expr nan_bits(Expr x) { return (bits_of(x) & u32(0x7fffffffu)) > u32(0x7f800000u); }

/// A binary floating-point format with `mantissa` stored bits and exponent bias `bias`.
struct SmallFloat {
  int bits;
  int mantissa;
  int bias;
  float max;          ///< largest finite value
  bool has_infinity;  ///< overflow gives infinity; otherwise it saturates to max
  uint32_t nan;       ///< code of NaN without sign; 0 where there is none
};

SmallFloat small_float(ValueType type) {
  switch (type) {
    case ValueType::kF8E4M3:
      return {8, 3, 7, 448.0f, false, 0x7f};
    case ValueType::kF8E5M2:
      return {8, 2, 15, 57344.0f, false, 0x7e};
    case ValueType::kF4E2M1:
      return {4, 1, 1, 6.0f, false, 0};
    case ValueType::kF16:
      return {16, 10, 15, 65504.0f, true, 0x7e00};
    default:
      internal_error(__FILE__, __LINE__, "a small float format", name(type));
  }
}

/// float32 -> code in the low bits of a uint32, round to nearest even.
/// Normal numbers round by adding half an ulp less one plus the last kept bit to the bit pattern; subnormal ones by
/// adding the power of two whose ulp is the smallest subnormal, which leaves the count of subnormal steps in the low
/// bits.
Expr encode_small_float(Expr x, ValueType type) {
  const SmallFloat format = small_float(type);
  const int drop = 23 - format.mantissa;
  Expr magnitude = bits_of(x) & u32(0x7fffffffu);
  Expr sign = (bits_of(x) >> u32(31)) << u32(static_cast<uint32_t>(format.bits - 1));
  Expr a = reinterpret<float>(magnitude);
  if (!format.has_infinity) a = select(a < f32(format.max), a, f32(format.max));
  Expr abits = bits_of(a);
  Expr rounded = abits + u32((1u << (drop - 1)) - 1) + ((abits >> u32(static_cast<uint32_t>(drop))) & u32(1));
  Expr normal =
      (rounded >> u32(static_cast<uint32_t>(drop))) - u32(static_cast<uint32_t>(127 - format.bias) << format.mantissa);
  const float min_normal = std::ldexp(1.0f, 1 - format.bias);
  const float magic = std::ldexp(1.0f, 1 - format.bias - format.mantissa + 23);
  Expr subnormal = bits_of(a + f32(magic)) - bits_of(f32(magic));
  Expr code = select(a < f32(min_normal), subnormal, normal);
  if (format.has_infinity) {
    // Everything from half an ulp above the largest finite value on.
    const uint32_t infinity = ((1u << (format.bits - 1 - format.mantissa)) - 1) << format.mantissa;
    code = select(code < u32(infinity), code, u32(infinity));
  }
  // float4 has no NaN: -0 stands for it (numerics/convert.h).
  if (format.nan != 0) return select(nan_bits(x), u32(format.nan) | sign, code | sign);
  return select(nan_bits(x), u32(1u << (format.bits - 1)), code | sign);
}

/// Code in a uint32 -> float32: the exponent and mantissa shifted into place, the bias corrected by an exact
/// multiplication that makes subnormal codes normal too.
Expr decode_small_float(Expr code, ValueType type) {
  const SmallFloat format = small_float(type);
  const uint32_t magnitude_mask = (1u << (format.bits - 1)) - 1;
  Expr magnitude = code & u32(magnitude_mask);
  Expr sign = (code >> u32(static_cast<uint32_t>(format.bits - 1))) << u32(31);
  Expr value = reinterpret<float>(magnitude << u32(static_cast<uint32_t>(23 - format.mantissa))) *
               f32(std::ldexp(1.0, 127 - format.bias));
  Expr out = bits_of(value);
  if (type == ValueType::kF8E4M3) {
    out = select(magnitude == u32(0x7f), u32(0x7fc00000u), out);
  } else if (type == ValueType::kF8E5M2 || type == ValueType::kF16) {
    const uint32_t infinity = ((1u << (format.bits - 1 - format.mantissa)) - 1) << format.mantissa;
    out =
        select(magnitude > u32(infinity), u32(0x7fc00000u), select(magnitude == u32(infinity), u32(0x7f800000u), out));
  }
  return reinterpret<float>(out | sign);
}

Expr decode_nf4(Expr code) {
  // A tree of selects on the four bits of the code.
  std::vector<Expr> level;
  for (const float value : kNf4Table)
    level.push_back(f32(value));
  for (uint32_t bit = 1; level.size() > 1; bit <<= 1) {
    std::vector<Expr> next;
    Expr odd = (code & u32(bit)) != u32(0);
    for (size_t i = 0; i < level.size(); i += 2)
      next.push_back(select(odd, level[i + 1], level[i]));
    level = std::move(next);
  }
  return level[0];
}

Expr encode_nf4(Expr x) {
  const auto distance = [&](int i) { return Halide::abs(x - f32(kNf4Table[i])); };
  Expr code = u32(0), best = distance(0);
  for (int i = 1; i < 16; i++) {
    Expr d = distance(i);
    code = select(d < best, u32(static_cast<uint32_t>(i)), code);
    best = select(d < best, d, best);
  }
  return code;
}

Expr round_bf16(Expr x) {
  Expr u = bits_of(x);
  Expr rounded = (u + u32(0x7fff) + ((u >> u32(16)) & u32(1))) & u32(0xffff0000u);
  return reinterpret<float>(select(nan_bits(x), (u | u32(0x00400000u)) & u32(0xffff0000u), rounded));
}

Expr float_min(Expr x, double y) { return select(x < f32(y), x, f32(y)); }
Expr float_max(Expr x, double y) { return select(x > f32(y), x, f32(y)); }

FlightValue float_to_int(const FlightValue& v, ValueType type, Rounding rounding, int64_t lo, int64_t hi) {
  const Halide::Type wanted = flight_type(type);
  const double bound = static_cast<double>(std::max(std::abs(lo), std::abs(hi)));
  Expr x = v.expr;
  if (v.may_be_nan()) x = select(nan_bits(x), f32(0), x);
  if (std::max(std::abs(lo), std::abs(hi)) <= (1 << 22)) {
    // Clamp, then round by adding 1.5 * 2^23: the integer is in the low bits. Nothing but the clamp feeds the addition,
    // so no compiler can fuse a multiplication into it.
    x = float_min(float_max(x, static_cast<double>(lo)), static_cast<double>(hi));
    if (rounding != Rounding::kHalfEven) x = round_float(x, rounding);
    Expr magic = bits_of(x + f32(12582912.0));
    if (wanted.bits() == 8) return {cast(wanted, cast(UInt(8), magic)), type, bound};
    if (wanted.bits() == 16) return {cast(wanted, cast(UInt(16), magic)), type, bound};
    return {cast(wanted, reinterpret<int32_t>(magic) - 0x4b400000), type, bound};
  }
  // Wide integers: floats from 2^23 on are integers already, and the limits are not all floats.
  Expr magnitude = Halide::abs(x);
  Expr small = float_min(float_max(x, -4194304.0), 4194304.0);
  Expr integral = select(magnitude < f32(4194304.0), round_float(small, rounding),
                         select(
                             magnitude < f32(8388608.0),
                             [&] {
                               // Between 2^22 and 2^23 the only fraction is a half.
                               Expr down = Halide::floor(x), fraction = x - down;
                               Expr even = (cast<int32_t>(float_min(float_max(down, -8388608.0), 8388608.0)) & 1) == 0;
                               Expr up;
                               switch (rounding) {
                                 case Rounding::kHalfEven:
                                   up = fraction > f32(0) && !even;
                                   break;
                                 case Rounding::kHalfAwayFromZero:
                                   up = fraction > f32(0) && x > f32(0);
                                   break;
                                 case Rounding::kHalfUp:
                                   up = fraction > f32(0);
                                   break;
                                 case Rounding::kFloor:
                                   up = Halide::Internal::const_false();
                                   break;
                                 case Rounding::kCeil:
                                   up = fraction > f32(0);
                                   break;
                                 case Rounding::kToZero:
                                   up = fraction > f32(0) && x < f32(0);
                                   break;
                               }
                               return select(up, down + f32(1), down);
                             }(),
                             x));
  const double top = wanted.bits() == 64 ? 9223372036854775808.0 : 2147483648.0;
  if (wanted.bits() == 64) {
    Expr inside = cast<int64_t>(float_min(float_max(integral, -top), 9223371487098961920.0));
    Expr all = select(integral >= f32(top), Int(64).max(), inside);
    return {
        Halide::clamp(all, Halide::Internal::IntImm::make(Int(64), lo), Halide::Internal::IntImm::make(Int(64), hi)),
        type, bound};
  }
  Expr inside = cast<int32_t>(float_min(float_max(integral, -top), 2147483520.0));
  Expr all = select(integral >= f32(top), Int(32).max(), inside);
  if (wanted.is_uint()) {
    QL_CHECK(wanted.bits() <= 16, "a float is not cast to uint32 in one step");
  }
  const auto limit = [&](int64_t x32) {
    return HalideAlgebra::i32(static_cast<int32_t>(std::clamp<int64_t>(x32, INT32_MIN, INT32_MAX)));
  };
  if (lo > INT32_MIN || hi < INT32_MAX) all = Halide::clamp(all, limit(lo), limit(hi));
  return {cast(wanted, all), type, bound};
}

FlightValue int_to_int(const FlightValue& v, ValueType type, int64_t lo, int64_t hi) {
  const Halide::Type from = v.expr.type();
  const ValueTypeInfo& source = info(v.type);
  const Halide::Type wanted = flight_type(type);
  // Limits that the source can reach are applied in a type that holds both.
  const Halide::Type common = from.bits() == 64 || (from.is_uint() && from.bits() == 32) ? Int(64) : Int(32);
  Expr x = cast(common, v.expr);
  const auto limit = [&](int64_t value) { return Halide::Internal::IntImm::make(common, value); };
  const bool known = v.bound < 9e18;
  const int64_t most = known ? static_cast<int64_t>(v.bound) : source.max;
  const int64_t least = source.min == 0 ? 0 : known ? -static_cast<int64_t>(v.bound) : source.min;
  if (lo > std::max(least, source.min)) x = Halide::max(x, limit(lo));
  if (hi < std::min(most, source.max)) x = Halide::min(x, limit(hi));
  return {cast(wanted, x), type,
          static_cast<double>(std::max(std::abs(std::max(lo, least)), std::abs(std::min(hi, most))))};
}

}  // namespace

Halide::Type storage_type(ValueType type) {
  const ValueTypeInfo& row = info(type);
  if (type == ValueType::kF32) return Float(32);
  if (type == ValueType::kF64) return Float(64);
  if (row.cls == ValueClass::kSigned) return Int(row.storage_bytes * 8);
  return UInt(row.storage_bytes * 8);
}

Halide::Type flight_type(ValueType type) {
  if (type == ValueType::kBool) return Bool();
  if (type == ValueType::kBF16 || type == ValueType::kF16) return Float(32);
  return storage_type(type);
}

ElementBounds element_bounds(const Tensor& tensor) {
  const ValueTypeInfo& row = info(tensor.type.type);
  ElementBounds out;
  if (is_integer(tensor.type.type)) out.bound = std::max(-static_cast<double>(row.min), static_cast<double>(row.max));
  if (!tensor.is_constant()) return out;
  double most = 0, least = std::numeric_limits<double>::infinity();
  for (const float x : to_floats(*tensor.data)) {
    if (!std::isfinite(x)) return out;
    most = std::max(most, std::abs(static_cast<double>(x)));
    least = std::min(least, std::abs(static_cast<double>(x)));
  }
  if (most >= 1e30) return out;
  out.bound = most == 0 ? 0 : std::exp2(std::ceil(std::log2(most)));
  if (least > 1e-30 && least <= most) out.least = std::exp2(std::floor(std::log2(least)));
  return out;
}

std::string to_string(const ElementBounds& bounds) {
  return std::to_string(std::log2(bounds.bound)) + "," + std::to_string(std::log2(bounds.least));
}

FlightValue load_value(ValueType type, Expr stored) {
  const ValueTypeInfo& row = info(type);
  const double infinite = std::numeric_limits<double>::infinity();
  switch (type) {
    case ValueType::kBool:
      return {stored != cast<uint8_t>(0), type, 1};
    case ValueType::kBF16:
      return {reinterpret<float>(cast<uint32_t>(stored) << u32(16)), type, infinite};
    case ValueType::kF16:
      return {decode_small_float(cast<uint32_t>(stored), type), type, infinite};
    default:
      break;
  }
  if (!is_integer(type)) return {stored, type, infinite};
  return {stored, type, std::max(-static_cast<double>(row.min), static_cast<double>(row.max))};
}

Expr store_value(const FlightValue& v) {
  switch (v.type) {
    case ValueType::kBool:
      return select(v.expr, cast<uint8_t>(1), cast<uint8_t>(0));
    case ValueType::kBF16:
      return cast<uint16_t>(bits_of(round_bf16(v.expr)) >> u32(16));
    case ValueType::kF16:
      return cast<uint16_t>(encode_small_float(v.expr, v.type));
    default:
      return v.expr;
  }
}

FlightValue to_float(const FlightValue& v) {
  if (is_float(v.type)) return {v.expr, ValueType::kF32, v.bound};
  switch (v.type) {
    case ValueType::kBool:
      return {select(v.expr, f32(1), f32(0)), ValueType::kF32, 1};
    case ValueType::kNF4:
      return {decode_nf4(cast<uint32_t>(v.expr)), ValueType::kF32, 1};
    case ValueType::kF4E2M1:
      return {decode_small_float(cast<uint32_t>(v.expr), v.type), ValueType::kF32, 6};
    case ValueType::kF8E4M3:
    case ValueType::kF8E5M2:
      return {decode_small_float(cast<uint32_t>(v.expr), v.type), ValueType::kF32};
    default:
      break;
  }
  // Rounding half to even may go up to the next power of two.
  return {cast<float>(v.expr), ValueType::kF32, v.bound * (1 + 1e-7)};
}

Expr round_to_float_type(Expr x, ValueType type) {
  if (type == ValueType::kBF16) return round_bf16(x);
  if (type == ValueType::kF16) return decode_small_float(encode_small_float(x, type), type);
  return x;
}

Expr round_float(Expr x, Rounding rounding) {
  Expr even = (x + f32(12582912.0)) - f32(12582912.0);
  switch (rounding) {
    case Rounding::kHalfEven:
      return even;
    case Rounding::kFloor:
      return select(even > x, even - f32(1), even);
    case Rounding::kCeil:
      return select(even < x, even + f32(1), even);
    case Rounding::kToZero:
      return select(x < f32(0), round_float(x, Rounding::kCeil), round_float(x, Rounding::kFloor));
    case Rounding::kHalfUp: {
      Expr down = round_float(x, Rounding::kFloor);
      return select(x - down >= f32(0.5), down + f32(1), down);
    }
    case Rounding::kHalfAwayFromZero: {
      Expr zero = round_float(x, Rounding::kToZero);
      Expr away = select(x < f32(0), f32(-1), f32(1));
      return select(Halide::abs(x - zero) >= f32(0.5), zero + away, zero);
    }
  }
  return even;
}

FlightValue cast_value(const FlightValue& v, ValueType type, Rounding rounding, double lo, double hi) {
  if (is_integer(type)) {
    const ValueTypeInfo& row = info(type);
    const auto limit = [&](double x) {
      if (x <= static_cast<double>(row.min)) return row.min;
      return x >= static_cast<double>(row.max) ? row.max : static_cast<int64_t>(x);
    };
    const int64_t low = limit(lo), high = limit(hi);
    if (v.type == ValueType::kBool) return {cast(flight_type(type), v.expr), type, 1};
    if (is_integer(v.type)) return int_to_int(v, type, low, high);
    const FlightValue x = to_float(v);
    return float_to_int(x, type, rounding, low, high);
  }
  if (type == ValueType::kBool) {
    if (v.type == ValueType::kBool) return v;
    return {v.expr != Halide::Internal::make_zero(v.expr.type()), type, 1};
  }
  const FlightValue x = to_float(v);
  if (type == ValueType::kF32) return x;
  if (is_float(type)) return {round_to_float_type(x.expr, type), type, x.bound * 1.01};
  if (type == ValueType::kNF4) return {cast<uint8_t>(encode_nf4(x.expr)), type};
  return {cast<uint8_t>(encode_small_float(x.expr, type)), type};
}

}  // namespace qlathe
