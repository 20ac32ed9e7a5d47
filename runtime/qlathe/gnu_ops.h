// Native vectors by the vector extension alone: what every instruction set gets where it has nothing better.
#ifndef QLATHE_GNU_OPS_H
#define QLATHE_GNU_OPS_H

#include "wide.h"

#if QL_FORM >= QL_FORM_GNU_VECTORS

QL_NAMESPACE_BEGIN

template <class To, class From>
struct bits_as_op<To, From, false> {
  static QL_INLINE To run(From x) { return (To)x; }
};

// Accesses without alignment and without type-based aliasing.
template <class V>
struct __attribute__((packed, may_alias)) unaligned {
  V v;
};

template <class V, size_t Bytes>
struct splat4_op {
  static QL_INLINE V run(const void* p) {
    typedef typename vec_of<i32, static_cast<int>(Bytes / 4)>::type W;
    return (V)(reinterpret_cast<const unaligned<i32>*>(p)->v - W());
  }
};
template <class V>
struct splat4_op<V, 4> {
  static QL_INLINE V run(const void* p) { return reinterpret_cast<const unaligned<V>*>(p)->v; }
};

template <class V, size_t Bytes>
struct splat2_op {
  static QL_INLINE V run(const void* p) {
    typedef typename vec_of<i16, static_cast<int>(Bytes / 2)>::type W;
    return (V)(reinterpret_cast<const unaligned<i16>*>(p)->v - W());
  }
};
template <class V>
struct splat2_op<V, 2> {
  static QL_INLINE V run(const void* p) { return reinterpret_cast<const unaligned<V>*>(p)->v; }
};

template <class V>
struct memory : memory_by_lanes<V> {
  typedef typename vec_info<V>::elem T;
  static QL_INLINE V load(const T* p) { return reinterpret_cast<const unaligned<V>*>(p)->v; }
  static QL_INLINE void store(T* p, V v) { reinterpret_cast<unaligned<V>*>(p)->v = v; }
  static QL_INLINE V splat(T x) { return x - V(); }
  static QL_INLINE V splat4(const T* p) { return splat4_op<V, sizeof(V)>::run(p); }
  static QL_INLINE V splat2(const T* p) { return splat2_op<V, sizeof(V)>::run(p); }
  // Instruction sets specialize these two.
  template <class I>
  static QL_INLINE V gather(const T* p, I index) {
    return memory_by_lanes<V>::gather(p, index);
  }
  template <class I>
  static QL_INLINE V lut(const T* table, I index) {
    return memory_by_lanes<V>::gather(table, index);
  }
};

// Signed lanes wrap through unsigned ones.
#define QL_GNU_WRAP(NAME, OP)                                                                         \
  template <class V>                                                                                  \
  struct native_binary<NAME##_f, V, V, V> {                                                           \
    typedef typename with_element<V, typename element<typename element_of<V>::type>::unsign>::type U; \
    static QL_INLINE V run(V a, V b) { return (V)((U)a OP(U) b); }                                    \
  };
QL_GNU_WRAP(wrap_add, +)
QL_GNU_WRAP(wrap_sub, -)
QL_GNU_WRAP(wrap_mul, *)
#undef QL_GNU_WRAP

template <class V>
struct native_binary<shl_f, V, V, int> {
  typedef typename with_element<V, typename element<typename element_of<V>::type>::unsign>::type U;
  static QL_INLINE V run(V a, int n) { return (V)((U)a << n); }
};
template <class V>
struct native_binary<shr_f, V, V, int> {
  static QL_INLINE V run(V a, int n) { return a >> n; }
};
template <class V, class N>
struct native_binary<shl_f, V, V, N> {
  typedef typename with_element<V, typename element<typename element_of<V>::type>::unsign>::type U;
  static QL_INLINE V run(V a, N n) { return (V)((U)a << (U)n); }
};
template <class V, class N>
struct native_binary<shr_f, V, V, N> {
  static QL_INLINE V run(V a, N n) { return a >> (V)n; }
};

template <class R, class A>
struct native_unary<convert_f, R, A> {
  static QL_INLINE R run(A a) { return __builtin_convertvector(a, R); }
};
template <class A>
struct native_unary<convert_f, A, A> {
  static QL_INLINE A run(A a) { return a; }
};
template <class R, class A, class B>
struct native_binary<widening_mul_f, R, A, B> {
  static QL_INLINE R run(A a, B b) { return unary<convert_f, R, A>::run(a) * unary<convert_f, R, B>::run(b); }
};
template <class R, class V>
struct native_binary<absd_f, R, V, V> {
  static QL_INLINE R run(V a, V b) {
    return (R)binary<max_f, V, V, V>::run(a, b) - (R)binary<min_f, V, V, V>::run(a, b);
  }
};

template <class M, class V>
struct native_binary<lt_f, M, V, V> {
  static QL_INLINE M run(V a, V b) { return (M)(a < b); }
};
template <class M, class V>
struct native_binary<le_f, M, V, V> {
  static QL_INLINE M run(V a, V b) { return (M)(a <= b); }
};
template <class M, class V>
struct native_binary<eq_f, M, V, V> {
  static QL_INLINE M run(V a, V b) { return (M)(a == b); }
};
template <class M, class V>
struct native_ternary<select_f, V, M, V, V> {
  static QL_INLINE V run(M m, V a, V b) { return (V)((m & (M)a) | (~m & (M)b)); }
};
// min and max by a comparison: g++ turns a nested a < b ? a : b on float vectors into scalar code.
template <class V>
struct native_binary<min_f, V, V, V> {
  static QL_INLINE V run(V a, V b) {
    typedef typename with_element<V, typename element<typename element_of<V>::type>::sign>::type M;
    return native_ternary<select_f, V, M, V, V>::run((M)(a < b), a, b);
  }
};
template <class V>
struct native_binary<max_f, V, V, V> {
  static QL_INLINE V run(V a, V b) {
    typedef typename with_element<V, typename element<typename element_of<V>::type>::sign>::type M;
    return native_ternary<select_f, V, M, V, V>::run((M)(a > b), a, b);
  }
};

QL_NAMESPACE_END

#endif

#endif
