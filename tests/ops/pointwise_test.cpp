#include "frontend/ops/pointwise.h"

#include <cmath>
#include <limits>

#include "frontend/numerics/requantize.h"
#include "frontend/ops/pointwise_steps.h"
#include "tests/ops/op_runner.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace qlathe::testing {
namespace {

using ::testing::HasSubstr;

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNaN = std::nanf("");

HostTensor apply(PointwiseStep s, const HostTensor& x, const Operands& operands = {}) {
  Operands all{x};
  all.insert(all.end(), operands.begin(), operands.end());
  return run_op("pointwise", chain({std::move(s)}), all);
}

PointwiseStep swapped(PointwiseStep s) {
  s.swapped = true;
  return s;
}

TEST(Pointwise, BinaryStepsAndTheirSwappedForms) {
  const HostTensor x = f32({2}, {8, -2}), a = f32({}, {4});
  EXPECT_TRUE(same_bits(apply(step("sub", {1}), x, {a}), f32({2}, {4, -6})));
  EXPECT_TRUE(same_bits(apply(swapped(step("sub", {1})), x, {a}), f32({2}, {-4, 6})));
  EXPECT_TRUE(same_bits(apply(step("div", {1}), x, {a}), f32({2}, {2, -0.5f})));
  EXPECT_TRUE(same_bits(apply(swapped(step("div", {1})), x, {a}), f32({2}, {0.5f, -2})));
  EXPECT_TRUE(same_bits(apply(step("pow", {1}), x, {a}), f32({2}, {4096, 16})));
}

TEST(Pointwise, MaxAndMinGiveTheSecondOfTwoWhereOneIsNaN) {
  const HostTensor x = f32({2}, {kNaN, 1}), a = f32({2}, {1, kNaN});
  const HostTensor max = apply(step("max", {1}), x, {a}), turned = apply(swapped(step("max", {1})), x, {a});
  EXPECT_EQ(max.as<float>()[0], 1);
  EXPECT_TRUE(std::isnan(max.as<float>()[1]));
  EXPECT_TRUE(std::isnan(turned.as<float>()[0]));
  EXPECT_EQ(turned.as<float>()[1], 1);
  EXPECT_TRUE(same_bits(apply(step("min", {1}), f32({1}, {kNaN}), {f32({1}, {2})}), f32({1}, {2})));
}

TEST(Pointwise, Int32Wraps) {
  const HostTensor x = i32({2}, {INT32_MAX, INT32_MIN});
  EXPECT_TRUE(
      same_bits(apply(step("add", {1}, ValueType::kI32), x, {i32({}, {1})}), i32({2}, {INT32_MIN, INT32_MIN + 1})));
  EXPECT_TRUE(same_bits(apply(step("mul", {1}, ValueType::kI32), x, {i32({}, {INT32_MIN})}), i32({2}, {INT32_MIN, 0})));
  EXPECT_TRUE(same_bits(apply(step("max", {1}, ValueType::kI32), x, {i32({}, {-1})}), i32({2}, {INT32_MAX, -1})));
}

TEST(Pointwise, OperandsBroadcastInTiles) {
  const HostTensor x = f32({2, 4}, {0, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_TRUE(same_bits(apply(step("add", {1}), x, {f32({2}, {1, 2})}), f32({2, 4}, {1, 1, 2, 2, 1, 1, 2, 2})));
  EXPECT_TRUE(same_bits(apply(step("add", {1}), x, {f32({2, 1}, {1, 2})}), f32({2, 4}, {1, 1, 1, 1, 2, 2, 2, 2})));
  // x broadcasts too.
  EXPECT_TRUE(same_bits(apply(step("add", {1}), f32({2}, {10, 20}), {f32({1, 4}, {1, 2, 3, 4})}),
                        f32({1, 4}, {11, 12, 23, 24})));
  EXPECT_THAT(error_of("pointwise", chain({step("add", {1})}), {f32({4}, {0, 0, 0, 0}), f32({3}, {0, 0, 0})}),
              HasSubstr("shapes 4, 3 do not broadcast together"));
}

TEST(Pointwise, ChainsLongerThanAChunkReachEveryElement) {
  Random random(1);
  const HostTensor x = random_tensor(random, ValueType::kF32, {7, 555}),
                   a = random_tensor(random, ValueType::kF32, {555});
  HostTensor expected(ValueType::kF32, {7, 555});
  for (size_t i = 0; i < 7 * 555; i++) {
    const float v = std::fma(x.as<float>()[i], a.as<float>()[i % 555], x.as<float>()[i]);
    expected.as<float>()[i] = v > 0 ? v : 0;
  }
  EXPECT_TRUE(same_bits(run_op("pointwise", chain({step("fma", {1, 0}), step("relu")}), {x, a}), expected));
}

TEST(Pointwise, CastRoundsAsStated) {
  const HostTensor x = f32({8}, {-2.5f, -1.5f, -0.5f, 0.5f, 1.5f, 2.5f, 0.49999997f, -1.2f});
  const std::vector<std::pair<Rounding, std::vector<int8_t>>> cases = {
      {Rounding::kHalfEven, {-2, -2, 0, 0, 2, 2, 0, -1}}, {Rounding::kHalfAwayFromZero, {-3, -2, -1, 1, 2, 3, 0, -1}},
      {Rounding::kHalfUp, {-2, -1, 0, 1, 2, 3, 0, -1}},   {Rounding::kFloor, {-3, -2, -1, 0, 1, 2, 0, -2}},
      {Rounding::kCeil, {-2, -1, 0, 1, 2, 3, 1, -1}},     {Rounding::kToZero, {-2, -1, 0, 0, 1, 2, 0, -1}},
  };
  for (const auto& [rounding, expected] : cases) {
    PointwiseStep cast = step("cast", {}, ValueType::kI8);
    cast.rounding = rounding;
    EXPECT_TRUE(same_bits(apply(cast, x), i8({8}, expected))) << static_cast<int>(rounding);
  }
}

TEST(Pointwise, CastSaturatesAndNaNIsZero) {
  const HostTensor x = f32({5}, {kNaN, kInf, -kInf, 3e38f, -129});
  EXPECT_TRUE(same_bits(apply(step("cast", {}, ValueType::kI8), x), i8({5}, {0, 127, -128, 127, -128})));
  EXPECT_TRUE(
      same_bits(apply(step("cast", {}, ValueType::kI32), x), i32({5}, {0, INT32_MAX, INT32_MIN, INT32_MAX, -129})));
  EXPECT_EQ(apply(step("cast", {}, ValueType::kI64), x).int_at(1), INT64_MAX);
  EXPECT_EQ(apply(step("cast", {}, ValueType::kI64), x).int_at(2), INT64_MIN);
  PointwiseStep narrow = step("cast", {}, ValueType::kI8);
  narrow.lo = -127;
  narrow.hi = 5.5;
  EXPECT_TRUE(same_bits(apply(narrow, x), i8({5}, {0, 5, -127, 5, -127})));
  EXPECT_TRUE(same_bits(apply(narrow, i32({2}, {INT32_MIN, 100})), i8({2}, {-127, 5})));
}

TEST(Pointwise, CastToStorageFloatsAndCodesRoundsHalfToEven) {
  const HostTensor bf16 = apply(step("cast", {}, ValueType::kBF16), f32({3}, {1.00390625f, 1.01171875f, kInf}));
  EXPECT_EQ(bf16.as<uint16_t>()[0], 0x3f80);
  EXPECT_EQ(bf16.as<uint16_t>()[1], 0x3f82);
  EXPECT_EQ(bf16.as<uint16_t>()[2], 0x7f80);
  const HostTensor fp4 = apply(step("cast", {}, ValueType::kF4E2M1), f32({4}, {2.5f, -100, 0.25f, 5}));
  EXPECT_TRUE(same_bits(run_op("pointwise", chain({step("cast")}), {fp4}), f32({4}, {2, -6, 0, 4})));
}

TEST(Pointwise, EveryCodeSurvivesDecodeAndEncode) {
  for (ValueType type : {ValueType::kF8E4M3, ValueType::kF8E5M2, ValueType::kF4E2M1, ValueType::kNF4}) {
    Random random(5);
    const HostTensor codes = random_tensor(random, type, {300});
    const HostTensor back = run_op("pointwise", chain({step("cast"), step("cast", {}, type)}), {codes});
    EXPECT_TRUE(same_bits(back, codes)) << name(type);
  }
}

TEST(Pointwise, StorageFloatsRoundAfterEveryStep) {
  const HostTensor x = apply(step("cast", {}, ValueType::kBF16), f32({1}, {256}));
  // 256 + 1 is no bfloat16: rounded twice it stays 256, in float32 it is 258.
  const auto twice = [&](ValueType type) {
    return run_op("pointwise", chain({step("add", {1}, type), step("add", {1}, type), step("cast")}),
                  {x, f32({}, {1})});
  };
  EXPECT_EQ(twice(ValueType::kBF16).as<float>()[0], 256);
  EXPECT_EQ(twice(ValueType::kF32).as<float>()[0], 258);
}

TEST(Pointwise, QuantizeDividesOrMultipliesByTheReciprocal) {
  PointwiseStep q = step("quantize", {1, 2}, ValueType::kI8);
  const HostTensor x = f32({1}, {5}), scale = f32({}, {0.1f}), zp = i8({}, {3});
  EXPECT_TRUE(same_bits(apply(q, x, {scale, zp}), i8({1}, {53})));
  // 0.35 / 0.1 is 3.5 (rounded to 4), 0.35 * (1 / 0.1) too; 4.05 / 0.9 = 4.5 and 4.05 * (1 / 0.9) = 4.5000005.
  PointwiseStep plain = step("quantize", {1}, ValueType::kI8), reciprocal = plain;
  reciprocal.reciprocal = true;
  const float v = 4.05f, s = 0.9f;
  EXPECT_EQ(apply(plain, f32({1}, {v}), {f32({}, {s})}).int_at(0), std::lrint(v / s));
  EXPECT_EQ(apply(reciprocal, f32({1}, {v}), {f32({}, {s})}).int_at(0), std::lrint(v * (1.f / s)));
}

TEST(Pointwise, ZeroPointBeforeOrAfterRounding) {
  // t = 2.5: with the odd zero point added first 3.5 rounds to 4, after rounding 2 + 1 = 3.
  PointwiseStep before = step("quantize", {1, 2}, ValueType::kU8), after = before;
  after.zero_point_after = true;
  const Operands operands{f32({}, {1}), u8({}, {1})};
  EXPECT_EQ(apply(before, f32({1}, {2.5f}), operands).int_at(0), 4);
  EXPECT_EQ(apply(after, f32({1}, {2.5f}), operands).int_at(0), 3);
  EXPECT_EQ(apply(after, f32({1}, {kInf}), operands).int_at(0), 255);
  EXPECT_EQ(apply(after, f32({1}, {kNaN}), operands).int_at(0), 0);
}

TEST(Pointwise, DequantizeSubtractsTheZeroPointFirst) {
  EXPECT_TRUE(same_bits(apply(step("dequantize", {1, 2}), u8({2}, {0, 255}), {f32({}, {0.5f}), u8({}, {128})}),
                        f32({2}, {-64, 63.5f})));
  const HostTensor nf4 = HostTensor::of<uint8_t>(ValueType::kNF4, {2}, {0, 15});
  EXPECT_TRUE(same_bits(apply(step("dequantize", {1}), nf4, {f32({}, {3})}), f32({2}, {-3, 3})));
}

TEST(Pointwise, RequantizeFollowsTheStatedFormula) {
  Random random(6);
  for (RequantizeMode mode : {RequantizeMode::kFixedSingle, RequantizeMode::kFixedDouble}) {
    PointwiseStep s = step("requantize", {1, 2, 3}, ValueType::kI8);
    s.mode = mode;
    const HostTensor x = random_integers(random, ValueType::kI32, {500}, -200000, 200000);
    const QuantizedMultiplier m = quantize_multiplier(0.00061);
    const HostTensor out = apply(s, x, {i32({}, {m.mantissa}), i32({}, {m.shift}), i8({}, {-5})});
    for (int64_t i = 0; i < 500; i++) {
      const int64_t scaled = mode == RequantizeMode::kFixedSingle ? requantize_fixed_single(x.int_at(i), m)
                                                                  : requantize_fixed_double(x.int_at(i), m);
      ASSERT_EQ(out.int_at(i), std::clamp<int64_t>(scaled - 5, -128, 127)) << x.int_at(i);
    }
  }
}

TEST(Pointwise, RequantizeOfHostileOperandsIsDefined) {
  for (RequantizeMode mode : {RequantizeMode::kFixedSingle, RequantizeMode::kFixedDouble}) {
    PointwiseStep s = step("requantize", {1, 2}, ValueType::kI8);
    s.mode = mode;
    const HostTensor x = i32({3}, {INT32_MIN, 0, INT32_MAX});
    for (int32_t multiplier : {INT32_MIN, -1, 0, INT32_MAX}) {
      for (int32_t shift : {INT32_MIN, -40, 31, INT32_MAX})
        EXPECT_EQ(apply(s, x, {i32({}, {multiplier}), i32({}, {shift})}).int_at(1), 0);
    }
  }
  PointwiseStep wide = step("requantize", {1, 2}, ValueType::kI16);
  const HostTensor x = HostTensor::of<int64_t>(ValueType::kI64, {2}, {INT64_MIN, INT64_MAX});
  const HostTensor out = apply(wide, x, {i32({}, {INT32_MAX}), i32({}, {INT32_MAX})});
  EXPECT_EQ(out.int_at(0), INT16_MIN);
  EXPECT_EQ(out.int_at(1), INT16_MAX);
}

TEST(Pointwise, LookupIndexesByTheStoredByte) {
  std::vector<float> table(256);
  for (size_t i = 0; i < 256; i++)
    table[i] = static_cast<float>(i);
  EXPECT_TRUE(
      same_bits(apply(step("lookup", {1}), i8({3}, {-128, 0, 127}), {f32({256}, table)}), f32({3}, {0, 128, 255})));
  EXPECT_TRUE(same_bits(apply(step("lookup", {1}), u8({2}, {0, 255}), {f32({256}, table)}), f32({2}, {0, 255})));
  EXPECT_THAT(error_of("pointwise", chain({step("lookup", {1})}), {u8({1}, {0}), f32({2}, {0, 0})}),
              HasSubstr("a table has the shape 256, not 2"));
}

TEST(Pointwise, ComparisonsAndSelection) {
  const HostTensor x = f32({3}, {1, 2, kNaN}), a = f32({}, {2});
  const auto truth = [](const HostTensor& t) { return std::vector<int64_t>{t.int_at(0), t.int_at(1), t.int_at(2)}; };
  using V = std::vector<int64_t>;
  EXPECT_EQ(truth(apply(step("less", {1}, ValueType::kBool), x, {a})), (V{1, 0, 0}));
  EXPECT_EQ(truth(apply(step("greater_equal", {1}, ValueType::kBool), x, {a})), (V{0, 1, 0}));
  EXPECT_EQ(truth(apply(step("not_equal", {1}, ValueType::kBool), x, {a})), (V{1, 0, 1}));
  const HostTensor out =
      run_op("pointwise",
             chain({step("less", {1}, ValueType::kBool), step("not", {}, ValueType::kBool), step("select", {2, 1})}),
             {x, a, f32({}, {-1})});
  EXPECT_TRUE(same_bits(out, f32({3}, {2, -1, -1})));
}

TEST(Pointwise, ClampKeepsIntegersInTheirType) {
  PointwiseStep s = step("clamp", {}, ValueType::kU4);
  s.lo = 2;
  s.hi = 1e300;
  EXPECT_TRUE(same_bits(apply(s, HostTensor::of<uint8_t>(ValueType::kU4, {2}, {0, 15})),
                        HostTensor::of<uint8_t>(ValueType::kU4, {2}, {2, 15})));
  EXPECT_TRUE(same_bits(apply(step("relu", {}, ValueType::kI8), i8({2}, {-5, 5})), i8({2}, {0, 5})));
}

TEST(Pointwise, ScalesAreGuardedAndMadePowersOfTwo) {
  PointwiseStep guard = step("nonzero_scale");
  guard.lo = 1.0842022e-19;
  EXPECT_TRUE(same_bits(apply(guard, f32({3}, {0, 1e-20f, 0.5f})), f32({3}, {1, 1, 0.5f})));
  EXPECT_TRUE(same_bits(apply(step("power_of_two_ceil"), f32({3}, {0.3f, 5, 1})), f32({3}, {0.5f, 8, 1})));
  // Whatever comes in, something comes out.
  EXPECT_EQ(apply(step("power_of_two_ceil"), f32({6}, {0, -1, kNaN, kInf, 3e38f, 1e-40f})).size(), 6);
  EXPECT_EQ(apply(step("power_of_two_ceil", {}, ValueType::kF16), f32({2}, {1e30f, 0})).size(), 2);
}

TEST(Pointwise, EveryElementaryStepIsCloseToTheLibrarys) {
  Random random(8);
  const HostTensor x = random_tensor(random, ValueType::kF32, {1000}, 4.f);
  const auto gelu = [](double v) { return v * 0.5 * (1 + std::erf(v / std::sqrt(2.0))); };
  const std::vector<std::pair<std::string, std::function<double(double)>>> functions = {
      {"neg", [](double v) { return -v; }},
      {"abs", [](double v) { return std::fabs(v); }},
      {"exp", [](double v) { return std::exp(v); }},
      {"sin", [](double v) { return std::sin(v); }},
      {"cos", [](double v) { return std::cos(v); }},
      {"erf", [](double v) { return std::erf(v); }},
      {"floor", [](double v) { return std::floor(v); }},
      {"ceil", [](double v) { return std::ceil(v); }},
      {"round", [](double v) { return std::nearbyint(v); }},
      {"reciprocal", [](double v) { return 1 / v; }},
      {"sigmoid", [](double v) { return 1 / (1 + std::exp(-v)); }},
      {"tanh", [](double v) { return std::tanh(v); }},
      {"gelu", gelu},
      {"silu", [](double v) { return v / (1 + std::exp(-v)); }},
      {"hard_sigmoid", [](double v) { return std::clamp(v / 6 + 0.5, 0.0, 1.0); }},
      {"hard_swish", [](double v) { return v * std::clamp(v / 6 + 0.5, 0.0, 1.0); }},
      {"softplus", [](double v) { return std::log1p(std::exp(v)); }},
      {"elu", [](double v) { return v > 0 ? v : 0.5 * std::expm1(v); }},
      {"leaky_relu", [](double v) { return v > 0 ? v : 0.5 * v; }},
  };
  for (const auto& [op, function] : functions) {
    PointwiseStep s = step(op);
    s.alpha = 0.5;
    HostTensor expected(ValueType::kF32, x.shape());
    for (int64_t i = 0; i < x.size(); i++)
      expected.as<float>()[static_cast<size_t>(i)] = static_cast<float>(function(real_at(x, i)));
    EXPECT_TRUE(near(apply(s, x), expected, 1e-7, 1e-6)) << op;
  }
}

TEST(Pointwise, EveryRegisteredStepCanRun) {
  for (const std::string& op : StepRegistry::names())
    EXPECT_NE(StepRegistry::find(op)->apply, nullptr) << op;
}

TEST(Pointwise, RefusesWhatAStepDoesNotTake) {
  const HostTensor x = f32({1}, {0});
  EXPECT_EQ(error_of("pointwise", chain({step("sigmiod")}), {x}),
            "n: steps[0].op: unknown step 'sigmiod'; did you mean 'sigmoid'?");
  EXPECT_EQ(error_of("pointwise", chain({step("add")}), {x}),
            "n: steps[0].operands: step 'add' has 0 operands, expected 1");
  EXPECT_THAT(error_of("pointwise", chain({step("add", {5})}), {x}), HasSubstr("input 5 is not an operand"));
  EXPECT_THAT(error_of("pointwise", chain({step("add", {-1})}), {x}), HasSubstr("input -1 is not an operand"));
  EXPECT_EQ(error_of("pointwise", chain({step("exp")}), {i8({1}, {0})}),
            "n: steps[0].type: step 'exp' takes a float, not int8");
  EXPECT_THAT(error_of("pointwise", chain({step("add", {1})}), {i32({1}, {0}), x}),
              HasSubstr("on int32 takes operands"));
  EXPECT_THAT(error_of("pointwise", chain({step("relu", {}, ValueType::kI8)}), {x}),
              HasSubstr("gives a float, not int8"));
  PointwiseStep empty = step("cast", {}, ValueType::kI8);
  empty.lo = 3;
  empty.hi = 2;
  EXPECT_THAT(error_of("pointwise", chain({empty}), {x}), HasSubstr("no int8 lies in [lo, hi]"));
  empty.lo = std::nan("");
  EXPECT_THAT(error_of("pointwise", chain({empty}), {x}), HasSubstr("no int8 lies in [lo, hi]"));
  EXPECT_THAT(error_of("pointwise", chain({}), {HostTensor(ValueType::kF64, {1})}), HasSubstr("float64"));
}

}  // namespace
}  // namespace qlathe::testing
