// Integer arithmetic of fixed-point networks: operands rescaled on the way, shifts, fixed-point functions, interpolated
// tables.
#include <algorithm>

#include "frontend/numerics/fixed/functions.h"
#include "frontend/numerics/requantize.h"
#include "frontend/ops/checks.h"
#include "frontend/ops/steps/rules.h"

namespace qlathe {
namespace {

using A = fixed::ScalarAlgebra;

std::string only(ValueType wanted, const StepTypes& types) {
  if (types.value != wanted) return std::string("takes ") + name(wanted) + ", not " + name(types.value);
  return types.step.type == wanted ? "" : std::string("gives ") + name(wanted) + ", not " + name(types.step.type);
}

std::string check_between(const char* field, int64_t value, int64_t lo, int64_t hi) {
  if (value >= lo && value <= hi) return "";
  return std::string("has ") + field + " " + std::to_string(value) + ", outside " + std::to_string(lo) + " to " +
         std::to_string(hi);
}

/// An int32 chain with a narrow integer operand, and its zero point as operand `zero_point`.
std::string check_centered(const StepTypes& types, size_t zero_point) {
  if (std::string wrong = only(ValueType::kI32, types); !wrong.empty()) return wrong;
  if (!is_integer(types.operands[0]) || info(types.operands[0]).bits > 16) {
    return "takes an integer of at most 16 bits as its first operand, not " + std::string(name(types.operands[0]));
  }
  if (types.operands.size() > zero_point && !is_integer(types.operands[zero_point])) {
    return "takes an integer zero point, not " + std::string(name(types.operands[zero_point]));
  }
  return "";
}

std::string check_with_requantized(const StepTypes& types) {
  if (std::string wrong = check_centered(types, 3); !wrong.empty()) return wrong;
  if (types.operands[1] != ValueType::kI32)
    return "takes int32 multipliers, not " + std::string(name(types.operands[1]));
  if (types.step.mode == RequantizeMode::kFloat64) return "has no mode float64";
  if (!is_integer(types.operands[2])) return "takes integer shifts, not " + std::string(name(types.operands[2]));
  return check_between("shift_left", types.step.shift_left, 0, 30);
}

uint32_t centered(const Value* b, const Value* zero_point) {
  return static_cast<uint32_t>(b->i) - (zero_point == nullptr ? 0 : static_cast<uint32_t>(zero_point->i));
}

uint32_t plus(uint32_t x, uint32_t y) { return x + y; }
uint32_t minus(uint32_t x, uint32_t y) { return x - y; }

template <uint32_t (*kOp)(uint32_t, uint32_t)>
Value with_requantized(const StepArgs& args, Value v, const Value* o) {
  const uint32_t b = centered(o, args.operands.size() > 3 ? o + 3 : nullptr) << args.step.shift_left;
  const QuantizedMultiplier m{static_cast<int32_t>(o[1].i), static_cast<int32_t>(std::clamp<int64_t>(o[2].i, -31, 30))};
  const int64_t scaled = args.step.mode == RequantizeMode::kFixedSingle
                             ? requantize_fixed_single(static_cast<int32_t>(b), m)
                             : requantize_fixed_double(static_cast<int32_t>(b), m);
  const auto x = static_cast<uint32_t>(v.i), y = static_cast<uint32_t>(scaled);
  return wrapped(args, args.step.swapped ? kOp(y, x) : kOp(x, y));
}

Value mul_centered(const StepArgs& args, Value v, const Value* o) {
  return wrapped(args, static_cast<uint32_t>(v.i) * centered(o, args.operands.size() > 1 ? o + 1 : nullptr));
}

std::string check_shift_right(const StepTypes& types) {
  if (std::string wrong = only(ValueType::kI32, types); !wrong.empty()) return wrong;
  const Rounding r = types.step.rounding;
  if (r != Rounding::kHalfUp && r != Rounding::kHalfAwayFromZero && r != Rounding::kFloor) {
    return std::string("rounds half_up, half_away_from_zero or floor, not ") +
           enum_names(Rounding{})[static_cast<size_t>(r)];
  }
  return check_between("shift_right", types.step.shift_right, 0, 31);
}

Value shift_right(const StepArgs& args, Value v, const Value*) {
  const auto n = static_cast<int>(args.step.shift_right);
  if (n == 0) return v;
  if (args.step.rounding == Rounding::kHalfAwayFromZero)
    return {.i = rounding_divide_by_power(static_cast<int32_t>(v.i), n)};
  return {.i = (v.i + (args.step.rounding == Rounding::kHalfUp ? int64_t{1} << (n - 1) : 0)) >> n};
}

std::string check_fixed(const StepTypes& types) {
  if (std::string wrong = only(ValueType::kI16, types); !wrong.empty()) return wrong;
  return check_between("integer_bits", types.step.integer_bits, 0, 6);
}

template <int32_t (*kFunction)(int32_t, int)>
Value fixed_function(const StepArgs& args, Value v, const Value*) {
  return {.i = kFunction(static_cast<int32_t>(v.i), static_cast<int>(args.step.integer_bits))};
}

std::string check_interpolated(const StepTypes& types) {
  if (std::string wrong = only(ValueType::kI16, types); !wrong.empty()) return wrong;
  return types.operands[0] == ValueType::kI16 ? ""
                                              : "takes an int16 table, not " + std::string(name(types.operands[0]));
}

Value interpolated_lookup(const StepArgs& args, Value v, const Value*) {
  const int64_t i = (v.i >> 7) + 256, fraction = v.i & 127;
  const int64_t base = args.table->int_at(i);
  const auto slope = static_cast<int16_t>(args.table->int_at(i + 1) - base);
  return {.i = static_cast<int16_t>(base + ((slope * fraction + 64) >> 7))};
}

std::string check_sigmoid_lookup(const StepTypes& types) {
  if (types.value != ValueType::kI32) return "takes int32, not " + std::string(name(types.value));
  if (types.step.type != ValueType::kI16) return "gives int16, not " + std::string(name(types.step.type));
  return types.operands[0] == ValueType::kU16 ? ""
                                              : "takes a uint16 table, not " + std::string(name(types.operands[0]));
}

/// Entry |v| >> bits and what lies between it and the next, times 2^bits.
int64_t between_entries(const HostTensor& table, int64_t v, int bits, int64_t beyond) {
  const int64_t a = v < 0 ? -v : v, i = a >> bits;
  if (i >= 255) return beyond;
  return (table.int_at(i) << bits) + (a & ((1 << bits) - 1)) * (table.int_at(i + 1) - table.int_at(i));
}

Value logistic_lookup(const StepArgs& args, Value v, const Value*) {
  const int64_t t = between_entries(*args.table, v.i, 9, 0x7fff << 10);
  return {.i = static_cast<int16_t>((v.i < 0 ? (1 << 25) - t + 511 : t + 512) >> 10)};
}

Value tanh_lookup(const StepArgs& args, Value v, const Value*) {
  const int64_t t = between_entries(*args.table, v.i, 8, 0xffff << 8);
  return {.i = static_cast<int16_t>((v.i < 0 ? (1 << 23) - t + 127 : t - (1 << 23) + 128) >> 8)};
}

const StepRegistry::Add kSteps{std::vector<StepDef>{
    {"add_requantized", 3, 4, 0, check_with_requantized, with_requantized<plus>},
    {"sub_requantized", 3, 4, 0, check_with_requantized, with_requantized<minus>},
    {"mul_centered", 1, 2, 0, [](const StepTypes& types) { return check_centered(types, 1); }, mul_centered},
    {"shift_right", 0, 0, 0, check_shift_right, shift_right},
    {"fixed_logistic", 0, 0, 0, check_fixed, fixed_function<fixed::logistic<A, 16>>},
    {"fixed_tanh", 0, 0, 0, check_fixed, fixed_function<fixed::tanh<A, 16>>},
    {"logistic_lookup", 1, 1, 256, check_sigmoid_lookup, logistic_lookup},
    {"tanh_lookup", 1, 1, 256, check_sigmoid_lookup, tanh_lookup},
    {"interpolated_lookup", 1, 1, 513, check_interpolated, interpolated_lookup},
}};

}  // namespace
}  // namespace qlathe
