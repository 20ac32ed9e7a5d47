// BatchNormalization.
#include <cmath>
#include <numeric>

#include "frontend/formats/onnx/node.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

TensorId as_float(OnnxNode& node, TensorId x) {
  return node.type(x).type == ValueType::kF64 ? node.cast(x, ValueType::kF32) : x;
}

/// Of the channels, which are the last axis.
TensorId channel_means(OnnxNode& node, TensorId x) {
  auto attrs = std::make_shared<ReduceAttrs>();
  attrs->axes.resize(static_cast<size_t>(node.rank(x) - 1));
  std::iota(attrs->axes.begin(), attrs->axes.end(), 0);
  attrs->keep_dims = false;
  attrs->sum_order = SumOrder::kSequential;
  attrs->steps = {onnx_step("mul", node.type(x).type, {1})};
  const int64_t channels = node.shape(x).back(), all = element_count(node.shape(x));
  if (all == 0) node.problem("X", "there is nothing to take a mean of");
  const TensorId factor = node.scalar(node.type(x).type, static_cast<double>(channels) / static_cast<double>(all));
  return node.add("reduce", {x, factor}, attrs);
}

/// BatchNormalization whose statistics are computed while the model runs: those of the batch in training mode, where
/// the running ones are results too.
void normalize_batch(OnnxNode& node, TensorId x, bool training) {
  const double epsilon = node.number("epsilon", static_cast<double>(1e-5f)), momentum = node.number("momentum", 0.9);
  const TensorId last = node.rank(x) == 2 ? x : node.to_channels_last(x);
  const TensorId average = training ? channel_means(node, last) : as_float(node, node.in(3)),
                 centered = node.binary("sub", last, average),
                 variance = training ? channel_means(node, node.binary("mul", centered, centered))
                                     : as_float(node, node.in(4));
  const ValueType type = node.type(x).type;
  const TensorId deviation = node.unary("sqrt", node.binary("add", variance, node.scalar(type, epsilon)));
  const TensorId y = node.pointwise(node.binary("div", centered, deviation),
                                    {onnx_step("mul", type, {1}), onnx_step("add", type, {2})},
                                    {as_float(node, node.in(1)), as_float(node, node.in(2))});
  node.result(node.rank(x) == 2 ? y : node.to_channels_first(y));
  if (!training) return;
  const auto running = [&](size_t i, TensorId now) {
    const TensorId before = as_float(node, node.in(i));
    return node.binary("add", node.binary("mul", before, node.scalar(node.type(before).type, momentum)),
                       node.binary("mul", now, node.scalar(node.type(now).type, 1 - momentum)));
  };
  node.result(running(3, average));
  node.result(running(4, variance));
}

/// y = (x - mean) * scale / sqrt(var + epsilon) + bias, as one multiply-add per channel; the pass fold_affine moves it
/// into the product before it.
void read_batch_norm(OnnxNode& node) {
  const TensorId x = as_float(node, node.in(0));
  node.ignore("is_test");
  if (node.rank(x) < 2) node.problem("X", "of shape " + to_string(node.shape(x)) + " has no channels");
  for (size_t i = 1; i < 5; i++) {
    if (node.shape(node.in(i)) != Shape{node.shape(x)[1]})
      node.problem("scale", "scale, B, mean and var need one value for each channel of " + to_string(node.shape(x)));
  }
  if (node.integer("spatial", 1) != 1) node.unsupported("spatial", "0 is not supported", "export at opset 9 or later");
  const bool training = node.integer("training_mode", 0) != 0;
  const bool known = node.is_constant(1) && node.is_constant(2) && node.is_constant(3) && node.is_constant(4);
  if (training || !known) return normalize_batch(node, x, training);
  node.ignore("momentum");
  const auto scale = node.constant_numbers(1, "scale"), bias = node.constant_numbers(2, "B"),
             average = node.constant_numbers(3, "mean"), variance = node.constant_numbers(4, "var");
  const double epsilon = node.number("epsilon", static_cast<double>(1e-5f));
  const size_t n = scale.size();
  std::vector<float> factor(n), offset(n);
  for (size_t c = 0; c < n; c++) {
    const double a = scale[c] / std::sqrt(variance[c] + epsilon);
    factor[c] = static_cast<float>(a);
    offset[c] = static_cast<float>(bias[c] - average[c] * a);
    if (!std::isfinite(factor[c]) || !std::isfinite(offset[c]))
      node.problem("var", "channel " + std::to_string(c) + " gives no finite factor");
  }
  const auto channels = static_cast<int64_t>(n);
  const TensorId a = node.constant(HostTensor::of(ValueType::kF32, {channels}, factor), "factor"),
                 b = node.constant(HostTensor::of(ValueType::kF32, {channels}, offset), "offset");
  if (node.rank(x) == 2) return node.result(node.pointwise(x, {onnx_step("fma", node.type(x).type, {1, 2})}, {a, b}));
  const TensorId last = node.to_channels_last(x);
  node.result(node.to_channels_first(node.pointwise(last, {onnx_step("fma", node.type(x).type, {1, 2})}, {a, b})));
  if (node.output_count() > 1) {
    for (int i = 1; i < node.output_count(); i++) {
      if (node.wants_output(i))
        node.unsupported("output", "running statistics are not supported", "export in evaluation mode");
    }
  }
}

const OnnxOps::Add kOps({{"BatchNormalization", read_batch_norm}});

}  // namespace
}  // namespace qlathe
