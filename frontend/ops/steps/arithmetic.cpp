#include <cmath>
#include <utility>

#include "frontend/ops/checks.h"
#include "frontend/ops/pointwise_steps.h"
#include "frontend/ops/steps/rules.h"

namespace qlathe {
namespace {

using FloatOp = float (*)(float, float);
using IntOp = uint64_t (*)(uint64_t, uint64_t);

float max_of(float x, float y) { return x > y ? x : y; }
float min_of(float x, float y) { return x < y ? x : y; }

/// v op a in float32, or in int32/int64 with wrapping.
template <FloatOp kFloat, IntOp kInt>
Value binary(const StepArgs& args, Value v, const Value* a) {
  if (is_arithmetic_float(args.value)) {
    return rounded(args, args.step.swapped ? kFloat(a->f, v.f) : kFloat(v.f, a->f));
  }
  const auto x = static_cast<uint64_t>(v.i), y = static_cast<uint64_t>(a->i);
  return wrapped(args, args.step.swapped ? kInt(y, x) : kInt(x, y));
}

uint64_t max_of(uint64_t x, uint64_t y) { return static_cast<int64_t>(x) > static_cast<int64_t>(y) ? x : y; }
uint64_t min_of(uint64_t x, uint64_t y) { return static_cast<int64_t>(x) < static_cast<int64_t>(y) ? x : y; }

/// v op (float(b) - float(zero_point)) * scale, each operation rounded to float32.
template <FloatOp kFloat>
Value with_dequantized(const StepArgs& args, Value v, const Value* o) {
  float b = static_cast<float>(o[0].i);
  if (args.operands.size() > 2) b -= static_cast<float>(o[2].i);
  b *= o[1].f;
  return rounded(args, args.step.swapped ? kFloat(b, v.f) : kFloat(v.f, b));
}

/// |x| of an int64, which holds the lowest one's too.
uint64_t magnitude(uint64_t x) { return static_cast<int64_t>(x) < 0 ? 0 - x : x; }

uint64_t quotient(uint64_t x, uint64_t y) {
  const uint64_t q = y == 0 ? 0 : magnitude(x) / magnitude(y);
  return static_cast<int64_t>(x ^ y) < 0 ? 0 - q : q;
}
uint64_t remainder(uint64_t x, uint64_t y) {
  const uint64_t rest = y == 0 ? 0 : magnitude(x) % magnitude(y);
  return static_cast<int64_t>(x) < 0 ? 0 - rest : rest;
}

std::string check_integer(const StepTypes& types) {
  if (types.value == ValueType::kI32 || types.value == ValueType::kI64) return float_or_wide_integer(types);
  return "takes int32 or int64, not " + std::string(name(types.value)) + (is_integer(types.value) ? "; cast it" : "");
}

template <IntOp kInt>
Value integer_binary(const StepArgs& args, Value v, const Value* a) {
  const auto x = static_cast<uint64_t>(v.i), y = static_cast<uint64_t>(a->i);
  return wrapped(args, args.step.swapped ? kInt(y, x) : kInt(x, y));
}

/// `v` shifted by `a`, or the other way round.
Value shifted(const StepArgs& args, Value v, Value a, bool left) {
  if (args.step.swapped) std::swap(v, a);
  const int64_t bits = args.step.type == ValueType::kI32 ? 32 : 64;
  const bool all = a.i < 0 || a.i >= bits;
  if (left) return wrapped(args, all ? 0 : static_cast<uint64_t>(v.i) << a.i);
  return {.i = v.i >> (all ? bits - 1 : a.i)};
}

std::string check_dequantized(const StepTypes& types) {
  if (!is_arithmetic_float(types.value)) return "takes a float, not " + std::string(name(types.value));
  if (!is_integer(types.operands[0])) return "takes an integer operand, not " + std::string(name(types.operands[0]));
  if (types.operands[1] != ValueType::kF32) return "takes a float32 scale, not " + std::string(name(types.operands[1]));
  if (types.operands.size() > 2 && !is_integer(types.operands[2]))
    return "takes an integer zero point, not " + std::string(name(types.operands[2]));
  return is_arithmetic_float(types.step.type) ? "" : "gives a float, not " + std::string(name(types.step.type));
}

const StepRegistry::Add kSteps{std::vector<StepDef>{
    {"add", 1, 1, 0, float_or_wide_integer,
     binary<[](float x, float y) { return x + y; }, [](uint64_t x, uint64_t y) { return x + y; }>},
    {"sub", 1, 1, 0, float_or_wide_integer,
     binary<[](float x, float y) { return x - y; }, [](uint64_t x, uint64_t y) { return x - y; }>},
    {"mul", 1, 1, 0, float_or_wide_integer,
     binary<[](float x, float y) { return x * y; }, [](uint64_t x, uint64_t y) { return x * y; }>},
    {"add_dequantized", 2, 3, 0, check_dequantized, with_dequantized<[](float x, float y) { return x + y; }>},
    {"sub_dequantized", 2, 3, 0, check_dequantized, with_dequantized<[](float x, float y) { return x - y; }>},
    {"mul_dequantized", 2, 3, 0, check_dequantized, with_dequantized<[](float x, float y) { return x * y; }>},
    {"max", 1, 1, 0, float_or_wide_integer, binary<max_of, max_of>},
    {"min", 1, 1, 0, float_or_wide_integer, binary<min_of, min_of>},
    {"div", 1, 1, 0, float_or_wide_integer, binary<[](float x, float y) { return x / y; }, quotient>},
    {"rem", 1, 1, 0, check_integer, integer_binary<remainder>},
    {"bitwise_and", 1, 1, 0, check_integer, integer_binary<[](uint64_t x, uint64_t y) { return x & y; }>},
    {"bitwise_or", 1, 1, 0, check_integer, integer_binary<[](uint64_t x, uint64_t y) { return x | y; }>},
    {"bitwise_xor", 1, 1, 0, check_integer, integer_binary<[](uint64_t x, uint64_t y) { return x ^ y; }>},
    {"bit_shift_left", 1, 1, 0, check_integer,
     [](const StepArgs& args, Value v, const Value* a) { return shifted(args, v, *a, true); }},
    {"bit_shift_right", 1, 1, 0, check_integer,
     [](const StepArgs& args, Value v, const Value* a) { return shifted(args, v, *a, false); }},
    {"fma", 2, 2, 0, all_float,
     [](const StepArgs& args, Value v, const Value* o) { return rounded(args, std::fma(v.f, o[0].f, o[1].f)); }},
    {"relu", 0, 0, 0, same_float_or_integer,
     [](const StepArgs& args, Value v, const Value*) {
       return is_arithmetic_float(args.value) ? rounded(args, v.f > 0 ? v.f : 0.f) : Value{.i = v.i > 0 ? v.i : 0};
     }},
    {"clamp", 0, 0, 0, same_float_or_integer,
     [](const StepArgs& args, Value v, const Value*) {
       if (!is_arithmetic_float(args.value)) return Value{.i = v.i < args.lo ? args.lo : v.i > args.hi ? args.hi : v.i};
       return rounded(args, min_of(max_of(v.f, static_cast<float>(args.step.lo)), static_cast<float>(args.step.hi)));
     }},
    {"nonzero_scale", 0, 0, 0, all_float,
     [](const StepArgs& args, Value v, const Value*) {
       return rounded(args, v.f < static_cast<float>(args.step.lo) ? 1.f : v.f);
     }},
}};

}  // namespace
}  // namespace qlathe
