#include "frontend/ops/movement.h"

#include <algorithm>

#include "tests/lowering/lowering_cases.h"

namespace qlathe::testing {
namespace {

using V = ValueType;
const std::vector<V> kWidths = {V::kU8, V::kI16, V::kF32, V::kI64};

std::string label(const std::string& op, V type, const Shape& shape) {
  return op + " " + name(type) + " " + to_string(shape);
}

TEST_P(LoweringOn, TransposesOfEveryPermutationEqualTheReference) {
  Random random(1);
  std::vector<NodeCase> cases;
  const std::vector<std::pair<Shape, std::vector<int64_t>>> list = {{{5, 7}, {1, 0}},
                                                                    {{64, 48}, {1, 0}},
                                                                    {{3, 224}, {1, 0}},
                                                                    {{224, 3}, {1, 0}},
                                                                    {{2, 3, 5}, {0, 2, 1}},
                                                                    {{2, 17, 33}, {2, 1, 0}},
                                                                    {{4, 1, 6}, {2, 1, 0}},
                                                                    {{1, 3, 8, 9}, {0, 2, 3, 1}},
                                                                    {{2, 8, 9, 3}, {0, 3, 1, 2}},
                                                                    {{3, 4, 5, 6}, {3, 1, 2, 0}},
                                                                    {{2, 3, 4, 5, 2, 3}, {5, 3, 1, 0, 2, 4}},
                                                                    {{2, 3, 4, 20}, {1, 2, 0, 3}},
                                                                    {{9}, {0}},
                                                                    {{1, 1}, {1, 0}},
                                                                    {{16, 16}, {1, 0}},
                                                                    {{8, 12, 64}, {1, 0, 2}}};
  for (size_t i = 0; i < list.size(); i++) {
    for (size_t t = 0; t < kWidths.size(); t++) {
      if (i % 2 != t % 2 && i > 3) continue;
      TransposeAttrs attrs;
      attrs.permutation = list[i].second;
      cases.push_back(node_case(label("transpose", kWidths[t], list[i].first), "transpose", share(attrs),
                                {{wild_tensor(random, kWidths[t], list[i].first)}}));
    }
  }
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, SlicesWithAnyStepEqualTheReference) {
  Random random(2);
  std::vector<NodeCase> cases;
  for (const Shape& shape :
       {Shape{1}, Shape{40}, Shape{5, 33}, Shape{4, 6, 8}, Shape{2, 3, 9, 5}, Shape{2, 2, 3, 2, 5, 4}}) {
    for (int round = 0; round < 5; round++) {
      SliceAttrs attrs;
      for (const int64_t n : shape) {
        const int64_t step = random.pick<int64_t>({1, 1, 1, 2, -1, -2, 3});
        const int64_t size = random.chance(0.3) ? (n + std::abs(step) - 1) / std::abs(step)
                                                : random.integer(1, (n + std::abs(step) - 1) / std::abs(step));
        const int64_t span = (size - 1) * std::abs(step), low = random.integer(0, n - 1 - span);
        attrs.start.push_back(step > 0 ? low : low + span);
        attrs.size.push_back(size);
        attrs.step.push_back(step);
      }
      const V type = random.pick(kWidths);
      cases.push_back(node_case(label("slice", type, shape) + " to " + to_string(attrs.size), "slice", share(attrs),
                                {{wild_tensor(random, type, shape)}}));
    }
  }
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, ConcatenationsEqualTheReference) {
  Random random(3);
  std::vector<NodeCase> cases;
  const auto add = [&](V type, int64_t axis, const std::vector<Shape>& shapes) {
    ConcatAttrs attrs;
    attrs.axis = axis;
    std::vector<CaseOperand> operands;
    for (const Shape& shape : shapes)
      operands.push_back({wild_tensor(random, type, shape)});
    cases.push_back(node_case(label("concat", type, shapes[0]), "concat", share(attrs), operands));
  };
  add(V::kF32, 0, {{7}, {16}, {1}});
  add(V::kU8, 1, {{3, 5}, {3, 64}, {3, 5}});
  add(V::kI8, 3, {{2, 3, 3, 16}, {2, 3, 3, 7}, {2, 3, 3, 0}, {2, 3, 3, 32}});
  add(V::kI64, 2, {{4, 2, 3, 5}, {4, 2, 1, 5}});
  add(V::kBF16, 0, {{2, 70}, {3, 70}});
  add(V::kF32, 0, {{4}});
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, BroadcastsEqualTheReference) {
  Random random(4);
  std::vector<NodeCase> cases;
  const std::vector<std::pair<Shape, Shape>> list = {
      {{1}, {37}},  {{3, 1}, {3, 40}},      {{40}, {3, 40}}, {{2, 1, 5}, {2, 7, 5}}, {{1, 4, 1, 3}, {2, 4, 5, 3}},
      {{}, {4, 4}}, {{1, 6, 1}, {3, 6, 70}}};
  for (const auto& [from, to] : list) {
    for (const V type : kWidths) {
      BroadcastAttrs attrs;
      attrs.shape = to;
      cases.push_back(node_case(label("broadcast", type, from) + " to " + to_string(to), "broadcast", share(attrs),
                                {{wild_tensor(random, type, from)}}));
    }
  }
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, GathersClampAndCountFromTheEnd) {
  Random random(5);
  std::vector<NodeCase> cases;
  for (const V index_type : {V::kI32, V::kI64, V::kU8, V::kI8, V::kU32, V::kI16}) {
    int64_t axis = 0;
    for (const auto& [shape, indices] : std::vector<std::pair<Shape, Shape>>{
             {{50}, {19}}, {{10, 33}, {2, 3}}, {{3, 20, 4}, {5}}, {{2, 3, 40}, {}}, {{4, 200}, {70}}}) {
      GatherAttrs attrs;
      axis = (axis + 1) % static_cast<int64_t>(shape.size());
      attrs.axis = axis;
      const V type = random.pick(kWidths);
      HostTensor at = wild_tensor(random, index_type, indices);
      for (int64_t i = 0; i < at.size(); i++) {
        if (random.chance(0.7)) at.set_int(i, random.integer(is_signed(index_type) ? -12 : 0, 12));
      }
      cases.push_back(node_case(label("gather", type, shape) + " by " + name(index_type), "gather", share(attrs),
                                {{wild_tensor(random, type, shape)}, {at}}));
    }
  }
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, PadsInEveryModeEqualTheReference) {
  Random random(6);
  std::vector<NodeCase> cases;
  const auto add = [&](V type, const Shape& shape, PadAttrs attrs, std::optional<Shape> value = {}) {
    const std::string text = label("pad", type, shape) + " " + to_string(attrs.lo) + " " + to_string(attrs.hi) +
                             " mode " + std::to_string(static_cast<int>(attrs.mode)) +
                             (attrs.interior.empty() ? "" : " interior");
    std::vector<CaseOperand> operands = {{wild_tensor(random, type, shape)}};
    if (value) operands.push_back({wild_tensor(random, type, *value)});
    cases.push_back(node_case(text, "pad", share(std::move(attrs)), operands));
  };
  const auto pads = [](std::vector<int64_t> lo, std::vector<int64_t> hi, PadMode mode = PadMode::kConstant,
                       std::vector<int64_t> interior = {}) {
    PadAttrs attrs;
    attrs.lo = std::move(lo);
    attrs.hi = std::move(hi);
    attrs.mode = mode;
    attrs.interior = std::move(interior);
    return attrs;
  };
  for (const V type : {V::kU8, V::kF32}) {
    add(type, {1, 6, 5, 16}, pads({0, 1, 1, 0}, {0, 1, 2, 0}), Shape{});
    add(type, {2, 6, 5, 3}, pads({0, 2, 0, 0}, {0, 1, 3, 0}), Shape{2, 1, 1, 1});
    add(type, {2, 5, 8}, pads({0, 0, 0}, {0, 0, 8}), Shape{8 + 8});
    add(type, {40}, pads({3}, {0}));
    add(type, {40}, pads({-3}, {-2}));
    add(type, {4, 40}, pads({1, -5}, {-2, 9}), Shape{1});
    add(type, {3, 33}, pads({0, 7}, {0, 9}));
    add(type, {3, 5, 7}, pads({1, 0, 2}, {0, 3, 1}, PadMode::kConstant, {1, 2, 0}), Shape{});
    add(type, {3, 7}, pads({2, 2}, {1, 1}, PadMode::kConstant, {0, 3}));
    add(type, {3, 7}, pads({2, -2}, {1, -3}, PadMode::kConstant, {2, 1}));
    for (const PadMode mode : {PadMode::kReflect, PadMode::kEdge, PadMode::kSymmetric}) {
      add(type, {6, 40}, pads({2, 3}, {1, 4}, mode));
      add(type, {1, 5, 6, 8}, pads({0, 2, 1, 0}, {0, 2, 1, 0}, mode));
      add(type, {3, 4}, pads({-1, 3}, {2, -2}, mode));
    }
    add(type, {0, 4}, pads({2, 1}, {1, 0}));
  }
  add(V::kI64, {3, 9}, pads({1, 1}, {1, 1}), Shape{});
  add(V::kBF16, {3, 9}, pads({1, 1}, {1, 1}, PadMode::kEdge));
  expect_reference(cases, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Targets, LoweringOn, ::testing::ValuesIn(tested_targets()), [](const auto& param) {
  std::string text = param.param;
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
});

}  // namespace
}  // namespace qlathe::testing
