#pragma once
#include <cstdint>
#include <random>

#include "frontend/ir/graph.h"

namespace qlathe::testing {

/// Random numbers with the same sequence everywhere (the standard's distributions differ between libraries).
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  /// From lo to hi, both included.
  int64_t integer(int64_t lo, int64_t hi);
  /// In [lo, hi).
  float real(float lo, float hi);
  bool chance(double probability) { return static_cast<double>(real(0, 1)) < probability; }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[static_cast<size_t>(integer(0, static_cast<int64_t>(from.size()) - 1))];
  }

 private:
  std::mt19937_64 engine_;
};

/// Integers and codes over their whole range (codes without NaN and infinity), bool, floats in [-bound, bound).
HostTensor random_tensor(Random& random, ValueType type, const Shape& shape, float bound = 2.f);
/// Integers in [lo, hi].
HostTensor random_integers(Random& random, ValueType type, const Shape& shape, int64_t lo, int64_t hi);
/// One random tensor per graph input.
std::vector<HostTensor> random_inputs(Random& random, const Graph& graph, float bound = 2.f);

}  // namespace qlathe::testing
