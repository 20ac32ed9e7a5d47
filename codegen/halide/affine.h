#pragma once

#include <Halide.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace qlathe {

/// constant + sum of coefficient * atom. An atom is a variable or any other scalar integer
/// expression. Terms keep the order of first appearance; equal atoms are merged.
struct AffineForm {
  struct Term {
    Halide::Expr atom;
    int64_t coefficient = 0;
  };
  std::vector<Term> terms;
  int64_t constant = 0;

  void add(const Halide::Expr& atom, int64_t coefficient);
  void add(const AffineForm& other, int64_t factor);
};

/// Whether a scalar integer expression is built of variables, constants, +, - and multiplication by constants alone.
bool is_affine(const Halide::Expr& e);

/// The affine form of a scalar integer expression; whatever is not affine becomes an atom.
AffineForm affine_form(const Halide::Expr& e);

}  // namespace qlathe
