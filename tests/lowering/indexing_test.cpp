#include "frontend/ops/indexing.h"

#include "frontend/ops/reduction.h"
#include "frontend/reference/reference_executor.h"
#include "tests/lowering/lowering_cases.h"

namespace qlathe::testing {
namespace {

using V = ValueType;

std::string label(const std::string& op, V type, const Shape& shape) {
  return op + " " + name(type) + " " + to_string(shape);
}

TEST_P(LoweringOn, RunningSumsEqualTheReference) {
  Random random(1);
  std::vector<NodeCase> cases;
  for (const Shape& shape : {Shape{1}, Shape{2}, Shape{37}, Shape{3, 16}, Shape{5, 4, 7}, Shape{2, 9, 32}}) {
    for (const V type : {V::kF32, V::kI32, V::kI64}) {
      CumsumAttrs attrs;
      attrs.axis = random.integer(0, static_cast<int64_t>(shape.size()) - 1);
      attrs.exclusive = random.chance(0.5);
      attrs.reverse = random.chance(0.5);
      cases.push_back(node_case(
          label("cumsum", type, shape) + (attrs.exclusive ? " exclusive" : "") + (attrs.reverse ? " reverse" : ""),
          "cumsum", share(attrs), {{tame_tensor(random, type, shape)}}));
    }
  }
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, ScatteringByAnyIndicesEqualsTheReference) {
  Random random(2);
  std::vector<NodeCase> cases;
  for (const Shape& shape : {Shape{1}, Shape{40}, Shape{7, 16}, Shape{5, 3, 11}, Shape{64, 5}}) {
    for (const V type : {V::kF32, V::kI32, V::kI64, V::kI8, V::kBool}) {
      ScatterAttrs attrs;
      if (storage_bytes(type) >= 4) attrs.kind = static_cast<ScatterKind>(random.integer(0, 4));
      Shape updates = shape;
      updates[0] = random.integer(1, 12);
      const HostTensor indices = random_integers(random, V::kI32, {updates[0]}, -2, shape[0] + 1);
      cases.push_back(node_case(label("scatter", type, shape), "scatter", share(attrs),
                                {{tame_tensor(random, type, shape)}, {indices}, {tame_tensor(random, type, updates)}}));
    }
  }
  HostTensor wild(V::kI32, {3});
  wild.set_int(0, INT32_MIN);
  wild.set_int(1, INT32_MAX);
  cases.push_back(node_case("scatter at the ends of int32", "scatter", share(ScatterAttrs()),
                            {{tame_tensor(random, V::kF32, {4, 8})}, {wild}, {tame_tensor(random, V::kF32, {3, 8})}}));
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, SortedPlacesEqualTheReference) {
  Random random(3);
  std::vector<NodeCase> cases;
  for (const Shape& shape : {Shape{1}, Shape{33}, Shape{4, 64}, Shape{3, 5}, Shape{2, 3, 100}}) {
    for (const V type : {V::kF32, V::kI32, V::kI64, V::kU8}) {
      SortPlacesAttrs attrs;
      attrs.descending = random.chance(0.5);
      // Few values, so that many are equal.
      const HostTensor x =
          type == V::kF32 ? wild_tensor(random, type, shape) : random_integers(random, type, shape, 0, 9);
      cases.push_back(node_case(label("sort_places", type, shape), "sort_places", share(attrs), {{x}}));
    }
  }
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, PlacesOfMaximaEqualTheReference) {
  Random random(4);
  std::vector<NodeCase> cases;
  for (const Shape& shape : {Shape{1, 9, 1}, Shape{2, 8, 7, 3}, Shape{1, 12, 12, 32}, Shape{1, 4, 5, 6, 2}}) {
    for (const V type : {V::kF32, V::kU8}) {
      PoolAttrs pool;
      MaxPlaceAttrs attrs;
      int64_t weight = 1;
      for (size_t s = 1; s + 1 < shape.size(); s++) {
        pool.windows.push_back({3, random.integer(1, 2), 1});
        pool.pad_lo.push_back(1);
        pool.pad_hi.push_back(1);
        attrs.weights.push_back(weight);
        weight *= shape[s];
      }
      attrs.windows = pool.windows;
      attrs.pad_lo = pool.pad_lo;
      const HostTensor x =
          type == V::kF32 ? tame_tensor(random, type, shape) : random_integers(random, type, shape, 0, 5);
      const NodeCase maxima = node_case("max", "pool", share(pool), {{x}});
      const auto m = run_reference(maxima.graph, maxima.inputs);
      ASSERT_TRUE(m.ok()) << m.status().text();
      cases.push_back(node_case(label("max_place", type, shape), "max_place", share(attrs), {{x}, {m->at(0)}}));
    }
  }
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, SuppressedBoxesEqualTheReference) {
  Random random(5);
  std::vector<NodeCase> cases;
  for (const int64_t n : {1, 7, 60}) {
    for (const bool center : {false, true}) {
      SuppressAttrs attrs;
      attrs.center = center;
      attrs.iou = 0.3;
      const int64_t rows = random.integer(1, 3);
      HostTensor boxes = random_tensor(random, V::kF32, {rows, n, 4}, 1.f);
      if (center) {
        for (float& x : boxes.as<float>())
          x = std::abs(x);
      }
      if (n == 7) boxes = wild_tensor(random, V::kF32, {rows, n, 4});
      cases.push_back(node_case(label("suppress", V::kF32, {rows, n}) + (center ? " center" : ""), "suppress",
                                share(attrs), {{boxes}, {random_tensor(random, V::kBool, {rows, n})}}));
    }
  }
  expect_reference(cases, GetParam());
}

}  // namespace
}  // namespace qlathe::testing
