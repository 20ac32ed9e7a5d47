#include "frontend/ops/reduction.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/lowering/lowering_cases.h"

namespace qlathe::testing {
namespace {

using V = ValueType;

std::string text(const std::string& what, V type, const Shape& shape, const std::vector<int64_t>& axes = {}) {
  return what + " " + name(type) + " " + to_string(shape) + (axes.empty() ? "" : " over " + to_string(axes));
}

const std::vector<std::pair<Shape, std::vector<int64_t>>> kReductions = {{{1}, {0}},
                                                                         {{15}, {0}},
                                                                         {{16}, {0}},
                                                                         {{100}, {0}},
                                                                         {{7, 33}, {1}},
                                                                         {{8, 64}, {1}},
                                                                         {{33, 7}, {0}},
                                                                         {{64, 80}, {0}},
                                                                         {{5, 1}, {1}},
                                                                         {{3, 5, 7}, {1}},
                                                                         {{3, 5, 7}, {0, 2}},
                                                                         {{2, 4, 4, 24}, {1, 2}},
                                                                         {{2, 3, 4, 5}, {3}},
                                                                         {{2, 3, 2, 35}, {1, 3}},
                                                                         {{2, 3, 4, 3, 2, 5}, {0, 2, 5}},
                                                                         {{4, 1, 1, 6}, {1, 2}},
                                                                         {{3, 0, 5}, {1}},
                                                                         {{4, 6}, {0, 1}},
                                                                         {{70, 2}, {0}},
                                                                         {{12, 40}, {}}};

TEST_P(LoweringOn, ReductionsOfEveryKindOverAnyAxesEqualTheReference) {
  Random random(11);
  std::vector<NodeCase> cases;
  for (int kind = 0; kind < 6; kind++) {
    for (size_t i = 0; i < kReductions.size(); i++) {
      const auto& [shape, axes] = kReductions[i];
      ReduceAttrs attrs;
      attrs.kind = static_cast<ReduceKind>(kind);
      const bool extreme = attrs.kind == ReduceKind::kMax || attrs.kind == ReduceKind::kMin;
      if (extreme && element_count(shape) == 0) continue;
      attrs.axes = axes;
      attrs.keep_dims = i % 2 == 0;
      attrs.sum_order = (i + static_cast<size_t>(kind)) % 3 == 0 ? SumOrder::kSequential : SumOrder::kInterleaved16;
      const V type =
          random.pick<V>({V::kF32, V::kF32, V::kF32, V::kI8, V::kU8, V::kI32, V::kBF16, V::kI16, V::kU32, V::kF16});
      const HostTensor x = random.chance(0.4) ? wild_tensor(random, type, shape) : tame_tensor(random, type, shape);
      cases.push_back(node_case(text(std::string("reduce ") + enum_names(attrs.kind)[static_cast<size_t>(kind)] +
                                         (attrs.sum_order == SumOrder::kSequential ? " sequential" : " interleaved"),
                                     type, shape, axes),
                                "reduce", share(attrs), {{x}}));
    }
  }
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, RowsWithNanAndZerosGiveTheExtremesOfTheStatedOrder) {
  Random random(12);
  std::vector<NodeCase> cases;
  for (const ReduceKind kind : {ReduceKind::kMax, ReduceKind::kMin, ReduceKind::kAbsMax}) {
    HostTensor x(V::kF32, {12, 40});
    for (int64_t i = 0; i < x.size(); i++) {
      const int64_t row = i / 40;
      const float sign = kind == ReduceKind::kMin ? 1.f : -1.f;
      float value = sign * random.real(0.5f, 2.f);
      if (row % 3 == 0 && random.chance(0.3)) value = random.chance(0.5) ? 0.f : -0.f;
      if (row % 4 == 1 && random.chance(0.1)) value = random.chance(0.5) ? std::nanf("") : -std::nanf("");
      if (row == 7) value = sign * std::numeric_limits<float>::infinity();
      x.as<float>()[static_cast<size_t>(i)] = value;
    }
    ReduceAttrs attrs;
    attrs.kind = kind;
    attrs.axes = {1};
    cases.push_back(node_case(text("extreme", V::kF32, {12, 40}), "reduce", share(attrs), {{x}}));
  }
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, StepsAfterReductionsReadTheirOperandsAtTheResult) {
  Random random(13);
  std::vector<NodeCase> cases;
  for (const bool keep : {false, true}) {
    for (const auto& [shape, axes] : std::vector<std::pair<Shape, std::vector<int64_t>>>{
             {{3, 4, 5, 20}, {1, 2}}, {{4, 6, 33}, {2}}, {{4, 6, 33}, {0}}, {{2, 1, 6, 4}, {0}}}) {
      ReduceAttrs attrs;
      attrs.axes = axes;
      attrs.keep_dims = keep;
      Shape result;
      for (size_t d = 0; d < shape.size(); d++) {
        const bool reduced = std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) != axes.end();
        if (!reduced || keep) result.push_back(reduced ? 1 : shape[d]);
      }
      PointwiseStep quantize = step("quantize", {2}, V::kI8);
      attrs.steps = {step("mul", {1}), quantize};
      cases.push_back(node_case(text("mean", V::kF32, shape, axes), "reduce", share(attrs),
                                {{tame_tensor(random, V::kF32, shape)},
                                 {tame_tensor(random, V::kF32, result)},
                                 {HostTensor::of<float>(V::kF32, {1}, {0.03f}), true}}));
    }
  }
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, PoolsWithPaddingStrideAndDilationEqualTheReference) {
  Random random(14);
  std::vector<NodeCase> cases;
  const auto add = [&](PoolKind kind, V type, const Shape& shape, std::vector<Window> windows, std::vector<int64_t> lo,
                       std::vector<int64_t> hi, std::vector<PointwiseStep> steps = {},
                       std::vector<CaseOperand> more = {}) {
    PoolAttrs attrs;
    attrs.kind = kind;
    attrs.windows = std::move(windows);
    attrs.pad_lo = std::move(lo);
    attrs.pad_hi = std::move(hi);
    attrs.steps = std::move(steps);
    more.insert(more.begin(),
                {random.chance(0.5) ? wild_tensor(random, type, shape) : tame_tensor(random, type, shape)});
    cases.push_back(node_case(text(kind == PoolKind::kMax ? "max_pool" : "sum_pool", type, shape), "pool",
                              share(std::move(attrs)), more));
  };
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kSum}) {
    for (const V type : {V::kF32, V::kU8, V::kI8, V::kI32, V::kBF16}) {
      add(kind, type, {2, 8, 9, 16}, {{2, 2, 1}, {2, 2, 1}}, {}, {});
      add(kind, type, {1, 7, 8, 33}, {{3, 2, 1}, {3, 1, 1}}, {1, 1}, {1, 0});
      add(kind, type, {1, 9, 40, 1}, {{2, 2, 1}, {2, 2, 1}}, {1, 0}, {0, 0});
      add(kind, type, {1, 12, 12, 3}, {{3, 3, 2}, {2, 3, 1}}, {}, {});
      add(kind, type, {1, 7, 7, 128}, {{7, 1, 1}, {7, 1, 1}}, {}, {});
      add(kind, type, {3, 20, 5}, {{4, 3, 2}}, {2}, {3});
      add(kind, type, {1, 4, 5, 6, 10}, {{2, 1, 1}, {2, 2, 1}, {3, 1, 1}}, {0, 1, 1}, {0, 0, 1});
      add(kind, type, {5, 6}, {}, {}, {});
      // One position each way, its window over padding on both sides; and one that begins in the padding.
      add(kind, type, {1, 2, 2, 3}, {{3, 3, 1}, {3, 3, 1}}, {1, 1}, {1, 1});
      add(kind, type, {1, 3, 4, 5}, {{3, 1, 2}, {4, 5, 1}}, {1, 2}, {1, 0});
    }
  }
  const HostTensor counts = tame_tensor(random, V::kF32, {1, 4, 4, 1});
  add(PoolKind::kSum, V::kF32, {2, 6, 6, 20}, {{3, 1, 1}, {3, 1, 1}}, {0, 0}, {0, 0}, {step("mul", {1})}, {{counts}});
  add(PoolKind::kSum, V::kI8, {1, 6, 6, 20}, {{3, 1, 1}, {3, 1, 1}}, {1, 1}, {1, 1},
      {step("cast"), step("mul", {1}), step("quantize", {2}, V::kI8)},
      {{HostTensor::of<float>(V::kF32, {1}, {1.f / 9}), true}, {HostTensor::of<float>(V::kF32, {1}, {0.7f}), true}});
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, SoftmaxOfEveryLengthEqualsTheReference) {
  Random random(15);
  std::vector<NodeCase> cases;
  int round = 0;
  for (const Shape& shape : {Shape{1}, Shape{7}, Shape{16}, Shape{5, 10}, Shape{3, 33}, Shape{2, 3, 128},
                             Shape{2, 1000}, Shape{2, 2, 2, 2, 3, 20}}) {
    for (const bool log : {false, true}) {
      SoftmaxAttrs attrs;
      attrs.log = log;
      attrs.sum_order = round++ % 4 == 3 ? SumOrder::kSequential : SumOrder::kInterleaved16;
      const V type = random.pick<V>({V::kF32, V::kF32, V::kBF16, V::kF16});
      cases.push_back(
          node_case(text("softmax", type, shape), "softmax", share(attrs), {{tame_tensor(random, type, shape)}}));
      cases.push_back(
          node_case(text("wild softmax", type, shape), "softmax", share(attrs), {{wild_tensor(random, type, shape)}}));
    }
  }
  SoftmaxAttrs quantized;
  quantized.steps = {step("mul", {1}), step("quantize", {2}, V::kU8)};
  cases.push_back(node_case("softmax to uint8", "softmax", share(quantized),
                            {{tame_tensor(random, V::kF32, {3, 4, 50})},
                             {tame_tensor(random, V::kF32, {4, 1})},
                             {HostTensor::of<float>(V::kF32, {1}, {1.f / 256}), true}}));
  for (const Shape& shape : {Shape{3, 10}, Shape{2, 2, 33}}) {
    SoftmaxAttrs integer;
    integer.before = {step("dequantize", {1, 2})};
    integer.steps = {step("quantize", {3}, V::kU8)};
    cases.push_back(node_case("softmax of int8 to uint8", "softmax", share(integer),
                              {{random_tensor(random, V::kI8, shape)},
                               {HostTensor::of<float>(V::kF32, {1}, {0.07f}), true},
                               {HostTensor::of<int8_t>(V::kI8, {1}, {-9}), true},
                               {HostTensor::of<float>(V::kF32, {1}, {1.f / 256}), true}}));
    integer.log = true;
    integer.steps.clear();
    cases.push_back(node_case("log softmax of int8", "softmax", share(integer),
                              {{random_tensor(random, V::kI8, shape)},
                               {HostTensor::of<float>(V::kF32, {1}, {0.07f}), true},
                               {HostTensor::of<int8_t>(V::kI8, {1}, {-9}), true}}));
  }
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, NormsOfEveryLengthEqualTheReference) {
  Random random(16);
  std::vector<NodeCase> cases;
  int round = 0;
  for (const auto& [shape, axes] : std::vector<std::pair<Shape, int64_t>>{{{1}, 1},
                                                                          {{7}, 1},
                                                                          {{5, 16}, 1},
                                                                          {{3, 33}, 1},
                                                                          {{2, 3, 128}, 1},
                                                                          {{4, 5, 6}, 2},
                                                                          {{2, 3, 4, 5}, 3},
                                                                          {{3, 768}, 1}}) {
    for (const bool rms : {false, true}) {
      LayerNormAttrs attrs;
      attrs.axes = axes;
      attrs.rms = rms;
      attrs.epsilon = rms ? 1e-6 : 1e-5;
      attrs.sum_order = round % 4 == 3 ? SumOrder::kSequential : SumOrder::kInterleaved16;
      const Shape normalized(shape.end() - axes, shape.end());
      std::vector<CaseOperand> operands = {{tame_tensor(random, round % 5 == 4 ? V::kBF16 : V::kF32, shape)}, {}, {}};
      if (round % 3 != 0) operands[1] = {tame_tensor(random, V::kF32, normalized), true};
      if (round % 3 != 1) operands[2] = {tame_tensor(random, V::kF32, normalized), true};
      if (round % 2 == 0) {
        attrs.steps = {step("quantize", {3}, V::kI8)};
        operands.push_back({HostTensor::of<float>(V::kF32, {1}, {0.02f}), true});
      }
      cases.push_back(
          node_case(text(rms ? "rms_norm" : "layer_norm", V::kF32, shape), "layer_norm", share(attrs), operands));
      operands[0] = {wild_tensor(random, V::kF32, shape)};
      cases.push_back(node_case(text("wild norm", V::kF32, shape), "layer_norm", share(attrs), operands));
      round++;
    }
  }
  expect_reference(cases, GetParam());
}

}  // namespace
}  // namespace qlathe::testing
