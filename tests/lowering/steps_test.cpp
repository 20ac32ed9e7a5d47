#include <algorithm>
#include <cmath>

#include "frontend/numerics/convert.h"
#include "frontend/ops/pointwise_steps.h"
#include "schedule/lower/step_names.h"
#include "tests/lowering/lowering_cases.h"

namespace qlathe::testing {
namespace {

using V = ValueType;

TEST(Steps, EveryStepOfTheReferenceHasAKernelForm) { EXPECT_EQ(kernel_step_names(), StepRegistry::names()); }

/// A random step on values of `type`, with its operands appended; nullopt where the draw does not fit the type.
std::optional<PointwiseStep> random_step(Random& random, V type, const Shape& result,
                                         std::vector<CaseOperand>& operands, bool wild) {
  static const std::vector<V> kFloats = {V::kF32, V::kF32, V::kBF16, V::kF16};
  static const std::vector<V> kIntegers = {V::kI8, V::kU8, V::kI4, V::kU4, V::kI16, V::kI32, V::kU16, V::kI2, V::kI64};
  static const std::vector<V> kCodes = {V::kF8E4M3, V::kF8E5M2, V::kF4E2M1, V::kNF4};
  const auto operand = [&](V t, bool constant = false) {
    Shape shape;
    for (const int64_t n : result) {
      int64_t p = random.chance(0.5) ? n : 1;
      if (n % 4 == 0 && random.chance(0.2)) p = n / 4;
      shape.push_back(p);
    }
    if (random.chance(0.2)) shape = {1};
    operands.push_back({wild ? wild_tensor(random, t, shape) : tame_tensor(random, t, shape), constant});
    return static_cast<int64_t>(operands.size()) - 1;
  };
  const auto scale = [&] {
    const int64_t index = operand(V::kF32, random.chance(0.5));
    for (float& x : operands.back().value->as<float>())
      x = std::abs(x) * 0.05f + 0.01f;
    return index;
  };
  const bool is_arithmetic = is_float(type);
  const int draw = static_cast<int>(random.integer(0, 9));
  if (is_arithmetic) {
    if (draw < 3) {
      static const std::vector<std::string> kUnary = {"neg",          "abs",
                                                      "sqrt",         "rsqrt",
                                                      "exp",          "log",
                                                      "sin",          "cos",
                                                      "erf",          "floor",
                                                      "ceil",         "round",
                                                      "reciprocal",   "sigmoid",
                                                      "tanh",         "gelu",
                                                      "gelu_tanh",    "silu",
                                                      "hard_swish",   "hard_sigmoid",
                                                      "softplus",     "elu",
                                                      "leaky_relu",   "relu",
                                                      "clamp",        "power_of_two_ceil",
                                                      "nonzero_scale"};
      PointwiseStep s = step(random.pick(kUnary), {}, random.pick(kFloats));
      s.alpha = 0.3;
      if (s.op == "nonzero_scale") s.lo = 1e-3;
      if (s.op == "clamp") s.lo = -1.5, s.hi = random.chance(0.5) ? 2.25 : HUGE_VAL;
      return s;
    }
    if (draw < 6) {
      static const std::vector<std::string> kBinary = {"add", "sub", "mul", "div", "min", "max", "pow", "fma"};
      PointwiseStep s = step(random.pick(kBinary), {operand(random.pick(kFloats))}, random.pick(kFloats));
      s.swapped = s.op != "fma" && random.chance(0.4);
      if (s.op == "fma") s.operands.push_back(operand(random.pick(kFloats)));
      return s;
    }
    if (draw < 8) {
      PointwiseStep s = step("quantize", {scale()}, random.chance(0.2) ? random.pick(kCodes) : random.pick(kIntegers));
      if (s.type == V::kI64) s.type = V::kI8;
      s.reciprocal = random.chance(0.5);
      s.rounding = static_cast<Rounding>(random.integer(0, 5));
      if (is_integer(s.type) && random.chance(0.5)) {
        s.operands.push_back(operand(s.type == V::kI32 ? V::kI16 : s.type, random.chance(0.5)));
        s.zero_point_after = info(s.type).bits <= 16 && random.chance(0.5);
      }
      if (is_integer(s.type) && random.chance(0.3)) s.lo = info(s.type).min + (is_signed(s.type) ? 1 : 0);
      return s;
    }
    if (draw == 8) {
      static const std::vector<std::string> kCompare = {"less",          "less_equal", "greater",
                                                        "greater_equal", "equal",      "not_equal"};
      PointwiseStep s = step(random.pick(kCompare), {operand(type)}, V::kBool);
      s.swapped = random.chance(0.5);
      return s;
    }
    PointwiseStep s = step("cast", {},
                           random.pick<V>({V::kI8, V::kI32, V::kU8, V::kBF16, V::kF16, V::kF8E4M3, V::kNF4, V::kI64,
                                           V::kU16, V::kBool, V::kF4E2M1}));
    s.rounding = static_cast<Rounding>(random.integer(0, 5));
    return s;
  }
  if (type == V::kBool) {
    if (draw < 4) return step(random.pick<std::string>({"and", "or"}), {operand(V::kBool)}, V::kBool);
    if (draw < 5) return step("not", {}, V::kBool);
    if (draw < 8) {
      const V t = random.pick<V>({V::kF32, V::kI8, V::kI32});
      const int64_t a = operand(t), b = operand(t);
      return step("select", {a, b}, t);
    }
    return step("cast", {}, random.pick<V>({V::kF32, V::kI32, V::kU8}));
  }
  if (is_code(type)) {
    if (draw < 5) return step("dequantize", {scale()}, random.pick(kFloats));
    return step("cast", {}, random.pick(kFloats));
  }
  // Integers.
  if (draw < 2) {
    PointwiseStep s = step("dequantize", {scale()}, random.pick(kFloats));
    if (random.chance(0.5)) s.operands.push_back(operand(type == V::kI64 ? V::kI32 : type));
    return s;
  }
  if (draw < 5 && (type == V::kI32 || type == V::kI64)) {
    PointwiseStep s = step(random.pick<std::string>({"add", "sub", "mul", "min", "max", "div", "rem", "bitwise_and",
                                                     "bitwise_or", "bitwise_xor", "bit_shift_left", "bit_shift_right"}),
                           {operand(type)}, type);
    s.swapped = random.chance(0.4);
    if (s.op.starts_with("bit_shift") && random.chance(0.7)) {
      HostTensor& amount = *operands.back().value;
      for (int64_t i = 0; i < amount.size(); i++)
        amount.set_int(i, random.integer(-2, 66));
    }
    return s;
  }
  if (type == V::kI32 && random.chance(0.3)) {
    PointwiseStep s = step("shift_right", {}, type);
    if (random.chance(0.4)) {
      s.rounding = random.pick<Rounding>({Rounding::kHalfUp, Rounding::kHalfAwayFromZero, Rounding::kFloor});
      s.shift_right = random.pick<int64_t>({0, 1, 2, 7, 15, 30, 31});
      return s;
    }
    s.op = random.pick<std::string>({"add_requantized", "sub_requantized", "mul_centered"});
    s.operands = {operand(random.pick<V>({V::kI8, V::kU8, V::kI16, V::kU16, V::kI4}))};
    const V zero_point = random.pick<V>({V::kI8, V::kU8, V::kI16, V::kI32, V::kI64});
    if (s.op != "mul_centered") {
      s.operands.push_back(operand(V::kI32, random.chance(0.5)));
      s.operands.push_back(operand(V::kI8));
      s.swapped = random.chance(0.4);
      s.shift_left = random.pick<int64_t>({0, 15, 20, 30});
      s.mode = random.chance(0.5) ? RequantizeMode::kFixedSingle : RequantizeMode::kFixedDouble;
    }
    if (random.chance(0.6)) s.operands.push_back(operand(zero_point, random.chance(0.5)));
    return s;
  }
  if (type == V::kI32 && random.chance(0.2)) {
    operands.push_back({wild ? wild_tensor(random, V::kU16, {256}) : tame_tensor(random, V::kU16, {256}), true});
    return step(random.pick<std::string>({"logistic_lookup", "tanh_lookup"}),
                {static_cast<int64_t>(operands.size()) - 1}, V::kI16);
  }
  if (type == V::kI16 && random.chance(0.6)) {
    PointwiseStep s = step(random.pick<std::string>({"fixed_logistic", "fixed_tanh", "interpolated_lookup"}), {}, type);
    if (s.op == "interpolated_lookup") {
      operands.push_back({wild ? wild_tensor(random, V::kI16, {513}) : tame_tensor(random, V::kI16, {513}), true});
      s.operands = {static_cast<int64_t>(operands.size()) - 1};
    } else {
      s.integer_bits = random.integer(0, 6);
    }
    return s;
  }
  if (draw < 7 && (type == V::kI32 || type == V::kI64)) {
    const int64_t multiplier = operand(V::kI32, random.chance(0.5));
    if (!wild) {
      HostTensor& m = *operands.back().value;
      for (int64_t i = 0; i < m.size(); i++)
        m.set_int(i, random.integer(1 << 30, INT32_MAX));
    }
    const int64_t shift = operand(random.pick<V>({V::kI32, V::kI8}));
    HostTensor& shifts = *operands.back().value;
    for (int64_t i = 0; i < shifts.size(); i++)
      shifts.set_int(i, wild ? random.integer(-40, 40) : random.integer(-31, 4));
    PointwiseStep s = step("requantize", {multiplier, shift}, random.pick<V>({V::kI8, V::kU8, V::kI16, V::kI32}));
    s.mode = random.chance(0.5) ? RequantizeMode::kFixedSingle : RequantizeMode::kFixedDouble;
    if (random.chance(0.5)) s.operands.push_back(operand(s.type));
    return s;
  }
  if (draw == 7 && info(type).bits == 8) {
    const V t = random.pick<V>({V::kF32, V::kI8, V::kU8, V::kI16, V::kI32});
    operands.push_back({tame_tensor(random, t, {256}), true});
    return step("lookup", {static_cast<int64_t>(operands.size()) - 1}, t);
  }
  if (draw == 8) {
    PointwiseStep s = step(random.pick<std::string>({"relu", "clamp"}), {}, type);
    if (s.op == "clamp") s.lo = 0, s.hi = random.chance(0.5) ? 6 : HUGE_VAL;
    return s;
  }
  if (random.chance(0.3)) {
    PointwiseStep s =
        step(random.pick<std::string>({"less", "greater_equal", "equal", "not_equal"}), {operand(type)}, V::kBool);
    s.swapped = random.chance(0.5);
    return s;
  }
  PointwiseStep s =
      step("cast", {},
           random.pick<V>({V::kF32, V::kI32, V::kI8, V::kU8, V::kI16, V::kI64, V::kI4, V::kBF16, V::kF8E4M3, V::kNF4}));
  if (is_integer(s.type) && random.chance(0.4)) s.hi = 5;
  s.wraps = is_integer(type) && is_integer(s.type) && random.chance(0.3);
  return s;
}

/// `starts`: types of the first value, all where empty.
void random_chains(uint64_t seed, int count, const std::string& target, std::vector<V> starts) {
  Random random(seed);
  std::vector<NodeCase> cases;
  const std::vector<Shape> shapes = {{1},  {7}, {64}, {3, 20}, {5, 33}, {2, 3, 4, 16}, {4, 1, 8}, {2, 2, 2, 3, 2, 12},
                                     {130}};
  if (starts.empty()) {
    starts = {V::kF32,  V::kF32,    V::kF32,    V::kI32,    V::kI8,  V::kU8, V::kBF16, V::kF16, V::kI64,
              V::kBool, V::kF8E4M3, V::kF8E5M2, V::kF4E2M1, V::kNF4, V::kI4, V::kU16,  V::kI16};
  }
  while (static_cast<int>(cases.size()) < count) {
    const Shape shape = random.pick(shapes);
    const bool wild = random.chance(0.4);
    V type = random.pick(starts);
    std::vector<CaseOperand> operands = {{wild ? wild_tensor(random, type, shape) : tame_tensor(random, type, shape)}};
    PointwiseAttrs attrs;
    std::string label = std::string(wild ? "wild " : "") + name(type) + "[" + to_string(shape) + "]";
    const int64_t length = random.integer(1, 4);
    for (int64_t i = 0; i < length; i++) {
      const std::optional<PointwiseStep> next = random_step(random, type, shape, operands, wild);
      if (!next) break;
      attrs.steps.push_back(*next);
      type = next->type;
      label += " " + next->op + (next->swapped ? "~" : "") + ":" + name(type);
      if (next->op == "cast" || next->op == "quantize")
        label += std::string("/") + enum_names(Rounding{})[static_cast<size_t>(next->rounding)];
    }
    cases.push_back(node_case(label, "pointwise", share(attrs), operands));
  }
  expect_reference(cases, target);
}

TEST_P(LoweringOn, PowersOfTwoOfExtremeScalesEqualTheReference) {
  std::vector<float> values = {0.0f,     -0.0f,           -1.0f,           0x1p-149f,  0x1p-127f, 0x1p-64f,
                               0x1p-63f, 0x1p-8f,         0x1p-7f,         0x1.8p-7f,  0x1p-13f,  0x1.000002p-13f,
                               0x1p15f,  65504.0f,        65519.0f,        65520.0f,   0x1p16f,   1e30f,
                               0x1p127f, 0x1.8p127f,      0x1.fffffep127f, -HUGE_VALF, HUGE_VALF, NAN,
                               -NAN,     0x1.fffffep-64f, -0x1p-140f,      1.0f};
  for (int k = -64; k < 128; k++) {
    const float power = std::ldexp(1.0f, k);
    values.insert(values.end(), {std::nextafter(power, 0.0f), power, std::nextafter(power, HUGE_VALF)});
  }
  std::vector<NodeCase> cases;
  // Float32 and bfloat16 have 191 thresholds in their kernels, which take seconds to lower.
  const std::vector<std::pair<V, V>> types = {{V::kF32, V::kF32}, {V::kF32, V::kF16}, {V::kBF16, V::kBF16}};
  for (const auto& [from, to] : types) {
    const HostTensor x = from_floats(from, {static_cast<int64_t>(values.size())}, values);
    PointwiseAttrs attrs;
    attrs.steps = {step("power_of_two_ceil", {}, to)};
    cases.push_back(node_case(std::string(name(from)) + " to " + name(to), "pointwise", share(attrs), {{x}}));
  }
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, RandomChainsOfStepsEqualTheReference) { random_chains(21, 160, GetParam(), {}); }

TEST_P(LoweringOn, RandomChainsOnIntegersEqualTheReference) {
  random_chains(22, 120, GetParam(), {V::kI32, V::kI32, V::kI16, V::kI8, V::kI32});
}

TEST_P(LoweringOn, ShiftsOfExtremeNumbersEqualTheReference) {
  const HostTensor x =
      HostTensor::of<int32_t>(V::kI32, {9}, {INT32_MIN, INT32_MIN + 1, -3, -1, 0, 1, 3, INT32_MAX - 1, INT32_MAX});
  std::vector<NodeCase> cases;
  for (const Rounding rounding : {Rounding::kHalfUp, Rounding::kHalfAwayFromZero, Rounding::kFloor}) {
    for (const int64_t n : {0, 1, 2, 15, 30, 31}) {
      PointwiseAttrs attrs;
      attrs.steps = {step("shift_right", {}, V::kI32)};
      attrs.steps[0].rounding = rounding;
      attrs.steps[0].shift_right = n;
      cases.push_back(node_case("by " + std::to_string(n), "pointwise", share(attrs), {{x}}));
    }
  }
  expect_reference(cases, GetParam());
}

/// A relu whose zero point is the type's largest number leaves that number alone.
TEST_P(LoweringOn, LimitsAtTheEndsOfATypeEqualTheReference) {
  const HostTensor x = HostTensor::of<int8_t>(V::kI8, {5}, {-128, -64, 0, 64, 127});
  std::vector<NodeCase> cases;
  for (const auto& [lo, hi] :
       std::vector<std::pair<double, double>>{{127, 127}, {-128, -128}, {127, HUGE_VAL}, {-HUGE_VAL, -128}}) {
    PointwiseAttrs clamp, narrow;
    clamp.steps = {step("clamp", {}, V::kI8)};
    narrow.steps = {step("cast", {}, V::kI32), step("cast", {}, V::kI8)};
    for (PointwiseStep* s : {&clamp.steps[0], &narrow.steps[1]}) {
      s->lo = lo;
      s->hi = hi;
    }
    const std::string limits = std::to_string(lo) + ".." + std::to_string(hi);
    cases.push_back(node_case("clamp " + limits, "pointwise", share(clamp), {{x}}));
    cases.push_back(node_case("cast " + limits, "pointwise", share(narrow), {{x}}));
  }
  expect_reference(cases, GetParam());
}

TEST_P(LoweringOn, FixedPointFunctionsEqualTheReferenceEverywhere) {
  HostTensor all(V::kI16, {65536});
  for (int64_t i = 0; i < 65536; i++)
    all.set_int(i, i - 32768);
  Random random(23);
  std::vector<NodeCase> cases;
  for (const char* op : {"fixed_logistic", "fixed_tanh"}) {
    for (int64_t bits : {0, 3, 6}) {
      PointwiseAttrs attrs;
      attrs.steps = {step(op, {}, V::kI16)};
      attrs.steps[0].integer_bits = bits;
      cases.push_back(node_case(std::string(op) + " " + std::to_string(bits), "pointwise", share(attrs), {{all}}));
    }
  }
  PointwiseAttrs attrs;
  attrs.steps = {step("interpolated_lookup", {1}, V::kI16)};
  cases.push_back(node_case("interpolated_lookup", "pointwise", share(attrs),
                            {{all}, {wild_tensor(random, V::kI16, {513}), true}}));
  expect_reference(cases, GetParam());
}

}  // namespace
}  // namespace qlathe::testing
