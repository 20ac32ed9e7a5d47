#include "schedule/lower/byte_table.h"

#include "frontend/ops/fixed_point.h"
#include "schedule/target.h"
#include "tests/lowering/lowering_cases.h"

namespace qlathe::testing {
namespace {

using V = ValueType;

HostTensor number(V type, double value) {
  HostTensor t(type, {});
  if (type == V::kF32)
    t.as<float>()[0] = static_cast<float>(value);
  else
    t.set_int(0, static_cast<int64_t>(value));
  return t;
}

/// Every byte twice and some more, so that rows have tails.
HostTensor bytes(V type) {
  HostTensor out(type, {3, 189});
  for (int64_t i = 0; i < out.size(); i++)
    out.set_int(i, info(type).min + i % 256);
  return out;
}

/// dequantize, a function, quantize.
NodeCase function_of_byte(const std::string& op, V from, V to) {
  PointwiseAttrs attrs;
  attrs.steps = {step("dequantize", {1, 2}, V::kF32), step(op, {}, V::kF32)};
  if (to != V::kF32) attrs.steps.push_back(step("quantize", {3, 4}, to));
  return node_case(op + " to " + name(to), "pointwise", share(attrs),
                   {{bytes(from)},
                    {number(V::kF32, 0.043), true},
                    {number(from, 7), true},
                    {number(V::kF32, 1.0 / 200), true},
                    {number(to == V::kF32 ? V::kI8 : to, 3), true}});
}

/// Two multiplications in fixed point, the byte itself an operand of the first product.
NodeCase square(V type) {
  const FixedPointOperands by = fixed_point_operands({}, {0.0071});
  PointwiseAttrs attrs;
  attrs.steps = {step("cast", {}, V::kI32), step("mul_centered", {0, 1}, V::kI32), step("requantize", {2, 3}, V::kI32),
                 step("requantize", {2, 3, 1}, type)};
  return node_case("square", "pointwise", share(attrs),
                   {{bytes(type)},
                    {number(V::kI16, 5), true},
                    {number(V::kI32, static_cast<double>(by.multiplier.int_at(0))), true},
                    {number(V::kI32, static_cast<double>(by.shift.int_at(0))), true}});
}

std::optional<PackedConstant> chosen(const NodeCase& node, const char* target) {
  std::string note;
  return choose_byte_table({node.graph, node.graph.nodes.back(), *TargetRegistry::find(target)}, note);
}

TEST(ByteTable, HoldsTheResultOfEveryByte) {
  const auto table = chosen(square(V::kI8), "x86-64-avx2");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->shape, Shape{256});
  EXPECT_EQ(table->bytes.size(), 256u);
  const auto floats = chosen(function_of_byte("exp", V::kU8, V::kF32), "generic");
  ASSERT_TRUE(floats);
  EXPECT_EQ(floats->bytes.size(), 1024u);
}

TEST(ByteTable, CheapStepsStaySteps) {
  PointwiseAttrs attrs;
  attrs.steps = {step("cast", {}, V::kI32), step("add", {1}, V::kI32), step("cast", {}, V::kI8)};
  const NodeCase node = node_case("add", "pointwise", share(attrs), {{bytes(V::kI8)}, {number(V::kI32, 3), true}});
  EXPECT_FALSE(chosen(node, "x86-64-avx2"));
}

TEST(ByteTable, OtherTensorsMakeItNoFunctionOfOneByte) {
  PointwiseAttrs attrs;
  attrs.steps = {step("dequantize", {1}, V::kF32), step("exp", {}, V::kF32), step("sigmoid", {}, V::kF32),
                 step("mul", {2}, V::kF32)};
  const HostTensor channels(V::kF32, {189});
  EXPECT_FALSE(chosen(node_case("channels", "pointwise", share(attrs),
                                {{bytes(V::kI8)}, {number(V::kF32, 0.5), true}, {channels, true}}),
                      "x86-64-avx2"));
}

TEST_P(LoweringOn, TablesOfOneByteEqualTheReference) {
  std::vector<NodeCase> cases = {square(V::kI8), square(V::kU8)};
  for (const char* op : {"sigmoid", "exp", "gelu"}) {
    for (const V from : {V::kI8, V::kU8}) {
      for (const V to : {V::kI8, V::kU8, V::kI16, V::kF32})
        cases.push_back(function_of_byte(op, from, to));
    }
  }
  expect_reference(cases, GetParam());
}

}  // namespace
}  // namespace qlathe::testing
