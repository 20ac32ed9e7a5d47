// Floating point on scalars: every function is exact or correctly rounded, so that all targets agree on every bit.
#ifndef QLATHE_SCALAR_FLOAT_H
#define QLATHE_SCALAR_FLOAT_H

#include "scalar.h"

QL_NAMESPACE_BEGIN

QL_INLINE f32 inf_f32() { return bits_as<f32>(u32(0x7f800000u)); }
QL_INLINE f32 nan_f32() { return bits_as<f32>(u32(0x7fc00000u)); }
QL_INLINE f64 inf_f64() { return bits_as<f64>(u64(0x7ff) << 52); }
QL_INLINE f64 nan_f64() { return bits_as<f64>(u64(0xfff) << 51); }

QL_INLINE u64 inf_bits_f64() { return u64(0x7ff) << 52; }

QL_INLINE bool is_nan(f32 x) { return (bits_as<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
QL_INLINE bool is_inf(f32 x) { return (bits_as<u32>(x) & 0x7fffffffu) == 0x7f800000u; }
QL_INLINE bool is_finite(f32 x) { return (bits_as<u32>(x) & 0x7fffffffu) < 0x7f800000u; }

// The product or quotient as rounded to its type: compilers contract a * b + c into one rounding by default, even
// across inlined functions, and an empty asm is what both of them respect. Without hardware FMA there is no danger.
#if defined(__GNUC__) && defined(__FMA__)
QL_INLINE f32 keep_rounding(f32 x) {
  __asm__("" : "+x"(x));
  return x;
}
QL_INLINE f64 keep_rounding(f64 x) {
  __asm__("" : "+x"(x));
  return x;
}
#elif defined(__GNUC__) && defined(__aarch64__)
QL_INLINE f32 keep_rounding(f32 x) {
  __asm__("" : "+w"(x));
  return x;
}
QL_INLINE f64 keep_rounding(f64 x) {
  __asm__("" : "+w"(x));
  return x;
}
#elif defined(__GNUC__) && defined(__ARM_FEATURE_FMA)
QL_INLINE f32 keep_rounding(f32 x) {
  __asm__("" : "+t"(x));
  return x;
}
QL_INLINE f64 keep_rounding(f64 x) {
  volatile f64 y = x;
  return y;
}
#elif defined(__FP_FAST_FMAF) || defined(__FP_FAST_FMA)
QL_INLINE f32 keep_rounding(f32 x) {
  volatile f32 y = x;
  return y;
}
QL_INLINE f64 keep_rounding(f64 x) {
  volatile f64 y = x;
  return y;
}
#else
QL_INLINE f32 keep_rounding(f32 x) { return x; }
QL_INLINE f64 keep_rounding(f64 x) { return x; }
#endif

// a * b + c with one rounding.
#if defined(__GNUC__) && (defined(__FMA__) || defined(__aarch64__) || defined(__ARM_FEATURE_FMA))
QL_INLINE f32 fma_of(f32 a, f32 b, f32 c) { return __builtin_fmaf(a, b, c); }
#else
// The product is exact in double. Its sum with c is rounded to odd (the last bit tells of what was lost), which makes
// the rounding to float that follows the only one that counts. Boldo, Melquiond: Emulation of FMA and correctly rounded
// sums: proved algorithms using rounding to odd, IEEE Trans. Computers 57(4), 2008.
inline f32 fma_of(f32 a, f32 b, f32 c) {
  const f64 p = static_cast<f64>(a) * static_cast<f64>(b), z = static_cast<f64>(c);
  f64 s = p + z;
  if ((bits_as<u64>(s) & inf_bits_f64()) == inf_bits_f64()) return static_cast<f32>(s);
  const f64 t = s - p, lost = (p - (s - t)) + (z - t);
  u64 bits = bits_as<u64>(s);
  if (lost != 0 && (bits & 1) == 0) bits += (lost > 0) == (s > 0) ? u64(1) : ~u64(0);
  return static_cast<f32>(bits_as<f64>(bits));
}
#endif

// The same in double.
#if defined(__GNUC__) && (defined(__FMA__) || defined(__aarch64__))
QL_INLINE f64 fma_of(f64 a, f64 b, f64 c) { return __builtin_fma(a, b, c); }
#else
// mantissa * 2^exponent, the mantissa 54 bits with a zero at the end.
struct parts_f64 {
  u64 mantissa;
  int exponent;
  bool negative, special;  // special: zero, infinity or NaN
};
inline parts_f64 parts_of(f64 x) {
  u64 bits = bits_as<u64>(x);
  parts_f64 r = {0, static_cast<int>(bits >> 52) & 0x7ff, (bits >> 63) != 0, false};
  u64 m = bits & 0xfffffffffffffu;
  r.special = r.exponent == 0x7ff || (r.exponent == 0 && m == 0);
  if (r.special) return r;
  if (r.exponent == 0) {
    r.exponent = 1;
    while ((m >> 52) == 0) {
      m <<= 1;
      r.exponent--;
    }
  }
  r.mantissa = (m | (u64(1) << 52)) << 1;
  r.exponent -= 1023 + 52 + 1;
  return r;
}
// Product and sum in 128 bits, what is shifted out kept as a last "sticky" bit, one rounding at the end.
inline f64 fma_of(f64 a, f64 b, f64 c) {
  const parts_f64 x = parts_of(a), y = parts_of(b), z = parts_of(c);
  if (x.special || y.special) return a * b + c;
  if (z.special && c != 0) return c;
  // high:low = x * y, 106 to 108 bits.
  const u64 xl = x.mantissa & 0xffffffffu, xh = x.mantissa >> 32, yl = y.mantissa & 0xffffffffu, yh = y.mantissa >> 32;
  const u64 low_product = xl * yl, cross = xl * yh + xh * yl, middle = cross + (low_product >> 32);
  u64 low = low_product + (cross << 32), high = xh * yh + (middle >> 32);
  int exponent = x.exponent + y.exponent;
  bool negative = x.negative != y.negative;
  u64 z_low = 0, z_high = 0;
  if (!z.special) {  // align: z moves up, or the product down
    int d = z.exponent - exponent;
    if (d >= 64) {
      z_high = z.mantissa;
      exponent = z.exponent - 64;
      d -= 64;
      if (d >= 64) {
        low = 1;
        high = 0;
      } else if (d > 0) {
        low = (high << (64 - d)) | (low >> d) | ((low << (64 - d)) != 0 ? 1u : 0u);
        high >>= d;
      }
    } else if (d > 0) {
      z_low = z.mantissa << d;
      z_high = z.mantissa >> (64 - d);
    } else if (d > -64) {
      z_low = d == 0 ? z.mantissa : (z.mantissa >> -d) | ((z.mantissa << (64 + d)) != 0 ? 1u : 0u);
    } else {
      z_low = 1;
    }
  }
  if (negative == z.negative || z.special) {
    low += z_low;
    high += z_high + (low < z_low ? 1u : 0u);
  } else {
    const u64 before = low;
    low -= z_low;
    high -= z_high + (before < z_low ? 1u : 0u);
    if ((high >> 63) != 0) {
      low = u64(0) - low;
      high = ~high + (low == 0 ? 1u : 0u);
      negative = !negative;
    }
  }
  if (high == 0 && low == 0) return a * b + c;  // exact zero
  if (high == 0) {
    high = low;
    low = 0;
  } else {
    exponent += 64;
  }
  // 63 bits, the last one sticky: high in [2^62, 2^63).
  while ((high >> 62) == 0) {
    high = (high << 1) | (low >> 63);
    low <<= 1;
    exponent--;
  }
  if ((high >> 63) != 0) {
    low |= high & 1;
    high >>= 1;
    exponent++;
  }
  high |= low != 0 ? 1u : 0u;
  const int biased = exponent + 62 + 1023;
  const u64 sign = negative ? u64(1) << 63 : u64(0);
  if (biased >= 0x7ff) return bits_as<f64>(sign | inf_bits_f64());
  const int drop = biased > 0 ? 10 : 11 - biased;
  if (drop > 63) return bits_as<f64>(sign);
  u64 kept = high >> drop;
  const u64 rest = high & ((u64(1) << drop) - 1), half = u64(1) << (drop - 1);
  if (rest > half || (rest == half && (kept & 1) != 0)) kept++;
  // The hidden bit adds one to the exponent field, a carry of the rounding another.
  return bits_as<f64>(sign | ((biased > 0 ? static_cast<u64>(biased - 1) << 52 : u64(0)) + kept));
}
#endif

// Conversion to another type: integers wrap, integers to floats round half to even, floats to integers round toward
// zero. Out of range of the integer the value is unspecified in vectors; here NaN gives 0 and the rest the nearest end.
template <class To, class From, bool FloatToInteger = element<From>::is_float && !element<To>::is_float>
struct conversion {
  static QL_INLINE To run(From x) { return static_cast<To>(x); }
};
template <class To, class From>
struct conversion<To, From, true> {
  static QL_INLINE To run(From x) {
    if (!(x == x)) return 0;
    if (x <= static_cast<From>(element<To>::low())) return element<To>::low();
    if (x >= static_cast<From>(element<To>::high())) return element<To>::high();
    return static_cast<To>(x);
  }
};
struct convert_f {
  template <class To, class From>
  static QL_INLINE To run(From x) {
    return conversion<To, From>::run(x);
  }
};
template <class To, class From>
QL_INLINE To convert(From x) {
  return unary<convert_f, To, From>::run(x);
}

// Integers in floating point; the sign of zero is kept. Numbers from 2^23 (2^52) on are integers already.
template <class T>
QL_INLINE T magnitude_of(T x) {
  return magnitude<T>::run(x);
}
QL_INLINE f32 copy_sign(f32 magnitude, f32 sign) {
  return bits_as<f32>((bits_as<u32>(magnitude) & 0x7fffffffu) | (bits_as<u32>(sign) & 0x80000000u));
}
QL_INLINE f64 copy_sign(f64 magnitude, f64 sign) {
  const u64 bit = u64(1) << 63;
  return bits_as<f64>((bits_as<u64>(magnitude) & ~bit) | (bits_as<u64>(sign) & bit));
}
QL_INLINE f32 trunc_of(f32 x) {
  return magnitude_of(x) < 8388608.0f ? copy_sign(static_cast<f32>(static_cast<i32>(x)), x) : x;
}
QL_INLINE f64 trunc_of(f64 x) {
  return magnitude_of(x) < 4503599627370496.0 ? copy_sign(static_cast<f64>(static_cast<i64>(x)), x) : x;
}
template <class T>
QL_INLINE T floor_of(T x) {
  const T t = trunc_of(x);
  return t > x ? t - T(1) : t;
}
template <class T>
QL_INLINE T ceil_of(T x) {
  const T t = trunc_of(x);
  return t < x ? copy_sign(t + T(1), x) : t;
}
template <class T>
QL_INLINE T round_of(T x) {                             // half to even
  const T t = trunc_of(x), rest = magnitude_of(x - t);  // exact
  const T half = T(0.5), away = copy_sign(magnitude_of(t) + T(1), x);
  if (!(rest >= half)) return t;
  if (rest > half) return away;
  const T by_two = t * half;
  return trunc_of(by_two) == by_two ? t : away;
}
// The nearest int32, half to even. Out of range the value is unspecified in vectors; here NaN gives 0 and the rest the
// nearest end.
#if QL_X86_FMA
QL_INLINE i32 nearest_i32(f32 x) { return _mm_cvtss_si32(_mm_set_ss(x)); }
#else
QL_INLINE i32 nearest_i32(f32 x) { return conversion<i32, f32>::run(round_of(x)); }
#endif

#if QL_X86_FMA
QL_INLINE f32 sqrt_of(f32 x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
QL_INLINE f64 sqrt_of(f64 x) { return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_set_sd(x), _mm_set_sd(x))); }
#else
// Correctly rounded: digit by digit on the integer mantissa, which needs no library.
inline f32 sqrt_of(f32 x) {
  u32 bits = bits_as<u32>(x);
  if (!(x > 0) || bits == 0x7f800000u) return x == 0 || x > 0 ? x : nan_f32();
  int exponent = static_cast<int>(bits >> 23) - 127;
  u64 mantissa = bits & 0x7fffffu;
  if (exponent == -127) {
    exponent = -126;
    while ((mantissa & 0x800000u) == 0) {
      mantissa <<= 1;
      exponent--;
    }
  } else {
    mantissa |= 0x800000u;
  }
  if (exponent & 1) {
    mantissa <<= 1;
    exponent--;
  }
  // sqrt(mantissa * 2^-23 * 2^exponent): the root of mantissa * 2^25 has 25 bits, one more than the result keeps.
  u64 rest = mantissa << 25, root = 0;
  for (u64 bit = u64(1) << 48; bit != 0; bit >>= 2) {
    if (rest >= root + bit) {
      rest -= root + bit;
      root = (root >> 1) + bit;
    } else {
      root >>= 1;
    }
  }
  const u32 half = static_cast<u32>(root) & 1u;
  u32 result = static_cast<u32>(root >> 1);
  // A tie is impossible: a root that ends in one half exactly would need more bits than the mantissa has.
  result += half;
  return bits_as<f32>(static_cast<u32>((exponent / 2 + 126) << 23) + result);
}
inline f64 sqrt_of(f64 x) {
  u64 bits = bits_as<u64>(x);
  if (!(x > 0) || bits == inf_bits_f64()) return x == 0 || x > 0 ? x : nan_f64();
  int exponent = static_cast<int>(bits >> 52) - 1023;
  u64 mantissa = bits & 0xfffffffffffffu;
  if (exponent == -1023) {
    exponent = -1022;
    while ((mantissa >> 52) == 0) {
      mantissa <<= 1;
      exponent--;
    }
  } else {
    mantissa |= u64(1) << 52;
  }
  if (exponent & 1) {
    mantissa <<= 1;
    exponent--;
  }
  // The root of mantissa * 2^54 has 54 bits, one more than the result keeps: two bits of the operand a step.
  u64 rest = 0, root = 0;
  for (int step = 53; step >= 0; step--) {
    const u64 next = step >= 27 ? (mantissa >> (2 * step - 54)) & 3u : u64(0);
    rest = (rest << 2) | next;
    const u64 trial = (root << 2) | 1u;
    root <<= 1;
    if (rest >= trial) {
      rest -= trial;
      root |= 1u;
    }
  }
  const u64 result = (root >> 1) + (root & 1u);  // a tie is impossible, as above
  return bits_as<f64>((static_cast<u64>(exponent / 2 + 1022) << 52) + result);
}
#endif

// IEEE half precision in 16 bits of storage. NaNs keep their upper payload and become quiet, as vcvtps2ph does it.
QL_INLINE f32 f16_value(u16 h) {
  const u32 sign = static_cast<u32>(h & 0x8000u) << 16, magnitude = h & 0x7fffu;
  if (magnitude >= 0x7c00u) {
    const u32 quiet = magnitude > 0x7c00u ? 0x400000u : 0u;
    return bits_as<f32>(sign | quiet | (magnitude << 13) | 0x7f800000u);
  }
  if (magnitude < 0x400u) {  // m * 2^-24
    return copy_sign(static_cast<f32>(magnitude) * 5.9604644775390625e-8f, bits_as<f32>(sign));
  }
  return bits_as<f32>(sign | ((magnitude << 13) + 0x38000000u));
}
QL_INLINE u16 f16_bits(f32 x) {
  const u32 bits = bits_as<u32>(x), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<u16>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x477ff000u) return static_cast<u16>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {  // the unit of the last place is 2^-24: adding 0.5 leaves the rounded count below
    return static_cast<u16>(sign | (bits_as<u32>(bits_as<f32>(magnitude) + 0.5f) - 0x3f000000u));
  }
  return static_cast<u16>(sign | ((magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13));
}

#define QL_FLOAT_FUNCTOR(NAME, LANE) \
  struct NAME##_f {                  \
    template <class R, class T>      \
    static QL_INLINE R run(T x) {    \
      return LANE(x);                \
    }                                \
  };
QL_FLOAT_FUNCTOR(rounded, keep_rounding)
QL_FLOAT_FUNCTOR(floor, floor_of)
QL_FLOAT_FUNCTOR(ceil, ceil_of)
QL_FLOAT_FUNCTOR(trunc, trunc_of)
QL_FLOAT_FUNCTOR(round, round_of)
QL_FLOAT_FUNCTOR(sqrt, sqrt_of)
QL_FLOAT_FUNCTOR(round_to_i32, nearest_i32)
QL_FLOAT_FUNCTOR(from_f16, f16_value)
QL_FLOAT_FUNCTOR(to_f16, f16_bits)
#undef QL_FLOAT_FUNCTOR
QL_UNARY(rounded)
QL_UNARY(floor)
QL_UNARY(ceil)
QL_UNARY(trunc)
QL_UNARY(round)
QL_UNARY(sqrt)
template <class V>
QL_INLINE typename with_element<V, i32>::type round_to_i32(V x) {
  return unary<round_to_i32_f, typename with_element<V, i32>::type, V>::run(x);
}
template <class V>
QL_INLINE typename with_element<V, f32>::type from_f16(V bits) {
  return unary<from_f16_f, typename with_element<V, f32>::type, V>::run(bits);
}
template <class V>
QL_INLINE typename with_element<V, u16>::type to_f16(V x) {
  return unary<to_f16_f, typename with_element<V, u16>::type, V>::run(x);
}

struct fma_f {
  template <class R, class T>
  static QL_INLINE R run(T a, T b, T c) {
    return fma_of(a, b, c);
  }
};
template <class V>
QL_INLINE V fma(V a, V b, V c) {
  return ternary<fma_f, V, V, V, V>::run(a, b, c);
}

QL_NAMESPACE_END

#endif
