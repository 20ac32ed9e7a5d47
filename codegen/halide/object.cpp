#include "codegen/halide/object.h"

#include "codegen/halide/lower_lane_calls.h"
#include "codegen/halide/lowered.h"
#include "codegen/halide/rewrite_dot_products.h"
#include "codegen/halide/sse4a.h"
#include "codegen/halide/statement_passes.h"

namespace qlathe {

using namespace Halide::Internal;

namespace {

// Unrolling uniquifies names with Halide's global counter; this takes it out again.
Stmt ready_for_code(const LoweredKernel::Impl& kernel) {
  Stmt body = kernel.body;
  if (wants_dot_rewrite(kernel.target)) body = rewrite_dot_products(body);
  body = lower_lane_calls(body, kernel.target);
  body = simplify(unroll_loops(body));
  std::vector<std::pair<std::string, std::string>> names;
  for (const KernelParameter& p : kernel.parameters)
    names.emplace_back(p.name, p.name);
  return canonicalize_names(body, names);
}

// May throw Halide's errors.
Halide::Module make_module(const std::vector<LoweredKernel>& kernels, const std::string& unit,
                           const Halide::Target& target) {
  Halide::Module module(unit, target);
  bool any_strict_float = false;
  for (const LoweredKernel& kernel : kernels) {
    const LoweredKernel::Impl& impl = kernel.impl();
    QL_CHECK(impl.target == kernels.front().impl().target, "kernels of different targets in one object: " + impl.name);
    any_strict_float |= impl.any_strict_float;
    module.append(LoweredFunc(impl.name, impl.arguments, ready_for_code(impl), Halide::LinkageType::External,
                              Halide::NameMangling::C));
  }
  // A new module does not inherit it, and without it multiplications and additions are contracted.
  module.set_any_strict_float(any_strict_float);
  return module;
}

}  // namespace

Result<std::vector<uint8_t>> compile_object(const std::vector<LoweredKernel>& kernels, const std::string& unit) {
  if (kernels.empty()) return Status::internal("an object without kernels");
  try {
    Halide::Target target = kernels.front().impl().target;
    Halide::Buffer<uint8_t> bytes = make_module(kernels, unit, target).compile_to_buffer();
    if (target.has_feature(Halide::Target::AVX512_Zen4) && may_use_sse4a({bytes.data(), bytes.size_in_bytes()})) {
      // The same without what only AMD has. Dot instructions are lost too: slower where a kernel has them, never wrong.
      target.set_feature(Halide::Target::AVX512_Zen4, false);
      target.set_feature(Halide::Target::AVX512_Cannonlake);
      bytes = make_module(kernels, unit, target).compile_to_buffer();
    }
    return std::vector<uint8_t>(bytes.begin(), bytes.end());
  } catch (const Halide::Error& error) {
    return Status::internal("object '" + unit + "': " + error.what());
  }
}

}  // namespace qlathe
