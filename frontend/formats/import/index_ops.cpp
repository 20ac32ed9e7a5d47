#include "frontend/formats/import/index_ops.h"

#include <functional>
#include <limits>
#include <numeric>

#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

TensorId reduced(ImportNode& node, TensorId x, ReduceKind kind, int64_t axis, bool keep) {
  auto attrs = std::make_shared<ReduceAttrs>();
  attrs->kind = kind;
  attrs->axes = {axis};
  attrs->keep_dims = keep;
  return node.add("reduce", {x}, attrs);
}

}  // namespace

TensorId import_iota(ImportNode& node, ValueType type, int64_t n, int64_t rank, int64_t axis) {
  Shape along(static_cast<size_t>(rank), 1);
  if (rank > 0) along[static_cast<size_t>(axis)] = n;
  HostTensor out(type, along);
  for (int64_t i = 0; i < n; i++)
    out.set_int(i, i);
  return node.constant(std::move(out), "index");
}

TensorId import_arg_extreme(ImportNode& node, TensorId x, int64_t axis, bool largest, bool keep, bool last) {
  const int64_t n = node.shape(x)[static_cast<size_t>(axis)];
  const TensorId best = reduced(node, x, largest ? ReduceKind::kMax : ReduceKind::kMin, axis, true);
  const TensorId index = import_iota(node, ValueType::kI32, n, node.rank(x), axis);
  const TensorId candidates = node.select(node.compare("equal", x, best), index,
                                          node.scalar(ValueType::kI32, last ? -1 : static_cast<double>(n)));
  return reduced(node, candidates, last ? ReduceKind::kMax : ReduceKind::kMin, axis, keep);
}

TensorId import_gather_nd(ImportNode& node, TensorId x, TensorId given, int64_t batch) {
  const TensorId indices = node.cast(given, ValueType::kI64);
  const Shape s = node.shape(x), q = node.shape(indices);
  if (q.empty() || batch < 0 || batch + q.back() > static_cast<int64_t>(s.size()) ||
      batch >= static_cast<int64_t>(q.size()))
    node.problem("indices", "of shape " + to_string(q) + " do not fit the data of shape " + to_string(s));
  const int64_t k = q.back(), first = batch + k;
  const Shape tail(s.begin() + first, s.end());
  const int64_t rows = std::accumulate(s.begin(), s.begin() + first, int64_t{1}, std::multiplies<>());
  const Shape heads(q.begin(), q.end() - 1);
  const auto strides = row_major_strides(Shape(s.begin(), s.begin() + first));
  TensorId flat = kNone;
  const auto add = [&](TensorId index, size_t d) {
    const TensorId term = node.binary("mul", index, node.scalar(ValueType::kI64, static_cast<double>(strides[d])));
    flat = flat.valid() ? node.binary("add", flat, term) : term;
  };
  for (int64_t i = 0; i < k; i++) {
    const auto d = static_cast<size_t>(batch + i);
    const TensorId one = node.reshape(node.slice_axis(indices, static_cast<int64_t>(q.size()) - 1, i, 1), heads);
    const TensorId from_end = node.binary("add", one, node.scalar(ValueType::kI64, static_cast<double>(s[d])));
    add(node.select(node.compare("less", one, node.scalar(ValueType::kI64, 0)), from_end, one), d);
  }
  for (int64_t d = 0; d < batch; d++)
    add(import_iota(node, ValueType::kI64, heads[static_cast<size_t>(d)], static_cast<int64_t>(heads.size()), d),
        static_cast<size_t>(d));
  if (!flat.valid()) node.problem("indices", "choose no axis");
  Shape flattened = {rows};
  flattened.insert(flattened.end(), tail.begin(), tail.end());
  return node.gather(node.reshape(x, flattened), flat, 0);
}

TopK import_top_k(ImportNode& node, TensorId x, int64_t k, int64_t axis, bool largest) {
  const ValueType type = node.type(x).type;
  if (type != ValueType::kF32 && type != ValueType::kI32)
    node.unsupported("input", std::string(name(type)) + " is not supported; float32 and int32 are");
  const int64_t n = node.shape(x)[static_cast<size_t>(axis)];
  constexpr int64_t kMost = 64;
  if (k < 0 || k > n) node.problem("k", std::to_string(k) + " is more than the axis has");
  if (k < 1 || k > kMost)
    node.unsupported("k", std::to_string(k) + " is not supported; 1 to " + std::to_string(kMost) + " are");
  const TensorId index = import_iota(node, ValueType::kI32, n, node.rank(x), axis);
  const float infinity = std::numeric_limits<float>::infinity();
  const TensorId none = type == ValueType::kF32 ? node.scalar(largest ? -infinity : infinity)
                                                : node.scalar(type, largest ? INT32_MIN : INT32_MAX);
  // What was taken already is known by its index, so that equal values and extremes of the type are taken once.
  TensorId taken = kNone;
  std::vector<TensorId> values, indices;
  for (int64_t i = 0; i < k; i++) {
    const TensorId left = taken.valid() ? node.select(taken, none, x) : x;
    const TensorId best = reduced(node, left, largest ? ReduceKind::kMax : ReduceKind::kMin, axis, true);
    TensorId candidate = node.compare("equal", left, best);
    if (taken.valid()) candidate = node.binary("and", candidate, node.unary("not", taken));
    const TensorId at =
        reduced(node, node.select(candidate, index, node.scalar(ValueType::kI32, static_cast<double>(n - 1))),
                ReduceKind::kMin, axis, true);
    const TensorId here = node.compare("equal", node.broadcast(index, node.shape(x)), at);
    taken = taken.valid() ? node.binary("or", taken, here) : here;
    values.push_back(best);
    indices.push_back(at);
  }
  return {node.concat(values, axis), node.concat(indices, axis)};
}

}  // namespace qlathe
