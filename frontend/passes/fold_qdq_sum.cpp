#include "frontend/ops/pointwise.h"
#include "frontend/ops/reduction.h"
#include "frontend/passes/fold_qdq.h"
#include "frontend/reference/reference_executor.h"

namespace qlathe {
namespace {

/// sum(q) - n * zero point, with n the number of elements that each sum has.
Result<TensorId> without_zero_point(QdqFolding& f, const Node& node, TensorId sum, const Quantized& x,
                                    const HostTensor& counts) {
  if (!x.zero_point.valid()) return sum;
  const auto zero = f.numbers(x.zero_point);
  HostTensor term(ValueType::kI32, counts.shape());
  for (int64_t i = 0; i < counts.size(); i++)
    term.set_int(i, -static_cast<int64_t>((*zero)[0]) * counts.int_at(i));
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = {qdq_step("add", ValueType::kI32, {1})};
  const TensorId constant = f.rebuild.to.add_constant(node.origin.name + ".zero", std::move(term));
  return f.add("pointwise", {sum, constant}, attrs, node.origin);
}

Result<bool> pool(QdqFolding& f, const Node& node) {
  const auto& attrs = node.as<PoolAttrs>();
  const Quantized* x = f.known(node.inputs[0]);
  if (x == nullptr || !f.per_tensor(*x) || !f.small(x->q)) return false;
  if (attrs.kind == PoolKind::kMax) {
    if (!attrs.steps.empty()) return false;
    return f.moved(node, *x, {x->q});
  }
  if (!f.numbers(x->zero_point)) return false;
  auto bare = std::make_shared<PoolAttrs>(attrs);
  bare->steps.clear();
  QL_ASSIGN(TensorId sum, f.add("pool", {x->q}, bare, node.origin));
  if (x->zero_point.valid()) {
    // A pooling of ones counts what every window holds.
    Shape one = f.to()[x->q].shape();
    one[0] = 1;
    one.back() = 1;
    HostTensor ones(ValueType::kI8, one);
    for (int64_t i = 0; i < ones.size(); i++)
      ones.set_int(i, 1);
    Shape out = f.to()[sum].shape();
    out[0] = 1;
    out.back() = 1;
    const Node counting{"pool", {sum}, {}, bare, node.origin};
    QL_ASSIGN(const std::vector<HostTensor> counts, evaluate_node(counting, {&ones}, {{ValueType::kI32, out}}));
    QL_ASSIGN(sum, without_zero_point(f, node, sum, *x, counts[0]));
  }
  return f.with_steps(node, {sum, x->scale, kNone, node.origin}, attrs.steps);
}

Result<bool> reduce(QdqFolding& f, const Node& node) {
  const auto& attrs = node.as<ReduceAttrs>();
  const Quantized* x = f.known(node.inputs[0]);
  if (x == nullptr || !f.per_tensor(*x) || !f.small(x->q)) return false;
  if (attrs.kind == ReduceKind::kMax || attrs.kind == ReduceKind::kMin) {
    if (!attrs.steps.empty()) return false;
    return f.moved(node, *x, {x->q});
  }
  if (attrs.kind != ReduceKind::kSum || !f.numbers(x->zero_point)) return false;
  int64_t count = 1;
  for (int64_t axis : attrs.axes)
    count *= f.to()[x->q].shape()[static_cast<size_t>(axis)];
  if (count > (int64_t{1} << 22)) return false;
  auto bare = std::make_shared<ReduceAttrs>(attrs);
  bare->steps.clear();
  bare->sum_order = SumOrder::kSequential;
  QL_ASSIGN(TensorId sum, f.add("reduce", {x->q}, bare, node.origin));
  HostTensor counts(ValueType::kI32, {});
  counts.set_int(0, count);
  QL_ASSIGN(sum, without_zero_point(f, node, sum, *x, counts));
  return f.with_steps(node, {sum, x->scale, kNone, node.origin}, attrs.steps);
}

const FoldQdqRegistry::Add kPool("pool", pool);
const FoldQdqRegistry::Add kReduce("reduce", reduce);

}  // namespace
}  // namespace qlathe
