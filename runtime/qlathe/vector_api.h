// The vector functions that emitted code calls, beside those of scalar.h and scalar_float.h. README.md has the table.
#ifndef QLATHE_VECTOR_API_H
#define QLATHE_VECTOR_API_H

#include "generic.h"

#if QL_FORM != QL_FORM_SCALARS

QL_NAMESPACE_BEGIN

// Memory. Pointers need no alignment beyond that of their element.
template <class V>
QL_INLINE V load(const typename vec_info<V>::elem* p) {
  return memory<V>::load(p);
}
template <class V>
QL_INLINE void store(typename vec_info<V>::elem* p, V v) {
  memory<V>::store(p, v);
}
template <class V>
QL_INLINE V load_first(const typename vec_info<V>::elem* p, int count) {
  return memory<V>::load_first(p, count);
}
template <class V>
QL_INLINE void store_first(typename vec_info<V>::elem* p, int count, V v) {
  memory<V>::store_first(p, count, v);
}
template <class V, class M>
QL_INLINE V load_masked(const typename vec_info<V>::elem* p, M mask) {
  return memory<V>::load_masked(p, mask);
}
template <class M, class V>
QL_INLINE void store_masked(typename vec_info<V>::elem* p, M mask, V v) {
  memory<V>::store_masked(p, mask, v);
}
template <class V, int... I>
QL_INLINE V load_lanes(const typename vec_info<V>::elem* p) {
  return memory<V>::template load_lanes<I...>(p);
}
template <class V>
QL_INLINE V load_strided(const typename vec_info<V>::elem* p, int stride) {
  return memory<V>::load_strided(p, stride);
}
template <class V>
QL_INLINE void store_strided(typename vec_info<V>::elem* p, int stride, V v) {
  memory<V>::store_strided(p, stride, v);
}
template <class V, class I>
QL_INLINE V gather(const typename vec_info<V>::elem* p, I index) {
  return memory<V>::gather(p, index);
}
template <class V, class I>
QL_INLINE void scatter(typename vec_info<V>::elem* p, I index, V v) {
  memory<V>::scatter(p, index, v);
}
template <class V, class I>
QL_INLINE V lut(const typename vec_info<V>::elem* table, I index) {
  return memory<V>::lut(table, index);
}
template <class V>
QL_INLINE V splat(typename vec_info<V>::elem x) {
  return memory<V>::splat(x);
}
template <class V>
QL_INLINE V splat4(const typename vec_info<V>::elem* p) {
  return memory<V>::splat4(p);
}
template <class V>
QL_INLINE V splat2(const typename vec_info<V>::elem* p) {
  return memory<V>::splat2(p);
}
template <class V>
QL_INLINE V ramp(typename vec_info<V>::elem first, typename vec_info<V>::elem step) {
  return memory<V>::ramp(first, step);
}

// Comparison and selection.
template <class V>
QL_INLINE typename mask_of<V>::type lt(V a, V b) {
  return binary<lt_f, typename mask_of<V>::type, V, V>::run(a, b);
}
template <class V>
QL_INLINE typename mask_of<V>::type le(V a, V b) {
  return binary<le_f, typename mask_of<V>::type, V, V>::run(a, b);
}
template <class V>
QL_INLINE typename mask_of<V>::type eq(V a, V b) {
  return binary<eq_f, typename mask_of<V>::type, V, V>::run(a, b);
}
template <class M>
QL_INLINE M mask_not(M a) {
  return ~a;
}
template <class A, class B>
QL_INLINE A mask_and(A a, B b) {
  return a & mask_cast<A, B>::run(b);
}
template <class A, class B>
QL_INLINE A mask_or(A a, B b) {
  return a | mask_cast<A, B>::run(b);
}
template <class V>
QL_INLINE typename mask_of<V>::type is_nan(V a) {
  return mask_not(eq(a, a));
}
template <class M, class V>
QL_INLINE V select(M m, V a, V b) {
  typedef typename mask_of<V>::type MV;
  return ternary<select_f, V, MV, V, V>::run(mask_cast<MV, M>::run(m), a, b);
}

// Dot products: the accumulator has a quarter (half) of the lanes.
template <class Acc, class A, class B>
QL_INLINE Acc dot4(Acc acc, A a, B b) {
  return dot4_op<Acc, A, B>::run(acc, a, b);
}
template <class Acc, class A, class B>
QL_INLINE Acc dot2(Acc acc, A a, B b) {
  return dot2_op<Acc, A, B>::run(acc, a, b);
}
// With elements 4 * lane to 4 * lane + 3 of `a` for all lanes of w.
template <class Acc, class W, class A>
QL_INLINE Acc dot4_lane(Acc acc, W w, A a, int lane) {
  return dot4_lane_op<Acc, W, A>::run(acc, w, a, lane);
}

// Adjacent lanes combined.
#define QL_REDUCE(NAME, F)             \
  template <class R, class A>          \
  QL_INLINE R NAME(A a) {              \
    return reduce_op<F, R, A>::run(a); \
  }
QL_REDUCE(reduce_add, wrap_add_f)
QL_REDUCE(reduce_mul, wrap_mul_f)
QL_REDUCE(reduce_min, min_f)
QL_REDUCE(reduce_max, max_f)
#undef QL_REDUCE

// Lanes.
template <class V>
QL_INLINE typename vec_info<V>::elem extract(V v, int lane) {
  return lanes_of<V>(v).lane[lane];
}
template <class R, int... I, class V>
QL_INLINE R shuffle(V a, V b) {
  return shuffle_op<R, V, I...>::run(a, b);
}
template <class V>
QL_INLINE typename vec_of<typename vec_info<V>::elem, 2 * vec_info<V>::lanes>::type interleave(V a, V b) {
  return interleave_op<typename vec_of<typename vec_info<V>::elem, 2 * vec_info<V>::lanes>::type, V>::run(a, b);
}
template <class V>
QL_INLINE typename vec_of<typename vec_info<V>::elem, 2 * vec_info<V>::lanes>::type concat(V a, V b) {
  return halves<typename vec_of<typename vec_info<V>::elem, 2 * vec_info<V>::lanes>::type>::join(a, b);
}

QL_NAMESPACE_END

#endif

#endif
