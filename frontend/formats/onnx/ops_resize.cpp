// Resize and Upsample: along each axis a gather (nearest), or a weighted sum of gathers (linear, cubic).
#include <algorithm>
#include <cmath>
#include <numeric>

#include "frontend/formats/onnx/node.h"

namespace qlathe {
namespace {

constexpr int64_t kMaxExtent = int64_t{1} << 24;

/// How positions of the result become positions of the input.
struct Coordinates {
  std::string mode = "half_pixel";
  std::string nearest = "round_prefer_floor";
  double cubic = -0.75;
  bool exclude_outside = false;
  bool antialias = false;
  double extrapolation = 0;          ///< of positions outside the input, mode tf_crop_and_resize
  std::vector<double> starts, ends;  ///< of the box, by axis, for that mode
};

/// The position in the input of index `o` as ONNX Runtime rounds it: where it lies at a boundary between two elements,
/// that decides which of them is the nearest.
double rounded_position(const Coordinates& c, size_t axis, int64_t o, int64_t in, int64_t out, double exact_scale) {
  const auto x = static_cast<float>(o), scale = static_cast<float>(exact_scale), last = static_cast<float>(in - 1);
  if (c.mode == "tf_crop_and_resize") {
    const auto start = static_cast<float>(c.starts[axis]), end = static_cast<float>(c.ends[axis]);
    const float at =
        out > 1 ? start * last + x * (end - start) * last / static_cast<float>(out - 1) : 0.5f * (start + end) * last;
    return static_cast<double>(at);
  }
  float at = 0;
  if (c.mode == "asymmetric") {
    at = x / scale;
  } else if (c.mode == "align_corners") {
    at = out <= 1 ? 0 : x * last / static_cast<float>(out - 1);
  } else if (c.mode == "half_pixel_symmetric") {
    const float adjusted = static_cast<float>(out) / (scale * static_cast<float>(in));
    const float center = static_cast<float>(in) / 2;
    at = center * (1 - adjusted) + (x + 0.5f) / scale - 0.5f;
  } else {
    at = c.mode == "pytorch_half_pixel" && out <= 1 ? 0 : (x + 0.5f) / scale - 0.5f;
  }
  return static_cast<double>(at);
}

/// The same without rounding, for weights of neighbours; extents and scale of the axis.
double source_position(const Coordinates& c, size_t axis, int64_t o, int64_t in, int64_t out, double scale) {
  const auto x = static_cast<double>(o);
  if (c.mode == "tf_crop_and_resize") {
    const double start = c.starts[axis], end = c.ends[axis], last = static_cast<double>(in - 1);
    return out > 1 ? start * last + x * (end - start) * last / static_cast<double>(out - 1)
                   : 0.5 * (start + end) * last;
  }
  if (c.mode == "asymmetric") return x / scale;
  if (c.mode == "align_corners") {
    return out <= 1 ? 0 : x * static_cast<double>(in - 1) / static_cast<double>(out - 1);
  }
  if (c.mode == "pytorch_half_pixel") return out <= 1 ? 0 : (x + 0.5) / scale - 0.5;
  if (c.mode == "half_pixel_symmetric") {
    const double adjusted = static_cast<double>(out) / (scale * static_cast<double>(in));
    const double center = static_cast<double>(in) / 2;
    return center * (1 - adjusted) + (x + 0.5) / scale - 0.5;
  }
  return (x + 0.5) / scale - 0.5;  // half_pixel
}

int64_t nearest_index(const Coordinates& c, double at) {
  const double down = std::floor(at);
  if (c.nearest == "floor") return static_cast<int64_t>(down);
  if (c.nearest == "ceil") return static_cast<int64_t>(std::ceil(at));
  const bool half = at - down == 0.5;
  if (half) return static_cast<int64_t>(c.nearest == "round_prefer_ceil" ? down + 1 : down);
  return static_cast<int64_t>(std::round(at));
}

/// One tap of every result along an axis: which element, and how much of it.
struct Tap {
  std::vector<int64_t> index;
  std::vector<float> weight;
};

double cubic_weight(double a, double distance) {
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/// The weight of an element at `distance` from the position. Shrinking with antialiasing widens the window.
double weight_at(const Coordinates& c, const std::string& mode, double distance) {
  if (mode == "cubic") return cubic_weight(c.cubic, distance);
  return std::max(0.0, 1 - std::abs(distance));
}

std::vector<Tap> taps(const Coordinates& c, const std::string& mode, size_t axis, int64_t in, int64_t out,
                      double scale) {
  const double shrink = c.antialias && mode != "nearest" ? std::min(scale, 1.0) : 1;
  const int support = mode == "cubic" ? 2 : 1;
  // Taps [first, first + count) relative to the element below the position.
  const int first = mode == "nearest" ? 0 : static_cast<int>(std::floor(-support / shrink)) + 1;
  const int count = mode == "nearest" ? 1 : 2 * support - 2 * (first + support - 1);
  std::vector<Tap> result(static_cast<size_t>(count));
  for (int64_t o = 0; o < out; o++) {
    const double at =
        mode == "nearest" ? rounded_position(c, axis, o, in, out, scale) : source_position(c, axis, o, in, out, scale);
    const auto base = static_cast<int64_t>(std::floor(at));
    std::vector<double> weights;
    double sum = 0;
    for (int t = 0; t < count; t++) {
      const int64_t i = base + t + first;
      double w = mode == "nearest" ? 1 : weight_at(c, mode, (at - static_cast<double>(i)) * shrink);
      if (c.exclude_outside && mode != "nearest" && (i < 0 || i >= in)) w = 0;
      weights.push_back(w);
      sum += w;
    }
    for (int t = 0; t < count; t++) {
      const int64_t i = mode == "nearest" ? nearest_index(c, at) : base + t + first;
      auto& tap = result[static_cast<size_t>(t)];
      tap.index.push_back(std::clamp<int64_t>(i, 0, in - 1));
      const double w = weights[static_cast<size_t>(t)];
      tap.weight.push_back(static_cast<float>(c.exclude_outside || c.antialias ? w / sum : w));
    }
  }
  return result;
}

TensorId along_axis(OnnxNode& node, TensorId x, size_t axis, const std::vector<Tap>& all) {
  const auto at = static_cast<int64_t>(axis);
  if (all.size() == 1) return node.gather(x, node.integer_vector(all[0].index), at);
  Shape shape(node.shape(x).size(), 1);
  shape[axis] = static_cast<int64_t>(all[0].index.size());
  TensorId sum = kNone;
  for (const Tap& tap : all) {
    const TensorId part = node.gather(x, node.integer_vector(tap.index), at);
    const TensorId weight = node.constant(HostTensor::of(ValueType::kF32, shape, tap.weight), "weight");
    sum = sum.valid() ? node.pointwise(part, {onnx_step("fma", ValueType::kF32, {1, 2})}, {weight, sum})
                      : node.binary("mul", part, weight);
  }
  return sum;
}

/// The extents and scales that the node asks for, one per axis of x.
struct Target {
  Shape shape;
  std::vector<double> scales;
};

Target target(OnnxNode& node, const Shape& x) {
  const bool upsample = node.op() == "Upsample";
  std::vector<int64_t> axes(x.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (node.has_attribute("axes")) {
    axes = node.integers("axes", {});
    for (int64_t& a : axes)
      a = node.axis(a, static_cast<int64_t>(x.size()), "axes");
  }
  Target out{x, std::vector<double>(x.size(), 1)};
  const size_t scales_at = upsample || node.opset < 11 ? 1 : 2;
  std::vector<double> scales;
  if (upsample && node.has_attribute("scales")) {
    scales = node.numbers("scales", {});
  } else if (node.has(scales_at) && element_count(node.shape(node.in(scales_at))) > 0) {
    scales = node.constant_numbers(scales_at, "scales");
  }
  const std::string policy = node.string("keep_aspect_ratio_policy", "stretch");
  if (!scales.empty()) {
    if (scales.size() != axes.size()) node.problem("scales", "has another length than the input has axes");
    for (size_t i = 0; i < axes.size(); i++) {
      const auto d = static_cast<size_t>(axes[i]);
      if (!(scales[i] > 0) || !(static_cast<double>(x[d]) * scales[i] < static_cast<double>(kMaxExtent)))
        node.problem("scales", std::to_string(scales[i]) + " is out of range");
      out.scales[d] = scales[i];
      out.shape[d] = static_cast<int64_t>(std::floor(static_cast<double>(x[d]) * scales[i]));
    }
    return out;
  }
  std::vector<int64_t> sizes = node.constant_integers(3, "sizes");
  if (sizes.size() != axes.size()) node.problem("sizes", "has another length than the input has axes");
  double factor = 0;
  for (size_t i = 0; i < axes.size(); i++) {
    const auto d = static_cast<size_t>(axes[i]);
    if (sizes[i] < 0 || sizes[i] > kMaxExtent || x[d] == 0)
      node.problem("sizes", std::to_string(sizes[i]) + " is out of range");
    const double own = static_cast<double>(sizes[i]) / static_cast<double>(x[d]);
    factor = i == 0 ? own : policy == "not_larger" ? std::min(factor, own) : std::max(factor, own);
    out.scales[d] = own;
    out.shape[d] = sizes[i];
  }
  if (policy == "stretch") return out;
  for (int64_t axis : axes) {
    const auto d = static_cast<size_t>(axis);
    out.scales[d] = factor;
    out.shape[d] = static_cast<int64_t>(std::floor(static_cast<double>(x[d]) * factor + 0.5));
  }
  return out;
}

/// The box of mode tf_crop_and_resize: all starts, then all ends, for the axes that the node names.
void read_box(OnnxNode& node, TensorId x, Coordinates& c) {
  const auto roi = node.constant_numbers(1, "roi");
  std::vector<int64_t> axes(node.shape(x).size());
  std::iota(axes.begin(), axes.end(), 0);
  if (node.has_attribute("axes")) axes = node.integers("axes", {});
  if (roi.size() != 2 * axes.size()) node.problem("roi", "has not two entries for each axis");
  c.starts.assign(node.shape(x).size(), 0);
  c.ends.assign(node.shape(x).size(), 1);
  for (size_t i = 0; i < axes.size(); i++) {
    const auto d = static_cast<size_t>(node.axis(axes[i], node.rank(x), "axes"));
    c.starts[d] = roi[i];
    c.ends[d] = roi[i + axes.size()];
  }
}

/// x after an axis of `in` elements was resized, with the stated value where the position lay outside.
TensorId extrapolated(OnnxNode& node, TensorId x, size_t axis, int64_t in, const Coordinates& c, double scale) {
  const int64_t out = node.shape(x)[axis];
  Shape along(node.shape(x).size(), 1);
  along[axis] = out;
  HostTensor outside(ValueType::kBool, along);
  bool any = false;
  for (int64_t o = 0; o < out; o++) {
    const double at = source_position(c, axis, o, in, out, scale);
    outside.bytes()[o] = at < 0 || at > static_cast<double>(in - 1);
    any = any || outside.bytes()[o] != 0;
  }
  if (!any) return x;
  const TensorId value = node.scalar(node.type(x).type, c.extrapolation);
  const Shape whole = node.shape(x);  // a copy: what is added to the graph moves its tensors
  return node.select(node.broadcast(node.constant(std::move(outside), "outside"), whole), value, x);
}

void read_resize(OnnxNode& node) {
  TensorId x = node.in(0);
  const std::string mode = node.string("mode", "nearest");
  if (mode != "nearest" && mode != "linear" && mode != "cubic")
    node.unsupported("mode", "'" + mode + "' is not supported");
  Coordinates c;
  const bool old = node.op() == "Upsample" || node.opset < 11;
  c.mode = node.string("coordinate_transformation_mode", old ? "asymmetric" : "half_pixel");
  c.nearest = node.string("nearest_mode", old ? "floor" : "round_prefer_floor");
  c.cubic = node.number("cubic_coeff_a", -0.75);
  c.exclude_outside = node.integer("exclude_outside", 0) != 0;
  c.extrapolation = node.number("extrapolation_value", 0);
  static const std::vector<std::string> modes = {"half_pixel",         "asymmetric",           "align_corners",
                                                 "pytorch_half_pixel", "half_pixel_symmetric", "tf_crop_and_resize"};
  if (std::find(modes.begin(), modes.end(), c.mode) == modes.end())
    node.unsupported("coordinate_transformation_mode", "'" + c.mode + "' is not supported");
  c.antialias = node.integer("antialias", 0) != 0;
  const Target to = target(node, node.shape(x));
  if (c.mode == "tf_crop_and_resize") read_box(node, x, c);
  if (mode != "nearest" && node.type(x).type != ValueType::kF32)
    node.unsupported("input", std::string(name(node.type(x).type)) + " is resized by mode nearest only");
  for (size_t d = 0; d < to.shape.size(); d++) {
    const int64_t in = node.shape(x)[d];
    const bool whole = c.starts.empty() || (c.starts[d] == 0 && c.ends[d] == 1);
    if (to.shape[d] == in && to.scales[d] == 1 && whole) continue;
    if (in == 0) node.problem("input", "is empty");
    x = along_axis(node, x, d, taps(c, mode, d, in, to.shape[d], to.scales[d]));
    if (!c.starts.empty()) x = extrapolated(node, x, d, in, c, to.scales[d]);
  }
  node.result(x);
}

const OnnxOps::Add kOps({{"Resize", read_resize}, {"Upsample", read_resize}});

}  // namespace
}  // namespace qlathe
