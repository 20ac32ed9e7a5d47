#include "codegen/cpp/expressions.h"

#include <algorithm>

#include "codegen/cpp/types.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;
using Halide::Type;

namespace {

bool is_small_integer(const Type& t) { return t.is_int_or_uint() && !t.is_bool() && t.bits() < 32; }

// The element of a vector that has the same one in all lanes.
Expr uniform(const Expr& e) {
  const Broadcast* b = e.as<Broadcast>();
  return b != nullptr ? b->value : e;
}

bool is_float_product(const Expr& e) { return Call::as_intrinsic(e, {Call::strict_mul}) != nullptr; }

}  // namespace

std::string Expressions::type(const Type& t) const {
  // The operands of dot products are words of four bytes there.
  const bool four_bytes = t.lanes() == 4 && t.bits() == 8 && t.is_int_or_uint();
  if (scalar_only_ && t.is_vector() && !four_bytes) {
    throw CannotPrint("a vector of " + std::to_string(t.lanes()) + " lanes in a kernel for scalars alone");
  }
  return cpp_type(t);
}

std::string Expressions::call(const std::string& function, const std::vector<Expr>& arguments) {
  std::string text = function + "(";
  for (size_t i = 0; i < arguments.size(); ++i)
    text += (i > 0 ? ", " : "") + value(arguments[i]);
  return text + ")";
}

std::vector<std::string> Expressions::take_declarations() {
  for (const std::string& name : hoisted_)
    names_.undeclare(name);
  hoisted_.clear();
  return std::exchange(declarations_, {});
}

Text Expressions::constant_of(const Expr& e) {
  if (const IntImm* i = e.as<IntImm>()) {
    return {integer_literal(e.type(), i->value), i->value < 0 && e.type().bits() == 32 ? Text::kUnary : Text::kPrimary};
  }
  if (const UIntImm* u = e.as<UIntImm>()) return {unsigned_literal(e.type(), u->value)};
  const FloatImm* f = e.as<FloatImm>();
  if (e.type().bits() == 16) throw CannotPrint("a constant of type float16");
  std::string text = float_literal(e.type(), f->value);
  return {text, text[0] == '-' ? Text::kUnary : Text::kPrimary};
}

Text Expressions::arithmetic(const char* symbol, const char* wrapping, int precedence, const Expr& a, const Expr& b) {
  Type t = a.type();
  if (t.is_float() && t.bits() == 16) throw CannotPrint("arithmetic on float16");
  type(t);
  // Small integers wrap in Halide: scalars are promoted to int, signed lanes must not overflow.
  bool wraps = is_small_integer(t) && (t.is_scalar() || t.is_int());
  if (wraps) return {call(wrapping, {a, b})};
  // The operators are left-associative.
  return {print(a).at(precedence) + " " + symbol + " " + print(b).at(precedence + 1), precedence};
}

Text Expressions::bitwise(const char* symbol, const Type& t, const Expr& a, const Expr& b) {
  std::string text = print(a).at(Text::kUnary) + " " + symbol + " " + print(b).at(Text::kUnary);
  if (t.is_scalar() && is_small_integer(t)) return {type(t) + "(" + text + ")"};
  return {text, Text::kOther};
}

Text Expressions::comparison(const char* symbol, const char* function, const Expr& a, const Expr& b) {
  if (a.type().is_scalar()) {
    return {print_factor(a).at(Text::kSum) + " " + symbol + " " + print_factor(b).at(Text::kSum), Text::kOther};
  }
  if (a.type().is_bool()) throw CannotPrint("a comparison of vectors of bool");
  type(a.type());
  return {std::string(function) + "(" + print_factor(a).text + ", " + print_factor(b).text + ")"};
}

Text Expressions::negation(const Expr& e) {
  if (e.type().is_scalar()) return {"!" + print(e).at(Text::kUnary), Text::kUnary};
  return {"mask_not(" + value(e) + ")"};
}

Text Expressions::logical(const char* symbol, const char* function, const Expr& a, const Expr& b) {
  if (a.type().is_scalar()) {
    return {print(a).at(Text::kUnary) + " " + symbol + " " + print(b).at(Text::kUnary), Text::kOther};
  }
  return {call(function, {a, b})};
}

Text Expressions::cast(const Cast* op) {
  Type to = op->type, from = op->value.type();
  if (to == from) return print(op->value);
  Expr element = uniform(op->value);
  if (element.type().is_scalar() && is_const(element) && to.is_int_or_uint() && !to.is_bool()) {
    // Constants of another type: Halide folds the conversion.
    Expr folded = simplify(Halide::cast(to.element_of(), element));
    if (is_const(folded)) return print(to.is_scalar() ? folded : Broadcast::make(folded, to.lanes()));
  }
  if (from.is_bool()) {
    Expr one = make_one(to), zero = make_zero(to);
    return print(Select::make(op->value, one, zero));
  }
  if (to.is_bool()) return print(op->value != make_zero(from));
  if (from.is_bfloat() || to.is_bfloat()) throw CannotPrint("a conversion of bfloat16 that lowering left");
  if (from.is_float() && from.bits() == 16) {
    std::string single = "from_f16(" + value(op->value) + ")";
    Type f32 = Halide::Float(32, to.lanes());
    return {to == f32 ? single : "convert<" + type(to) + ">(" + single + ")"};
  }
  if (to.is_float() && to.bits() == 16) {
    Type f32 = Halide::Float(32, to.lanes());
    if (from == f32) return {"to_f16(" + value(op->value) + ")"};
    throw CannotPrint("a conversion to float16 from anything but float32");
  }
  if (const Call* round = Call::as_intrinsic(op->value, {Call::round});
      round != nullptr && to.element_of() == Halide::Int(32) && from.element_of() == Halide::Float(32)) {
    type(to);
    return {"round_to_i32(" + print_factor(round->args[0]).text + ")"};
  }
  if (to.is_vector() || (from.is_float() && !to.is_float())) {
    return {"convert<" + type(to) + ">(" + (to.is_float() ? value(op->value) : print_factor(op->value).text) + ")"};
  }
  return {type(to) + "(" + value(op->value) + ")"};
}

Text Expressions::reinterpret(const Reinterpret* op) {
  Type to = op->type, from = op->value.type();
  auto carrier = [](const Type& t) { return t.is_float() && t.bits() == 16 ? Type(Type::UInt, 16, t.lanes()) : t; };
  if (carrier(to) == carrier(from)) return print(op->value);
  return {"bits_as<" + type(to) + ">(" + value(op->value) + ")"};
}

namespace {

// Whether an integer is never negative, by its type or the bounds of the loops in it.
bool is_nonnegative(const Names& names, const Expr& e) {
  if (e.type().is_uint()) return true;
  Scope<ConstantInterval> scope;
  for (const auto& [name, loop] : names.loops) {
    if (loop.min && loop.max) scope.push(name, ConstantInterval(*loop.min, *loop.max));
  }
  ConstantInterval bounds = constant_integer_bounds(e, scope);
  return bounds.min_defined && bounds.min >= 0;
}

}  // namespace

Text Expressions::division(const Expr& a, const Expr& b) {
  Type t = a.type();
  Expr divisor = uniform(b);
  auto constant = as_const_int(divisor);
  if (t.is_vector() && is_const(divisor)) return print(lower_int_uint_div(a, b));
  if (auto bits = is_const_power_of_two_integer(divisor)) {
    return {"shr(" + value(a) + ", " + std::to_string(*bits) + ")"};
  }
  if (t.is_scalar() && t.bits() >= 32 && is_nonnegative(names_, a) &&
      ((constant && *constant > 0) || (t.is_uint() && is_const(divisor) && !is_const_zero(divisor)))) {
    return {print(a).at(Text::kProduct) + " / " + print(b).at(Text::kProduct + 1), Text::kProduct};
  }
  return {call("div_euclid", {a, b})};
}

Text Expressions::remainder(const Expr& a, const Expr& b) {
  Type t = a.type();
  Expr divisor = uniform(b);
  auto constant = as_const_int(divisor);
  if (is_const_power_of_two_integer(divisor)) {
    Expr mask = simplify(divisor - make_one(divisor.type()));
    return bitwise("&", t, a, t.is_vector() ? Broadcast::make(mask, t.lanes()) : mask);
  }
  if (t.is_vector() && is_const(divisor)) return print(lower_int_uint_mod(a, b));
  if (t.is_scalar() && t.bits() >= 32 && is_nonnegative(names_, a) &&
      ((constant && *constant > 0) || (t.is_uint() && is_const(divisor) && !is_const_zero(divisor)))) {
    return {print(a).at(Text::kProduct) + " % " + print(b).at(Text::kProduct + 1), Text::kProduct};
  }
  return {call("mod_euclid", {a, b})};
}

// b < a ? a : b is max(a, b), and a < b ? a : b is min(a, b), in the runtime's sense: the second where one is NaN. One
// instruction, where a comparison and a selection are two for g++.
std::optional<std::string> Expressions::float_extremum(const Select* op) {
  if (!op->type.is_float()) return std::nullopt;
  const Call* less = op->condition.as<Call>();
  if (less == nullptr || !less->is_intrinsic(Call::strict_lt)) return std::nullopt;
  const Expr &a = op->true_value, &b = op->false_value;
  if (equal(less->args[0], b) && equal(less->args[1], a)) return call("max", {a, b});
  if (equal(less->args[0], a) && equal(less->args[1], b)) return call("min", {a, b});
  return std::nullopt;
}

Text Expressions::select(const Select* op) {
  if (auto extremum = float_extremum(op)) return {*extremum};
  const Expr& condition = op->condition;
  Expr same = condition.type().is_vector() ? uniform(condition) : condition;
  if (same.type().is_scalar()) {
    return {print(same).at(Text::kOther + 1) + " ? " + print(op->true_value).at(Text::kSum) + " : " +
                print(op->false_value).at(Text::kSum),
            Text::kOther};
  }
  if (op->type.is_bool()) {
    return print((condition && op->true_value) || (!condition && op->false_value));
  }
  type(op->type);
  return {call("select", {condition, op->true_value, op->false_value})};
}

Text Expressions::let(const Let* op) {
  Type t = op->value.type();
  std::string text = value(op->value);
  std::string name = names_.declare(op->name);
  declarations_.push_back("const " + type(t) + " " + name + " = " + text + ";");
  hoisted_.push_back(op->name);
  return print(op->body);
}

Text Expressions::print_factor(const Expr& e) {
  if (!is_float_product(e)) return print(e);
  const Call* product = e.as<Call>();
  return {
      print_factor(product->args[0]).at(Text::kProduct) + " * " + print_factor(product->args[1]).at(Text::kProduct + 1),
      Text::kProduct};
}

Text Expressions::print(const Expr& e) {
  switch (e.node_type()) {
    case IRNodeType::IntImm:
    case IRNodeType::UIntImm:
    case IRNodeType::FloatImm:
      return constant_of(e);
    case IRNodeType::Variable:
      return {names_.cpp(e.as<Variable>()->name)};
    case IRNodeType::Cast:
      return cast(e.as<Cast>());
    case IRNodeType::Reinterpret:
      return reinterpret(e.as<Reinterpret>());
    case IRNodeType::Add: {
      const Add* op = e.as<Add>();
      if (const VectorReduce* r = as_sum_reduce(op->b)) return vector_reduce(r, op->a);
      if (const VectorReduce* r = as_sum_reduce(op->a)) return vector_reduce(r, op->b);
      return arithmetic("+", "wrap_add", Text::kSum, op->a, op->b);
    }
    case IRNodeType::Sub:
      return arithmetic("-", "wrap_sub", Text::kSum, e.as<Sub>()->a, e.as<Sub>()->b);
    case IRNodeType::Mul:
      return arithmetic("*", "wrap_mul", Text::kProduct, e.as<Mul>()->a, e.as<Mul>()->b);
    case IRNodeType::Div:
      if (e.type().is_float()) throw CannotPrint("a division of floats that is not strict");
      return division(e.as<Div>()->a, e.as<Div>()->b);
    case IRNodeType::Mod:
      if (e.type().is_float()) throw CannotPrint("a remainder of floats");
      return remainder(e.as<Mod>()->a, e.as<Mod>()->b);
    case IRNodeType::Min:
      return {call("min", {e.as<Min>()->a, e.as<Min>()->b})};
    case IRNodeType::Max:
      return {call("max", {e.as<Max>()->a, e.as<Max>()->b})};
    case IRNodeType::EQ:
      return comparison("==", "eq", e.as<EQ>()->a, e.as<EQ>()->b);
    case IRNodeType::NE:
      if (e.as<NE>()->a.type().is_vector()) return negation(EQ::make(e.as<NE>()->a, e.as<NE>()->b));
      return comparison("!=", "ne", e.as<NE>()->a, e.as<NE>()->b);
    case IRNodeType::LT:
      return comparison("<", "lt", e.as<LT>()->a, e.as<LT>()->b);
    case IRNodeType::LE:
      return comparison("<=", "le", e.as<LE>()->a, e.as<LE>()->b);
    case IRNodeType::GT:
      return comparison("<", "lt", e.as<GT>()->b, e.as<GT>()->a);
    case IRNodeType::GE:
      return comparison("<=", "le", e.as<GE>()->b, e.as<GE>()->a);
    case IRNodeType::And:
      return logical("&&", "mask_and", e.as<And>()->a, e.as<And>()->b);
    case IRNodeType::Or:
      return logical("||", "mask_or", e.as<Or>()->a, e.as<Or>()->b);
    case IRNodeType::Not:
      return negation(e.as<Not>()->a);
    case IRNodeType::Select:
      return select(e.as<Select>());
    case IRNodeType::Load:
      return load(e.as<Load>());
    case IRNodeType::Let:
      return let(e.as<Let>());
    case IRNodeType::Ramp:
      return {"ramp<" + type(e.type()) + ">(" + value(e.as<Ramp>()->base) + ", " + value(e.as<Ramp>()->stride) + ")"};
    case IRNodeType::Broadcast:
      return broadcast(e.as<Broadcast>());
    case IRNodeType::Shuffle:
      return shuffle(e.as<Shuffle>());
    case IRNodeType::VectorReduce:
      return vector_reduce(e.as<VectorReduce>(), Expr());
    case IRNodeType::Call:
      return intrinsic(e.as<Call>());
    default:
      throw CannotPrint("an expression node of kind " + std::to_string(static_cast<int>(e.node_type())));
  }
}

}  // namespace qlathe
