#include "frontend/ops/fixed_rows.h"

#include "frontend/numerics/fixed/litert_tables.h"
#include "tests/lowering/lowering_cases.h"

namespace qlathe::testing {
namespace {

using V = ValueType;

TEST_P(LoweringOn, FixedRowsEqualTheReference) {
  Random random(31);
  std::vector<NodeCase> cases;
  const std::vector<Shape> shapes = {{1}, {3, 2}, {4, 10}, {2, 3, 33}, {5, 100}, {2, 257}, {1, 1001}};
  for (const Shape& shape : shapes) {
    const auto label = [&](const char* what) { return std::string(what) + " " + to_string(shape); };
    for (const V type : {V::kI8, V::kU8}) {
      const HostTensor x = random.chance(0.3) ? wild_tensor(random, type, shape) : random_tensor(random, type, shape);
      const LitertSoftmax8 tables = litert_softmax_8(random.pick<float>({0.01f, 0.06f, 0.3f, 2.0f}), 1);
      SoftmaxFixedAttrs softmax;
      softmax.type = random.chance(0.3) ? V::kI16 : type;
      cases.push_back(node_case(label("softmax_fixed"), "softmax_fixed", share(softmax), {{x}, {tables.exps, true}}));
      LogSoftmaxFixedAttrs log;
      log.diff_min = tables.diff_min;
      log.multiplier = tables.reverse.mantissa;
      log.shift = tables.reverse.shift;
      cases.push_back(node_case(label("log_softmax_fixed"), "log_softmax_fixed", share(log),
                                {{x}, {tables.exps, true}, {tables.diffs, true}}));
      L2NormalizeFixedAttrs l2;
      l2.zero_point = random.integer(info(type).min, info(type).max);
      cases.push_back(node_case(label("l2_normalize_fixed"), "l2_normalize_fixed", share(l2), {{x}}));
    }
    const LitertSoftmax16 tables = litert_softmax_16(random.pick<float>({1e-4f, 1e-3f, 0.02f}), 1);
    SoftmaxFixedAttrs wide;
    wide.type = V::kI16;
    wide.multiplier = tables.multiplier.mantissa;
    wide.shift = tables.multiplier.shift;
    cases.push_back(
        node_case(label("softmax_fixed 16"), "softmax_fixed", share(wide),
                  {{random_tensor(random, V::kI16, shape)}, {tables.exps, true}, {tables.reciprocals, true}}));
  }
  // Tables of any numbers: sums wrap, and what comes of them is defined.
  for (const V type : {V::kI8, V::kU8}) {
    const HostTensor x = wild_tensor(random, type, {3, 40});
    const HostTensor any = wild_tensor(random, V::kI32, {256}), other = wild_tensor(random, V::kI32, {256});
    cases.push_back(node_case("any table", "softmax_fixed", share(SoftmaxFixedAttrs{}), {{x}, {any}}));
    cases.push_back(
        node_case("any log table", "log_softmax_fixed", share(LogSoftmaxFixedAttrs{}), {{x}, {any}, {other}}));
  }
  // A sum of 2^20 - 1 is rounded up to 2^20 when it is made a fraction.
  const HostTensor even = HostTensor::of<int16_t>(V::kI16, {513}, std::vector<int16_t>(513, 25575));
  SoftmaxFixedAttrs carrying;
  carrying.type = V::kI16;
  cases.push_back(
      node_case("a sum that carries", "softmax_fixed", share(carrying),
                {{HostTensor(V::kI16, {1, 41})}, {even, true}, {litert_softmax_16(1e-3f, 1).reciprocals, true}}));
  expect_reference(cases, GetParam());
}

}  // namespace
}  // namespace qlathe::testing
