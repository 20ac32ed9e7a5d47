#include <map>

#include "codegen/cpp/expressions.h"
#include "codegen/cpp/types.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;
using Halide::Type;

namespace {

// Intrinsics that are functions of the runtime under the same name, on scalars and vectors alike.
const std::map<std::string, const char*>& same_in_runtime() {
  static const std::map<std::string, const char*> table = [] {
    std::map<std::string, const char*> t;
    for (auto [op, name] : std::initializer_list<std::pair<Call::IntrinsicOp, const char*>>{
             {Call::abs, "abs"},
             {Call::absd, "absd"},
             {Call::count_leading_zeros, "count_leading_zeros"},
             {Call::halving_add, "halving_add"},
             {Call::popcount, "popcount"},
             {Call::rounding_halving_add, "rounding_halving_add"},
             {Call::saturating_add, "saturating_add"},
             {Call::saturating_sub, "saturating_sub"},
             {Call::widening_mul, "widening_mul"}}) {
      t[Call::get_intrinsic_name(op)] = name;
    }
    return t;
  }();
  return table;
}

// External functions with one meaning on every target. All are exact or correctly rounded.
const std::map<std::string, const char*>& external_functions() {
  static const std::map<std::string, const char*> table = {
      {"floor_f32", "floor"}, {"floor_f64", "floor"}, {"ceil_f32", "ceil"},     {"ceil_f64", "ceil"},
      {"trunc_f32", "trunc"}, {"trunc_f64", "trunc"}, {"sqrt_f32", "sqrt"},     {"sqrt_f64", "sqrt"},
      {"abs_f32", "abs"},     {"abs_f64", "abs"},     {"is_nan_f32", "is_nan"}, {"is_nan_f64", "is_nan"},
      {"round_f32", "round"}, {"round_f64", "round"},
  };
  return table;
}

bool is_bitwise(const Call* op) {
  return op->is_intrinsic({Call::bitwise_and, Call::bitwise_or, Call::bitwise_xor, Call::bitwise_not});
}

}  // namespace

Text Expressions::shift(const Call* op) {
  const char* name = op->is_intrinsic(Call::shift_left) ? "shl" : "shr";
  Expr amount = op->args[1];
  if (const Broadcast* b = amount.as<Broadcast>()) amount = b->value;
  auto constant = as_const_int(amount);
  auto unsigned_constant = as_const_uint(amount);
  if (!constant && unsigned_constant) constant = static_cast<int64_t>(*unsigned_constant);
  if (constant) {
    int64_t n = *constant;
    if (n < 0) {  // Halide: a shift by a negative amount goes the other way
      name = op->is_intrinsic(Call::shift_left) ? "shr" : "shl";
      n = -n;
    }
    if (n >= op->type.bits()) throw CannotPrint("a shift by as many bits as there are");
    return {std::string(name) + "(" + value(op->args[0]) + ", " + std::to_string(n) + ")"};
  }
  if (amount.type().is_int()) {
    Expr lowered = op->is_intrinsic(Call::shift_left) ? lower_signed_shift_left(op->args[0], op->args[1])
                                                      : lower_signed_shift_right(op->args[0], op->args[1]);
    return print(lowered);
  }
  if (amount.type().is_scalar()) {
    return {std::string(name) + "(" + value(op->args[0]) + ", int(" + value(amount) + "))"};
  }
  return {call(name, op->args)};
}

Text Expressions::saturating(const Call* op) {
  Expr from = op->args[0];
  if (from.type().is_float() || op->type.is_float()) return print(lower_intrinsic(op));
  // sat<u8>(sat<i16>(x)) is sat<u8>(x): the inner range holds the outer one.
  if (const Call* inner = Call::as_intrinsic(from, {Call::saturating_cast})) {
    Type outer_type = op->type, inner_type = inner->type;
    if (!inner->args[0].type().is_float() &&
        inner_type.can_represent(outer_type.element_of().with_lanes(inner_type.lanes()))) {
      from = inner->args[0];
    }
  }
  if (from.type() == op->type) return print(from);
  return {"sat<" + type(op->type) + ">(" + value(from) + ")"};
}

// strict_add and its kin: single roundings, which no compiler may fuse.
Text Expressions::strict_float(const Call* op) {
  Type t = op->type;
  if (op->args[0].type().bits() == 16) throw CannotPrint("arithmetic on float16");
  const Expr &a = op->args[0], &b = op->args[1];
  if (op->is_intrinsic(Call::strict_add)) return arithmetic("+", "", Text::kSum, a, b);
  if (op->is_intrinsic(Call::strict_sub)) return arithmetic("-", "", Text::kSum, a, b);
  if (op->is_intrinsic(Call::strict_div)) {
    type(t);
    return {print_factor(a).at(Text::kProduct) + " / " + print_factor(b).at(Text::kProduct + 1), Text::kProduct};
  }
  if (op->is_intrinsic(Call::strict_mul)) {
    type(t);
    return {"rounded(" + print_factor(Expr(op)).text + ")"};
  }
  if (op->is_intrinsic(Call::strict_lt)) return comparison("<", "lt", a, b);
  if (op->is_intrinsic(Call::strict_le)) return comparison("<=", "le", a, b);
  if (op->is_intrinsic(Call::strict_eq)) return comparison("==", "eq", a, b);
  // Minimum and maximum of vectors are opaque to the compilers, those of scalars are branches, through which an
  // addition could reach the product.
  auto operand = [&](const Expr& e) { return t.is_vector() ? print_factor(e).text : value(e); };
  const char* name = op->is_intrinsic(Call::strict_min) ? "min" : "max";
  return {std::string(name) + "(" + operand(a) + ", " + operand(b) + ")"};
}

Text Expressions::external(const Call* op) {
  if (op->name == "llvm.fma.f32" || op->name == "llvm.fma.f64" || op->name == "fma_f32" || op->name == "fma_f64") {
    type(op->type);
    return {"fma(" + print_factor(op->args[0]).text + ", " + print_factor(op->args[1]).text + ", " +
            value(op->args[2]) + ")"};
  }
  if (op->name.starts_with("zip_")) return {call(op->name, op->args)};
  if (op->name == "pack4" || op->name == "narrow4") return {call(op->name + "<" + type(op->type) + ">", op->args)};
  auto known = external_functions().find(op->name);
  if (known == external_functions().end()) throw CannotPrint("a call of '" + op->name + "'");
  if (!op->type.is_bool()) type(op->type);
  const Expr& a = op->args[0];
  return {std::string(known->second) + "(" + (a.type().is_vector() ? print_factor(a).text : value(a)) + ")"};
}

Text Expressions::intrinsic(const Call* op) {
  if (op->is_strict_float_intrinsic()) return strict_float(op);
  if (op->is_extern()) return external(op);
  if (op->is_tag() || op->is_intrinsic({Call::promise_clamped, Call::unsafe_promise_clamped})) {
    return print(op->args[0]);
  }
  if (op->is_intrinsic({Call::shift_left, Call::shift_right})) return shift(op);
  if (is_bitwise(op)) {
    if (op->type.is_bool()) throw CannotPrint("a bitwise operation on bool");
    type(op->type);
    if (op->is_intrinsic(Call::bitwise_not)) {
      std::string text = "~" + print(op->args[0]).at(Text::kUnary);
      bool small = op->type.is_scalar() && op->type.bits() < 32;
      return small ? Text{type(op->type) + "(" + text + ")"} : Text{text, Text::kUnary};
    }
    const char* symbol = op->is_intrinsic(Call::bitwise_and) ? "&" : op->is_intrinsic(Call::bitwise_or) ? "|" : "^";
    return bitwise(symbol, op->type, op->args[0], op->args[1]);
  }
  if (op->is_intrinsic(Call::saturating_cast)) return saturating(op);
  if (op->is_intrinsic(Call::round)) {
    const Expr& a = op->args[0];
    type(op->type);
    return {"round(" + (a.type().is_vector() ? print_factor(a).text : value(a)) + ")"};
  }
  if (op->is_intrinsic(Call::abs) && op->type.is_float()) return {call("abs", op->args)};
  if (op->is_intrinsic(Call::if_then_else)) {
    Expr condition = op->args[0];
    if (op->args.size() != 3 || condition.type().is_vector()) throw CannotPrint("a conditional on vectors");
    size_t before = declarations_.size();
    Text text{print(condition).at(Text::kOther + 1) + " ? " + print(op->args[1]).at(Text::kSum) + " : " +
                  print(op->args[2]).at(Text::kSum),
              Text::kOther};
    if (declarations_.size() != before) throw CannotPrint("a let inside a conditional expression");
    return text;
  }
  if (op->is_intrinsic({Call::div_round_to_zero, Call::mod_round_to_zero})) {
    const char* symbol = op->is_intrinsic(Call::div_round_to_zero) ? " / " : " % ";
    if (op->type.is_vector() || op->type.bits() < 32) throw CannotPrint("a division that rounds to zero");
    return {print(op->args[0]).at(Text::kProduct) + symbol + print(op->args[1]).at(Text::kProduct + 1), Text::kProduct};
  }
  auto known = same_in_runtime().find(op->name);
  if (known != same_in_runtime().end() && op->args[0].type().bits() == op->args.back().type().bits()) {
    type(op->type);
    return {call(known->second, op->args)};
  }
  Expr lowered = lower_intrinsic(op);
  if (!lowered.defined()) throw CannotPrint("a call of the intrinsic '" + op->name + "'");
  return print(lowered);
}

}  // namespace qlathe
