// Layer norm on int16, as LiteRT's integer LSTM has it: PortableApplyLayerNorm of portable_tensor_utils.
#include <cmath>

#include "frontend/formats/tflite/lstm.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

constexpr ValueType kWide = ValueType::kI64;

/// Element-wise chains over int64.
class Chain {
 public:
  Chain(TfliteNode& node, TensorId x) : node_(node), x_(x), steps_(node) {}
  Chain& step(const char* op, TensorId operand, bool swapped = false) {
    steps_.add(op, kWide, {operand}).swapped = swapped;
    return *this;
  }
  Chain& step(const char* op, double value, bool swapped = false) {
    return step(op, node_.scalar(kWide, value), swapped);
  }
  /// (v * b * 2) >> 32, half up.
  Chain& product(TensorId b) { return step("mul", b).step("add", 0x1p30).step("bit_shift_right", 31.0); }
  Chain& product(double b) { return product(node_.scalar(kWide, b)); }
  /// v * 2^n, saturated to 32 bits.
  Chain& scaled_up(int n) {
    step("mul", std::ldexp(1.0, n));
    PointwiseStep& clamp = steps_.add("clamp", kWide);
    clamp.lo = INT32_MIN;
    clamp.hi = INT32_MAX;
    return *this;
  }
  TensorId done() { return tflite_apply(node_, x_, std::move(steps_)); }

 private:
  TfliteNode& node_;
  TensorId x_;
  TfliteSteps steps_;
};

TensorId sum_of_last(TfliteNode& node, TensorId x) {
  auto attrs = std::make_shared<ReduceAttrs>();
  attrs->axes = {node.rank(x) - 1};
  attrs->keep_dims = true;
  return node.add("reduce", {x}, attrs);
}

struct InverseRoot {
  TensorId mantissa, shift;  ///< int32
};

/// fixed::inverse_root of numerics/fixed/row_functions.h, in int64: 1 / sqrt(x) = mantissa * 2^(shift - 31), x >= 1.
InverseRoot inverse_root(TfliteNode& node, TensorId x) {
  const auto number = [&](double v) { return node.scalar(kWide, v); };
  const TensorId is_large = node.compare("greater_equal", x, number(0x1p29));
  const TensorId small = node.select(is_large, Chain(node, x).step("bit_shift_right", 2.0).done(), x);
  const TensorId usable = node.binary("max", small, number(2));
  // Pairs of leading zeros but one: 13, and one less for each of 2^3, 2^5, .. 2^27 that is reached.
  HostTensor limits(kWide, {13});
  for (int64_t k = 0; k < 13; k++)
    limits.set_int(k, int64_t{1} << (2 * k + 3));
  const TensorId reached =
      node.cast(node.compare("greater_equal", usable, node.constant(std::move(limits), "limits")), ValueType::kI32);
  const TensorId pairs = Chain(node, node.cast(sum_of_last(node, reached), kWide)).step("sub", 13, true).done();
  const TensorId twice = node.binary("add", pairs, pairs);
  const TensorId one = number(1);
  // Half of the operand with three integer bits, rounded: it is even but where no pair was left to shift.
  TensorId half = Chain(node, usable).step("bit_shift_left", twice).step("bit_shift_right", one).done();
  half = Chain(node, half).step("add", one).step("bit_shift_right", one).done();
  TensorId root = node.broadcast(number(0x1p28), node.shape(x));
  for (int i = 0; i < 5; i++) {
    const TensorId cube = Chain(node, root).product(root).product(root).scaled_up(6).done();
    const TensorId less = Chain(node, half).product(cube).done();
    root = Chain(node, root).product(0x1p28 + 0x1p27).step("sub", less).scaled_up(3).done();
  }
  root = Chain(node, root).product(1518500250).done();
  const TensorId right = node.binary("sub", node.select(is_large, number(12), number(11)), pairs);
  const TensorId left = Chain(node, right).step("mul", -1.0).step("max", 0.0).done();
  const TensorId tiny = node.compare("less", x, number(2));
  const TensorId mantissa = node.select(tiny, number(INT32_MAX), node.binary("bit_shift_left", root, left));
  const TensorId down = Chain(node, right).step("mul", -1.0).step("min", 0.0).done();
  return {node.cast(mantissa, ValueType::kI32), node.cast(node.select(tiny, number(0), down), ValueType::kI32)};
}

}  // namespace

TensorId tflite_integer_layer_norm(TfliteNode& node, TensorId x, const std::vector<size_t>& weights,
                                   const std::vector<size_t>& biases) {
  const Shape flat = node.shape(x);
  const auto groups = static_cast<int64_t>(weights.size()), n = flat[1] / groups;
  if (n > 1 << 15) node.unsupported("layer_norm_coefficients", "of more than 32768 cells");
  std::vector<double> multipliers;
  HostTensor guard(kWide, {groups, 1});
  for (int64_t g = 0; g < groups; g++) {
    const float scale = tflite_one_scale(node, weights[static_cast<size_t>(g)]);
    multipliers.insert(multipliers.end(), static_cast<size_t>(n), static_cast<double>(scale) * 0x1p12);
    guard.set_int(g, std::max<int64_t>(1, static_cast<int64_t>(10000 * scale)));
  }
  const TensorId rows = node.cast(node.reshape(x, {flat[0], groups, n}), ValueType::kI32);
  const TensorId squares = node.binary("mul", rows, rows);
  // The sum of squares has 46 bits: the upper and the lower ones are summed by themselves.
  const auto part = [&](const char* op, int64_t by) {
    const TensorId bits = node.binary(op, squares, tflite_integers(node, {by}));
    return node.cast(sum_of_last(node, bits), kWide);
  };
  const TensorId low = part("bitwise_and", 0x7fff);
  const TensorId total = Chain(node, part("bit_shift_right", 15)).step("mul", 0x1p15).step("add", low).done();
  const TensorId mean = Chain(node, node.cast(sum_of_last(node, rows), kWide))
                            .step("mul", 1024.0)
                            .step("div", static_cast<double>(n))
                            .done();
  TensorId variance = Chain(node, total)
                          .step("mul", static_cast<double>((1 << 20) / n))
                          .step("sub", node.binary("mul", mean, mean))
                          .step("div", 0x1p20)
                          .done();
  variance = node.select(node.compare("less", variance, node.scalar(kWide, 1)),
                         node.constant(std::move(guard), "guard"), variance);
  const InverseRoot inverse = inverse_root(node, variance);
  TfliteSteps centered(node), steps(node);
  centered.add("mul", ValueType::kI32, {tflite_integers(node, {1024})});
  centered.add("sub", ValueType::kI32, {node.cast(mean, ValueType::kI32)});
  centered.add("requantize", ValueType::kI32, {inverse.mantissa, inverse.shift}).mode = RequantizeMode::kFixedDouble;
  const TensorId normal = node.reshape(tflite_apply(node, rows, std::move(centered)), flat);
  steps.add("mul_centered", ValueType::kI32, {tflite_vectors(node, weights, ValueType::kI16)});
  steps.add("add", ValueType::kI32, {tflite_vectors(node, biases, ValueType::kI32)});
  PointwiseStep& down = steps.add("shift_right", ValueType::kI32);
  down.shift_right = 10;
  down.rounding = Rounding::kHalfAwayFromZero;
  steps.requantize(multipliers, ValueType::kI16, 0, INT16_MIN, INT16_MAX);
  return tflite_apply(node, normal, std::move(steps));
}

}  // namespace qlathe
