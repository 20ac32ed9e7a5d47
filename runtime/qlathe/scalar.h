// Operations on scalars, in plain C++11. Each is a functor `name_f` with a lane function, which defines what the vector
// forms do in every lane, and a public function `name` for scalars and vectors alike.
#ifndef QLATHE_SCALAR_H
#define QLATHE_SCALAR_H

#include "config.h"

QL_NAMESPACE_BEGIN

// Properties of the element types. `wide` has twice the bits, `sign` and `unsign` the same bits as integers.
template <class T>
struct element;
template <class T>
struct is_scalar {
  static const bool value = false;
};
#define QL_ELEMENT(T, WIDE, SIGN, UNSIGN, IS_SIGNED, IS_FLOAT, LOW, HIGH) \
  template <>                                                             \
  struct is_scalar<T> {                                                   \
    static const bool value = true;                                       \
  };                                                                      \
  template <>                                                             \
  struct element<T> {                                                     \
    typedef WIDE wide;                                                    \
    typedef SIGN sign;                                                    \
    typedef UNSIGN unsign;                                                \
    static const bool is_signed = IS_SIGNED;                              \
    static const bool is_float = IS_FLOAT;                                \
    static QL_INLINE T low() { return LOW; }                              \
    static QL_INLINE T high() { return HIGH; }                            \
  }
QL_ELEMENT(i8, i16, i8, u8, true, false, INT8_MIN, INT8_MAX);
QL_ELEMENT(i16, i32, i16, u16, true, false, INT16_MIN, INT16_MAX);
QL_ELEMENT(i32, i64, i32, u32, true, false, INT32_MIN, INT32_MAX);
QL_ELEMENT(i64, i64, i64, u64, true, false, INT64_MIN, INT64_MAX);
QL_ELEMENT(u8, u16, i8, u8, false, false, 0, UINT8_MAX);
QL_ELEMENT(u16, u32, i16, u16, false, false, 0, UINT16_MAX);
QL_ELEMENT(u32, u64, i32, u32, false, false, 0, UINT32_MAX);
QL_ELEMENT(u64, u64, i64, u64, false, false, 0, UINT64_MAX);
QL_ELEMENT(f32, f64, i32, u32, true, true, -3.402823466e+38f, 3.402823466e+38f);
QL_ELEMENT(f64, f64, i64, u64, true, true, -1.7976931348623157e+308, 1.7976931348623157e+308);
#undef QL_ELEMENT

// How an operation F runs on a type: scalars call the lane function, vectors are specialized elsewhere.
template <class F, class R, class A, bool Scalar = is_scalar<A>::value>
struct unary;
template <class F, class R, class A, class B, bool Scalar = is_scalar<A>::value>
struct binary;
template <class F, class R, class A, class B, class C, bool Scalar = is_scalar<A>::value>
struct ternary;
template <class F, class R, class A>
struct unary<F, R, A, true> {
  static QL_INLINE R run(A a) { return F::template run<R>(a); }
};
template <class F, class R, class A, class B>
struct binary<F, R, A, B, true> {
  static QL_INLINE R run(A a, B b) { return F::template run<R>(a, b); }
};
template <class F, class R, class A, class B, class C>
struct ternary<F, R, A, B, C, true> {
  static QL_INLINE R run(A a, B b, C c) { return F::template run<R>(a, b, c); }
};

// The type with the lanes of V and elements T; scalars have one lane.
template <class V, class T, bool Scalar = is_scalar<V>::value>
struct with_element;
template <class V, class T>
struct with_element<V, T, true> {
  typedef T type;
};
template <class V, bool Scalar = is_scalar<V>::value>
struct element_of;
template <class V>
struct element_of<V, true> {
  typedef V type;
};

#define QL_UNARY(NAME)                    \
  template <class V>                      \
  QL_INLINE V NAME(V a) {                 \
    return unary<NAME##_f, V, V>::run(a); \
  }
#define QL_BINARY(NAME)                          \
  template <class V>                             \
  QL_INLINE V NAME(V a, V b) {                   \
    return binary<NAME##_f, V, V, V>::run(a, b); \
  }

// The type for arithmetic that wraps: unsigned, and at least as wide as int (u16 * u16 overflows an int).
template <class T>
struct wrapping {
  typedef u32 type;
};
template <>
struct wrapping<i64> {
  typedef u64 type;
};
template <>
struct wrapping<u64> {
  typedef u64 type;
};

struct wrap_add_f {
  template <class T>
  static QL_INLINE T run(T a, T b) {
    typedef typename wrapping<T>::type U;
    return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
  }
};
struct wrap_sub_f {
  template <class T>
  static QL_INLINE T run(T a, T b) {
    typedef typename wrapping<T>::type U;
    return static_cast<T>(static_cast<U>(a) - static_cast<U>(b));
  }
};
struct wrap_mul_f {
  template <class T>
  static QL_INLINE T run(T a, T b) {
    typedef typename wrapping<T>::type U;
    return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
  }
};
QL_BINARY(wrap_add)
QL_BINARY(wrap_sub)
QL_BINARY(wrap_mul)

// Shifts by 0 <= n < bits; of negative numbers too: to the left through unsigned, to the right arithmetically.
struct shl_f {
  template <class T, class N>
  static QL_INLINE T run(T a, N n) {
    typedef typename wrapping<T>::type U;
    return static_cast<T>(static_cast<U>(a) << n);
  }
};
struct shr_f {
  template <class T, class N>
  static QL_INLINE T run(T a, N n) {
    return static_cast<T>(a >> n);
  }
};
template <class V, class N>
QL_INLINE V shl(V a, N n) {
  return binary<shl_f, V, V, N>::run(a, n);
}
template <class V, class N>
QL_INLINE V shr(V a, N n) {
  return binary<shr_f, V, V, N>::run(a, n);
}

// a < b ? a : b, for floats too: the second where one is NaN, as minps does.
struct min_f {
  template <class T>
  static QL_INLINE T run(T a, T b) {
    return a < b ? a : b;
  }
};
struct max_f {
  template <class T>
  static QL_INLINE T run(T a, T b) {
    return a > b ? a : b;
  }
};
QL_BINARY(min)
QL_BINARY(max)

// The quotient that leaves a remainder that is never negative; 0 for a zero divisor.
struct div_euclid_f {
  template <class T>
  static QL_INLINE T run(T a, T b) {
    if (b == 0) return 0;
    if (!element<T>::is_signed) return static_cast<T>(a / b);
    if (b == static_cast<T>(-1)) return wrap_sub_f::run<T>(T(0), a);
    const T q = static_cast<T>(a / b), r = static_cast<T>(a % b);
    if (!(r < T(0))) return q;
    return static_cast<T>(b < T(0) ? q + 1 : q - 1);
  }
};
// That remainder.
struct mod_euclid_f {
  template <class T>
  static QL_INLINE T run(T a, T b) {
    if (b == 0 || (element<T>::is_signed && b == static_cast<T>(-1))) return 0;
    const T r = static_cast<T>(a % b);
    if (!element<T>::is_signed || !(r < T(0))) return r;
    return static_cast<T>(b < T(0) ? r - b : r + b);
  }
};
QL_BINARY(div_euclid)
QL_BINARY(mod_euclid)

// The same bits as another type.
template <class To, class From, bool Scalar = is_scalar<From>::value>
struct bits_as_op {
  static QL_INLINE To run(From x) {
    static_assert(sizeof(To) == sizeof(From), "same bits");
    To r;
    copy_bytes<sizeof(To)>(&r, &x);
    return r;
  }
};
template <class To, class From>
QL_INLINE To bits_as(From x) {
  return bits_as_op<To, From>::run(x);
}

// |a| as the unsigned type for integers; floats lose the sign bit.
template <class T, bool IsFloat = element<T>::is_float>
struct magnitude {
  typedef typename element<T>::unsign type;
  static QL_INLINE type run(T a) {
    return a < T(0) ? wrap_sub_f::run<type>(type(0), static_cast<type>(a)) : static_cast<type>(a);
  }
};
template <class T>
struct magnitude<T, true> {
  typedef T type;
  static QL_INLINE T run(T a) {
    typedef typename element<T>::unsign U;
    return bits_as<T>(static_cast<U>(bits_as<U>(a) & (static_cast<U>(~U(0)) >> 1)));
  }
};
struct abs_f {
  template <class R, class T>
  static QL_INLINE R run(T a) {
    return magnitude<T>::run(a);
  }
};
template <class V>
QL_INLINE typename with_element<V, typename magnitude<typename element_of<V>::type>::type>::type abs(V a) {
  return unary<abs_f, typename with_element<V, typename magnitude<typename element_of<V>::type>::type>::type, V>::run(
      a);
}

// |a - b| of integers, as the unsigned type.
struct absd_f {
  template <class R, class T>
  static QL_INLINE R run(T a, T b) {
    return a < b ? wrap_sub_f::run<R>(static_cast<R>(b), static_cast<R>(a))
                 : wrap_sub_f::run<R>(static_cast<R>(a), static_cast<R>(b));
  }
};
template <class V>
QL_INLINE typename with_element<V, typename element<typename element_of<V>::type>::unsign>::type absd(V a, V b) {
  typedef typename with_element<V, typename element<typename element_of<V>::type>::unsign>::type R;
  return binary<absd_f, R, V, V>::run(a, b);
}

struct saturating_add_f {
  template <class T>
  static QL_INLINE T run(T a, T b) {
    const T sum = wrap_add_f::run<T>(a, b);
    if (!element<T>::is_signed || !(b < T(0))) return sum < a ? element<T>::high() : sum;
    return sum > a ? element<T>::low() : sum;
  }
};
struct saturating_sub_f {
  template <class T>
  static QL_INLINE T run(T a, T b) {
    const T difference = wrap_sub_f::run<T>(a, b);
    if (!element<T>::is_signed || !(b < T(0))) return difference > a ? element<T>::low() : difference;
    return difference < a ? element<T>::high() : difference;
  }
};
QL_BINARY(saturating_add)
QL_BINARY(saturating_sub)

// (a + b) >> 1 and (a + b + 1) >> 1 without overflow.
struct halving_add_f {
  template <class T>
  static QL_INLINE T run(T a, T b) {
    return wrap_add_f::run<T>(static_cast<T>(a & b), static_cast<T>((a ^ b) >> 1));
  }
};
struct rounding_halving_add_f {
  template <class T>
  static QL_INLINE T run(T a, T b) {
    return wrap_sub_f::run<T>(static_cast<T>(a | b), static_cast<T>((a ^ b) >> 1));
  }
};
QL_BINARY(halving_add)
QL_BINARY(rounding_halving_add)

struct count_leading_zeros_f {
  template <class T>
  static QL_INLINE T run(T a) {
    const typename element<T>::unsign bits = static_cast<typename element<T>::unsign>(a);
    int n = 0;
    for (int bit = static_cast<int>(sizeof(T)) * 8 - 1; bit >= 0 && ((bits >> bit) & 1) == 0; bit--)
      n++;
    return static_cast<T>(n);
  }
};
struct popcount_f {
  template <class T>
  static QL_INLINE T run(T a) {
    const typename element<T>::unsign bits = static_cast<typename element<T>::unsign>(a);
    int n = 0;
    for (int bit = 0; bit < static_cast<int>(sizeof(T)) * 8; bit++)
      n += static_cast<int>((bits >> bit) & 1);
    return static_cast<T>(n);
  }
};
QL_UNARY(count_leading_zeros)
QL_UNARY(popcount)

// Saturating conversion between integers.
struct sat_f {
  template <class To, class From>
  static QL_INLINE To run(From x) {
    if (element<From>::is_signed && x < From(0)) {
      if (!element<To>::is_signed) return 0;
      return static_cast<i64>(x) < static_cast<i64>(element<To>::low()) ? element<To>::low() : static_cast<To>(x);
    }
    return static_cast<u64>(x) > static_cast<u64>(element<To>::high()) ? element<To>::high() : static_cast<To>(x);
  }
};
template <class To, class From>
QL_INLINE To sat(From x) {
  return unary<sat_f, To, From>::run(x);
}

// The product in twice the bits; signed unless both are unsigned.
template <class A, class B>
struct widening_product {
  typedef typename element<typename element<A>::sign>::wide type;
};
template <class A>
struct widening_product<A, A> {
  typedef typename element<A>::wide type;
};
struct widening_mul_f {
  template <class R, class A, class B>
  static QL_INLINE R run(A a, B b) {
    return wrap_mul_f::run<R>(static_cast<R>(a), static_cast<R>(b));
  }
};
template <class A, class B>
QL_INLINE typename with_element<
    A, typename widening_product<typename element_of<A>::type, typename element_of<B>::type>::type>::type
widening_mul(A a, B b) {
  typedef typename with_element<
      A, typename widening_product<typename element_of<A>::type, typename element_of<B>::type>::type>::type R;
  return binary<widening_mul_f, R, A, B>::run(a, b);
}

QL_NAMESPACE_END

#endif
