#include "codegen/halide/register_arrays.h"
#include "codegen/halide/statement_passes.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

constexpr int64_t kSliceAlignment = 64;

class RemoveFree : public IRMutator {
 public:
  explicit RemoveFree(const std::string& name) : name_(name) {}

 private:
  using IRMutator::visit;
  const std::string& name_;

  Stmt visit(const Free* op) override { return op->name == name_ ? Evaluate::make(0) : Stmt(op); }
  Stmt visit(const Block* op) override {
    Stmt first = mutate(op->first), rest = mutate(op->rest);
    if (is_no_op(first)) return rest;
    if (is_no_op(rest)) return first;
    return Block::make(first, rest);
  }
};

class MoveAllocations : public IRMutator {
 public:
  explicit MoveAllocations(int32_t max_stack_bytes) : max_stack_bytes_(max_stack_bytes) {}

  int64_t bytes = 0;
  std::string unbounded;

 private:
  using IRMutator::visit;
  int32_t max_stack_bytes_;

  Stmt visit(const Allocate* op) override {
    int64_t elements = op->extents.empty() ? 1 : Allocate::constant_allocation_size(op->extents, op->name);
    if (elements <= 0) {
      unbounded = op->name;
      return op;
    }
    int64_t size = (elements + op->padding) * op->type.bytes();
    if (size <= max_stack_bytes_ || find_register_array(op)) {
      // Never Heap: in objects that would become a call of halide_malloc.
      return Allocate::make(op->name, op->type, Halide::MemoryType::Stack, op->extents, const_true(), mutate(op->body),
                            Expr(), "", op->padding);
    }
    int64_t offset = bytes;
    bytes += (size + kSliceAlignment - 1) / kSliceAlignment * kSliceAlignment;
    Expr pointer = Variable::make(Halide::Handle(), "scratch");
    if (offset != 0) {
      pointer = Halide::reinterpret(
          Halide::Handle(), Halide::reinterpret(Halide::UInt(64), pointer) + make_const(Halide::UInt(64), offset));
    }
    Stmt body = mutate(RemoveFree(op->name).mutate(op->body));
    return LetStmt::make(op->name, pointer, body);
  }
};

}  // namespace

Result<Stmt> move_allocations_to_scratch(const Stmt& body, int32_t max_stack_bytes, int64_t* scratch_bytes) {
  MoveAllocations pass(max_stack_bytes);
  Stmt result = pass.mutate(body);
  if (!pass.unbounded.empty()) {
    return Status::internal("the size of the allocation '" + pass.unbounded +
                            "' is not a constant: bound the dimensions it depends on");
  }
  *scratch_bytes = pass.bytes;
  return result;
}

}  // namespace qlathe
