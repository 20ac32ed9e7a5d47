#include "codegen/halide/affine.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

void AffineForm::add(const Expr& atom, int64_t coefficient) {
  for (auto term = terms.begin(); term != terms.end(); ++term) {
    if (equal(term->atom, atom)) {
      term->coefficient += coefficient;
      if (term->coefficient == 0) terms.erase(term);
      return;
    }
  }
  if (coefficient != 0) terms.push_back({atom, coefficient});
}

void AffineForm::add(const AffineForm& other, int64_t factor) {
  constant += other.constant * factor;
  for (const Term& term : other.terms)
    add(term.atom, term.coefficient * factor);
}

namespace {

// x << c is x * 2^c; Halide's find_intrinsics makes such shifts.
std::optional<int64_t> shift_factor(const Expr& e) {
  const Call* call = Call::as_intrinsic(e, {Call::shift_left});
  if (call == nullptr) return std::nullopt;
  auto bits = as_const_int(call->args[1]);
  if (!bits) {
    auto unsigned_bits = as_const_uint(call->args[1]);
    if (!unsigned_bits) return std::nullopt;
    bits = static_cast<int64_t>(*unsigned_bits);
  }
  if (*bits < 0 || *bits > 30) return std::nullopt;
  return int64_t{1} << *bits;
}

}  // namespace

bool is_affine(const Expr& e) {
  if (e.type() != Halide::Int(32)) return false;
  if (e.as<Variable>() != nullptr || e.as<IntImm>() != nullptr) return true;
  if (const Add* add = e.as<Add>()) return is_affine(add->a) && is_affine(add->b);
  if (const Sub* sub = e.as<Sub>()) return is_affine(sub->a) && is_affine(sub->b);
  if (const Mul* mul = e.as<Mul>()) {
    return (is_affine(mul->a) && as_const_int(mul->b)) || (is_affine(mul->b) && as_const_int(mul->a));
  }
  if (shift_factor(e)) return is_affine(e.as<Call>()->args[0]);
  return false;
}

AffineForm affine_form(const Expr& e) {
  AffineForm form;
  if (auto constant = as_const_int(e)) {
    form.constant = *constant;
  } else if (const Add* add = e.as<Add>()) {
    form = affine_form(add->a);
    form.add(affine_form(add->b), 1);
  } else if (const Sub* sub = e.as<Sub>()) {
    form = affine_form(sub->a);
    form.add(affine_form(sub->b), -1);
  } else if (const Mul* mul = e.as<Mul>(); mul != nullptr && as_const_int(mul->b)) {
    form.add(affine_form(mul->a), *as_const_int(mul->b));
  } else if (mul != nullptr && as_const_int(mul->a)) {
    form.add(affine_form(mul->b), *as_const_int(mul->a));
  } else if (auto factor = shift_factor(e)) {
    form.add(affine_form(e.as<Call>()->args[0]), *factor);
  } else {
    form.add(e, 1);
  }
  return form;
}

}  // namespace qlathe
