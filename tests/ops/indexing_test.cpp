// Running sums, scattering, sorted places, places of maxima, box suppression, and the integer steps.
#include "frontend/ops/indexing.h"

#include "tests/ops/op_runner.h"
#include "tests/support/compare.h"

namespace qlathe::testing {
namespace {

using ::testing::HasSubstr;

HostTensor bools(Shape shape, const std::vector<uint8_t>& values) {
  return HostTensor::of<uint8_t>(ValueType::kBool, std::move(shape), values);
}

HostTensor cumsum(const HostTensor& x, int64_t axis, bool exclusive, bool reverse) {
  CumsumAttrs attrs;
  attrs.axis = axis;
  attrs.exclusive = exclusive;
  attrs.reverse = reverse;
  return run_op("cumsum", share(attrs), {x});
}

TEST(Cumsum, AddsAlongTheAxisFromEitherEnd) {
  const HostTensor x = i32({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_TRUE(same_bits(cumsum(x, 1, false, false), i32({2, 3}, {1, 3, 6, 4, 9, 15})));
  EXPECT_TRUE(same_bits(cumsum(x, 1, true, false), i32({2, 3}, {0, 1, 3, 0, 4, 9})));
  EXPECT_TRUE(same_bits(cumsum(x, 1, false, true), i32({2, 3}, {6, 5, 3, 15, 11, 6})));
  EXPECT_TRUE(same_bits(cumsum(x, 1, true, true), i32({2, 3}, {5, 3, 0, 11, 6, 0})));
  EXPECT_TRUE(same_bits(cumsum(x, 0, false, false), i32({2, 3}, {1, 2, 3, 5, 7, 9})));
}

TEST(Cumsum, IntegersWrap) {
  EXPECT_TRUE(same_bits(cumsum(i32({2}, {INT32_MAX, 1}), 0, false, false), i32({2}, {INT32_MAX, INT32_MIN})));
}

HostTensor scatter(ScatterKind kind, const HostTensor& x, const HostTensor& indices, const HostTensor& updates) {
  ScatterAttrs attrs;
  attrs.kind = kind;
  return run_op("scatter", share(attrs), {x, indices, updates});
}

TEST(Scatter, LaterUpdatesWinAndRowsOutOfRangeAreLeftAlone) {
  const HostTensor x = i8({3, 2}, {1, 2, 3, 4, 5, 6});
  const HostTensor y = scatter(ScatterKind::kSet, x, i32({4}, {2, 3, -1, 2}), i8({4, 2}, {7, 7, 8, 8, 9, 9, 10, 11}));
  EXPECT_TRUE(same_bits(y, i8({3, 2}, {1, 2, 3, 4, 10, 11})));
}

TEST(Scatter, CombinesInTheOrderOfTheUpdates) {
  const HostTensor x = f32({2}, {1, 8}), at = i32({3}, {0, 0, 1}), updates = f32({3}, {2, 3, 5});
  EXPECT_TRUE(same_bits(scatter(ScatterKind::kAdd, x, at, updates), f32({2}, {6, 13})));
  EXPECT_TRUE(same_bits(scatter(ScatterKind::kMul, x, at, updates), f32({2}, {6, 40})));
  EXPECT_TRUE(same_bits(scatter(ScatterKind::kMax, x, at, updates), f32({2}, {3, 8})));
  EXPECT_TRUE(same_bits(scatter(ScatterKind::kMin, x, at, updates), f32({2}, {1, 5})));
}

TEST(Scatter, RefusesUpdatesOfAnotherShape) {
  EXPECT_THAT(error_of("scatter", share(ScatterAttrs()), {f32({2, 2}, {1, 2, 3, 4}), i32({1}, {0}), f32({1}, {1})}),
              HasSubstr("expected float32[1x2]"));
}

TEST(SortPlaces, EqualElementsKeepTheirOrder) {
  SortPlacesAttrs attrs;
  const HostTensor x = f32({2, 4}, {3, 1, 3, 2, -1, -1, 5, 0});
  EXPECT_TRUE(same_bits(run_op("sort_places", share(attrs), {x}), i32({2, 4}, {2, 0, 3, 1, 0, 1, 3, 2})));
  attrs.descending = true;
  EXPECT_TRUE(same_bits(run_op("sort_places", share(attrs), {x}), i32({2, 4}, {0, 3, 1, 2, 2, 3, 0, 1})));
}

TEST(MaxPlace, TheFirstOfEqualMaximaCounts) {
  MaxPlaceAttrs attrs;
  attrs.windows = {{2, 1, 1}, {2, 2, 1}};
  attrs.pad_lo = {1, 0};
  attrs.weights = {4, 1};
  // One channel of 2 x 4; windows of row -1 and 0, and of rows 0 and 1.
  const HostTensor x = i32({1, 2, 4, 1}, {5, 5, 1, 2, 3, 9, 2, 2}), m = i32({1, 2, 2, 1}, {5, 2, 9, 2});
  EXPECT_TRUE(same_bits(run_op("max_place", share(attrs), {x, m}), i32({1, 2, 2, 1}, {0, 3, 5, 3})));
}

TEST(Suppress, OnlyBoxesThatStaySuppress) {
  SuppressAttrs attrs;
  attrs.iou = 0.5;
  // b overlaps a, c overlaps b alone; the last is no candidate.
  const HostTensor boxes = f32({1, 4, 4}, {0, 0, 1, 10, 0, 3, 1, 13, 0, 6, 1, 16, 5, 5, 6, 6});
  EXPECT_TRUE(
      same_bits(run_op("suppress", share(attrs), {boxes, bools({1, 4}, {1, 1, 1, 0})}), bools({1, 4}, {1, 0, 1, 0})));
  EXPECT_TRUE(
      same_bits(run_op("suppress", share(attrs), {boxes, bools({1, 4}, {0, 1, 1, 1})}), bools({1, 4}, {0, 1, 0, 1})));
}

HostTensor integer_step(const char* op, const std::vector<int32_t>& x, const std::vector<int32_t>& y) {
  const Shape shape = {static_cast<int64_t>(x.size())};
  return run_op("pointwise", chain({step(op, {1}, ValueType::kI32)}), {i32(shape, x), i32(shape, y)});
}

TEST(IntegerSteps, DivisionGoesTowardsZeroAndByZeroGivesZero) {
  const std::vector<int32_t> x = {7, -7, 7, -7, 5, INT32_MIN, INT32_MIN}, y = {2, 2, -2, -2, 0, -1, 0};
  EXPECT_TRUE(same_bits(integer_step("div", x, y), i32({7}, {3, -3, -3, 3, 0, INT32_MIN, 0})));
  EXPECT_TRUE(same_bits(integer_step("rem", x, y), i32({7}, {1, -1, 1, -1, 0, 0, 0})));
}

TEST(IntegerSteps, ShiftsBeyondTheTypeLeaveNothingButTheSign) {
  EXPECT_TRUE(same_bits(integer_step("bit_shift_left", {1, 3, 1, 1}, {31, 1, 32, -1}), i32({4}, {INT32_MIN, 6, 0, 0})));
  EXPECT_TRUE(same_bits(integer_step("bit_shift_right", {-8, 8, -8, 8}, {1, 1, 40, 40}), i32({4}, {-4, 4, -1, 0})));
}

TEST(IntegerSteps, BitsAreThoseOfTwosComplement) {
  EXPECT_TRUE(same_bits(integer_step("bitwise_and", {-1, 12}, {5, 10}), i32({2}, {5, 8})));
  EXPECT_TRUE(same_bits(integer_step("bitwise_or", {-8, 12}, {5, 10}), i32({2}, {-3, 14})));
  EXPECT_TRUE(same_bits(integer_step("bitwise_xor", {-1, 12}, {5, 10}), i32({2}, {-6, 6})));
}

TEST(IntegerSteps, WrapsKeepTheLowBits) {
  PointwiseStep wrap = step("cast", {}, ValueType::kI8);
  wrap.wraps = true;
  const HostTensor x = i32({4}, {-129, 128, 300, -1});
  EXPECT_TRUE(same_bits(run_op("pointwise", chain({wrap}), {x}), i8({4}, {127, -128, 44, -1})));
  wrap.type = ValueType::kU4;
  EXPECT_EQ(run_op("pointwise", chain({wrap}), {x}).int_at(2), 12);
}

}  // namespace
}  // namespace qlathe::testing
