#pragma once

#include <Halide.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "codegen/cpp/names.h"
#include "codegen/halide/affine.h"

namespace qlathe {

/// Text of an expression with how tightly its outermost operator binds.
struct Text {
  std::string text;
  int precedence = kPrimary;

  static constexpr int kPrimary = 100, kUnary = 90, kProduct = 80, kSum = 70, kOther = 10;

  /// The text, in parentheses unless it binds at least as tightly as `least`.
  std::string at(int least) const { return precedence >= least ? text : "(" + text + ")"; }
};

/// Prints expressions through the runtime's functions. Lets become declarations, which `take_declarations` hands to the
/// statement that is being printed. Throws CannotPrint.
class Expressions {
 public:
  Expressions(Names& names, bool scalar_only) : names_(names), scalar_only_(scalar_only) {}

  Text print(const Halide::Expr& e);
  std::string value(const Halide::Expr& e) { return print(e).text; }

  /// A product may stand where nothing can be added to it: without the call that keeps its rounding.
  Text print_factor(const Halide::Expr& e);

  /// Pointer to element `index` of a buffer, terms sorted from the largest stride down: "in + y * 3712 + k * 4".
  std::string address(const std::string& buffer, const Halide::Expr& index);
  /// The element or vector `index` of a buffer as an lvalue; `index` is in elements.
  std::string place(const std::string& buffer, const Halide::Expr& index);

  /// Whether the subscripts of a register array can be found for an access of so many lanes (with the loops bound in
  /// names()).
  bool follows_dimensions(const BufferInfo& info, const Halide::Expr& index, int lanes);

  std::string store(const Halide::Internal::Store* op);

  std::vector<std::string> take_declarations();

 private:
  Names& names_;
  bool scalar_only_;
  std::vector<std::string> declarations_;
  std::vector<std::string> hoisted_;

  std::string type(const Halide::Type& t) const;
  std::string call(const std::string& function, const std::vector<Halide::Expr>& arguments);
  Text arithmetic(const char* symbol, const char* wrapping, int precedence, const Halide::Expr& a,
                  const Halide::Expr& b);
  Text bitwise(const char* symbol, const Halide::Type& t, const Halide::Expr& a, const Halide::Expr& b);
  Text comparison(const char* symbol, const char* function, const Halide::Expr& a, const Halide::Expr& b);
  Text negation(const Halide::Expr& e);
  Text logical(const char* symbol, const char* function, const Halide::Expr& a, const Halide::Expr& b);
  Text constant_of(const Halide::Expr& e);
  Text cast(const Halide::Internal::Cast* op);
  Text reinterpret(const Halide::Internal::Reinterpret* op);
  Text division(const Halide::Expr& a, const Halide::Expr& b);
  Text remainder(const Halide::Expr& a, const Halide::Expr& b);
  std::optional<std::string> float_extremum(const Halide::Internal::Select* op);
  Text select(const Halide::Internal::Select* op);
  Text load(const Halide::Internal::Load* op);
  Text let(const Halide::Internal::Let* op);

  // calls.cpp
  Text intrinsic(const Halide::Internal::Call* op);
  Text shift(const Halide::Internal::Call* op);
  Text saturating(const Halide::Internal::Call* op);
  Text strict_float(const Halide::Internal::Call* op);
  Text external(const Halide::Internal::Call* op);

  // vectors.cpp
  Text broadcast(const Halide::Internal::Broadcast* op);
  Text shuffle(const Halide::Internal::Shuffle* op);
  std::optional<Text> elements_of_load(const Halide::Internal::Shuffle* op);
  Text vector_reduce(const Halide::Internal::VectorReduce* op, const Halide::Expr& initial);
  Text dot(const Halide::Internal::VectorReduce* op, const Halide::Expr& initial, bool* matched);
  std::string gather_index(const BufferInfo& info, const Halide::Expr& index, bool* is_table);
  /// How many leading lanes a predicate "i < n" selects, as text; nullopt for any other predicate.
  std::optional<std::string> leading_lanes(const Halide::Expr& predicate);

  // addresses.cpp
  std::string affine(const Halide::Expr& index, int64_t divisor);
  std::string affine_text(const AffineForm& form);
  /// The vector `form` of a register array: "acc[x][v]".
  std::string subscripted(const std::string& name, const BufferInfo& info, AffineForm form);
  /// The 4 bytes at `index` of an array of vectors: the vector and the number of the group in it; empty where they may
  /// reach beyond one vector.
  struct VectorLane {
    std::string vector, lane;
  };
  std::optional<VectorLane> vector_lane(const std::string& name, const BufferInfo& info, const Halide::Expr& index);
};

/// The dense load of 4 bytes that `operand` repeats; null for anything else.
const Halide::Internal::Load* repeated_load(const Halide::Expr& operand);

/// The loads of 4 bytes from `array` that a dot product takes for all its lanes.
std::set<const Halide::Internal::Load*> loads_by_lane(const std::string& array, const Halide::Internal::Stmt& body);

/// e as acc + vector_reduce_add(...) in either order.
const Halide::Internal::VectorReduce* as_sum_reduce(const Halide::Expr& e);

}  // namespace qlathe
