#pragma once

/// Fixed-point functions of integer networks, with the integers of gemmlowp's fixedpoint.h (Q format arithmetic on raw
/// integers of 16 or 32 bits), as TFLite's reference kernels use them.
///
/// A raw integer of kBits bits with m integer bits stands for raw * 2^(m + 1 - kBits): [-2^m, 2^m). All are carried in
/// int32. A product adds the integer bits of its factors.

#include "frontend/numerics/fixed/algebra.h"

namespace qlathe::fixed {

template <int kBits>
inline constexpr int32_t kMax = static_cast<int32_t>((int64_t{1} << (kBits - 1)) - 1);
template <int kBits>
inline constexpr int32_t kMin = -kMax<kBits> - 1;

/// A constant given with 32 bits, rounded to kBits.
template <int kBits>
int32_t narrowed(int32_t raw32) {
  return rounding_divide_by_power(raw32, 32 - kBits);
}

/// Half up; the one product that does not fit saturates.
template <class A, int kBits>
typename A::I product(typename A::I a, typename A::I b) {
  if constexpr (kBits == 32) {
    return A::multiply_high(a, b);
  } else {
    const typename A::I high = (a * b + A::i32(1 << (kBits - 2))) >> (kBits - 1);
    return A::select(high > A::i32(kMax<kBits>), A::i32(kMax<kBits>), high);
  }
}

/// x * 2^n, n >= 0, saturated.
template <class A, int kBits>
typename A::I scaled_up(typename A::I x, int n) {
  if (n == 0) return x;
  const int32_t limit = (1 << (kBits - 1 - n)) - 1;
  return A::select(x > A::i32(limit), A::i32(kMax<kBits>),
                   A::select(x < A::i32(-limit), A::i32(kMin<kBits>), A::shift_left(x, n)));
}

/// x / 2^n, half away from zero.
template <class A>
typename A::I scaled_down(typename A::I x, int n) {
  const int32_t mask = (1 << n) - 1;
  const typename A::I threshold = A::select(x < A::i32(0), A::i32((mask >> 1) + 1), A::i32(mask >> 1));
  return (x >> n) + A::select((x & A::i32(mask)) > threshold, A::i32(1), A::i32(0));
}

/// exp(a) for a in [-1/4, 0), no integer bits: the series of fourth order around -1/8.
template <class A, int kBits>
typename A::I exp_near_zero(typename A::I a) {
  using I = typename A::I;
  const I center = A::i32(narrowed<kBits>(1895147668));  // exp(-1/8)
  const I third = A::i32(narrowed<kBits>(715827883));
  const I x = a + A::i32(1 << (kBits - 4));
  const I x2 = product<A, kBits>(x, x), x3 = product<A, kBits>(x2, x), x4 = product<A, kBits>(x2, x2);
  const I cubic = product<A, kBits>(scaled_down<A>(x4, 2) + x3, third);
  const I series = scaled_down<A>(cubic + x2, 1);
  const I sum = center + product<A, kBits>(center, x + series);
  if constexpr (kBits == 32) return sum;
  return A::select(sum > A::i32(kMax<kBits>), A::i32(kMax<kBits>), sum);
}

/// exp(a) for a <= 0 with m integer bits; the result has none, exp(0) is the largest number.
template <class A, int kBits>
typename A::I exp_of_negative(typename A::I a, int m) {
  using I = typename A::I;
  const int fraction = kBits - 1 - m;
  const int32_t quarter = 1 << (fraction - 2);
  // a = near - rest with near in [-1/4, 0) and rest a multiple of 1/4.
  const I near = (a & A::i32(quarter - 1)) - A::i32(quarter);
  const I rest = near - a;
  I result = exp_near_zero<A, kBits>(scaled_up<A, kBits>(near, m));
  // exp(-2^e) for every bit of the rest.
  constexpr int32_t kPowers[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  for (int e = -2; e <= 4 && e < m; e++) {
    const I factor = A::i32(narrowed<kBits>(kPowers[e + 2]));
    const I bit = rest & A::i32(1 << (fraction + e));
    result = A::select(bit == A::i32(0), result, product<A, kBits>(result, factor));
  }
  if (m > 5) result = A::select(a < A::i32(narrowed<kBits>(-(1 << (36 - m)))), A::i32(0), result);
  return A::select(a == A::i32(0), A::i32(kMax<kBits>), result);
}

/// 2 / (1 + a) for a in [0, 1) without integer bits, by three steps of Newton's method; the result has two.
template <class A, int kBits>
typename A::I twice_reciprocal_of_one_plus(typename A::I a) {
  using I = typename A::I;
  const I half = (a >> 1) + A::i32(1 << (kBits - 2));  // (1 + a) / 2, 1 being the largest number, half up
  I x = A::i32(narrowed<kBits>(1515870810)) +          // 48/17 - 32/17 * half
        product<A, kBits>(half, A::i32(narrowed<kBits>(-1010580540)));
  for (int i = 0; i < 3; i++) {
    const I error = A::i32(1 << (kBits - 3)) - product<A, kBits>(half, x);
    x = x + scaled_up<A, kBits>(product<A, kBits>(x, error), 2);
  }
  return x;
}

/// 1 / (1 + a) for a in [0, 1); neither has integer bits.
template <class A, int kBits>
typename A::I one_over_one_plus(typename A::I a) {
  // Never negative: scaled_up without its lower limit, from which a compiler would subtract the constants above.
  const typename A::I x = twice_reciprocal_of_one_plus<A, kBits>(a);
  return A::select(x > A::i32((1 << (kBits - 2)) - 1), A::i32(kMax<kBits>), A::shift_left(x, 1));
}

/// The logistic function of a number with m integer bits; the result has none.
template <class A, int kBits>
typename A::I logistic(typename A::I a, int m) {
  using I = typename A::I;
  const I minus = A::select(a > A::i32(0), A::i32(0) - a, a);
  const I positive = one_over_one_plus<A, kBits>(exp_of_negative<A, kBits>(minus, m));
  const I result = A::select(a > A::i32(0), positive, A::i32(kMax<kBits>) - positive);
  return A::select(a == A::i32(0), A::i32(1 << (kBits - 2)), result);
}

/// tanh of a number with m integer bits; the result has none.
template <class A, int kBits>
typename A::I tanh(typename A::I a, int m) {
  using I = typename A::I;
  const I minus = A::select(a < A::i32(0), a, A::i32(0) - a);
  const I x = twice_reciprocal_of_one_plus<A, kBits>(exp_of_negative<A, kBits>(minus, m + 1));
  const I size = scaled_up<A, kBits>(x - A::i32(1 << (kBits - 3)), 2);
  const I result = A::select(a < A::i32(0), A::i32(0) - size, size);
  return A::select(a == A::i32(0), A::i32(0), result);
}

}  // namespace qlathe::fixed
