#pragma once

/// Every elementary function of one argument, once, for the tests that go through all of them.

#include "frontend/numerics/elementary.h"

namespace qlathe::elementary {

/// visit(name, [](auto algebra, auto x) -> result) for each function; `algebra` is a value of the algebra's type.
template <class Visit>
void for_each_function(Visit&& visit) {
#define QL_FUNCTION(name) \
  visit(#name, [](auto algebra, typename decltype(algebra)::F x) { return name<decltype(algebra)>(x); })
  QL_FUNCTION(round_half_even);
  QL_FUNCTION(floor);
  QL_FUNCTION(ceil);
  QL_FUNCTION(exp);
  QL_FUNCTION(exp2);
  QL_FUNCTION(expm1_negative);
  QL_FUNCTION(log);
  QL_FUNCTION(log2);
  QL_FUNCTION(rsqrt);
  QL_FUNCTION(sigmoid);
  QL_FUNCTION(tanh);
  QL_FUNCTION(erf);
  QL_FUNCTION(gelu);
  QL_FUNCTION(gelu_tanh);
  QL_FUNCTION(silu);
  QL_FUNCTION(hard_sigmoid);
  QL_FUNCTION(hard_swish);
  QL_FUNCTION(softplus);
  QL_FUNCTION(elu);
  QL_FUNCTION(mish);
  QL_FUNCTION(sin);
  QL_FUNCTION(cos);
  QL_FUNCTION(power_of_two_ceil_exact);
#undef QL_FUNCTION
  visit("leaky_relu",
        [](auto algebra, typename decltype(algebra)::F x) { return leaky_relu<decltype(algebra)>(x, 0.1f); });
}

}  // namespace qlathe::elementary
