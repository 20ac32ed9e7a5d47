// Packing of a right operand that is made at run time: one pass that brings it into the layout of constant weights, and
// one that sums each channel where a zero point of the left operand asks for it.
#include <algorithm>

#include "schedule/kernel.h"
#include "schedule/lower/contraction_plan.h"
#include "schedule/lower/flat_operands.h"

namespace qlathe {
namespace {

using Halide::cast;
using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::Var;

int32_t i32(int64_t value) { return static_cast<int32_t>(value); }

/// The rhs element as the kernel multiplies it.
Expr stored_element(const ContractionPlan& plan, const Halide::ImageParam& rhs, const Expr& index) {
  Expr value = rhs(index);
  if (plan.rhs_offset == 0) return value;
  return Halide::reinterpret(Halide::Int(8), value ^ cast<uint8_t>(128));
}

std::string packing_key(const ContractionPlan& plan, const char* what) {
  const LoweringContext& c = *plan.context;
  std::string key = std::string(what) + "|" + c.target.name + "|" + to_string(c.in(kRhs).shape()) + "|" +
                    name(plan.rhs_type) + "|" + to_string(plan.packed) + "|";
  for (int64_t v : {plan.reduction.blocks, plan.reduction.run, plan.tile.chunk, plan.rhs_offset})
    key += std::to_string(v) + ",";
  for (const ReductionAxis& axis : plan.reduction.window)
    key += std::to_string(axis.extent) + "x" + std::to_string(axis.flat_stride) + ",";
  return key;
}

LoweredCall packing_call(const ContractionPlan& plan) {
  const LoweringContext& c = *plan.context;
  const ReductionPlan& reduction = plan.reduction;
  FlatOperands operands(c);
  Halide::ImageParam rhs = operands.tensor(c.node.inputs[kRhs], "rhs");
  Var j("j"), n("n"), k("k"), p("p"), d("d"), slice("slice");
  // Element of the run; the last step is shifted inwards, what the step before has counted is 0.
  Expr start = k * reduction.kr, e = start + j;
  if (!reduction.exact()) e = Halide::min(start, i32(reduction.run - reduction.kr)) + j;
  Expr flat = e;
  if (reduction.blocks > 1) {
    flat = p * i32(reduction.run) + e;
  } else {
    Expr rest = p;
    for (size_t a = reduction.window.size(); a-- > 0;) {
      const ReductionAxis& axis = reduction.window[a];
      flat += rest % i32(axis.extent) * i32(axis.flat_stride);
      rest = rest / i32(axis.extent);
    }
  }
  const Expr channel = slice * i32(plan.shape.n) + d * i32(plan.tile.chunk) + n;
  Expr value = stored_element(plan, rhs, channel * i32(plan.shape.reduction) + flat);
  if (!reduction.exact()) value = Halide::select(e < start, Halide::Internal::make_zero(value.type()), value);
  Func out("packed");
  out(j, n, k, p, d, slice) = value;
  Var row("row");
  out.reorder(j, k, n, p, d, slice).fuse(d, slice, row);
  if (reduction.kr > 1 && c.target.vectorize) out.vectorize(j, reduction.kr);

  auto pipeline = std::make_shared<KernelPipeline>();
  pipeline->name = std::string("pack_") + name(plan.rhs_type);
  pipeline->inputs = operands.inputs();
  const std::vector<int64_t> strides = row_major_strides(plan.packed);
  std::vector<KernelDim> dims;
  for (size_t a = plan.packed.size(); a-- > 0;)
    dims.push_back({i32(a == 4 ? plan.tile.chunk : plan.packed[a]), i32(strides[a]), 0});
  pipeline->outputs = {{out, dims, 64}};
  pipeline->row_loop = "row";
  pipeline->row_extent = i32(plan.packed[0] * plan.packed[1]);
  LoweredCall call;
  call.operands = operands.operands();
  call.operands.push_back(KernelOperand::temporary(0));
  call.min_rows_per_task =
      i32(std::max<int64_t>(1, 65536 * plan.packed[0] * plan.packed[1] / element_count(plan.packed)));
  call.description = "pack " + to_string(c.in(kRhs).shape()) + " -> " + to_string(plan.packed);
  call.key = packing_key(plan, "pack");
  call.pipeline = std::move(pipeline);
  return call;
}

LoweredCall sums_call(const ContractionPlan& plan) {
  const LoweringContext& c = *plan.context;
  FlatOperands operands(c);
  Halide::ImageParam rhs = operands.tensor(c.node.inputs[kRhs], "rhs");
  const int64_t blocks = plan.reduction.blocks, length = plan.shape.reduction / blocks;
  const int64_t channels = plan.shape.batches * plan.shape.groups_n * plan.shape.n;
  Var n("n");
  Func sum("sum"), out("sums");
  RDom r(0, i32(length), "r");
  // Channel-blocks are runs of the dense operand.
  sum(n) = 0;
  sum(n) += cast<int32_t>(stored_element(plan, rhs, n * i32(length) + r));
  out(n) = sum(n);
  sum.compute_at(out, n).update().rename(RVar(r.x.name()), RVar("k"));

  auto pipeline = std::make_shared<KernelPipeline>();
  pipeline->name = std::string("sums_") + name(plan.rhs_type);
  pipeline->inputs = operands.inputs();
  pipeline->outputs = {{out, dense_dims({i32(channels * blocks)}), 64}};
  pipeline->row_loop = "n";
  pipeline->row_extent = i32(channels * blocks);
  LoweredCall call;
  call.operands = operands.operands();
  call.operands.push_back(KernelOperand::temporary(1));
  call.min_rows_per_task = i32(std::max<int64_t>(1, 65536 / length));
  call.description = "sums of " + to_string(c.in(kRhs).shape());
  call.key = packing_key(plan, "sums");
  call.pipeline = std::move(pipeline);
  return call;
}

}  // namespace

Status add_packing_kernels(const ContractionPlan& plan, NodeLowering& lowering) {
  const std::string& node = plan.context->node.origin.name;
  lowering.temporaries.push_back({node + ".packed", element_count(plan.packed) * storage_bytes(plan.storage.type)});
  lowering.calls.push_back(packing_call(plan));
  if (plan.run_time_sums) {
    const int64_t sums = plan.shape.batches * plan.shape.groups_n * plan.shape.n * plan.reduction.blocks;
    lowering.temporaries.push_back({node + ".sums", sums * 4});
    lowering.calls.push_back(sums_call(plan));
  }
  return {};
}

}  // namespace qlathe
