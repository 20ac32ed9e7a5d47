// The plain form: a vector is an array in a struct, every operation a loop over lanes. Valid C++11 on any compiler,
// correct for every kernel, and what the other forms are tested against; no product where speed counts.
#ifndef QLATHE_REFERENCE_VECTORS_H
#define QLATHE_REFERENCE_VECTORS_H

#include "generic.h"

#if QL_FORM == QL_FORM_REFERENCE_VECTORS

QL_NAMESPACE_BEGIN

template <class T, int N>
struct vec {
  T lane[static_cast<size_t>(N)];
};

template <class T, int N>
struct vec_of {
  typedef vec<T, N> type;
};
template <class V>
struct vec_info;
template <class T, int N>
struct vec_info<vec<T, N> > {
  typedef T elem;
  static const int lanes = N;
};
template <class V>
struct element_of<V, false> {
  typedef typename vec_info<V>::elem type;
};
template <class V, class T>
struct with_element<V, T, false> {
  typedef vec<T, vec_info<V>::lanes> type;
};
template <class V>
struct half_of {
  typedef vec<typename vec_info<V>::elem, vec_info<V>::lanes / 2> type;
};
template <class V>
struct halves {
  typedef typename half_of<V>::type H;
  static const int n = vec_info<H>::lanes;
  static QL_INLINE H lo(V v) {
    H r;
    for (int i = 0; i < n; i++)
      r.lane[i] = v.lane[i];
    return r;
  }
  static QL_INLINE H hi(V v) {
    H r;
    for (int i = 0; i < n; i++)
      r.lane[i] = v.lane[n + i];
    return r;
  }
  static QL_INLINE V join(H a, H b) {
    V r;
    for (int i = 0; i < n; i++)
      r.lane[i] = a.lane[i];
    for (int i = 0; i < n; i++)
      r.lane[n + i] = b.lane[i];
    return r;
  }
};

#define QL_REFERENCE_VECTORS(T) \
  typedef vec<T, 2> T##x2;      \
  typedef vec<T, 4> T##x4;      \
  typedef vec<T, 8> T##x8;      \
  typedef vec<T, 16> T##x16;    \
  typedef vec<T, 32> T##x32;    \
  typedef vec<T, 64> T##x64;    \
  typedef vec<T, 128> T##x128;  \
  typedef vec<T, 256> T##x256;
QL_REFERENCE_VECTORS(i8)
QL_REFERENCE_VECTORS(i16)
QL_REFERENCE_VECTORS(i32)
QL_REFERENCE_VECTORS(i64)
QL_REFERENCE_VECTORS(u8)
QL_REFERENCE_VECTORS(u16)
QL_REFERENCE_VECTORS(u32)
QL_REFERENCE_VECTORS(u64)
QL_REFERENCE_VECTORS(f32)
QL_REFERENCE_VECTORS(f64)
#undef QL_REFERENCE_VECTORS

// The lane is cast back: small integers are promoted to int by the operators.
#define QL_REFERENCE_OPERATOR(OP)                             \
  template <class T, int N>                                   \
  QL_INLINE vec<T, N> operator OP(vec<T, N> a, vec<T, N> b) { \
    vec<T, N> r;                                              \
    for (int i = 0; i < N; i++)                               \
      r.lane[i] = static_cast<T>(a.lane[i] OP b.lane[i]);     \
    return r;                                                 \
  }
QL_REFERENCE_OPERATOR(+)
QL_REFERENCE_OPERATOR(-)
QL_REFERENCE_OPERATOR(/)
QL_REFERENCE_OPERATOR(&)
QL_REFERENCE_OPERATOR(|)
QL_REFERENCE_OPERATOR(^)
#undef QL_REFERENCE_OPERATOR
template <class T, int N>
QL_INLINE vec<T, N> operator*(vec<T, N> a, vec<T, N> b) {
  vec<T, N> r;
  for (int i = 0; i < N; i++)
    r.lane[i] = static_cast<T>(a.lane[i] * b.lane[i]);
  return r;
}
// u16 * u16 would overflow the int it is promoted to.
template <int N>
QL_INLINE vec<u16, N> operator*(vec<u16, N> a, vec<u16, N> b) {
  vec<u16, N> r;
  for (int i = 0; i < N; i++)
    r.lane[i] = wrap_mul_f::run<u16>(a.lane[i], b.lane[i]);
  return r;
}
template <class T, int N>
QL_INLINE vec<T, N> operator~(vec<T, N> a) {
  vec<T, N> r;
  for (int i = 0; i < N; i++)
    r.lane[i] = static_cast<T>(~a.lane[i]);
  return r;
}
template <class T, int N>
QL_INLINE vec<T, N> operator<<(vec<T, N> a, int n) {
  vec<T, N> r;
  for (int i = 0; i < N; i++)
    r.lane[i] = shl_f::run<T>(a.lane[i], n);
  return r;
}
template <class T, int N>
QL_INLINE vec<T, N> operator>>(vec<T, N> a, int n) {
  vec<T, N> r;
  for (int i = 0; i < N; i++)
    r.lane[i] = shr_f::run<T>(a.lane[i], n);
  return r;
}

template <class V>
struct memory : memory_by_lanes<V> {};
template <class R, class V, int... I>
struct shuffle_op : shuffle_by_lanes<R, V, I...> {};
template <class R, class V>
struct interleave_op : interleave_by_lanes<R, V> {};
template <class F, class R, class A>
struct reduce_op : reduce_by_lanes<F, R, A> {};

QL_NAMESPACE_END

#endif

#endif
