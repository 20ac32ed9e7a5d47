#include "schedule/lower/row_kernel.h"

#include <algorithm>

#include "schedule/lower/iteration.h"
#include "schedule/lower/rows.h"

namespace qlathe {

using Halide::Expr;

RowKernel::RowKernel(const LoweringContext& context, int64_t n, const std::vector<PointwiseStep>& steps,
                     std::string name)
    : context_(context),
      steps_(steps),
      name_(std::move(name)),
      n_(n),
      rows_(element_count(context.out().shape()) / n),
      bindings_(context),
      x_(bindings_.tensor(context.node.inputs[0], "x", {rows_, n_})),
      stages(context.target, {row_}) {}

std::function<Expr(Expr)> RowKernel::along_row(size_t input, const std::string& name) {
  const ValueType type = context_.in(input).type.type;
  const Halide::ImageParam param = bindings_.tensor(context_.node.inputs[input], name, {n_});
  key_ += std::string(";") + name + ":" + qlathe::name(type);
  return [param, type](Expr i) { return to_float(load_value(type, param(i))).expr; };
}

std::function<Expr(Expr)> RowKernel::table(size_t input, const std::string& name) {
  const Tensor& tensor = context_.in(input);
  const ValueType type = tensor.type.type;
  const auto last = static_cast<int32_t>(tensor.shape()[0]) - 1;
  const Halide::ImageParam param = bindings_.tensor(context_.node.inputs[input], name, tensor.shape());
  key_ += std::string(";") + name + ":" + qlathe::name(type) + "[" + to_string(tensor.shape()) + "]";
  return [param, type, last](const Expr& i) {
    return Halide::cast<int32_t>(load_value(type, param(Halide::clamp(i, 0, last))).expr);
  };
}

Result<NodeLowering> RowKernel::finish(const FlightValue& value, const std::string& what) {
  const Shape& shape = context_.out().shape();
  const StepBindings operands(context_, bindings_, steps_, shape);
  // Coordinates of the result: the leading axes from the row, the others from the index along it.
  size_t leading = 0;
  for (int64_t left = rows_; left > 1; leading++)
    left /= shape[leading];
  std::vector<Expr> coordinates = split_index(row_, {shape.begin(), shape.begin() + static_cast<long>(leading)});
  for (const Expr& e : split_index(i_, {shape.begin() + static_cast<long>(leading), shape.end()}))
    coordinates.push_back(e);
  QL_ASSIGN(const FlightValue result, apply_steps(value, steps_, operands.at(coordinates)));
  Halide::Func out("out");
  out(i_, row_) = store_value(result);
  const int lanes = vector_lanes(context_.target.vectorize ? context_.target.lanes(32) : 1, n_);
  if (lanes > 1) {
    out.vectorize(i_, lanes, n_ % lanes == 0 ? Halide::TailStrategy::RoundUp : Halide::TailStrategy::ShiftInwards);
  }
  stages.compute_at(out, row_);

  auto pipeline = std::make_shared<KernelPipeline>();
  pipeline->name = name_;
  pipeline->inputs = bindings_.inputs();
  pipeline->outputs = {{out, dense_dims({static_cast<int32_t>(n_), static_cast<int32_t>(rows_)}),
                        storage_bytes(context_.out().type.type)}};
  pipeline->row_loop = row_.name();
  pipeline->row_extent = static_cast<int32_t>(rows_);
  LoweredCall call;
  call.operands = bindings_.operands();
  call.operands.push_back(KernelOperand::of(context_.node.outputs[0]));
  call.min_rows_per_task = static_cast<int32_t>(std::max<int64_t>(1, kElementsPerTask / 4 / n_));
  call.key = what + "|" + context_.target.name + "|" + name(context_.in(0).type.type) + "[" + to_string(shape) + "]->" +
             name(context_.out().type.type) + key_ + operands.key() + "|" + steps_key(steps_);
  call.description = name_ + " " + std::to_string(rows_) + " rows of " + std::to_string(n_) + " " +
                     name(context_.in(0).type.type) + " -> " + name(context_.out().type.type);
  call.pipeline = std::move(pipeline);
  NodeLowering lowering;
  lowering.calls.push_back(std::move(call));
  return lowering;
}

}  // namespace qlathe
