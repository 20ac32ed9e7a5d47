#include "codegen/halide/rewrite_dot_products.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

// sum of 4 of u8 * i8 = sum of 2 of (even u16 * even i16) + sum of 2 of (odd u16 * odd i16), where a 16-bit lane holds
// two bytes: even = lane & 255 or (lane << 8) >> 8, odd = lane >> 8, shifts being arithmetic for the signed operand.
class RewriteDotProducts : public IRMutator {
  using IRMutator::visit;

  static Expr pairs_of(const Expr& bytes, bool is_signed) {
    int lanes = bytes.type().lanes() / 2;
    return Reinterpret::make(is_signed ? Halide::Int(16, lanes) : Halide::UInt(16, lanes), bytes);
  }

  static Expr madd(const Expr& a, const Expr& b, int lanes) {
    Expr product = Call::make(Halide::Int(32, a.type().lanes()), Call::widening_mul, {a, b}, Call::PureIntrinsic);
    return VectorReduce::make(VectorReduce::Add, product, lanes);
  }

  Expr visit(const VectorReduce* op) override {
    int lanes = op->type.lanes();
    if (op->op != VectorReduce::Add || op->type.element_of() != Halide::Int(32) ||
        op->value.type().lanes() != 4 * lanes || lanes < 4) {
      return IRMutator::visit(op);
    }
    const Cast* widened = op->value.as<Cast>();
    const Call* product = Call::as_intrinsic(widened != nullptr ? widened->value : op->value, {Call::widening_mul});
    if (product == nullptr) return IRMutator::visit(op);
    Expr a = mutate(product->args[0]), b = mutate(product->args[1]);
    if (a.type().bits() != 8 || b.type().bits() != 8) return IRMutator::visit(op);
    auto even = [](const Expr& bytes) {
      Expr pairs = pairs_of(bytes, bytes.type().is_int());
      Halide::Type type = pairs.type();
      return type.is_int() ? (pairs << make_const(type, 8)) >> make_const(type, 8)
                           : Halide::reinterpret(type.with_code(Halide::Type::Int), pairs & make_const(type, 255));
    };
    auto odd = [](const Expr& bytes) {
      Expr pairs = pairs_of(bytes, bytes.type().is_int());
      Halide::Type type = pairs.type();
      Expr shifted = pairs >> make_const(type, 8);
      return type.is_int() ? shifted : Halide::reinterpret(type.with_code(Halide::Type::Int), shifted);
    };
    // Each byte vector is used twice.
    std::string a_name = unique_name('t'), b_name = unique_name('t');
    Expr va = Variable::make(a.type(), a_name), vb = Variable::make(b.type(), b_name);
    Expr sum = Add::make(madd(even(va), even(vb), lanes), madd(odd(va), odd(vb), lanes));
    return Let::make(a_name, a, Let::make(b_name, b, sum));
  }
};

}  // namespace

Stmt rewrite_dot_products(const Stmt& body) { return RewriteDotProducts().mutate(body); }

bool wants_dot_rewrite(const Halide::Target& target) {
  using Target = Halide::Target;
  return target.arch == Target::X86 && !target.has_feature(Target::AVX512_Zen4) &&
         !target.has_feature(Target::AVX512_Zen5) && !target.has_feature(Target::AVX512_SapphireRapids);
}

}  // namespace qlathe
