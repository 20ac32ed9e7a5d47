// Pooling, reductions and softmax.
#include <algorithm>
#include <numeric>

#include "frontend/formats/spec/builder.h"
#include "frontend/formats/spec/windows.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

PointwiseStep step(const std::string& op, ValueType type, std::vector<int64_t> operands = {}) {
  PointwiseStep out;
  out.op = op;
  out.type = type;
  out.operands = std::move(operands);
  return out;
}

/// Steps that turn a sum in `sum` (float32 or int32) into a mean of `type`: times the reciprocal, operand 1; integers
/// round half to even.
std::vector<PointwiseStep> mean_steps(ValueType type) {
  std::vector<PointwiseStep> out;
  if (is_integer(type)) out.push_back(step("cast", ValueType::kF32));
  out.push_back(step("mul", ValueType::kF32, {1}));
  if (type != ValueType::kF32) out.push_back(step("cast", type));
  return out;
}

/// Rounds a float32 result to a narrower float.
std::vector<PointwiseStep> back_to(ValueType type) {
  if (type == ValueType::kF32 || !is_float(type)) return {};
  return {step("cast", type)};
}

float reciprocal(int64_t count) { return 1.0f / static_cast<float>(count); }

/// 1 / (number of elements that are not padding) for every position along one axis.
std::vector<int64_t> counts(const Window& w, int64_t lo, int64_t extent, int64_t positions) {
  std::vector<int64_t> out;
  for (int64_t o = 0; o < positions; ++o) {
    const int64_t first = o * w.stride - lo;
    out.push_back(std::min(first + w.kernel, extent) - std::max<int64_t>(first, 0));
  }
  return out;
}

/// Positions of a result whose averages leave padding out: each has a factor of its own.
constexpr int64_t kMaxFactors = int64_t{1} << 24;

/// max_pool and avg_pool over [images, spatial.., channels].
void read_pool(SpecNode& node) {
  const int64_t rank = node.rank(0);
  if (rank < 3 || rank > 5) {
    node.problem("inputs", "the input has shape " + to_string(node.type(0).shape) +
                               "; expected [images, 1 to 3 spatial axes, channels]");
    return node.result(std::nullopt);
  }
  const auto axes = static_cast<size_t>(rank) - 2;
  if (!node.fields.has("window")) node.problem("window", "is missing");
  const auto window = per_axis(node, "window", axes, std::vector<int64_t>(axes, 1));
  if (!window) return node.result(std::nullopt);
  const auto strides = per_axis(node, "strides", axes, *window);
  const Shape& x = node.type(0).shape;
  const std::vector<int64_t> extent(x.begin() + 1, x.end() - 1);
  if (!strides) return node.result(std::nullopt);
  const auto padding = read_padding(node, "VALID", extent, *window, *strides);
  if (!padding) return node.result(std::nullopt);
  auto attrs = std::make_shared<PoolAttrs>();
  for (size_t i = 0; i < axes; ++i)
    attrs->windows.push_back({(*window)[i], (*strides)[i], 1});
  const bool padded = std::any_of(padding->lo.begin(), padding->lo.end(), [](int64_t p) { return p != 0; }) ||
                      std::any_of(padding->hi.begin(), padding->hi.end(), [](int64_t p) { return p != 0; });
  if (padded) {
    attrs->pad_lo = padding->lo;
    attrs->pad_hi = padding->hi;
  }
  const ValueType type = node.type(0).type;
  if (node.op == "max_pool") {
    attrs->kind = PoolKind::kMax;
    return node.result(node.add("pool", {node.inputs[0]}, attrs));
  }
  attrs->kind = PoolKind::kSum;
  attrs->steps = mean_steps(type);
  const bool include = node.fields.boolean("count_include_pad").value_or(true);
  const int64_t area = std::accumulate(window->begin(), window->end(), int64_t{1}, [](int64_t a, int64_t b) {
    return std::min(a, int64_t{1} << 31) * std::min(b, int64_t{1} << 31);
  });
  HostTensor factor = HostTensor::scalar(reciprocal(area));
  if (padded && !include) {
    Shape shape = {1};
    std::vector<std::vector<int64_t>> per_position;
    for (size_t i = 0; i < axes; ++i) {
      const int64_t space = extent[i] + padding->lo[i] + padding->hi[i] - (*window)[i];
      if (space < 0 || padding->lo[i] < 0) {
        node.problem("window", "does not fit the input");
        return node.result(std::nullopt);
      }
      if (space / (*strides)[i] >= kMaxFactors) {
        node.problem("padding", "makes a result that is too large");
        return node.result(std::nullopt);
      }
      shape.push_back(space / (*strides)[i] + 1);
      per_position.push_back(counts(attrs->windows[i], padding->lo[i], extent[i], shape.back()));
    }
    shape.push_back(1);
    if (Status status = check_shape(shape); !status.ok() || element_count(shape) > kMaxFactors) {
      node.problem("padding", "makes a result that is too large");
      return node.result(std::nullopt);
    }
    factor = HostTensor(ValueType::kF32, shape);
    std::vector<size_t> index(axes, 0);
    for (float& f : factor.as<float>()) {
      int64_t n = 1;
      for (size_t i = 0; i < axes; ++i)
        n *= std::max<int64_t>(per_position[i][index[i]], 1);
      f = reciprocal(n);
      for (size_t i = axes; i-- > 0;) {
        if (++index[i] < per_position[i].size()) break;
        index[i] = 0;
      }
    }
  }
  node.result(node.add("pool", {node.inputs[0], node.constant(".factor", std::move(factor))}, attrs));
}

/// A reduction over the last axis alone leaves vectors nothing to run over: its sum is interleaved.
SumOrder sum_order(const std::vector<int64_t>& axes, int64_t rank) {
  return !axes.empty() && axes.back() == rank - 1 ? SumOrder::kInterleaved16 : SumOrder::kSequential;
}

void reduce(SpecNode& node, const std::string& kind, std::vector<int64_t> axes, bool keep_dims) {
  std::sort(axes.begin(), axes.end());
  auto attrs = std::make_shared<ReduceAttrs>();
  attrs->axes = axes;
  attrs->keep_dims = keep_dims;
  const ValueType type = node.type(0).type;
  if (kind == "max" || kind == "min") {
    attrs->kind = kind == "max" ? ReduceKind::kMax : ReduceKind::kMin;
    return node.result(node.add("reduce", {node.inputs[0]}, attrs));
  }
  attrs->kind = ReduceKind::kSum;
  attrs->sum_order = sum_order(axes, node.rank(0));
  if (kind == "sum") {
    attrs->steps = back_to(type);
    return node.result(node.add("reduce", {node.inputs[0]}, attrs));
  }
  int64_t count = 1;
  for (int64_t axis : axes)
    count *= node.type(0).shape[static_cast<size_t>(axis)];
  if (count == 0) {
    node.problem("inputs", "there is nothing to take a mean of: the input has shape " + to_string(node.type(0).shape));
    return node.result(std::nullopt);
  }
  attrs->steps = mean_steps(type);
  node.result(
      node.add("reduce", {node.inputs[0], node.constant(".factor", HostTensor::scalar(reciprocal(count)))}, attrs));
}

/// mean, sum, reduce_max, reduce_min over `axes` (default: all).
void read_reduce(SpecNode& node) {
  const int64_t rank = node.rank(0);
  std::vector<int64_t> axes(static_cast<size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (node.fields.has("axes")) axes = node.axes("axes", rank).value_or(std::vector<int64_t>{});
  node.fields.ignore("axes");
  const bool keep = node.fields.boolean("keep_dims").value_or(false);
  if (!node.ok()) return node.result(std::nullopt);
  reduce(node, node.op.starts_with("reduce_") ? node.op.substr(7) : node.op, axes, keep);
}

void read_global_pool(SpecNode& node) {
  const int64_t rank = node.rank(0);
  if (rank < 3) {
    node.problem("inputs",
                 "the input has shape " + to_string(node.type(0).shape) + "; expected [images, spatial.., channels]");
    return node.result(std::nullopt);
  }
  std::vector<int64_t> axes;
  for (int64_t d = 1; d < rank - 1; ++d)
    axes.push_back(d);
  const bool keep = node.fields.boolean("keep_dims").value_or(false);
  reduce(node, node.op == "global_max_pool" ? "max" : "mean", axes, keep);
}

/// softmax and log_softmax; another axis than the last is moved there and back.
void read_softmax(SpecNode& node) {
  const int64_t rank = node.rank(0);
  const auto axis = node.axis("axis", rank, -1);
  if (!axis) return node.result(std::nullopt);
  auto attrs = std::make_shared<SoftmaxAttrs>();
  attrs->log = node.op == "log_softmax";
  attrs->steps = back_to(node.type(0).type);
  if (*axis == rank - 1) return node.result(node.add("softmax", {node.inputs[0]}, attrs));
  auto swap = std::make_shared<TransposeAttrs>();
  for (int64_t d = 0; d < rank; ++d)
    swap->permutation.push_back(d);
  std::swap(swap->permutation[static_cast<size_t>(*axis)], swap->permutation.back());
  auto there = node.add("transpose", {node.inputs[0]}, swap, ".transposed");
  if (there) there = node.add("softmax", {*there}, attrs, ".softmax");
  node.result(there ? node.add("transpose", {*there}, swap) : std::nullopt);
}

const SpecOps::Add kReductionOps({
    {"max_pool", 1, 1, read_pool, {"padding", "strides", "window"}, false},
    {"avg_pool", 1, 1, read_pool, {"count_include_pad", "padding", "strides", "window"}, false},
    {"global_avg_pool", 1, 1, read_global_pool, {"keep_dims"}, false},
    {"global_max_pool", 1, 1, read_global_pool, {"keep_dims"}, false},
    {"mean", 1, 1, read_reduce, {"axes", "keep_dims"}, false},
    {"sum", 1, 1, read_reduce, {"axes", "keep_dims"}, false},
    {"reduce_max", 1, 1, read_reduce, {"axes", "keep_dims"}, false},
    {"reduce_min", 1, 1, read_reduce, {"axes", "keep_dims"}, false},
    {"softmax", 1, 1, read_softmax, {"axis"}, false},
    {"log_softmax", 1, 1, read_softmax, {"axis"}, false},
});

}  // namespace
}  // namespace qlathe
