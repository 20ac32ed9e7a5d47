// gather: x [outer, extent, run], indices [count] -> [outer, count, run]. Runs are vectorized; where a run is one
// element, the indices are, and the loads become gathers.
#include <algorithm>

#include "frontend/ops/movement.h"
#include "schedule/lower/operands.h"
#include "schedule/lower/rows.h"

namespace qlathe {
namespace {

Result<NodeLowering> lower_gather(const LoweringContext& context) {
  const auto axis = static_cast<size_t>(context.node.as<GatherAttrs>().axis);
  const Shape& shape = context.in(0).shape();
  const ValueType type = context.in(0).type.type, index_type = context.in(1).type.type;
  const int64_t extent = shape[axis], count = element_count(context.in(1).shape());
  const int64_t run = row_major_strides(shape)[axis];
  const int64_t outer = element_count(shape) / (extent * run);

  KernelBindings bindings(context);
  const Halide::ImageParam x = bindings.tensor(context.node.inputs[0], "x", {outer, extent, run});
  const Halide::ImageParam indices = bindings.tensor(context.node.inputs[1], "indices", {count});
  Shape extents = {outer, count, run};
  std::vector<Halide::Var> vars = axis_vars(3);
  std::vector<Halide::Expr> at = as_expressions(vars);
  if (run == 1) {
    extents.pop_back();
    vars.pop_back();
    at[2] = 0;
  }
  // Negative indices count from the end. After the clamp all fit 32 bits.
  const auto last = static_cast<int32_t>(extent - 1);
  Halide::Expr i = indices(at[1]);
  if (index_type == ValueType::kU32) {
    i = Halide::reinterpret<int32_t>(i);
    i = Halide::clamp(Halide::select(i < 0, last, i), 0, last);
  } else {
    const Halide::Type math = Halide::Int(index_type == ValueType::kI64 ? 64 : 32);
    const auto number = [&](int64_t n) { return Halide::Internal::IntImm::make(math, n); };
    i = Halide::cast(math, i);
    if (is_signed(index_type)) i = Halide::select(i < number(0), i + number(extent), i);
    i = Halide::cast<int32_t>(Halide::clamp(i, number(0), number(last)));
  }
  Halide::Func out("out");
  out(innermost_first(vars)) = x(at[2], i, at[0]);

  auto pipeline = std::make_shared<KernelPipeline>();
  pipeline->name = "gather_axis";
  LoweredCall call;
  const int bits = 8 * storage_bytes(type);
  const int lanes =
      context.target.vectorize
          ? context.target.lanes(run == 1 ? std::max(bits, index_type == ValueType::kI64 ? 64 : 32) : bits)
          : 1;
  schedule_rows(out, vars, extents, lanes, *pipeline, call);
  pipeline->inputs = bindings.inputs();
  pipeline->outputs = {{out, dense_dims(innermost_first_extents(extents)), storage_bytes(type)}};
  call.operands = bindings.operands();
  call.operands.push_back(KernelOperand::of(context.node.outputs[0]));
  call.key = "gather|" + context.target.name + "|" + name(type) + "[" + to_string({outer, extent, run}) + "] by " +
             name(index_type) + "[" + std::to_string(count) + "]";
  call.description = "gather " + to_string(context.out().shape()) + " " + name(type) + " of " + std::to_string(extent);
  call.pipeline = std::move(pipeline);
  NodeLowering lowering;
  lowering.calls.push_back(std::move(call));
  return lowering;
}

const LoweringRegistry::Add add_gather("gather", lower_gather);

}  // namespace
}  // namespace qlathe
