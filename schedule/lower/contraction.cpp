// contraction: dense products and convolutions on the target's dot instruction. One kernel: a register tile of rows x
// channels stays in registers while the reduction runs over packed weights; the epilogue is applied to the tile.
// Windows are read in place, without an im2col copy.
#include <algorithm>
#include <cstring>

#include "frontend/ops/product_checks.h"
#include "schedule/lower/contraction_builder.h"
#include "schedule/lower/requantize_kernel.h"

namespace qlathe {

using Halide::Expr;
using Halide::RDom;
using Halide::Var;

Result<NodeLowering> ContractionBuilder::build() {
  declare_variables();
  lhs_ = operands_.tensor(c_.node.inputs[kLhs], "lhs");
  if (plan_.constant_rhs) {
    lowering_.constants.push_back(plan_.weights->constant);
    lowering_.constants.back().name = name() + ".weights";
    weights_ = operands_.constant(lowering_.constants[0], 0, "weights");
  } else {
    QL_RETURN_IF_ERROR(add_packing_kernels(plan_, lowering_));
    weights_ = operands_.temporary(plan_.storage.type, element_count(plan_.packed), 0, "weights");
    if (plan_.run_time_sums) {
      const int64_t sums = shape().batches * shape().groups_n * shape().n * reduction().blocks;
      sums_ = operands_.temporary(ValueType::kI32, sums, 1, "sums");
    }
  }
  if (!plan_.initial.empty()) initial_ = channel_constant(plan_.initial, "initial");
  if (!plan_.sums.empty()) sums_ = channel_constant(plan_.sums, "sums");
  if (plan_.packs_scales) {
    const int index = static_cast<int>(lowering_.constants.size());
    lowering_.constants.push_back(*plan_.block_scales);
    lowering_.constants.back().name = name() + (plan_.multiplied ? ".multipliers" : ".scales");
    scales_ = operands_.constant(lowering_.constants.back(), index, plan_.multiplied ? "multipliers" : "scales");
  }
  if (stages_lhs()) define_staged();
  if (plan_.row_sums) define_row_sums();
  define_accumulator();
  if (plan_.requant) {
    const bool joined = tile().lanes == 16 && tile().rows * tile().vectors > 1;
    const RequantKernel requant(*plan_.requant, c_.out().type.type, name(), joined, operands_, lowering_);
    requant_key_ = requant.key();
    out_(variables()) = requant.apply(corrected(accumulator_(arguments()), 0), channel_index(0));
  } else {
    QL_ASSIGN(const Expr result, epilogue());
    out_(variables()) = result;
  }
  schedule();
  return finish();
}

void ContractionBuilder::declare_variables() {
  here_.n = n_;
  vars_ = {n_};
  row_vars_.clear();
  if (tile().chunks > 1) {
    here_.chunk = d_;
    vars_.push_back(d_);
  }
  if (shape().groups_n > 1) {
    here_.group = g_;
    vars_.push_back(g_);
  }
  for (size_t i = 0; i < shape().rows.size(); i++) {
    row_vars_.emplace_back(shape().rows[i].name);
    here_.rows.push_back(row_vars_.back());
  }
  for (size_t i = row_vars_.size(); i-- > 0;)
    vars_.push_back(row_vars_[i]);
}

Result<Expr> ContractionBuilder::epilogue() {
  FlightValue value;
  const std::vector<Expr> here = arguments();
  if (plan_.multiplied) {
    value = multiplied_sum();
    if (plan_.scaled) value = scaled(value, 0);
  } else if (blocked()) {
    RDom b(0, i32(reduction().blocks), "b");
    std::vector<Expr> at = here;
    at.push_back(b.x);
    blocks_(variables()) = 0.0f;
    const FlightValue term = scaled(corrected(accumulated(at), b.x), b.x);
    blocks_(here) += term.expr;
    block_loop_ = b.x.name();
    value = {blocks_(here), ValueType::kF32, term.bound * static_cast<double>(reduction().blocks) * 1.0001};
  } else if (plan_.scaled) {
    value = scaled(corrected(accumulated(here), 0), 0);
  } else {
    value = {corrected(accumulated(here), 0), plan_.accumulator, plan_.accumulator_bound};
  }
  return finish_product(
      c_, value, plan_.steps,
      [&](size_t input, const std::string& parameter) {
        const TensorId id = c_.node.inputs[input];
        return operands_.at(id, parameter, shape().grouped(c_.in(input).shape()), shape().grouped_result(),
                            result_coordinates());
      },
      [&](size_t input, const Expr& index) { return operands_.table(c_.node.inputs[input], index); });
}

FlightValue ContractionBuilder::multiplied_sum() {
  const size_t slot = c_.has(kRhsScale) && is_multiplier(c_.in(kRhsScale).type.type) ? kRhsScale : kLhsScale;
  const Halide::Type type = Halide::Int(plan_.total == ValueType::kI64 ? 64 : 32);
  const double limit = plan_.total == ValueType::kI64 ? 0x1p63 : 0x1p31;
  const double bound =
      std::min(limit, plan_.accumulator_bound * 255 * static_cast<double>(std::max<int64_t>(1, reduction().blocks)));
  const auto term = [&](const Expr& raw, const Expr& block) {
    const Expr sum = plan_.folded ? raw : corrected(raw, block);
    return Halide::cast(type, sum) * Halide::cast(type, operand(slot, block).expr);
  };
  const std::vector<Expr> here = arguments();
  const Expr start = plan_.folded && initial_.defined() ? Halide::cast(type, initial_(channel_index(0)))
                                                        : Halide::Internal::make_zero(type);
  if (!blocked()) {
    const Expr sum = start + term(accumulated(here), 0);
    return {plan_.folded ? corrected(sum, 0) : sum, plan_.total, bound};
  }
  RDom b(0, i32(reduction().blocks), "b");
  std::vector<Expr> at = here;
  at.push_back(b.x);
  blocks_(variables()) = start;
  blocks_(here) += term(accumulated(at), b.x);
  block_loop_ = b.x.name();
  return {plan_.folded ? corrected(blocks_(here), 0) : blocks_(here), plan_.total, bound};
}

FlightValue ContractionBuilder::packed_scale(const Expr& block) const {
  const Tensor& tensor = c_.in(kRhsScale);
  const Expr at = ((slice() * i32(tile().chunks) + here_.chunk) * i32(reduction().blocks) + block) * i32(tile().chunk);
  FlightValue out = load_value(tensor.type.type, scales_(at + here_.n));
  const ElementBounds bounds = element_bounds(tensor);
  out.bound = std::min(out.bound, bounds.bound);
  out.least = bounds.least;
  return out;
}

namespace {

/// Operands of the steps whose memory the result may take, as LoweredCall::in_place_of.
int addends_in_place(const LoweringContext& c, const ContractionPlan& plan,
                     const std::vector<KernelOperand>& operands) {
  // A tile that overlaps its neighbour computes elements twice.
  if (plan.tile.chunk % plan.tile.width() != 0 || plan.shape.rows.back().extent % plan.tile.rows != 0) return -1;
  const auto is_addend = [&](size_t input) {
    bool read = false;
    for (const PointwiseStep& step : plan.steps) {
      const auto at = std::find(step.operands.begin(), step.operands.end(), static_cast<int64_t>(input));
      if (at == step.operands.end()) continue;
      if (reads_table(step)) return false;
      read = true;
    }
    return read;
  };
  const TensorType& out = c.out().type;
  int found = 0;
  for (size_t i = 0; i < operands.size() && i < 31; i++) {
    const KernelOperand& operand = operands[i];
    if (operand.kind != KernelOperand::Kind::kTensor) continue;
    const TensorType& type = c.graph[operand.tensor].type;
    if (storage_bytes(type.type) != storage_bytes(out.type) || element_count(type.shape) != element_count(out.shape))
      continue;
    bool alone = true;
    for (size_t input = 0; input < c.node.inputs.size(); input++)
      alone = alone && (c.node.inputs[input] != operand.tensor || is_addend(input));
    if (alone) found |= 1 << i;
  }
  return found == 0 ? -1 : found;
}

}  // namespace

Result<NodeLowering> ContractionBuilder::finish() {
  auto pipeline = std::make_shared<KernelPipeline>();
  const std::string kind = attrs_.windows.empty() || shape().window.empty() ? "gemm" : "conv";
  pipeline->name = kind + "_" + std::string(qlathe::name(plan_.lhs_type)) + "_" +
                   std::string(qlathe::name(plan_.rhs_type)) + "_" + tile().text();
  pipeline->inputs = operands_.inputs();
  std::vector<KernelDim> dims = {{i32(tile().chunk), 1, 0}};
  if (tile().chunks > 1) dims.push_back({i32(tile().chunks), i32(tile().chunk), 0});
  if (shape().groups_n > 1) dims.push_back({i32(shape().groups_n), i32(shape().out_group_stride), 0});
  for (size_t i = shape().rows.size(); i-- > 0;)
    dims.push_back({i32(shape().rows[i].extent), i32(shape().rows[i].out_stride), 0});
  const ValueType out_type = c_.out().type.type;
  pipeline->outputs = {{out_, dims, storage_bytes(out_type)}};
  pipeline->unrolled = unrolled_;
  pipeline->row_loop = row_loop_;
  pipeline->row_extent = row_loop_.empty() ? 1 : i32(row_extent_);

  LoweredCall call;
  call.operands = operands_.operands();
  call.in_place_of = addends_in_place(c_, plan_, operands_.operands());
  pipeline->in_place = call.in_place_of > 0;
  call.operands.push_back(KernelOperand::of(c_.node.outputs[0]));
  call.macs = shape().out_size * shape().reduction;
  // A hand-over costs some half a microsecond: a task of less than 400,000 multiply-accumulates is not worth one.
  call.min_rows_per_task = i32(std::max<int64_t>(1, 400000 * row_extent_ / std::max<int64_t>(1, call.macs)));
  call.description = kind + " " + to_string(c_.in(kLhs).shape()) + " * " + to_string(c_.in(kRhs).shape()) + " -> " +
                     to_string(c_.out().shape()) + ", tile " + tile().text();
  call.key = "contraction|" + c_.target.name + "|" + key_text() + "|" + operands_.key() + "|" +
             (plan_.requant ? requant_key_ : steps_key(plan_.steps)) + "|" + qlathe::name(out_type);
  if (pipeline->in_place) call.key += "|in place of " + std::to_string(call.in_place_of);
  if (!plan_.requant_note.empty()) call.notes.push_back(plan_.requant_note);
  call.pipeline = std::move(pipeline);
  lowering_.calls.push_back(std::move(call));
  return std::move(lowering_);
}

std::string ContractionBuilder::key_text() const {
  std::string key = to_string(c_.in(kLhs).shape()) + "*" + to_string(c_.in(kRhs).shape()) + ";";
  for (const Window& w : attrs_.windows)
    key += std::to_string(w.kernel) + "/" + std::to_string(w.stride) + "/" + std::to_string(w.dilation) + ",";
  key += std::string(qlathe::name(plan_.lhs_type)) + "*" + qlathe::name(plan_.rhs_type) + "+" +
         qlathe::name(plan_.accumulator) + ";" + tile().text() + ";";
  const std::vector<int64_t> numbers = {tile().chunk,
                                        tile().chunks,
                                        reduction().blocks,
                                        reduction().kr,
                                        reduction().parts,
                                        plan_.lhs_zp,
                                        plan_.lhs_offset,
                                        plan_.rhs_offset,
                                        plan_.storage.offset,
                                        plan_.storage.fold_zero_point,
                                        plan_.row_sums,
                                        plan_.has_lhs_zp,
                                        plan_.has_rhs_zp,
                                        static_cast<int64_t>(attrs_.scale_order),
                                        plan_.interleaved,
                                        !plan_.initial.empty(),
                                        !plan_.sums.empty(),
                                        plan_.words,
                                        plan_.multiplied,
                                        plan_.folded,
                                        plan_.packs_scales,
                                        static_cast<int64_t>(plan_.total),
                                        plan_.row_factor.value_or(0),
                                        reduction().bytes};
  for (int64_t v : numbers)
    key += std::to_string(v) + ",";
  if (plan_.packs_scales) key += to_string(element_bounds(c_.in(kRhsScale))) + ",";
  for (const RowAxis& axis : shape().rows)
    key += std::to_string(axis.extent) + "x";
  return key;
}

Halide::ImageParam ContractionBuilder::channel_constant(const std::vector<int32_t>& values, const std::string& what) {
  PackedConstant constant;
  constant.name = name() + "." + what;
  constant.type = ValueType::kI32;
  constant.shape = {static_cast<int64_t>(values.size())};
  constant.bytes.resize(values.size() * 4);
  std::memcpy(constant.bytes.data(), values.data(), constant.bytes.size());
  constant.layout = blocked() ? "[c][block]" : "[c]";
  const int index = static_cast<int>(lowering_.constants.size());
  lowering_.constants.push_back(constant);
  return operands_.constant(constant, index, what);
}

namespace {

Result<NodeLowering> lower_contraction(const LoweringContext& context) {
  try {
    QL_ASSIGN(const ContractionPlan plan, plan_contraction(context));
    return ContractionBuilder(context, plan).build();
  } catch (const Halide::Error& error) {
    return Status::internal(std::string("contraction '") + context.node.origin.name + "': " + error.what());
  }
}

const LoweringRegistry::Add add_contraction("contraction", lower_contraction);

}  // namespace
}  // namespace qlathe
