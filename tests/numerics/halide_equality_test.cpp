// The elementary functions as kernels, compiled by Halide with strict_float, against the scalar reference: the same
// source over two algebras must give the same bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "frontend/numerics/power_of_two.h"
#include "schedule/halide_algebra.h"
#include "tests/numerics/function_list.h"

namespace qlathe::elementary {
namespace {

using Halide::Buffer;
using Halide::Expr;

/// Every sign and exponent with 1024 random fractions each, the fractions next to powers of two, and special values.
/// A multiple of 16 floats.
std::vector<float> all_kinds_of_floats() {
  std::mt19937 random(7);
  std::vector<float> values;
  for (uint32_t sign_and_exponent = 0; sign_and_exponent < 512; ++sign_and_exponent) {
    for (uint32_t i = 0; i < 1024; ++i) {
      uint32_t fraction = i < 4 ? i : i < 8 ? 0x7fffff - (i - 4) : random() & 0x7fffff;
      values.push_back(std::bit_cast<float>(sign_and_exponent << 23 | fraction));
    }
  }
  // Where activations change: dense between -20 and 20, integers and halves.
  for (int i = 0; i < 1 << 16; ++i)
    values.push_back(static_cast<float>(i - (1 << 15)) * (20.0f / (1 << 15)));
  for (int i = -512; i < 512; ++i)
    values.push_back(static_cast<float>(i) * 0.5f);
  return values;
}

Halide::Target target(bool vector) {
  Halide::Target t = Halide::get_jit_target_from_environment();
  if (!vector) t = Halide::Target(t.os, t.arch, t.bits);
  return t.with_feature(Halide::Target::StrictFloat);
}

/// Elements whose bits differ; the first few are reported.
template <class Report>
int count_differences(const Buffer<float>& kernel, const std::vector<float>& reference, Report&& report) {
  int differences = 0;
  for (int i = 0; i < kernel.width(); ++i) {
    if (std::bit_cast<int32_t>(kernel(i)) == std::bit_cast<int32_t>(reference[static_cast<size_t>(i)])) continue;
    if (++differences <= 3) report(i);
  }
  return differences;
}

/// All functions in one pipeline (one compilation), on vectors of 16 or element by element without vector instructions.
void expect_kernels_equal_reference(bool vector) {
  std::vector<float> arguments = all_kinds_of_floats();
  Buffer<float> input(arguments.data(), static_cast<int>(arguments.size()));
  Halide::Var x("x");
  std::vector<Halide::Func> functions;
  for_each_function([&](const char* name, auto function) {
    Halide::Func f(name);
    f(x) = function(HalideAlgebra{}, input(x));
    if (vector) f.vectorize(x, 16);
    functions.push_back(f);
  });
  std::vector<Buffer<float>> outputs;
  std::vector<Buffer<>> untyped;
  for (size_t i = 0; i < functions.size(); ++i)
    outputs.emplace_back(input.width());
  for (const auto& output : outputs)
    untyped.emplace_back(output);
  Halide::Pipeline(functions).realize(Halide::Realization(untyped), target(vector));

  size_t index = 0;
  for_each_function([&](const char* name, auto function) {
    std::vector<float> expected(arguments.size());
    std::transform(arguments.begin(), arguments.end(), expected.begin(),
                   [&](float value) { return function(ScalarAlgebra{}, value); });
    const Buffer<float>& output = outputs[index++];
    int differences = count_differences(output, expected, [&](int i) {
      ADD_FAILURE() << name << "(" << arguments[static_cast<size_t>(i)] << "): kernel " << output(i) << ", reference "
                    << expected[static_cast<size_t>(i)];
    });
    EXPECT_EQ(differences, 0) << name << " of " << arguments.size() << " arguments";
  });
}

TEST(HalideEquality, VectorKernelsHaveTheReferencesBits) { expect_kernels_equal_reference(true); }
TEST(HalideEquality, ScalarKernelsForTheBaselineHaveTheReferencesBits) { expect_kernels_equal_reference(false); }

TEST(HalideEquality, PowHasTheReferencesBits) {
  std::mt19937 random(11);
  std::vector<float> special = {0.0f, -0.0f, 1.0f,   -1.0f, 0.5f,       2.0f,       -2.0f,
                                3.0f, -3.0f, 1e-40f, 3e38f, 8388609.0f, 16777216.0f};
  for (int32_t bits : {kInfinity, kInfinity | kSignBit, kNaN, kNaN | kSignBit})
    special.push_back(std::bit_cast<float>(bits));
  std::vector<float> bases, exponents;
  for (float a : special) {
    for (float b : special)
      bases.push_back(a), exponents.push_back(b);
  }
  while (bases.size() < (1u << 19)) {
    float base = std::bit_cast<float>(static_cast<uint32_t>(random()));
    float exponent = std::bit_cast<float>(static_cast<uint32_t>(random()));
    // Three in four pairs have a finite, normal power.
    if (random() % 4 != 0)
      exponent = std::ldexp(static_cast<float>(random() % 20001) - 10000.0f, -static_cast<int>(random() % 14));
    if (random() % 2 != 0) base = std::fabs(std::ldexp(base, -std::ilogb(base) + static_cast<int>(random() % 9) - 4));
    bases.push_back(base), exponents.push_back(exponent);
  }
  Buffer<float> base(bases.data(), static_cast<int>(bases.size()));
  Buffer<float> exponent(exponents.data(), static_cast<int>(exponents.size()));
  Halide::Var x("x");
  Halide::Func f("power");
  f(x) = pow<HalideAlgebra>(base(x), exponent(x));
  f.vectorize(x, 16);
  Buffer<float> output = f.realize({base.width()}, target(true));
  std::vector<float> expected(bases.size());
  for (size_t i = 0; i < bases.size(); ++i)
    expected[i] = pow<ScalarAlgebra>(bases[i], exponents[i]);
  int differences = count_differences(output, expected, [&](int i) {
    ADD_FAILURE() << base(i) << " ^ " << exponent(i) << ": kernel " << output(i) << ", reference "
                  << expected[static_cast<size_t>(i)];
  });
  EXPECT_EQ(differences, 0);
}

TEST(HalideEquality, PowerOfTwoScalesHaveTheReferencesBits) {
  std::vector<float> scales;
  for (int k = -63; k <= 127; ++k) {
    for (int32_t step = -80; step <= 80; ++step) {
      float scale = std::bit_cast<float>(std::bit_cast<int32_t>(std::ldexp(1.0f, k)) + step);
      if (scale >= 0x1p-63f && std::isfinite(scale)) scales.push_back(scale);
    }
  }
  Buffer<float> input(scales.data(), static_cast<int>(scales.size()));
  Buffer<int32_t> offsets(192);
  for (int i = 0; i < 192; ++i)
    offsets(i) = i < 191 ? power_of_two_offset(ValueType::kF32, i - 63) : 0;
  Halide::Var x("x");
  Halide::Func f("scale");
  f(x) = power_of_two_scale<HalideAlgebra>(input(x), [&](Expr k) { return offsets(clamp(k + 63, 0, 191)); });
  f.vectorize(x, 16, Halide::TailStrategy::GuardWithIf);
  Buffer<float> output = f.realize({input.width()}, target(true));
  std::vector<float> expected(scales.size());
  for (size_t i = 0; i < scales.size(); ++i)
    expected[i] = qlathe::power_of_two_scale(ValueType::kF32, scales[i]);
  EXPECT_EQ(count_differences(output, expected, [&](int i) { ADD_FAILURE() << input(i); }), 0);
}

}  // namespace
}  // namespace qlathe::elementary
