// Integer products in bfloat16 and float16 models. The reference multiplies the int32 sums by scales of that type, so
// the sum and each product are rounded to it: cast, then two multiplications as steps of the product.
#include <algorithm>

#include "frontend/ops/contraction.h"
#include "frontend/ops/movement.h"
#include "frontend/rules/quantizer.h"

namespace qlathe {
namespace {

std::vector<int64_t> free_axes(size_t rank, const std::vector<int64_t>& batch, const std::vector<int64_t>& contracted) {
  std::vector<int64_t> out;
  for (int64_t axis = 0; axis < static_cast<int64_t>(rank); ++axis) {
    if (!std::count(batch.begin(), batch.end(), axis) && !std::count(contracted.begin(), contracted.end(), axis)) {
      out.push_back(axis);
    }
  }
  return out;
}

Result<TensorId> transpose(NodeBuilder& builder, const std::string& name, TensorId x,
                           std::vector<int64_t> permutation) {
  if (std::is_sorted(permutation.begin(), permutation.end())) return x;
  auto attrs = std::make_shared<TransposeAttrs>();
  attrs->permutation = std::move(permutation);
  Origin origin;
  origin.name = name;
  return builder.graph().add("transpose", {x}, std::move(attrs), origin);
}

}  // namespace

Result<TensorId> Quantizer::scale_of_result(Site& site, Side side, const OpReport& report) {
  NodeBuilder& builder = site.builder;
  const auto& attrs = site.node.as<DotGeneralAttrs>();
  const bool left = side == Side::kLeft;
  const auto& batch = left ? attrs.lhs_batch : attrs.rhs_batch;
  const auto& contracted = left ? attrs.lhs_contracting : attrs.rhs_contracting;
  const std::string suffix = left ? "/lhs" : "/rhs";
  const TensorId scale = left ? report.lhs->scale : report.rhs->scale;
  const size_t other_free =
      left ? free_axes(builder.shape(report.rhs->scale).size(), attrs.rhs_batch, attrs.rhs_contracting).size()
           : free_axes(builder.shape(report.lhs->scale).size(), attrs.lhs_batch, attrs.lhs_contracting).size();
  const Shape shape = builder.shape(scale);
  const std::vector<int64_t> free = free_axes(shape.size(), batch, contracted);
  std::vector<int64_t> order(batch);
  order.insert(order.end(), free.begin(), free.end());
  order.insert(order.end(), contracted.begin(), contracted.end());
  QL_ASSIGN(const TensorId ordered, transpose(builder, builder.named(suffix + ".scale.ordered"), scale, order));
  Shape result;
  for (int64_t axis : batch)
    result.push_back(shape[static_cast<size_t>(axis)]);
  if (!left) result.insert(result.end(), other_free, 1);
  for (int64_t axis : free)
    result.push_back(shape[static_cast<size_t>(axis)]);
  if (left) result.insert(result.end(), other_free, 1);
  QL_ASSIGN(const TensorId shaped, builder.reshape(suffix + ".scale.result", ordered, result));
  return transpose(builder, builder.named(suffix + ".scale.permuted"), shaped, attrs.output_permutation);
}

Result<TensorId> Quantizer::add_rounded_product(Site& site, const OpReport& report, std::vector<TensorId> inputs) {
  const ValueType type = site.builder.type(report.lhs->scale);
  const bool integers = is_integer(report.lhs->how.format->type) && is_integer(report.rhs->how.format->type);
  TensorId scales[2] = {report.lhs->scale, report.rhs->scale};
  if (site.node.op == "dot_general") {
    QL_ASSIGN(scales[0], scale_of_result(site, Side::kLeft, report));
    QL_ASSIGN(scales[1], scale_of_result(site, Side::kRight, report));
  }
  if (site.node.origin.rule_op == "einsum") std::swap(scales[0], scales[1]);
  inputs[kLhsScale] = inputs[kRhsScale] = kNone;
  std::vector<PointwiseStep> steps(1);
  steps[0].op = "cast";
  steps[0].type = type;
  for (TensorId scale : scales) {
    PointwiseStep& step = steps.emplace_back();
    step.op = "mul";
    step.type = type;
    step.operands = {static_cast<int64_t>(inputs.size())};
    inputs.push_back(scale);
  }
  const auto with_steps = [&](auto attrs) {
    attrs.accumulator = integers ? ValueType::kI32 : ValueType::kF32;
    attrs.steps.insert(attrs.steps.begin(), steps.begin(), steps.end());
    return std::make_shared<decltype(attrs)>(std::move(attrs));
  };
  std::shared_ptr<const OpAttrs> attrs;
  if (site.node.op == "conv")
    attrs = with_steps(site.node.as<ConvAttrs>());
  else
    attrs = with_steps(site.node.as<DotGeneralAttrs>());
  return out_.graph.add(site.node.op, inputs, attrs, site.node.origin);
}

}  // namespace qlathe
