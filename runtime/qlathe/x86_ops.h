// How x86 intrinsics become operations: one macro for each shape.
#ifndef QLATHE_X86_OPS_H
#define QLATHE_X86_OPS_H

#include "gnu_ops.h"

#if QL_FORM == QL_FORM_SSE2 || QL_FORM == QL_FORM_AVX2 || QL_FORM == QL_FORM_AVX512

QL_NAMESPACE_BEGIN

// R = CALL((M)a, (M)b) for vectors V; M is the intrinsic's register type.
#define QL_X86_BINARY(F, V, M, CALL)                                 \
  template <>                                                        \
  struct native_binary<F, V, V, V> {                                 \
    static QL_INLINE V run(V a, V b) { return (V)CALL((M)a, (M)b); } \
  };
#define QL_X86_UNARY_EXPR(F, R, A, EXPR)              \
  template <>                                         \
  struct native_unary<F, R, A> {                      \
    static QL_INLINE R run(A a) { return (R)(EXPR); } \
  };
#define QL_X86_UNARY(F, R, A, M, CALL) QL_X86_UNARY_EXPR(F, R, A, CALL((M)a))
// A conversion in two steps.
#define QL_X86_VIA(R, A, MIDDLE)                                                                                  \
  template <>                                                                                                     \
  struct native_unary<convert_f, R, A> {                                                                          \
    static QL_INLINE R run(A a) { return unary<convert_f, R, MIDDLE>::run(unary<convert_f, MIDDLE, A>::run(a)); } \
  };
#define QL_X86_FMA_OP(V, M, CALL)                                               \
  template <>                                                                   \
  struct native_ternary<fma_f, V, V, V, V> {                                    \
    static QL_INLINE V run(V a, V b, V c) { return (V)CALL((M)a, (M)b, (M)c); } \
  };
// See keep_rounding in scalar_float.h.
#define QL_X86_ROUNDED(V)                \
  template <>                            \
  struct native_unary<rounded_f, V, V> { \
    static QL_INLINE V run(V a) {        \
      __asm__("" : "+v"(a));             \
      return a;                          \
    }                                    \
  };
#define QL_X86_DOT(OP, ACC, A, B, EXPR)                                 \
  template <>                                                           \
  struct OP<ACC, A, B> {                                                \
    static QL_INLINE ACC run(ACC acc, A a, B b) { return (ACC)(EXPR); } \
  };

// Vectors of 4 and 8 bytes in a register and back.
template <class V>
QL_INLINE __m128i low_32(V v) {
  return _mm_cvtsi32_si128((i32)v);
}
template <class V>
QL_INLINE __m128i low_64(V v) {
  return _mm_cvtsi64_si128((i64)v);
}
QL_INLINE i32 first_32(__m128i v) { return _mm_cvtsi128_si32(v); }
QL_INLINE i64 first_64(__m128i v) { return _mm_cvtsi128_si64(v); }

// Even and odd bytes as 16-bit lanes, for dot products by pmaddwd: sign-extending whole vectors costs twice as much.
QL_INLINE __m128i even_bytes(u8x16 a) { return _mm_and_si128((__m128i)a, _mm_set1_epi16(255)); }
QL_INLINE __m128i odd_bytes(u8x16 a) { return _mm_srli_epi16((__m128i)a, 8); }
QL_INLINE __m128i even_bytes(i8x16 a) { return _mm_srai_epi16(_mm_slli_epi16((__m128i)a, 8), 8); }
QL_INLINE __m128i odd_bytes(i8x16 a) { return _mm_srai_epi16((__m128i)a, 8); }

QL_NAMESPACE_END

#endif

#endif
