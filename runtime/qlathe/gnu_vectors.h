// Vector types by the vector extension of g++ and clang++: up to QL_NATIVE_BYTES each is one register, wider ones are
// pairs (wide.h). vec_of<T, N>::type is the type, i32x16 and the like its names.
#ifndef QLATHE_GNU_VECTORS_H
#define QLATHE_GNU_VECTORS_H

#include "scalar_float.h"

#if QL_FORM >= QL_FORM_GNU_VECTORS

QL_NAMESPACE_BEGIN

template <class H>
struct wide {
  H lo, hi;
};

template <class T, int N>
struct vec_of {
  typedef wide<typename vec_of<T, N / 2>::type> type;
};

template <class V>
struct vec_info;
template <class H>
struct vec_info<wide<H> > {
  typedef typename vec_info<H>::elem elem;
  static const int lanes = 2 * vec_info<H>::lanes;
};

#define QL_GNU_VECTOR(T, N)                                      \
  typedef T T##x##N __attribute__((vector_size(sizeof(T) * N))); \
  template <>                                                    \
  struct vec_of<T, N> {                                          \
    typedef T##x##N type;                                        \
  };                                                             \
  template <>                                                    \
  struct vec_info<T##x##N> {                                     \
    typedef T elem;                                              \
    static const int lanes = N;                                  \
  };
#define QL_WIDE_VECTOR(T, N) typedef vec_of<T, N>::type T##x##N;

#if QL_NATIVE_BYTES >= 32
#define QL_VECTOR_32 QL_GNU_VECTOR
#else
#define QL_VECTOR_32 QL_WIDE_VECTOR
#endif
#if QL_NATIVE_BYTES >= 64
#define QL_VECTOR_64 QL_GNU_VECTOR
#else
#define QL_VECTOR_64 QL_WIDE_VECTOR
#endif

#define QL_VECTORS_8(T) \
  QL_GNU_VECTOR(T, 2)   \
  QL_GNU_VECTOR(T, 4)   \
  QL_GNU_VECTOR(T, 8)   \
  QL_GNU_VECTOR(T, 16) QL_VECTOR_32(T, 32) QL_VECTOR_64(T, 64) QL_WIDE_VECTOR(T, 128) QL_WIDE_VECTOR(T, 256)
#define QL_VECTORS_16(T) \
  QL_GNU_VECTOR(T, 2)    \
  QL_GNU_VECTOR(T, 4)    \
  QL_GNU_VECTOR(T, 8)    \
  QL_VECTOR_32(T, 16) QL_VECTOR_64(T, 32) QL_WIDE_VECTOR(T, 64) QL_WIDE_VECTOR(T, 128) QL_WIDE_VECTOR(T, 256)
#define QL_VECTORS_32(T) \
  QL_GNU_VECTOR(T, 2)    \
  QL_GNU_VECTOR(T, 4)    \
  QL_VECTOR_32(T, 8)     \
  QL_VECTOR_64(T, 16) QL_WIDE_VECTOR(T, 32) QL_WIDE_VECTOR(T, 64) QL_WIDE_VECTOR(T, 128) QL_WIDE_VECTOR(T, 256)
#define QL_VECTORS_64(T) \
  QL_GNU_VECTOR(T, 2)    \
  QL_VECTOR_32(T, 4)     \
  QL_VECTOR_64(T, 8)     \
  QL_WIDE_VECTOR(T, 16) QL_WIDE_VECTOR(T, 32) QL_WIDE_VECTOR(T, 64) QL_WIDE_VECTOR(T, 128) QL_WIDE_VECTOR(T, 256)
QL_VECTORS_8(i8)
QL_VECTORS_8(u8)
QL_VECTORS_16(i16)
QL_VECTORS_16(u16)
QL_VECTORS_32(i32)
QL_VECTORS_32(u32)
QL_VECTORS_32(f32)
QL_VECTORS_64(i64)
QL_VECTORS_64(u64)
QL_VECTORS_64(f64)

template <class V>
struct element_of<V, false> {
  typedef typename vec_info<V>::elem type;
};
template <class V, class T>
struct with_element<V, T, false> {
  typedef typename vec_of<T, vec_info<V>::lanes>::type type;
};
template <class V>
struct half_of {
  typedef typename vec_of<typename vec_info<V>::elem, vec_info<V>::lanes / 2>::type type;
};

// Lane numbers First, First + Step, ... for __builtin_shufflevector.
template <int... I>
struct sequence {};
template <int Count, int First, int Step, int... I>
struct make_sequence : make_sequence<Count - 1, First, Step, First + (Count - 1) * Step, I...> {};
template <int First, int Step, int... I>
struct make_sequence<0, First, Step, I...> {
  typedef sequence<I...> type;
};
template <class R, class V, int... I>
QL_INLINE R shuffle_by(V a, V b, sequence<I...>) {
  return __builtin_shufflevector(a, b, I...);
}

// The two halves of a vector and back.
template <class V>
struct halves {
  typedef typename half_of<V>::type H;
  static const int n = vec_info<H>::lanes;
  static QL_INLINE H lo(V v) { return shuffle_by<H>(v, v, typename make_sequence<n, 0, 1>::type()); }
  static QL_INLINE H hi(V v) { return shuffle_by<H>(v, v, typename make_sequence<n, n, 1>::type()); }
  static QL_INLINE V join(H a, H b) { return shuffle_by<V>(a, b, typename make_sequence<2 * n, 0, 1>::type()); }
};
template <class H2>
struct halves<wide<H2> > {
  typedef H2 H;
  static QL_INLINE H lo(wide<H> v) { return v.lo; }
  static QL_INLINE H hi(wide<H> v) { return v.hi; }
  static QL_INLINE wide<H> join(H a, H b) {
    wide<H> r = {a, b};
    return r;
  }
};

QL_NAMESPACE_END

#endif

#endif
