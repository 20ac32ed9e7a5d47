#include "frontend/numerics/proof.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <ctime>
#include <random>
#include <set>

namespace qlathe {
namespace {

using Formula = RequantFormula;
using Rounding = RequantizeRounding;

const std::vector<Formula> kFormulas = {Formula::kF32Magic, Formula::kF32Fma, Formula::kF32Mul,
                                        Formula::kF64Magic, Formula::kF64Fma, Formula::kI64};
/// With what callers have to ask for.
const std::vector<Formula> kAllFormulas = {
    Formula::kF32Shifted,    Formula::kF32Magic, Formula::kF32Fma, Formula::kF32Mul,
    Formula::kF32TwoOffsets, Formula::kF64Magic, Formula::kF64Fma, Formula::kI64};

Requantization requantization(Rounding rounding, double scale, int32_t zero_point = 0, int32_t lo = -128,
                              int32_t hi = 127) {
  return {rounding, quantize_multiplier(scale), static_cast<float>(scale), zero_point, lo, hi};
}

double random_scale(std::mt19937& random, int smallest, int largest) {
  const int exponent = smallest + static_cast<int>(random() % static_cast<unsigned>(largest - smallest + 1));
  return std::ldexp(1.0 + random() * 0x1p-32, exponent);
}

/// Some channel whose output range and interval fit its scale, up to 2^20 accumulators.
struct Channel {
  Requantization stated;
  AccumulatorInterval reachable;
};
Channel random_channel(std::mt19937& random, Rounding rounding) {
  const double scale = random_scale(random, -14, 0);
  const bool is_signed = random() % 2;
  const int32_t lo = is_signed ? -128 : 0, hi = lo + 255;
  const auto zero_point = static_cast<int32_t>(lo + static_cast<int32_t>(random() % 256));
  const int64_t reach = std::min<int64_t>(1 << 19, static_cast<int64_t>(400 / scale) + 4);
  const auto part = [&] { return static_cast<int64_t>(random() % static_cast<uint64_t>(reach)); };
  const int64_t a = part() - reach / 4, b = part() - 3 * reach / 4;
  return {requantization(rounding, scale, zero_point, random() % 4 ? lo : std::min(zero_point, hi), hi),
          {std::min(a, b), std::max(a, b)}};
}

/// The first accumulator of the interval where they differ, or one past its end.
template <class Stated>
int64_t first_difference(const Stated& stated, AccumulatorInterval reachable, Formula formula,
                         const RequantConstants& c) {
  int64_t acc = reachable.lo;
  while (acc <= reachable.hi && evaluate(formula, c, acc) == stated(acc))
    ++acc;
  return acc;
}

template <class Stated>
RequantProof prove_one(const Stated& stated, AccumulatorInterval reachable, std::vector<Formula> formulas = kFormulas) {
  ProofOptions options;
  options.formulas = std::move(formulas);
  return prove_requantization(std::span(&stated, 1), std::span(&reachable, 1), options);
}

class ProofOf : public testing::TestWithParam<Rounding> {};

TEST_P(ProofOf, EveryAcceptedFormulaEqualsTheStatedOneOnTheWholeInterval) {
  std::mt19937 random(1);
  for (Formula formula : kAllFormulas) {
    int accepted = 0;
    for (int trial = 0; trial < 60; ++trial) {
      const Channel channel = random_channel(random, GetParam());
      const RequantProof proof = prove_one(channel.stated, channel.reachable, {formula});
      if (proof.blocks[0].formula != formula) continue;
      ++accepted;
      ASSERT_EQ(first_difference(channel.stated, channel.reachable, formula, proof.channels[0]),
                channel.reachable.hi + 1)
          << name(formula) << " at scale " << channel.stated.slope() << ": " << proof.summary();
    }
    EXPECT_GT(accepted, 0) << name(formula) << " was never accepted: nothing was compared";
  }
}

TEST_P(ProofOf, MoreOffsetsAreFoundForNearlyEveryChannelOfUpToAMillionAccumulators) {
  std::mt19937 random(9);
  constexpr int kChannels = 300;
  const Formula formulas[] = {Formula::kF32Fma, Formula::kF32TwoOffsets, Formula::kF32ThreeOffsets};
  int found[3] = {};
  for (int trial = 0; trial < kChannels; ++trial) {
    // 255 steps over 2^16 to 2^20 accumulators, as convolutions have.
    const double scale = random_scale(random, -12, -8);
    const auto reach = static_cast<int64_t>(160 / scale);
    const auto zero_point = static_cast<int32_t>(random() % 64) - 32;
    const Requantization stated = requantization(GetParam(), scale, trial % 2 ? -128 : zero_point);
    const AccumulatorInterval reachable = {-reach, 2 * reach};
    for (int i = 0; i < 3; ++i) {
      const RequantProof proof = prove_one(stated, reachable, {formulas[i]});
      if (proof.blocks[0].formula != formulas[i]) continue;
      ++found[i];
      ASSERT_EQ(check_formula(stated, reachable, formulas[i], proof.channels[0]), "") << proof.summary();
    }
  }
  EXPECT_GE(found[0], kChannels * 30 / 100);
  EXPECT_GE(found[1], kChannels * 80 / 100);
  EXPECT_GE(found[2], kChannels * 90 / 100);
}

TEST_P(ProofOf, TheCheckAcceptsANeighbourExactlyWhenAllAccumulatorsAgree) {
  std::mt19937 random(2);
  int equal = 0, different = 0;
  for (int trial = 0; trial < 40; ++trial) {
    const Channel channel = random_channel(random, GetParam());
    for (int ulps = -12; ulps <= 12; ulps += 3) {
      RequantConstants c;
      c.lo = channel.stated.lo, c.hi = channel.stated.hi;
      c.m32 = std::bit_cast<float>(std::bit_cast<int32_t>(static_cast<float>(channel.stated.slope())) + ulps);
      c.b32 = 12582912.0f + static_cast<float>(channel.stated.zero_point);
      const std::string verdict = check_formula(channel.stated, channel.reachable, Formula::kF32Magic, c);
      const bool all_agree =
          first_difference(channel.stated, channel.reachable, Formula::kF32Magic, c) > channel.reachable.hi;
      ASSERT_EQ(verdict.empty(), all_agree)
          << verdict << " at scale " << channel.stated.slope() << ", " << ulps << " floats away";
      ++(all_agree ? equal : different);
    }
  }
  EXPECT_GT(equal, 20);
  EXPECT_GT(different, 20);
}

TEST_P(ProofOf, AMutatedConstantIsRejected) {
  std::mt19937 random(3);
  int rejected = 0;
  for (int trial = 0; trial < 40; ++trial) {
    const Channel channel = random_channel(random, GetParam());
    if (channel.stated(channel.reachable.lo) == channel.stated(channel.reachable.hi)) continue;
    for (Formula formula : kAllFormulas) {
      const RequantProof proof = prove_one(channel.stated, channel.reachable, {formula});
      if (proof.blocks[0].formula != formula) continue;
      const RequantConstants good = proof.channels[0];
      ASSERT_EQ(check_formula(channel.stated, channel.reachable, formula, good), "") << name(formula);
      for (int mutation = 0; mutation < 3; ++mutation) {
        RequantConstants bad = good;
        if (mutation == 0) bad.b32 += 1, bad.b64 += 1, bad.zero_point += 1;
        if (mutation == 1) bad.m32 *= 1.1f, bad.m64 *= 1.1, bad.mantissa += bad.mantissa / 10;
        if (mutation == 2) bad.hi -= 1, bad.lo += 1;
        if (first_difference(channel.stated, channel.reachable, formula, bad) > channel.reachable.hi) continue;
        ++rejected;
        EXPECT_NE(check_formula(channel.stated, channel.reachable, formula, bad), "")
            << name(formula) << ", mutation " << mutation;
      }
    }
  }
  EXPECT_GT(rejected, 50) << "too few mutations were visible: nothing was tested";
}

std::string rounding_name(const testing::TestParamInfo<Rounding>& test) {
  static constexpr const char* kNames[] = {"FixedSingle", "FixedDouble", "FixedInt16", "FloatHalfEven"};
  return kNames[static_cast<int>(test.param)];
}

INSTANTIATE_TEST_SUITE_P(Roundings, ProofOf,
                         testing::Values(Rounding::kFixedSingle, Rounding::kFixedDouble, Rounding::kFloatHalfEven),
                         rounding_name);

TEST(Proof, TiesThatRoundTheOtherWayRejectFormulasWithoutAFreeOffset) {
  // acc / 4 half up: 2 gives 1 and -2 gives 0. Half to even needs a larger multiplier for the one, a smaller for the
  // other.
  const Requantization stated = requantization(Rounding::kFixedSingle, 0.25);
  for (Formula formula : {Formula::kF32Magic, Formula::kF32Mul, Formula::kF64Magic, Formula::kF64Fma})
    EXPECT_EQ(prove_one(stated, {-400, 400}, {formula}).blocks[0].formula, Formula::kReference) << name(formula);
  EXPECT_EQ(prove_one(stated, {-400, 400}, {Formula::kF32Magic, Formula::kF64Magic, Formula::kI64}).blocks[0].formula,
            Formula::kI64);
}

TEST(Proof, TiesThatRoundTheOtherWayAreMetByAnotherOffset) {
  const Requantization stated = requantization(Rounding::kFixedSingle, 0.25);
  const RequantProof proof = prove_one(stated, {-400, 400}, {Formula::kF32Fma});
  ASSERT_EQ(proof.blocks[0].formula, Formula::kF32Fma) << proof.summary();
  EXPECT_GT(proof.channels[0].b32, 0.0f);
  EXPECT_EQ(first_difference(stated, {-400, 400}, Formula::kF32Fma, proof.channels[0]), 401);
}

TEST(Proof, TiesOnOneSideOfZeroAreMetByANeighbour) {
  const Requantization stated = requantization(Rounding::kFixedSingle, 0.25);
  const RequantProof proof = prove_one(stated, {0, 400}, {Formula::kF32Magic});
  ASSERT_EQ(proof.blocks[0].formula, Formula::kF32Magic) << proof.summary();
  EXPECT_GT(proof.channels[0].m32, 0.25f);
  EXPECT_EQ(first_difference(stated, {0, 400}, Formula::kF32Magic, proof.channels[0]), 401);
}

TEST(Proof, OneTieAtAZeroOfTheMultiplierCannotBeMoved) {
  // The accumulator 0 gives the offset itself, whatever the multiplier: 0.5 half away is 1, half to even 0.
  MonotoneChain stated({{ChainStep::Kind::kToFloat},
                        {ChainStep::Kind::kFma, 0.125f, 0.5f},
                        {ChainStep::Kind::kRoundHalfAway},
                        {ChainStep::Kind::kToInt, 0, 0, -128, 127}});
  ProofOptions options;
  options.formulas = {Formula::kF64Fma};
  AccumulatorInterval reachable{-1000, 1000};
  const RequantProof proof = prove_requantization(std::span(&stated, 1), std::span(&reachable, 1), options);
  EXPECT_EQ(proof.blocks[0].formula, Formula::kReference);
  EXPECT_NE(proof.blocks[0].reason.find("stated"), std::string::npos) << proof.blocks[0].reason;
}

TEST(Proof, WrappingInsideTheIntervalIsRejected) {
  const Requantization stated = requantization(Rounding::kFloatHalfEven, 1.0);
  EXPECT_EQ(prove_one(stated, {-4000000, 4000000}, {Formula::kF32Magic}).blocks[0].formula, Formula::kF32Magic);
  const RequantProof proof = prove_one(stated, {-4200000, 4200000}, {Formula::kF32Magic});
  EXPECT_EQ(proof.blocks[0].formula, Formula::kReference);
  EXPECT_NE(proof.blocks[0].reason.find("wraps inside the reachable interval"), std::string::npos)
      << proof.blocks[0].reason;
}

TEST(Proof, AStatedFormThatWrapsIsKeptAsItIs) {
  const Requantization stated = requantization(Rounding::kFixedDouble, 12.0);  // a left shift of 4
  EXPECT_NE(prove_one(stated, {-1000, 1000}).blocks[0].formula, Formula::kReference);
  const RequantProof proof = prove_one(stated, {-1000, 1 << 28});
  EXPECT_EQ(proof.blocks[0].formula, Formula::kReference);
  EXPECT_NE(proof.blocks[0].reason.find("stated requantization wraps"), std::string::npos) << proof.blocks[0].reason;
}

TEST(Proof, TheWholeInt32RangeIsProven) {
  std::mt19937 random(5);
  for (Rounding rounding : {Rounding::kFixedSingle, Rounding::kFixedDouble, Rounding::kFloatHalfEven}) {
    for (Formula formula : kAllFormulas) {
      int accepted = 0;
      for (int trial = 0; trial < 30; ++trial) {
        const Requantization stated =
            requantization(rounding, random_scale(random, -30, -24), static_cast<int32_t>(random() % 9));
        const AccumulatorInterval reachable{INT32_MIN, INT32_MAX};
        const RequantProof proof = prove_one(stated, reachable, {formula});
        if (proof.blocks[0].formula != formula) continue;
        ++accepted;
        for (int i = 0; i < 20000; ++i) {
          const int64_t acc = i == 0 ? INT32_MIN : i == 1 ? INT32_MAX : static_cast<int32_t>(random());
          ASSERT_EQ(evaluate(formula, proof.channels[0], acc), stated(acc)) << name(formula) << " at " << acc;
        }
      }
      // Doubles hold every int32 and follow one exact rounding; the float form is followed by the same float product.
      const bool certain = rounding == Rounding::kFixedSingle
                               ? formula == Formula::kF64Magic
                               : rounding == Rounding::kFloatHalfEven && formula == Formula::kF32Mul;
      if (certain) {
        EXPECT_EQ(accepted, 30) << name(formula);
      }
    }
  }
}

TEST(Proof, TheNeighbourSearchLiftsMostBlocksOfSixteenChannels) {
  std::mt19937 random(6);
  std::vector<Requantization> channels;
  std::vector<AccumulatorInterval> reachable;
  for (int i = 0; i < 16 * 200; ++i) {
    channels.push_back(requantization(Rounding::kFixedSingle, random_scale(random, -10, -7),
                                      static_cast<int32_t>(random() % 21) - 10));
    reachable.push_back({-400000, 400000});
  }
  const auto share = [&](int neighbours) {
    ProofOptions options;
    options.formulas = {Formula::kF32Magic};
    options.neighbours = neighbours;
    const RequantProof proof = prove_requantization(channels, reachable, options);
    int64_t accepted = 0;
    for (const ProvenBlock& block : proof.blocks)
      accepted += block.formula == Formula::kF32Magic;
    return static_cast<double>(accepted) / static_cast<double>(proof.blocks.size());
  };
  const double without = share(0), with = share(8);
  std::printf("blocks on one fp32 fma: %.1f %% with the nearest multipliers, %.1f %% with +-8 floats\n", 100 * without,
              100 * with);
  EXPECT_LT(without, 0.8);
  EXPECT_GT(with, 0.9);
  EXPECT_GT(with, without + 0.2);
}

TEST(Proof, BlocksAreChosenOneByOneAndTheReasonNamesTheChannel) {
  std::vector<Requantization> channels(48, requantization(Rounding::kFixedSingle, 0.0123));
  channels[20] = requantization(Rounding::kFixedSingle, 0.25);
  const AccumulatorInterval reachable{-60000, 60000};
  const RequantProof proof =
      prove_requantization(channels, std::span(&reachable, 1), {{Formula::kF32Mul, Formula::kI64}});
  ASSERT_EQ(proof.blocks.size(), 3u);
  EXPECT_FALSE(proof.uniform());
  EXPECT_EQ(proof.blocks[0].formula, Formula::kF32Mul);
  EXPECT_EQ(proof.blocks[1].formula, Formula::kI64);
  EXPECT_NE(proof.blocks[1].reason.find("not fp32 multiply: channel 20: at accumulator"), std::string::npos)
      << proof.blocks[1].reason;
  EXPECT_EQ(proof.blocks[2].first, 32);
  ProofOptions uniform{{Formula::kF32Mul, Formula::kI64}};
  uniform.block = 0;
  EXPECT_EQ(prove_requantization(channels, std::span(&reachable, 1), uniform).blocks.size(), 1u);
}

TEST(Proof, TwoRoundingsAreOneWithABiasWhereOneSideOfZeroIsClampedAway) {
  std::mt19937 random(9);
  for (int trial = 0; trial < 200; ++trial) {
    const double scale = random_scale(random, -14, -1);
    const auto zero_point = static_cast<int32_t>(random() % 200) - 100;
    const bool above = trial % 2;
    const Requantization stated =
        requantization(Rounding::kFixedDouble, scale, zero_point, above ? zero_point : -128, above ? 127 : zero_point);
    const auto reach = static_cast<int64_t>(300 / scale);
    const AccumulatorInterval reachable{-reach, reach};
    const RequantProof proof = prove_one(stated, reachable);
    ASSERT_NE(proof.blocks[0].formula, Formula::kReference) << scale << ": " << proof.summary();
    ASSERT_EQ(first_difference(stated, reachable, proof.blocks[0].formula, proof.channels[0]), reach + 1) << scale;
    // The integer form alone always does.
    ASSERT_EQ(prove_one(stated, reachable, {Formula::kI64}).blocks[0].formula, Formula::kI64) << scale;
  }
}

TEST(Proof, TwoRoundingsOfOneSignAreProvenToo) {
  std::mt19937 random(10);
  for (int trial = 0; trial < 50; ++trial) {
    const Requantization stated = requantization(Rounding::kFixedDouble, random_scale(random, -12, -2));
    const AccumulatorInterval positive{0, 1 << 18}, negative{-(1 << 18), -1};
    for (const AccumulatorInterval reachable : {positive, negative}) {
      const RequantProof proof = prove_one(stated, reachable);
      ASSERT_NE(proof.blocks[0].formula, Formula::kReference) << proof.summary();
      ASSERT_EQ(first_difference(stated, reachable, proof.blocks[0].formula, proof.channels[0]), reachable.hi + 1);
    }
  }
}

TEST(Proof, SixteenBitOutputsUseTheIntegerForm) {
  const Requantization single = requantization(Rounding::kFixedSingle, 0.3, 0, -32768, 32767);
  EXPECT_EQ(prove_one(single, {-1000000, 1000000}).blocks[0].formula, Formula::kI64);
  const Requantization wide = requantization(Rounding::kFixedInt16, 0x1.37p-20, 0, -32768, 32767);
  const AccumulatorInterval reachable{-(INT64_C(1) << 40), INT64_C(1) << 40};
  const RequantProof proof = prove_one(wide, reachable);
  ASSERT_EQ(proof.blocks[0].formula, Formula::kI64) << proof.summary();
  std::mt19937_64 random(7);
  for (int i = 0; i < 100000; ++i) {
    const int64_t acc = static_cast<int64_t>(random() >> 23) - (INT64_C(1) << 40);
    ASSERT_EQ(evaluate(Formula::kI64, proof.channels[0], acc), wide(acc)) << acc;
  }
}

/// float(acc) * s1 * s2 + bias, relu or not, times the reciprocal of the output scale, plus zero point, round, clamp.
MonotoneChain float_epilogue(std::mt19937& random, bool relu, bool decreasing) {
  const float s1 = static_cast<float>(random_scale(random, -8, -5)),
              s2 = static_cast<float>(random_scale(random, -8, -5));
  const float bias = static_cast<float>(random()) * 0x1p-32f - 0.5f;
  std::vector<ChainStep> steps = {{ChainStep::Kind::kToFloat},
                                  {ChainStep::Kind::kMul, s1},
                                  {ChainStep::Kind::kMul, decreasing ? -s2 : s2},
                                  {ChainStep::Kind::kAdd, bias}};
  if (relu) steps.push_back({ChainStep::Kind::kMax, 0.0f});
  steps.push_back({ChainStep::Kind::kMul, 1.0f / static_cast<float>(random_scale(random, -6, -5))});
  steps.push_back({ChainStep::Kind::kAdd, static_cast<float>(static_cast<int>(random() % 64) - 32)});
  steps.push_back({ChainStep::Kind::kRoundHalfEven});
  steps.push_back({ChainStep::Kind::kToInt, 0, 0, -128, 127});
  return MonotoneChain(steps);
}

TEST(ProofOfChain, LongFloatEpiloguesCollapseToOneFma) {
  std::mt19937 random(8);
  for (bool relu : {false, true}) {
    for (bool decreasing : {false, true}) {
      int accepted = 0;
      for (int trial = 0; trial < 40; ++trial) {
        const MonotoneChain stated = float_epilogue(random, relu, decreasing);
        const AccumulatorInterval reachable{-200000, 250000};
        const RequantProof proof = prove_one(stated, reachable, {Formula::kF32Fma});
        if (proof.blocks[0].formula != Formula::kF32Fma) continue;
        ++accepted;
        ASSERT_EQ(first_difference(stated, reachable, Formula::kF32Fma, proof.channels[0]), reachable.hi + 1)
            << proof.summary();
        RequantConstants bad = proof.channels[0];
        bad.m32 *= 1.01f;
        EXPECT_NE(check_formula(stated, reachable, Formula::kF32Fma, bad), "");
      }
      EXPECT_GT(accepted, 10) << "relu " << relu << ", decreasing " << decreasing;
    }
  }
}

TEST(ProofOfChain, ACurveIsNoLineAndKeepsItsStatedForm) {
  MonotoneFunction stated{[](int64_t acc) {
                            return std::clamp<int64_t>(
                                static_cast<int64_t>(std::lrint(100 * std::tanh(static_cast<double>(acc) * 1e-3))),
                                -128, 127);
                          },
                          {0.1, 0},
                          -128,
                          127};
  const AccumulatorInterval reachable{-5000, 5000};
  const RequantProof proof = prove_requantization(std::span(&stated, 1), std::span(&reachable, 1));
  EXPECT_EQ(proof.blocks[0].formula, Formula::kReference);
  EXPECT_NE(proof.blocks[0].reason.find("it gives"), std::string::npos) << proof.blocks[0].reason;
}

TEST(ProofOfChain, UnsoundChainsAreNamed) {
  const AccumulatorInterval reachable{-10, 10};
  const MonotoneChain infinite(
      {{ChainStep::Kind::kToFloat}, {ChainStep::Kind::kMul, INFINITY}, {ChainStep::Kind::kToInt, 0, 0, 0, 1}});
  EXPECT_NE(prove_one(infinite, reachable).blocks[0].reason.find("not finite"), std::string::npos);
  const MonotoneChain unfinished({{ChainStep::Kind::kToFloat}, {ChainStep::Kind::kMul, 2.0f}});
  EXPECT_NE(prove_one(unfinished, reachable).blocks[0].reason.find("ends in a float"), std::string::npos);
  const MonotoneChain wrong({{ChainStep::Kind::kMul, 2.0f}});
  EXPECT_NE(prove_one(wrong, reachable).blocks[0].reason.find("wrong type"), std::string::npos);
}

TEST(ProofOfChain, AConstantChannelIsProvenInEitherDirection) {
  for (float slope : {0.01f, -0.01f, 0.0f}) {
    const MonotoneChain stated({{ChainStep::Kind::kToFloat},
                                {ChainStep::Kind::kFma, slope, 40.0f},
                                {ChainStep::Kind::kRoundHalfEven},
                                {ChainStep::Kind::kToInt, 0, 0, -128, 127}});
    const AccumulatorInterval reachable{3, 30};
    const RequantProof proof = prove_one(stated, reachable);
    EXPECT_EQ(proof.blocks[0].formula, Formula::kF32Magic) << slope << ": " << proof.summary();
    EXPECT_EQ(first_difference(stated, reachable, proof.blocks[0].formula, proof.channels[0]), 31) << slope;
  }
}

TEST(Proof, AModelsChannelsAreProvenFast) {
  std::mt19937 random(9);
  std::vector<Requantization> channels;
  std::vector<AccumulatorInterval> reachable;
  for (int i = 0; i < 17056; ++i) {  // the convolution channels of MobileNetV2
    const double scale = random_scale(random, -12, -6);
    channels.push_back(requantization(Rounding::kFixedSingle, scale, -128));
    const auto reach = static_cast<int64_t>(600 / scale);
    reachable.push_back({-reach, reach});
  }
  const std::clock_t start = std::clock();
  const RequantProof proof = prove_requantization(channels, reachable);
  const double seconds =
      static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;  // of the processor: machines are shared
  std::printf("%zu channels proven in %.3f s\n%s\n", channels.size(), seconds, proof.summary().c_str());
  // 0.15 s on one core of a server; sanitizers make it ten times as much.
  EXPECT_LT(seconds, 4.0);
  std::set<Formula> used;
  for (const ProvenBlock& block : proof.blocks)
    used.insert(block.formula);
  EXPECT_FALSE(used.contains(Formula::kReference));
}

}  // namespace
}  // namespace qlathe
