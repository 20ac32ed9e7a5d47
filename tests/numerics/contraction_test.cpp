// An algebra that remembers which values are bare products: adding one would let a C++ compiler choose between one
// rounding and two.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/numerics/contracting_compiler.h"
#include "tests/numerics/function_list.h"

namespace qlathe::elementary {
namespace {

struct Tracked {
  float value;
  bool is_product = false;
};

/// Sums with a product since the last reset; the tests are single threaded.
int contractible_sums = 0;

Tracked sum(Tracked a, Tracked b, float value) {
  if (a.is_product || b.is_product) ++contractible_sums;
  return {value};
}
Tracked operator+(Tracked a, Tracked b) { return sum(a, b, a.value + b.value); }
Tracked operator-(Tracked a, Tracked b) { return sum(a, b, a.value - b.value); }
Tracked operator*(Tracked a, Tracked b) { return {a.value * b.value, true}; }
Tracked operator/(Tracked a, Tracked b) { return {a.value / b.value}; }
bool operator<(Tracked a, Tracked b) { return a.value < b.value; }
bool operator>(Tracked a, Tracked b) { return a.value > b.value; }
bool operator==(Tracked a, Tracked b) { return a.value == b.value; }

struct TrackingAlgebra {
  using F = Tracked;
  using I = int32_t;
  using B = bool;
  static F f32(float x) { return {x}; }
  static I i32(int32_t x) { return x; }
  static F fma(F a, F b, F c) { return {std::fma(a.value, b.value, c.value)}; }
  static F sqrt(F x) { return {std::sqrt(x.value)}; }
  static F select(B c, F a, F b) { return {c ? a.value : b.value}; }
  static I select(B c, I a, I b) { return c ? a : b; }
  static I bits(F x) { return std::bit_cast<int32_t>(x.value); }
  static F from_bits(I x) { return {std::bit_cast<float>(x)}; }
  static F to_float(I x) { return {static_cast<float>(x)}; }
};

const std::vector<float> kArguments = {0.0f, -0.0f, 1e-40f, 0.3f,  -0.3f,  0.9f, -0.9f,
                                       1.0f, 3.7f,  -3.7f,  50.0f, -50.0f, 1e30f};

TEST(Contraction, TrackingSeesAProductInASum) {
  contractible_sums = 0;
  Tracked x{3.0f};
  (void)(x * x + x);
  (void)(x - x * x);
  (void)(TrackingAlgebra::fma(x, x, x * x) + product<TrackingAlgebra>(x, x));
  EXPECT_EQ(contractible_sums, 2);
}

TEST(Contraction, NoFunctionAddsAProductOrReturnsOne) {
  for_each_function([](const char* name, auto function) {
    contractible_sums = 0;
    for (float x : kArguments) {
      Tracked result = function(TrackingAlgebra{}, Tracked{x, true});
      EXPECT_FALSE(result.is_product) << name << "(" << x << ") is a bare product: an addition to it may be fused";
    }
    EXPECT_EQ(contractible_sums, 0) << name << " adds a product";
  });
}

TEST(Contraction, PowAddsNoProduct) {
  contractible_sums = 0;
  for (float x : kArguments) {
    for (float y : kArguments) {
      EXPECT_FALSE(pow<TrackingAlgebra>(Tracked{x, true}, Tracked{y, true}).is_product) << x << " ^ " << y;
    }
  }
  EXPECT_EQ(contractible_sums, 0);
}

TEST(Contraction, TrackedValuesAreTheReferences) {
  for_each_function([](const char* name, auto function) {
    for (float x : kArguments) {
      EXPECT_EQ(std::bit_cast<int32_t>(function(TrackingAlgebra{}, Tracked{x}).value),
                std::bit_cast<int32_t>(function(ScalarAlgebra{}, x)))
          << name << "(" << x << ")";
    }
  });
}

TEST(Contraction, AContractingCompilerGivesTheSameBits) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("fma")) GTEST_SKIP() << "this machine has no FMA instructions";
#endif
  float a = 1.0f + 0x1p-12f;
  ASSERT_NE(contracted_product_sum(a, a, -1.0f), a * a - 1.0f)
      << "the compiler did not contract: the test proves nothing";
  std::mt19937 random(23);
  std::vector<float> x(1 << 18), y(x.size());
  for (float& value : x)
    value = std::bit_cast<float>(static_cast<uint32_t>(random()));
  std::vector<ContractedFunction> contracted = contracted_functions();
  size_t index = 0;
  for_each_function([&](const char* name, auto function) {
    contracted[index++].apply(x.data(), y.data(), static_cast<int64_t>(x.size()));
    int64_t differences = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      differences += std::bit_cast<int32_t>(y[i]) != std::bit_cast<int32_t>(function(ScalarAlgebra{}, x[i]));
    }
    EXPECT_EQ(differences, 0) << name;
  });
  for (size_t i = 0; i + 1 < x.size(); ++i) {
    float power = std::ldexp(static_cast<float>(random() % 2001) - 1000.0f, -static_cast<int>(random() % 12));
    ASSERT_EQ(std::bit_cast<int32_t>(contracted_pow(x[i], power)),
              std::bit_cast<int32_t>(pow<ScalarAlgebra>(x[i], power)))
        << x[i] << " ^ " << power;
  }
}

}  // namespace
}  // namespace qlathe::elementary
