// What acts within groups of 16 bytes, as the shuffles and packs of x86 do: interleaving, and narrowing with
// saturation.
#ifndef QLATHE_VECTOR_LANES_H
#define QLATHE_VECTOR_LANES_H

#include "vector_api.h"

#if QL_FORM != QL_FORM_SCALARS

QL_NAMESPACE_BEGIN

// Elements of `Bytes` bytes of a and b in turn, from the lower (or upper) half of each group of 16 bytes.
template <class V, int Bytes, int High>
struct zip_op {
  static QL_INLINE V run(V a, V b) {
    const lanes_of<V> x(a), y(b);
    lanes_of<V> r;
    for (int i = 0; i < lanes_of<V>::n; i++) {
      const int in_group = i % 16, element = in_group / Bytes;
      const int from = i - in_group + High * 8 + element / 2 * Bytes + in_group % Bytes;
      r.lane[i] = element % 2 == 0 ? x.lane[from] : y.lane[from];
    }
    return r.pack();
  }
};

template <class To>
QL_INLINE To saturated(i32 x, i32 z) {
  return sat<To>(static_cast<i64>(x) + z);
}

// Group i of the result: the groups i (four int32 each) of a, b, c, d, z added, saturated to bytes. Where z is not 0,
// 16 bits hold every sum.
template <class R, class V>
struct pack4_op {
  static QL_INLINE R run(V a, V b, V c, V d, i32 z) {
    const lanes_of<V> v[4] = {lanes_of<V>(a), lanes_of<V>(b), lanes_of<V>(c), lanes_of<V>(d)};
    lanes_of<R> r;
    for (int i = 0; i < lanes_of<R>::n; i++)
      r.lane[i] = saturated<typename vec_info<R>::elem>(v[i % 16 / 4].lane[i / 16 * 4 + i % 4], z);
    return r.pack();
  }
};

// a, b, c, d saturated to bytes and joined.
template <class R, class V>
struct narrow4_op {
  static QL_INLINE R run(V a, V b, V c, V d, i32 z) {
    const lanes_of<V> v[4] = {lanes_of<V>(a), lanes_of<V>(b), lanes_of<V>(c), lanes_of<V>(d)};
    lanes_of<R> r;
    for (int i = 0; i < lanes_of<R>::n; i++)
      r.lane[i] = saturated<typename vec_info<R>::elem>(v[i / lanes_of<V>::n].lane[i % lanes_of<V>::n], z);
    return r.pack();
  }
};

#if QL_FORM == QL_FORM_AVX512
#define QL_X86_ZIP(V, BYTES, HIGH, CALL)                 \
  template <>                                            \
  struct zip_op<V, BYTES, HIGH> {                        \
    static QL_INLINE V run(V a, V b) { return (V)CALL; } \
  };
QL_X86_ZIP(u8x64, 1, 0, _mm512_maskz_unpacklo_epi8(all_64, (__m512i)a, (__m512i)b))
QL_X86_ZIP(u8x64, 1, 1, _mm512_maskz_unpackhi_epi8(all_64, (__m512i)a, (__m512i)b))
QL_X86_ZIP(u8x64, 2, 0, _mm512_maskz_unpacklo_epi16(all_32, (__m512i)a, (__m512i)b))
QL_X86_ZIP(u8x64, 2, 1, _mm512_maskz_unpackhi_epi16(all_32, (__m512i)a, (__m512i)b))
#undef QL_X86_ZIP
QL_INLINE __m512i plus(__m512i words, i32 z) {
  return z == 0 ? words : _mm512_maskz_adds_epi16(all_32, words, _mm512_set1_epi16(static_cast<short>(z)));
}
#define QL_X86_PACK4(R, CALL)                                                               \
  template <>                                                                               \
  struct pack4_op<R, i32x16> {                                                              \
    static QL_INLINE R run(i32x16 a, i32x16 b, i32x16 c, i32x16 d, i32 z) {                 \
      const __m512i ab = plus(_mm512_maskz_packs_epi32(all_32, (__m512i)a, (__m512i)b), z); \
      const __m512i cd = plus(_mm512_maskz_packs_epi32(all_32, (__m512i)c, (__m512i)d), z); \
      return (R)CALL(all_64, ab, cd);                                                       \
    }                                                                                       \
  };
QL_X86_PACK4(u8x64, _mm512_maskz_packus_epi16)
QL_X86_PACK4(i8x64, _mm512_maskz_packs_epi16)
#undef QL_X86_PACK4
// Packs, whose groups of 16 bytes hold four of each operand, and the words back into order.
template <class R>
struct narrow4_op<R, i32x16> {
  static QL_INLINE R run(i32x16 a, i32x16 b, i32x16 c, i32x16 d, i32 z) {
    const i32x16 order = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    return (R)_mm512_maskz_permutexvar_epi32(all_16, (__m512i)order, (__m512i)pack4_op<R, i32x16>::run(a, b, c, d, z));
  }
};
#endif

template <class V>
QL_INLINE V zip_lo1(V a, V b) {
  return zip_op<V, 1, 0>::run(a, b);
}
template <class V>
QL_INLINE V zip_hi1(V a, V b) {
  return zip_op<V, 1, 1>::run(a, b);
}
template <class V>
QL_INLINE V zip_lo2(V a, V b) {
  return zip_op<V, 2, 0>::run(a, b);
}
template <class V>
QL_INLINE V zip_hi2(V a, V b) {
  return zip_op<V, 2, 1>::run(a, b);
}
template <class R, class V>
QL_INLINE R pack4(V a, V b, V c, V d, i32 z) {
  return pack4_op<R, V>::run(a, b, c, d, z);
}
template <class R, class V>
QL_INLINE R narrow4(V a, V b, V c, V d, i32 z) {
  return narrow4_op<R, V>::run(a, b, c, d, z);
}

QL_NAMESPACE_END

#endif

#endif
