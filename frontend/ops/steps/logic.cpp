// Comparisons, boolean algebra, selection and tables.
#include "frontend/ops/checks.h"
#include "frontend/ops/steps/rules.h"

namespace qlathe {
namespace {

template <class Compare>
Value compare(const StepArgs& args, Value v, const Value* a) {
  const bool swapped = args.step.swapped;
  if (is_arithmetic_float(args.value)) {
    return {.i = swapped ? Compare{}(a->f, v.f) : Compare{}(v.f, a->f)};
  }
  return {.i = swapped ? Compare{}(a->i, v.i) : Compare{}(v.i, a->i)};
}

std::string check_compare(const StepTypes& types) {
  const bool floats = is_arithmetic_float(types.value) && is_arithmetic_float(types.operands[0]);
  const bool integers = is_integer(types.value) && is_integer(types.operands[0]);
  if (!floats && !integers) {
    return "compares two floats or two integers, not " + std::string(name(types.value)) + " and " +
           name(types.operands[0]);
  }
  return types.step.type == ValueType::kBool ? "" : "gives bool, not " + std::string(name(types.step.type));
}

std::string check_bool(const StepTypes& types) {
  bool all = types.value == ValueType::kBool && types.step.type == ValueType::kBool;
  for (ValueType operand : types.operands)
    all = all && operand == ValueType::kBool;
  return all ? "" : "takes bool and gives bool";
}

std::string check_select(const StepTypes& types) {
  if (types.value != ValueType::kBool) return "chooses by a bool, not " + std::string(name(types.value));
  if (types.operands[0] == types.step.type && types.operands[1] == types.step.type) return "";
  return "takes two operands of the type it gives, not " + std::string(name(types.operands[0])) + " and " +
         name(types.operands[1]) + " to give " + name(types.step.type);
}

std::string check_lookup(const StepTypes& types) {
  if (types.value != ValueType::kI8 && types.value != ValueType::kU8) {
    return "takes int8 or uint8, not " + std::string(name(types.value));
  }
  return types.operands[0] == types.step.type ? ""
                                              : "gives the type of its table, " + std::string(name(types.operands[0])) +
                                                    ", not " + name(types.step.type);
}

Value lookup(const StepArgs& args, Value v, const Value*) {
  const int64_t at = args.value == ValueType::kI8 ? v.i + 128 : v.i;
  Value out;
  load_values(*args.table, &at, 1, &out);
  return out;
}

struct Less {
  template <class T>
  bool operator()(T x, T y) const {
    return x < y;
  }
};
struct LessEqual {
  template <class T>
  bool operator()(T x, T y) const {
    return x <= y;
  }
};
struct Greater {
  template <class T>
  bool operator()(T x, T y) const {
    return x > y;
  }
};
struct GreaterEqual {
  template <class T>
  bool operator()(T x, T y) const {
    return x >= y;
  }
};
struct Equal {
  template <class T>
  bool operator()(T x, T y) const {
    return x == y;
  }
};
struct NotEqual {
  template <class T>
  bool operator()(T x, T y) const {
    return x != y;
  }
};

const StepRegistry::Add kSteps{std::vector<StepDef>{
    {"less", 1, 1, 0, check_compare, compare<Less>},
    {"less_equal", 1, 1, 0, check_compare, compare<LessEqual>},
    {"greater", 1, 1, 0, check_compare, compare<Greater>},
    {"greater_equal", 1, 1, 0, check_compare, compare<GreaterEqual>},
    {"equal", 1, 1, 0, check_compare, compare<Equal>},
    {"not_equal", 1, 1, 0, check_compare, compare<NotEqual>},
    {"and", 1, 1, 0, check_bool, [](const StepArgs&, Value v, const Value* a) { return Value{.i = v.i & a->i}; }},
    {"or", 1, 1, 0, check_bool, [](const StepArgs&, Value v, const Value* a) { return Value{.i = v.i | a->i}; }},
    {"not", 0, 0, 0, check_bool, [](const StepArgs&, Value v, const Value*) { return Value{.i = !v.i}; }},
    {"select", 2, 2, 0, check_select, [](const StepArgs&, Value v, const Value* ab) { return v.i ? ab[0] : ab[1]; }},
    {"lookup", 1, 1, 256, check_lookup, lookup},
}};

}  // namespace
}  // namespace qlathe
