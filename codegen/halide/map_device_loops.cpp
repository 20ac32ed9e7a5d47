#include "codegen/halide/map_device_loops.h"

#include <functional>
#include <vector>

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

class LoadsAny : public IRGraphVisitor {
 public:
  explicit LoadsAny(const std::set<std::string>& names) : names_(names) {}
  bool found = false;

 private:
  using IRGraphVisitor::visit;
  const std::set<std::string>& names_;
  void visit(const Load* op) override {
    if (names_.count(op->name) > 0) found = true;
    IRGraphVisitor::visit(op);
  }
};

struct ThreadLoop {
  std::string name;
  int32_t min, extent;
};

/// What lies around the innermost statement, outermost first.
struct Layer {
  std::function<Stmt(Stmt)> around;
  std::vector<Expr> reads;  ///< expressions that are evaluated here
};

class MapDeviceLoops {
 public:
  MapDeviceLoops(const std::set<std::string>& parallel, const std::set<std::string>& outputs)
      : parallel_(parallel), outputs_(outputs) {}

  std::string problem;

  Stmt map(const Stmt& stmt) {
    std::vector<Layer> layers;
    Stmt s = stmt;
    // What stands around several statements stands around each.
    while (true) {
      if (const auto* block = s.as<Block>()) {
        Stmt first = map(wrap(block->first, layers)), rest = map(wrap(block->rest, layers));
        return Block::make(first, rest);
      }
      if (s.as<For>() != nullptr || !peel(s, layers)) break;
    }
    return launch(wrap(s, layers));
  }

 private:
  static Stmt wrap(Stmt s, const std::vector<Layer>& layers) {
    for (size_t i = layers.size(); i-- > 0;)
      s = layers[i].around(s);
    return s;
  }

  /// Takes one layer off, if there is a single statement inside.
  static bool peel(Stmt& s, std::vector<Layer>& layers) {
    if (const auto* let = s.as<LetStmt>()) {
      layers.push_back(
          {[name = let->name, value = let->value](Stmt in) { return LetStmt::make(name, value, in); }, {let->value}});
      s = Stmt(let->body);
      return true;
    }
    if (const auto* check = s.as<IfThenElse>(); check != nullptr && !check->else_case.defined()) {
      layers.push_back(
          {[condition = check->condition](Stmt in) { return IfThenElse::make(condition, in); }, {check->condition}});
      s = Stmt(check->then_case);
      return true;
    }
    if (const auto* loop = s.as<For>()) {
      layers.push_back({[loop = Stmt(s)](Stmt in) {
                          const auto* op = loop.as<For>();
                          return For::make(op->name, op->min, op->extent, op->for_type, op->partition_policy,
                                           op->device_api, in);
                        },
                        {loop->min, loop->extent}});
      s = Stmt(loop->body);
      return true;
    }
    return false;
  }

  bool reads_outputs(const Layer& layer) const {
    LoadsAny visitor(outputs_);
    for (const Expr& e : layer.reads)
      e.accept(&visitor);
    return visitor.found;
  }

  /// One launch. Iterations of a parallel loop are independent of each other, so it may go outside a serial loop,
  /// unless what decides about that depends on what the kernel writes.
  Stmt launch(Stmt s) {
    std::vector<ThreadLoop> threads;
    std::vector<Layer> layers;
    bool movable = true;
    while (true) {
      const auto* loop = s.as<For>();
      if (loop != nullptr && parallel_.count(loop->name) > 0) {
        const auto min = as_const_int(loop->min), extent = as_const_int(loop->extent);
        if (!movable || !min || !extent) break;
        threads.push_back({loop->name, static_cast<int32_t>(*min), static_cast<int32_t>(*extent)});
        s = Stmt(loop->body);
        continue;
      }
      if (!peel(s, layers)) break;
      movable = movable && !reads_outputs(layers.back());
    }
    return emit(threads, wrap(s, layers));
  }

  Stmt emit(const std::vector<ThreadLoop>& threads, Stmt body) {
    int64_t total = 1;
    for (const ThreadLoop& loop : threads)
      total *= loop.extent;
    if (total > INT32_MAX - kBlockThreads) problem = "a launch of " + std::to_string(total) + " threads";
    const auto count = static_cast<int32_t>(total);
    const int32_t per_block = std::min(count, kBlockThreads), blocks = (count + per_block - 1) / per_block;
    const Halide::Type i32 = Halide::Int(32), u32 = Halide::UInt(32);
    const Expr id = Variable::make(i32, "gpu_id");
    // Unsigned, so that divisions by constants are no more than that.
    Expr rest = Halide::cast(u32, id);
    for (size_t i = threads.size(); i-- > 0;) {
      const ThreadLoop& loop = threads[i];
      const Expr extent = make_const(u32, loop.extent);
      Expr value = loop.extent == 1 ? make_zero(i32) : Halide::cast(i32, i == 0 ? rest : rest % extent);
      if (loop.min != 0) value = value + loop.min;
      body = LetStmt::make(loop.name, value, body);
      if (loop.extent > 1) rest = rest / extent;
    }
    if (count % per_block != 0) body = IfThenElse::make(id < count, body);
    body =
        LetStmt::make("gpu_id", Variable::make(i32, kBlockLoop) * per_block + Variable::make(i32, kThreadLoop), body);
    for (const auto& [name, extent] : {std::pair{kThreadLoop, per_block}, std::pair{kBlockLoop, blocks}}) {
      body = For::make(name, 0, extent, ForType::Serial, Halide::Partition::Never, Halide::DeviceAPI::None, body);
    }
    return body;
  }

  const std::set<std::string>& parallel_;
  const std::set<std::string>& outputs_;
};

}  // namespace

Result<Stmt> map_device_loops(const Stmt& body, const std::set<std::string>& parallel,
                              const std::set<std::string>& outputs) {
  MapDeviceLoops pass(parallel, outputs);
  Stmt mapped = pass.map(body);
  if (!pass.problem.empty()) return Status::internal(pass.problem);
  return mapped;
}

}  // namespace qlathe
