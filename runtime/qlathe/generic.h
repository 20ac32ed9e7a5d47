// Every vector operation by lanes: the meaning of the interface, and what an instruction set gets where it has nothing
// better. Native GNU vectors and the reference structs have the layout of an array of their elements.
#ifndef QLATHE_GENERIC_H
#define QLATHE_GENERIC_H

#include "scalar_float.h"

#if QL_FORM != QL_FORM_SCALARS

QL_NAMESPACE_BEGIN

template <class V>
struct vec_info;  // elem, lanes: defined by the form of the vectors

template <class V>
struct lanes_of {
  typedef typename vec_info<V>::elem T;
  static const int n = vec_info<V>::lanes;
  T lane[static_cast<size_t>(n)];
  QL_INLINE lanes_of() {}
  explicit QL_INLINE lanes_of(V v) { copy_bytes<sizeof(V)>(lane, &v); }
  QL_INLINE V pack() const {
    V v;
    copy_bytes<sizeof(V)>(&v, lane);
    return v;
  }
};

// What an instruction set specializes for its registers.
template <class F, class R, class A>
struct native_unary {
  static QL_INLINE R run(A a) {
    const lanes_of<A> x(a);
    lanes_of<R> r;
    for (int i = 0; i < lanes_of<R>::n; i++)
      r.lane[i] = F::template run<typename lanes_of<R>::T>(x.lane[i]);
    return r.pack();
  }
};
template <class F, class R, class A, class B>
struct native_binary {
  static QL_INLINE R run(A a, B b) {
    const lanes_of<A> x(a);
    const lanes_of<B> y(b);
    lanes_of<R> r;
    for (int i = 0; i < lanes_of<R>::n; i++) {
      r.lane[i] = F::template run<typename lanes_of<R>::T>(x.lane[i], y.lane[i]);
    }
    return r.pack();
  }
};
template <class F, class R, class A>
struct native_binary<F, R, A, int> {  // shifts by one count
  static QL_INLINE R run(A a, int b) {
    const lanes_of<A> x(a);
    lanes_of<R> r;
    for (int i = 0; i < lanes_of<R>::n; i++)
      r.lane[i] = F::template run<typename lanes_of<R>::T>(x.lane[i], b);
    return r.pack();
  }
};
template <class F, class R, class A, class B, class C>
struct native_ternary {
  static QL_INLINE R run(A a, B b, C c) {
    const lanes_of<A> x(a);
    const lanes_of<B> y(b);
    const lanes_of<C> z(c);
    lanes_of<R> r;
    for (int i = 0; i < lanes_of<R>::n; i++) {
      r.lane[i] = F::template run<typename lanes_of<R>::T>(x.lane[i], y.lane[i], z.lane[i]);
    }
    return r.pack();
  }
};

template <class F, class R, class A>
struct unary<F, R, A, false> {
  static QL_INLINE R run(A a) { return native_unary<F, R, A>::run(a); }
};
template <class F, class R, class A, class B>
struct binary<F, R, A, B, false> {
  static QL_INLINE R run(A a, B b) { return native_binary<F, R, A, B>::run(a, b); }
};
template <class F, class R, class A, class B, class C>
struct ternary<F, R, A, B, C, false> {
  static QL_INLINE R run(A a, B b, C c) { return native_ternary<F, R, A, B, C>::run(a, b, c); }
};

template <class M>
struct mask_lane;  // whether a lane of a mask is true
#if QL_FORM == QL_FORM_AVX512
// One bit a lane.
template <int N>
struct kmask {
  u64 bits[static_cast<size_t>((N + 63) / 64)];
};
template <int N>
struct mask_lane<kmask<N> > {
  static QL_INLINE bool get(kmask<N> m, int i) { return ((m.bits[i / 64] >> (i % 64)) & 1) != 0; }
};
template <class V>
struct mask_of {
  typedef kmask<vec_info<V>::lanes> type;
};
#else
template <class M>
struct mask_lane {
  static QL_INLINE bool get(M m, int i) { return lanes_of<M>(m).lane[i] != 0; }
};
// Masks are integers of the compared width, -1 for true.
template <class V>
struct mask_of {
  typedef typename with_element<V, typename element<typename element_of<V>::type>::sign>::type type;
};
#endif
struct lt_f {
  template <class R, class T>
  static QL_INLINE R run(T a, T b) {
    return static_cast<R>(a < b ? -1 : 0);
  }
};
struct le_f {
  template <class R, class T>
  static QL_INLINE R run(T a, T b) {
    return static_cast<R>(a <= b ? -1 : 0);
  }
};
struct eq_f {
  template <class R, class T>
  static QL_INLINE R run(T a, T b) {
    return static_cast<R>(a == b ? -1 : 0);
  }
};
struct select_f {
  template <class R, class M, class T>
  static QL_INLINE R run(M m, T a, T b) {
    return m != 0 ? a : b;
  }
};
struct is_nan_f {
  template <class R, class T>
  static QL_INLINE R run(T a) {
    return static_cast<R>(a == a ? 0 : -1);
  }
};
// A mask for vectors V from a mask of another width.
template <class To, class From>
struct mask_cast {
  static QL_INLINE To run(From m) { return unary<convert_f, To, From>::run(m); }
};
template <class M>
struct mask_cast<M, M> {
  static QL_INLINE M run(M m) { return m; }
};

// Memory.
template <class V>
struct memory_by_lanes {
  typedef typename vec_info<V>::elem T;
  static const int n = vec_info<V>::lanes;
  static QL_INLINE V load(const T* p) {
    V v;
    copy_bytes<sizeof(V)>(&v, p);
    return v;
  }
  static QL_INLINE void store(T* p, V v) { copy_bytes<sizeof(V)>(p, &v); }
  // The first `count` elements (none where it is negative); the rest of the vector is zero.
  static QL_INLINE V load_first(const T* p, int count) {
    lanes_of<V> r;
    for (int i = 0; i < n; i++)
      r.lane[i] = i < count ? p[i] : T(0);
    return r.pack();
  }
  static QL_INLINE void store_first(T* p, int count, V v) {
    const lanes_of<V> x(v);
    for (int i = 0; i < n && i < count; i++)
      p[i] = x.lane[i];
  }
  template <class M>
  static QL_INLINE V load_masked(const T* p, M mask) {
    lanes_of<V> r;
    for (int i = 0; i < n; i++)
      r.lane[i] = mask_lane<M>::get(mask, i) ? p[i] : T(0);
    return r.pack();
  }
  template <class M>
  static QL_INLINE void store_masked(T* p, M mask, V v) {
    const lanes_of<V> x(v);
    for (int i = 0; i < n; i++) {
      if (mask_lane<M>::get(mask, i)) p[i] = x.lane[i];
    }
  }
  template <int... I>
  static QL_INLINE V load_lanes(const T* p) {
    const int index[] = {I...};
    lanes_of<V> r;
    for (int i = 0; i < n; i++)
      r.lane[i] = p[index[i]];
    return r.pack();
  }
  static QL_INLINE V load_strided(const T* p, int stride) {
    lanes_of<V> r;
    for (int i = 0; i < n; i++)
      r.lane[i] = p[i * stride];
    return r.pack();
  }
  static QL_INLINE void store_strided(T* p, int stride, V v) {
    const lanes_of<V> x(v);
    for (int i = 0; i < n; i++)
      p[i * stride] = x.lane[i];
  }
  template <class I>
  static QL_INLINE V gather(const T* p, I index) {
    const lanes_of<I> k(index);
    lanes_of<V> r;
    for (int i = 0; i < n; i++)
      r.lane[i] = p[k.lane[i]];
    return r.pack();
  }
  template <class I>
  static QL_INLINE void scatter(T* p, I index, V v) {
    const lanes_of<I> k(index);
    const lanes_of<V> x(v);
    for (int i = 0; i < n; i++)
      p[k.lane[i]] = x.lane[i];
  }
  template <class I>
  static QL_INLINE V lut(const T* table, I index) {
    return gather(table, index);
  }
  static QL_INLINE V splat(T x) {
    lanes_of<V> r;
    for (int i = 0; i < n; i++)
      r.lane[i] = x;
    return r.pack();
  }
  static QL_INLINE V ramp(T first, T step) {
    lanes_of<V> r;
    T x = first;
    for (int i = 0; i < n; i++) {
      r.lane[i] = x;
      x = static_cast<T>(x + step);
    }
    return r.pack();
  }
  // Each group of 4 (2) bytes is the 4 (2) bytes at p.
  static QL_INLINE V splat4(const T* p) {
    lanes_of<V> r;
    for (int i = 0; i < n; i++)
      r.lane[i] = p[i % static_cast<int>(4 / sizeof(T))];
    return r.pack();
  }
  static QL_INLINE V splat2(const T* p) {
    lanes_of<V> r;
    for (int i = 0; i < n; i++)
      r.lane[i] = p[i % static_cast<int>(2 / sizeof(T))];
    return r.pack();
  }
};

// The forms choose what memory<V> is.
template <class V>
struct memory;

// acc[i] + a[4i] * b[4i] + ... + a[4i+3] * b[4i+3], and with pairs.
template <class Acc, class A, class B>
struct dot4_op {
  static QL_INLINE Acc run(Acc acc, A a, B b) {
    const lanes_of<A> x(a);
    const lanes_of<B> y(b);
    lanes_of<Acc> r(acc);
    for (int i = 0; i < lanes_of<Acc>::n; i++) {
      typename lanes_of<Acc>::T sum = r.lane[i];
      for (int j = 4 * i; j < 4 * i + 4; j++) {
        sum = wrap_add_f::run(sum, static_cast<typename lanes_of<Acc>::T>(x.lane[j] * y.lane[j]));
      }
      r.lane[i] = sum;
    }
    return r.pack();
  }
};
template <class Acc, class A, class B>
struct dot2_op {
  static QL_INLINE Acc run(Acc acc, A a, B b) {
    typedef typename lanes_of<Acc>::T T;
    const lanes_of<A> x(a);
    const lanes_of<B> y(b);
    lanes_of<Acc> r(acc);
    for (int i = 0; i < lanes_of<Acc>::n; i++) {
      T sum = r.lane[i];
      for (int j = 2 * i; j < 2 * i + 2; j++) {
        sum = wrap_add_f::run(sum, wrap_mul_f::run(static_cast<T>(x.lane[j]), static_cast<T>(y.lane[j])));
      }
      r.lane[i] = sum;
    }
    return r.pack();
  }
};
// acc[i] + w[4i] * a[4 * lane] + ... + w[4i+3] * a[4 * lane + 3]: 4 elements of a for all lanes.
template <class Acc, class W, class A>
struct dot4_lane_op {
  static QL_INLINE Acc run(Acc acc, W w, A a, int lane) {
    typedef typename lanes_of<Acc>::T T;
    const lanes_of<W> x(w);
    const lanes_of<A> y(a);
    lanes_of<Acc> r(acc);
    for (int i = 0; i < lanes_of<Acc>::n; i++) {
      T sum = r.lane[i];
      for (int j = 0; j < 4; j++)
        sum = wrap_add_f::run(sum, static_cast<T>(x.lane[4 * i + j] * y.lane[4 * lane + j]));
      r.lane[i] = sum;
    }
    return r.pack();
  }
};
// Accumulators of one lane.
template <class A, class B>
struct dot4_op<i32, A, B> {
  static QL_INLINE i32 run(i32 acc, A a, B b) {
    const lanes_of<A> x(a);
    const lanes_of<B> y(b);
    for (int j = 0; j < 4; j++)
      acc = wrap_add_f::run(acc, static_cast<i32>(x.lane[j] * y.lane[j]));
    return acc;
  }
};
template <class A, class B>
struct dot2_op<i32, A, B> {
  static QL_INLINE i32 run(i32 acc, A a, B b) {
    const lanes_of<A> x(a);
    const lanes_of<B> y(b);
    for (int j = 0; j < 2; j++) {
      acc = wrap_add_f::run(acc, wrap_mul_f::run(static_cast<i32>(x.lane[j]), static_cast<i32>(y.lane[j])));
    }
    return acc;
  }
};

// Groups of adjacent lanes combined into one: R has fewer lanes than A, or is a scalar.
template <class R, bool Scalar = is_scalar<R>::value>
struct lane_count {
  static const int value = 1;
};
template <class R>
struct lane_count<R, false> {
  static const int value = vec_info<R>::lanes;
};
template <class F, class R, class A>
struct reduce_by_lanes {
  static QL_INLINE R run(A a) {
    typedef typename vec_info<A>::elem T;
    const int groups = lane_count<R>::value, factor = vec_info<A>::lanes / groups;
    const lanes_of<A> x(a);
    T r[static_cast<size_t>(groups)];
    for (int i = 0; i < groups; i++) {
      r[i] = x.lane[i * factor];
      for (int j = 1; j < factor; j++)
        r[i] = F::template run<T>(r[i], x.lane[i * factor + j]);
    }
    R result;
    copy_bytes<sizeof(R)>(&result, r);
    return result;
  }
};

// Lanes I... of the concatenation of a and b.
template <class R, class V, int... I>
struct shuffle_by_lanes {
  static QL_INLINE R run(V a, V b) {
    const int n = vec_info<V>::lanes, index[] = {I...};
    const lanes_of<V> x(a), y(b);
    lanes_of<R> r;
    for (int i = 0; i < lanes_of<R>::n; i++)
      r.lane[i] = index[i] < n ? x.lane[index[i]] : y.lane[index[i] - n];
    return r.pack();
  }
};

// a[0], b[0], a[1], b[1], ...
template <class R, class V>
struct interleave_by_lanes {
  static QL_INLINE R run(V a, V b) {
    const lanes_of<V> x(a), y(b);
    lanes_of<R> r;
    for (int i = 0; i < lanes_of<V>::n; i++) {
      r.lane[2 * i] = x.lane[i];
      r.lane[2 * i + 1] = y.lane[i];
    }
    return r.pack();
  }
};

QL_NAMESPACE_END

#endif

#endif
