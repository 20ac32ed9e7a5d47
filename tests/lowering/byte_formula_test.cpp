#include "schedule/lower/byte_formula.h"

#include "frontend/ops/fixed_point.h"
#include "schedule/target.h"
#include "tests/lowering/lowering_cases.h"

namespace qlathe::testing {
namespace {

using V = ValueType;

HostTensor all_bytes(V type, const Shape& shape) {
  HostTensor out(type, shape);
  for (int i = 0; i < 256; i++)
    out.set_int(i, info(type).min + i);
  return out;
}

/// Steps over every pair of bytes, one along each axis.
class PairCase {
 public:
  explicit PairCase(V type) : type_(type) { operands_ = {{all_bytes(type, {256, 1})}, {all_bytes(type, {1, 256})}}; }
  int64_t number(V type, int64_t value) {
    HostTensor t(type, {});
    t.set_int(0, value);
    operands_.push_back({t, true});
    return static_cast<int64_t>(operands_.size()) - 1;
  }
  std::vector<int64_t> fixed(double multiplier) {
    FixedPointOperands o = fixed_point_operands({}, {multiplier});
    return {number(V::kI32, o.multiplier.int_at(0)), number(V::kI32, o.shift.int_at(0))};
  }
  PointwiseStep& add(const std::string& op, std::vector<int64_t> operands, V type = V::kI32) {
    return attrs_.steps.emplace_back(step(op, std::move(operands), type));
  }
  void requantize(double multiplier, int64_t zero_point, V type) {
    std::vector<int64_t> with = fixed(multiplier);
    with.push_back(number(V::kI16, zero_point));
    add("requantize", with, type).mode = RequantizeMode::kFixedDouble;
  }
  NodeCase node(const std::string& label) const { return node_case(label, "pointwise", share(attrs_), operands_); }

  /// TFLite's ADD or SUB of scales relative to the result's.
  static PairCase sum(const std::string& op, V type, double a, double b, int64_t za, int64_t zb, int64_t zy) {
    PairCase c(type);
    const double twice = 2 * std::max(a, b);
    c.add("cast", {});
    c.add("sub", {c.number(V::kI32, za)});
    c.add("mul", {c.number(V::kI32, 1 << 20)});
    std::vector<int64_t> first = c.fixed(a / twice);
    c.add("requantize", first).mode = RequantizeMode::kFixedDouble;
    std::vector<int64_t> second = c.fixed(b / twice);
    PointwiseStep& join = c.add(op + "_requantized", {1, second[0], second[1], c.number(V::kI16, zb)});
    join.shift_left = 20;
    join.mode = RequantizeMode::kFixedDouble;
    c.requantize(twice / (1 << 20), zy, type);
    return c;
  }
  static PairCase product(V type, double multiplier, int64_t za, int64_t zb, int64_t zy) {
    PairCase c(type);
    c.add("cast", {});
    c.add("sub", {c.number(V::kI32, za)});
    c.add("mul_centered", {1, c.number(V::kI16, zb)});
    c.requantize(multiplier, zy, type);
    return c;
  }

 private:
  V type_;
  std::vector<CaseOperand> operands_;
  PointwiseAttrs attrs_;
};

std::optional<ByteFormula> chosen(const NodeCase& node, std::string& note) {
  auto target = TargetRegistry::get("x86-64-avx2");
  QL_CHECK(target.ok(), "x86-64-avx2");
  return choose_byte_formula({node.graph, node.graph.nodes.back(), **target}, note);
}

TEST(ByteFormula, SumsOfTwoBytesAreOneShift) {
  std::string note;
  for (const char* op : {"add", "sub"}) {
    for (V type : {V::kI8, V::kU8}) {
      const int64_t z = type == V::kI8 ? -128 : 0;
      const auto f = chosen(PairCase::sum(op, type, 0.0313, 0.0211, z + 128, z + 100, z + 90).node(op), note);
      ASSERT_TRUE(f) << note;
      EXPECT_EQ(f->kind, ByteFormula::Kind::kLinear);
      EXPECT_EQ(f->other, 1);
      EXPECT_EQ(f->second < 0, std::string(op) == "sub");
    }
  }
}

TEST(ByteFormula, TiesOfBothSignsThatGoAwayFromZeroHaveAFormulaToo) {
  std::string note;
  const auto f = chosen(PairCase::sum("add", V::kI8, 0.5, 0.5, 3, -7, 1).node("half"), note);
  EXPECT_TRUE(f) << note;
}

TEST(ByteFormula, ProductsOfTwoBytesAreOneFloatFactor) {
  std::string note;
  const auto f = chosen(PairCase::product(V::kI8, 0.00731, -5, 17, -3).node("mul"), note);
  ASSERT_TRUE(f) << note;
  EXPECT_EQ(f->kind, ByteFormula::Kind::kProduct);
  EXPECT_EQ(f->first, -5);
  EXPECT_EQ(f->second, 17);
}

TEST(ByteFormula, StepsThatAreNoLineStayAsStated) {
  PairCase c(V::kI8);
  c.add("cast", {});
  c.add("clamp", {}).hi = 3;  // cut in the middle of the range, then moved on
  c.add("mul", {c.number(V::kI32, 5)});
  std::vector<int64_t> second = c.fixed(0.37);
  c.add("add_requantized", {1, second[0], second[1]}).mode = RequantizeMode::kFixedDouble;
  c.requantize(0.61, 2, V::kI8);
  std::string note;
  EXPECT_FALSE(chosen(c.node("clamped"), note));
  EXPECT_NE(note.find("as stated"), std::string::npos) << note;
}

TEST_P(LoweringOn, FormulasOfTwoBytesEqualTheReferenceOnAllPairs) {
  Random random(31);
  std::vector<NodeCase> cases;
  int formulas = 0;
  const auto add = [&](const PairCase& c, const std::string& label) {
    cases.push_back(c.node(label));
    std::string note;
    if (chosen(cases.back(), note)) formulas++;
  };
  const auto scale = [&] { return std::exp2(static_cast<double>(random.integer(-300, 150)) / 100); };
  for (int i = 0; i < 12; i++) {
    const V type = random.chance(0.5) ? V::kI8 : V::kU8;
    const auto zero = [&] { return info(type).min + random.integer(0, 255); };
    if (i % 3 == 2)
      add(PairCase::product(type, scale() / 256, zero(), zero(), zero()), "product " + std::to_string(i));
    else
      add(PairCase::sum(i % 3 == 0 ? "add" : "sub", type, scale(), scale(), zero(), zero(), zero()),
          "sum " + std::to_string(i));
  }
  add(PairCase::sum("add", V::kU8, 0.5, 0.25, 128, 3, 100), "ties");
  EXPECT_GE(formulas, 12) << "of " << cases.size();
  expect_reference(cases, GetParam());
}

}  // namespace
}  // namespace qlathe::testing
