#include <gtest/gtest.h>

#include <algorithm>

#include "schedule/target.h"
#include "schedule/tiling/contraction_tile.h"
#include "tests/contraction/check_cases.h"

namespace qlathe::testing {
namespace {

using Operand = ContractionSpec::Operand;
using V = ValueType;

void check(const std::vector<ContractionSpec>& specs, const char* target) {
  check_cases(specs, make_contraction, target);
}

ContractionSpec dense(int64_t m, int64_t k, int64_t n) {
  ContractionSpec s;
  s.label = "dense " + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n);
  s.spatial = {m};
  s.windows = {Window{}};
  s.k = k;
  s.n = n;
  return s;
}

ContractionSpec conv2d(int64_t h, int64_t w, int64_t k, int64_t n, Window y, Window x) {
  ContractionSpec s;
  s.spatial = {h, w};
  s.windows = {y, x};
  s.k = k;
  s.n = n;
  s.label = "conv " + std::to_string(h) + "x" + std::to_string(w) + "x" + std::to_string(k) + " " +
            std::to_string(y.kernel) + "x" + std::to_string(x.kernel) + " -> " + std::to_string(n);
  return s;
}

class ContractionOn : public ::testing::TestWithParam<const char*> {};

TEST_P(ContractionOn, DenseShapesOfEveryRemainder) {
  std::vector<ContractionSpec> specs;
  for (int64_t m : {1, 2, 5, 8, 13})
    for (int64_t k : {1, 3, 4, 7, 16, 33})
      for (int64_t n : {1, 3, 4, 10, 16, 40}) {
        if ((m + k + n) % 3 == 0) specs.push_back(dense(m, k, n));
      }
  specs.push_back(dense(130, 64, 64));
  specs.push_back(dense(7, 128, 256));
  specs.push_back(dense(1, 64, 1000));
  check(specs, GetParam());
}

TEST_P(ContractionOn, Convolutions) {
  std::vector<ContractionSpec> specs;
  specs.push_back(conv2d(9, 9, 16, 16, {3, 1, 1}, {3, 1, 1}));
  specs.push_back(conv2d(9, 10, 3, 20, {3, 2, 1}, {3, 2, 1}));
  specs.push_back(conv2d(12, 11, 8, 24, {3, 1, 2}, {3, 1, 2}));
  specs.push_back(conv2d(12, 11, 5, 7, {1, 2, 1}, {1, 3, 1}));
  specs.push_back(conv2d(28, 28, 1, 8, {5, 1, 1}, {5, 1, 1}));
  specs.push_back(conv2d(6, 6, 1, 8, {3, 1, 1}, {3, 1, 1}));
  specs.push_back(conv2d(5, 5, 12, 10, {5, 1, 1}, {5, 1, 1}));
  specs.push_back(conv2d(14, 2, 8, 16, {3, 1, 1}, {1, 1, 1}));
  ContractionSpec images = conv2d(7, 7, 8, 16, {3, 1, 1}, {2, 1, 1});
  images.images = 3;
  images.label = "three images";
  specs.push_back(images);
  ContractionSpec grouped = conv2d(7, 7, 4, 6, {3, 1, 1}, {3, 2, 1});
  grouped.groups = 3;
  grouped.label = "three groups";
  specs.push_back(grouped);
  ContractionSpec line = dense(20, 6, 16);
  line.windows = {Window{4, 2, 3}};
  line.label = "1-D";
  specs.push_back(line);
  ContractionSpec volume = conv2d(5, 6, 4, 9, {2, 1, 1}, {3, 1, 1});
  volume.spatial = {4, 5, 6};
  volume.windows = {Window{2, 1, 1}, Window{2, 1, 2}, Window{3, 1, 1}};
  volume.label = "3-D";
  specs.push_back(volume);
  check(specs, GetParam());
}

TEST_P(ContractionOn, BatchesOfBothOperands) {
  ContractionSpec both = dense(5, 12, 18);
  both.batch = 4;
  both.label = "matrices";
  ContractionSpec vectors = dense(1, 12, 18);
  vectors.batch = 4;
  vectors.label = "vectors";
  check({both, vectors}, GetParam());
}

TEST_P(ContractionOn, IntegerTypesAndZeroPoints) {
  std::vector<ContractionSpec> specs;
  for (V lhs : {V::kI8, V::kU8, V::kI4, V::kU4})
    for (V rhs : {V::kI8, V::kU8, V::kI4, V::kU4, V::kI2, V::kI3, V::kU2})
      for (Operand zp : {Operand::kAbsent, Operand::kOne, Operand::kPerChannel}) {
        ContractionSpec s = dense(6, 22, 20);
        s.label = std::string(name(lhs)) + "*" + name(rhs) + " zp " + std::to_string(static_cast<int>(zp));
        s.lhs_type = lhs;
        s.rhs_type = rhs;
        s.rhs_zero_point = zp;
        s.lhs_zero_point = zp == Operand::kPerChannel ? Operand::kPerRow : zp;
        if ((static_cast<int>(lhs) + static_cast<int>(rhs) + static_cast<int>(zp)) % 2 == 0) specs.push_back(s);
      }
  ContractionSpec run_time = conv2d(6, 6, 8, 16, {3, 1, 1}, {3, 1, 1});
  run_time.lhs_type = V::kI8;
  run_time.lhs_zero_point = Operand::kPerRow;
  run_time.rhs_zero_point = Operand::kPerChannel;
  run_time.run_time_zero_points = true;
  run_time.label = "run-time zero points";
  specs.push_back(run_time);
  check(specs, GetParam());
}

/// Weights less their zero point that are no bytes: two bytes of short runs, sums of rows of longer ones.
TEST_P(ContractionOn, WeightsOfUint8WithAnyZeroPoint) {
  std::vector<ContractionSpec> specs;
  for (const int64_t run : {5, 9, 16, 17, 24, 40, 63, 64, 72, 100, 151}) {
    ContractionSpec s = dense(9, run, run % 2 == 0 ? 32 : 20);
    s.rhs_type = V::kU8;
    s.lhs_type = run % 3 == 0 ? V::kI8 : V::kU8;
    s.rhs_zero_point = run % 5 == 0 ? Operand::kPerChannel : Operand::kOne;
    if (run != 72) s.lhs_zero_point = run % 4 == 0 ? Operand::kPerRow : Operand::kOne;
    s.label = "run of " + std::to_string(run);
    specs.push_back(s);
    s.rhs_zero_point = Operand::kAbsent;
    s.label += ", no zero point";
    specs.push_back(s);
  }
  for (const int64_t channels : {1, 2, 3, 8, 20, 32}) {
    ContractionSpec s = conv2d(9, 12, channels, 24, {3, 1, 1}, {3, 2, 1});
    s.rhs_type = V::kU8;
    s.rhs_zero_point = s.lhs_zero_point = Operand::kOne;
    s.label = "window of " + std::to_string(channels) + " channels";
    specs.push_back(s);
    s.lhs_type = V::kI8;
    s.run_time_zero_points = true;
    s.label += ", run-time zero points";
    specs.push_back(s);
  }
  check(specs, GetParam());
}

TEST_P(ContractionOn, ScalesPerRowChannelAndBlock) {
  std::vector<ContractionSpec> specs;
  for (ScaleOrder order : {ScaleOrder::kLhsFirst, ScaleOrder::kRhsFirst}) {
    ContractionSpec s = dense(6, 64, 36);
    s.lhs_type = V::kI8;
    s.lhs_scale = Operand::kPerRow;
    s.rhs_scale = Operand::kPerChannel;
    s.scale_order = order;
    s.label = "scales";
    specs.push_back(s);
    s.blocks = 4;
    s.lhs_scale = s.rhs_scale = Operand::kPerBlock;
    s.label = "scales per block";
    specs.push_back(s);
    s.rhs_type = V::kI4;
    s.label = "scales per block int4";
    specs.push_back(s);
    s.lhs_zero_point = s.rhs_zero_point = Operand::kPerBlock;
    s.label = "zero points per block";
    specs.push_back(s);
    ContractionSpec odd = dense(3, 20, 16);
    odd.blocks = 4;
    odd.lhs_scale = Operand::kOne;
    odd.rhs_scale = Operand::kPerBlock;
    odd.label = "blocks of five";
    specs.push_back(odd);
    ContractionSpec conv = conv2d(6, 6, 8, 16, {3, 1, 1}, {3, 1, 1});
    conv.blocks = 6;
    conv.rhs_scale = Operand::kPerBlock;
    conv.label = "blocks across window positions";
    specs.push_back(conv);
  }
  check(specs, GetParam());
}

TEST_P(ContractionOn, BlocksWithIntegerMultipliers) {
  std::vector<ContractionSpec> specs;
  for (const V lhs : {V::kI8, V::kU8}) {
    for (const V rhs : {V::kI4, V::kI2, V::kI8}) {
      for (const V accumulator : {V::kI32, V::kI64}) {
        ContractionSpec s = dense(1, 96, 80);
        s.lhs_type = lhs;
        s.rhs_type = rhs;
        s.accumulator = accumulator;
        s.blocks = 3;
        s.rhs_multiplier = true;
        s.rhs_scale = Operand::kPerBlock;
        s.lhs_scale = Operand::kPerRow;
        const std::string label = std::string(name(lhs)) + "*" + name(rhs) + " in " + name(accumulator);
        s.label = "one row " + label;
        specs.push_back(s);
        s.spatial = {7};
        s.lhs_zero_point = Operand::kOne;
        s.label = "constant zero point " + label;
        specs.push_back(s);
        s.lhs_zero_point = Operand::kPerRow;
        s.run_time_zero_points = true;
        s.label = "zero points of rows " + label;
        specs.push_back(s);
        s.lhs_scale = Operand::kAbsent;
        s.label = "no scale " + label;
        specs.push_back(s);
      }
    }
  }
  ContractionSpec odd = dense(5, 60, 20);
  odd.lhs_type = V::kI8;
  odd.rhs_type = V::kI4;
  odd.blocks = 4;
  odd.rhs_multiplier = true;
  odd.rhs_scale = Operand::kPerBlock;
  odd.label = "blocks of fifteen";
  specs.push_back(odd);
  odd.lhs_zero_point = odd.rhs_zero_point = Operand::kPerBlock;
  odd.lhs_scale = Operand::kPerRow;
  odd.label = "zero points of blocks on both sides";
  specs.push_back(odd);
  ContractionSpec one = dense(3, 64, 48);
  one.rhs_multiplier = true;
  one.rhs_scale = Operand::kPerChannel;
  one.lhs_type = V::kI8;
  one.label = "a single block";
  specs.push_back(one);
  ContractionSpec batched = dense(4, 64, 24);
  batched.batch = 3;
  batched.lhs_type = V::kI8;
  batched.blocks = 2;
  batched.rhs_multiplier = true;
  batched.rhs_scale = Operand::kPerBlock;
  batched.label = "batches";
  specs.push_back(batched);
  batched.constant_rhs = false;
  batched.label = "run-time weights";
  specs.push_back(batched);
  check(specs, GetParam());
}

TEST_P(ContractionOn, OneRowThatStreamsThroughItsWeights) {
  std::vector<ContractionSpec> specs;
  // Panels of one line a step, several of them at once: some of all chunks, all chunks, a number that divides nothing.
  for (const auto& [rhs, k, n] : {std::tuple(V::kI8, 1024, 1024), std::tuple(V::kI8, 4096, 256),
                                  std::tuple(V::kI4, 2048, 1024), std::tuple(V::kI8, 1030, 1000)}) {
    ContractionSpec s = dense(1, k, n);
    s.lhs_type = V::kF32;
    s.rhs_type = rhs;
    s.accumulator = V::kF32;
    s.rhs_scale = Operand::kPerChannel;
    s.label = std::string("float by ") + name(rhs) + " " + std::to_string(k) + "x" + std::to_string(n);
    specs.push_back(s);
  }
  // Words of packed weights: zero points that fold and that do not, 2 bits, unsigned, a window, one word in all.
  for (const V rhs : {V::kI4, V::kI2, V::kU4}) {
    for (const Operand zero_point : {Operand::kAbsent, Operand::kOne, Operand::kPerChannel}) {
      ContractionSpec s = dense(1, rhs == V::kI2 ? 16 : 40, 80);
      s.lhs_type = V::kF32;
      s.rhs_type = rhs;
      s.accumulator = V::kF32;
      s.rhs_zero_point = zero_point;
      s.rhs_scale = Operand::kPerChannel;
      s.label = std::string("words of ") + name(rhs) + ", zero point " + std::to_string(static_cast<int>(zero_point));
      if (rhs == V::kI2) s.k = 48;
      specs.push_back(s);
      s.blocks = rhs == V::kI2 ? 3 : 5;
      s.label += " in blocks";
      specs.push_back(s);
    }
  }
  ContractionSpec window = conv2d(3, 5, 24, 33, {3, 1, 1}, {3, 1, 2});
  window.spatial = {3, 5};
  window.lhs_type = V::kF32;
  window.rhs_type = V::kI4;
  window.accumulator = V::kF32;
  window.label = "words under a window";
  specs.push_back(window);
  ContractionSpec bytes = dense(1, 2048, 1024);
  bytes.rhs_type = V::kI4;
  bytes.label = "bytes by int4";
  specs.push_back(bytes);
  check(specs, GetParam());
}

TEST_P(ContractionOn, FloatSumsInOrder) {
  std::vector<ContractionSpec> specs;
  for (V lhs : {V::kF32, V::kBF16, V::kF16, V::kI8})
    for (V rhs : {V::kF32, V::kBF16, V::kI8, V::kI4, V::kU4, V::kNF4, V::kF4E2M1, V::kF8E4M3, V::kF8E5M2}) {
      ContractionSpec s = dense(5, 23, 20);
      s.accumulator = V::kF32;
      s.lhs_type = lhs;
      s.rhs_type = rhs;
      s.label = std::string(name(lhs)) + "*" + name(rhs);
      if (lhs == V::kBF16) s.k = 24;
      if (lhs == V::kF16) s.rhs_scale = Operand::kPerChannel;
      if (lhs == V::kI8 && is_integer(rhs)) s.lhs_zero_point = s.rhs_zero_point = Operand::kOne;
      specs.push_back(s);
    }
  ContractionSpec conv = conv2d(9, 9, 5, 17, {3, 2, 1}, {3, 2, 1});
  conv.lhs_type = conv.rhs_type = conv.accumulator = V::kF32;
  specs.push_back(conv);
  ContractionSpec blocks = dense(3, 64, 24);
  blocks.lhs_type = blocks.accumulator = V::kF32;
  blocks.rhs_type = V::kI4;
  blocks.blocks = 2;
  blocks.rhs_scale = Operand::kPerBlock;
  blocks.label = "float blocks";
  specs.push_back(blocks);
  check(specs, GetParam());
}

TEST_P(ContractionOn, InterleavedFloatSums) {
  std::vector<ContractionSpec> specs;
  for (int64_t n : {1, 3, 18})
    for (int64_t k : {5, 32, 45}) {
      ContractionSpec s = dense(3, k, n);
      s.lhs_type = s.rhs_type = s.accumulator = ValueType::kF32;
      s.sum_order = SumOrder::kInterleaved16;
      if (n == 3) s.rhs_type = ValueType::kI4;
      s.label += " interleaved";
      specs.push_back(s);
    }
  ContractionSpec conv = conv2d(6, 6, 3, 2, {3, 1, 1}, {3, 1, 1});
  conv.lhs_type = conv.rhs_type = conv.accumulator = ValueType::kF32;
  conv.sum_order = SumOrder::kInterleaved16;
  specs.push_back(conv);
  ContractionSpec blocks = dense(2, 60, 2);
  blocks.lhs_type = blocks.accumulator = ValueType::kF32;
  blocks.blocks = 3;
  blocks.rhs_scale = Operand::kPerBlock;
  blocks.sum_order = SumOrder::kInterleaved16;
  blocks.label = "interleaved blocks";
  specs.push_back(blocks);
  check(specs, GetParam());
}

TEST_P(ContractionOn, WideActivations) {
  std::vector<ContractionSpec> specs;
  for (ValueType accumulator : {ValueType::kI32, ValueType::kI64})
    for (ValueType lhs : {ValueType::kI16, ValueType::kU16}) {
      ContractionSpec s = dense(5, 23, 20);
      s.lhs_type = lhs;
      s.accumulator = accumulator;
      s.lhs_zero_point = Operand::kOne;
      s.label = std::string(name(lhs)) + " into " + name(accumulator);
      specs.push_back(s);
    }
  check(specs, GetParam());
}

TEST_P(ContractionOn, EpiloguesToBytes) {
  std::vector<ContractionSpec> specs;
  specs.push_back(to_bytes(dense(9, 40, 36), V::kU8, 0.003f, 100));
  specs.push_back(to_bytes(dense(9, 40, 36), V::kI8, 0.003f, -3));
  specs.push_back(to_bytes(conv2d(8, 8, 7, 24, {3, 1, 1}, {3, 1, 1}), V::kU4, 0.0005f, 2));
  ContractionSpec s = to_bytes(dense(5, 64, 16), V::kI8, 0.25f, 0);  // many ties
  s.lhs_type = V::kI8;
  s.lhs_zero_point = Operand::kOne;
  specs.push_back(s);
  s = to_bytes(dense(6, 33, 20), V::kI8, 0.001f, 5);
  s.steps.insert(s.steps.end() - 1, {.op = "relu", .type = V::kF32});
  specs.push_back(s);
  s = to_bytes(dense(6, 33, 20), V::kI8, 0.001f, 5);
  s.steps.insert(s.steps.end() - 1, {.op = "tanh", .type = V::kF32});
  specs.push_back(s);
  s = to_bytes(dense(6, 33, 20), V::kI16, 0.7f, 0);
  specs.push_back(s);
  check(specs, GetParam());
}

TEST(ContractionTile, OneRowOfFloatsReadsItsWeightsInFourStreams) {
  TileRequest request;
  request.target = TargetRegistry::find("x86-64-avx512vnni");
  request.n = 1024;
  request.steps = 1024;
  request.bytes_per_step = 1;
  request.decode = 2;
  const ContractionTile tile = choose_tile(request);
  EXPECT_EQ(tile.text(), "1x4x16x4");
  EXPECT_EQ(tile.chunk * tile.chunks, 1024);
  request.rows = 16;
  EXPECT_EQ(choose_tile(request).streams, 1) << "more rows work on a weight for longer than it takes to come";
}

TEST_P(ContractionOn, BytesOfEveryTile) {
  // Vectors are narrowed four at a time, across channels and across rows.
  std::vector<ContractionSpec> specs;
  for (int64_t n : {16, 24, 32, 48, 64, 80, 96, 160})
    for (int64_t m : {1, 3, 6, 11}) {
      if ((m + n / 8) % 2 != 0) continue;
      specs.push_back(to_bytes(dense(m, 20, n), n % 32 == 0 ? V::kU8 : V::kI8, 0.01f, n % 48 == 0 ? 0 : 7));
      if (m != 6) continue;
      specs.back().steps.insert(specs.back().steps.end() - 1, {.op = "clamp", .type = V::kF32, .lo = 9, .hi = 100});
    }
  specs.push_back(to_bytes(conv2d(12, 13, 8, 32, {3, 1, 1}, {3, 1, 1}), V::kU8, 0.004f, 3));
  check(specs, GetParam());
}

TEST_P(ContractionOn, WindowsOverOneOrTwoChannels) {
  std::vector<ContractionSpec> specs;
  for (V lhs : {V::kU8, V::kI8}) {
    specs.push_back(to_bytes(conv2d(9, 11, 1, 8, {3, 1, 1}, {3, 1, 1}), V::kU8, 0.01f, 0));
    specs.push_back(conv2d(9, 11, 1, 16, {2, 1, 1}, {3, 1, 1}));
    specs.push_back(conv2d(7, 9, 1, 20, {3, 2, 1}, {3, 2, 1}));
    specs.push_back(conv2d(7, 9, 1, 16, {3, 1, 2}, {2, 1, 1}));
    specs.push_back(conv2d(7, 9, 2, 16, {3, 1, 1}, {3, 1, 2}));
    specs.push_back(conv2d(7, 4, 2, 16, {2, 1, 1}, {1, 1, 1}));
    for (size_t i = specs.size() - 6; i < specs.size(); i++) {
      specs[i].lhs_type = lhs;
      specs[i].lhs_zero_point = i % 2 == 0 ? Operand::kOne : Operand::kAbsent;
    }
  }
  check(specs, GetParam());
}

TEST(ContractionPlan, AConstantEpilogueBecomesOneProvenFormula) {
  const NodeCase node_case = make_contraction(to_bytes(dense(9, 40, 36), ValueType::kU8, 0.003f, 0), 3);
  const LoweringContext context{node_case.graph, node_case.graph.nodes.back(),
                                *TargetRegistry::find("x86-64-avx512vnni")};
  const auto lowering = (*LoweringRegistry::find("contraction"))(context);
  ASSERT_TRUE(lowering.ok()) << lowering.status().text();
  ASSERT_EQ(lowering->calls.size(), 1u);
  ASSERT_EQ(lowering->calls[0].notes.size(), 1u);
  EXPECT_NE(lowering->calls[0].notes[0].find("fp32"), std::string::npos) << lowering->calls[0].notes[0];
}

TEST_P(ContractionOn, TwoRunTimeOperands) {
  std::vector<ContractionSpec> specs;
  const auto add = [&](ContractionSpec s, const std::string& label) {
    s.constant_rhs = false;
    s.label = "run-time rhs, " + label;
    specs.push_back(s);
  };
  ContractionSpec heads = dense(12, 24, 20);
  heads.batch = 3;
  add(heads, "u8*s8");
  heads.lhs_type = V::kI8;
  add(heads, "s8*s8");
  heads.lhs_zero_point = heads.rhs_zero_point = Operand::kOne;
  heads.run_time_zero_points = true;
  add(heads, "zero points");
  heads.rhs_type = V::kU8;
  heads.k = 23;
  add(heads, "s8*u8 odd");
  heads.rhs_scale = heads.lhs_scale = Operand::kPerRow;
  heads.rhs_scale = Operand::kPerChannel;
  add(heads, "scaled");
  ContractionSpec blocks = dense(4, 32, 20);
  blocks.blocks = 4;
  blocks.lhs_type = V::kI8;
  blocks.lhs_scale = blocks.rhs_scale = Operand::kPerBlock;
  add(blocks, "blocks");
  ContractionSpec real = dense(5, 19, 33);
  real.lhs_type = real.rhs_type = real.accumulator = V::kF32;
  add(real, "float");
  add(conv2d(8, 8, 5, 12, {3, 1, 1}, {3, 1, 1}), "convolution");
  check(specs, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Targets, ContractionOn, ::testing::ValuesIn(tested_targets()), [](const auto& param) {
  std::string text = param.param;
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
});

}  // namespace
}  // namespace qlathe::testing
