// Shapes, views and movement of data.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "frontend/formats/onnx/node.h"
#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

void read_constant(OnnxNode& node) {
  if (const auto* tensor = node.tensor("value")) return node.result(node.constant(node.read_tensor(*tensor)));
  if (node.has_attribute("value_float"))
    return node.result(node.scalar(static_cast<float>(node.number("value_float", 0))));
  if (node.has_attribute("value_int")) {
    HostTensor value(ValueType::kI64, {});
    value.set_int(0, node.integer("value_int", 0));
    return node.result(node.constant(std::move(value)));
  }
  if (node.has_attribute("value_ints")) return node.result(node.integer_vector(node.integers("value_ints", {})));
  if (node.has_attribute("value_floats")) {
    const auto values = node.numbers("value_floats", {});
    const std::vector<float> floats(values.begin(), values.end());
    return node.result(node.constant(HostTensor::of(ValueType::kF32, {static_cast<int64_t>(floats.size())}, floats)));
  }
  node.unsupported("value", "is missing, a string or a sparse tensor");
}

void read_constant_of_shape(OnnxNode& node) {
  const Shape shape = node.constant_integers(0, "shape");
  if (const Status status = check_shape(shape); !status.ok()) node.problem("shape", status.diagnostics()[0].message);
  HostTensor value = HostTensor::scalar(0);
  if (const auto* tensor = node.tensor("value")) value = node.read_tensor(*tensor);
  if (value.size() != 1) node.problem("value", "has " + std::to_string(value.size()) + " elements, expected one");
  node.result(node.broadcast(node.constant(value.reshaped({})), shape));
}

void read_shape(OnnxNode& node) {
  const TensorId x = node.in(0);
  const int64_t rank = node.rank(x);
  const auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const int64_t start = clamp(node.integer("start", 0)), end = clamp(node.integer("end", rank));
  const Shape& s = node.shape(x);
  node.result(node.integer_vector(start < end ? std::vector<int64_t>(s.begin() + start, s.begin() + end)
                                              : std::vector<int64_t>{}));
}

void read_size(OnnxNode& node) {
  HostTensor out(ValueType::kI64, {});
  out.set_int(0, element_count(node.shape(node.in(0))));
  node.result(node.constant(std::move(out)));
}

void read_reshape(OnnxNode& node) {
  const TensorId x = node.in(0);
  node.ignore("consumed_inputs");
  Shape to = node.input_count() > 1 ? node.constant_integers(1, "shape") : node.integers("shape", {});
  const bool allow_zero = node.integer("allowzero", 0) != 0;
  int64_t known = 1, open = -1;
  for (size_t d = 0; d < to.size(); d++) {
    if (to[d] == 0 && !allow_zero) {
      if (d >= node.shape(x).size()) node.problem("shape", "keeps an axis that the input does not have");
      to[d] = node.shape(x)[d];
    }
    if (to[d] < -1 || (to[d] == -1 && open >= 0)) node.problem("shape", to_string(to) + " is no shape");
    if (to[d] == -1)
      open = static_cast<int64_t>(d);
    else if (__builtin_mul_overflow(known, to[d], &known))
      node.problem("shape", to_string(to) + " is too large");
  }
  const int64_t total = element_count(node.shape(x));
  if (open >= 0) {
    if (known == 0 || total % known != 0)
      node.problem("shape", "of " + std::to_string(total) + " elements cannot be " + to_string(to));
    to[static_cast<size_t>(open)] = total / known;
  }
  node.result(node.reshape(x, to));
}

void read_flatten(OnnxNode& node) {
  const TensorId x = node.in(0);
  const Shape& s = node.shape(x);
  const int64_t given = node.integer("axis", 1), rank = node.rank(x);
  if (given < -rank || given > rank) node.problem("axis", std::to_string(given) + " is out of range");
  const int64_t at = given < 0 ? given + rank : given;
  const int64_t rows = std::accumulate(s.begin(), s.begin() + at, int64_t{1}, std::multiplies<>());
  node.result(node.reshape(x, {rows, std::accumulate(s.begin() + at, s.end(), int64_t{1}, std::multiplies<>())}));
}

/// Axes are an attribute before opset 13, then an operand.
std::vector<int64_t> given_axes(OnnxNode& node) {
  if (node.has(1)) return node.constant_integers(1, "axes");
  return node.integers("axes", {});
}

void read_squeeze(OnnxNode& node) {
  const TensorId x = node.in(0);
  Shape s = node.shape(x), out;
  std::vector<int64_t> axes = given_axes(node);
  if (axes.empty() && !node.has(1) && !node.has_attribute("axes")) {
    for (size_t d = 0; d < s.size(); d++) {
      if (s[d] == 1) axes.push_back(static_cast<int64_t>(d));
    }
  }
  axes = node.axes(axes, node.rank(x));
  for (int64_t d = 0; d < node.rank(x); d++) {
    const bool gone = std::binary_search(axes.begin(), axes.end(), d);
    if (gone && s[static_cast<size_t>(d)] != 1)
      node.problem("axes", "axis " + std::to_string(d) + " of " + to_string(s) + " is not 1");
    if (!gone) out.push_back(s[static_cast<size_t>(d)]);
  }
  node.result(node.reshape(x, out));
}

void read_unsqueeze(OnnxNode& node) {
  const TensorId x = node.in(0);
  std::vector<int64_t> axes = given_axes(node);
  axes = node.axes(axes, node.rank(x) + static_cast<int64_t>(axes.size()));
  Shape out = node.shape(x);
  for (int64_t a : axes)
    out.insert(out.begin() + a, 1);
  node.result(node.reshape(x, out));
}

void read_transpose(OnnxNode& node) {
  const TensorId x = node.in(0);
  std::vector<int64_t> reversed(static_cast<size_t>(node.rank(x)));
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  std::vector<int64_t> permutation = node.integers("perm", reversed);
  std::vector<int64_t> sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  std::sort(reversed.begin(), reversed.end());
  if (sorted != reversed) node.problem("perm", "is no permutation of the " + std::to_string(reversed.size()) + " axes");
  node.result(node.transpose(x, permutation));
}

void read_concat(OnnxNode& node) {
  std::vector<TensorId> parts;
  for (size_t i = 0; i < node.input_count(); i++) {
    const TensorId x = node.in(i);
    parts.push_back(x);
  }
  if (parts.empty()) node.problem("input", "has no operands");
  if (!node.has_attribute("axis")) node.problem("axis", "is missing");
  node.result(node.concat(parts, node.axis(node.integer("axis", 1), node.rank(parts[0]))));
}

void read_split(OnnxNode& node) {
  const TensorId x = node.in(0);
  const int64_t at = node.axis(node.integer("axis", 0), node.rank(x));
  const int64_t extent = node.shape(x)[static_cast<size_t>(at)], count = node.output_count();
  std::vector<int64_t> sizes = node.has(1) ? node.constant_integers(1, "split") : node.integers("split", {});
  node.ignore("num_outputs");
  if (sizes.empty()) {
    const int64_t chunk = (extent + count - 1) / std::max<int64_t>(count, 1);
    for (int64_t i = 0; i < count; i++)
      sizes.push_back(std::clamp<int64_t>(extent - i * chunk, 0, chunk));
  }
  int64_t start = 0;
  for (int64_t size : sizes) {
    if (size < 0 || start + size > extent)
      node.problem("split", "does not fit the " + std::to_string(extent) + " elements");
    node.result(node.slice_axis(x, at, start, size));
    start += size;
  }
  if (start != extent) node.problem("split", "leaves elements out");
}

void read_slice(OnnxNode& node) {
  const TensorId x = node.in(0);
  const int64_t rank = node.rank(x);
  const bool operands = node.opset >= 10;
  const auto starts = operands ? node.constant_integers(1, "starts") : node.integers("starts", {});
  const auto ends = operands ? node.constant_integers(2, "ends") : node.integers("ends", {});
  std::vector<int64_t> axes(starts.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (operands ? node.has(3) : node.has_attribute("axes"))
    axes = operands ? node.constant_integers(3, "axes") : node.integers("axes", {});
  const auto steps =
      operands && node.has(4) ? node.constant_integers(4, "steps") : std::vector<int64_t>(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    node.problem("starts", "starts, ends, axes and steps differ in length");
  std::vector<int64_t> start(static_cast<size_t>(rank), 0), step(static_cast<size_t>(rank), 1);
  Shape size = node.shape(x);
  for (size_t i = 0; i < starts.size(); i++) {
    const auto d = static_cast<size_t>(node.axis(axes[i], rank, "axes"));
    const int64_t extent = node.shape(x)[d], by = steps[i];
    if (by == 0) node.problem("steps", "is zero");
    const auto from_end = [&](int64_t at) { return at < 0 ? (at < -extent ? -1 : at + extent) : at; };
    // As NumPy: ends are clamped to what the direction of the step can reach.
    int64_t first = starts[i] < 0 && starts[i] < -extent ? (by > 0 ? 0 : -1) : from_end(starts[i]);
    int64_t last = ends[i] < 0 && ends[i] < -extent ? -1 : from_end(ends[i]);
    first = by > 0 ? std::clamp<int64_t>(first, 0, extent) : std::clamp<int64_t>(first, -1, extent - 1);
    last = by > 0 ? std::clamp<int64_t>(last, 0, extent) : std::clamp<int64_t>(last, -1, extent - 1);
    const int64_t span = by > 0 ? last - first : first - last;
    const uint64_t stride = by > 0 ? static_cast<uint64_t>(by) : uint64_t{0} - static_cast<uint64_t>(by);
    size[d] = span <= 0 ? 0 : static_cast<int64_t>((static_cast<uint64_t>(span) + stride - 1) / stride);
    start[d] = size[d] == 0 ? 0 : first;
    step[d] = size[d] <= 1 ? 1 : by;
  }
  node.result(node.slice(x, start, size, step));
}

void read_expand(OnnxNode& node) {
  const TensorId x = node.in(0);
  const Shape to = node.constant_integers(1, "shape");
  if (const Status status = check_shape(to); !status.ok()) node.problem("shape", status.diagnostics()[0].message);
  node.result(node.broadcast(x, node.broadcast_shape(node.shape(x), to)));
}

/// [n0, n1] tiled r0, r1 times: a broadcast [r0, n0, r1, n1], reshaped.
void read_tile(OnnxNode& node) {
  TensorId x = node.in(0);
  const auto repeats = node.constant_integers(1, "repeats");
  const Shape s = node.shape(x);
  if (repeats.size() != s.size()) node.problem("repeats", "has another length than the input has axes");
  Shape apart, wide, out;
  for (size_t d = 0; d < s.size(); d++) {
    if (repeats[d] < 0) node.problem("repeats", "is negative");
    int64_t product = 0;
    if (__builtin_mul_overflow(s[d], repeats[d], &product)) node.problem("repeats", "is too large");
    apart.insert(apart.end(), {1, s[d]});
    wide.insert(wide.end(), {repeats[d], s[d]});
    out.push_back(product);
  }
  if (const Status status = check_shape(out); !status.ok()) node.problem("repeats", status.diagnostics()[0].message);
  node.result(node.reshape(node.broadcast(node.reshape(x, apart), wide), out));
}

void read_gather(OnnxNode& node) {
  const TensorId x = node.in(0);
  const int64_t axis = node.axis(node.integer("axis", 0), node.rank(x));
  const int64_t n = node.shape(x)[static_cast<size_t>(axis)];
  if (const HostTensor* indices = node.data(node.in(1)); indices != nullptr && is_integer(indices->type())) {
    for (int64_t i = 0; i < indices->size(); i++) {
      const int64_t index = indices->int_at(i);
      if (index < -n || index >= n)
        node.problem("indices", std::to_string(index) + " is no index of " + std::to_string(n) + " elements");
    }
  }
  node.result(node.gather(x, node.in(1), axis));
}

PadMode pad_mode(OnnxNode& node) {
  const std::string mode = node.string("mode", "constant");
  if (mode == "constant") return PadMode::kConstant;
  if (mode == "reflect") return PadMode::kReflect;
  if (mode == "edge") return PadMode::kEdge;
  node.unsupported("mode", "'" + mode + "' is not supported; constant, reflect, edge and wrap are");
}

/// Each axis goes on with its other end.
TensorId pad_wrapped(OnnxNode& node, TensorId x, const std::vector<int64_t>& lo, const std::vector<int64_t>& hi) {
  for (size_t d = 0; d < lo.size(); d++) {
    if (lo[d] == 0 && hi[d] == 0) continue;
    const int64_t n = node.shape(x)[d], size = n + lo[d] + hi[d];
    if (n == 0 || size < 0 || size > 1 << 24) node.problem("pads", "make no sane result");
    std::vector<int64_t> from;
    for (int64_t i = 0; i < size; i++)
      from.push_back(((i - lo[d]) % n + n) % n);
    x = node.gather(x, node.integer_vector(from), static_cast<int64_t>(d));
  }
  return x;
}

void read_pad(OnnxNode& node) {
  const TensorId x = node.in(0);
  const int64_t rank = node.rank(x);
  auto attrs = std::make_shared<PadAttrs>();
  const bool wraps = node.string("mode", "constant") == "wrap";
  if (!wraps) attrs->mode = pad_mode(node);
  const bool operands = node.opset >= 11;
  const auto pads = operands ? node.constant_integers(1, "pads") : node.integers("pads", {});
  std::vector<int64_t> axes(static_cast<size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (operands && node.has(3)) {
    axes = node.constant_integers(3, "axes");
    for (int64_t& a : axes)
      a = node.axis(a, rank, "axes");
  }
  if (pads.size() != 2 * axes.size())
    node.problem("pads", "has " + std::to_string(pads.size()) + " entries, expected two for each axis");
  attrs->lo.assign(static_cast<size_t>(rank), 0);
  attrs->hi = attrs->lo;
  for (size_t i = 0; i < axes.size(); i++) {
    attrs->lo[static_cast<size_t>(axes[i])] = pads[i];
    attrs->hi[static_cast<size_t>(axes[i])] = pads[i + axes.size()];
  }
  const bool nothing = std::all_of(pads.begin(), pads.end(), [](int64_t p) { return p == 0; });
  double value = 0;
  TensorId fill = kNone;
  if (!operands)
    value = node.number("value", 0);
  else if (node.has(2))
    fill = node.is_constant(2) ? node.in(2) : (node.unsupported("constant_value", "must be a constant"), kNone);
  if (nothing) return node.result(x);
  if (wraps) return node.result(pad_wrapped(node, x, attrs->lo, attrs->hi));
  if (!fill.valid() && value != 0) fill = node.scalar(node.type(x).type, value);
  if (fill.valid()) fill = node.reshape(node.cast(fill, node.type(x).type), {});
  node.result(fill.valid() && attrs->mode == PadMode::kConstant ? node.add("pad", {x, fill}, attrs)
                                                                : node.add("pad", {x}, attrs));
}

/// [N, C, H, W] -> depth to space: CRD is [N, C', b, b, H, W], DCR [N, b, b, C', H, W].
void read_depth_to_space(OnnxNode& node) {
  const TensorId x = node.in(0);
  const int64_t b = node.integer("blocksize", 0);
  const Shape s = node.shape(x);
  const bool crd = node.string("mode", "DCR") == "CRD";
  if (s.size() != 4 || b < 1 || b > 65536 || s[1] % (b * b) != 0)
    node.problem("blocksize", std::to_string(b) + " does not fit the shape " + to_string(s));
  const int64_t c = s[1] / (b * b);
  const TensorId apart = node.reshape(x, crd ? Shape{s[0], c, b, b, s[2], s[3]} : Shape{s[0], b, b, c, s[2], s[3]});
  const TensorId moved =
      node.transpose(apart, crd ? std::vector<int64_t>{0, 1, 4, 2, 5, 3} : std::vector<int64_t>{0, 3, 4, 1, 5, 2});
  node.result(node.reshape(moved, {s[0], c, s[2] * b, s[3] * b}));
}

void read_space_to_depth(OnnxNode& node) {
  const TensorId x = node.in(0);
  const int64_t b = node.integer("blocksize", 0);
  const Shape s = node.shape(x);
  if (s.size() != 4 || b < 1 || b > 65536 || s[2] % b != 0 || s[3] % b != 0)
    node.problem("blocksize", std::to_string(b) + " does not fit the shape " + to_string(s));
  const bool crd = node.string("mode", "DCR") == "CRD";
  const TensorId apart = node.reshape(x, {s[0], s[1], s[2] / b, b, s[3] / b, b});
  if (crd)
    return node.result(
        node.reshape(node.transpose(apart, {0, 1, 3, 5, 2, 4}), {s[0], s[1] * b * b, s[2] / b, s[3] / b}));
  node.result(node.reshape(node.transpose(apart, {0, 3, 5, 1, 2, 4}), {s[0], s[1] * b * b, s[2] / b, s[3] / b}));
}

void read_range(OnnxNode& node) {
  const ValueType type = node.type(node.in(0)).type;
  const double start = node.constant_number(0, "start"), limit = node.constant_number(1, "limit"),
               delta = node.constant_number(2, "delta");
  const double count = std::ceil((limit - start) / delta);
  if (!(delta != 0) || !(count < 1e8)) node.problem("delta", "makes no sequence of a sane length");
  const auto n = static_cast<int64_t>(std::max(count, 0.0));
  if (is_integer(type)) {
    HostTensor out(type, {n});
    for (int64_t i = 0; i < n; i++)
      out.set_int(i, static_cast<int64_t>(start) + i * static_cast<int64_t>(delta));
    return node.result(node.constant(std::move(out)));
  }
  std::vector<float> values;
  for (int64_t i = 0; i < n; i++)
    values.push_back(static_cast<float>(start + static_cast<double>(i) * delta));
  node.result(node.constant(HostTensor::of(ValueType::kF32, {n}, values)));
}

/// Keeps the upper or lower triangle: a select by a constant mask.
void read_trilu(OnnxNode& node) {
  const TensorId x = node.in(0);
  const bool upper = node.integer("upper", 1) != 0;
  const int64_t k = node.has(1) ? node.constant_integers(1, "k").at(0) : 0;
  const Shape& s = node.shape(x);
  if (s.size() < 2) node.problem("input", "needs two axes");
  const int64_t rows = s[s.size() - 2], columns = s.back();
  HostTensor mask(ValueType::kBool, {rows, columns});
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < columns; c++)
      mask.bytes()[r * columns + c] = upper ? c - r >= k : c - r <= k;
  }
  const ValueType type = node.type(x).type;
  if (type == ValueType::kBool) return node.result(node.binary("and", x, node.constant(std::move(mask), "mask")));
  node.result(node.select(node.constant(std::move(mask), "mask"), x, node.scalar(type, 0)));
}

/// If with a condition that is known: the branch in place.
void read_if(OnnxNode& node) {
  const auto* then_graph = node.graph("then_branch");
  const auto* else_graph = node.graph("else_branch");
  if (!node.is_constant(0)) {
    node.unsupported("condition", "depends on the model's inputs; both branches would have to be compiled",
                     "bind the shapes that it comes from with --shape");
  }
  const bool taken = node.data(node.in(0))->int_at(0) != 0;
  const auto* body = taken ? then_graph : else_graph;
  if (body == nullptr) node.problem(taken ? "then_branch" : "else_branch", "is missing");
  for (TensorId t : node.inline_graph(*body))
    node.result(t);
}

void read_eye_like(OnnxNode& node) {
  const Shape s = node.shape(node.in(0));
  const int64_t k = node.integer("k", 0);
  const auto type = node.has_attribute("dtype") ? onnx_type(static_cast<int>(node.integer("dtype", 1)))
                                                : std::optional(node.type(node.in(0)).type);
  if (s.size() != 2 || !type) node.problem("input", "needs two axes and a known type");
  HostTensor out(ValueType::kF32, s);
  for (int64_t r = 0; r < s[0]; r++) {
    if (r + k >= 0 && r + k < s[1]) out.as<float>()[static_cast<size_t>(r * s[1] + r + k)] = 1;
  }
  node.result(node.cast(node.constant(std::move(out)), *type));
}

const OnnxOps::Add kOps({
    {"Constant", read_constant},
    {"ConstantOfShape", read_constant_of_shape},
    {"Shape", read_shape},
    {"Size", read_size},
    {"Reshape", read_reshape},
    {"Flatten", read_flatten},
    {"Squeeze", read_squeeze},
    {"Unsqueeze", read_unsqueeze},
    {"Transpose", read_transpose},
    {"Concat", read_concat},
    {"Split", read_split},
    {"Slice", read_slice},
    {"Expand", read_expand},
    {"Tile", read_tile},
    {"Gather", read_gather},
    {"Pad", read_pad},
    {"DepthToSpace", read_depth_to_space},
    {"SpaceToDepth", read_space_to_depth},
    {"Range", read_range},
    {"Trilu", read_trilu},
    {"If", read_if},
    {"EyeLike", read_eye_like},
});

}  // namespace
}  // namespace qlathe
