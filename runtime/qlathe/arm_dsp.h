// 32-bit ARM with the DSP extension (Cortex-M4, M7, M33): smlad adds two products of 16-bit halves. Everything else is
// the plain form's.
#ifndef QLATHE_ARM_DSP_H
#define QLATHE_ARM_DSP_H

#include "reference_vectors.h"

#if QL_ARM_DSP

QL_NAMESPACE_BEGIN

// The bytes 0 and 2, or 1 and 3, of a word as halves of the same numbers. The rotation is part of the instruction;
// compilers have no name for that form.
#define QL_DSP_HALVES(V, EXTEND)                               \
  template <>                                                  \
  struct halves_of_bytes<V> {                                  \
    static QL_INLINE i32 even(i32 word) {                      \
      i32 r;                                                   \
      __asm__(EXTEND " %0, %1" : "=r"(r) : "r"(word));         \
      return r;                                                \
    }                                                          \
    static QL_INLINE i32 odd(i32 word) {                       \
      i32 r;                                                   \
      __asm__(EXTEND " %0, %1, ror #8" : "=r"(r) : "r"(word)); \
      return r;                                                \
    }                                                          \
  };
template <class V>
struct halves_of_bytes;
QL_DSP_HALVES(i8x4, "sxtb16")
QL_DSP_HALVES(u8x4, "uxtb16")
#undef QL_DSP_HALVES

#define QL_DSP_DOT4(A, B)                                                           \
  template <>                                                                       \
  struct dot4_op<i32, A, B> {                                                       \
    static QL_INLINE i32 run(i32 acc, A a, B b) {                                   \
      i32 x, y;                                                                     \
      copy_bytes<4>(&x, &a);                                                        \
      copy_bytes<4>(&y, &b);                                                        \
      acc = __smlad(halves_of_bytes<A>::even(x), halves_of_bytes<B>::even(y), acc); \
      return __smlad(halves_of_bytes<A>::odd(x), halves_of_bytes<B>::odd(y), acc);  \
    }                                                                               \
  };
QL_DSP_DOT4(i8x4, i8x4)
QL_DSP_DOT4(u8x4, i8x4)
QL_DSP_DOT4(u8x4, u8x4)
#undef QL_DSP_DOT4

QL_NAMESPACE_END

#endif

#endif
