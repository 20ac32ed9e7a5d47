#include "frontend/formats/onnx/windows.h"

#include <algorithm>

#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

/// Extents and sizes in files are bounded, so that sums and products of a few of them do not overflow.
constexpr int64_t kMaxSize = int64_t{1} << 30;

std::vector<int64_t> sizes(OnnxNode& node, const char* name, size_t axes, int64_t fallback, int64_t least) {
  const auto out = node.integers(name, std::vector<int64_t>(axes, fallback));
  if (out.size() != axes)
    node.problem(name, "has " + std::to_string(out.size()) + " entries for " + std::to_string(axes) + " axes");
  for (int64_t v : out) {
    if (v < least || v > kMaxSize) node.problem(name, std::to_string(v) + " is out of range");
  }
  return out;
}

}  // namespace

OnnxWindows onnx_windows(OnnxNode& node, const Shape& x, const std::vector<int64_t>& kernel) {
  if (x.size() < 3 || x.size() > 5)
    node.unsupported("input", "of shape " + to_string(x) + " has no 1 to 3 spatial axes");
  const size_t axes = x.size() - 2;
  if (kernel.size() != axes)
    node.problem("kernel_shape",
                 "has " + std::to_string(kernel.size()) + " entries for " + std::to_string(axes) + " axes");
  OnnxWindows out;
  out.extent.assign(x.begin() + 2, x.end());
  const auto strides = sizes(node, "strides", axes, 1, 1), dilations = sizes(node, "dilations", axes, 1, 1);
  const auto pads = sizes(node, "pads", 2 * axes, 0, 0);
  for (size_t i = 0; i < axes; i++) {
    if (kernel[i] < 1 || kernel[i] > kMaxSize || out.extent[i] > kMaxSize)
      node.problem("kernel_shape", std::to_string(kernel[i]) + " is out of range");
    out.windows.push_back({kernel[i], strides[i], dilations[i]});
    out.pad_lo.push_back(pads[i]);
    out.pad_hi.push_back(pads[i + axes]);
  }
  const std::string automatic = node.string("auto_pad", "NOTSET");
  if (automatic == "NOTSET") return out;
  if (automatic != "VALID" && automatic != "SAME_UPPER" && automatic != "SAME_LOWER")
    node.problem("auto_pad", in_quotes(automatic) + " is not known");
  for (size_t i = 0; i < axes; i++) {
    const Window& w = out.windows[i];
    const int64_t positions = (out.extent[i] + w.stride - 1) / w.stride;
    const int64_t total =
        automatic == "VALID"
            ? 0
            : std::max<int64_t>((positions - 1) * w.stride + (w.kernel - 1) * w.dilation + 1 - out.extent[i], 0);
    const int64_t small = total / 2;
    out.pad_lo[i] = automatic == "SAME_LOWER" ? total - small : small;
    out.pad_hi[i] = total - out.pad_lo[i];
  }
  return out;
}

std::vector<PointwiseStep> onnx_requantize_steps(OnnxNode& node, TensorId bias, TensorId multiplier,
                                                 TensorId zero_point, ValueType type, int64_t first,
                                                 std::vector<TensorId>& operands) {
  std::vector<PointwiseStep> steps;
  const auto operand = [&](TensorId t) {
    operands.push_back(t);
    return first + static_cast<int64_t>(operands.size()) - 1;
  };
  if (bias.valid()) steps.push_back(onnx_step("add", ValueType::kI32, {operand(bias)}));
  steps.push_back(onnx_step("cast", ValueType::kF32));
  steps.push_back(onnx_step("mul", ValueType::kF32, {operand(multiplier)}));
  PointwiseStep quantize = onnx_step("quantize", type);
  quantize.operands = {operand(node.scalar(1.0f)), operand(zero_point)};
  quantize.zero_point_after = true;
  steps.push_back(quantize);
  return steps;
}

TensorId onnx_parameter(OnnxNode& node, TensorId given, int64_t rank, int64_t axis) {
  Shape shape(static_cast<size_t>(rank), 1);
  const int64_t n = element_count(node.shape(given));
  if (n != 1) shape[static_cast<size_t>(axis)] = n;
  return node.reshape(given, shape);
}

}  // namespace qlathe
