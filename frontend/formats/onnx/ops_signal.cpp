// Fourier transforms as products with their matrices, and windows, which are constants.
#include <cmath>
#include <numbers>
#include <numeric>

#include "frontend/formats/onnx/node.h"
#include "frontend/ops/contraction.h"

namespace qlathe {
namespace {

constexpr int64_t kMaxLength = 1 << 14;

/// The transform of `length` numbers of `parts` parts (real, or real and imaginary) into `bins` complex ones as a
/// matrix [length * parts, bins * 2]; row n times window[n]. With e^(-i t) = cos t - i sin t, t = 2 pi k n / length.
HostTensor transform_matrix(int64_t length, int64_t parts, int64_t bins, bool inverse,
                            const std::vector<double>& window) {
  HostTensor out(ValueType::kF32, {length * parts, bins * 2});
  auto to = out.as<float>();
  const double factor = inverse ? 1 / static_cast<double>(length) : 1, sign = inverse ? 1 : -1;
  size_t at = 0;
  for (int64_t n = 0; n < length; n++) {
    const double w = factor * (window.empty() ? 1 : window[static_cast<size_t>(n)]);
    for (int64_t part = 0; part < parts; part++) {
      for (int64_t k = 0; k < bins; k++) {
        // k n modulo the length, so that the angle is exact.
        const double angle = 2 * std::numbers::pi * static_cast<double>(k * n % length) / static_cast<double>(length);
        const double c = std::cos(angle), s = sign * std::sin(angle);
        to[at++] = static_cast<float>(w * (part == 0 ? c : -s));
        to[at++] = static_cast<float>(w * (part == 0 ? s : c));
      }
    }
  }
  return out;
}

/// x [.., rows] by the matrix: [.., bins, 2].
TensorId transformed(OnnxNode& node, TensorId x, HostTensor matrix) {
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_contracting = {node.rank(x) - 1};
  attrs->rhs_contracting = {0};
  Shape shape = node.shape(x);
  shape.back() = matrix.shape()[1] / 2;
  shape.push_back(2);
  return node.reshape(node.add("dot_general", {x, node.constant(std::move(matrix), "transform")}, attrs), shape);
}

/// In the type of the input; float64 becomes float32.
TensorId like_input(OnnxNode& node, TensorId y) {
  const ValueType type = node.type(node.in(0)).type;
  return type == ValueType::kF64 ? y : node.cast(y, type);
}

int64_t checked_length(OnnxNode& node, int64_t length, const char* field) {
  if (length < 1 || length > kMaxLength)
    node.unsupported(field, std::to_string(length) + " is not within 1 and " + std::to_string(kMaxLength));
  return length;
}

void read_dft(OnnxNode& node) {
  TensorId x = node.cast(node.in(0), ValueType::kF32);
  const int64_t rank = node.rank(x);
  const bool inverse = node.integer("inverse", 0) != 0, onesided = node.integer("onesided", 0) != 0;
  int64_t axis = node.opset < 20 ? node.integer("axis", 1) : -2;
  if (node.opset >= 20 && node.has(2)) axis = node.constant_integers(2, "axis").at(0);
  axis = node.axis(axis, rank);
  const int64_t parts = node.shape(x).back();
  if (rank < 2 || axis == rank - 1 || (parts != 1 && parts != 2))
    node.problem("input", "of shape " + to_string(node.shape(x)) + " holds no real or complex numbers along an axis");
  if (onesided && (inverse || parts != 1))
    node.unsupported("onesided", "is supported for transforms of real numbers only");
  int64_t length = node.shape(x)[static_cast<size_t>(axis)];
  if (node.has(1)) {
    const int64_t wanted = checked_length(node, node.constant_integers(1, "dft_length").at(0), "dft_length");
    Shape more = node.shape(x);
    more[static_cast<size_t>(axis)] = wanted - length;
    if (wanted < length) x = node.slice_axis(x, axis, 0, wanted);
    if (wanted > length) x = node.concat({x, node.constant(HostTensor(ValueType::kF32, more), "zeros")}, axis);
    length = wanted;
  }
  checked_length(node, length, "input");
  // The axis beside the parts, [.., length * parts].
  std::vector<int64_t> order;
  for (int64_t d = 0; d < rank - 1; d++) {
    if (d != axis) order.push_back(d);
  }
  order.insert(order.end(), {axis, rank - 1});
  x = node.transpose(x, order);
  Shape flat = node.shape(x);
  flat.pop_back();
  flat.back() = length * parts;
  const int64_t bins = onesided ? length / 2 + 1 : length;
  const TensorId y = transformed(node, node.reshape(x, flat), transform_matrix(length, parts, bins, inverse, {}));
  std::vector<int64_t> back(order.size());
  for (size_t d = 0; d < order.size(); d++)
    back[static_cast<size_t>(order[d])] = static_cast<int64_t>(d);
  node.result(like_input(node, node.transpose(y, back)));
}

/// Frames of a real signal [batch, samples, 1], windowed and transformed: [batch, frames, bins, 2].
void read_stft(OnnxNode& node) {
  TensorId x = node.cast(node.in(0), ValueType::kF32);
  const Shape s = node.shape(x);
  if (s.size() == 3 && s[2] == 1) x = node.reshape(x, {s[0], s[1]});
  if (node.rank(x) != 2) node.unsupported("signal", "of shape " + to_string(s) + " is not [batch, samples, 1]");
  const int64_t step = checked_length(node, node.constant_integers(1, "frame_step").at(0), "frame_step");
  std::vector<double> window;
  if (node.has(2)) window = node.constant_numbers(2, "window");
  int64_t length = static_cast<int64_t>(window.size());
  if (node.has(3)) length = node.constant_integers(3, "frame_length").at(0);
  checked_length(node, length, "frame_length");
  if (!window.empty() && static_cast<int64_t>(window.size()) != length)
    node.problem("window", "has " + std::to_string(window.size()) + " values for frames of " + std::to_string(length));
  if (s[1] < length) node.problem("signal", "is shorter than a frame");
  const int64_t frames = (s[1] - length) / step + 1;
  HostTensor at(ValueType::kI64, {frames, length});
  for (int64_t i = 0; i < at.size(); i++)
    at.set_int(i, i / length * step + i % length);
  const int64_t bins = node.integer("onesided", 1) != 0 ? length / 2 + 1 : length;
  const TensorId y = transformed(node, node.gather(x, node.constant(std::move(at), "frames"), 1),
                                 transform_matrix(length, 1, bins, false, window));
  node.result(like_input(node, y));
}

/// HannWindow, HammingWindow, BlackmanWindow: sums of cosines over the size, or over one less where not periodic.
void read_window(OnnxNode& node) {
  const std::string op = node.op();
  const int64_t size = checked_length(node, node.constant_integers(0, "size").at(0), "size");
  const auto type = onnx_type(static_cast<int>(node.integer("output_datatype", 1)));
  if (!type || !is_float(*type)) node.unsupported("output_datatype", "real numbers are supported");
  const auto span = static_cast<double>(node.integer("periodic", 1) != 0 ? size : size - 1);
  const double a0 = op == "HannWindow"      ? 0.5
                    : op == "HammingWindow" ? 25.0 / 46
                                            : 0.42,
               a2 = op == "BlackmanWindow" ? 0.08 : 0;
  HostTensor out(ValueType::kF32, {size});
  for (int64_t i = 0; i < size; i++) {
    const double t = span > 0 ? 2 * std::numbers::pi * static_cast<double>(i) / span : 0;
    const double a1 = op == "BlackmanWindow" ? 0.5 : 1 - a0;
    out.as<float>()[static_cast<size_t>(i)] = static_cast<float>(a0 - a1 * std::cos(t) + a2 * std::cos(2 * t));
  }
  const TensorId y = node.constant(std::move(out), "window");
  node.result(*type == ValueType::kF64 ? y : node.cast(y, *type));
}

const OnnxOps::Add kOps({{"DFT", read_dft},
                         {"STFT", read_stft},
                         {"HannWindow", read_window},
                         {"HammingWindow", read_window},
                         {"BlackmanWindow", read_window}});

}  // namespace
}  // namespace qlathe
