#include "codegen/halide/statement_passes.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

// IEEE float32 bits to bfloat16 bits: round half to even; a NaN keeps its sign and upper payload and becomes quiet.
Expr bfloat_bits(const Expr& value) {
  int lanes = value.type().lanes();
  Halide::Type u32 = Halide::UInt(32, lanes);
  Expr bits = Halide::reinterpret(u32, value);
  Expr rounded = (bits + make_const(u32, 0x7fff) + ((bits >> 16) & make_const(u32, 1))) >> 16;
  Expr nan = (bits >> 16) | make_const(u32, 0x40);
  Expr is_nan = (bits & make_const(u32, 0x7fffffff)) > make_const(u32, 0x7f800000);
  return Halide::cast(Halide::UInt(16, lanes), Halide::select(is_nan, nan, rounded));
}

class LowerBfloatCasts : public IRMutator {
  using IRMutator::visit;

  Expr visit(const Cast* op) override {
    Expr value = mutate(op->value);
    Halide::Type from = op->value.type(), to = op->type;
    if (from == to || (!from.is_bfloat() && !to.is_bfloat())) return Cast::make(to, value);
    int lanes = to.lanes();
    if (from.is_bfloat()) {
      Expr bits = Halide::cast(Halide::UInt(32, lanes), Halide::reinterpret(Halide::UInt(16, lanes), value)) << 16;
      value = Halide::reinterpret(Halide::Float(32, lanes), bits);
    }
    if (to.is_bfloat()) {
      if (value.type() != Halide::Float(32, lanes)) value = Halide::cast(Halide::Float(32, lanes), value);
      std::string name = unique_name('t');
      Expr variable = Variable::make(value.type(), name);
      return Let::make(name, value, Halide::reinterpret(to, bfloat_bits(variable)));
    }
    return value.type() == to ? value : Halide::cast(to, value);
  }
};

}  // namespace

Stmt lower_bfloat_casts(const Stmt& body) { return LowerBfloatCasts().mutate(body); }

}  // namespace qlathe
