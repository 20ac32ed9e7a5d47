#include "frontend/rules/node_builder.h"

#include <algorithm>

#include "frontend/numerics/calibrate.h"
#include "frontend/ops/movement.h"

namespace qlathe {

Chain& Chain::step(std::string op, ValueType type, std::vector<TensorId> operands) {
  PointwiseStep step;
  step.op = std::move(op);
  step.type = type;
  for (TensorId operand : operands) {
    operands_.push_back(operand);
    step.operands.push_back(static_cast<int64_t>(operands_.size()));
  }
  steps_.push_back(std::move(step));
  return *this;
}

std::vector<TensorId> Chain::inputs(TensorId x) const {
  std::vector<TensorId> out{x};
  out.insert(out.end(), operands_.begin(), operands_.end());
  return out;
}

Origin NodeBuilder::origin(const std::string& suffix) const {
  Origin out = base_;
  out.name += suffix;
  return out;
}

TensorId NodeBuilder::scalar(float value) { return graph_.add_constant("scalar", HostTensor::scalar(value)); }

Result<TensorId> NodeBuilder::pointwise(const std::string& suffix, TensorId x, const Chain& chain) {
  if (chain.empty()) return x;
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = chain.steps();
  return graph_.add("pointwise", chain.inputs(x), std::move(attrs), origin(suffix));
}

Result<TensorId> NodeBuilder::reshape(const std::string& suffix, TensorId x, const Shape& to) {
  if (shape(x) == to) return x;
  auto attrs = std::make_shared<ReshapeAttrs>();
  attrs->shape = to;
  return graph_.add("reshape", {x}, std::move(attrs), origin(suffix));
}

Result<TensorId> NodeBuilder::reduce(const std::string& suffix, TensorId x, ReduceKind kind, std::vector<int64_t> axes,
                                     bool keep_dims, const Chain& chain) {
  auto attrs = std::make_shared<ReduceAttrs>();
  attrs->kind = kind;
  attrs->axes = std::move(axes);
  attrs->keep_dims = keep_dims;
  attrs->steps = chain.steps();
  return graph_.add("reduce", chain.inputs(x), std::move(attrs), origin(suffix));
}

Result<TensorId> NodeBuilder::sum_boxes(const std::string& suffix, TensorId x, const std::vector<int64_t>& axes) {
  const auto long_axis = [&](size_t d) {
    return std::count(axes.begin(), axes.end(), static_cast<int64_t>(d)) > 0 && shape(x)[d] > kSumWindow;
  };
  auto pad = std::make_shared<PadAttrs>();
  Shape split, kept;
  std::vector<int64_t> reduced;
  for (size_t d = 0; d < shape(x).size(); ++d) {
    const int64_t extent = shape(x)[d];
    const SumWindows windows = sum_windows(extent);
    const bool cut = long_axis(d);
    pad->lo.push_back(cut ? windows.missing_before : 0);
    pad->hi.push_back(cut ? windows.missing_behind : 0);
    if (cut) {
      split.insert(split.end(), {windows.windows, kSumWindow});
      reduced.push_back(static_cast<int64_t>(split.size()) - 1);
      kept.push_back(windows.windows);
    } else {
      split.push_back(extent);
      if (std::count(axes.begin(), axes.end(), static_cast<int64_t>(d))) {
        reduced.push_back(static_cast<int64_t>(split.size()) - 1);
        kept.push_back(1);
      } else {
        kept.push_back(extent);
      }
    }
  }
  TensorId padded = x;
  if (std::any_of(pad->lo.begin(), pad->lo.end(), [](int64_t n) { return n > 0; }) ||
      std::any_of(pad->hi.begin(), pad->hi.end(), [](int64_t n) { return n > 0; })) {
    QL_ASSIGN(padded, graph_.add("pad", {x}, std::move(pad), origin(suffix + ".padded")));
  }
  QL_ASSIGN(const TensorId boxes, reshape(suffix + ".boxes", padded, split));
  QL_ASSIGN(const TensorId sums, reduce(suffix + ".box_sums", boxes, ReduceKind::kSum, reduced, false, Chain()));
  return reshape(suffix + ".kept", sums, kept);
}

Result<TensorId> NodeBuilder::sum_in_lanes(const std::string& suffix, TensorId x, int64_t lanes, const Chain& chain) {
  const Shape from = shape(x);
  Shape real;
  for (int64_t extent : from) {
    if (extent > 1) real.push_back(extent);
  }
  QL_ASSIGN(TensorId sums, reshape(suffix + ".rows", x, {real[0] / lanes, lanes, real[1]}));
  QL_ASSIGN(sums, reduce(suffix + ".lanes", sums, ReduceKind::kSum, {0, 2}, false, Chain()));
  for (; lanes > 1; lanes /= 2) {
    QL_ASSIGN(sums, reshape(suffix + ".halves", sums, {2, lanes / 2}));
    QL_ASSIGN(sums, reduce(suffix + ".half", sums, ReduceKind::kSum, {0}, false, lanes == 2 ? chain : Chain()));
  }
  return reshape(suffix + ".sum", sums, Shape(from.size(), 1));
}

Result<TensorId> NodeBuilder::windowed_sum(const std::string& suffix, TensorId x, std::vector<int64_t> axes,
                                           const Chain& chain) {
  std::sort(axes.begin(), axes.end());
  int64_t reduced = 1;
  for (int64_t axis : axes)
    reduced *= shape(x)[static_cast<size_t>(axis)];
  if (reduced == element_count(shape(x))) {
    if (const int64_t lanes = sum_lanes(shape(x)); lanes > 1) return sum_in_lanes(suffix, x, lanes, chain);
  }
  const auto is_long = [&](int64_t axis) { return shape(x)[static_cast<size_t>(axis)] > kSumWindow; };
  while (std::any_of(axes.begin(), axes.end(), is_long)) {
    QL_ASSIGN(x, sum_boxes(suffix, x, axes));
  }
  return reduce(suffix, x, ReduceKind::kSum, axes, true, chain);
}

}  // namespace qlathe
