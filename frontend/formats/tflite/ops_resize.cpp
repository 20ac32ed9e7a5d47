// RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: gathers along both axes with constant indices and weights.
#include <algorithm>
#include <cmath>

#include "frontend/formats/tflite/quantized.h"

namespace qlathe {
namespace {

constexpr int64_t kMaxExtent = int64_t{1} << 20;  // pixels of a side; tables of all positions are made

struct Size {
  int64_t in = 0, out = 0;
  bool align_corners = false, half_pixel_centers = false;
};

std::vector<Size> sizes(TfliteNode& node, bool align_corners, bool half_pixel_centers) {
  const Shape s = node.in_shape(0);
  const auto to = node.constant_integers(1, "size");
  if (s.size() != 4 || to.size() != 2) node.problem("size", "does not fit an input of " + to_string(s));
  std::vector<Size> out;
  for (size_t d = 0; d < 2; d++) {
    if (to[d] < 1 || to[d] > kMaxExtent || s[d + 1] < 1 || s[d + 1] > kMaxExtent)
      node.problem("size", std::to_string(to[d]) + " is out of range");
    out.push_back({s[d + 1], to[d], align_corners, half_pixel_centers});
  }
  return out;
}

/// LiteRT's GetNearestNeighbor.
int64_t nearest(const Size& s, int64_t o) {
  const float scale = s.align_corners && s.out > 1 ? static_cast<float>(s.in - 1) / static_cast<float>(s.out - 1)
                                                   : static_cast<float>(s.in) / static_cast<float>(s.out);
  const float at = (static_cast<float>(o) + (s.half_pixel_centers ? 0.5f : 0.0f)) * scale;
  const auto index = static_cast<int64_t>(s.align_corners ? std::round(at) : std::floor(at));
  return std::clamp<int64_t>(index, 0, s.in - 1);
}

void read_nearest(TfliteNode& node) {
  const auto& o = node.options<tflite::ResizeNearestNeighborOptions>();
  TensorId x = node.in(0);
  const auto to = sizes(node, o.align_corners(), o.half_pixel_centers());
  for (size_t d = 0; d < 2; d++) {
    std::vector<int64_t> index;
    for (int64_t i = 0; i < to[d].out; i++)
      index.push_back(nearest(to[d], i));
    x = node.gather(x, node.integer_vector(index), static_cast<int64_t>(d) + 1);
  }
  node.result(x);
}

/// The two elements that a result lies between, and how much of each.
template <class Weight>
struct Taps {
  std::vector<int64_t> lower, upper;
  std::vector<Weight> of_lower, of_upper;
};

/// LiteRT's ComputeInterpolationValues, in float32.
Taps<float> float_taps(const Size& s) {
  float scale = static_cast<float>(s.in) / static_cast<float>(s.out);
  if (s.align_corners && s.out > 1) scale = static_cast<float>(s.in - 1) / static_cast<float>(s.out - 1);
  Taps<float> out;
  for (int64_t i = 0; i < s.out; i++) {
    const auto x = static_cast<float>(i);
    const float at = s.half_pixel_centers ? (x + 0.5f) * scale - 0.5f : x * scale;
    const int64_t lower = std::max<int64_t>(static_cast<int64_t>(std::floor(at)), 0);
    out.lower.push_back(std::min(lower, s.in - 1));
    out.upper.push_back(std::clamp<int64_t>(static_cast<int64_t>(std::ceil(at)), 0, s.in - 1));
    const float rest = at - static_cast<float>(lower);
    out.of_lower.push_back(1.0f - rest);
    out.of_upper.push_back(rest);
  }
  return out;
}

/// The same with ten bits of fraction, for int8 and int16.
Taps<int32_t> fixed_taps(const Size& s) {
  int64_t scale = ((s.in << 10) + s.out / 2) / s.out;
  if (s.align_corners && s.out > 1) scale = (((s.in - 1) << 10) + (s.out - 1) / 2) / (s.out - 1);
  Taps<int32_t> out;
  for (int64_t i = 0; i < s.out; i++) {
    const int64_t at = s.half_pixel_centers ? i * scale + scale / 2 - (1 << 9) : i * scale;
    const int64_t lower = std::max<int64_t>(at / 1024, 0);
    out.lower.push_back(std::min(lower, s.in - 1));
    out.upper.push_back(std::clamp<int64_t>((at + 1023) / 1024, 0, s.in - 1));
    const auto rest = static_cast<int32_t>(at - (lower << 10));
    out.of_lower.push_back(1024 - rest);
    out.of_upper.push_back(rest);
  }
  return out;
}

/// XNNPACK's xnn_indirection_init_resize_bilinear2d_hwc_q11: positions in float32, eleven bits of fraction.
Taps<int32_t> xnnpack_taps(const Size& s) {
  const int64_t less = s.align_corners && s.out != 1 ? 1 : 0;
  const float scale = static_cast<float>(s.in - less) / static_cast<float>(s.out - less);
  const auto last = static_cast<float>(s.in - 1);
  const bool centers = s.half_pixel_centers && !s.align_corners;
  const float offset = centers ? 0.5f * scale - 0.5f : 0.0f;
  Taps<int32_t> out;
  for (int64_t i = 0; i < s.out; i++) {
    const float at = std::min(std::max(static_cast<float>(i) * scale + offset, 0.0f), last);
    const auto lower = static_cast<int64_t>(at);
    out.lower.push_back(lower);
    out.upper.push_back(std::min(lower + 1, s.in - 1));
    const auto rest = static_cast<int32_t>(std::lrint((at - static_cast<float>(lower)) * 2048.0f));
    out.of_lower.push_back(2048 - rest);
    out.of_upper.push_back(rest);
  }
  return out;
}

template <class Weight>
TensorId weights(TfliteNode& node, ValueType type, const std::vector<Weight>& values, size_t d) {
  Shape shape(4, 1);
  shape[d + 1] = static_cast<int64_t>(values.size());
  return node.constant(HostTensor::of(type, shape, values), "weight");
}

Taps<int64_t> wide(const Taps<int32_t>& t) {
  const auto longer = [](const std::vector<int32_t>& v) { return std::vector<int64_t>(v.begin(), v.end()); };
  return {t.lower, t.upper, longer(t.of_lower), longer(t.of_upper)};
}

/// Rows, then columns; integers are exact in any order.
template <class Weight>
TensorId separable(TfliteNode& node, TensorId x, ValueType type, const std::vector<Taps<Weight>>& taps) {
  for (size_t d = 0; d < 2; d++) {
    const Taps<Weight>& t = taps[d];
    const auto part = [&](const std::vector<int64_t>& index, const std::vector<Weight>& weight) {
      const TensorId chosen = node.gather(x, node.integer_vector(index), static_cast<int64_t>(d) + 1);
      return node.binary("mul", node.cast(chosen, type), weights(node, type, weight, d));
    };
    const TensorId lower = part(t.lower, t.of_lower);
    x = node.binary("add", lower, part(t.upper, t.of_upper));
  }
  return x;
}

/// uint8: the four products in float32 in LiteRT's order, half added and cut off.
TensorId four_products(TfliteNode& node, TensorId x, const std::vector<Taps<float>>& taps) {
  TensorId sum = kNone;
  for (int corner = 0; corner < 4; corner++) {
    TensorId part = x;
    std::vector<TensorId> with;
    for (size_t d = 0; d < 2; d++) {
      const bool upper = (corner >> d & 1) != 0;
      part = node.gather(part, node.integer_vector(upper ? taps[d].upper : taps[d].lower), static_cast<int64_t>(d) + 1);
      with.push_back(weights(node, ValueType::kF32, upper ? taps[d].of_upper : taps[d].of_lower, d));
    }
    TfliteSteps steps(node);
    steps.add("cast", ValueType::kF32);
    steps.add("mul", ValueType::kF32, {with[0]});
    steps.add("mul", ValueType::kF32, {with[1]});
    if (sum.valid()) steps.add("add", ValueType::kF32, {sum});
    sum = tflite_apply(node, part, std::move(steps));
  }
  TfliteSteps steps(node);
  steps.add("add", ValueType::kF32, {node.scalar(0.5f)});
  steps.add("cast", ValueType::kU8).rounding = Rounding::kToZero;
  return tflite_apply(node, sum, std::move(steps));
}

void read_bilinear(TfliteNode& node) {
  const auto& o = node.options<tflite::ResizeBilinearOptions>();
  const TensorId x = node.in(0);
  const ValueType type = node.in_type(0);
  const auto to = sizes(node, o.align_corners(), o.half_pixel_centers());
  if (type == ValueType::kF32) {
    return node.result(separable<float>(node, x, type, {float_taps(to[0]), float_taps(to[1])}));
  }
  if (node.numerics() == TfliteNumerics::kLitertXnnpack && is_eight_bit(type)) {
    const TensorId sum = separable<int32_t>(node, x, ValueType::kI32, {xnnpack_taps(to[0]), xnnpack_taps(to[1])});
    TfliteSteps steps(node);
    PointwiseStep& shift = steps.add("shift_right", ValueType::kI32);
    shift.shift_right = 22;
    shift.rounding = Rounding::kHalfUp;
    steps.add("cast", type);
    return node.result(tflite_apply(node, sum, std::move(steps)));
  }
  if (type == ValueType::kU8) return node.result(four_products(node, x, {float_taps(to[0]), float_taps(to[1])}));
  if (type != ValueType::kI8 && type != ValueType::kI16) node.unsupported("input", std::string("is ") + name(type));
  const std::vector<Taps<int32_t>> taps = {fixed_taps(to[0]), fixed_taps(to[1])};
  TfliteSteps steps(node);
  if (type == ValueType::kI16) {
    // 35 bits: half a unit away from zero, then the division cuts.
    const auto number = [&](double value) { return node.scalar(ValueType::kI64, value); };
    const TensorId sum = separable<int64_t>(node, x, ValueType::kI64, {wide(taps[0]), wide(taps[1])});
    const TensorId half = node.select(node.compare("less", sum, number(0)), number(-0x1p19), number(0x1p19));
    steps.add("add", ValueType::kI64, {half});
    steps.add("div", ValueType::kI64, {number(0x1p20)});
    steps.add("cast", type);
    return node.result(tflite_apply(node, sum, std::move(steps)));
  }
  PointwiseStep& shift = steps.add("shift_right", ValueType::kI32);
  shift.shift_right = 20;
  shift.rounding = Rounding::kHalfAwayFromZero;
  steps.add("cast", type);
  node.result(tflite_apply(node, separable<int32_t>(node, x, ValueType::kI32, taps), std::move(steps)));
}

const TfliteOps::Add kOps({
    {"RESIZE_NEAREST_NEIGHBOR", read_nearest},
    {"RESIZE_BILINEAR", read_bilinear},
});

}  // namespace
}  // namespace qlathe
