#include "codegen/halide/affine.h"
#include "codegen/halide/statement_passes.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

class HasLoad : public IRVisitor {
 public:
  bool found = false;

 private:
  using IRVisitor::visit;
  void visit(const Load*) override { found = true; }
};

// Masks of tails, "ramp(0, 1, 16) < x16(n)": a load or store under one has to see it.
bool is_mask_of_indices(const Expr& value) {
  if (!value.type().is_bool() || !value.type().is_vector()) return false;
  HasLoad loads;
  value.accept(&loads);
  return !loads.found;
}

class InlineAffineLets : public IRMutator {
  using IRMutator::visit;

  std::map<std::string, std::vector<Expr>> values_;

  template <class Node, class Made>
  Made visit_let(const Node* op) {
    Expr value = mutate(op->value);
    bool inlined = is_affine(value) || is_mask_of_indices(value);
    values_[op->name].push_back(inlined ? value : Expr());
    Made body = mutate(op->body);
    values_[op->name].pop_back();
    return inlined ? body : Made(Node::make(op->name, value, body));
  }

  Expr visit(const Let* op) override { return visit_let<Let, Expr>(op); }
  Stmt visit(const LetStmt* op) override { return visit_let<LetStmt, Stmt>(op); }

  Expr visit(const Variable* op) override {
    auto found = values_.find(op->name);
    if (found == values_.end() || found->second.empty() || !found->second.back().defined()) return op;
    return found->second.back();
  }
};

}  // namespace

Stmt inline_affine_lets(const Stmt& body) { return InlineAffineLets().mutate(body); }

}  // namespace qlathe
