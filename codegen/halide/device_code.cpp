#include "codegen/halide/device_code.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <set>

#include "codegen/halide/lower_lane_calls.h"
#include "codegen/halide/lowered.h"
#include "codegen/halide/map_device_loops.h"
#include "codegen/halide/statement_passes.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::DeviceAPI;
using Halide::Expr;

namespace {

/// The variable that says where a buffer's data begins behind its pointer, in elements.
std::string start_of(const std::string& buffer) { return buffer + "_start"; }

/// OpenCL's names of what is called; and every pointer of the kernel has a start, because a view of OpenCL memory can
/// begin at a few addresses only.
class ForOpenCl : public IRMutator {
 public:
  explicit ForOpenCl(std::set<std::string> buffers) : buffers_(std::move(buffers)) {}

 private:
  using IRMutator::visit;
  std::set<std::string> buffers_;

  static Expr moved(const Expr& index, const Expr& by) {
    if (const auto* ramp = index.as<Ramp>()) return Ramp::make(moved(ramp->base, by), ramp->stride, ramp->lanes);
    if (const auto* broadcast = index.as<Broadcast>())
      return Broadcast::make(moved(broadcast->value, by), broadcast->lanes);
    return index + (index.type().is_vector() ? Broadcast::make(by, index.type().lanes()) : by);
  }
  Expr place(const std::string& name, const Expr& index) {
    Expr at = mutate(index);
    if (buffers_.count(name) == 0) return at;
    return moved(at, Variable::make(Halide::Int(32), start_of(name)));
  }

  Expr visit(const Load* op) override {
    return Load::make(op->type, op->name, place(op->name, op->index), op->image, op->param, mutate(op->predicate),
                      ModulusRemainder());
  }
  Stmt visit(const Store* op) override {
    return Store::make(op->name, mutate(op->value), place(op->name, op->index), op->param, mutate(op->predicate),
                       ModulusRemainder());
  }
  Expr visit(const Call* op) override {
    const bool fma = op->call_type == Call::PureExtern && op->name.starts_with("llvm.fma.");
    const char* name = fma                                           ? "fma"
                       : op->is_intrinsic(Call::count_leading_zeros) ? "clz"
                       : op->is_intrinsic(Call::popcount)            ? "popcount"
                                                                     : nullptr;
    if (name == nullptr) return IRMutator::visit(op);
    std::vector<Expr> args;
    for (const Expr& arg : op->args)
      args.push_back(mutate(arg));
    return Call::make(op->type, name, args, Call::PureExtern);
  }
};

/// Halide lets LLVM fuse multiplications and additions for this back end, strict or not: a fence after every
/// multiplication keeps its rounding.
class ForCuda : public IRMutator {
  using IRMutator::visit;

  static Expr fenced(const Expr& product) {
    const Halide::Type type = product.type();
    if (!type.is_float() || type.bits() < 32 || !type.is_scalar()) return product;
    return Call::make(type, "llvm.arithmetic.fence.f" + std::to_string(type.bits()), {product}, Call::PureExtern);
  }
  Expr visit(const Mul* op) override { return fenced(IRMutator::visit(op)); }
  Expr visit(const Call* op) override {
    const Expr call = IRMutator::visit(op);
    return op->is_intrinsic(Call::strict_mul) ? fenced(call) : call;
  }
};

bool in_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$'; }

/// Names "_123" come from a counter of the process: numbered anew, in order.
std::string renumbered(const std::string& text) {
  std::map<std::string, std::string> names;
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (!in_name(text[i])) {
      out += text[i++];
      continue;
    }
    size_t end = i;
    while (end < text.size() && in_name(text[end]))
      end++;
    std::string word = text.substr(i, end - i);
    if (word.size() > 1 && word[0] == '_' && word.find_first_not_of("0123456789", 1) == std::string::npos)
      word = names.emplace(word, "_" + std::to_string(names.size())).first->second;
    out += word;
    i = end;
  }
  return out;
}

/// The driver's compiler may fuse what says no rounding.
std::string with_roundings(std::string ptx) {
  for (const char* op : {"add", "sub", "mul"}) {
    for (const char* type : {".f32", ".f64"}) {
      const std::string plain = std::string("\t") + op + type, rounded = std::string("\t") + op + ".rn" + type;
      for (size_t at = ptx.find(plain); at != std::string::npos; at = ptx.find(plain, at + rounded.size()))
        ptx.replace(at, plain.size(), rounded);
    }
  }
  return ptx;
}

class CollectLaunches : public IRVisitor {
 public:
  std::vector<Stmt> loops;
  bool outside = false;  ///< something is not in a launch

 private:
  using IRVisitor::visit;
  void visit(const For* op) override {
    if (op->name.starts_with(kBlockLoop)) {
      loops.emplace_back(op);
    } else {
      outside = true;
    }
  }
  void visit(const Store*) override { outside = true; }
  void visit(const Allocate*) override { outside = true; }
};

/// The two loops with the names and kinds that Halide's device back ends know.
Stmt as_device_loops(const For* blocks, DeviceAPI api, int32_t& block_count, int32_t& threads_count) {
  const auto* threads = blocks->body.as<For>();
  QL_CHECK(threads != nullptr && threads->name.starts_with(kThreadLoop), blocks->name);
  block_count = static_cast<int32_t>(*as_const_int(blocks->extent));
  threads_count = static_cast<int32_t>(*as_const_int(threads->extent));
  const std::string block_name = "k" + gpu_block_name(0), thread_name = "k" + gpu_thread_name(0);
  Stmt body = substitute(std::map<std::string, Expr>{{blocks->name, Variable::make(Halide::Int(32), block_name)},
                                                     {threads->name, Variable::make(Halide::Int(32), thread_name)}},
                         threads->body);
  body = simplify(body);
  body = For::make(thread_name, 0, threads_count, ForType::GPUThread, Halide::Partition::Never, api, body);
  return For::make(block_name, 0, block_count, ForType::GPUBlock, Halide::Partition::Never, api, body);
}

Result<DeviceCode> compile_or_throw(const LoweredKernel::Impl& kernel) {
  const bool opencl = kernel.target.has_feature(Halide::Target::OpenCL);
  Stmt body = lower_lane_calls(kernel.body, kernel.target);
  std::vector<std::pair<std::string, std::string>> names;
  std::set<std::string> buffers;
  for (const KernelParameter& p : kernel.parameters) {
    names.emplace_back(p.name, p.name);
    buffers.insert(p.name);
  }
  // Unrolling makes names of its own.
  body = canonicalize_names(unroll_loops(body), names);
  body = opencl ? ForOpenCl(buffers).mutate(body) : ForCuda().mutate(body);
  CollectLaunches found;
  body.accept(&found);
  QL_CHECK(!found.outside && !found.loops.empty(), kernel.name);

  const std::unique_ptr<CodeGen_GPU_Dev> device =
      opencl ? new_CodeGen_OpenCL_Dev(kernel.target) : new_CodeGen_PTX_Dev(kernel.target);
  device->init_module();
  DeviceCode out;
  for (size_t i = 0; i < found.loops.size(); i++) {
    DeviceLaunch launch;
    launch.entry = kernel.name + (found.loops.size() > 1 ? "_" + std::to_string(i) : "");
    Stmt loop = as_device_loops(found.loops[i].as<For>(), opencl ? DeviceAPI::OpenCL : DeviceAPI::CUDA, launch.blocks,
                                launch.threads);
    HostClosure closure;
    loop.accept(&closure);
    std::vector<DeviceArgument> arguments = closure.arguments();
    for (const DeviceArgument& argument : arguments) {
      const auto at = std::find_if(kernel.parameters.begin(), kernel.parameters.end(), [&](const KernelParameter& p) {
        return argument.name == (argument.is_buffer ? p.name : start_of(p.name));
      });
      QL_CHECK(at != kernel.parameters.end(), argument.name);
      const auto index = static_cast<int32_t>(at - kernel.parameters.begin());
      launch.arguments.push_back(argument.is_buffer ? index : ~index);
    }
    device->add_kernel(loop, launch.entry, arguments);
    out.launches.push_back(std::move(launch));
  }
  const std::vector<char> text = device->compile_to_src();
  out.source.assign(text.begin(), text.end());
  while (!out.source.empty() && out.source.back() == '\0')
    out.source.pop_back();
  out.source = opencl ? renumbered(out.source) : with_roundings(std::move(out.source));
  // Halide allows contractions unless told otherwise; a multiplication and an addition that are one are written `fma`.
  const std::string allowed = "FP_CONTRACT ON";
  for (size_t at = out.source.find(allowed); at != std::string::npos; at = out.source.find(allowed, at))
    out.source.replace(at, allowed.size(), "FP_CONTRACT OFF");
  return out;
}

}  // namespace

Result<DeviceCode> compile_device_code(const LoweredKernel& kernel) {
  try {
    return compile_or_throw(kernel.impl());
  } catch (const Halide::Error& error) {
    return Status::internal("device code of '" + kernel.name() + "': " + error.what());
  }
}

}  // namespace qlathe
