#include "frontend/formats/onnx/dynamic_quantize.h"

#include <limits>

#include "frontend/ops/reduction.h"

namespace qlathe {

DynamicallyQuantized onnx_dynamic_quantize(OnnxNode& node, TensorId x) {
  std::vector<int64_t> axes;
  for (int64_t d = 0; d < node.rank(x); d++)
    axes.push_back(d);
  const auto extreme = [&](ReduceKind kind, const char* step) {
    auto attrs = std::make_shared<ReduceAttrs>();
    attrs->kind = kind;
    attrs->axes = axes;
    attrs->steps = {onnx_step(step, ValueType::kF32, {1})};
    return node.add("reduce", {x, node.scalar(0.0f)}, attrs);
  };
  const TensorId hi = extreme(ReduceKind::kMax, "max"), lo = extreme(ReduceKind::kMin, "min");
  // An input of zeros has the scale 1.
  PointwiseStep guard = onnx_step("nonzero_scale");
  guard.lo = static_cast<double>(std::numeric_limits<float>::denorm_min());
  DynamicallyQuantized out;
  out.scale =
      node.pointwise(hi, {onnx_step("sub", ValueType::kF32, {1}), onnx_step("div", ValueType::kF32, {2}), guard},
                     {lo, node.scalar(255.0f)});
  out.zero_point = node.pointwise(
      lo, {onnx_step("neg"), onnx_step("div", ValueType::kF32, {1}), onnx_step("cast", ValueType::kU8)}, {out.scale});
  PointwiseStep quantize = onnx_step("quantize", ValueType::kU8, {1, 2});
  quantize.zero_point_after = true;
  out.q = node.pointwise(x, {quantize}, {out.scale, out.zero_point});
  return out;
}

}  // namespace qlathe
