#include "codegen/halide/register_arrays.h"

#include <algorithm>
#include <map>
#include <vector>

#include "codegen/halide/affine.h"
#include "codegen/halide/statement_passes.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

// Collects the accesses of one array and the loops of constant extent inside its allocation.
class Accesses : public IRVisitor {
 public:
  explicit Accesses(const std::string& name) : name_(name) {}

  struct Access {
    Expr base;
    int lanes;
  };
  std::vector<Access> accesses;
  std::set<std::string> loops;
  bool irregular = false;

 private:
  using IRVisitor::visit;
  const std::string& name_;

  void note(const Expr& index, const Expr& predicate) {
    if (!is_const_one(predicate)) irregular = true;
    if (const Ramp* ramp = index.as<Ramp>(); ramp != nullptr && is_const_one(ramp->stride)) {
      accesses.push_back({ramp->base, ramp->lanes});
    } else if (index.type().is_scalar()) {
      accesses.push_back({index, 1});
    } else {
      irregular = true;
    }
  }

  void visit(const Load* op) override {
    if (op->name == name_) note(op->index, op->predicate);
    IRVisitor::visit(op);
  }
  void visit(const Store* op) override {
    if (op->name == name_) note(op->index, op->predicate);
    IRVisitor::visit(op);
  }
  void visit(const For* op) override {
    if (as_const_int(op->extent)) loops.insert(op->name);
    IRVisitor::visit(op);
  }
};

class MarkUnrolledLoops : public IRMutator {
 public:
  explicit MarkUnrolledLoops(const std::vector<KernelPipeline::UnrolledLoop>& named) : named_(named) {}

 private:
  using IRMutator::visit;
  const std::vector<KernelPipeline::UnrolledLoop>& named_;
  std::multiset<std::string> to_unroll_;

  // A variable that was split or renamed keeps a prefix.
  bool is_named(const std::string& loop) const {
    return std::any_of(named_.begin(), named_.end(), [&](const KernelPipeline::UnrolledLoop& u) {
      return loop.starts_with(u.func + ".s1.") && loop.ends_with("." + u.var);
    });
  }

  Stmt visit(const Allocate* op) override {
    auto array = find_register_array(op);
    if (!array) return IRMutator::visit(op);
    to_unroll_.insert(array->loops.begin(), array->loops.end());
    Stmt result = IRMutator::visit(op);
    for (const std::string& loop : array->loops)
      to_unroll_.erase(to_unroll_.find(loop));
    return result;
  }

  Stmt visit(const For* op) override {
    Stmt body = mutate(op->body);
    bool unroll = op->for_type == ForType::Serial && (to_unroll_.count(op->name) != 0 || is_named(op->name));
    return For::make(op->name, op->min, op->extent, unroll ? ForType::Unrolled : op->for_type, op->partition_policy,
                     op->device_api, body);
  }
};

}  // namespace

std::optional<RegisterArray> find_register_array(const Allocate* allocation) {
  int64_t elements = Allocate::constant_allocation_size(allocation->extents, allocation->name);
  if (elements <= 0) return std::nullopt;
  Accesses found(allocation->name);
  allocation->body.accept(&found);
  if (found.irregular || found.accesses.empty()) return std::nullopt;

  RegisterArray array;
  for (const auto& access : found.accesses)
    array.lanes = std::max(array.lanes, access.lanes);
  if (elements % array.lanes != 0 || elements / array.lanes > RegisterArray::kMaxRegisters) return std::nullopt;
  array.vectors = static_cast<int>(elements / array.lanes);
  for (const auto& access : found.accesses) {
    if (array.lanes % access.lanes != 0) return std::nullopt;
    if (access.lanes != array.lanes) array.uniform = false;
    if (!is_affine(access.base)) return std::nullopt;
    AffineForm form = affine_form(access.base);
    if (form.constant % access.lanes != 0) return std::nullopt;
    for (const auto& term : form.terms) {
      const Variable* variable = term.atom.as<Variable>();
      if (variable == nullptr || term.coefficient % access.lanes != 0 || found.loops.count(variable->name) == 0) {
        return std::nullopt;
      }
      array.loops.insert(variable->name);
    }
  }
  return array;
}

Stmt mark_unrolled_loops(const Stmt& body, const std::vector<KernelPipeline::UnrolledLoop>& named) {
  return MarkUnrolledLoops(named).mutate(body);
}

}  // namespace qlathe
