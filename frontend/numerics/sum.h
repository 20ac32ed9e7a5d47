#pragma once

/// The two orders in which a sum may be stated (SumOrder in frontend/ops/enums.h). Shapes decide between them, never
/// the target: a float sum has different last bits in each.

#include <array>
#include <cstddef>
#include <cstdint>

namespace qlathe {

inline constexpr int kInterleavedPartials = 16;

/// One accumulator, index ascending: sum = step(sum, i) for i = 0, 1, ..., n - 1, from `sum`. `step` is one addition
/// (sum + x[i]) or one fused multiply-add (fma(a[i], b[i], sum)).
template <class Value, class Step>
Value sum_sequential(int64_t n, Value sum, Step&& step) {
  for (int64_t i = 0; i < n; ++i)
    sum = step(sum, i);
  return sum;
}

/// The tree that closes an interleaved sum: p[i] + p[i + h] for i < h, with h = 8, 4, 2, 1; the result is p[0].
template <class Value>
Value add_partials(std::array<Value, kInterleavedPartials> p) {
  for (size_t half = kInterleavedPartials / 2; half > 0; half /= 2) {
    for (size_t i = 0; i < half; ++i)
      p[i] = p[i] + p[i + half];
  }
  return p[0];
}

/// 16 interleaved partial sums and one tree: partial j starts at `zero` and takes the indices j, j + 16, j + 32, ...
/// below n in ascending order; then add_partials. Every partial takes part, also those that no index reached.
//
/// From +0, steps with x = +0 (or 0 * 0) change no bit of any partial, so a kernel may pad n to a multiple of 16 with
/// zeros: a float sum from +0 never becomes -0 when rounding to nearest.
template <class Value, class Step>
Value sum_interleaved16(int64_t n, Value zero, Step&& step) {
  std::array<Value, kInterleavedPartials> p;
  p.fill(zero);
  for (int64_t i = 0; i < n; ++i) {
    Value& partial = p[static_cast<size_t>(i % kInterleavedPartials)];
    partial = step(partial, i);
  }
  return add_partials(p);
}

}  // namespace qlathe
