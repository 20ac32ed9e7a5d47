// Blocks of pixels as channels or as images, and back.
#include "frontend/formats/tflite/quantized.h"
#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

/// [N, h, w, C] with blocks of b x b pixels as channels, and back.
void read_space_to_depth(TfliteNode& node) {
  const TensorId x = node.in(0);
  const Shape s = node.shape(x);
  const int64_t b = node.options<tflite::SpaceToDepthOptions>().block_size();
  if (s.size() != 4 || b < 1 || s[1] % b != 0 || s[2] % b != 0)
    node.problem("block_size", std::to_string(b) + " does not divide " + to_string(s));
  const TensorId split = node.reshape(x, {s[0], s[1] / b, b, s[2] / b, b, s[3]});
  node.result(node.reshape(node.transpose(split, {0, 1, 3, 2, 4, 5}), {s[0], s[1] / b, s[2] / b, b * b * s[3]}));
}

void read_depth_to_space(TfliteNode& node) {
  const TensorId x = node.in(0);
  const Shape s = node.shape(x);
  const int64_t b = node.options<tflite::DepthToSpaceOptions>().block_size();
  if (s.size() != 4 || b < 1 || b > 1 << 12 || s[3] % (b * b) != 0)
    node.problem("block_size", std::to_string(b) + " does not divide " + to_string(s));
  const TensorId split = node.reshape(x, {s[0], s[1], s[2], b, b, s[3] / (b * b)});
  node.result(node.reshape(node.transpose(split, {0, 1, 3, 2, 4, 5}), {s[0], s[1] * b, s[2] * b, s[3] / (b * b)}));
}

struct Blocks {
  std::vector<int64_t> block, lo, hi;
};
Blocks blocks(TfliteNode& node, int64_t rank) {
  Blocks out;
  out.block = node.constant_integers(1, "block_shape");
  const auto ends = node.constant_integers(2, node.op() == "SPACE_TO_BATCH_ND" ? "paddings" : "crops");
  if (static_cast<int64_t>(out.block.size()) >= rank || ends.size() != 2 * out.block.size())
    node.problem("block_shape", "does not fit the input");
  for (size_t i = 0; i < out.block.size(); i++) {
    out.lo.push_back(ends[2 * i]);
    out.hi.push_back(ends[2 * i + 1]);
    if (out.block[i] < 1 || out.block[i] > 1 << 20 || out.lo[i] < 0 || out.hi[i] < 0 || out.lo[i] > 1 << 24 ||
        out.hi[i] > 1 << 24)
      node.problem("block_shape", "is out of range");
  }
  return out;
}

/// Padded, then every b-th pixel makes an image of its own: [b1, b2, .., N] images.
void read_space_to_batch_nd(TfliteNode& node) {
  TensorId x = node.in(0);
  const Blocks b = blocks(node, node.rank(x));
  const size_t m = b.block.size();
  auto attrs = std::make_shared<PadAttrs>();
  attrs->lo.assign(node.shape(x).size(), 0);
  attrs->hi = attrs->lo;
  for (size_t i = 0; i < m; i++) {
    attrs->lo[i + 1] = b.lo[i];
    attrs->hi[i + 1] = b.hi[i];
  }
  std::vector<TensorId> operands = {x};
  // TFLite Micro pads with the integer 0, whatever that stands for.
  if (is_quantized(node.in_type(0)) && node.quant_of(node.output()) && node.numerics() != TfliteNumerics::kTflm)
    operands.push_back(node.scalar(node.in_type(0), static_cast<double>(node.out_zero())));
  x = node.add("pad", operands, attrs);
  const Shape s = node.shape(x);
  Shape split = {s[0]}, out = {s[0]};
  std::vector<int64_t> permutation;
  for (size_t i = 0; i < m; i++) {
    if (s[i + 1] % b.block[i] != 0) node.problem("block_shape", "does not divide the padded input " + to_string(s));
    split.insert(split.end(), {s[i + 1] / b.block[i], b.block[i]});
    permutation.push_back(static_cast<int64_t>(2 * i + 2));
    out[0] *= b.block[i];
    out.push_back(s[i + 1] / b.block[i]);
  }
  permutation.push_back(0);
  for (size_t i = 0; i < m; i++)
    permutation.push_back(static_cast<int64_t>(2 * i + 1));
  for (size_t d = m + 1; d < s.size(); d++) {
    permutation.push_back(static_cast<int64_t>(split.size()));
    split.push_back(s[d]);
    out.push_back(s[d]);
  }
  node.result(node.reshape(node.transpose(node.reshape(x, split), permutation), out));
}

void read_batch_to_space_nd(TfliteNode& node) {
  const TensorId x = node.in(0);
  const Shape s = node.shape(x);
  const Blocks b = blocks(node, node.rank(x));
  const size_t m = b.block.size();
  int64_t images = s[0];
  Shape split;
  for (size_t i = 0; i < m; i++) {
    if (images % b.block[i] != 0) node.problem("block_shape", "does not divide the batch of " + to_string(s));
    images /= b.block[i];
    split.push_back(b.block[i]);
  }
  split.push_back(images);
  std::vector<int64_t> permutation = {static_cast<int64_t>(m)};
  Shape joined = {images};
  for (size_t i = 0; i < m; i++) {
    permutation.push_back(static_cast<int64_t>(m + 1 + i));
    permutation.push_back(static_cast<int64_t>(i));
    split.push_back(s[i + 1]);
    joined.push_back(s[i + 1] * b.block[i]);
  }
  for (size_t d = m + 1; d < s.size(); d++) {
    permutation.push_back(static_cast<int64_t>(split.size()));
    split.push_back(s[d]);
    joined.push_back(s[d]);
  }
  const TensorId y = node.reshape(node.transpose(node.reshape(x, split), permutation), joined);
  std::vector<int64_t> start(joined.size(), 0);
  Shape size = joined;
  for (size_t i = 0; i < m; i++) {
    start[i + 1] = b.lo[i];
    size[i + 1] -= b.lo[i] + b.hi[i];
    if (size[i + 1] < 0) node.problem("crops", "leave nothing of " + to_string(joined));
  }
  node.result(node.slice(y, start, size));
}

const TfliteOps::Add kOps({
    {"SPACE_TO_DEPTH", read_space_to_depth},
    {"DEPTH_TO_SPACE", read_depth_to_space},
    {"SPACE_TO_BATCH_ND", read_space_to_batch_nd},
    {"BATCH_TO_SPACE_ND", read_batch_to_space_nd},
});

}  // namespace
}  // namespace qlathe
