// The errors that the docstrings of frontend/numerics/elementary state, against double precision.
// QLATHE_ACCURACY_STRIDE=61 takes one float of 61 (the stated numbers were measured so) and prints the errors; the
// default is one of 4093.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "frontend/numerics/elementary.h"

namespace qlathe::elementary {
namespace {

using S = ScalarAlgebra;

uint32_t stride() {
  const char* text = std::getenv("QLATHE_ACCURACY_STRIDE");
  return text ? static_cast<uint32_t>(std::strtoul(text, nullptr, 10)) : 4093;
}

/// Distance of `value` from `exact` in units of the last place of the float32 nearest to `exact`.
double ulps(float value, double exact) {
  if (std::isnan(exact)) return std::isnan(value) ? 0 : 1e9;
  if (std::isnan(value)) return 1e9;
  if (std::fabs(exact) >= 0x1.ffffffp127) return std::isinf(value) && (value > 0) == (exact > 0) ? 0 : 1e9;
  if (std::isinf(value)) return 1e9;
  int exponent = std::max(exact == 0 ? -149 : std::ilogb(exact) - 23, -149);
  return std::fabs(static_cast<double>(value) - exact) / std::ldexp(1.0, exponent);
}

struct Case {
  const char* name;
  float (*function)(float);
  double (*exact)(double);
  double lo, hi;     ///< interval of arguments
  double max_error;  ///< as in the docstring
};

double gelu_exact(double x) { return 0.5 * x * std::erfc(-x * M_SQRT1_2); }
double sigmoid_exact(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
double gelu_tanh_exact(double x) { return x * sigmoid_exact(2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)); }
double mish_exact(double x) {
  double e = std::exp(std::min(x, 100.0)), n = e * (e + 2);
  return x * (n / (n + 2));
}

float elu_one(float x) { return elu<S>(x); }

constexpr double kAll = std::numeric_limits<double>::infinity();
const Case kCases[] = {
    {"exp", exp<S>, std::exp, -87.33, kAll, 0.9},
    {"exp_denormal", exp<S>, std::exp, -kAll, -87.33, 0.9},
    {"exp2", exp2<S>, std::exp2, -kAll, kAll, 0.9},
    {"expm1_negative", expm1_negative<S>, std::expm1, -kAll, 0, 1.0},
    {"log", log<S>, std::log, -kAll, kAll, 0.9},
    {"log2", log2<S>, std::log2, -kAll, kAll, 1.0},
    {"log1p_unit", log1p_unit<S>, std::log1p, 0, 1, 1.5},
    {"rsqrt", rsqrt<S>, [](double x) { return 1 / std::sqrt(x); }, -kAll, kAll, 1.5},
    {"sigmoid", sigmoid<S>, sigmoid_exact, -kAll, kAll, 2.4},
    {"tanh", tanh<S>, std::tanh, -kAll, kAll, 1.4},
    {"erf", erf<S>, std::erf, -kAll, kAll, 1.3},
    {"gelu", gelu<S>, gelu_exact, -12.9, kAll, 6.5},
    {"gelu_tanh", gelu_tanh<S>, gelu_tanh_exact, -1, kAll, 3},
    {"gelu_tanh_tail", gelu_tanh<S>, gelu_tanh_exact, -5, -1, 31},
    {"silu", silu<S>, [](double x) { return x * sigmoid_exact(x); }, -87, kAll, 3.2},
    {"softplus", softplus<S>, [](double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); }, -kAll,
     kAll, 1.9},
    {"elu", elu_one, [](double x) { return x > 0 ? x : std::expm1(x); }, -kAll, kAll, 1.0},
    {"mish", mish<S>, mish_exact, -87, kAll, 4.5},
    {"sin", sin<S>, std::sin, -kTrigonometricLimit, kTrigonometricLimit, 1.6},
    {"cos", cos<S>, std::cos, -kTrigonometricLimit, kTrigonometricLimit, 1.6},
};

class Accuracy : public testing::TestWithParam<Case> {};

TEST_P(Accuracy, ErrorIsWhatTheDocumentationStates) {
  const Case& c = GetParam();
  double worst = 0;
  float worst_at = 0;
  int64_t count = 0;
  for (uint64_t bits = 0; bits <= 0xffffffffu; bits += stride()) {
    float x = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (!(x >= c.lo && x <= c.hi)) continue;
    ++count;
    double error = ulps(c.function(x), c.exact(x));
    if (error > worst) worst = error, worst_at = x;
  }
  RecordProperty("ulp", std::to_string(worst));
  if (std::getenv("QLATHE_ACCURACY_STRIDE"))
    std::printf("%-16s %.4f ulp at %.9g (%ld floats)\n", c.name, worst, worst_at, count);
  EXPECT_GT(count, 100) << "the interval of " << c.name << " holds no floats";
  EXPECT_LE(worst, c.max_error) << c.name << "(" << worst_at << ") = " << c.function(worst_at) << ", exact "
                                << c.exact(worst_at);
}

INSTANTIATE_TEST_SUITE_P(Elementary, Accuracy, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace qlathe::elementary
