#include "frontend/ops/movement.h"

#include "tests/ops/op_runner.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace qlathe::testing {
namespace {

using ::testing::HasSubstr;

HostTensor count_up(const Shape& shape) {
  HostTensor out(ValueType::kI32, shape);
  for (int64_t i = 0; i < out.size(); i++)
    out.set_int(i, i);
  return out;
}

std::shared_ptr<const OpAttrs> reshape(Shape shape) {
  ReshapeAttrs attrs;
  attrs.shape = std::move(shape);
  return share(attrs);
}
std::shared_ptr<const OpAttrs> transpose(std::vector<int64_t> permutation) {
  TransposeAttrs attrs;
  attrs.permutation = std::move(permutation);
  return share(attrs);
}
std::shared_ptr<const OpAttrs> slice(std::vector<int64_t> start, std::vector<int64_t> size,
                                     std::vector<int64_t> by = {}) {
  SliceAttrs attrs;
  attrs.start = std::move(start);
  attrs.size = std::move(size);
  attrs.step = std::move(by);
  return share(attrs);
}
std::shared_ptr<const OpAttrs> pad(std::vector<int64_t> lo, std::vector<int64_t> hi, PadMode mode = PadMode::kConstant,
                                   std::vector<int64_t> interior = {}) {
  PadAttrs attrs;
  attrs.lo = std::move(lo);
  attrs.hi = std::move(hi);
  attrs.mode = mode;
  attrs.interior = std::move(interior);
  return share(attrs);
}
std::shared_ptr<const OpAttrs> gather(int64_t axis) {
  GatherAttrs attrs;
  attrs.axis = axis;
  return share(attrs);
}
std::shared_ptr<const OpAttrs> concat(int64_t axis) {
  ConcatAttrs attrs;
  attrs.axis = axis;
  return share(attrs);
}
std::shared_ptr<const OpAttrs> broadcast(Shape shape) {
  BroadcastAttrs attrs;
  attrs.shape = std::move(shape);
  return share(attrs);
}

TEST(Reshape, KeepsElementsInRowMajorOrder) {
  EXPECT_TRUE(same_bits(run_op("reshape", reshape({3, 2}), {i32({2, 3}, {1, 2, 3, 4, 5, 6})}),
                        i32({3, 2}, {1, 2, 3, 4, 5, 6})));
}

TEST(Reshape, RefusesAnotherNumberOfElements) {
  EXPECT_EQ(error_of("reshape", reshape({4, 2}), {count_up({2, 3})}),
            "n: shape: 4x2 has 8 elements, the operand 2x3 has 6; give a shape of equal size");
}

TEST(Reshape, RefusesShapesThatOverflow) {
  EXPECT_THAT(error_of("reshape", reshape({INT64_MAX, INT64_MAX}), {count_up({2, 3})}), HasSubstr("2^40"));
  EXPECT_THAT(error_of("reshape", reshape({-2, -3}), {count_up({2, 3})}), HasSubstr("negative"));
}

TEST(Transpose, MovesAxes) {
  EXPECT_TRUE(same_bits(run_op("transpose", transpose({1, 0}), {i32({2, 3}, {1, 2, 3, 4, 5, 6})}),
                        i32({3, 2}, {1, 4, 2, 5, 3, 6})));
}

TEST(Transpose, BackAndForthIsIdentityForEveryElementSize) {
  Random random(1);
  for (ValueType type : {ValueType::kI4, ValueType::kF16, ValueType::kF32, ValueType::kI64, ValueType::kBool}) {
    const HostTensor x = random_tensor(random, type, {2, 3, 4, 5});
    const HostTensor there = run_op("transpose", transpose({2, 0, 3, 1}), {x});
    EXPECT_EQ(there.shape(), (Shape{4, 2, 5, 3}));
    EXPECT_TRUE(same_bits(run_op("transpose", transpose({1, 3, 0, 2}), {there}), x)) << name(type);
  }
}

TEST(Transpose, RefusesWhatIsNoPermutation) {
  EXPECT_THAT(error_of("transpose", transpose({0, 0}), {count_up({2, 3})}),
              HasSubstr("n: permutation: axis 0 is given"));
  EXPECT_THAT(error_of("transpose", transpose({0, 2}), {count_up({2, 3})}), HasSubstr("axis 2 is not one of the 2"));
  EXPECT_THAT(error_of("transpose", transpose({0}), {count_up({2, 3})}), HasSubstr("has 1 entries, expected 2"));
}

TEST(Slice, TakesStartsStepsAndReversal) {
  EXPECT_TRUE(same_bits(run_op("slice", slice({1, 4}, {1, 3}, {1, -2}), {count_up({2, 5})}), i32({1, 3}, {9, 7, 5})));
}

TEST(Slice, MayBeEmpty) { EXPECT_EQ(run_op("slice", slice({9}, {0}), {count_up({5})}).size(), 0); }

TEST(Slice, RefusesElementsOutsideTheAxis) {
  EXPECT_THAT(error_of("slice", slice({3}, {3}), {count_up({5})}), HasSubstr("elements 3 to 5 of axis 0"));
  EXPECT_THAT(error_of("slice", slice({2}, {4}, {-1}), {count_up({5})}), HasSubstr("elements 2 to -1"));
  EXPECT_THAT(error_of("slice", slice({0}, {3}, {INT64_MAX}), {count_up({5})}), HasSubstr("n: start"));
  EXPECT_THAT(error_of("slice", slice({0}, {1}, {0}), {count_up({5})}), HasSubstr("n: step: is 0"));
}

TEST(Pad, PutsValueAroundAndBetween) {
  EXPECT_TRUE(same_bits(run_op("pad", pad({1}, {2}, PadMode::kConstant, {1}), {i32({3}, {5, 6, 7}), i32({}, {-1})}),
                        i32({8}, {-1, 5, -1, 6, -1, 7, -1, -1})));
}

TEST(Pad, DefaultsToZeroAndCrops) {
  EXPECT_TRUE(same_bits(run_op("pad", pad({-1, 1}, {0, -1}), {count_up({2, 3})}), i32({1, 3}, {0, 3, 4})));
}

TEST(Pad, TakesAValuePerImage) {
  EXPECT_TRUE(same_bits(run_op("pad", pad({0, 1}, {0, 0}), {u8({2, 1}, {5, 6}), u8({2, 1}, {10, 20})}),
                        u8({2, 2}, {10, 5, 20, 6})));
}

TEST(Pad, ReflectsRepeatsAndMirrors) {
  const HostTensor x = i32({3}, {1, 2, 3});
  EXPECT_TRUE(same_bits(run_op("pad", pad({2}, {2}, PadMode::kReflect), {x}), i32({7}, {3, 2, 1, 2, 3, 2, 1})));
  EXPECT_TRUE(same_bits(run_op("pad", pad({2}, {2}, PadMode::kSymmetric), {x}), i32({7}, {2, 1, 1, 2, 3, 3, 2})));
  EXPECT_TRUE(same_bits(run_op("pad", pad({2}, {2}, PadMode::kEdge), {x}), i32({7}, {1, 1, 1, 2, 3, 3, 3})));
}

TEST(Pad, RefusesMoreReflectionThanThereIs) {
  EXPECT_THAT(error_of("pad", pad({3}, {0}, PadMode::kReflect), {count_up({3})}), HasSubstr("too few"));
  EXPECT_THAT(error_of("pad", pad({-2}, {-2}), {count_up({3})}), HasSubstr("cropping takes more than all"));
  EXPECT_THAT(error_of("pad", pad({INT64_MAX}, {INT64_MAX}), {count_up({3})}), HasSubstr("2^40"));
  EXPECT_THAT(error_of("pad", pad({0}, {0}, PadMode::kConstant, {INT64_MAX}), {count_up({3})}), HasSubstr("2^40"));
  EXPECT_THAT(error_of("pad", pad({1}, {0}), {count_up({3}), f32({}, {0})}), HasSubstr("expected int32"));
}

TEST(Concat, JoinsAlongAnyAxis) {
  EXPECT_TRUE(same_bits(run_op("concat", concat(1), {i32({2, 1}, {1, 2}), i32({2, 2}, {3, 4, 5, 6})}),
                        i32({2, 3}, {1, 3, 4, 2, 5, 6})));
  EXPECT_TRUE(same_bits(run_op("concat", concat(0), {i32({1, 2}, {1, 2}), i32({0, 2}, {}), i32({1, 2}, {3, 4})}),
                        i32({2, 2}, {1, 2, 3, 4})));
}

TEST(Concat, RefusesOtherTypesAndExtents) {
  EXPECT_THAT(error_of("concat", concat(0), {count_up({2}), f32({1}, {0})}), HasSubstr("operand 1 is float32[1]"));
  EXPECT_THAT(error_of("concat", concat(0), {count_up({2, 2}), count_up({2, 3})}), HasSubstr("must be equal"));
  EXPECT_THAT(error_of("concat", concat(2), {count_up({2, 2})}), HasSubstr("n: axis"));
}

TEST(Gather, TakesSlicesAndClampsIndices) {
  EXPECT_TRUE(same_bits(run_op("gather", gather(1), {count_up({2, 3}), i32({4}, {2, -3, 99, -99})}),
                        i32({2, 4}, {2, 0, 2, 0, 5, 3, 5, 3})));
  EXPECT_EQ(run_op("gather", gather(0), {count_up({5, 2}), i8({2, 3}, {0, 1, 2, 3, 4, -1})}).shape(), (Shape{2, 3, 2}));
}

TEST(Gather, RefusesFloatIndicesAndEmptyAxes) {
  EXPECT_THAT(error_of("gather", gather(0), {count_up({3}), f32({1}, {0})}), HasSubstr("n: indices"));
  EXPECT_THAT(error_of("gather", gather(0), {count_up({0}), i32({1}, {0})}), HasSubstr("no elements"));
}

TEST(Broadcast, RepeatsAlignedAtTheLastAxis) {
  EXPECT_TRUE(same_bits(run_op("broadcast", broadcast({2, 2, 2}), {i32({2, 1}, {1, 2})}),
                        i32({2, 2, 2}, {1, 1, 2, 2, 1, 1, 2, 2})));
  EXPECT_THAT(error_of("broadcast", broadcast({4}), {count_up({2})}), HasSubstr("does not broadcast"));
}

}  // namespace
}  // namespace qlathe::testing
