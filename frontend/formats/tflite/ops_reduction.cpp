// Pooling, reductions, softmax and norms.
#include <algorithm>
#include <bit>
#include <cmath>

#include "frontend/formats/import/index_ops.h"
#include "frontend/formats/import/integer_division.h"
#include "frontend/formats/tflite/quantized.h"
#include "frontend/formats/tflite/windows.h"
#include "frontend/numerics/multiplier_of.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/fixed_rows.h"
#include "frontend/ops/indexing.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

std::vector<TensorId> with_operands(TensorId x, const std::vector<TensorId>& operands) {
  std::vector<TensorId> out = {x};
  out.insert(out.end(), operands.begin(), operands.end());
  return out;
}

/// How many elements of the input each window covers: [1, oh, ow, 1], or one number where all cover the same.
HostTensor window_counts(const Shape& x, const PoolAttrs& pool) {
  std::vector<std::vector<int64_t>> along(2);
  for (size_t d = 0; d < 2; d++) {
    const Window& w = pool.windows[d];
    const int64_t padded = x[d + 1] + pool.pad_lo[d] + pool.pad_hi[d];
    for (int64_t begin = -pool.pad_lo[d]; begin + w.kernel <= padded - pool.pad_lo[d]; begin += w.stride)
      along[d].push_back(std::min(begin + w.kernel, x[d + 1]) - std::max<int64_t>(begin, 0));
  }
  HostTensor out(ValueType::kF32, {1, static_cast<int64_t>(along[0].size()), static_cast<int64_t>(along[1].size()), 1});
  size_t i = 0;
  for (int64_t y : along[0]) {
    for (int64_t z : along[1])
      out.as<float>()[i++] = static_cast<float>(y * z);
  }
  const auto counts = out.as<float>();
  const bool same = std::all_of(counts.begin(), counts.end(), [&](float c) { return c == counts[0]; });
  return same && !counts.empty() ? HostTensor::scalar(counts[0]) : out;
}

void read_pool(TfliteNode& node) {
  const auto& o = node.options<tflite::Pool2DOptions>();
  TensorId x = node.in(0);
  const Shape s = node.shape(x);
  if (s.size() != 4) node.problem("input", "has the shape " + to_string(s) + "; pooling takes 4 axes");
  auto attrs = std::make_shared<PoolAttrs>();
  const int64_t kernel[] = {o.filter_height(), o.filter_width()}, stride[] = {o.stride_h(), o.stride_w()};
  for (size_t d = 0; d < 2; d++) {
    const TfliteWindow w = tflite_window(node, o.padding(), s[d + 1], kernel[d], stride[d]);
    attrs->windows.push_back(w.window);
    attrs->pad_lo.push_back(w.pad_lo);
    attrs->pad_hi.push_back(w.pad_hi);
  }
  const ValueType type = node.in_type(0);
  const bool real = type == ValueType::kF32;
  if (!real && !is_quantized(type)) node.unsupported("input", std::string("is ") + name(type));
  TfliteSteps steps(node);
  const auto function = o.fused_activation_function();
  const TfliteRange range = real ? TfliteRange{} : tflite_range(node, function, type, node.out_quant());
  const auto limit = [&](PointwiseStep& step) {
    step.lo = static_cast<double>(range.lo);
    step.hi = static_cast<double>(range.hi);
  };
  if (node.op() == "MAX_POOL_2D") {
    attrs->kind = PoolKind::kMax;
    if (real) {
      steps.activation(function);
    } else if (function != tflite::ActivationFunctionType::NONE) {
      limit(steps.add("clamp", type));
    }
  } else {
    attrs->kind = PoolKind::kSum;
    if (node.op() == "L2_POOL_2D") {
      if (!real) node.unsupported("input", std::string("is ") + name(type) + "; float32 is supported");
      x = node.binary("mul", x, x);
    }
    HostTensor counts = window_counts(s, *attrs);
    if (type == ValueType::kI16 && kernel[0] * kernel[1] > 255)
      node.unsupported("filter", "of more than 255 elements on int16 is not supported");
    if (!real) steps.add("cast", ValueType::kF32);
    // The quotient of two integers of this size rounds in float32 as in integers: ties are exact, and no other
    // quotient comes as near to one as float32 tells apart.
    steps.add("div", ValueType::kF32, {node.constant(std::move(counts), "count")});
    if (!real) {
      PointwiseStep& cast = steps.add("cast", type);
      cast.rounding = Rounding::kHalfAwayFromZero;
      limit(cast);
    } else {
      if (node.op() == "L2_POOL_2D") steps.add("sqrt", ValueType::kF32);
      steps.activation(function);
    }
  }
  attrs->steps = steps.steps;
  node.result(node.add("pool", with_operands(x, steps.operands), attrs));
}

std::vector<int64_t> reduced_axes(TfliteNode& node) {
  std::vector<int64_t> axes = node.constant_integers(1, "axis");
  const int64_t rank = node.rank(node.in(0));
  for (int64_t& a : axes)
    a = node.axis(a, rank);
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  return axes;
}

SumOrder sum_order(const std::vector<int64_t>& axes, int64_t rank) {
  return !axes.empty() && axes.back() == rank - 1 ? SumOrder::kInterleaved16 : SumOrder::kSequential;
}

/// int8 to the uint8 of the same bits.
TfliteSteps byte_of_bits(TfliteNode& node) {
  HostTensor table(ValueType::kU8, {256});
  for (int64_t q = -128; q < 128; q++)
    table.set_int(q + 128, q & 255);
  TfliteSteps steps(node);
  steps.add("lookup", ValueType::kU8, {node.constant(std::move(table), "bits")});
  return steps;
}

/// The table back.
HostTensor bits_of_byte() {
  HostTensor table(ValueType::kI8, {256});
  for (int64_t u = 0; u < 256; u++)
    table.set_int(u, u < 128 ? u : u - 256);
  return table;
}

/// The reduced axes flattened in front of the others: [elements, rest].
TensorId reduced_first(TfliteNode& node, TensorId x, const std::vector<int64_t>& axes) {
  std::vector<int64_t> order = axes;
  int64_t n = 1;
  for (int64_t d = 0; d < node.rank(x); d++) {
    if (std::find(axes.begin(), axes.end(), d) == axes.end())
      order.push_back(d);
    else
      n *= node.shape(x)[static_cast<size_t>(d)];
  }
  const int64_t all = element_count(node.shape(x));
  if (n < 1) node.unsupported("input", "has no elements to reduce");
  return node.reshape(node.transpose(x, order), {n, all / n});
}

Shape reduced_shape(TfliteNode& node, TensorId x, const ReduceAttrs& attrs) {
  Shape out;
  for (int64_t d = 0; d < node.rank(x); d++) {
    const bool gone = std::find(attrs.axes.begin(), attrs.axes.end(), d) != attrs.axes.end();
    if (!gone)
      out.push_back(node.shape(x)[static_cast<size_t>(d)]);
    else if (attrs.keep_dims)
      out.push_back(1);
  }
  return out;
}

/// int64, which the op reduce does not take: one half after the other is joined with the rest. Any order will do.
TensorId folded(TfliteNode& node, TensorId x, const ReduceAttrs& attrs, const char* op) {
  TensorId left = reduced_first(node, x, attrs.axes), odd = kNone;
  for (int64_t n = node.shape(left)[0]; n > 1; n /= 2) {
    if (n % 2 != 0) {
      const TensorId last = node.slice_axis(left, 0, n - 1, 1);
      odd = odd.valid() ? node.binary(op, odd, last) : last;
    }
    left = node.binary(op, node.slice_axis(left, 0, 0, n / 2), node.slice_axis(left, 0, n / 2, n / 2));
  }
  if (odd.valid()) left = node.binary(op, left, odd);
  return node.reshape(left, reduced_shape(node, x, attrs));
}

/// Every factor's product is scaled back at once, in the order of the elements: QuantizedReduceProd of LiteRT's
/// reduce.h.
TensorId quantized_product(TfliteNode& node, const ReduceAttrs& attrs) {
  constexpr int64_t kMost = 4096;
  const TfliteQuant from = node.in_quant(0), to = node.out_quant();
  const TensorId x = reduced_first(node, node.in(0), attrs.axes);
  const int64_t n = node.shape(x)[0];
  // LiteRT's optimized kernel copies what it takes for unreduced, whatever the scales.
  if (n == 1 && node.numerics() == TfliteNumerics::kLitertXnnpack)
    return node.reshape(x, reduced_shape(node, node.in(0), attrs));
  if (n > kMost) node.unsupported("axis", "more than " + std::to_string(kMost) + " quantized factors");
  const double multiplier =
      static_cast<double>(from.scale[0]) / std::pow(static_cast<double>(to.scale[0]), 1.0 / static_cast<double>(n));
  // What leaves 32 bits wraps.
  const auto rescaled = [&](TfliteSteps& steps) {
    steps.requantize({multiplier}, ValueType::kI64, 0, -HUGE_VAL, HUGE_VAL);
    steps.add("cast", ValueType::kI32).wraps = true;
  };
  TfliteSteps center(node);
  center.center(from.zero_point[0]);
  const TensorId factors = tflite_apply(node, x, std::move(center));
  TensorId product = node.slice_axis(factors, 0, 0, 1);
  for (int64_t i = 1; i < n; i++) {
    TfliteSteps next(node);
    next.add("cast", ValueType::kI64);
    next.add("mul", ValueType::kI64, {node.cast(node.slice_axis(factors, 0, i, 1), ValueType::kI64)});
    rescaled(next);
    product = tflite_apply(node, product, std::move(next));
  }
  TfliteSteps last(node);
  last.add("cast", ValueType::kI64);
  rescaled(last);
  last.add("add", ValueType::kI32, {tflite_integers(node, {to.zero_point[0]})});
  last.add("cast", node.output_type());
  return node.reshape(tflite_apply(node, product, std::move(last)), reduced_shape(node, node.in(0), attrs));
}

void read_mean_or_sum(TfliteNode& node) {
  const bool mean = node.op() == "MEAN";
  TensorId x = node.in(0);
  const ValueType type = node.in_type(0);
  auto attrs = std::make_shared<ReduceAttrs>();
  attrs->axes = reduced_axes(node);
  attrs->keep_dims = node.options<tflite::ReducerOptions>().keep_dims();
  attrs->sum_order = sum_order(attrs->axes, node.rank(x));
  int64_t n = 1;
  for (int64_t a : attrs->axes)
    n *= node.shape(x)[static_cast<size_t>(a)];
  if (n < 1) node.unsupported("input", "has no elements to reduce");
  TfliteSteps steps(node);
  // LiteRT's reference kernel sums int8 as bytes, and gives a byte: the bits of 0..255.
  const bool as_bytes = type == ValueType::kI8 && !mean && node.numerics() == TfliteNumerics::kLitertRef;
  if (as_bytes) x = tflite_apply(node, x, byte_of_bits(node));
  if (is_quantized(type)) {
    const TfliteQuant from = node.in_quant(0), to = node.out_quant();
    QuantizedMultiplier m = multiplier_of(static_cast<double>(from.scale[0]) / static_cast<double>(to.scale[0]));
    if (mean) {
      // The division goes into the multiplier, as far as its bits allow.
      int shift = std::bit_width(static_cast<uint64_t>(n)) - 1;
      shift = std::min({shift, 32, 31 + m.shift});
      m.mantissa = static_cast<int32_t>((static_cast<int64_t>(m.mantissa) << shift) / n);
      m.shift -= shift;
    }
    const int64_t zero = from.zero_point[0] * n;
    const bool xnnpack = node.numerics() == TfliteNumerics::kLitertXnnpack && mean && is_eight_bit(type);
    if (zero != 0) steps.add("sub", ValueType::kI32, {tflite_integers(node, {zero})});
    if (xnnpack) {
      const auto lo = static_cast<double>(info(type).min), hi = static_cast<double>(info(type).max);
      steps.requantize_float32({from.scale[0] / to.scale[0] / static_cast<float>(n)}, type, to.zero_point[0], lo, hi);
      attrs->steps = steps.steps;
      return node.result(node.add("reduce", with_operands(x, steps.operands), attrs));
    }
    std::vector<TensorId> with = {tflite_integers(node, {m.mantissa}), tflite_integers(node, {m.shift})};
    if (to.zero_point[0] != 0) with.push_back(tflite_integers(node, {to.zero_point[0]}));
    PointwiseStep& requantize = steps.add("requantize", as_bytes ? ValueType::kU8 : type, with);
    // LiteRT's optimized kernel rounds a sum once.
    const bool once = node.numerics() == TfliteNumerics::kLitertXnnpack && !mean;
    requantize.mode = once ? RequantizeMode::kFixedSingle : RequantizeMode::kFixedDouble;
    if (as_bytes) steps.add("lookup", type, {node.constant(bits_of_byte(), "bits")});
  } else if (type == ValueType::kF32) {
    if (mean) steps.add("div", ValueType::kF32, {node.scalar(static_cast<float>(n))});
  } else if (type == ValueType::kI64) {
    const TensorId sum = folded(node, x, *attrs, "add");
    return node.result(mean ? import_divide(node, sum, node.scalar(type, static_cast<double>(n))) : sum);
  } else if (type != ValueType::kI32) {
    node.unsupported("input", std::string("is ") + name(type));
  }
  attrs->steps = steps.steps;
  const TensorId y = node.add("reduce", with_operands(x, steps.operands), attrs);
  node.result(mean && type == ValueType::kI32 ? import_divide(node, y, tflite_integers(node, {n})) : y);
}

void read_reduce(TfliteNode& node) {
  TensorId x = node.in(0);
  const ValueType type = node.in_type(0);
  auto attrs = std::make_shared<ReduceAttrs>();
  attrs->axes = reduced_axes(node);
  attrs->keep_dims = node.options<tflite::ReducerOptions>().keep_dims();
  const std::string& op = node.op();
  attrs->kind = op == "REDUCE_MAX" || op == "REDUCE_ANY"   ? ReduceKind::kMax
                : op == "REDUCE_MIN" || op == "REDUCE_ALL" ? ReduceKind::kMin
                                                           : ReduceKind::kProduct;
  if (op == "REDUCE_PROD" && is_quantized(type) && node.quant_of(node.input(0)))
    return node.result(quantized_product(node, *attrs));
  if (op == "REDUCE_PROD" && type != ValueType::kF32 && type != ValueType::kI32 && type != ValueType::kI64)
    node.unsupported("input", std::string("is ") + name(type) + "; floats, int32, int64, int8 and int16 are supported");
  if (type == ValueType::kI64)
    return node.result(folded(node, x, *attrs, op == "REDUCE_PROD" ? "mul" : op == "REDUCE_MAX" ? "max" : "min"));
  if (type == ValueType::kBool) x = node.cast(x, ValueType::kI32);
  node.result(node.cast(node.add("reduce", {x}, attrs), type));
}

void read_arg(TfliteNode& node) {
  TensorId x = node.in(0);
  const int64_t rank = node.rank(x);
  const auto axes = node.constant_integers(1, "axis");
  if (axes.size() != 1) node.problem("axis", "is not one axis");
  if (node.in_type(0) == ValueType::kBool) x = node.cast(x, ValueType::kI32);
  const TensorId at = import_arg_extreme(node, x, node.axis(axes[0], rank), node.op() == "ARG_MAX", false);
  node.result(node.cast(at, node.output_type()));
}

/// x / max(sqrt(sum(x * x)), 1e-6) along the last axis.
void read_l2_normalization(TfliteNode& node) {
  const TensorId x = node.in(0);
  if (node.rank(x) < 1) node.problem("input", "is a scalar");
  if (is_eight_bit(node.in_type(0))) {
    auto fixed = std::make_shared<L2NormalizeFixedAttrs>();
    fixed->zero_point = node.in_zero(0);
    return node.result(node.add("l2_normalize_fixed", {x}, fixed));
  }
  if (node.in_type(0) != ValueType::kF32)
    node.unsupported("input", std::string("is ") + name(node.in_type(0)) + "; float32, int8 and uint8 are supported");
  auto attrs = std::make_shared<ReduceAttrs>();
  attrs->kind = ReduceKind::kSumSquares;
  attrs->axes = {node.rank(x) - 1};
  attrs->keep_dims = true;
  attrs->sum_order = SumOrder::kInterleaved16;
  attrs->steps = {import_step("sqrt"), import_step("max", ValueType::kF32, {1})};
  const TensorId length = node.add("reduce", {x, node.scalar(1e-6f)}, attrs);
  TfliteSteps steps(node);
  steps.add("div", ValueType::kF32, {length});
  steps.activation(node.options<tflite::L2NormOptions>().fused_activation_function());
  node.result(tflite_apply(node, x, std::move(steps)));
}

/// LiteRT's optimized kernel: one running sum over the channels, to which the square that comes is added and from which
/// the one that leaves is subtracted; in float32 that leaves a rest of what has left.
TensorId running_normalization(TfliteNode& node, const tflite::LocalResponseNormalizationOptions& o) {
  const TensorId x = node.in(0);
  const Shape s = node.shape(x);
  const int64_t span = 2 * int64_t{o.radius()}, channels = s[3];
  std::vector<int64_t> order, at;
  HostTensor signs(ValueType::kF32, {span + 2 * channels});
  std::fill(signs.as<float>().begin(), signs.as<float>().end(), 1.0f);
  for (int64_t i = 0; i < span; i++)
    order.push_back(i);
  for (int64_t i = 0; i < channels; i++) {
    at.push_back(span + 2 * i);
    order.insert(order.end(), {i + span, i});
    signs.as<float>()[static_cast<size_t>(span + 2 * i + 1)] = -1.0f;
  }
  auto pad = std::make_shared<PadAttrs>();
  pad->lo = pad->hi = {0, 0, 0, o.radius()};
  const TensorId squares = node.binary("mul", node.binary("mul", x, x), node.scalar(o.alpha()));
  const TensorId terms = node.gather(node.add("pad", {squares}, pad), node.integer_vector(order), 3);
  auto sums = std::make_shared<CumsumAttrs>();
  sums->axis = 3;
  const TensorId all = node.add("cumsum", {node.binary("mul", terms, node.constant(std::move(signs), "signs"))}, sums);
  TfliteSteps steps(node);
  steps.add("add", ValueType::kF32, {node.scalar(o.bias())});
  steps.add("pow", ValueType::kF32, {node.scalar(-o.beta())});
  steps.add("mul", ValueType::kF32, {x});
  return tflite_apply(node, node.gather(all, node.integer_vector(at), 3), std::move(steps));
}

/// x * (bias + alpha * sum of squares over the neighbouring channels)^-beta. LiteRT's reference kernel leaves the last
/// neighbour out.
void read_local_response_normalization(TfliteNode& node) {
  const auto& o = node.options<tflite::LocalResponseNormalizationOptions>();
  const TensorId x = node.in(0);
  const Shape s = node.shape(x);
  if (node.in_type(0) != ValueType::kF32 || s.size() != 4) node.unsupported("input", "is not float32 of 4 axes");
  if (o.radius() < 0 || s[3] > 4096) node.unsupported("radius", "is out of range");
  if (node.numerics() == TfliteNumerics::kLitertXnnpack) return node.result(running_normalization(node, o));
  const int64_t upper = node.numerics() == TfliteNumerics::kLitertRef ? 0 : 1;
  HostTensor band(ValueType::kF32, {s[3], s[3]});
  for (int64_t from = 0; from < s[3]; from++) {
    for (int64_t to = 0; to < s[3]; to++)
      band.as<float>()[static_cast<size_t>(from * s[3] + to)] =
          from >= to - o.radius() && from < to + o.radius() + upper ? 1.f : 0.f;
  }
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_contracting = {3};
  attrs->rhs_contracting = {0};
  const TensorId squares =
      node.add("dot_general", {node.binary("mul", x, x), node.constant(std::move(band), "band")}, attrs);
  TfliteSteps steps(node);
  steps.add("mul", ValueType::kF32, {node.scalar(o.alpha())});
  steps.add("add", ValueType::kF32, {node.scalar(o.bias())});
  steps.add("pow", ValueType::kF32, {node.scalar(-o.beta())});
  steps.add("mul", ValueType::kF32, {x});
  node.result(tflite_apply(node, squares, std::move(steps)));
}

const TfliteOps::Add kOps({
    {"AVERAGE_POOL_2D", read_pool},
    {"MAX_POOL_2D", read_pool},
    {"L2_POOL_2D", read_pool},
    {"MEAN", read_mean_or_sum},
    {"SUM", read_mean_or_sum},
    {"REDUCE_MAX", read_reduce},
    {"REDUCE_MIN", read_reduce},
    {"REDUCE_PROD", read_reduce},
    {"REDUCE_ANY", read_reduce},
    {"REDUCE_ALL", read_reduce},
    {"ARG_MAX", read_arg},
    {"ARG_MIN", read_arg},
    {"L2_NORMALIZATION", read_l2_normalization},
    {"LOCAL_RESPONSE_NORMALIZATION", read_local_response_normalization},
});

}  // namespace
}  // namespace qlathe
