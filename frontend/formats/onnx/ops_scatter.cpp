// Operators that place elements by index. Indices out of range place nothing.
#include <algorithm>
#include <limits>
#include <numeric>

#include "frontend/formats/onnx/places.h"
#include "frontend/formats/onnx/widen.h"
#include "frontend/ops/indexing.h"

namespace qlathe {
namespace {

TensorId number(OnnxNode& node, int64_t value) { return node.scalar(ValueType::kI32, static_cast<double>(value)); }

/// value + i * stride for index i along `axis` of `shape`, int32.
TensorId offsets(OnnxNode& node, size_t rank, size_t axis, int64_t n, int64_t stride) {
  Shape along(rank, 1);
  along[axis] = n;
  HostTensor out(ValueType::kI32, along);
  for (int64_t i = 0; i < n; i++)
    out.set_int(i, i * stride);
  return node.constant(std::move(out), "offsets");
}

ScatterKind reduction(OnnxNode& node) {
  const std::string name = node.string("reduction", "none");
  if (name == "none") return ScatterKind::kSet;
  if (name == "add") return ScatterKind::kAdd;
  if (name == "mul") return ScatterKind::kMul;
  if (name == "max") return ScatterKind::kMax;
  if (name == "min") return ScatterKind::kMin;
  node.unsupported("reduction", "'" + name + "' is not supported; none, add, mul, max and min are");
}

void check_size(OnnxNode& node, const Shape& s) {
  if (element_count(s) > std::numeric_limits<int32_t>::max()) node.unsupported("data", "has more than 2^31 elements");
}

/// x [rows, rest..] with updates [count, rest..] at flat indices; computed in a type that the kind takes.
TensorId scatter(OnnxNode& node, TensorId x, TensorId indices, TensorId updates, ScatterKind kind) {
  auto attrs = std::make_shared<ScatterAttrs>();
  attrs->kind = kind;
  if (kind == ScatterKind::kSet) return node.add("scatter", {x, indices, updates}, attrs);
  const auto [wide, type] = onnx_widen(node, x);
  const auto as_operand = [&](TensorId t) { return is_float(type) ? node.cast(t, ValueType::kF32) : t; };
  const TensorId sum = node.add("scatter", {as_operand(wide), indices, as_operand(onnx_widen(node, updates).x)}, attrs);
  return onnx_narrow(node, sum, type);
}

/// The sum of flat offsets, -1 where any index is out of range.
class FlatIndex {
 public:
  FlatIndex(OnnxNode& node, size_t rank) : node_(node), rank_(rank) {}
  void add_index(TensorId indices, int64_t n, int64_t stride) {
    const TensorId checked = onnx_checked_indices(node_, indices, n);
    const TensorId bad = node_.compare("less", checked, number(node_, 0));
    bad_ = bad_.valid() ? node_.binary("or", bad_, bad) : bad;
    add(node_.binary("mul", checked, number(node_, stride)));
  }
  void add_axis(size_t axis, int64_t n, int64_t stride) { add(offsets(node_, rank_, axis, n, stride)); }
  TensorId get() { return bad_.valid() ? node_.select(bad_, number(node_, -1), sum_) : sum_; }

 private:
  void add(TensorId term) { sum_ = sum_.valid() ? node_.binary("add", sum_, term) : term; }

  OnnxNode& node_;
  size_t rank_;
  TensorId sum_ = kNone, bad_ = kNone;
};

int64_t product(Shape::const_iterator begin, Shape::const_iterator end) {
  return std::accumulate(begin, end, int64_t{1}, std::multiplies<>());
}

void read_scatter_nd(OnnxNode& node) {
  const TensorId x = node.in(0), indices = node.in(1), updates = node.in(2);
  const ScatterKind kind = reduction(node);
  const Shape s = node.shape(x), q = node.shape(indices);
  if (q.empty() || q.back() < 0 || q.back() > static_cast<int64_t>(s.size()))
    node.problem("indices", "of shape " + to_string(q) + " do not fit the data of shape " + to_string(s));
  check_size(node, s);
  const int64_t k = q.back();
  const int64_t run = product(s.begin() + k, s.end()), rows = product(s.begin(), s.begin() + k);
  const int64_t count = product(q.begin(), q.end() - 1);
  if (element_count(node.shape(updates)) != count * run)
    node.problem("updates", "have another size than the indices name");
  if (count == 0 || element_count(s) == 0) return node.result(x);
  FlatIndex flat(node, 1);
  const auto strides = row_major_strides(Shape(s.begin(), s.begin() + k));
  const TensorId columns = node.reshape(indices, {count, k});
  for (int64_t i = 0; i < k; i++) {
    flat.add_index(node.reshape(node.slice_axis(columns, 1, i, 1), {count}), s[static_cast<size_t>(i)],
                   strides[static_cast<size_t>(i)]);
  }
  const TensorId at =
      k == 0 ? node.constant(HostTensor(ValueType::kI32, {count}), "zeros") : node.broadcast(flat.get(), {count});
  node.result(
      node.reshape(scatter(node, node.reshape(x, {rows, run}), at, node.reshape(updates, {count, run}), kind), s));
}

void read_scatter_elements(OnnxNode& node) {
  const TensorId x = node.in(0), indices = node.in(1), updates = node.in(2);
  const ScatterKind kind = reduction(node);
  const Shape s = node.shape(x), q = node.shape(indices);
  if (q.size() != s.size() || s.empty() || node.shape(updates) != q)
    node.problem("indices", "need the shape of the updates and the rank of the data");
  check_size(node, s);
  const auto axis = static_cast<size_t>(node.axis(node.integer("axis", 0), node.rank(x)));
  const auto strides = row_major_strides(s);
  FlatIndex flat(node, s.size());
  if (element_count(q) == 0) return node.result(x);
  flat.add_index(indices, s[axis], strides[axis]);
  for (size_t d = 0; d < s.size(); d++) {
    if (d == axis) continue;
    if (q[d] > s[d]) node.problem("indices", "reach beyond the data");
    if (q[d] > 1) flat.add_axis(d, q[d], strides[d]);
  }
  const int64_t count = element_count(q), total = element_count(s);
  node.result(node.reshape(
      scatter(node, node.reshape(x, {total}), node.reshape(flat.get(), {count}), node.reshape(updates, {count}), kind),
      s));
}

/// A cache [B, .., places, ..] whose places from write_indices[b] on become the update's.
void read_tensor_scatter(OnnxNode& node) {
  const TensorId x = node.in(0), updates = node.in(1);
  const Shape s = node.shape(x), q = node.shape(updates);
  const auto axis = static_cast<size_t>(node.axis(node.integer("axis", -2), node.rank(x)));
  const std::string mode = node.string("mode", "linear");
  if (mode != "linear" && mode != "circular") node.problem("mode", "'" + mode + "' is not known");
  Shape expected = s;
  if (axis == 0 || q.size() != s.size()) node.problem("update", "does not fit the cache");
  expected[axis] = q[axis];
  if (q != expected || q[axis] > s[axis]) node.problem("update", "does not fit the cache");
  check_size(node, s);
  const int64_t run = product(s.begin() + static_cast<int64_t>(axis) + 1, s.end()), n = s[axis];
  // Rows are [B, .., places].
  const Shape heads(q.begin(), q.begin() + static_cast<int64_t>(axis) + 1);
  const auto strides = row_major_strides(Shape(s.begin(), s.begin() + static_cast<int64_t>(axis) + 1));
  TensorId place = offsets(node, heads.size(), axis, q[axis], 1);
  if (node.has(2)) {
    Shape apart(heads.size(), 1);
    apart[0] = s[0];
    const TensorId first = node.reshape(node.cast(node.in(2), ValueType::kI32), apart);
    place = node.binary("add", first, place);
    if (mode == "circular") place = node.binary("rem", place, number(node, n));
  }
  FlatIndex flat(node, heads.size());
  flat.add_index(place, n, 1);
  for (size_t d = 0; d < axis; d++)
    flat.add_axis(d, q[d], strides[d]);
  const int64_t count = element_count(heads);
  const TensorId rows = node.reshape(node.broadcast(flat.get(), heads), {count});
  node.result(node.reshape(scatter(node, node.reshape(x, {element_count(s) / std::max<int64_t>(run, 1), run}), rows,
                                   node.reshape(updates, {count, run}), ScatterKind::kSet),
                           s));
}

const OnnxOps::Add kOps({
    {"ScatterND", read_scatter_nd},
    {"ScatterElements", read_scatter_elements},
    {"Scatter", read_scatter_elements},
    {"TensorScatter", read_tensor_scatter},
});

}  // namespace

TensorId onnx_checked_indices(OnnxNode& node, TensorId indices, int64_t n) {
  // Saturation keeps what is out of range out of it.
  const TensorId i = node.cast(indices, ValueType::kI32);
  const TensorId from_end =
      node.select(node.compare("less", i, number(node, 0)), node.binary("add", i, number(node, n)), i);
  const TensorId below = node.compare("less", from_end, number(node, 0)),
                 above = node.compare("greater_equal", from_end, number(node, n));
  return node.select(node.binary("or", below, above), number(node, -1), from_end);
}

TensorId onnx_first_places(OnnxNode& node, TensorId x, TensorId places, int64_t k) {
  Shape shape = node.shape(x);
  const int64_t n = shape.back(), rows = n == 0 ? 0 : element_count(shape) / n;
  shape.back() = k;
  const ValueType type = node.type(x).type;
  const TensorId zeros = node.constant(HostTensor(type, {rows * k}), "zeros");
  if (rows * k == 0) return node.reshape(zeros, shape);
  const TensorId place = node.reshape(places, {rows, n});
  const TensorId at = node.binary("add", place, offsets(node, 2, 0, rows, k));
  const TensorId first = node.select(node.compare("less", place, number(node, k)), at, number(node, -1));
  const TensorId sorted = node.add("scatter", {zeros, node.reshape(first, {rows * n}), node.reshape(x, {rows * n})},
                                   std::make_shared<ScatterAttrs>());
  return node.reshape(sorted, shape);
}

}  // namespace qlathe
