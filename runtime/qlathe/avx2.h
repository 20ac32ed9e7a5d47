// AVX2 and FMA on vectors of 16 and 32 bytes; AVX-VNNI for the dot product where the compiler has it on.
#ifndef QLATHE_AVX2_H
#define QLATHE_AVX2_H

#include "x86_ops.h"

#if QL_FORM == QL_FORM_AVX2 || QL_FORM == QL_FORM_AVX512

QL_NAMESPACE_BEGIN

// ---- lanes of the same width ----
#define QL_X86_16_32(F, V16, V32, OP)      \
  QL_X86_BINARY(F, V16, __m128i, _mm_##OP) \
  QL_X86_BINARY(F, V32, __m256i, _mm256_##OP)
QL_X86_16_32(min_f, i8x16, i8x32, min_epi8)
QL_X86_16_32(max_f, i8x16, i8x32, max_epi8)
QL_X86_16_32(min_f, u8x16, u8x32, min_epu8)
QL_X86_16_32(max_f, u8x16, u8x32, max_epu8)
QL_X86_16_32(min_f, i16x8, i16x16, min_epi16)
QL_X86_16_32(max_f, i16x8, i16x16, max_epi16)
QL_X86_16_32(min_f, u16x8, u16x16, min_epu16)
QL_X86_16_32(max_f, u16x8, u16x16, max_epu16)
QL_X86_16_32(min_f, i32x4, i32x8, min_epi32)
QL_X86_16_32(max_f, i32x4, i32x8, max_epi32)
QL_X86_16_32(min_f, u32x4, u32x8, min_epu32)
QL_X86_16_32(max_f, u32x4, u32x8, max_epu32)
QL_X86_16_32(saturating_add_f, i8x16, i8x32, adds_epi8)
QL_X86_16_32(saturating_add_f, u8x16, u8x32, adds_epu8)
QL_X86_16_32(saturating_add_f, i16x8, i16x16, adds_epi16)
QL_X86_16_32(saturating_add_f, u16x8, u16x16, adds_epu16)
QL_X86_16_32(saturating_sub_f, i8x16, i8x32, subs_epi8)
QL_X86_16_32(saturating_sub_f, u8x16, u8x32, subs_epu8)
QL_X86_16_32(saturating_sub_f, i16x8, i16x16, subs_epi16)
QL_X86_16_32(saturating_sub_f, u16x8, u16x16, subs_epu16)
QL_X86_16_32(rounding_halving_add_f, u8x16, u8x32, avg_epu8)
QL_X86_16_32(rounding_halving_add_f, u16x8, u16x16, avg_epu16)
#undef QL_X86_16_32
QL_X86_BINARY(min_f, f32x4, __m128, _mm_min_ps)
QL_X86_BINARY(max_f, f32x4, __m128, _mm_max_ps)
QL_X86_BINARY(min_f, f32x8, __m256, _mm256_min_ps)
QL_X86_BINARY(max_f, f32x8, __m256, _mm256_max_ps)
QL_X86_BINARY(min_f, f64x2, __m128d, _mm_min_pd)
QL_X86_BINARY(max_f, f64x2, __m128d, _mm_max_pd)
QL_X86_BINARY(min_f, f64x4, __m256d, _mm256_min_pd)
QL_X86_BINARY(max_f, f64x4, __m256d, _mm256_max_pd)

QL_X86_UNARY(abs_f, u8x16, i8x16, __m128i, _mm_abs_epi8)
QL_X86_UNARY(abs_f, u8x32, i8x32, __m256i, _mm256_abs_epi8)
QL_X86_UNARY(abs_f, u16x8, i16x8, __m128i, _mm_abs_epi16)
QL_X86_UNARY(abs_f, u16x16, i16x16, __m256i, _mm256_abs_epi16)
QL_X86_UNARY(abs_f, u32x4, i32x4, __m128i, _mm_abs_epi32)
QL_X86_UNARY(abs_f, u32x8, i32x8, __m256i, _mm256_abs_epi32)

// ---- floating point ----
#define QL_X86_FLOAT(V, M, PRE, S)                                                                      \
  QL_X86_UNARY_EXPR(floor_f, V, V, PRE##floor_##S((M)a))                                                \
  QL_X86_UNARY_EXPR(ceil_f, V, V, PRE##ceil_##S((M)a))                                                  \
  QL_X86_UNARY_EXPR(round_f, V, V, PRE##round_##S((M)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)) \
  QL_X86_UNARY_EXPR(trunc_f, V, V, PRE##round_##S((M)a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC))        \
  QL_X86_UNARY_EXPR(sqrt_f, V, V, PRE##sqrt_##S((M)a))                                                  \
  QL_X86_FMA_OP(V, M, PRE##fmadd_##S)                                                                   \
  QL_X86_ROUNDED(V)
QL_X86_FLOAT(f32x4, __m128, _mm_, ps)
QL_X86_FLOAT(f32x8, __m256, _mm256_, ps)
QL_X86_FLOAT(f64x2, __m128d, _mm_, pd)
QL_X86_FLOAT(f64x4, __m256d, _mm256_, pd)
#undef QL_X86_FLOAT
QL_X86_UNARY(round_to_i32_f, i32x4, f32x4, __m128, _mm_cvtps_epi32)
QL_X86_UNARY(round_to_i32_f, i32x8, f32x8, __m256, _mm256_cvtps_epi32)

// ---- conversions to wider integers: from registers, and from halves and quarters of one ----
#define QL_X86_WIDEN(R1, R2, A, GET, CALL)       \
  QL_X86_UNARY_EXPR(convert_f, R1, A, CALL(GET)) \
  QL_X86_UNARY_EXPR(convert_f, R2, A, CALL(GET))
QL_X86_WIDEN(i16x8, u16x8, u8x8, low_64(a), _mm_cvtepu8_epi16)
QL_X86_WIDEN(i16x8, u16x8, i8x8, low_64(a), _mm_cvtepi8_epi16)
QL_X86_WIDEN(i16x16, u16x16, u8x16, (__m128i)a, _mm256_cvtepu8_epi16)
QL_X86_WIDEN(i16x16, u16x16, i8x16, (__m128i)a, _mm256_cvtepi8_epi16)
QL_X86_WIDEN(i32x4, u32x4, u8x4, low_32(a), _mm_cvtepu8_epi32)
QL_X86_WIDEN(i32x4, u32x4, i8x4, low_32(a), _mm_cvtepi8_epi32)
QL_X86_WIDEN(i32x8, u32x8, u8x8, low_64(a), _mm256_cvtepu8_epi32)
QL_X86_WIDEN(i32x8, u32x8, i8x8, low_64(a), _mm256_cvtepi8_epi32)
QL_X86_WIDEN(i32x4, u32x4, u16x4, low_64(a), _mm_cvtepu16_epi32)
QL_X86_WIDEN(i32x4, u32x4, i16x4, low_64(a), _mm_cvtepi16_epi32)
QL_X86_WIDEN(i32x8, u32x8, u16x8, (__m128i)a, _mm256_cvtepu16_epi32)
QL_X86_WIDEN(i32x8, u32x8, i16x8, (__m128i)a, _mm256_cvtepi16_epi32)
QL_X86_WIDEN(i64x2, u64x2, u32x2, low_64(a), _mm_cvtepu32_epi64)
QL_X86_WIDEN(i64x2, u64x2, i32x2, low_64(a), _mm_cvtepi32_epi64)
QL_X86_WIDEN(i64x4, u64x4, u32x4, (__m128i)a, _mm256_cvtepu32_epi64)
QL_X86_WIDEN(i64x4, u64x4, i32x4, (__m128i)a, _mm256_cvtepi32_epi64)
QL_X86_WIDEN(i64x4, u64x4, u8x4, low_32(a), _mm256_cvtepu8_epi64)
QL_X86_WIDEN(i64x4, u64x4, i8x4, low_32(a), _mm256_cvtepi8_epi64)
QL_X86_WIDEN(i64x4, u64x4, u16x4, low_64(a), _mm256_cvtepu16_epi64)
QL_X86_WIDEN(i64x4, u64x4, i16x4, low_64(a), _mm256_cvtepi16_epi64)

// ---- conversions between integers and floats ----
QL_X86_UNARY(convert_f, f32x4, i32x4, __m128i, _mm_cvtepi32_ps)
QL_X86_UNARY(convert_f, f32x8, i32x8, __m256i, _mm256_cvtepi32_ps)
QL_X86_UNARY(convert_f, i32x4, f32x4, __m128, _mm_cvttps_epi32)
QL_X86_UNARY(convert_f, i32x8, f32x8, __m256, _mm256_cvttps_epi32)
QL_X86_UNARY(convert_f, f64x4, i32x4, __m128i, _mm256_cvtepi32_pd)
QL_X86_UNARY(convert_f, f64x4, f32x4, __m128, _mm256_cvtps_pd)
QL_X86_UNARY(convert_f, f32x4, f64x4, __m256d, _mm256_cvtpd_ps)
QL_X86_UNARY(convert_f, i32x4, f64x4, __m256d, _mm256_cvttpd_epi32)
#define QL_X86_SMALL_AND_FLOAT(S, N)    \
  QL_X86_VIA(f32x##N, S##x##N, i32x##N) \
  QL_X86_VIA(S##x##N, f32x##N, i32x##N)
QL_X86_SMALL_AND_FLOAT(u8, 4)
QL_X86_SMALL_AND_FLOAT(i8, 4)
QL_X86_SMALL_AND_FLOAT(u16, 4)
QL_X86_SMALL_AND_FLOAT(i16, 4)
QL_X86_SMALL_AND_FLOAT(u8, 8)
QL_X86_SMALL_AND_FLOAT(i8, 8)
QL_X86_SMALL_AND_FLOAT(u16, 8)
QL_X86_SMALL_AND_FLOAT(i16, 8)
#undef QL_X86_SMALL_AND_FLOAT

#if defined(__F16C__)
QL_X86_UNARY_EXPR(from_f16_f, f32x4, u16x4, _mm_cvtph_ps(low_64(a)))
QL_X86_UNARY(from_f16_f, f32x8, u16x8, __m128i, _mm256_cvtph_ps)
QL_X86_UNARY_EXPR(to_f16_f, u16x4, f32x4, first_64(_mm_cvtps_ph((__m128)a, _MM_FROUND_TO_NEAREST_INT)))
QL_X86_UNARY_EXPR(to_f16_f, u16x8, f32x8, _mm256_cvtps_ph((__m256)a, _MM_FROUND_TO_NEAREST_INT))
#endif

#if QL_FORM == QL_FORM_AVX2
// ---- conversions to narrower integers, by packs of both halves of a register ----
QL_INLINE __m128i lower(__m256i a) { return _mm256_castsi256_si128(a); }
QL_INLINE __m128i upper(__m256i a) { return _mm256_extracti128_si256(a, 1); }
QL_INLINE __m256i masked(__m256i a, i32 bits) { return _mm256_and_si256(a, _mm256_set1_epi32(bits)); }
QL_INLINE __m128i masked(__m128i a, i32 bits) { return _mm_and_si128(a, _mm_set1_epi32(bits)); }
QL_INLINE __m128i pack_s32(__m256i a) { return _mm_packs_epi32(lower(a), upper(a)); }
QL_INLINE __m128i pack_u32(__m256i a) { return _mm_packus_epi32(lower(a), upper(a)); }
QL_INLINE __m128i pack_s32(__m128i a) { return _mm_packs_epi32(a, a); }
QL_INLINE __m128i pack_u32(__m128i a) { return _mm_packus_epi32(a, a); }
QL_INLINE __m128i pack_s16(__m128i a) { return _mm_packs_epi16(a, a); }
QL_INLINE __m128i pack_u16(__m128i a) { return _mm_packus_epi16(a, a); }
QL_INLINE __m128i pack_s16(__m256i a) { return _mm_packs_epi16(lower(a), upper(a)); }
QL_INLINE __m128i pack_u16(__m256i a) { return _mm_packus_epi16(lower(a), upper(a)); }

#define QL_X86_NARROW(F, R, A, EXPR)  \
  QL_X86_UNARY_EXPR(F, i##R, A, EXPR) \
  QL_X86_UNARY_EXPR(F, u##R, A, EXPR)
QL_X86_NARROW(convert_f, 16x8, i32x8, pack_u32(masked((__m256i)a, 0xffff)))
QL_X86_NARROW(convert_f, 16x8, u32x8, pack_u32(masked((__m256i)a, 0xffff)))
QL_X86_NARROW(convert_f, 16x4, i32x4, first_64(pack_u32(masked((__m128i)a, 0xffff))))
QL_X86_NARROW(convert_f, 16x4, u32x4, first_64(pack_u32(masked((__m128i)a, 0xffff))))
QL_X86_NARROW(convert_f, 8x8, i32x8, first_64(pack_u16(pack_u32(masked((__m256i)a, 0xff)))))
QL_X86_NARROW(convert_f, 8x8, u32x8, first_64(pack_u16(pack_u32(masked((__m256i)a, 0xff)))))
QL_X86_NARROW(convert_f, 8x4, i32x4, first_32(pack_u16(pack_u32(masked((__m128i)a, 0xff)))))
QL_X86_NARROW(convert_f, 8x4, u32x4, first_32(pack_u16(pack_u32(masked((__m128i)a, 0xff)))))
QL_X86_NARROW(convert_f, 8x16, i16x16, pack_u16(masked((__m256i)a, 0xff00ff)))
QL_X86_NARROW(convert_f, 8x16, u16x16, pack_u16(masked((__m256i)a, 0xff00ff)))
QL_X86_NARROW(convert_f, 8x8, i16x8, first_64(pack_u16(masked((__m128i)a, 0xff00ff))))
QL_X86_NARROW(convert_f, 8x8, u16x8, first_64(pack_u16(masked((__m128i)a, 0xff00ff))))
QL_X86_NARROW(convert_f, 32x4, i64x4,
              lower(_mm256_permutevar8x32_epi32((__m256i)a, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6))))
QL_X86_NARROW(convert_f, 32x4, u64x4,
              lower(_mm256_permutevar8x32_epi32((__m256i)a, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6))))
#undef QL_X86_NARROW
// Saturating. To unsigned from signed 32 bits the first pack is signed: 16 bits hold every value the second one keeps.
QL_X86_UNARY_EXPR(sat_f, i16x8, i32x8, pack_s32((__m256i)a))
QL_X86_UNARY_EXPR(sat_f, u16x8, i32x8, pack_u32((__m256i)a))
QL_X86_UNARY_EXPR(sat_f, i8x8, i32x8, first_64(pack_s16(pack_s32((__m256i)a))))
QL_X86_UNARY_EXPR(sat_f, u8x8, i32x8, first_64(pack_u16(pack_s32((__m256i)a))))
QL_X86_UNARY_EXPR(sat_f, i16x4, i32x4, first_64(pack_s32((__m128i)a)))
QL_X86_UNARY_EXPR(sat_f, u16x4, i32x4, first_64(pack_u32((__m128i)a)))
QL_X86_UNARY_EXPR(sat_f, i8x4, i32x4, first_32(pack_s16(pack_s32((__m128i)a))))
QL_X86_UNARY_EXPR(sat_f, u8x4, i32x4, first_32(pack_u16(pack_s32((__m128i)a))))
QL_X86_UNARY_EXPR(sat_f, i8x16, i16x16, pack_s16((__m256i)a))
QL_X86_UNARY_EXPR(sat_f, u8x16, i16x16, pack_u16((__m256i)a))
QL_X86_UNARY_EXPR(sat_f, i8x8, i16x8, first_64(pack_s16((__m128i)a)))
QL_X86_UNARY_EXPR(sat_f, u8x8, i16x8, first_64(pack_u16((__m128i)a)))

// ---- selection ----
#define QL_X86_SELECT(V, M, I, CALL)                                            \
  template <>                                                                   \
  struct native_ternary<select_f, V, I, V, V> {                                 \
    static QL_INLINE V run(I m, V a, V b) { return (V)CALL((M)b, (M)a, (M)m); } \
  };
QL_X86_SELECT(f32x4, __m128, i32x4, _mm_blendv_ps)
QL_X86_SELECT(f32x8, __m256, i32x8, _mm256_blendv_ps)
QL_X86_SELECT(i32x4, __m128i, i32x4, _mm_blendv_epi8)
QL_X86_SELECT(u32x4, __m128i, i32x4, _mm_blendv_epi8)
QL_X86_SELECT(i32x8, __m256i, i32x8, _mm256_blendv_epi8)
QL_X86_SELECT(u32x8, __m256i, i32x8, _mm256_blendv_epi8)
QL_X86_SELECT(i16x16, __m256i, i16x16, _mm256_blendv_epi8)
QL_X86_SELECT(u16x16, __m256i, i16x16, _mm256_blendv_epi8)
QL_X86_SELECT(i8x32, __m256i, i8x32, _mm256_blendv_epi8)
QL_X86_SELECT(u8x32, __m256i, i8x32, _mm256_blendv_epi8)
#undef QL_X86_SELECT

// ---- dot products ----
QL_INLINE __m256i even_bytes(u8x32 a) { return _mm256_and_si256((__m256i)a, _mm256_set1_epi16(255)); }
QL_INLINE __m256i odd_bytes(u8x32 a) { return _mm256_srli_epi16((__m256i)a, 8); }
QL_INLINE __m256i even_bytes(i8x32 a) { return _mm256_srai_epi16(_mm256_slli_epi16((__m256i)a, 8), 8); }
QL_INLINE __m256i odd_bytes(i8x32 a) { return _mm256_srai_epi16((__m256i)a, 8); }
#define QL_X86_DOT4(A, B)                                                                                      \
  QL_X86_DOT(dot4_op, i32x8, A##x32, B##x32,                                                                   \
             _mm256_add_epi32(_mm256_add_epi32((__m256i)acc, _mm256_madd_epi16(even_bytes(a), even_bytes(b))), \
                              _mm256_madd_epi16(odd_bytes(a), odd_bytes(b))))                                  \
  QL_X86_DOT(dot4_op, i32x4, A##x16, B##x16,                                                                   \
             _mm_add_epi32(_mm_add_epi32((__m128i)acc, _mm_madd_epi16(even_bytes(a), even_bytes(b))),          \
                           _mm_madd_epi16(odd_bytes(a), odd_bytes(b))))
#if defined(__AVXVNNI__)
QL_X86_DOT(dot4_op, i32x8, u8x32, i8x32, _mm256_dpbusd_avx_epi32((__m256i)acc, (__m256i)a, (__m256i)b))
QL_X86_DOT(dot4_op, i32x4, u8x16, i8x16, _mm_dpbusd_avx_epi32((__m128i)acc, (__m128i)a, (__m128i)b))
QL_X86_DOT(dot2_op, i32x8, i16x16, i16x16, _mm256_dpwssd_avx_epi32((__m256i)acc, (__m256i)a, (__m256i)b))
QL_X86_DOT(dot2_op, i32x4, i16x8, i16x8, _mm_dpwssd_avx_epi32((__m128i)acc, (__m128i)a, (__m128i)b))
#else
QL_X86_DOT4(u8, i8)
QL_X86_DOT(dot2_op, i32x8, i16x16, i16x16, _mm256_add_epi32((__m256i)acc, _mm256_madd_epi16((__m256i)a, (__m256i)b)))
QL_X86_DOT(dot2_op, i32x4, i16x8, i16x8, _mm_add_epi32((__m128i)acc, _mm_madd_epi16((__m128i)a, (__m128i)b)))
#endif
QL_X86_DOT4(i8, i8)
QL_X86_DOT4(u8, u8)
#undef QL_X86_DOT4
#endif

// ---- tables ----
// Gathers of 32 bits.
#define QL_X86_GATHER(V, I, CALL)                                      \
  template <>                                                          \
  template <>                                                          \
  QL_INLINE V memory<V>::gather(const vec_info<V>::elem* p, I index) { \
    return (V)CALL;                                                    \
  }
QL_X86_GATHER(i32x8, i32x8, _mm256_i32gather_epi32(reinterpret_cast<const int*>(p), (__m256i)index, 4))
QL_X86_GATHER(u32x8, i32x8, _mm256_i32gather_epi32(reinterpret_cast<const int*>(p), (__m256i)index, 4))
QL_X86_GATHER(f32x8, i32x8, _mm256_i32gather_ps(p, (__m256i)index, 4))

#if !defined(__AVX512VBMI__)
// 256 bytes are 16 groups of 16: index - 16 * group plus 0x70, saturating, has its upper bit clear in its own group
// alone, and gives 0 in all others.
QL_INLINE __m256i lut_256(const void* table, __m256i index) {
  const __m128i* const groups = static_cast<const __m128i*>(table);
  __m256i r = _mm256_setzero_si256();
  for (int group = 0; group < 16; group++) {
    const __m256i in_group = _mm256_adds_epu8(index, _mm256_set1_epi8(0x70));
    r = _mm256_or_si256(r, _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(groups + group)), in_group));
    index = _mm256_sub_epi8(index, _mm256_set1_epi8(16));
  }
  return r;
}
#define QL_X86_LUT(V32, V16)                                                                    \
  template <>                                                                                   \
  template <>                                                                                   \
  QL_INLINE V32 memory<V32>::lut(const vec_info<V32>::elem* table, u8x32 index) {               \
    return (V32)lut_256(table, (__m256i)index);                                                 \
  }                                                                                             \
  template <>                                                                                   \
  template <>                                                                                   \
  QL_INLINE V16 memory<V16>::lut(const vec_info<V16>::elem* table, u8x16 index) {               \
    return (V16)_mm256_castsi256_si128(lut_256(table, _mm256_castsi128_si256((__m128i)index))); \
  }
QL_X86_LUT(u8x32, u8x16)
QL_X86_LUT(i8x32, i8x16)
#undef QL_X86_LUT
#endif

// ---- products of 32 bits in 64 ----
template <>
struct native_binary<widening_mul_f, i64x4, i32x4, i32x4> {
  static QL_INLINE i64x4 run(i32x4 a, i32x4 b) {
    return (i64x4)_mm256_mul_epi32(_mm256_cvtepi32_epi64((__m128i)a), _mm256_cvtepi32_epi64((__m128i)b));
  }
};
template <>
struct native_binary<widening_mul_f, u64x4, u32x4, u32x4> {
  static QL_INLINE u64x4 run(u32x4 a, u32x4 b) {
    return (u64x4)_mm256_mul_epu32(_mm256_cvtepu32_epi64((__m128i)a), _mm256_cvtepu32_epi64((__m128i)b));
  }
};

QL_NAMESPACE_END

#endif

#endif
