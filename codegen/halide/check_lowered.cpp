#include "codegen/halide/statement_passes.h"

namespace qlathe {

using namespace Halide::Internal;

namespace {

class CheckLowered : public IRVisitor {
 public:
  explicit CheckLowered(const std::set<std::string>& arguments) : arguments_(arguments) {}

  std::set<std::string> problems;

 private:
  using IRVisitor::visit;
  const std::set<std::string>& arguments_;
  std::multiset<std::string> bound_;

  void visit(const For* op) override {
    bool serial = op->for_type == ForType::Serial || op->for_type == ForType::Unrolled;
    if (!serial || (op->device_api != Halide::DeviceAPI::None && op->device_api != Halide::DeviceAPI::Host)) {
      problems.insert("the loop '" + op->name + "' is neither serial nor vectorized");
    }
    if (op->for_type == ForType::Unrolled && !as_const_int(op->extent)) {
      problems.insert("the unrolled loop '" + op->name + "' has no constant extent");
    }
    op->min.accept(this);
    op->extent.accept(this);
    in_scope(op->name, op->body);
  }
  void visit(const Let* op) override {
    op->value.accept(this);
    auto it = bound_.insert(op->name);
    op->body.accept(this);
    bound_.erase(it);
  }
  void visit(const LetStmt* op) override {
    op->value.accept(this);
    in_scope(op->name, op->body);
  }
  void visit(const Allocate* op) override {
    if (op->new_expr.defined()) problems.insert("the allocation '" + op->name + "' has its own allocator");
    in_scope(op->name, op->body);
  }
  void in_scope(const std::string& name, const Stmt& body) {
    auto it = bound_.insert(name);
    body.accept(this);
    bound_.erase(it);
  }

  void use(const std::string& name) {
    if (bound_.count(name) == 0 && arguments_.count(name) == 0) {
      problems.insert("'" + name + "' is not an argument: give every dimension of every buffer its bounds and stride");
    }
  }
  void visit(const Variable* op) override { use(op->name); }
  void visit(const Load* op) override {
    use(op->name);
    IRVisitor::visit(op);
  }
  void visit(const Store* op) override {
    use(op->name);
    IRVisitor::visit(op);
  }

  void visit(const Call* op) override {
    if (op->name.starts_with("halide_") || op->name.starts_with("_halide_")) {
      problems.insert("it calls '" + op->name + "' of Halide's runtime");
    }
    IRVisitor::visit(op);
  }
  void visit(const AssertStmt*) override { problems.insert("it has an assertion"); }
  void visit(const Fork*) override { problems.insert("it forks"); }
  void visit(const Acquire*) override { problems.insert("it waits for a semaphore"); }
  void visit(const Atomic*) override { problems.insert("it has an atomic update with a mutex"); }
  void visit(const Prefetch* op) override { problems.insert("it prefetches '" + op->name + "'"); }
};

}  // namespace

Status check_lowered(const Stmt& body, const std::set<std::string>& arguments) {
  CheckLowered check(arguments);
  body.accept(&check);
  Status status;
  for (const std::string& problem : check.problems)
    status.merge(Status::internal("lowered kernel: " + problem));
  return status;
}

}  // namespace qlathe
