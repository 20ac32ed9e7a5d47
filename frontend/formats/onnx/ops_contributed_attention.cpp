// com.microsoft: Attention, QAttention and MultiHeadAttention.
#include <cmath>
#include <limits>

#include "frontend/formats/onnx/node.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

/// [batch, length, heads * size] to [batch, heads, length, size].
TensorId split_heads(OnnxNode& node, TensorId x, int64_t heads) {
  const Shape s = node.shape(x);
  if (s.size() == 4) return x;
  if (s.size() != 3 || heads < 1 || s[2] % heads != 0)
    node.problem("num_heads", std::to_string(heads) + " does not fit the shape " + to_string(s));
  return node.transpose(node.reshape(x, {s[0], s[1], heads, s[2] / heads}), {0, 2, 1, 3});
}

TensorId product(OnnxNode& node, TensorId a, TensorId b, int64_t contracted) {
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_batch = attrs->rhs_batch = {0, 1};
  attrs->lhs_contracting = {3};
  attrs->rhs_contracting = {contracted};
  return node.add("dot_general", {a, b}, attrs);
}

HostTensor iota(int64_t n, const Shape& shape) {
  HostTensor out(ValueType::kI32, {n});
  for (int64_t i = 0; i < n; i++)
    out.set_int(i, i);
  return out.reshaped(shape);
}

/// What is added to the scores where the mask says so: a row of ones and zeros for each sequence (or each query), or
/// the number of keys of each sequence.
TensorId mask_of(OnnxNode& node, TensorId mask, int64_t batch, int64_t keys) {
  const Shape s = node.shape(mask);
  const TensorId hidden = node.scalar(static_cast<float>(node.number("mask_filter_value", -10000.0))),
                 none = node.scalar(0.0f);
  if (s == Shape{batch}) {
    const TensorId key = node.constant(iota(keys, {1, 1, 1, keys}), "keys");
    const TensorId lengths = node.reshape(node.cast(mask, ValueType::kI32), {batch, 1, 1, 1});
    return node.select(node.compare("less", key, lengths), none, hidden);
  }
  if ((s.size() != 2 && s.size() != 3) || s[0] != batch || s.back() != keys)
    node.unsupported("mask_index", "of shape " + to_string(s) + " is not supported",
                     "one length for each sequence, or a mask [batch, keys] or [batch, queries, keys]");
  const TensorId shown = node.compare("greater", mask, node.scalar(node.type(mask).type, 0));
  const Shape apart = s.size() == 2 ? Shape{batch, 1, 1, keys} : Shape{batch, 1, s[1], keys};
  return node.reshape(node.select(shown, none, hidden), apart);
}

/// softmax(q k^T scale + mask) v, heads joined: [batch, length, heads * size].
TensorId attend(OnnxNode& node, TensorId q, TensorId k, TensorId v, TensorId mask) {
  const Shape s = node.shape(q);
  if (s[0] != node.shape(k)[0] || s[1] != node.shape(k)[1] || s[3] != node.shape(k)[3] ||
      node.shape(k)[2] != node.shape(v)[2])
    node.problem("key", "query, key and value do not fit each other");
  const double given = node.number("scale", 0), scale = given != 0 ? given : 1 / std::sqrt(static_cast<double>(s[3]));
  TensorId scores = node.binary("mul", product(node, q, k, 3), node.scalar(static_cast<float>(scale)));
  if (mask.valid()) scores = node.binary("add", scores, mask);
  if (node.integer("unidirectional", 0) != 0) {
    const int64_t keys = node.shape(k)[2];
    const TensorId key = node.constant(iota(keys, {1, 1, 1, keys}), "keys"),
                   query = node.constant(iota(s[2], {1, 1, s[2], 1}), "queries");
    scores =
        node.select(node.compare("greater", key, query), node.scalar(std::numeric_limits<float>::lowest()), scores);
  }
  const TensorId shares = node.add("softmax", {scores}, std::make_shared<SoftmaxAttrs>());
  const TensorId y = node.transpose(product(node, shares, v, 2), {0, 2, 1, 3});
  const Shape apart = node.shape(y);
  return node.reshape(y, {apart[0], apart[1], apart[2] * apart[3]});
}

/// The input by the weights of queries, keys and values side by side: [batch, length, 3 * size].
TensorId projected(OnnxNode& node) {
  const TensorId x = node.in(0), w = node.in(1);
  if (node.rank(x) != 3 || node.rank(w) != 2 || node.shape(x)[2] != node.shape(w)[0])
    node.problem("weights", "of shape " + to_string(node.shape(w)) + " do not fit the input");
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_contracting = {2};
  attrs->rhs_contracting = {0};
  if (node.op() != "QAttention") {
    const TensorId y = node.add("dot_general", {x, w}, attrs);
    return node.has(2) ? node.binary("add", y, node.in(2)) : y;
  }
  attrs->accumulator = ValueType::kI32;
  const auto zero = [&](size_t i, TensorId of, const Shape& lengthened) {
    if (!node.has(i)) return node.constant(HostTensor(node.type(of).type, Shape(lengthened.size(), 1)));
    return node.reshape(node.in(i),
                        element_count(node.shape(node.in(i))) == 1 ? Shape(lengthened.size(), 1) : lengthened);
  };
  const TensorId sum = node.add("dot_general", {x, w, zero(6, x, {1, 1, 1}), zero(7, w, {1, node.shape(w)[1]})}, attrs);
  const auto vector = [&](size_t i) { return node.reshape(node.in(i), {element_count(node.shape(node.in(i)))}); };
  const TensorId scaled = node.binary("mul", node.cast(sum, ValueType::kF32), node.binary("mul", vector(3), vector(4)));
  return node.binary("add", scaled, node.in(2));
}

void read_attention(OnnxNode& node) {
  const TensorId all = projected(node);
  const Shape s = node.shape(all);
  const int64_t heads = node.integer("num_heads", 0);
  auto sizes = node.integers("qkv_hidden_sizes", {s[2] / 3, s[2] / 3, s[2] / 3});
  if (sizes.size() != 3 || sizes[0] + sizes[1] + sizes[2] != s[2])
    node.problem("qkv_hidden_sizes", "do not add to the " + std::to_string(s[2]) + " columns of the weights");
  const TensorId q = split_heads(node, node.slice_axis(all, 2, 0, sizes[0]), heads),
                 k = split_heads(node, node.slice_axis(all, 2, sizes[0], sizes[1]), heads),
                 v = split_heads(node, node.slice_axis(all, 2, sizes[0] + sizes[1], sizes[2]), heads);
  const size_t at = node.op() == "QAttention" ? 5 : 3;
  node.number("mask_filter_value", -10000.0);
  node.result(attend(node, q, k, v, node.has(at) ? mask_of(node, node.in(at), s[0], s[1]) : kNone));
}

/// Queries, keys and values apart, and a bias of all of them: [batch, length, heads * size].
void read_multi_head(OnnxNode& node) {
  const int64_t heads = node.integer("num_heads", 0);
  TensorId parts[3] = {node.in(0), node.in(1), node.in(2)};
  if (node.has(3)) {
    int64_t from = 0;
    for (TensorId& x : parts) {
      const int64_t size = node.shape(x).back();
      x = node.binary("add", x, node.slice_axis(node.in(3), 0, from, size));
      from += size;
    }
  }
  const TensorId q = split_heads(node, parts[0], heads), k = split_heads(node, parts[1], heads),
                 v = split_heads(node, parts[2], heads);
  node.number("mask_filter_value", -10000.0);
  const TensorId mask = node.has(4) ? mask_of(node, node.in(4), node.shape(k)[0], node.shape(k)[2]) : kNone;
  node.result(attend(node, q, k, v, mask));
}

const OnnxOps::Add kOps({{"com.microsoft:Attention", read_attention},
                         {"com.microsoft:QAttention", read_attention},
                         {"com.microsoft:MultiHeadAttention", read_multi_head}});

}  // namespace
}  // namespace qlathe
