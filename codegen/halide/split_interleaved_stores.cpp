#include "codegen/halide/statement_passes.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

class SplitInterleavedStores : public IRMutator {
  using IRMutator::visit;

  // Vector k of the interleaving of a, b and c: its elements of a and b by one shuffle, those of c by another.
  static Expr part(const std::vector<Expr>& vectors, int k) {
    const int lanes = vectors[0].type().lanes();
    std::vector<int> first, second;
    for (int i = 0; i < lanes; i++) {
      const int element = k * lanes + i, from = element % 3, at = element / 3;
      first.push_back(from == 1 ? lanes + at : from == 0 ? at : 0);
      second.push_back(from == 2 ? lanes + at : i);
    }
    const Expr two = Shuffle::make({vectors[0], vectors[1]}, first);
    return Shuffle::make({two, vectors[2]}, second);
  }

  Stmt visit(const Store* op) override {
    const Shuffle* shuffle = op->value.as<Shuffle>();
    const Ramp* ramp = op->index.as<Ramp>();
    if (shuffle == nullptr || !shuffle->is_interleave() || shuffle->vectors.size() != 3 || ramp == nullptr ||
        !is_const_one(ramp->stride) || !is_const_one(op->predicate) || !shuffle->vectors[0].type().is_vector())
      return IRMutator::visit(op);
    const int lanes = shuffle->vectors[0].type().lanes();
    std::vector<std::pair<std::string, Expr>> names;
    std::vector<Expr> vectors;
    for (const Expr& vector : shuffle->vectors) {
      names.emplace_back(unique_name("plane"), mutate(vector));
      vectors.push_back(Variable::make(vector.type(), names.back().first));
    }
    std::vector<Stmt> stores;
    for (int k = 0; k < 3; k++) {
      stores.push_back(Store::make(op->name, part(vectors, k), Ramp::make(simplify(ramp->base + k * lanes), 1, lanes),
                                   op->param, const_true(lanes), ModulusRemainder()));
    }
    Stmt body = Block::make(stores);
    for (size_t i = names.size(); i-- > 0;)
      body = LetStmt::make(names[i].first, names[i].second, body);
    return body;
  }
};

}  // namespace

Stmt split_interleaved_stores(const Stmt& body) { return SplitInterleavedStores().mutate(body); }

}  // namespace qlathe
