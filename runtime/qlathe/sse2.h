// SSE2, what every x86-64 processor has: vectors of 16 bytes. No blends, no packs to u16, no rounding instructions.
#ifndef QLATHE_SSE2_H
#define QLATHE_SSE2_H

#include "x86_ops.h"

#if QL_FORM == QL_FORM_SSE2

QL_NAMESPACE_BEGIN

// ---- lanes of the same width; what is not here is a comparison and a selection ----
QL_X86_BINARY(min_f, u8x16, __m128i, _mm_min_epu8)
QL_X86_BINARY(max_f, u8x16, __m128i, _mm_max_epu8)
QL_X86_BINARY(min_f, i16x8, __m128i, _mm_min_epi16)
QL_X86_BINARY(max_f, i16x8, __m128i, _mm_max_epi16)
QL_X86_BINARY(min_f, f32x4, __m128, _mm_min_ps)
QL_X86_BINARY(max_f, f32x4, __m128, _mm_max_ps)
QL_X86_BINARY(min_f, f64x2, __m128d, _mm_min_pd)
QL_X86_BINARY(max_f, f64x2, __m128d, _mm_max_pd)
QL_X86_BINARY(saturating_add_f, i8x16, __m128i, _mm_adds_epi8)
QL_X86_BINARY(saturating_add_f, u8x16, __m128i, _mm_adds_epu8)
QL_X86_BINARY(saturating_add_f, i16x8, __m128i, _mm_adds_epi16)
QL_X86_BINARY(saturating_add_f, u16x8, __m128i, _mm_adds_epu16)
QL_X86_BINARY(saturating_sub_f, i8x16, __m128i, _mm_subs_epi8)
QL_X86_BINARY(saturating_sub_f, u8x16, __m128i, _mm_subs_epu8)
QL_X86_BINARY(saturating_sub_f, i16x8, __m128i, _mm_subs_epi16)
QL_X86_BINARY(saturating_sub_f, u16x8, __m128i, _mm_subs_epu16)
QL_X86_BINARY(rounding_halving_add_f, u8x16, __m128i, _mm_avg_epu8)
QL_X86_BINARY(rounding_halving_add_f, u16x8, __m128i, _mm_avg_epu16)
// |a| = (a ^ m) - m, m = -1 where a < 0.
QL_X86_UNARY_EXPR(abs_f, u8x16, i8x16, (u8x16)(a ^ (i8x16)(a < i8x16())) - (u8x16)(a < i8x16()))
QL_X86_UNARY_EXPR(abs_f, u16x8, i16x8, (u16x8)(a ^ (a >> 15)) - (u16x8)(a >> 15))
QL_X86_UNARY_EXPR(abs_f, u32x4, i32x4, (u32x4)(a ^ (a >> 31)) - (u32x4)(a >> 31))

// ---- floating point ----
// Where |a| >= 2^23 and for NaN, a is its own rounding; elsewhere that of the conversion, with the sign of a.
QL_INLINE __m128 small_rounding(__m128 a, __m128i rounded) {
  const __m128 sign = _mm_castsi128_ps(_mm_set1_epi32(INT32_MIN));
  const __m128 small = _mm_cmplt_ps(_mm_andnot_ps(sign, a), _mm_set1_ps(8388608.0f));
  const __m128 r = _mm_or_ps(_mm_cvtepi32_ps(rounded), _mm_and_ps(sign, a));
  return _mm_or_ps(_mm_and_ps(small, r), _mm_andnot_ps(small, a));
}
QL_INLINE __m128 trunc_ps(__m128 a) { return small_rounding(a, _mm_cvttps_epi32(a)); }
QL_INLINE __m128 floor_ps(__m128 a) {
  const __m128 t = trunc_ps(a);
  return _mm_sub_ps(t, _mm_and_ps(_mm_cmpgt_ps(t, a), _mm_set1_ps(1.0f)));
}
QL_INLINE __m128 ceil_ps(__m128 a) {  // -floor(-a)
  const __m128 sign = _mm_castsi128_ps(_mm_set1_epi32(INT32_MIN));
  return _mm_xor_ps(sign, floor_ps(_mm_xor_ps(sign, a)));
}
QL_X86_UNARY_EXPR(trunc_f, f32x4, f32x4, trunc_ps((__m128)a))
QL_X86_UNARY_EXPR(floor_f, f32x4, f32x4, floor_ps((__m128)a))
QL_X86_UNARY_EXPR(ceil_f, f32x4, f32x4, ceil_ps((__m128)a))
QL_X86_UNARY_EXPR(round_f, f32x4, f32x4, small_rounding((__m128)a, _mm_cvtps_epi32((__m128)a)))
QL_X86_UNARY(round_to_i32_f, i32x4, f32x4, __m128, _mm_cvtps_epi32)
QL_X86_UNARY(sqrt_f, f32x4, f32x4, __m128, _mm_sqrt_ps)
QL_X86_UNARY(sqrt_f, f64x2, f64x2, __m128d, _mm_sqrt_pd)
QL_X86_ROUNDED(f32x4)
QL_X86_ROUNDED(f64x2)

// The exact product plus c in double, rounded to odd: see fma_of in scalar_float.h.
QL_INLINE __m128d fma_to_odd(__m128d a, __m128d b, __m128d c) {
  const __m128d p = _mm_mul_pd(a, b), s = _mm_add_pd(p, c), t = _mm_sub_pd(s, p);
  const __m128d lost = _mm_add_pd(_mm_sub_pd(p, _mm_sub_pd(s, t)), _mm_sub_pd(c, t));
  const __m128i bits = _mm_castpd_si128(s), exponent = _mm_set1_epi64x(i64(0x7ff) << 52);
  // The upper half of each lane decides for both.
#define QL_UPPER_HALVES(X) _mm_shuffle_epi32(X, _MM_SHUFFLE(3, 3, 1, 1))
  const __m128i special = QL_UPPER_HALVES(_mm_cmpeq_epi32(_mm_and_si128(bits, exponent), exponent));
  const __m128i odd = QL_UPPER_HALVES(_mm_srai_epi32(_mm_slli_epi64(bits, 63), 31));
  const __m128i opposite = QL_UPPER_HALVES(_mm_srai_epi32(_mm_castpd_si128(_mm_xor_pd(lost, s)), 31));
#undef QL_UPPER_HALVES
  const __m128i inexact = _mm_castpd_si128(_mm_cmpneq_pd(lost, _mm_setzero_pd()));
  const __m128i step = _mm_or_si128(opposite, _mm_set1_epi64x(1));
  return _mm_castsi128_pd(
      _mm_add_epi64(bits, _mm_and_si128(step, _mm_andnot_si128(special, _mm_andnot_si128(odd, inexact)))));
}
template <>
struct native_ternary<fma_f, f32x4, f32x4, f32x4, f32x4> {
  static QL_INLINE f32x4 run(f32x4 a, f32x4 b, f32x4 c) {
    const __m128 x = (__m128)a, y = (__m128)b, z = (__m128)c;
    const __m128 lo = _mm_cvtpd_ps(fma_to_odd(_mm_cvtps_pd(x), _mm_cvtps_pd(y), _mm_cvtps_pd(z)));
    const __m128 hi = _mm_cvtpd_ps(fma_to_odd(_mm_cvtps_pd(_mm_movehl_ps(x, x)), _mm_cvtps_pd(_mm_movehl_ps(y, y)),
                                              _mm_cvtps_pd(_mm_movehl_ps(z, z))));
    return (f32x4)_mm_movelh_ps(lo, hi);
  }
};

// ---- conversions to wider integers ----
QL_INLINE __m128i widen_u8(__m128i a) { return _mm_unpacklo_epi8(a, _mm_setzero_si128()); }
QL_INLINE __m128i widen_i8(__m128i a) { return _mm_srai_epi16(_mm_unpacklo_epi8(a, a), 8); }
QL_INLINE __m128i widen_u16(__m128i a) { return _mm_unpacklo_epi16(a, _mm_setzero_si128()); }
QL_INLINE __m128i widen_i16(__m128i a) { return _mm_srai_epi32(_mm_unpacklo_epi16(a, a), 16); }
#define QL_X86_WIDEN(R, A, EXPR)              \
  QL_X86_UNARY_EXPR(convert_f, i##R, A, EXPR) \
  QL_X86_UNARY_EXPR(convert_f, u##R, A, EXPR)
QL_X86_WIDEN(16x8, u8x8, widen_u8(low_64(a)))
QL_X86_WIDEN(16x8, i8x8, widen_i8(low_64(a)))
QL_X86_WIDEN(16x4, u8x4, first_64(widen_u8(low_32(a))))
QL_X86_WIDEN(16x4, i8x4, first_64(widen_i8(low_32(a))))
QL_X86_WIDEN(32x4, u8x4, widen_u16(widen_u8(low_32(a))))
QL_X86_WIDEN(32x4, i8x4, widen_i16(widen_i8(low_32(a))))
QL_X86_WIDEN(32x4, u16x4, widen_u16(low_64(a)))
QL_X86_WIDEN(32x4, i16x4, widen_i16(low_64(a)))
QL_X86_WIDEN(64x2, u32x2, _mm_unpacklo_epi32(low_64(a), _mm_setzero_si128()))
QL_X86_WIDEN(64x2, i32x2, _mm_unpacklo_epi32(low_64(a), _mm_srai_epi32(low_64(a), 31)))
#undef QL_X86_WIDEN

// ---- conversions to narrower integers, of registers and of pairs of them, by the packs ----
QL_INLINE __m128i low_byte(__m128i a, i32 bits) { return _mm_and_si128(a, _mm_set1_epi32(bits)); }
QL_INLINE __m128i low_half(__m128i a) { return _mm_srai_epi32(_mm_slli_epi32(a, 16), 16); }
#define QL_X86_NARROW(F, R, A, EXPR)  \
  QL_X86_UNARY_EXPR(F, i##R, A, EXPR) \
  QL_X86_UNARY_EXPR(F, u##R, A, EXPR)
#define QL_X86_NARROW_BOTH(R, A, EXPR)    \
  QL_X86_NARROW(convert_f, R, i##A, EXPR) \
  QL_X86_NARROW(convert_f, R, u##A, EXPR)
#define QL_X86_PACK_LOW_8(A, B) _mm_packus_epi16(low_byte(A, 0xff00ff), low_byte(B, 0xff00ff))
#define QL_X86_PACK_LOW_16(A, B) _mm_packs_epi32(low_half(A), low_half(B))
#define QL_X86_PACK_LOW_32(A, B) \
  _mm_packus_epi16(_mm_packs_epi32(low_byte(A, 0xff), low_byte(B, 0xff)), _mm_setzero_si128())
QL_X86_NARROW_BOTH(8x8, 16x8, first_64(QL_X86_PACK_LOW_8((__m128i)a, (__m128i)a)))
QL_X86_NARROW_BOTH(8x4, 16x4, first_32(QL_X86_PACK_LOW_8(low_64(a), low_64(a))))
QL_X86_NARROW_BOTH(16x4, 32x4, first_64(QL_X86_PACK_LOW_16((__m128i)a, (__m128i)a)))
QL_X86_NARROW_BOTH(8x4, 32x4, first_32(QL_X86_PACK_LOW_32((__m128i)a, (__m128i)a)))
QL_X86_NARROW_BOTH(32x2, 64x2, first_64(_mm_shuffle_epi32((__m128i)a, _MM_SHUFFLE(2, 0, 2, 0))))
#undef QL_X86_NARROW_BOTH
#define QL_X86_NARROW_PAIR(F, R, A, EXPR)             \
  template <>                                         \
  struct unary<F, R, A, false> {                      \
    static QL_INLINE R run(A a) { return (R)(EXPR); } \
  };
#define QL_X86_NARROW_PAIRS(R, A, EXPR)           \
  QL_X86_NARROW_PAIR(convert_f, i##R, i##A, EXPR) \
  QL_X86_NARROW_PAIR(convert_f, i##R, u##A, EXPR) \
  QL_X86_NARROW_PAIR(convert_f, u##R, i##A, EXPR) \
  QL_X86_NARROW_PAIR(convert_f, u##R, u##A, EXPR)
QL_X86_NARROW_PAIRS(8x16, 16x16, QL_X86_PACK_LOW_8((__m128i)a.lo, (__m128i)a.hi))
QL_X86_NARROW_PAIRS(16x8, 32x8, QL_X86_PACK_LOW_16((__m128i)a.lo, (__m128i)a.hi))
QL_X86_NARROW_PAIRS(8x8, 32x8, first_64(QL_X86_PACK_LOW_32((__m128i)a.lo, (__m128i)a.hi)))
#undef QL_X86_NARROW_PAIRS
#undef QL_X86_PACK_LOW_8
#undef QL_X86_PACK_LOW_16
#undef QL_X86_PACK_LOW_32
// Saturating. To unsigned bytes the first pack is signed: 16 bits hold every value the second one keeps.
QL_X86_UNARY_EXPR(sat_f, i8x8, i16x8, first_64(_mm_packs_epi16((__m128i)a, (__m128i)a)))
QL_X86_UNARY_EXPR(sat_f, u8x8, i16x8, first_64(_mm_packus_epi16((__m128i)a, (__m128i)a)))
QL_X86_UNARY_EXPR(sat_f, i16x4, i32x4, first_64(_mm_packs_epi32((__m128i)a, (__m128i)a)))
#define QL_X86_PACKED_16(A, B) _mm_packs_epi32((__m128i)A, (__m128i)B), _mm_setzero_si128()
QL_X86_UNARY_EXPR(sat_f, i8x4, i32x4, first_32(_mm_packs_epi16(QL_X86_PACKED_16(a, a))))
QL_X86_UNARY_EXPR(sat_f, u8x4, i32x4, first_32(_mm_packus_epi16(QL_X86_PACKED_16(a, a))))
QL_X86_NARROW_PAIR(sat_f, i8x8, i32x8, first_64(_mm_packs_epi16(QL_X86_PACKED_16(a.lo, a.hi))))
QL_X86_NARROW_PAIR(sat_f, u8x8, i32x8, first_64(_mm_packus_epi16(QL_X86_PACKED_16(a.lo, a.hi))))
#undef QL_X86_PACKED_16
QL_X86_NARROW_PAIR(sat_f, i16x8, i32x8, _mm_packs_epi32((__m128i)a.lo, (__m128i)a.hi))
QL_X86_NARROW_PAIR(sat_f, i8x16, i16x16, _mm_packs_epi16((__m128i)a.lo, (__m128i)a.hi))
QL_X86_NARROW_PAIR(sat_f, u8x16, i16x16, _mm_packus_epi16((__m128i)a.lo, (__m128i)a.hi))
#undef QL_X86_NARROW_PAIR
#undef QL_X86_NARROW

// ---- conversions between integers and floats ----
QL_X86_UNARY(convert_f, f32x4, i32x4, __m128i, _mm_cvtepi32_ps)
QL_X86_UNARY(convert_f, i32x4, f32x4, __m128, _mm_cvttps_epi32)
QL_X86_UNARY_EXPR(convert_f, f64x2, i32x2, _mm_cvtepi32_pd(low_64(a)))
QL_X86_UNARY_EXPR(convert_f, f64x2, f32x2, _mm_cvtps_pd(_mm_castsi128_ps(low_64(a))))
QL_X86_UNARY_EXPR(convert_f, f32x2, f64x2, first_64(_mm_castps_si128(_mm_cvtpd_ps((__m128d)a))))
QL_X86_UNARY_EXPR(convert_f, i32x2, f64x2, first_64(_mm_cvttpd_epi32((__m128d)a)))
#define QL_X86_SMALL_AND_FLOAT(S) \
  QL_X86_VIA(f32x4, S##x4, i32x4) \
  QL_X86_VIA(S##x4, f32x4, i32x4)
QL_X86_SMALL_AND_FLOAT(u8)
QL_X86_SMALL_AND_FLOAT(i8)
QL_X86_SMALL_AND_FLOAT(u16)
QL_X86_SMALL_AND_FLOAT(i16)
#undef QL_X86_SMALL_AND_FLOAT

// ---- products ----
template <>
struct native_binary<widening_mul_f, i32x4, i16x4, i16x4> {
  static QL_INLINE i32x4 run(i16x4 a, i16x4 b) {
    const __m128i x = low_64(a), y = low_64(b);
    return (i32x4)_mm_unpacklo_epi16(_mm_mullo_epi16(x, y), _mm_mulhi_epi16(x, y));
  }
};
#define QL_X86_DOT4(A, B)                                                                             \
  QL_X86_DOT(dot4_op, i32x4, A##x16, B##x16,                                                          \
             _mm_add_epi32(_mm_add_epi32((__m128i)acc, _mm_madd_epi16(even_bytes(a), even_bytes(b))), \
                           _mm_madd_epi16(odd_bytes(a), odd_bytes(b))))
QL_X86_DOT4(u8, i8)
QL_X86_DOT4(i8, i8)
QL_X86_DOT4(u8, u8)
#undef QL_X86_DOT4
QL_X86_DOT(dot2_op, i32x4, i16x8, i16x8, _mm_add_epi32((__m128i)acc, _mm_madd_epi16((__m128i)a, (__m128i)b)))

QL_NAMESPACE_END

#endif

#endif
