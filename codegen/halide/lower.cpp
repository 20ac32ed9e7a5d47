#include "codegen/halide/lower.h"

#include <algorithm>
#include <sstream>

#include "codegen/halide/lowered.h"
#include "codegen/halide/map_device_loops.h"
#include "codegen/halide/statement_passes.h"
#include "schedule/kernel.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;
using Halide::Target;

const std::string& LoweredKernel::name() const { return impl_->name; }
const std::vector<KernelParameter>& LoweredKernel::parameters() const { return impl_->parameters; }
int64_t LoweredKernel::scratch_bytes() const { return impl_->scratch_bytes; }
int32_t LoweredKernel::row_extent() const { return impl_->row_extent; }
const std::string& LoweredKernel::halide_target() const { return impl_->target_text; }
const std::string& LoweredKernel::text() const { return impl_->text; }

LoweredKernel LoweredKernel::renamed(const std::string& name) const {
  auto impl = std::make_shared<Impl>(*impl_);
  impl->name = name;
  return LoweredKernel(std::move(impl));
}

namespace {

std::string type_name(const Halide::Type& type) {
  if (type.is_bool()) return "u8";
  if (type.is_float() && type.bits() == 16) return "u16";
  return (type.is_float() ? "f" : type.is_int() ? "i" : "u") + std::to_string(type.bits());
}

int64_t reachable_bytes(const std::vector<KernelDim>& dims, const Halide::Type& type) {
  int64_t last = 0;
  for (const KernelDim& dim : dims)
    last += int64_t{dim.extent - 1} * dim.stride;
  return (last + 1) * type.bytes();
}

template <class Buffer>
Status set_shape(Buffer buffer, const std::string& name, const std::vector<KernelDim>& dims, int32_t alignment) {
  if (static_cast<size_t>(buffer.dimensions()) != dims.size()) {
    return Status::internal("buffer '" + name + "' has " + std::to_string(buffer.dimensions()) + " dimensions, " +
                            std::to_string(dims.size()) + " are described");
  }
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d].extent <= 0) return Status::internal("buffer '" + name + "' has an empty dimension");
    buffer.dim(static_cast<int>(d)).set_bounds(dims[d].min, dims[d].extent).set_stride(dims[d].stride);
  }
  int bytes = std::max(1, buffer.type().bytes());
  buffer.set_host_alignment(std::max(alignment, bytes));
  return Status();
}

// The row loop must survive lowering in one piece; partitioning would split it for boundary conditions.
void keep_row_loop_whole(Halide::Func func, const std::string& row_loop) {
  auto has_loop = [&](const Definition& definition) {
    for (const Dim& dim : definition.schedule().dims()) {
      if (dim.var == row_loop || dim.var.ends_with("." + row_loop)) return true;
    }
    return false;
  };
  if (has_loop(func.function().definition())) func.never_partition(Halide::Var(row_loop));
  for (int i = 0; i < func.num_update_definitions(); ++i) {
    if (has_loop(func.function().update(i))) func.update(i).never_partition(Halide::Var(row_loop));
  }
}

// A device has a thread for every iteration; nothing is gained by splitting loops for boundary conditions.
void keep_loops_whole(Halide::Func func) {
  func.never_partition_all();
  for (int i = 0; i < func.num_update_definitions(); ++i)
    func.update(i).never_partition_all();
}

// The loops over Vars of all stages of an output, as lowering names them: their iterations are independent.
void add_parallel_loops(const Halide::Func& func, std::set<std::string>& names) {
  const Function& function = func.function();
  const auto add = [&](const Definition& definition, int stage) {
    for (const Dim& dim : definition.schedule().dims()) {
      if (dim.dim_type == DimType::PureVar)
        names.insert(function.name() + ".s" + std::to_string(stage) + "." + dim.var);
    }
  };
  add(function.definition(), 0);
  for (int i = 0; i < func.num_update_definitions(); ++i)
    add(function.update(i), i + 1);
}

// The buffers' and scalars' Halide names beside their C names, in the order of the C function's parameters.
class Signature {
 public:
  void add(const std::string& halide_name, ParameterRole role, const Halide::Type& type, int64_t bytes,
           int32_t alignment) {
    std::string base = base_name(halide_name), name = base;
    for (int i = 2; used_.count(name) != 0; ++i)
      name = base + "_" + std::to_string(i);
    used_.insert(name);
    names.emplace_back(halide_name, name);
    bool pointer = role == ParameterRole::kInput || role == ParameterRole::kOutput || role == ParameterRole::kScratch;
    parameters.push_back({role, name, type_name(type), bytes, alignment});
    arguments.emplace_back(name, Halide::Argument::InputScalar, pointer ? Halide::Handle() : type, 0,
                           Halide::ArgumentEstimates{});
  }

  std::vector<std::pair<std::string, std::string>> names;
  std::vector<KernelParameter> parameters;
  std::vector<LoweredArgument> arguments;

 private:
  std::set<std::string> used_ = {"scratch", "row_begin", "row_end"};
};

// May throw Halide's errors.
Result<LoweredKernel> lower_or_throw(const KernelPipeline& pipeline, const std::string& halide_target) {
  Target target(halide_target);
  for (auto feature : {Target::NoRuntime, Target::NoAsserts, Target::NoBoundsQuery, Target::StrictFloat}) {
    target.set_feature(feature);
  }
  const bool device = target.has_gpu_feature();
  std::set<std::string> parallel_loops;

  Status status;
  std::vector<Halide::Argument> inputs;
  for (const KernelInput& input : pipeline.inputs) {
    status.merge(set_shape(input.param, input.param.name(), input.dims, input.alignment));
    inputs.push_back(input.param);
  }
  for (const auto& scalar : pipeline.scalars)
    inputs.push_back(scalar);
  std::vector<Halide::Func> outputs;
  std::set<std::string> functions;
  for (const KernelOutput& output : pipeline.outputs) {
    Halide::Func func = output.func;
    status.merge(set_shape(func.output_buffer(), func.name(), output.dims, output.alignment));
    for (size_t d = 0; d < output.dims.size() && status.ok(); ++d) {
      func.bound(func.args()[d], output.dims[d].min, output.dims[d].extent);
    }
    if (device) {
      keep_loops_whole(func);
      add_parallel_loops(func, parallel_loops);
      parallel_loops.insert(func.name() + ".s0." + pipeline.row_loop);  // of a kernel that is a statement
    } else if (!pipeline.row_loop.empty()) {
      keep_row_loop_whole(func, pipeline.row_loop);
    }
    outputs.push_back(func);
    functions.insert(func.name());
  }
  QL_RETURN_IF_ERROR(status);

  Stmt body = pipeline.body;
  bool any_strict_float = true;
  if (!body.defined()) {
    // Kernels of devices too are lowered as serial loops over plain memory; which of them are threads is ours to say.
    Target lowering = target;
    for (auto feature : {Target::OpenCL, Target::CUDA})
      lowering.set_feature(feature, false);
    Halide::Module module =
        Halide::Pipeline(outputs).compile_to_module(inputs, pipeline.name, lowering, Halide::LinkageType::External);
    if (module.functions().size() != 1) return Status::internal("lowering made a function beside the kernel");
    body = remove_buffer_structs(module.functions()[0].body);
    any_strict_float = module.any_strict_float();
  }
  if (device) {
    QL_ASSIGN(body, map_device_loops(body, parallel_loops, functions));
  } else {
    QL_ASSIGN(body, restrict_row_loop(body, functions, pipeline.row_loop, pipeline.row_extent));
  }
  body = flatten_nested_ramps(lower_bfloat_casts(hoist_invariant_conditions(inline_affine_lets(body))));
  body = split_interleaved_stores(merge_narrowing_stores(body));
  int64_t scratch_bytes = 0;
  if (!device) {
    QL_ASSIGN(body, move_allocations_to_scratch(body, pipeline.max_stack_bytes, &scratch_bytes));
  }
  body = mark_unrolled_loops(body, pipeline.unrolled);

  Signature signature;
  for (const KernelInput& input : pipeline.inputs) {
    signature.add(input.param.name(), ParameterRole::kInput, input.param.type(),
                  reachable_bytes(input.dims, input.param.type()), input.alignment);
  }
  for (const KernelOutput& output : pipeline.outputs) {
    Halide::Type type = output.func.types()[0];
    signature.add(output.func.name(), ParameterRole::kOutput, type, reachable_bytes(output.dims, type),
                  output.alignment);
  }
  auto add_own = [&](const char* name, ParameterRole role, const Halide::Type& type, int64_t bytes, int32_t alignment) {
    signature.names.emplace_back(name, name);
    signature.parameters.push_back({role, name, type_name(type), bytes, alignment});
    signature.arguments.emplace_back(name, Halide::Argument::InputScalar,
                                     role == ParameterRole::kScratch ? Halide::Handle() : type, 0,
                                     Halide::ArgumentEstimates{});
  };
  if (scratch_bytes > 0) add_own("scratch", ParameterRole::kScratch, Halide::UInt(8), scratch_bytes, 64);
  for (const auto& scalar : pipeline.scalars) {
    signature.add(scalar.name(), ParameterRole::kScalar, Halide::Int(32), 0, 1);
  }
  if (!device) {
    add_own("row_begin", ParameterRole::kRowBegin, Halide::Int(32), 0, 1);
    add_own("row_end", ParameterRole::kRowEnd, Halide::Int(32), 0, 1);
  }

  std::set<std::string> bound;
  for (const auto& [halide_name, name] : signature.names)
    bound.insert(halide_name);
  QL_RETURN_IF_ERROR(check_lowered(body, bound));

  auto impl = std::make_shared<LoweredKernel::Impl>();
  impl->name = pipeline.name;
  impl->body = canonicalize_names(body, signature.names);
  impl->parameters = std::move(signature.parameters);
  impl->arguments = std::move(signature.arguments);
  impl->target = target;
  impl->target_text = halide_target;
  impl->scratch_bytes = scratch_bytes;
  impl->row_extent = pipeline.row_extent;
  impl->any_strict_float = any_strict_float;
  impl->in_place = pipeline.in_place;

  std::ostringstream text;
  text << target.to_string() << "\n";
  for (const KernelParameter& p : impl->parameters) {
    text << p.name << " " << p.type << " " << p.bytes << " " << p.alignment << "\n";
  }
  text << (impl->in_place ? "in place\n" : "") << impl->body;
  impl->text = text.str();
  return LoweredKernel(std::move(impl));
}

}  // namespace

Result<LoweredKernel> lower_kernel(const KernelPipeline& pipeline, const std::string& halide_target) {
  try {
    if (!Target::validate_target_string(halide_target)) {
      return Status::internal("not a Halide target: '" + halide_target + "'");
    }
    if (pipeline.name != base_name(pipeline.name)) {
      return Status::internal("'" + pipeline.name + "' cannot be a kernel's name: it means something in emitted code");
    }
    auto lowered = lower_or_throw(pipeline, halide_target);
    if (!lowered.ok()) lowered.status().at(Place{"", pipeline.name, ""});
    return lowered;
  } catch (const Halide::Error& error) {
    return Status::internal("kernel '" + pipeline.name + "': " + error.what());
  }
}

}  // namespace qlathe
