// QUANTIZE, DEQUANTIZE, FAKE_QUANT.
#include <algorithm>
#include <cmath>

#include "frontend/formats/tflite/quantized.h"
#include "frontend/numerics/multiplier_of.h"

namespace qlathe {
namespace {

struct Parameters {
  TensorId scale, zero_point;
};

/// Scales and zero points as they broadcast to a tensor of `rank`: one, or one per index of the quantized dimension.
Parameters parameters(TfliteNode& node, const TfliteQuant& quant, int64_t rank) {
  Shape shape;
  if (quant.scale.size() > 1) {
    shape.assign(static_cast<size_t>(rank), 1);
    shape[static_cast<size_t>(quant.axis)] = static_cast<int64_t>(quant.scale.size());
  }
  HostTensor scale(ValueType::kF32, shape), zero(ValueType::kI32, shape);
  for (size_t i = 0; i < quant.scale.size(); i++) {
    scale.as<float>()[i] = quant.scale[i];
    zero.set_int(static_cast<int64_t>(i), quant.zero_point[i]);
  }
  return {node.constant(std::move(scale), "scale"), node.constant(std::move(zero), "zero_point")};
}

/// LiteRT's optimized kernel from int8 to uint8 and back: sixteen elements at a time with a second rounding half up;
/// what is left over half away from zero, as the reference kernel.
TensorId optimized_requantize_8(TfliteNode& node, TensorId x) {
  const TfliteQuant from = node.in_quant(0), to = node.out_quant();
  const ValueType type = node.output_type(), source = node.in_type(0);
  const QuantizedMultiplier m = multiplier_of(static_cast<double>(from.scale[0]) / static_cast<double>(to.scale[0]));
  const QuantizedMultiplier left{m.mantissa, std::max(m.shift, 0)};
  const int right = std::max(-m.shift, 0);
  HostTensor up(type, {256}), away(type, {256});
  for (int i = 0; i < 256; i++) {
    const int64_t centered = info(source).min + i - from.zero_point[0];
    const int64_t high = requantize_fixed_double(centered, left);
    const int64_t half_up = (high + (right > 0 ? int64_t{1} << (right - 1) : 0)) >> right;
    const auto held = [&](int64_t v) {
      return std::clamp<int64_t>(v + to.zero_point[0], info(type).min, info(type).max);
    };
    up.set_int(i, held(half_up));
    away.set_int(i, held(requantize_fixed_double(centered, m)));
  }
  const auto looked_up = [&](TensorId part, HostTensor table) {
    TfliteSteps steps(node);
    steps.add("lookup", type, {node.constant(std::move(table), "table")});
    return tflite_apply(node, part, std::move(steps));
  };
  const Shape shape = node.shape(x);
  const int64_t n = element_count(shape), whole = n / 16 * 16;
  if (whole == n) return looked_up(x, std::move(up));
  if (whole == 0) return looked_up(x, std::move(away));
  const TensorId flat = node.reshape(x, {n});
  const TensorId first = looked_up(node.slice_axis(flat, 0, 0, whole), std::move(up));
  const TensorId rest = looked_up(node.slice_axis(flat, 0, whole, n - whole), std::move(away));
  return node.reshape(node.concat({first, rest}, 0), shape);
}

/// What LiteRT's optimized kernel leaves to scalar code: round half away (x / scale) with a quotient of float64. Where
/// the quotient of float32 seems to be a tie, the rest of the division tells on which side of it the true one is.
TensorId quantized_in_double(TfliteNode& node, TensorId x, const TfliteQuant& y) {
  const TensorId scale = node.scalar(y.scale[0]), q = node.binary("div", x, scale);
  const auto whole = [&](Rounding rounding) {
    return node.cast(node.cast(q, ValueType::kI32, rounding), ValueType::kF32);
  };
  const TensorId cut = whole(Rounding::kToZero), away = whole(Rounding::kHalfAwayFromZero);
  const TensorId tie = node.compare("equal", node.unary("abs", node.binary("sub", q, cut)), node.scalar(0.5f));
  const TensorId rest = node.pointwise(q, {import_step("fma", ValueType::kF32, {1, 2})}, {node.scalar(-y.scale[0]), x});
  const TensorId below = node.compare("less", node.binary("mul", rest, q), node.scalar(0.0f));
  TfliteSteps steps(node);
  steps.add("cast", ValueType::kI32);
  steps.add("add", ValueType::kI32, {tflite_integers(node, {y.zero_point[0]})});
  steps.add("cast", node.output_type());
  return tflite_apply(node, node.select(node.binary("and", tie, below), cut, away), std::move(steps));
}

/// round half away (x / scale) + zero point, saturated; between integers by a fixed-point multiplier.
void read_quantize(TfliteNode& node) {
  const TensorId x = node.in(0);
  const ValueType from = node.in_type(0), to = node.output_type();
  const TfliteQuant y = node.out_quant();
  if (!is_integer(to)) node.unsupported("output", std::string("is ") + name(to) + ", expected an integer");
  TfliteSteps steps(node);
  if (is_float(from)) {
    const Parameters p = parameters(node, y, node.rank(x));
    PointwiseStep& step = steps.add("quantize", to, {p.scale, p.zero_point});
    step.zero_point_after = true;
    // XNNPACK, and for int16 LiteRT's optimized kernel.
    const bool xnnpack = node.numerics() == TfliteNumerics::kLitertXnnpack && is_quantized(to);
    step.reciprocal = xnnpack;
    step.rounding = xnnpack ? Rounding::kHalfEven : Rounding::kHalfAwayFromZero;
    const TensorId real = node.cast(x, ValueType::kF32);
    const int64_t n = element_count(node.shape(x)), vectors = n / 8 * 8;
    if (!xnnpack || to != ValueType::kI16 || n == vectors)
      return node.result(tflite_apply(node, real, std::move(steps)));
    const TensorId flat = node.reshape(real, {n});
    const TensorId rest = quantized_in_double(node, node.slice_axis(flat, 0, vectors, n - vectors), y);
    if (vectors == 0) return node.result(node.reshape(rest, node.shape(x)));
    const TensorId first = tflite_apply(node, node.slice_axis(flat, 0, 0, vectors), std::move(steps));
    return node.result(node.reshape(node.concat({first, rest}, 0), node.shape(x)));
  }
  const TfliteQuant q = node.in_quant(0);
  steps.center(q.zero_point[0]);
  const float ratio = q.scale[0] / y.scale[0];
  if (node.numerics() == TfliteNumerics::kLitertXnnpack && from == to && is_eight_bit(from) && ratio >= 1.0f / 256 &&
      ratio <= 128) {
    // XNNPACK: a factor in 256ths, one rounding, half up.
    steps.add("mul", ValueType::kI32, {tflite_integers(node, {std::lrint(ratio * 256) * 128})});
    PointwiseStep& down = steps.add("shift_right", ValueType::kI32);
    down.shift_right = 15;
    down.rounding = Rounding::kHalfUp;
    steps.add("add", ValueType::kI32, {tflite_integers(node, {y.zero_point[0]})});
    steps.add("cast", to);
    return node.result(tflite_apply(node, x, std::move(steps)));
  }
  if (node.numerics() == TfliteNumerics::kLitertXnnpack && from != to && is_eight_bit(from) && is_eight_bit(to))
    return node.result(optimized_requantize_8(node, x));
  steps.requantize({static_cast<double>(q.scale[0]) / static_cast<double>(y.scale[0])}, to, y.zero_point[0], -HUGE_VAL,
                   HUGE_VAL);
  node.result(tflite_apply(node, x, std::move(steps)));
}

void read_dequantize(TfliteNode& node) {
  const TensorId x = node.in(0);
  const ValueType from = node.in_type(0);
  if (is_float(from)) return node.result(node.cast(x, ValueType::kF32));
  TfliteQuant q = node.in_quant(0);
  // TFLite Micro knows one scale of a tensor, its first.
  if (node.numerics() == TfliteNumerics::kTflm) q = {{q.scale[0]}, {q.zero_point[0]}, 0};
  const Parameters p = parameters(node, q, node.rank(x));
  TfliteSteps steps(node);
  steps.add("dequantize", ValueType::kF32, {p.scale, p.zero_point});
  node.result(tflite_apply(node, x, std::move(steps)));
}

/// The range [min, max] in 2^bits steps, moved so that zero is one of them: FakeQuantizeArray of LiteRT's
/// quantization_util.
void read_fake_quant(TfliteNode& node) {
  const auto& o = node.options<tflite::FakeQuantOptions>();
  if (o.num_bits() < 2 || o.num_bits() > 16) node.problem("num_bits", "is " + std::to_string(o.num_bits()));
  const auto lowest = static_cast<float>(o.narrow_range() ? 1 : 0);
  const auto highest = static_cast<float>((1 << o.num_bits()) - 1);
  const float lo = o.min(), hi = o.max();
  if (!(lo <= 0) || !(hi >= 0) || !(lo < hi)) node.problem("min", "the range does not contain zero");
  const float scale = (hi - lo) / (highest - lowest);
  const float from_min = lowest - lo / scale;
  const float zero = from_min < lowest ? lowest : from_min > highest ? highest : std::round(from_min);
  const float nudged_lo = (lowest - zero) * scale, nudged_hi = (highest - zero) * scale;
  TfliteSteps steps(node);
  PointwiseStep& clamp = steps.add("clamp", ValueType::kF32);
  clamp.lo = static_cast<double>(nudged_lo);
  clamp.hi = static_cast<double>(nudged_hi);
  const TensorId base = node.scalar(nudged_lo);
  steps.add("sub", ValueType::kF32, {base});
  steps.add("mul", ValueType::kF32, {node.scalar(1.0f / scale)});
  PointwiseStep& round = steps.add("cast", ValueType::kI32);
  round.rounding = Rounding::kHalfAwayFromZero;
  steps.add("cast", ValueType::kF32);
  steps.add("mul", ValueType::kF32, {node.scalar(scale)});
  steps.add("add", ValueType::kF32, {base});
  node.result(tflite_apply(node, node.in(0), std::move(steps)));
}

const TfliteOps::Add kOps({
    {"QUANTIZE", read_quantize},
    {"DEQUANTIZE", read_dequantize},
    {"FAKE_QUANT", read_fake_quant},
});

}  // namespace
}  // namespace qlathe
