#pragma once
#include <cstdint>

#include "frontend/numerics/sum.h"
#include "frontend/ops/enums.h"

namespace qlathe {

/// Sum of n steps from +0 in the stated order; step(sum, i) adds element i.
template <class Value, class Step>
Value ordered_sum(SumOrder order, int64_t n, Step&& step) {
  return order == SumOrder::kSequential ? sum_sequential(n, Value{}, step) : sum_interleaved16(n, Value{}, step);
}

/// max and min as the steps of that name define them: NaN in x gives y.
template <class Value>
Value max_step(Value x, Value y) {
  return x > y ? x : y;
}
template <class Value>
Value min_step(Value x, Value y) {
  return x < y ? x : y;
}

}  // namespace qlathe
