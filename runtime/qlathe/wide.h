// Vectors wider than a register: every operation by halves.
#ifndef QLATHE_WIDE_H
#define QLATHE_WIDE_H

#include "generic.h"
#include "gnu_vectors.h"

#if QL_FORM >= QL_FORM_GNU_VECTORS

QL_NAMESPACE_BEGIN

template <class F, class R, class A>
struct unary<F, wide<R>, wide<A>, false> {
  static QL_INLINE wide<R> run(wide<A> a) {
    wide<R> r = {unary<F, R, A>::run(a.lo), unary<F, R, A>::run(a.hi)};
    return r;
  }
};
template <class F, class R, class A>
struct unary<F, wide<R>, A, false> {
  typedef typename half_of<A>::type H;
  static QL_INLINE wide<R> run(A a) {
    wide<R> r = {unary<F, R, H>::run(halves<A>::lo(a)), unary<F, R, H>::run(halves<A>::hi(a))};
    return r;
  }
};
template <class F, class R, class A>
struct unary<F, R, wide<A>, false> {
  typedef typename half_of<R>::type H;
  static QL_INLINE R run(wide<A> a) { return halves<R>::join(unary<F, H, A>::run(a.lo), unary<F, H, A>::run(a.hi)); }
};

template <class F, class R, class A, class B>
struct binary<F, wide<R>, wide<A>, wide<B>, false> {
  static QL_INLINE wide<R> run(wide<A> a, wide<B> b) {
    wide<R> r = {binary<F, R, A, B>::run(a.lo, b.lo), binary<F, R, A, B>::run(a.hi, b.hi)};
    return r;
  }
};
template <class F, class R, class A, class B>
struct binary<F, wide<R>, A, B, false> {
  typedef typename half_of<A>::type HA;
  typedef typename half_of<B>::type HB;
  static QL_INLINE wide<R> run(A a, B b) {
    wide<R> r = {binary<F, R, HA, HB>::run(halves<A>::lo(a), halves<B>::lo(b)),
                 binary<F, R, HA, HB>::run(halves<A>::hi(a), halves<B>::hi(b))};
    return r;
  }
};
template <class F, class R, class A>
struct binary<F, wide<R>, wide<A>, int, false> {  // shifts by one count
  static QL_INLINE wide<R> run(wide<A> a, int b) {
    wide<R> r = {binary<F, R, A, int>::run(a.lo, b), binary<F, R, A, int>::run(a.hi, b)};
    return r;
  }
};
template <class F, class R, class A, class B, class C>
struct ternary<F, wide<R>, wide<A>, wide<B>, wide<C>, false> {
  static QL_INLINE wide<R> run(wide<A> a, wide<B> b, wide<C> c) {
    wide<R> r = {ternary<F, R, A, B, C>::run(a.lo, b.lo, c.lo), ternary<F, R, A, B, C>::run(a.hi, b.hi, c.hi)};
    return r;
  }
};

#define QL_WIDE_OPERATOR(OP)                            \
  template <class H>                                    \
  QL_INLINE wide<H> operator OP(wide<H> a, wide<H> b) { \
    wide<H> r = {a.lo OP b.lo, a.hi OP b.hi};           \
    return r;                                           \
  }
QL_WIDE_OPERATOR(+)
QL_WIDE_OPERATOR(-)
QL_WIDE_OPERATOR(*)
QL_WIDE_OPERATOR(/)
QL_WIDE_OPERATOR(&)
QL_WIDE_OPERATOR(|)
QL_WIDE_OPERATOR(^)
#undef QL_WIDE_OPERATOR
template <class H>
QL_INLINE wide<H> operator~(wide<H> a) {
  wide<H> r = {~a.lo, ~a.hi};
  return r;
}
template <class H>
QL_INLINE wide<H> operator<<(wide<H> a, int n) {
  wide<H> r = {a.lo << n, a.hi << n};
  return r;
}
template <class H>
QL_INLINE wide<H> operator>>(wide<H> a, int n) {
  wide<H> r = {a.lo >> n, a.hi >> n};
  return r;
}

// Memory, dots, reductions and shuffles of wide vectors.
template <class H>
struct memory<wide<H> > : memory_by_lanes<wide<H> > {
  typedef typename vec_info<H>::elem T;
  static const int n = vec_info<H>::lanes;
  static QL_INLINE wide<H> pair(H lo, H hi) {
    wide<H> r = {lo, hi};
    return r;
  }
  static QL_INLINE wide<H> load(const T* p) { return pair(memory<H>::load(p), memory<H>::load(p + n)); }
  static QL_INLINE void store(T* p, wide<H> v) {
    memory<H>::store(p, v.lo);
    memory<H>::store(p + n, v.hi);
  }
  static QL_INLINE wide<H> load_first(const T* p, int count) {
    return pair(memory<H>::load_first(p, count), memory<H>::load_first(p + n, count - n));
  }
  static QL_INLINE void store_first(T* p, int count, wide<H> v) {
    memory<H>::store_first(p, count, v.lo);
    memory<H>::store_first(p + n, count - n, v.hi);
  }
  static QL_INLINE wide<H> splat(T x) { return pair(memory<H>::splat(x), memory<H>::splat(x)); }
  static QL_INLINE wide<H> splat4(const T* p) { return pair(memory<H>::splat4(p), memory<H>::splat4(p)); }
  static QL_INLINE wide<H> splat2(const T* p) { return pair(memory<H>::splat2(p), memory<H>::splat2(p)); }
  template <class I>
  static QL_INLINE wide<H> gather(const T* p, I index) {
    return pair(memory<H>::gather(p, halves<I>::lo(index)), memory<H>::gather(p, halves<I>::hi(index)));
  }
  template <class I>
  static QL_INLINE wide<H> lut(const T* table, I index) {
    return pair(memory<H>::lut(table, halves<I>::lo(index)), memory<H>::lut(table, halves<I>::hi(index)));
  }
};

template <class Acc, class A, class B>
struct dot4_op<wide<Acc>, wide<A>, wide<B> > {
  static QL_INLINE wide<Acc> run(wide<Acc> acc, wide<A> a, wide<B> b) {
    wide<Acc> r = {dot4_op<Acc, A, B>::run(acc.lo, a.lo, b.lo), dot4_op<Acc, A, B>::run(acc.hi, a.hi, b.hi)};
    return r;
  }
};
template <class Acc, class A, class B>
struct dot2_op<wide<Acc>, wide<A>, wide<B> > {
  static QL_INLINE wide<Acc> run(wide<Acc> acc, wide<A> a, wide<B> b) {
    wide<Acc> r = {dot2_op<Acc, A, B>::run(acc.lo, a.lo, b.lo), dot2_op<Acc, A, B>::run(acc.hi, a.hi, b.hi)};
    return r;
  }
};
template <class Acc, class W, class A>
struct dot4_lane_op<wide<Acc>, wide<W>, A> {
  static QL_INLINE wide<Acc> run(wide<Acc> acc, wide<W> w, A a, int lane) {
    wide<Acc> r = {dot4_lane_op<Acc, W, A>::run(acc.lo, w.lo, a, lane),
                   dot4_lane_op<Acc, W, A>::run(acc.hi, w.hi, a, lane)};
    return r;
  }
};

// To a scalar: halves combined until one lane is left. To a vector: even and odd lanes combined, log2 of the factor
// times. Integer sums wrap and min and max have no order, so every order is the same.
template <class F, class R, class A, int Factor, bool ToScalar = is_scalar<R>::value>
struct reduce_steps;
template <class F, class R, class A, int Factor>
struct reduce_steps<F, R, A, Factor, true> {
  typedef typename half_of<A>::type H;
  static QL_INLINE R run(A a) {
    return reduce_steps<F, R, H, Factor / 2>::run(binary<F, H, H, H>::run(halves<A>::lo(a), halves<A>::hi(a)));
  }
};
template <class F, class R, class A>
struct reduce_steps<F, R, A, 2, true> : reduce_by_lanes<F, R, A> {};
template <class F, class R, class A>
struct reduce_steps<F, R, A, 1, true> : reduce_by_lanes<F, R, A> {};
template <class F, class R, class A, int Factor>
struct reduce_steps<F, R, A, Factor, false> {
  typedef typename half_of<A>::type H;
  static const int n = vec_info<H>::lanes;
  static QL_INLINE R run(A a) { return reduce_steps<F, R, H, Factor / 2>::run(pairs(a)); }
  template <class V>
  static QL_INLINE H pairs(V v) {
    return binary<F, H, H, H>::run(shuffle_by<H>(v, v, typename make_sequence<n, 0, 2>::type()),
                                   shuffle_by<H>(v, v, typename make_sequence<n, 1, 2>::type()));
  }
  template <class X>
  static QL_INLINE H pairs(wide<X> v) {
    typedef reduce_steps<F, typename half_of<X>::type, X, 2> part;
    return halves<H>::join(part::run(v.lo), part::run(v.hi));
  }
};
template <class F, class R, class A>
struct reduce_steps<F, R, A, 1, false> {
  static QL_INLINE R run(A a) { return a; }
};
template <class F, class R, class A>
struct reduce_op : reduce_steps<F, R, A, vec_info<A>::lanes / lane_count<R>::value> {};

// Native to native by the compiler's shuffle, whatever is wide by lanes.
template <class R, class V, int... I>
struct shuffle_op {
  static QL_INLINE R run(V a, V b) { return __builtin_shufflevector(a, b, I...); }
};
template <class R, class V, int... I>
struct shuffle_op<wide<R>, V, I...> : shuffle_by_lanes<wide<R>, V, I...> {};
template <class R, class V, int... I>
struct shuffle_op<R, wide<V>, I...> : shuffle_by_lanes<R, wide<V>, I...> {};
template <class R, class V, int... I>
struct shuffle_op<wide<R>, wide<V>, I...> : shuffle_by_lanes<wide<R>, wide<V>, I...> {};

// The halves of the result one by one: registers of the operands' size are what has an instruction.
template <int Count, int N, int First, int... I>
struct make_zip : make_zip<Count - 2, N, First, First + Count / 2 - 1, First + Count / 2 - 1 + N, I...> {};
template <int N, int First, int... I>
struct make_zip<0, N, First, I...> {
  typedef sequence<I...> type;
};
template <class R, class V>
struct interleave_op {
  static const int n = vec_info<V>::lanes;
  static QL_INLINE R run(V a, V b) {
    return halves<R>::join(shuffle_by<V>(a, b, typename make_zip<n, n, 0>::type()),
                           shuffle_by<V>(a, b, typename make_zip<n, n, n / 2>::type()));
  }
};
template <class R, class H>
struct interleave_op<R, wide<H> > {
  static QL_INLINE R run(wide<H> a, wide<H> b) {
    return halves<R>::join(interleave_op<wide<H>, H>::run(a.lo, b.lo), interleave_op<wide<H>, H>::run(a.hi, b.hi));
  }
};

template <class To, class From>
struct bits_as_op<wide<To>, wide<From>, false> {
  static QL_INLINE wide<To> run(wide<From> x) {
    wide<To> r = {bits_as_op<To, From>::run(x.lo), bits_as_op<To, From>::run(x.hi)};
    return r;
  }
};
QL_NAMESPACE_END

#endif

#endif
