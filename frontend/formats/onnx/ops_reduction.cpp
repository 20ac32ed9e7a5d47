// Pooling, reductions, softmax and normalizations.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "frontend/formats/onnx/node.h"
#include "frontend/formats/onnx/windows.h"
#include "frontend/ops/indexing.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

TensorId as_float(OnnxNode& node, TensorId x) {
  return node.type(x).type == ValueType::kF64 ? node.cast(x, ValueType::kF32) : x;
}

/// ceil_mode: the last window may begin inside the input or its padding and hang over the end.
struct PoolWindows {
  OnnxWindows base;
  std::vector<int64_t> pad_hi;  ///< with what hangs over
  std::vector<int64_t> positions;
};

PoolWindows pool_windows(OnnxNode& node, const Shape& x) {
  const auto kernel = node.integers("kernel_shape", {});
  PoolWindows out{onnx_windows(node, x, kernel), {}, {}};
  const bool ceil = node.integer("ceil_mode", 0) != 0;
  for (size_t i = 0; i < out.base.windows.size(); i++) {
    const Window& w = out.base.windows[i];
    const int64_t reach = (w.kernel - 1) * w.dilation + 1;
    const int64_t space = out.base.extent[i] + out.base.pad_lo[i] + out.base.pad_hi[i] - reach;
    if (space < 0) node.problem("kernel_shape", "is larger than the padded input of shape " + to_string(x));
    int64_t positions = space / w.stride + 1;
    if (ceil && space % w.stride != 0 && positions * w.stride < out.base.extent[i] + out.base.pad_lo[i]) positions++;
    out.positions.push_back(positions);
    out.pad_hi.push_back(
        std::max((positions - 1) * w.stride + reach - out.base.extent[i] - out.base.pad_lo[i], int64_t{0}));
  }
  return out;
}

std::shared_ptr<PoolAttrs> pool_attrs(const PoolWindows& windows, PoolKind kind) {
  auto attrs = std::make_shared<PoolAttrs>();
  attrs->kind = kind;
  attrs->windows = windows.base.windows;
  const auto zero = [](int64_t p) { return p == 0; };
  if (!std::all_of(windows.base.pad_lo.begin(), windows.base.pad_lo.end(), zero) ||
      !std::all_of(windows.pad_hi.begin(), windows.pad_hi.end(), zero)) {
    attrs->pad_lo = windows.base.pad_lo;
    attrs->pad_hi = windows.pad_hi;
  }
  return attrs;
}

/// Where the maxima stand in x [N, C, s..], flattened: int64.
TensorId max_indices(OnnxNode& node, TensorId x, TensorId maxima, const PoolWindows& windows, bool column_major) {
  const Shape s = node.shape(x);
  auto attrs = std::make_shared<MaxPlaceAttrs>();
  attrs->windows = windows.base.windows;
  attrs->pad_lo = windows.base.pad_lo;
  attrs->weights.assign(s.size() - 2, 1);
  for (size_t a = 0; a < attrs->weights.size(); a++) {
    for (size_t b = 0; b < attrs->weights.size(); b++) {
      if (column_major ? b < a : b > a) attrs->weights[a] *= s[2 + b];
    }
  }
  TensorId first = node.to_channels_last(x);
  if (is_float(node.type(x).type))
    first = node.cast(first, ValueType::kF32), maxima = node.cast(maxima, ValueType::kF32);
  const TensorId place = node.to_channels_first(node.add("max_place", {first, maxima}, attrs));
  const int64_t image = element_count(s) / std::max<int64_t>(s[0] * s[1], 1);
  HostTensor starts(ValueType::kI64, {s[0], s[1]});
  for (int64_t i = 0; i < starts.size(); i++)
    starts.set_int(i, i * image);
  Shape apart(s.size(), 1);
  apart[0] = s[0], apart[1] = s[1];
  return node.binary("add", node.cast(place, ValueType::kI64), node.constant(starts.reshaped(apart), "starts"));
}

void read_max_pool(OnnxNode& node) {
  const bool column_major = node.integer("storage_order", 0) != 0;
  const bool last = node.op() == "NhwcMaxPool";
  const TensorId x = last ? node.to_channels_first(node.in(0)) : as_float(node, node.in(0));
  const PoolWindows windows = pool_windows(node, node.shape(x));
  const TensorId maxima = node.add("pool", {node.to_channels_last(x)}, pool_attrs(windows, PoolKind::kMax));
  node.result(last ? maxima : node.to_channels_first(maxima));
  if (node.wants_output(1)) node.result(max_indices(node, x, maxima, windows, column_major));
}

/// The maxima back where they stood, zeros around them.
void read_max_unpool(OnnxNode& node) {
  const TensorId x = as_float(node, node.in(0));
  const Shape s = node.shape(x);
  const auto kernel = node.integers("kernel_shape", {});
  const auto strides = node.integers("strides", std::vector<int64_t>(kernel.size(), 1));
  const auto pads = node.integers("pads", std::vector<int64_t>(2 * kernel.size(), 0));
  if (s.size() < 3 || kernel.size() + 2 != s.size() || strides.size() != kernel.size() ||
      pads.size() != 2 * kernel.size() || node.shape(node.in(1)) != s)
    node.problem("kernel_shape", "kernel_shape, strides, pads and the indices do not fit the shape " + to_string(s));
  Shape own = s;
  for (size_t i = 0; i < kernel.size(); i++) {
    own[2 + i] = (s[2 + i] - 1) * strides[i] + kernel[i] - pads[i] - pads[i + kernel.size()];
    if (own[2 + i] < 1 || own[2 + i] > 1 << 24) node.problem("kernel_shape", "makes no sane result");
  }
  const Shape out = node.has(2) ? node.constant_integers(2, "output_shape") : own;
  if (out.size() != s.size() || std::any_of(out.begin(), out.end(), [](int64_t n) { return n < 0 || n > 1 << 24; }))
    node.problem("output_shape", to_string(out) + " does not fit the shape " + to_string(s));
  const TensorId zeros = node.broadcast(node.scalar(node.type(x).type, 0), {element_count(out)});
  const TensorId indices = node.reshape(node.cast(node.in(1), ValueType::kI32, Rounding::kToZero), {element_count(s)});
  node.result(node.reshape(
      node.add("scatter", {zeros, indices, node.reshape(x, {element_count(s)})}, std::make_shared<ScatterAttrs>()),
      out));
}

/// How many elements each average is of, [1, o0.., 1]; padding counts where the model says so, what hangs over never.
HostTensor average_factors(const PoolWindows& w, bool include_padding) {
  Shape shape = {1};
  std::vector<std::vector<int64_t>> counts;
  for (size_t i = 0; i < w.positions.size(); i++) {
    std::vector<int64_t> along;
    const Window& window = w.base.windows[i];
    const int64_t lo = include_padding ? -w.base.pad_lo[i] : 0,
                  hi = w.base.extent[i] + (include_padding ? w.base.pad_hi[i] : 0);
    for (int64_t o = 0; o < w.positions[i]; o++) {
      int64_t n = 0;
      for (int64_t k = 0; k < window.kernel; k++) {
        const int64_t at = o * window.stride - w.base.pad_lo[i] + k * window.dilation;
        n += at >= lo && at < hi;
      }
      along.push_back(std::max<int64_t>(n, 1));
    }
    counts.push_back(along);
    shape.push_back(w.positions[i]);
  }
  shape.push_back(1);
  HostTensor out(ValueType::kF32, shape);
  std::vector<size_t> at(counts.size(), 0);
  bool uniform = true;
  for (float& f : out.as<float>()) {
    int64_t n = 1;
    for (size_t i = 0; i < at.size(); i++)
      n *= counts[i][at[i]];
    f = 1.0f / static_cast<float>(n);
    uniform = uniform && f == out.as<float>()[0];
    for (size_t i = at.size(); i-- > 0;) {
      if (++at[i] < counts[i].size()) break;
      at[i] = 0;
    }
  }
  return uniform && out.size() > 0 ? HostTensor::scalar(out.as<float>()[0]) : out;
}

/// Sums, then times the reciprocal of the count. Integers (QLinearAveragePool) are dequantized before.
TensorId average_pool(OnnxNode& node, TensorId x) {
  const PoolWindows windows = pool_windows(node, node.shape(x));
  if (std::any_of(windows.positions.begin(), windows.positions.end(), [](int64_t p) { return p > 1 << 20; }))
    node.problem("kernel_shape", "makes a result that is too large");
  auto attrs = pool_attrs(windows, PoolKind::kSum);
  const bool include = node.integer("count_include_pad", 0) != 0;
  attrs->steps = {onnx_step("mul", node.type(x).type, {1})};
  const TensorId factor = node.constant(average_factors(windows, include), "factor");
  return node.to_channels_first(node.add("pool", {node.to_channels_last(x), factor}, attrs));
}

void read_average_pool(OnnxNode& node) { node.result(average_pool(node, as_float(node, node.in(0)))); }

/// (sum |x|^p)^(1/p).
void read_lp_pool(OnnxNode& node) {
  const TensorId x = as_float(node, node.in(0));
  const int64_t p = node.integer("p", 2);
  if (p < 1) node.problem("p", std::to_string(p) + " is no norm");
  const ValueType type = node.type(x).type;
  TensorId powers = p % 2 != 0 ? node.unary("abs", x) : node.binary("mul", x, x);
  // By squares and products, exact where pow by logarithms is not.
  const TensorId once = p % 2 != 0 ? powers : kNone, square = p > 2 ? node.binary("mul", x, x) : kNone;
  if (p > 16) powers = node.binary("pow", node.unary("abs", x), node.scalar(type, static_cast<double>(p)));
  for (int64_t n = once.valid() ? 1 : 2; p <= 16 && n < p; n += 2)
    powers = node.binary("mul", powers, square);
  const TensorId sum = node.to_channels_first(
      node.add("pool", {node.to_channels_last(powers)}, pool_attrs(pool_windows(node, node.shape(x)), PoolKind::kSum)));
  node.result(p == 1   ? sum
              : p == 2 ? node.unary("sqrt", sum)
                       : node.binary("pow", sum, node.scalar(type, 1.0 / static_cast<double>(p))));
}

TensorId reduce(OnnxNode& node, TensorId x, ReduceKind kind, const std::vector<int64_t>& axes, bool keep,
                std::vector<PointwiseStep> steps = {}, std::vector<TensorId> operands = {}) {
  auto attrs = std::make_shared<ReduceAttrs>();
  attrs->kind = kind;
  attrs->axes = axes;
  attrs->keep_dims = keep;
  attrs->sum_order = onnx_sum_order(axes, node.rank(x));
  attrs->steps = std::move(steps);
  operands.insert(operands.begin(), x);
  return node.add("reduce", std::move(operands), attrs);
}

int64_t count_of(OnnxNode& node, TensorId x, const std::vector<int64_t>& axes) {
  int64_t n = 1;
  for (int64_t a : axes)
    n *= node.shape(x)[static_cast<size_t>(a)];
  return n;
}

TensorId mean(OnnxNode& node, TensorId x, const std::vector<int64_t>& axes, bool keep) {
  const int64_t n = count_of(node, x, axes);
  if (n == 0) node.problem("axes", "there is nothing to take a mean of");
  return reduce(node, x, ReduceKind::kSum, axes, keep, {onnx_step("mul", node.type(x).type, {1})},
                {node.scalar(1.0f / static_cast<float>(n))});
}

/// Channels-last, so that what surrounds it stays so; the result's spatial extents are 1.
TensorId global_pool(OnnxNode& node, TensorId x, bool maximum) {
  if (node.rank(x) < 3) node.problem("input", "has no spatial axes");
  const TensorId last = node.to_channels_last(x);
  std::vector<int64_t> axes;
  for (int64_t d = 1; d < node.rank(x) - 1; d++)
    axes.push_back(d);
  return node.to_channels_first(maximum ? reduce(node, last, ReduceKind::kMax, axes, true)
                                        : mean(node, last, axes, true));
}

void read_global_pool(OnnxNode& node) {
  node.result(global_pool(node, as_float(node, node.in(0)), node.op() == "GlobalMaxPool"));
}

/// The p-norm over the spatial axes.
void read_global_lp_pool(OnnxNode& node) {
  const TensorId x = as_float(node, node.in(0));
  const int64_t p = node.integer("p", 2);
  if (node.rank(x) < 3) node.problem("input", "has no spatial axes");
  if (p != 1 && p != 2) node.unsupported("p", std::to_string(p) + " is not supported; 1 and 2 are");
  std::vector<int64_t> axes;
  for (int64_t d = 2; d < node.rank(x); d++)
    axes.push_back(d);
  const TensorId sum =
      reduce(node, p == 1 ? node.unary("abs", x) : node.binary("mul", x, x), ReduceKind::kSum, axes, true);
  node.result(node.cast(p == 1 ? sum : node.unary("sqrt", sum), node.type(x).type));
}

struct ReduceOf {
  std::vector<int64_t> axes;
  bool keep, nothing;
};
/// Axes are an attribute before opset 18 (ReduceSum: 13), then an operand; none means all, or nothing at all.
ReduceOf reduce_axes(OnnxNode& node, TensorId x) {
  ReduceOf out{{}, node.integer("keepdims", 1) != 0, false};
  const bool stated = node.has(1) || node.has_attribute("axes");
  out.axes = node.has(1) ? node.constant_integers(1, "axes") : node.integers("axes", {});
  if (out.axes.empty() || !stated) {
    out.nothing = node.integer("noop_with_empty_axes", 0) != 0;
    out.axes.resize(static_cast<size_t>(node.rank(x)));
    std::iota(out.axes.begin(), out.axes.end(), 0);
  } else {
    node.ignore("noop_with_empty_axes");
    out.axes = node.axes(out.axes, node.rank(x));
  }
  return out;
}

/// The extreme of nothing.
TensorId empty_reduction(OnnxNode& node, const Shape& s, const ReduceOf& how, bool max, ValueType type) {
  Shape out;
  for (int64_t d = 0; d < static_cast<int64_t>(s.size()); d++) {
    const bool over = std::binary_search(how.axes.begin(), how.axes.end(), d);
    if (!over || how.keep) out.push_back(over ? 1 : s[static_cast<size_t>(d)]);
  }
  const double infinity = std::numeric_limits<double>::infinity();
  if (is_float(type)) return node.broadcast(node.scalar(type, max ? -infinity : infinity), out);
  HostTensor value(type, {});
  if (is_integer(type)) value.set_int(0, max ? info(type).min : info(type).max);
  if (type == ValueType::kBool) value.bytes()[0] = max ? 0 : 1;
  return node.broadcast(node.constant(std::move(value)), out);
}

void read_reduce(OnnxNode& node) {
  const std::string op = node.op().substr(6);
  TensorId x = as_float(node, node.in(0));
  const ReduceOf how = reduce_axes(node, x);
  if ((op == "Max" || op == "Min") && !how.nothing && count_of(node, x, how.axes) == 0)
    return node.result(empty_reduction(node, node.shape(x), how, op == "Max", node.type(x).type));
  if (node.type(x).type == ValueType::kBool) {
    const TensorId bits = node.cast(x, ValueType::kU8);
    if (how.nothing) return node.result(x);
    if (op != "Max" && op != "Min") node.unsupported("input", "is bool");
    return node.result(node.cast(
        reduce(node, bits, op == "Max" ? ReduceKind::kMax : ReduceKind::kMin, how.axes, how.keep), ValueType::kBool));
  }
  const ValueType type = node.type(x).type;
  if (op == "L1")
    x = is_float(type) ? node.unary("abs", x) : node.binary("max", x, node.binary("sub", node.scalar(type, 0), x));
  if (op == "LogSumExp" && !how.nothing) {
    const TensorId top = reduce(node, x, ReduceKind::kMax, how.axes, true);
    const TensorId sum = reduce(node, node.unary("exp", node.binary("sub", x, top)), ReduceKind::kSum, how.axes, true);
    const TensorId y = node.binary("add", node.unary("log", sum), top);
    Shape dropped;
    for (int64_t d = 0; d < node.rank(x); d++) {
      if (!std::binary_search(how.axes.begin(), how.axes.end(), d))
        dropped.push_back(node.shape(x)[static_cast<size_t>(d)]);
    }
    return node.result(how.keep ? y : node.reshape(y, dropped));
  }
  if (op == "L2" || op == "SumSquare") x = node.binary("mul", x, x);
  TensorId y = x;
  if (!how.nothing) {
    if (op == "Mean") {
      if (is_float(type)) {
        y = mean(node, x, how.axes, how.keep);
      } else {
        const int64_t n = count_of(node, x, how.axes);
        if (n == 0) node.problem("axes", "there is nothing to take a mean of");
        y = reduce(node, x, ReduceKind::kSum, how.axes, how.keep);
        y = node.binary("div", y, node.scalar(node.type(y).type, static_cast<double>(n)));
        y = node.cast(y, type);
      }
    } else {
      const ReduceKind kind = op == "Max"    ? ReduceKind::kMax
                              : op == "Min"  ? ReduceKind::kMin
                              : op == "Prod" ? ReduceKind::kProduct
                                             : ReduceKind::kSum;
      y = reduce(node, x, kind, how.axes, how.keep);
      if (node.type(y).type != type) y = node.cast(y, type);
    }
  }
  if (op == "L2") y = node.unary("sqrt", y);
  if (op == "LogSum" || op == "LogSumExp") y = node.unary("log", op == "LogSumExp" ? node.unary("exp", y) : y);
  node.result(y);
}

/// Before opset 13 over all axes from `axis` on, as one.
TensorId softmax_along(OnnxNode& node, TensorId x, int64_t axis, bool flat, bool log) {
  auto attrs = std::make_shared<SoftmaxAttrs>();
  attrs->log = log;
  const int64_t rank = node.rank(x);
  if (const ValueType type = node.type(x).type; type != ValueType::kF32) attrs->steps = {onnx_step("cast", type)};
  if (!flat || axis == rank - 1)
    return node.last_to_axis(node.add("softmax", {node.axis_to_last(x, axis)}, attrs), axis);
  const Shape s = node.shape(x);
  const int64_t rows = std::accumulate(s.begin(), s.begin() + axis, int64_t{1}, std::multiplies<>());
  const TensorId y =
      node.add("softmax", {node.reshape(x, {rows, element_count(s) / std::max<int64_t>(rows, 1)})}, attrs);
  return node.reshape(y, s);
}

void read_softmax(OnnxNode& node) {
  const TensorId x = as_float(node, node.in(0));
  if (node.rank(x) == 0) node.problem("input", "is a scalar");
  const bool flat = node.opset < 13;
  const int64_t axis = node.axis(node.integer("axis", flat ? 1 : -1), node.rank(x));
  node.result(softmax_along(node, x, axis, flat, node.op() == "LogSoftmax"));
}

TensorId layer_norm(OnnxNode& node, TensorId x, TensorId scale, TensorId bias, int64_t axes, double epsilon, bool rms) {
  auto attrs = std::make_shared<LayerNormAttrs>();
  attrs->axes = axes;
  attrs->epsilon = epsilon;
  attrs->rms = rms;
  if (const ValueType type = node.type(x).type; type != ValueType::kF32) attrs->steps = {onnx_step("cast", type)};
  std::vector<TensorId> operands = {x, scale, bias};
  while (!operands.back().valid())
    operands.pop_back();
  return node.add("layer_norm", std::move(operands), attrs);
}

void read_layer_norm(OnnxNode& node) {
  const TensorId x = as_float(node, node.in(0));
  node.ignore("stash_type");
  const int64_t axis = node.axis(node.integer("axis", -1), node.rank(x)), axes = node.rank(x) - axis;
  Shape tail = node.shape(x);
  tail.erase(tail.begin(), tail.begin() + axis);
  const bool rms = node.op() != "LayerNormalization";
  TensorId scale = as_float(node, node.in(1)), bias = node.has(2) ? as_float(node, node.in(2)) : kNone;
  const double epsilon = node.number("epsilon", static_cast<double>(1e-5f));
  const auto statistics = [&] {
    if (node.output_count() < 2) return;
    // Mean and the reciprocal deviation, as later results.
    std::vector<int64_t> over;
    for (int64_t d = axis; d < node.rank(x); d++)
      over.push_back(d);
    const TensorId average = mean(node, x, over, true);
    const TensorId centered = node.binary("sub", x, average);
    const TensorId variance = mean(node, node.binary("mul", centered, centered), over, true);
    node.result(average);
    node.result(node.unary("rsqrt", node.binary("add", variance, node.scalar(node.type(x).type, epsilon))));
  };
  if (element_count(node.shape(scale)) == element_count(tail) &&
      (!bias.valid() || element_count(node.shape(bias)) == element_count(tail))) {
    node.result(layer_norm(node, x, node.reshape(scale, tail), bias.valid() ? node.reshape(bias, tail) : kNone, axes,
                           epsilon, rms));
    return statistics();
  }
  TensorId y = node.binary("mul", layer_norm(node, x, kNone, kNone, axes, epsilon, rms), scale);
  node.result(bias.valid() ? node.binary("add", y, bias) : y);
  statistics();
}

/// A vector per channel as it broadcasts to [N, C, s..].
TensorId per_channel(OnnxNode& node, TensorId v, int64_t rank) {
  Shape shape(static_cast<size_t>(rank), 1);
  shape[1] = element_count(node.shape(v));
  return node.reshape(as_float(node, v), shape);
}

/// Each image's channels (or groups of them) normalized over what they hold.
void read_group_norm(OnnxNode& node) {
  const TensorId x = as_float(node, node.in(0));
  const Shape s = node.shape(x);
  if (s.size() < 3) node.problem("input", "has no spatial axes");
  const bool instance = node.op() == "InstanceNormalization";
  node.ignore("stash_type");
  const int64_t groups = instance ? s[1] : node.integer("num_groups", 0);
  if (groups < 1 || s[1] % groups != 0)
    node.problem("num_groups", std::to_string(groups) + " does not divide the channels");
  const double epsilon = node.number("epsilon", static_cast<double>(1e-5f));
  const TensorId flat = node.reshape(x, {s[0], groups, element_count(s) / std::max<int64_t>(s[0] * groups, 1)});
  const TensorId y = node.reshape(layer_norm(node, flat, kNone, kNone, 1, epsilon, false), s);
  TensorId scale = node.in(1), bias = node.in(2);
  if (!instance && node.opset < 21) {
    // One value per group then.
    for (TensorId* t : {&scale, &bias}) {
      const TensorId wide = node.broadcast(node.reshape(*t, {groups, 1}), {groups, s[1] / groups});
      *t = node.reshape(wide, {s[1]});
    }
  }
  node.result(node.pointwise(y, {onnx_step("fma", node.type(x).type, {1, 2})},
                             {per_channel(node, scale, node.rank(x)), per_channel(node, bias, node.rank(x))}));
}

/// x / (bias + alpha / size * sum of squares over `size` channels) ^ beta.
void read_lrn(OnnxNode& node) {
  const TensorId x = as_float(node, node.in(0));
  const int64_t size = node.integer("size", 0);
  if (size < 1 || size > 1 << 20 || node.rank(x) < 3) node.problem("size", std::to_string(size) + " is out of range");
  const TensorId last = node.to_channels_last(x);
  const Shape s = node.shape(last);
  const int64_t c = s.back();
  // Channels as the one spatial axis of a pooling: [rows, c, 1].
  auto attrs = std::make_shared<PoolAttrs>();
  attrs->kind = PoolKind::kSum;
  attrs->windows = {{size, 1, 1}};
  attrs->pad_lo = {(size - 1) / 2};
  attrs->pad_hi = {size / 2};
  const TensorId squares =
      node.reshape(node.binary("mul", last, last), {element_count(s) / std::max<int64_t>(c, 1), c, 1});
  const TensorId sums = node.reshape(node.add("pool", {squares}, attrs), s);
  const double alpha = node.number("alpha", 1e-4), beta = node.number("beta", 0.75), bias = node.number("bias", 1);
  const TensorId base = node.pointwise(
      sums, {onnx_step("fma", ValueType::kF32, {1, 2})},
      {node.scalar(static_cast<float>(alpha / static_cast<double>(size))), node.scalar(static_cast<float>(bias))});
  node.result(node.to_channels_first(
      node.binary("mul", last, node.binary("pow", base, node.scalar(static_cast<float>(-beta))))));
}

/// (x - mean) / sqrt(variance) over `axes`.
void read_mean_variance(OnnxNode& node) {
  const TensorId x = as_float(node, node.in(0));
  const auto axes = node.axes(node.integers("axes", {0, 2, 3}), node.rank(x));
  const TensorId centered = node.binary("sub", x, mean(node, x, axes, true));
  const TensorId deviation = node.unary("sqrt", mean(node, node.binary("mul", centered, centered), axes, true));
  node.result(node.binary("div", centered, node.binary("add", deviation, node.scalar(1e-9f))));
}

void read_lp_norm(OnnxNode& node) {
  const TensorId x = as_float(node, node.in(0));
  const int64_t p = node.integer("p", 2);
  if (p != 1 && p != 2) node.unsupported("p", std::to_string(p) + " is not supported; 1 and 2 are");
  const std::vector<int64_t> axes = {node.axis(node.integer("axis", -1), node.rank(x))};
  const TensorId sum =
      reduce(node, p == 1 ? node.unary("abs", x) : node.binary("mul", x, x), ReduceKind::kSum, axes, true);
  const TensorId norm = p == 1 ? sum : node.unary("sqrt", sum);
  // Nothing divided by nothing is nothing.
  const TensorId zero = node.scalar(0.0f);
  const TensorId safe = node.select(node.compare("equal", norm, zero), node.scalar(1.0f), norm);
  node.result(node.binary("div", x, safe));
}

/// com.microsoft QLinearSoftmax: over the last axes as the attribute opset says.
void read_qlinear_softmax(OnnxNode& node) {
  const TensorId q = node.in(0), zero = node.has(4) ? node.in(4) : node.scalar(node.type(q).type, 0);
  std::vector<TensorId> from = {node.in(1)};
  PointwiseStep dequantize = onnx_step("dequantize", ValueType::kF32, {1});
  if (node.has(2)) {
    from.push_back(node.in(2));
    dequantize.operands.push_back(2);
  }
  const TensorId x = node.pointwise(q, {dequantize}, from);
  const bool flat = node.integer("opset", 13) < 13;
  const int64_t axis = node.axis(node.integer("axis", -1), node.rank(x));
  PointwiseStep quantize = onnx_step("quantize", node.type(zero).type, {1, 2});
  quantize.zero_point_after = true;
  node.result(node.pointwise(softmax_along(node, x, axis, flat, false), {quantize}, {node.in(3), zero}));
}

/// com.microsoft pooling of 8-bit tensors: x, scale, zero, y scale, y zero.
void read_qlinear_pool(OnnxNode& node) {
  const TensorId q = node.in(0);
  const bool global = node.op() == "QLinearGlobalAveragePool";
  const bool last = node.integer("channels_last", 0) != 0;
  PointwiseStep dequantize = onnx_step("dequantize", ValueType::kF32, {1});
  std::vector<TensorId> from = {node.in(1)};
  if (node.has(2)) {
    from.push_back(node.in(2));
    dequantize.operands.push_back(2);
  }
  TensorId x = node.pointwise(q, {dequantize}, from);
  if (last) x = node.to_channels_first(x);
  TensorId y = global ? global_pool(node, x, false) : average_pool(node, x);
  if (last) y = node.to_channels_last(y);
  const TensorId zero = node.has(4) ? node.in(4) : node.scalar(node.type(q).type, 0);
  PointwiseStep quantize = onnx_step("quantize", node.type(zero).type, {1, 2});
  quantize.zero_point_after = true;
  node.result(node.pointwise(y, {quantize}, {node.in(3), zero}));
}

const OnnxOps::Add kOps({
    {"MaxUnpool", read_max_unpool},
    {"MaxPool", read_max_pool},
    {"com.microsoft:NhwcMaxPool", read_max_pool},
    {"GlobalLpPool", read_global_lp_pool},
    {"AveragePool", read_average_pool},
    {"LpPool", read_lp_pool},
    {"GlobalAveragePool", read_global_pool},
    {"GlobalMaxPool", read_global_pool},
    {"ReduceSum", read_reduce},
    {"ReduceMean", read_reduce},
    {"ReduceMax", read_reduce},
    {"ReduceMin", read_reduce},
    {"ReduceProd", read_reduce},
    {"ReduceL1", read_reduce},
    {"ReduceL2", read_reduce},
    {"ReduceSumSquare", read_reduce},
    {"ReduceLogSum", read_reduce},
    {"ReduceLogSumExp", read_reduce},
    {"Softmax", read_softmax},
    {"LogSoftmax", read_softmax},
    {"LayerNormalization", read_layer_norm},
    {"RMSNormalization", read_layer_norm},
    {"SimplifiedLayerNormalization", read_layer_norm},
    {"InstanceNormalization", read_group_norm},
    {"GroupNormalization", read_group_norm},
    {"LRN", read_lrn},
    {"MeanVarianceNormalization", read_mean_variance},
    {"LpNormalization", read_lp_norm},
    {"com.microsoft:QLinearSoftmax", read_qlinear_softmax},
    {"com.microsoft:QLinearAveragePool", read_qlinear_pool},
    {"com.microsoft:QLinearGlobalAveragePool", read_qlinear_pool},
});

}  // namespace
}  // namespace qlathe
