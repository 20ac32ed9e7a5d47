// Attention, RotaryEmbedding and Hardmax, out of products, softmax and movement.
#include <algorithm>
#include <cmath>
#include <limits>

#include "frontend/formats/onnx/node.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

/// [batch, length, heads * size] to [batch, heads, length, size]; four axes stay.
TensorId split_heads(OnnxNode& node, TensorId x, int64_t heads, const char* field) {
  const Shape s = node.shape(x);
  if (s.size() == 4) return x;
  if (s.size() != 3 || heads < 1 || s[2] % heads != 0) node.problem(field, "does not fit the shape " + to_string(s));
  return node.transpose(node.reshape(x, {s[0], s[1], heads, s[2] / heads}), {0, 2, 1, 3});
}

/// Each head repeated `times` times in a row: [b, h, l, s] to [b, h * times, l, s].
TensorId repeat_heads(OnnxNode& node, TensorId x, int64_t times) {
  if (times == 1) return x;
  const Shape s = node.shape(x);
  const TensorId wide = node.broadcast(node.reshape(x, {s[0], s[1], 1, s[2], s[3]}), {s[0], s[1], times, s[2], s[3]});
  return node.reshape(wide, {s[0], s[1] * times, s[2], s[3]});
}

/// Batched product over two leading axes; `transposed`: b is [.., n, k].
TensorId product(OnnxNode& node, TensorId a, TensorId b, bool transposed) {
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_batch = {0, 1};
  attrs->rhs_batch = {0, 1};
  attrs->lhs_contracting = {3};
  attrs->rhs_contracting = {transposed ? 3 : 2};
  return node.add("dot_general", {a, b}, attrs);
}

HostTensor iota(int64_t n, const Shape& shape) {
  HostTensor out(ValueType::kI32, {n});
  for (int64_t i = 0; i < n; i++)
    out.set_int(i, i);
  return out.reshaped(shape);
}

/// What is added to the scores of hidden keys.
constexpr float kHidden = -std::numeric_limits<float>::infinity();

/// The mask as numbers that are added: [.., total].
TensorId mask_of(OnnxNode& node, int64_t total) {
  TensorId mask = node.in(3);
  if (node.type(mask).type == ValueType::kBool) {
    mask = node.select(mask, node.scalar(0.0f), node.scalar(kHidden));
  } else {
    mask = node.cast(mask, ValueType::kF32);
  }
  const Shape& shape = node.shape(mask);
  if (shape.empty() || shape.back() > total || (shape.back() == 1 && total > 1))
    node.problem("attn_mask", "of shape " + to_string(shape) + " does not fit " + std::to_string(total) + " keys");
  if (shape.back() == total) return mask;
  auto attrs = std::make_shared<PadAttrs>();
  attrs->lo.assign(shape.size(), 0);
  attrs->hi = attrs->lo;
  attrs->hi.back() = total - shape.back();
  return node.add("pad", {mask, node.scalar(kHidden)}, attrs);
}

/// Keys that a query at the position `offset` + its index does not see: later ones, those outside the window, padding.
/// Each of them is a tensor that broadcasts to [batch, heads, length, total] and is added to the scores.
std::vector<TensorId> hidden_keys(OnnxNode& node, int64_t batch, int64_t length, int64_t total, int64_t past) {
  const auto index = [&](int64_t value) { return node.scalar(ValueType::kI32, static_cast<double>(value)); };
  const TensorId key = node.constant(iota(total, {1, 1, 1, total}), "keys");
  TensorId offset = index(past), valid = kNone;
  if (node.has(6)) {
    if (node.has(4)) node.problem("nonpad_kv_seqlen", "is given beside past_key");
    if (node.shape(node.in(6)) != Shape{batch})
      node.problem("nonpad_kv_seqlen", "has the shape " + to_string(node.shape(node.in(6))) + ", expected one value " +
                                           "for each of " + std::to_string(batch));
    valid = node.reshape(node.cast(node.in(6), ValueType::kI32), {batch, 1, 1, 1});
    offset = node.binary("sub", valid, index(length));
  }
  const TensorId query = node.binary("add", node.constant(iota(length, {1, 1, length, 1}), "queries"), offset);
  std::vector<TensorId> out;
  const auto hide = [&](TensorId condition) {
    out.push_back(node.select(condition, node.scalar(kHidden), node.scalar(0.0f)));
  };
  const auto window = [&](const char* attribute) {
    const int64_t size = node.integer(attribute, -1);
    if (size < -1) node.problem(attribute, std::to_string(size) + " is out of range");
    return std::min<int64_t>(size, std::numeric_limits<int32_t>::max() / 4);
  };
  const int64_t left = window("left_window_size"), right = window("right_window_size");
  if (node.integer("is_causal", 0) != 0) hide(node.compare("greater", key, query));
  if (left >= 0) hide(node.compare("less", key, node.binary("sub", query, index(left))));
  if (right >= 0) hide(node.compare("greater", key, node.binary("add", query, index(right))));
  if (valid.valid()) hide(node.compare("greater_equal", key, valid));
  return out;
}

void read_attention(OnnxNode& node) {
  const TensorId given = node.in(0);
  const ValueType type = node.type(given).type;
  if (type != ValueType::kF32 && type != ValueType::kF16 && type != ValueType::kBF16)
    node.unsupported("Q", std::string(name(type)) + " is not supported; float32, float16 and bfloat16 are");
  const int64_t q_heads = node.integer("q_num_heads", 0), kv_heads = node.integer("kv_num_heads", 0);
  node.ignore("softmax_precision");
  TensorId q = split_heads(node, given, q_heads, "q_num_heads"),
           k = split_heads(node, node.in(1), kv_heads, "kv_num_heads"),
           v = split_heads(node, node.in(2), kv_heads, "kv_num_heads");
  int64_t past = 0;
  if (node.has(4)) {
    past = node.shape(node.in(4)).at(2);
    k = node.concat({node.in(4), k}, 2);
    v = node.concat({node.in(5), v}, 2);
  }
  const TensorId present_k = k, present_v = v;
  const Shape s = node.shape(q);  // [batch, heads, length, size]
  const int64_t total = node.shape(k)[2];
  if (node.shape(k)[1] < 1 || s[1] % node.shape(k)[1] != 0 || node.shape(v)[1] != node.shape(k)[1])
    node.problem("kv_num_heads", "does not divide the heads of Q");
  const auto wide = [&](TensorId x) {
    return node.cast(repeat_heads(node, x, s[1] / node.shape(x)[1]), ValueType::kF32);
  };
  // As the standard defines it, each operand is scaled by the root.
  const double scale = node.number("scale", 1 / std::sqrt(static_cast<double>(s[3])));
  const TensorId root = node.scalar(static_cast<float>(std::sqrt(scale)));
  TensorId scores = product(node, node.binary("mul", wide(q), root), node.binary("mul", wide(k), root), true);
  std::vector<TensorId> stages = {scores};
  if (const double softcap = node.number("softcap", 0); softcap != 0) {
    scores = node.pointwise(
        scores, {onnx_step("div", ValueType::kF32, {1}), onnx_step("tanh"), onnx_step("mul", ValueType::kF32, {1})},
        {node.scalar(static_cast<float>(softcap))});
  }
  stages.push_back(scores);
  if (node.has(3)) scores = node.binary("add", scores, mask_of(node, total));
  const std::vector<TensorId> hidden = hidden_keys(node, s[0], s[2], total, past);
  for (TensorId some : hidden)
    scores = node.binary("add", scores, some);
  stages.push_back(scores);
  TensorId weights = node.add("softmax", {scores}, std::make_shared<SoftmaxAttrs>());
  // A row without any key has no weights, where softmax would have no numbers.
  if (node.has(3) || !hidden.empty())
    weights = node.select(node.compare("equal", weights, weights), weights, node.scalar(0.0f));
  stages.push_back(weights);
  TensorId y = product(node, weights, wide(v), false);
  if (node.rank(given) == 3) {
    const Shape out = node.shape(y);
    y = node.reshape(node.transpose(y, {0, 2, 1, 3}), {out[0], out[2], out[1] * out[3]});
  }
  const int64_t mode = node.integer("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3) node.problem("qk_matmul_output_mode", std::to_string(mode) + " is out of range");
  node.result(node.cast(y, type));
  node.result(present_k);
  node.result(present_v);
  node.result(node.cast(stages[static_cast<size_t>(mode)], type));
}

/// x1 * cos - x2 * sin and x2 * cos + x1 * sin on halves (or on even and odd elements) of each head.
void read_rotary(OnnxNode& node) {
  const TensorId given = node.in(0);
  const bool flat = node.rank(given) == 3;
  const int64_t heads = node.integer("num_heads", 0);
  TensorId x = split_heads(node, given, heads, "num_heads");
  const Shape s = node.shape(x);  // [batch, heads, length, size]
  const bool interleaved = node.integer("interleaved", 0) != 0;
  int64_t turned = node.integer("rotary_embedding_dim", 0);
  if (turned == 0) turned = s[3];
  if (turned < 2 || turned > s[3] || turned % 2 != 0) node.problem("rotary_embedding_dim", "does not fit the heads");
  TensorId cosine = node.in(1), sine = node.in(2);
  if (node.has(3)) {
    cosine = node.gather(cosine, node.in(3), 0);
    sine = node.gather(sine, node.in(3), 0);
  }
  const auto placed = [&](TensorId t) {
    t = node.slice_axis(t, node.rank(t) - 1, 0, turned / 2);
    const Shape own = node.shape(t);
    if (own.size() != 3) node.problem("cos_cache", "has the shape " + to_string(own));
    return node.reshape(t, {own[0], 1, own[1], own[2]});
  };
  cosine = placed(cosine);
  sine = placed(sine);
  const TensorId head = node.slice_axis(x, 3, 0, turned);
  TensorId first = kNone, second = kNone;
  const auto every_other = [&](int64_t start) {
    return node.slice(head, {0, 0, 0, start}, {s[0], s[1], s[2], turned / 2}, {1, 1, 1, 2});
  };
  first = interleaved ? every_other(0) : node.slice_axis(head, 3, 0, turned / 2);
  second = interleaved ? every_other(1) : node.slice_axis(head, 3, turned / 2, turned / 2);
  const TensorId real = node.binary("sub", node.binary("mul", cosine, first), node.binary("mul", sine, second));
  const TensorId imaginary = node.binary("add", node.binary("mul", sine, first), node.binary("mul", cosine, second));
  TensorId y = kNone;
  if (interleaved) {
    const Shape apart = {s[0], s[1], s[2], turned / 2, 1};
    y = node.reshape(node.concat({node.reshape(real, apart), node.reshape(imaginary, apart)}, 4),
                     {s[0], s[1], s[2], turned});
  } else {
    y = node.concat({real, imaginary}, 3);
  }
  if (turned < s[3]) y = node.concat({y, node.slice_axis(x, 3, turned, s[3] - turned)}, 3);
  if (flat) {
    const Shape whole = node.shape(given);  // a copy: what is added to the graph moves its tensors
    y = node.reshape(node.transpose(y, {0, 2, 1, 3}), whole);
  }
  node.result(y);
}

/// One at the first of the largest elements, zero elsewhere.
void read_hardmax(OnnxNode& node) {
  TensorId x = node.in(0);
  int64_t axis = node.axis(node.integer("axis", node.opset < 13 ? 1 : -1), node.rank(x));
  const Shape given = node.shape(x);
  if (node.opset < 13) {
    // Over all axes from that one on.
    const int64_t rows = element_count(Shape(given.begin(), given.begin() + axis));
    x = node.reshape(x, {rows, element_count(Shape(given.begin() + axis, given.end()))});
    axis = 1;
  }
  auto attrs = std::make_shared<ReduceAttrs>();
  attrs->kind = ReduceKind::kMax;
  attrs->axes = {axis};
  attrs->keep_dims = true;
  const TensorId equal = node.compare("equal", x, node.add("reduce", {x}, attrs));
  Shape along(node.shape(x).size(), 1);
  const int64_t n = along[static_cast<size_t>(axis)] = node.shape(x)[static_cast<size_t>(axis)];
  const TensorId index = node.constant(iota(n, along), "index");
  auto first = std::make_shared<ReduceAttrs>(*attrs);
  first->kind = ReduceKind::kMin;
  const TensorId at =
      node.add("reduce", {node.select(equal, index, node.scalar(ValueType::kI32, static_cast<double>(n)))}, first);
  const ValueType type = node.type(x).type;
  const TensorId y = node.select(node.compare("equal", index, at), node.scalar(type, 1), node.scalar(type, 0));
  node.result(node.reshape(y, given));
}

const OnnxOps::Add kOps({{"Attention", read_attention}, {"RotaryEmbedding", read_rotary}, {"Hardmax", read_hardmax}});

}  // namespace
}  // namespace qlathe
