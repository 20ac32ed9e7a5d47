#include "codegen/halide/statement_passes.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

// "out$1.s0.y.yo.rebased" -> {"out$1", "yo"}.
std::pair<std::string, std::string> function_and_loop(std::string name) {
  const std::string rebased = ".rebased";
  if (name.ends_with(rebased)) name.resize(name.size() - rebased.size());
  size_t first = name.find('.'), last = name.rfind('.');
  if (first == std::string::npos) return {"", name};
  return {name.substr(0, first), name.substr(last + 1)};
}

class RestrictRowLoop : public IRMutator {
 public:
  RestrictRowLoop(const std::set<std::string>& functions, const std::string& row_loop, int32_t row_extent)
      : functions_(functions), row_loop_(row_loop), row_extent_(row_extent) {}

  int found = 0;
  std::string wrong_bounds;
  std::set<std::string> loops;

 private:
  using IRMutator::visit;

  const std::set<std::string>& functions_;
  const std::string& row_loop_;
  int32_t row_extent_;

  Stmt visit(const For* op) override {
    auto [function, loop] = function_and_loop(op->name);
    if (functions_.count(function) == 0) return IRMutator::visit(op);
    loops.insert(loop);
    if (loop != row_loop_) return IRMutator::visit(op);
    ++found;
    auto min = as_const_int(op->min), extent = as_const_int(op->extent);
    if (!min || !extent || *extent != row_extent_) {
      wrong_bounds = op->name;
      return op;
    }
    Expr begin = Variable::make(Halide::Int(32), "row_begin"), end = Variable::make(Halide::Int(32), "row_end");
    Stmt body = op->body;
    if (*min != 0) {
      Expr row = Variable::make(Halide::Int(32), op->name);
      body = substitute(op->name, row + static_cast<int32_t>(*min), body);
    }
    return For::make(op->name, begin, end - begin, op->for_type, op->partition_policy, op->device_api, body);
  }
};

std::string join(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

Result<Stmt> restrict_row_loop(const Stmt& body, const std::set<std::string>& functions, const std::string& row_loop,
                               int32_t row_extent) {
  RestrictRowLoop pass(functions, row_loop, row_extent);
  Stmt restricted = row_loop.empty() ? body : pass.mutate(body);
  if (!pass.wrong_bounds.empty()) {
    return Status::internal("the row loop '" + pass.wrong_bounds + "' does not run from a constant over " +
                            std::to_string(row_extent) + " iterations");
  }
  if (pass.found > 0) return restricted;
  if (row_extent != 1) {
    return Status::internal("no loop '" + row_loop + "' of " + std::to_string(row_extent) +
                            " rows over the outputs; there are: " + join(pass.loops));
  }
  // Lowering has replaced a loop of one iteration by its body.
  Expr begin = Variable::make(Halide::Int(32), "row_begin"), end = Variable::make(Halide::Int(32), "row_end");
  return IfThenElse::make(begin < end, body);
}

}  // namespace qlathe
