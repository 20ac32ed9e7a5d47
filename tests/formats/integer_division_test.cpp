#include "frontend/formats/import/integer_division.h"

#include <gtest/gtest.h>

#include <climits>

namespace qlathe {
namespace {

struct Case {
  int64_t a, b;
};

std::vector<Case> cases() {
  const std::vector<int64_t> values = {
      INT32_MIN, INT32_MIN + 1, -1073741825, -16777217, -1000,     -7,         -3,         -2,       -1, 0, 1, 2, 3,
      7,         999,           16777217,    33554433,  715827883, 1073741824, 2147483646, INT32_MAX};
  std::vector<Case> out;
  for (int64_t a : values)
    for (int64_t b : values)
      if (b != 0 && !(a == INT32_MIN && b == -1)) out.push_back({a, b});
  return out;
}

/// Constants are evaluated as they are added: what is tested is the graph's arithmetic.
class IntegerDivision : public ::testing::Test {
 protected:
  IntegerDivision() : graph_("file"), node_(graph_, "DIV", Origin{"n", "", "", ""}) {
    HostTensor a(ValueType::kI32, {static_cast<int64_t>(cases().size())}), b = a;
    for (size_t i = 0; i < cases().size(); i++) {
      a.set_int(static_cast<int64_t>(i), cases()[i].a);
      b.set_int(static_cast<int64_t>(i), cases()[i].b);
    }
    a_ = node_.constant(std::move(a));
    b_ = node_.constant(std::move(b));
  }

  template <class Want>
  void expect(TensorId got, Want want) {
    const HostTensor* values = node_.data(got);
    ASSERT_NE(values, nullptr);
    for (size_t i = 0; i < cases().size(); i++) {
      const auto [a, b] = cases()[i];
      EXPECT_EQ(values->int_at(static_cast<int64_t>(i)), want(a, b)) << a << " by " << b;
    }
  }

  ImportGraph graph_;
  ImportNode node_;
  TensorId a_, b_;
};

int64_t floor_of(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0); }

TEST_F(IntegerDivision, RoundsDownExactly) {
  const FloorDivision got = import_floor_division(node_, a_, b_);
  expect(got.quotient, floor_of);
  expect(got.remainder, [](int64_t a, int64_t b) { return a - b * floor_of(a, b); });
}

TEST_F(IntegerDivision, RoundsTowardsZeroExactly) {
  expect(import_divide(node_, a_, b_), [](int64_t a, int64_t b) { return a / b; });
}

}  // namespace
}  // namespace qlathe
