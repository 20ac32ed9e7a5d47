#include "codegen/halide/statement_passes.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

class RemoveBufferStructs : public IRMutator {
  using IRMutator::visit;

  Stmt visit(const LetStmt* op) override {
    // let in = _halide_buffer_get_host(in.buffer): the parameter itself is the pointer.
    const Call* call = op->value.as<Call>();
    if (call != nullptr && call->name == Call::buffer_get_host) return mutate(op->body);
    return IRMutator::visit(op);
  }

  Stmt visit(const ProducerConsumer* op) override { return mutate(op->body); }

  Stmt visit(const Atomic* op) override { return op->mutex_name.empty() ? mutate(op->body) : IRMutator::visit(op); }

  Expr visit(const Call* op) override {
    const bool wrapper = op->is_tag() || op->is_intrinsic(Call::unsafe_promise_clamped);
    return wrapper ? mutate(op->args[0]) : IRMutator::visit(op);
  }
};

}  // namespace

Stmt remove_buffer_structs(const Stmt& body) { return RemoveBufferStructs().mutate(body); }

}  // namespace qlathe
