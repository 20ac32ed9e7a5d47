// AVX-512 (F, BW, DQ, VL, VNNI; VBMI where there is one) on vectors of 64 bytes, and its masks and narrowing moves on
// all sizes. Intrinsics are called in their maskz form with a full mask: the plain forms of g++ 12 warn of
// uninitialized values when inlined; size and speed are the same.
#ifndef QLATHE_AVX512_H
#define QLATHE_AVX512_H

#include "avx2.h"

#if QL_FORM == QL_FORM_AVX512

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"  // in the macros that g++ makes of intrinsics at -O0

QL_NAMESPACE_BEGIN

// ---- masks ----
#define QL_KMASK_OPERATOR(OP)                              \
  template <int N>                                         \
  QL_INLINE kmask<N> operator OP(kmask<N> a, kmask<N> b) { \
    kmask<N> r;                                            \
    for (int i = 0; i < (N + 63) / 64; i++)                \
      r.bits[i] = a.bits[i] OP b.bits[i];                  \
    return r;                                              \
  }
QL_KMASK_OPERATOR(&)
QL_KMASK_OPERATOR(|)
#undef QL_KMASK_OPERATOR
template <int N>
QL_INLINE kmask<N> operator~(kmask<N> a) {
  kmask<N> r;
  for (int i = 0; i < (N + 63) / 64; i++)
    r.bits[i] = ~a.bits[i];
  return r;
}
template <int N>
struct kmask_halves {
  static QL_INLINE kmask<N / 2> lo(kmask<N> m) {
    kmask<N / 2> r;
    for (int i = 0; i < (N / 2 + 63) / 64; i++)
      r.bits[i] = m.bits[i];
    return r;
  }
  static QL_INLINE kmask<N / 2> hi(kmask<N> m) {
    kmask<N / 2> r;
    if (N <= 64)
      r.bits[0] = m.bits[0] >> (N / 2 & 63);
    else
      for (int i = 0; i < N / 128; i++)
        r.bits[i] = m.bits[N / 128 + i];
    return r;
  }
  static QL_INLINE kmask<N> join(kmask<N / 2> a, kmask<N / 2> b) {
    kmask<N> r;
    if (N <= 64)
      r.bits[0] = (a.bits[0] & ((u64(1) << (N / 2 & 63)) - 1)) | (b.bits[0] << (N / 2 & 63));
    else
      for (int i = 0; i < N / 128; i++) {
        r.bits[i] = a.bits[i];
        r.bits[N / 128 + i] = b.bits[i];
      }
    return r;
  }
};
// Comparisons of whatever has no instruction: small vectors by lanes, wide ones by halves.
#define QL_KMASK_COMPARE(F)                                                             \
  template <int N, class V>                                                             \
  struct native_binary<F, kmask<N>, V, V> {                                             \
    static QL_INLINE kmask<N> run(V a, V b) {                                           \
      const lanes_of<V> x(a), y(b);                                                     \
      u64 bits = 0;                                                                     \
      for (int i = 0; i < N; i++)                                                       \
        bits |= F::template run<i32>(x.lane[i], y.lane[i]) != 0 ? u64(1) << i : u64(0); \
      kmask<N> r = {{bits}};                                                            \
      return r;                                                                         \
    }                                                                                   \
  };                                                                                    \
  template <int N, class H>                                                             \
  struct native_binary<F, kmask<N>, wide<H>, wide<H> > {                                \
    typedef native_binary<F, kmask<N / 2>, H, H> part;                                  \
    static QL_INLINE kmask<N> run(wide<H> a, wide<H> b) {                               \
      return kmask_halves<N>::join(part::run(a.lo, b.lo), part::run(a.hi, b.hi));       \
    }                                                                                   \
  };
QL_KMASK_COMPARE(lt_f)
QL_KMASK_COMPARE(le_f)
QL_KMASK_COMPARE(eq_f)
#undef QL_KMASK_COMPARE
template <int N, class V>
struct native_ternary<select_f, V, kmask<N>, V, V> {
  static QL_INLINE V run(kmask<N> m, V a, V b) {
    const lanes_of<V> x(a), y(b);
    lanes_of<V> r;
    for (int i = 0; i < N; i++)
      r.lane[i] = (m.bits[0] >> i) & 1 ? x.lane[i] : y.lane[i];
    return r.pack();
  }
};
template <int N, class H>
struct native_ternary<select_f, wide<H>, kmask<N>, wide<H>, wide<H> > {
  static QL_INLINE wide<H> run(kmask<N> m, wide<H> a, wide<H> b) {
    typedef native_ternary<select_f, H, kmask<N / 2>, H, H> part;
    wide<H> r = {part::run(kmask_halves<N>::lo(m), a.lo, b.lo), part::run(kmask_halves<N>::hi(m), a.hi, b.hi)};
    return r;
  }
};

#define QL_X86_COMPARE(F, V, N, CALL)          \
  template <>                                  \
  struct native_binary<F, kmask<N>, V, V> {    \
    static QL_INLINE kmask<N> run(V a, V b) {  \
      kmask<N> r = {{static_cast<u64>(CALL)}}; \
      return r;                                \
    }                                          \
  };
#define QL_X86_COMPARES(V, N, KM, M, PRE, CMP, BLEND, LT, LE, EQ)                                                  \
  QL_X86_COMPARE(lt_f, V, N, PRE##CMP((M)a, (M)b, LT))                                                             \
  QL_X86_COMPARE(le_f, V, N, PRE##CMP((M)a, (M)b, LE))                                                             \
  QL_X86_COMPARE(eq_f, V, N, PRE##CMP((M)a, (M)b, EQ))                                                             \
  template <>                                                                                                      \
  struct native_ternary<select_f, V, kmask<N>, V, V> {                                                             \
    static QL_INLINE V run(kmask<N> m, V a, V b) { return (V)PRE##BLEND(static_cast<KM>(m.bits[0]), (M)b, (M)a); } \
  };
#define QL_X86_INTEGER_COMPARES(T, N16, N32, N64, K16, K32, K64, CMP, BLEND)                                      \
  QL_X86_COMPARES(T##x##N16, N16, K16, __m128i, _mm_, CMP, BLEND, _MM_CMPINT_LT, _MM_CMPINT_LE, _MM_CMPINT_EQ)    \
  QL_X86_COMPARES(T##x##N32, N32, K32, __m256i, _mm256_, CMP, BLEND, _MM_CMPINT_LT, _MM_CMPINT_LE, _MM_CMPINT_EQ) \
  QL_X86_COMPARES(T##x##N64, N64, K64, __m512i, _mm512_, CMP, BLEND, _MM_CMPINT_LT, _MM_CMPINT_LE, _MM_CMPINT_EQ)
QL_X86_INTEGER_COMPARES(i8, 16, 32, 64, __mmask16, __mmask32, __mmask64, cmp_epi8_mask, mask_blend_epi8)
QL_X86_INTEGER_COMPARES(u8, 16, 32, 64, __mmask16, __mmask32, __mmask64, cmp_epu8_mask, mask_blend_epi8)
QL_X86_INTEGER_COMPARES(i16, 8, 16, 32, __mmask8, __mmask16, __mmask32, cmp_epi16_mask, mask_blend_epi16)
QL_X86_INTEGER_COMPARES(u16, 8, 16, 32, __mmask8, __mmask16, __mmask32, cmp_epu16_mask, mask_blend_epi16)
QL_X86_INTEGER_COMPARES(i32, 4, 8, 16, __mmask8, __mmask8, __mmask16, cmp_epi32_mask, mask_blend_epi32)
QL_X86_INTEGER_COMPARES(u32, 4, 8, 16, __mmask8, __mmask8, __mmask16, cmp_epu32_mask, mask_blend_epi32)
QL_X86_INTEGER_COMPARES(i64, 2, 4, 8, __mmask8, __mmask8, __mmask8, cmp_epi64_mask, mask_blend_epi64)
QL_X86_INTEGER_COMPARES(u64, 2, 4, 8, __mmask8, __mmask8, __mmask8, cmp_epu64_mask, mask_blend_epi64)
#undef QL_X86_INTEGER_COMPARES
#define QL_X86_FLOAT_COMPARES(V, N, KM, M, PRE, S) \
  QL_X86_COMPARES(V, N, KM, M, PRE, cmp_##S##_mask, mask_blend_##S, _CMP_LT_OQ, _CMP_LE_OQ, _CMP_EQ_OQ)
QL_X86_FLOAT_COMPARES(f32x4, 4, __mmask8, __m128, _mm_, ps)
QL_X86_FLOAT_COMPARES(f32x8, 8, __mmask8, __m256, _mm256_, ps)
QL_X86_FLOAT_COMPARES(f32x16, 16, __mmask16, __m512, _mm512_, ps)
QL_X86_FLOAT_COMPARES(f64x2, 2, __mmask8, __m128d, _mm_, pd)
QL_X86_FLOAT_COMPARES(f64x4, 4, __mmask8, __m256d, _mm256_, pd)
QL_X86_FLOAT_COMPARES(f64x8, 8, __mmask8, __m512d, _mm512_, pd)
#undef QL_X86_FLOAT_COMPARES
#undef QL_X86_COMPARES
#undef QL_X86_COMPARE

// ---- lanes of the same width ----
static const __mmask64 all_64 = static_cast<__mmask64>(~u64(0));
static const __mmask32 all_32 = 0xffffffffu;
static const __mmask16 all_16 = 0xffff;
static const __mmask8 all_8 = 0xff;
#define QL_X86_512(F, V, OP, ALL) QL_X86_BINARY_EXPR(F, V, _mm512_maskz_##OP(ALL, (__m512i)a, (__m512i)b))
#define QL_X86_BINARY_EXPR(F, V, EXPR)                     \
  template <>                                              \
  struct native_binary<F, V, V, V> {                       \
    static QL_INLINE V run(V a, V b) { return (V)(EXPR); } \
  };
QL_X86_512(min_f, i8x64, min_epi8, all_64)
QL_X86_512(max_f, i8x64, max_epi8, all_64)
QL_X86_512(min_f, u8x64, min_epu8, all_64)
QL_X86_512(max_f, u8x64, max_epu8, all_64)
QL_X86_512(min_f, i16x32, min_epi16, all_32)
QL_X86_512(max_f, i16x32, max_epi16, all_32)
QL_X86_512(min_f, u16x32, min_epu16, all_32)
QL_X86_512(max_f, u16x32, max_epu16, all_32)
QL_X86_512(min_f, i32x16, min_epi32, all_16)
QL_X86_512(max_f, i32x16, max_epi32, all_16)
QL_X86_512(min_f, u32x16, min_epu32, all_16)
QL_X86_512(max_f, u32x16, max_epu32, all_16)
QL_X86_512(min_f, i64x8, min_epi64, all_8)
QL_X86_512(max_f, i64x8, max_epi64, all_8)
QL_X86_512(min_f, u64x8, min_epu64, all_8)
QL_X86_512(max_f, u64x8, max_epu64, all_8)
QL_X86_512(saturating_add_f, i8x64, adds_epi8, all_64)
QL_X86_512(saturating_add_f, u8x64, adds_epu8, all_64)
QL_X86_512(saturating_add_f, i16x32, adds_epi16, all_32)
QL_X86_512(saturating_add_f, u16x32, adds_epu16, all_32)
QL_X86_512(saturating_sub_f, i8x64, subs_epi8, all_64)
QL_X86_512(saturating_sub_f, u8x64, subs_epu8, all_64)
QL_X86_512(saturating_sub_f, i16x32, subs_epi16, all_32)
QL_X86_512(saturating_sub_f, u16x32, subs_epu16, all_32)
QL_X86_512(rounding_halving_add_f, u8x64, avg_epu8, all_64)
QL_X86_512(rounding_halving_add_f, u16x32, avg_epu16, all_32)
#undef QL_X86_512
QL_X86_BINARY_EXPR(min_f, f32x16, _mm512_maskz_min_ps(all_16, (__m512)a, (__m512)b))
QL_X86_BINARY_EXPR(max_f, f32x16, _mm512_maskz_max_ps(all_16, (__m512)a, (__m512)b))
QL_X86_BINARY_EXPR(min_f, f64x8, _mm512_maskz_min_pd(all_8, (__m512d)a, (__m512d)b))
QL_X86_BINARY_EXPR(max_f, f64x8, _mm512_maskz_max_pd(all_8, (__m512d)a, (__m512d)b))
#undef QL_X86_BINARY_EXPR
QL_X86_UNARY_EXPR(abs_f, u8x64, i8x64, _mm512_maskz_abs_epi8(all_64, (__m512i)a))
QL_X86_UNARY_EXPR(abs_f, u16x32, i16x32, _mm512_maskz_abs_epi16(all_32, (__m512i)a))
QL_X86_UNARY_EXPR(abs_f, u32x16, i32x16, _mm512_maskz_abs_epi32(all_16, (__m512i)a))
QL_X86_UNARY_EXPR(abs_f, u64x8, i64x8, _mm512_maskz_abs_epi64(all_8, (__m512i)a))

// ---- floating point ----
#define QL_X86_FLOAT_512(V, M, S, ALL)                                                                                \
  QL_X86_UNARY_EXPR(floor_f, V, V, _mm512_maskz_roundscale_##S(ALL, (M)a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)) \
  QL_X86_UNARY_EXPR(ceil_f, V, V, _mm512_maskz_roundscale_##S(ALL, (M)a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC))  \
  QL_X86_UNARY_EXPR(round_f, V, V,                                                                                    \
                    _mm512_maskz_roundscale_##S(ALL, (M)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))            \
  QL_X86_UNARY_EXPR(trunc_f, V, V, _mm512_maskz_roundscale_##S(ALL, (M)a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC))    \
  QL_X86_UNARY_EXPR(sqrt_f, V, V, _mm512_maskz_sqrt_##S(ALL, (M)a))                                                   \
  QL_X86_FMA_OP(V, M, _mm512_fmadd_##S)                                                                               \
  QL_X86_ROUNDED(V)
QL_X86_FLOAT_512(f32x16, __m512, ps, all_16)
QL_X86_FLOAT_512(f64x8, __m512d, pd, all_8)
#undef QL_X86_FLOAT_512
QL_X86_UNARY_EXPR(round_to_i32_f, i32x16, f32x16, _mm512_maskz_cvtps_epi32(all_16, (__m512)a))

// ---- conversions to wider integers ----
#define QL_X86_WIDEN_512(R, A, M, CALL, ALL)                            \
  QL_X86_UNARY_EXPR(convert_f, i##R, A, _mm512_maskz_##CALL(ALL, (M)a)) \
  QL_X86_UNARY_EXPR(convert_f, u##R, A, _mm512_maskz_##CALL(ALL, (M)a))
QL_X86_WIDEN_512(16x32, u8x32, __m256i, cvtepu8_epi16, all_32)
QL_X86_WIDEN_512(16x32, i8x32, __m256i, cvtepi8_epi16, all_32)
QL_X86_WIDEN_512(32x16, u8x16, __m128i, cvtepu8_epi32, all_16)
QL_X86_WIDEN_512(32x16, i8x16, __m128i, cvtepi8_epi32, all_16)
QL_X86_WIDEN_512(32x16, u16x16, __m256i, cvtepu16_epi32, all_16)
QL_X86_WIDEN_512(32x16, i16x16, __m256i, cvtepi16_epi32, all_16)
QL_X86_WIDEN_512(64x8, u32x8, __m256i, cvtepu32_epi64, all_8)
QL_X86_WIDEN_512(64x8, i32x8, __m256i, cvtepi32_epi64, all_8)
QL_X86_WIDEN_512(64x8, u16x8, __m128i, cvtepu16_epi64, all_8)
QL_X86_WIDEN_512(64x8, i16x8, __m128i, cvtepi16_epi64, all_8)
QL_X86_UNARY_EXPR(convert_f, i64x8, u8x8, _mm512_maskz_cvtepu8_epi64(all_8, low_64(a)))
QL_X86_UNARY_EXPR(convert_f, i64x8, i8x8, _mm512_maskz_cvtepi8_epi64(all_8, low_64(a)))
#undef QL_X86_WIDEN_512

// ---- conversions to narrower integers: vpmov, truncating and saturating ----
#define QL_X86_NARROW(R, A, EXPR)                \
  QL_X86_UNARY_EXPR(convert_f, i##R, i##A, EXPR) \
  QL_X86_UNARY_EXPR(convert_f, u##R, i##A, EXPR) \
  QL_X86_UNARY_EXPR(convert_f, i##R, u##A, EXPR) \
  QL_X86_UNARY_EXPR(convert_f, u##R, u##A, EXPR)
QL_X86_NARROW(8x16, 32x16, _mm512_maskz_cvtepi32_epi8(all_16, (__m512i)a))
QL_X86_NARROW(16x16, 32x16, _mm512_maskz_cvtepi32_epi16(all_16, (__m512i)a))
QL_X86_NARROW(8x32, 16x32, _mm512_maskz_cvtepi16_epi8(all_32, (__m512i)a))
QL_X86_NARROW(32x8, 64x8, _mm512_maskz_cvtepi64_epi32(all_8, (__m512i)a))
QL_X86_NARROW(16x8, 64x8, _mm512_maskz_cvtepi64_epi16(all_8, (__m512i)a))
QL_X86_NARROW(8x8, 64x8, first_64(_mm512_maskz_cvtepi64_epi8(all_8, (__m512i)a)))
QL_X86_NARROW(16x8, 32x8, _mm256_maskz_cvtepi32_epi16(all_8, (__m256i)a))
QL_X86_NARROW(8x8, 32x8, first_64(_mm256_maskz_cvtepi32_epi8(all_8, (__m256i)a)))
QL_X86_NARROW(8x16, 16x16, _mm256_maskz_cvtepi16_epi8(all_16, (__m256i)a))
QL_X86_NARROW(8x8, 16x8, first_64(_mm_maskz_cvtepi16_epi8(all_8, (__m128i)a)))
QL_X86_NARROW(16x4, 32x4, first_64(_mm_maskz_cvtepi32_epi16(all_8, (__m128i)a)))
QL_X86_NARROW(8x4, 32x4, first_32(_mm_maskz_cvtepi32_epi8(all_8, (__m128i)a)))
QL_X86_NARROW(32x4, 64x4, _mm256_maskz_cvtepi64_epi32(all_8, (__m256i)a))
#undef QL_X86_NARROW
#define QL_X86_POSITIVE(T, S) _mm512_maskz_max_##S(all_##T, (__m512i)a, _mm512_setzero_si512())
QL_X86_UNARY_EXPR(sat_f, i8x16, i32x16, _mm512_maskz_cvtsepi32_epi8(all_16, (__m512i)a))
QL_X86_UNARY_EXPR(sat_f, u8x16, i32x16, _mm512_maskz_cvtusepi32_epi8(all_16, QL_X86_POSITIVE(16, epi32)))
QL_X86_UNARY_EXPR(sat_f, u8x16, u32x16, _mm512_maskz_cvtusepi32_epi8(all_16, (__m512i)a))
QL_X86_UNARY_EXPR(sat_f, i16x16, i32x16, _mm512_maskz_cvtsepi32_epi16(all_16, (__m512i)a))
QL_X86_UNARY_EXPR(sat_f, u16x16, i32x16, _mm512_maskz_cvtusepi32_epi16(all_16, QL_X86_POSITIVE(16, epi32)))
QL_X86_UNARY_EXPR(sat_f, i8x32, i16x32, _mm512_maskz_cvtsepi16_epi8(all_32, (__m512i)a))
QL_X86_UNARY_EXPR(sat_f, u8x32, i16x32, _mm512_maskz_cvtusepi16_epi8(all_32, QL_X86_POSITIVE(32, epi16)))
QL_X86_UNARY_EXPR(sat_f, u8x32, u16x32, _mm512_maskz_cvtusepi16_epi8(all_32, (__m512i)a))
QL_X86_UNARY_EXPR(sat_f, i32x8, i64x8, _mm512_maskz_cvtsepi64_epi32(all_8, (__m512i)a))
QL_X86_UNARY_EXPR(sat_f, i16x8, i64x8, _mm512_maskz_cvtsepi64_epi16(all_8, (__m512i)a))
QL_X86_UNARY_EXPR(sat_f, i8x8, i64x8, first_64(_mm512_maskz_cvtsepi64_epi8(all_8, (__m512i)a)))
QL_X86_UNARY_EXPR(sat_f, u8x8, i64x8, first_64(_mm512_maskz_cvtusepi64_epi8(all_8, QL_X86_POSITIVE(8, epi64))))
#undef QL_X86_POSITIVE
QL_X86_UNARY_EXPR(sat_f, i8x8, i32x8, first_64(_mm256_maskz_cvtsepi32_epi8(all_8, (__m256i)a)))
QL_X86_UNARY_EXPR(sat_f, u8x8, i32x8,
                  first_64(_mm256_maskz_cvtusepi32_epi8(all_8, _mm256_max_epi32((__m256i)a, _mm256_setzero_si256()))))
QL_X86_UNARY_EXPR(sat_f, i16x8, i32x8, _mm256_maskz_cvtsepi32_epi16(all_8, (__m256i)a))
QL_X86_UNARY_EXPR(sat_f, u16x8, i32x8,
                  _mm256_maskz_cvtusepi32_epi16(all_8, _mm256_max_epi32((__m256i)a, _mm256_setzero_si256())))
QL_X86_UNARY_EXPR(sat_f, i8x16, i16x16, _mm256_maskz_cvtsepi16_epi8(all_16, (__m256i)a))
QL_X86_UNARY_EXPR(sat_f, u8x16, i16x16,
                  _mm256_maskz_cvtusepi16_epi8(all_16, _mm256_max_epi16((__m256i)a, _mm256_setzero_si256())))
QL_X86_UNARY_EXPR(sat_f, i8x4, i32x4, first_32(_mm_maskz_cvtsepi32_epi8(all_8, (__m128i)a)))
QL_X86_UNARY_EXPR(sat_f, u8x4, i32x4,
                  first_32(_mm_maskz_cvtusepi32_epi8(all_8, _mm_max_epi32((__m128i)a, _mm_setzero_si128()))))
QL_X86_UNARY_EXPR(sat_f, i16x4, i32x4, first_64(_mm_maskz_cvtsepi32_epi16(all_8, (__m128i)a)))
QL_X86_UNARY_EXPR(sat_f, i8x8, i16x8, first_64(_mm_maskz_cvtsepi16_epi8(all_8, (__m128i)a)))
QL_X86_UNARY_EXPR(sat_f, u8x8, i16x8,
                  first_64(_mm_maskz_cvtusepi16_epi8(all_8, _mm_max_epi16((__m128i)a, _mm_setzero_si128()))))
QL_X86_UNARY_EXPR(sat_f, i32x4, i64x4, _mm256_maskz_cvtsepi64_epi32(all_8, (__m256i)a))

// ---- conversions between integers and floats ----
QL_X86_UNARY_EXPR(convert_f, f32x16, i32x16, _mm512_maskz_cvtepi32_ps(all_16, (__m512i)a))
QL_X86_UNARY_EXPR(convert_f, f32x16, u32x16, _mm512_maskz_cvtepu32_ps(all_16, (__m512i)a))
QL_X86_UNARY_EXPR(convert_f, i32x16, f32x16, _mm512_maskz_cvttps_epi32(all_16, (__m512)a))
QL_X86_UNARY_EXPR(convert_f, u32x16, f32x16, _mm512_maskz_cvttps_epu32(all_16, (__m512)a))
QL_X86_UNARY_EXPR(convert_f, f64x8, i32x8, _mm512_maskz_cvtepi32_pd(all_8, (__m256i)a))
QL_X86_UNARY_EXPR(convert_f, i32x8, f64x8, _mm512_maskz_cvttpd_epi32(all_8, (__m512d)a))
QL_X86_UNARY_EXPR(convert_f, f64x8, f32x8, _mm512_maskz_cvtps_pd(all_8, (__m256)a))
QL_X86_UNARY_EXPR(convert_f, f32x8, f64x8, _mm512_maskz_cvtpd_ps(all_8, (__m512d)a))
QL_X86_UNARY_EXPR(convert_f, f64x8, i64x8, _mm512_maskz_cvtepi64_pd(all_8, (__m512i)a))
QL_X86_UNARY_EXPR(convert_f, i64x8, f64x8, _mm512_maskz_cvttpd_epi64(all_8, (__m512d)a))
QL_X86_UNARY_EXPR(convert_f, f32x8, i64x8, _mm512_maskz_cvtepi64_ps(all_8, (__m512i)a))
QL_X86_VIA(f32x16, u8x16, i32x16)
QL_X86_VIA(f32x16, i8x16, i32x16)
QL_X86_VIA(f32x16, u16x16, i32x16)
QL_X86_VIA(f32x16, i16x16, i32x16)
QL_X86_VIA(u8x16, f32x16, i32x16)
QL_X86_VIA(i8x16, f32x16, i32x16)
QL_X86_VIA(u16x16, f32x16, i32x16)
QL_X86_VIA(i16x16, f32x16, i32x16)
QL_X86_UNARY_EXPR(from_f16_f, f32x16, u16x16, _mm512_maskz_cvtph_ps(all_16, (__m256i)a))
QL_X86_UNARY_EXPR(to_f16_f, u16x16, f32x16, _mm512_maskz_cvtps_ph(all_16, (__m512)a, _MM_FROUND_TO_NEAREST_INT))

// ---- dot products ----
#define QL_X86_VNNI(N8, N16, N32, M, PRE)                                                                  \
  QL_X86_DOT(dot4_op, i32x##N32, u8x##N8, i8x##N8, PRE##dpbusd_epi32((M)acc, (M)a, (M)b))                  \
  /* (a + 128) * b - 128 * b: the flip of the sign bit is + 128 as unsigned */                             \
  QL_X86_DOT(dot4_op, i32x##N32, i8x##N8, i8x##N8,                                                         \
             (i32x##N32)PRE##dpbusd_epi32((M)acc, (M)((u8x##N8)a ^ memory<u8x##N8>::splat(128)), (M)b) -   \
                 (i32x##N32)PRE##dpbusd_epi32((M)i32x##N32(), (M)memory<u8x##N8>::splat(128), (M)b))       \
  /* a * (b - 128) + 128 * a, 128 = 2 * 64 */                                                              \
  QL_X86_DOT(dot4_op, i32x##N32, u8x##N8, u8x##N8,                                                         \
             (i32x##N32)PRE##dpbusd_epi32((M)acc, (M)a, (M)(b ^ memory<u8x##N8>::splat(128))) +            \
                 ((i32x##N32)PRE##dpbusd_epi32((M)i32x##N32(), (M)a, (M)memory<i8x##N8>::splat(64)) << 1)) \
  QL_X86_DOT(dot2_op, i32x##N32, i16x##N16, i16x##N16, PRE##dpwssd_epi32((M)acc, (M)a, (M)b))
QL_X86_VNNI(64, 32, 16, __m512i, _mm512_)
QL_X86_VNNI(32, 16, 8, __m256i, _mm256_)
QL_X86_VNNI(16, 8, 4, __m128i, _mm_)
#undef QL_X86_VNNI

// ---- tables ----
QL_X86_GATHER(i32x16, i32x16, _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), all_16, (__m512i)index, p, 4))
QL_X86_GATHER(u32x16, i32x16, _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), all_16, (__m512i)index, p, 4))
QL_X86_GATHER(f32x16, i32x16, _mm512_mask_i32gather_ps(_mm512_setzero_ps(), all_16, (__m512i)index, p, 4))

QL_INLINE __m256i lower_256(__m512i a) { return _mm512_maskz_extracti64x4_epi64(all_8, a, 0); }
QL_INLINE __m128i lower_128(__m512i a) { return _mm512_maskz_extracti32x4_epi32(all_8, a, 0); }
#if defined(__AVX512VBMI__)
// The lower and the upper half of the table each by one permutation of two registers; the index's upper bit chooses.
QL_INLINE __m512i lut_512(const void* table, __m512i index) {
  const __m512i* const quarters = static_cast<const __m512i*>(table);
  const __m512i lower =
      _mm512_maskz_permutex2var_epi8(all_64, _mm512_loadu_si512(quarters), index, _mm512_loadu_si512(quarters + 1));
  const __m512i upper =
      _mm512_maskz_permutex2var_epi8(all_64, _mm512_loadu_si512(quarters + 2), index, _mm512_loadu_si512(quarters + 3));
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), lower, upper);
}
#define QL_X86_LUT(V, I, EXPR)                                          \
  template <>                                                           \
  template <>                                                           \
  QL_INLINE V memory<V>::lut(const vec_info<V>::elem* table, I index) { \
    return (V)EXPR;                                                     \
  }
#define QL_X86_LUTS(S)                                                                                      \
  QL_X86_LUT(S##x64, u8x64, lut_512(table, (__m512i)index))                                                 \
  QL_X86_LUT(S##x32, u8x32, lower_256(lut_512(table, _mm512_maskz_broadcast_i64x4(all_8, (__m256i)index)))) \
  QL_X86_LUT(S##x16, u8x16, lower_128(lut_512(table, _mm512_maskz_broadcast_i32x4(all_16, (__m128i)index))))
QL_X86_LUTS(u8)
QL_X86_LUTS(i8)
#undef QL_X86_LUTS
#undef QL_X86_LUT
#else
#define QL_X86_LUT(V)                                                                                \
  template <>                                                                                        \
  template <>                                                                                        \
  QL_INLINE V memory<V>::lut(const vec_info<V>::elem* table, u8x64 index) {                          \
    const __m256i lower = lut_256(table, lower_256((__m512i)index));                                 \
    const __m256i upper = lut_256(table, _mm512_maskz_extracti64x4_epi64(all_8, (__m512i)index, 1)); \
    return (V)_mm512_maskz_inserti64x4(all_8, _mm512_maskz_broadcast_i64x4(all_8, lower), upper, 1); \
  }
QL_X86_LUT(u8x64)
QL_X86_LUT(i8x64)
#undef QL_X86_LUT
#endif

// ---- products of 32 bits in 64 ----
template <>
struct native_binary<widening_mul_f, i64x8, i32x8, i32x8> {
  static QL_INLINE i64x8 run(i32x8 a, i32x8 b) {
    return (i64x8)_mm512_maskz_mul_epi32(all_8, _mm512_maskz_cvtepi32_epi64(all_8, (__m256i)a),
                                         _mm512_maskz_cvtepi32_epi64(all_8, (__m256i)b));
  }
};
template <>
struct native_binary<widening_mul_f, u64x8, u32x8, u32x8> {
  static QL_INLINE u64x8 run(u32x8 a, u32x8 b) {
    return (u64x8)_mm512_maskz_mul_epu32(all_8, _mm512_maskz_cvtepu32_epi64(all_8, (__m256i)a),
                                         _mm512_maskz_cvtepu32_epi64(all_8, (__m256i)b));
  }
};

QL_NAMESPACE_END

#pragma GCC diagnostic pop

#endif

#endif
