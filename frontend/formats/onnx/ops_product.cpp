// Products: MatMul, Gemm, convolutions, and their integer forms.
#include <algorithm>
#include <numeric>

#include "frontend/formats/onnx/dynamic_quantize.h"
#include "frontend/formats/onnx/node.h"
#include "frontend/formats/onnx/windows.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

/// Steps and extra operands that follow a product's sum.
struct Epilogue {
  std::vector<PointwiseStep> steps;
  std::vector<TensorId> operands;
};

/// Operands in the slots of ContractionSlot.
std::vector<TensorId> slots(TensorId lhs, TensorId rhs, TensorId lhs_zero, TensorId rhs_zero,
                            const Epilogue& epilogue) {
  std::vector<TensorId> out = {lhs, rhs, lhs_zero, rhs_zero, kNone, kNone};
  out.insert(out.end(), epilogue.operands.begin(), epilogue.operands.end());
  while (!out.back().valid())
    out.pop_back();
  return out;
}

TensorId as_float(OnnxNode& node, TensorId x) {
  const ValueType type = node.type(x).type;
  if (type == ValueType::kF64) return node.cast(x, ValueType::kF32);
  if (!is_float(type))
    node.unsupported(
        "input", "products of " + std::string(name(type)) + " are not supported; MatMulInteger and ConvInteger are");
  return x;
}

/// numpy.matmul: [.., M, K] x [.., K, N], batch axes broadcast, vectors as rows or columns.
TensorId matmul(OnnxNode& node, TensorId a, TensorId b, ValueType accumulator, TensorId a_zero, TensorId b_zero,
                const Epilogue& epilogue) {
  const bool row = node.rank(a) == 1, column = node.rank(b) == 1;
  if (node.rank(a) == 0 || node.rank(b) == 0) node.problem("input", "a scalar has no product of matrices");
  if (row) a = node.reshape(a, {1, node.shape(a)[0]});
  if (column) b = node.reshape(b, {node.shape(b)[0], 1});
  Shape x = node.shape(a), y = node.shape(b);
  if (x.back() != y[y.size() - 2])
    node.problem("input", "the shapes " + to_string(x) + " and " + to_string(y) + " do not multiply");
  Shape batch_a(x.begin(), x.end() - 2), batch_b(y.begin(), y.end() - 2);
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->accumulator = accumulator;
  attrs->steps = epilogue.steps;
  // Weights without a batch of their own multiply all rows at once.
  if (std::all_of(batch_b.begin(), batch_b.end(), [](int64_t e) { return e == 1; }) && y.size() <= x.size()) {
    b = node.reshape(b, {y[y.size() - 2], y.back()});
    if (b_zero.valid() && node.rank(b_zero) > 2) b_zero = node.reshape(b_zero, {1, node.shape(b_zero).back()});
    attrs->lhs_contracting = {static_cast<int64_t>(x.size()) - 1};
    attrs->rhs_contracting = {0};
  } else {
    const Shape batch = node.broadcast_shape(batch_a, batch_b);
    const auto widen = [&](TensorId t, int64_t rows, int64_t columns) {
      Shape to = batch;
      to.insert(to.end(), {rows, columns});
      return node.broadcast(t, to);
    };
    a = widen(a, x[x.size() - 2], x.back());
    b = widen(b, y[y.size() - 2], y.back());
    const auto n = static_cast<int64_t>(batch.size());
    for (int64_t d = 0; d < n; d++) {
      attrs->lhs_batch.push_back(d);
      attrs->rhs_batch.push_back(d);
    }
    attrs->lhs_contracting = {n + 1};
    attrs->rhs_contracting = {n};
    for (TensorId* zero : {&a_zero, &b_zero}) {
      if (!zero->valid()) continue;
      Shape padded = node.shape(*zero);
      while (padded.size() < batch.size() + 2)
        padded.insert(padded.begin(), 1);
      *zero = node.reshape(*zero, padded);
    }
    x = node.shape(a);
    y = node.shape(b);
    x.resize(batch.size());
    x.insert(x.end(), {node.shape(a)[batch.size()], 0});
  }
  TensorId out = node.add("dot_general", slots(a, b, a_zero, b_zero, epilogue), attrs);
  if (!row && !column) return out;
  Shape flat = node.shape(out);
  if (column) flat.pop_back();
  if (row) flat.erase(flat.end() - (column ? 1 : 2));
  return node.reshape(out, flat);
}

void read_matmul(OnnxNode& node) {
  const TensorId a = as_float(node, node.in(0));
  node.result(
      node.cast(matmul(node, a, as_float(node, node.in(1)), ValueType::kF32, kNone, kNone, {}), node.type(a).type));
}

TensorId transposed(OnnxNode& node, TensorId x, bool yes) {
  if (node.rank(x) != 2) node.problem("input", "of shape " + to_string(node.shape(x)) + " is no matrix");
  return yes ? node.transpose(x, {1, 0}) : x;
}

TensorId scaled(OnnxNode& node, TensorId x, double factor) {
  return factor == 1 ? x : node.binary("mul", x, node.scalar(node.type(x).type, factor));
}

/// alpha * A' * B' + beta * C.
void read_gemm(OnnxNode& node) {
  TensorId a = transposed(node, as_float(node, node.in(0)), node.integer("transA", 0) != 0);
  TensorId b = transposed(node, as_float(node, node.in(1)), node.integer("transB", 0) != 0);
  const double alpha = node.number("alpha", 1), beta = node.number("beta", 1);
  node.ignore("broadcast");
  TensorId product = scaled(node, matmul(node, a, b, ValueType::kF32, kNone, kNone, {}), alpha);
  if (node.has(2) && beta != 0) {
    product = node.binary("add", product, scaled(node, node.cast(node.in(2), ValueType::kF32), beta));
  }
  node.result(node.cast(product, node.type(a).type));
}

/// [O, C / groups, k..] to [k.., C / groups, O].
TensorId kernel_last(OnnxNode& node, TensorId w) {
  std::vector<int64_t> permutation;
  for (int64_t d = 2; d < node.rank(w); d++)
    permutation.push_back(d);
  permutation.insert(permutation.end(), {1, 0});
  return node.transpose(w, permutation);
}

struct ConvOperands {
  TensorId x, w, x_zero = kNone, w_zero = kNone;
};

/// A convolution of x [N, C, s..] with w [O, C / groups, k..]; the result is channels-last.
TensorId conv(OnnxNode& node, const ConvOperands& operands, ValueType accumulator, const Epilogue& epilogue) {
  const Shape x = node.shape(operands.x), w = node.shape(operands.w);
  if (w.size() != x.size())
    node.problem("W", "of shape " + to_string(w) + " does not fit the input of shape " + to_string(x));
  const std::vector<int64_t> kernel(w.begin() + 2, w.end());
  if (node.integers("kernel_shape", kernel) != kernel)
    node.problem("kernel_shape", "disagrees with the weights of shape " + to_string(w));
  const OnnxWindows windows = onnx_windows(node, x, kernel);
  auto attrs = std::make_shared<ConvAttrs>();
  for (const Window& window : windows.windows) {
    attrs->strides.push_back(window.stride);
    attrs->kernel_dilation.push_back(window.dilation);
    attrs->input_dilation.push_back(1);
  }
  attrs->pad_lo = windows.pad_lo;
  attrs->pad_hi = windows.pad_hi;
  attrs->groups = node.integer("group", 1);
  attrs->accumulator = accumulator;
  attrs->steps = epilogue.steps;
  const int64_t rank = static_cast<int64_t>(x.size());
  const TensorId x_zero = operands.x_zero.valid() ? onnx_parameter(node, operands.x_zero, rank, rank - 1) : kNone;
  const TensorId w_zero = operands.w_zero.valid() ? onnx_parameter(node, operands.w_zero, rank, rank - 1) : kNone;
  return node.add(
      "conv", slots(node.to_channels_last(operands.x), kernel_last(node, operands.w), x_zero, w_zero, epilogue), attrs);
}

void read_conv(OnnxNode& node) {
  const TensorId x = as_float(node, node.in(0));
  TensorId y = conv(node, {x, as_float(node, node.in(1))}, ValueType::kF32, {});
  if (node.has(2)) y = node.binary("add", y, node.cast(node.in(2), ValueType::kF32));
  node.result(node.to_channels_first(node.cast(y, node.type(x).type)));
}

/// The input dilated by the strides, the kernel [C, O / groups, k..] flipped.
void read_conv_transpose(OnnxNode& node) {
  const TensorId x = as_float(node, node.in(0)), w = as_float(node, node.in(1));
  const Shape xs = node.shape(x), ws = node.shape(w);
  if (ws.size() != xs.size() || xs.size() < 3 || xs[1] != ws[0])
    node.problem("W", "of shape " + to_string(ws) + " does not fit the input of shape " + to_string(xs));
  const size_t axes = xs.size() - 2;
  const std::vector<int64_t> kernel(ws.begin() + 2, ws.end());
  if (node.integers("kernel_shape", kernel) != kernel)
    node.problem("kernel_shape", "disagrees with the weights of shape " + to_string(ws));
  const std::string automatic = node.string("auto_pad", "NOTSET");
  node.ignore("pads");
  const auto list = [&](const char* name, size_t n, int64_t fallback) {
    auto out = node.integers(name, std::vector<int64_t>(n, fallback));
    if (out.size() != n)
      node.problem(name, "has " + std::to_string(out.size()) + " entries, expected " + std::to_string(n));
    for (int64_t v : out) {
      if (v < 0 || v > (int64_t{1} << 30)) node.problem(name, std::to_string(v) + " is out of range");
    }
    return out;
  };
  const auto strides = list("strides", axes, 1), dilations = list("dilations", axes, 1);
  auto extra = list("output_padding", axes, 0);
  auto pads = list("pads", 2 * axes, 0);
  std::vector<int64_t> wanted;
  if (node.has_attribute("output_shape")) wanted = list("output_shape", axes, 0);
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    if (wanted.empty()) {
      for (size_t i = 0; i < axes; i++)
        wanted.push_back(xs[2 + i] * strides[i]);
    }
  } else if (automatic == "VALID") {
    std::fill(pads.begin(), pads.end(), 0);
  } else if (automatic != "NOTSET") {
    node.problem("auto_pad", "'" + automatic + "' is not known");
  }
  const int64_t groups = node.integer("group", 1);
  if (groups < 1 || ws[0] % groups != 0)
    node.problem("group", std::to_string(groups) + " does not divide the channels");
  auto attrs = std::make_shared<ConvAttrs>();
  attrs->groups = groups;
  for (size_t i = 0; i < axes; i++) {
    const int64_t reach = (kernel[i] - 1) * dilations[i];
    if (strides[i] < 1 || dilations[i] < 1) node.problem("strides", "must be at least 1");
    if (!wanted.empty()) {
      int64_t total = strides[i] * (xs[2 + i] - 1) + extra[i] + reach + 1 - wanted[i];
      extra[i] += std::max<int64_t>(-total, 0);  // more than the input reaches
      total = std::max<int64_t>(total, 0);
      pads[i] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      pads[i + axes] = total - pads[i];
    }
    attrs->strides.push_back(1);
    attrs->kernel_dilation.push_back(dilations[i]);
    attrs->input_dilation.push_back(strides[i]);
    attrs->pad_lo.push_back(reach - pads[i]);
    attrs->pad_hi.push_back(reach - pads[i + axes] + extra[i]);
  }
  // [g * c, o, k..] -> [k.., c, g, o] flipped along k -> [k.., c, g * o].
  Shape apart = {groups, ws[0] / groups, ws[1]};
  apart.insert(apart.end(), kernel.begin(), kernel.end());
  std::vector<int64_t> permutation;
  for (size_t i = 0; i < axes; i++)
    permutation.push_back(static_cast<int64_t>(3 + i));
  permutation.insert(permutation.end(), {1, 0, 2});
  TensorId k = node.transpose(node.reshape(w, apart), permutation);
  std::vector<int64_t> start(node.shape(k).size(), 0), step(node.shape(k).size(), 1);
  for (size_t i = 0; i < axes; i++) {
    start[i] = kernel[i] - 1;
    step[i] = kernel[i] == 1 ? 1 : -1;
  }
  k = node.slice(k, start, node.shape(k), step);
  Shape merged = kernel;
  merged.insert(merged.end(), {ws[0] / groups, groups * ws[1]});
  k = node.reshape(k, merged);
  TensorId y = node.add("conv", {node.to_channels_last(x), k}, attrs);
  if (node.has(2)) y = node.binary("add", y, node.cast(node.in(2), ValueType::kF32));
  node.result(node.to_channels_first(node.cast(y, node.type(x).type)));
}

/// Zero points of rows (of a) or columns (of b): a scalar, a vector, or already of the operand's rank.
TensorId matrix_zero(OnnxNode& node, size_t i, TensorId operand, bool rows) {
  if (!node.has(i)) return kNone;
  const TensorId zero = node.in(i);
  const int64_t rank = std::max<int64_t>(node.rank(operand), 2);
  if (node.rank(zero) <= 1) return onnx_parameter(node, zero, rank, rows ? rank - 2 : rank - 1);
  return zero;
}

void read_matmul_integer(OnnxNode& node) {
  const TensorId a = node.in(0), b = node.in(1);
  node.result(matmul(node, a, b, ValueType::kI32, matrix_zero(node, 2, a, true), matrix_zero(node, 3, b, false), {}));
}

void read_conv_integer(OnnxNode& node) {
  ConvOperands operands{node.in(0), node.in(1)};
  if (node.has(2)) operands.x_zero = node.in(2);
  if (node.has(3)) operands.w_zero = node.in(3);
  node.result(node.to_channels_first(conv(node, operands, ValueType::kI32, {})));
}

/// scale a * scale b / scale y in float32, as ONNX Runtime computes it.
TensorId multiplier(OnnxNode& node, TensorId a, TensorId b, TensorId y) {
  return node.binary("div", node.binary("mul", a, b), y);
}

TensorId vector_of(OnnxNode& node, TensorId t) { return node.reshape(t, {element_count(node.shape(t))}); }

TensorId zero_point_or(OnnxNode& node, size_t i, ValueType type) {
  return node.has(i) ? node.in(i) : node.scalar(type, 0);
}

void read_qlinear_conv(OnnxNode& node) {
  const bool last = node.integer("channels_last", 0) != 0;  // com.microsoft's
  const TensorId x = last ? node.to_channels_first(node.in(0)) : node.in(0);
  const ConvOperands operands{x, node.in(3), node.in(2), node.in(5)};
  const TensorId m =
      multiplier(node, vector_of(node, node.in(1)), vector_of(node, node.in(4)), vector_of(node, node.in(6)));
  const TensorId zero = vector_of(node, node.in(7));
  Epilogue epilogue;
  epilogue.steps = onnx_requantize_steps(node, node.has(8) ? node.in(8) : kNone, m, zero, node.type(zero).type,
                                         kContractionExtra, epilogue.operands);
  const TensorId y = conv(node, operands, ValueType::kI32, epilogue);
  node.result(last ? y : node.to_channels_first(y));
}

/// A scale of rows or columns, as it broadcasts to the product.
TensorId of_product(OnnxNode& node, TensorId t, bool rows) {
  const int64_t n = element_count(node.shape(t));
  if (node.rank(t) > 1) return t;
  return rows && n > 1 ? node.reshape(t, {n, 1}) : node.reshape(t, {n});
}

void read_qlinear_matmul(OnnxNode& node) {
  const TensorId a = node.in(0), b = node.in(3), zero = node.in(7);
  const TensorId m = multiplier(node, of_product(node, node.in(1), true), of_product(node, node.in(4), false),
                                of_product(node, node.in(6), false));
  Epilogue epilogue;
  epilogue.steps = onnx_requantize_steps(node, kNone, m, of_product(node, zero, false), node.type(zero).type,
                                         kContractionExtra, epilogue.operands);
  node.result(
      matmul(node, a, b, ValueType::kI32, matrix_zero(node, 2, a, true), matrix_zero(node, 5, b, false), epilogue));
}

/// com.microsoft QGemm: A, scale, zero, B, scale, zero, C (int32), y scale, y zero. Without y's the result is float32.
void read_qgemm(OnnxNode& node) {
  const TensorId a = transposed(node, node.in(0), node.integer("transA", 0) != 0);
  const TensorId b = transposed(node, node.in(3), node.integer("transB", 0) != 0);
  const double alpha = node.number("alpha", 1);
  TensorId scale = scaled(node, node.binary("mul", vector_of(node, node.in(1)), vector_of(node, node.in(4))), alpha);
  const TensorId bias = node.has(6) ? node.in(6) : kNone;
  Epilogue epilogue;
  if (node.has(7)) {
    const TensorId zero = zero_point_or(node, 8, node.type(a).type);
    epilogue.steps =
        onnx_requantize_steps(node, bias, node.binary("div", scale, vector_of(node, node.in(7))), vector_of(node, zero),
                              node.type(zero).type, kContractionExtra, epilogue.operands);
  } else {
    const auto operand = [&](TensorId t) {
      epilogue.operands.push_back(t);
      return kContractionExtra + static_cast<int64_t>(epilogue.operands.size()) - 1;
    };
    if (bias.valid()) epilogue.steps.push_back(onnx_step("add", ValueType::kI32, {operand(bias)}));
    epilogue.steps.push_back(onnx_step("cast", ValueType::kF32));
    epilogue.steps.push_back(onnx_step("mul", ValueType::kF32, {operand(scale)}));
  }
  node.result(
      matmul(node, a, b, ValueType::kI32, matrix_zero(node, 2, a, true), matrix_zero(node, 5, b, false), epilogue));
}

/// com.microsoft MatMulIntegerToFloat: A, B, scales, zero points, bias.
void read_matmul_integer_to_float(OnnxNode& node) {
  const TensorId a = node.in(0), b = node.in(1);
  const TensorId product =
      matmul(node, a, b, ValueType::kI32, matrix_zero(node, 4, a, true), matrix_zero(node, 5, b, false), {});
  TensorId y = node.cast(product, ValueType::kF32);
  y = node.binary("mul", y,
                  node.binary("mul", of_product(node, node.in(2), true), of_product(node, node.in(3), false)));
  if (node.has(6)) y = node.binary("add", y, node.in(6));
  node.result(y);
}

/// com.microsoft DynamicQuantizeMatMul: A (float32, quantized here), B, B's scale and zero point, bias.
void read_dynamic_quantize_matmul(OnnxNode& node) {
  const TensorId b = node.in(1);
  const DynamicallyQuantized a = onnx_dynamic_quantize(node, node.in(0));
  const int64_t rank = std::max<int64_t>(node.rank(a.q), 2);
  const TensorId a_zero = node.reshape(a.zero_point, Shape(static_cast<size_t>(rank), 1));
  const TensorId product = matmul(node, a.q, b, ValueType::kI32, a_zero, matrix_zero(node, 3, b, false), {});
  const TensorId scale = node.binary("mul", a.scale, of_product(node, node.in(2), false));
  TensorId y = node.binary("mul", node.cast(product, ValueType::kF32), scale);
  if (node.has(4)) y = node.binary("add", y, node.in(4));
  node.result(y);
}

/// com.microsoft MatMulNBits: A [.., K] times weights of `bits` bits, [N, blocks, packed bytes], low bits first, with a
/// scale and maybe a zero point for every `block_size` of them along K.
void read_matmul_nbits(OnnxNode& node) {
  TensorId a = as_float(node, node.in(0));
  const int64_t k = node.integer("K", 0), n = node.integer("N", 0), bits = node.integer("bits", 4),
                block = node.integer("block_size", 0);
  node.ignore("accuracy_level");
  if (bits != 2 && bits != 4 && bits != 8)
    node.unsupported("bits", std::to_string(bits) + " is not supported; 2, 4 and 8 are");
  constexpr int64_t kMost = int64_t{1} << 31;
  if (k < 1 || k >= kMost || n < 1 || n >= kMost || block < 1 || block >= kMost || node.rank(a) < 1 ||
      node.shape(a).back() != k)
    node.problem("K", "of " + std::to_string(k) + ", N of " + std::to_string(n) + " and blocks of " +
                          std::to_string(block) + " do not fit " + to_string(node.shape(a)));
  // The last block is filled up; what it holds beyond K meets zeros.
  const int64_t blocks = (k + block - 1) / block, padded = blocks * block;
  if (padded != k) {
    auto attrs = std::make_shared<PadAttrs>();
    attrs->lo.assign(node.shape(a).size(), 0);
    attrs->hi = attrs->lo;
    attrs->hi.back() = padded - k;
    a = node.add("pad", {a}, attrs);
  }
  if (node.has(4)) node.unsupported("g_idx", "is not supported");
  const HostTensor* packed = node.data(node.in(1));
  if (packed == nullptr || packed->type() != ValueType::kU8 || packed->size() != n * (padded * bits / 8))
    node.problem("B", "is no constant of " + std::to_string(n * (padded * bits / 8)) + " bytes");
  const auto code_at = [&](const HostTensor& from, int64_t i, int64_t row_bits, int64_t row, int64_t width) {
    const int64_t bit = row * row_bits + i * width;
    return from.bytes()[bit / 8] >> (bit % 8) & ((1 << width) - 1);
  };
  // Codes less half the range are signed integers of as many bits.
  const int64_t middle = int64_t{1} << (bits - 1);
  HostTensor weights(bits == 2 ? ValueType::kI2 : bits == 4 ? ValueType::kI4 : ValueType::kI8, {n, padded});
  for (int64_t i = 0; i < weights.size(); i++)
    weights.set_int(i, code_at(*packed, i, 0, 0, bits) - middle);
  TensorId zero = kNone;
  if (node.has(3)) {
    const HostTensor* given = node.data(node.in(3));
    const int64_t row_bits = (blocks * bits + 7) / 8 * 8;
    if (given == nullptr || given->type() != ValueType::kU8 || given->size() * 8 != n * row_bits)
      node.unsupported("zero_points", "must be packed constants");
    HostTensor zeros(ValueType::kI8, {n, blocks});
    for (int64_t r = 0; r < n; r++) {
      for (int64_t b = 0; b < blocks; b++)
        zeros.set_int(r * blocks + b, code_at(*given, b, row_bits, r, bits) - middle);
    }
    zero = node.constant(std::move(zeros), "zero_points");
  }
  const TensorId scales = node.cast(node.reshape(node.in(2), {n, blocks}), ValueType::kF32);
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_contracting = {node.rank(a) - 1};
  attrs->rhs_contracting = {1};
  TensorId y =
      node.add("dot_general", {a, node.constant(std::move(weights), "weights"), kNone, zero, kNone, scales}, attrs);
  if (node.has(5)) y = node.binary("add", y, node.in(5));
  node.result(node.cast(y, node.type(a).type));
}

/// com.microsoft FusedMatMul: alpha * A' * B'.
void read_fused_matmul(OnnxNode& node) {
  const auto turned = [&](TensorId x, const char* attribute) {
    if (node.integer(attribute, 0) == 0) return x;
    std::vector<int64_t> permutation(node.shape(x).size());
    std::iota(permutation.begin(), permutation.end(), 0);
    std::swap(permutation[permutation.size() - 1], permutation[permutation.size() - 2]);
    return node.transpose(x, permutation);
  };
  if (node.integer("transBatchA", 0) != 0 || node.integer("transBatchB", 0) != 0)
    node.unsupported("transBatchA", "is not supported");
  const TensorId a = turned(as_float(node, node.in(0)), "transA"), b = turned(as_float(node, node.in(1)), "transB");
  node.result(scaled(node, matmul(node, a, b, ValueType::kF32, kNone, kNone, {}), node.number("alpha", 1)));
}

const OnnxOps::Add kOps({
    {"MatMul", read_matmul},
    {"Gemm", read_gemm},
    {"Conv", read_conv},
    {"ConvTranspose", read_conv_transpose},
    {"MatMulInteger", read_matmul_integer},
    {"ConvInteger", read_conv_integer},
    {"QLinearConv", read_qlinear_conv},
    {"com.microsoft:QLinearConv", read_qlinear_conv},
    {"QLinearMatMul", read_qlinear_matmul},
    {"com.microsoft:QGemm", read_qgemm},
    {"com.microsoft:DynamicQuantizeMatMul", read_dynamic_quantize_matmul},
    {"com.microsoft:MatMulNBits", read_matmul_nbits},
    {"com.microsoft:FusedMatMul", read_fused_matmul},
    {"com.microsoft:MatMulIntegerToFloat", read_matmul_integer_to_float},
});

}  // namespace
}  // namespace qlathe
