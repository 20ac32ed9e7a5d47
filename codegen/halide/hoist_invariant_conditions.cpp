#include "codegen/halide/statement_passes.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

/// The buffers that a condition loads from, and whether it calls or reads the loop's variable.
class ConditionUses : public IRVisitor {
 public:
  explicit ConditionUses(const std::string& loop) : loop_(loop) {}
  std::set<std::string> loads;
  bool varies = false;

 private:
  using IRVisitor::visit;
  const std::string& loop_;
  void visit(const Variable* op) override { varies |= op->name == loop_; }
  void visit(const Load* op) override {
    loads.insert(op->name);
    IRVisitor::visit(op);
  }
  void visit(const Call* op) override {
    varies |= !op->is_pure();
    IRVisitor::visit(op);
  }
};

class StoresTo : public IRVisitor {
 public:
  explicit StoresTo(const std::set<std::string>& names) : names_(names) {}
  bool found = false;

 private:
  using IRVisitor::visit;
  const std::set<std::string>& names_;
  void visit(const Store* op) override {
    found |= names_.count(op->name) != 0;
    IRVisitor::visit(op);
  }
};

class HoistInvariantConditions : public IRMutator {
  using IRMutator::visit;

  Stmt visit(const For* op) override {
    Stmt body = mutate(op->body);
    const Stmt loop =
        For::make(op->name, op->min, op->extent, op->for_type, op->partition_policy, op->device_api, body);
    const IfThenElse* guard = body.as<IfThenElse>();
    if (guard == nullptr || guard->else_case.defined()) return loop;
    ConditionUses uses(op->name);
    guard->condition.accept(&uses);
    StoresTo stores(uses.loads);
    guard->then_case.accept(&stores);
    if (uses.varies || stores.found) return loop;
    return IfThenElse::make(guard->condition, For::make(op->name, op->min, op->extent, op->for_type,
                                                        op->partition_policy, op->device_api, guard->then_case));
  }
};

}  // namespace

Stmt hoist_invariant_conditions(const Stmt& body) { return HoistInvariantConditions().mutate(body); }

}  // namespace qlathe
