// Operators that choose or place elements by index.
#include <algorithm>
#include <limits>
#include <numeric>

#include "frontend/formats/import/index_ops.h"
#include "frontend/formats/onnx/places.h"
#include "frontend/formats/onnx/widen.h"
#include "frontend/ops/indexing.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

HostTensor iota(ValueType type, int64_t n, const Shape& shape) {
  HostTensor out(type, {n});
  for (int64_t i = 0; i < n; i++)
    out.set_int(i, i);
  return out.reshaped(shape);
}

void read_arg(OnnxNode& node) {
  const TensorId x = node.in(0);
  const int64_t axis = node.axis(node.integer("axis", 0), node.rank(x));
  const bool last = node.integer("select_last_index", 0) != 0, keep = node.integer("keepdims", 1) != 0;
  node.result(node.cast(import_arg_extreme(node, x, axis, node.op() == "ArgMax", keep, last), ValueType::kI64));
}

/// Negative indices count from the end of an axis of n elements.
TensorId wrapped(OnnxNode& node, TensorId index, int64_t n) {
  const ValueType type = node.type(index).type;
  return node.select(node.compare("less", index, node.scalar(type, 0)),
                     node.binary("add", index, node.scalar(type, static_cast<double>(n))), index);
}

TensorId wide(OnnxNode& node, TensorId index) { return node.cast(index, ValueType::kI64); }

void read_gather_nd(OnnxNode& node) {
  node.result(import_gather_nd(node, node.in(0), node.in(1), node.integer("batch_dims", 0)));
}

/// out[i, j, ..] = data[index[i, j, ..], j, ..] for axis 0, and so on.
void read_gather_elements(OnnxNode& node) {
  const TensorId x = node.in(0), indices = wide(node, node.in(1));
  const Shape s = node.shape(x), q = node.shape(indices);
  if (q.size() != s.size() || s.empty()) node.problem("indices", "need as many axes as the data");
  const auto axis = static_cast<size_t>(node.axis(node.integer("axis", 0), node.rank(x)));
  const auto strides = row_major_strides(s);
  TensorId flat = node.binary("mul", wrapped(node, indices, s[axis]),
                              node.scalar(ValueType::kI64, static_cast<double>(strides[axis])));
  for (size_t d = 0; d < s.size(); d++) {
    if (d == axis) continue;
    Shape along(s.size(), 1);
    along[d] = q[d];
    HostTensor at = iota(ValueType::kI64, q[d], along);
    for (int64_t i = 0; i < at.size(); i++)
      at.set_int(i, i * strides[d]);
    flat = node.binary("add", flat, node.constant(std::move(at), "index"));
  }
  node.result(node.gather(node.reshape(x, {element_count(s)}), flat, 0));
}

void read_one_hot(OnnxNode& node) {
  TensorId indices = node.in(0);
  if (is_float(node.type(indices).type)) indices = node.cast(indices, ValueType::kI64);
  indices = wide(node, indices);
  const auto depth = static_cast<int64_t>(node.constant_number(1, "depth"));
  if (depth < 1 || depth > 1 << 24) node.problem("depth", std::to_string(depth) + " is out of range");
  const int64_t rank = node.rank(indices) + 1, axis = node.axis(node.integer("axis", -1), rank);
  Shape apart = node.shape(indices), along(static_cast<size_t>(rank), 1);
  apart.insert(apart.begin() + axis, 1);
  along[static_cast<size_t>(axis)] = depth;
  const TensorId hit = node.compare("equal", node.reshape(wrapped(node, indices, depth), apart),
                                    node.constant(iota(ValueType::kI64, depth, along), "index"));
  const TensorId values = node.in(2);
  const auto value = [&](int64_t i) { return node.reshape(node.slice_axis(values, 0, i, 1), {}); };
  node.result(node.select(hit, value(1), value(0)));
}

void read_cumsum(OnnxNode& node) {
  const auto [x, type] = onnx_widen(node, node.in(0));
  const auto axes = node.constant_integers(1, "axis");
  if (axes.size() != 1) node.problem("axis", "is not one axis");
  auto attrs = std::make_shared<CumsumAttrs>();
  attrs->axis = node.axis(axes[0], node.rank(x));
  attrs->exclusive = node.integer("exclusive", 0) != 0;
  attrs->reverse = node.integer("reverse", 0) != 0;
  const TensorId wide = is_float(type) ? node.cast(x, ValueType::kF32) : x;
  node.result(onnx_narrow(node, node.add("cumsum", {wide}, attrs), type));
}

/// Few of few: the k largest (or smallest) one after the other: the extreme, where it stands first, and the rest
/// without it.
void top_by_extremes(OnnxNode& node, TensorId x, int64_t axis, int64_t k, bool largest) {
  const ValueType type = node.type(x).type;
  const int64_t n = node.shape(x)[static_cast<size_t>(axis)];
  Shape along(node.shape(x).size(), 1);
  along[static_cast<size_t>(axis)] = n;
  const TensorId index = node.constant(iota(ValueType::kI32, n, along), "index");
  const TensorId none = type == ValueType::kF32 ? node.scalar(largest ? -std::numeric_limits<float>::infinity()
                                                                      : std::numeric_limits<float>::infinity())
                                                : node.scalar(type, largest ? INT32_MIN : INT32_MAX);
  const auto reduced = [&](TensorId t, ReduceKind kind) {
    auto attrs = std::make_shared<ReduceAttrs>();
    attrs->kind = kind;
    attrs->axes = {axis};
    attrs->keep_dims = true;
    return node.add("reduce", {t}, attrs);
  };
  // What was taken already is known by its index, so that equal values and extremes of the type are taken once.
  TensorId taken = kNone;
  std::vector<TensorId> values, indices;
  for (int64_t i = 0; i < k; i++) {
    const TensorId left = taken.valid() ? node.select(taken, none, x) : x;
    const TensorId best = reduced(left, largest ? ReduceKind::kMax : ReduceKind::kMin);
    TensorId candidate = node.compare("equal", left, best);
    if (taken.valid()) candidate = node.binary("and", candidate, node.unary("not", taken));
    const TensorId at = reduced(node.select(candidate, index, node.scalar(ValueType::kI32, static_cast<double>(n - 1))),
                                ReduceKind::kMin);
    const TensorId here = node.compare("equal", node.broadcast(index, node.shape(x)), at);
    taken = taken.valid() ? node.binary("or", taken, here) : here;
    values.push_back(best);
    indices.push_back(at);
  }
  node.result(node.concat(values, axis));
  node.result(node.cast(node.concat(indices, axis), ValueType::kI64));
}

/// Sorted, which `sorted` = 0 allows as well. Many of many: each element's place in the order is counted, and what has
/// one of the first k goes there.
void read_top_k(OnnxNode& node) {
  const auto [wide, type] = onnx_widen(node, node.in(0));
  const TensorId x = is_float(type) ? node.cast(wide, ValueType::kF32) : wide;
  node.ignore("sorted");
  const bool largest = node.integer("largest", 1) != 0;
  const int64_t axis = node.axis(node.integer("axis", -1), node.rank(x)), n = node.shape(x)[static_cast<size_t>(axis)];
  const int64_t k = node.has(1) ? node.constant_integers(1, "K").at(0) : node.integer("k", 0);
  if (k < 0 || k > n) node.problem("K", std::to_string(k) + " is more than the axis has");
  constexpr int64_t kFew = 4;
  if (k > 0 && k <= kFew && (type == ValueType::kF32 || type == ValueType::kI32))
    return top_by_extremes(node, x, axis, k, largest);
  const TensorId last = node.axis_to_last(x, axis);
  auto attrs = std::make_shared<SortPlacesAttrs>();
  attrs->descending = largest;
  const TensorId places = node.add("sort_places", {last}, attrs);
  Shape shape = node.shape(last);
  shape.back() = k;
  node.result(onnx_narrow(node, node.last_to_axis(onnx_first_places(node, last, places, k), axis), type));
  const Shape whole = node.shape(last);  // a copy: what is added to the graph moves its tensors
  const TensorId numbers = node.broadcast(node.constant(iota(ValueType::kI32, n, {n}), "index"), whole);
  const TensorId indices = node.last_to_axis(onnx_first_places(node, numbers, places, k), axis);
  node.result(node.cast(indices, ValueType::kI64));
}

/// The elements along an axis (of all, flattened, without one) where a condition that is known holds.
void read_compress(OnnxNode& node) {
  TensorId x = node.in(0);
  const HostTensor* condition = node.is_constant(1) ? node.data(node.in(1)) : nullptr;
  if (condition == nullptr)
    node.unsupported("condition", "is computed while the model runs; how many elements remain must be known",
                     "make it a constant");
  if (!node.has_attribute("axis")) x = node.reshape(x, {element_count(node.shape(x))});
  const int64_t axis = node.axis(node.integer("axis", 0), node.rank(x));
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < std::min(condition->size(), node.shape(x)[static_cast<size_t>(axis)]); i++) {
    if (condition->int_at(i) != 0) kept.push_back(i);
  }
  node.result(node.gather(x, node.integer_vector(kept), axis));
}

/// The first elements of every sequence in reverse, as many as its length says.
void read_reverse_sequence(OnnxNode& node) {
  const TensorId x = node.in(0);
  const int64_t time = node.integer("time_axis", 0), batch = node.integer("batch_axis", 1);
  if (node.rank(x) < 2 || time + batch != 1 || time * batch != 0)
    node.problem("time_axis", "time and batch are the first two axes");
  const bool time_first = time == 0;
  std::vector<int64_t> swapped(static_cast<size_t>(node.rank(x)));
  std::iota(swapped.begin(), swapped.end(), 0);
  if (time_first) std::swap(swapped[0], swapped[1]);
  const TensorId rows = node.transpose(x, swapped);  // [batch, time, ..]
  const Shape s = node.shape(rows);
  if (node.shape(node.in(1)) != Shape{s[0]})
    node.problem("sequence_lens", "of shape " + to_string(node.shape(node.in(1))) + " is not one for each sequence");
  const TensorId lengths = node.reshape(wide(node, node.in(1)), {s[0], 1});
  const TensorId at = node.constant(iota(ValueType::kI64, s[1], {1, s[1]}), "time");
  const TensorId from_end = node.binary("sub", node.binary("sub", lengths, at), node.scalar(ValueType::kI64, 1));
  HostTensor starts = iota(ValueType::kI64, s[0], {s[0], 1});
  for (int64_t i = 0; i < s[0]; i++)
    starts.set_int(i, i * s[1]);
  const TensorId from = node.binary("add", node.select(node.compare("less", at, lengths), from_end, at),
                                    node.constant(std::move(starts), "starts"));
  Shape flat(s.begin() + 1, s.end());
  flat[0] = s[0] * s[1];
  node.result(node.transpose(node.gather(node.reshape(rows, flat), from, 0), swapped));
}

const OnnxOps::Add kOps({
    {"Compress", read_compress},
    {"ReverseSequence", read_reverse_sequence},
    {"ArgMax", read_arg},
    {"ArgMin", read_arg},
    {"GatherND", read_gather_nd},
    {"GatherElements", read_gather_elements},
    {"TopK", read_top_k},
    {"OneHot", read_one_hot},
    {"CumSum", read_cumsum},
});

}  // namespace
}  // namespace qlathe
