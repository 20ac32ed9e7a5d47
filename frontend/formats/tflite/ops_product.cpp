// Products: CONV_2D, DEPTHWISE_CONV_2D, CONV_3D, TRANSPOSE_CONV, FULLY_CONNECTED, BATCH_MATMUL.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "frontend/formats/tflite/blockwise.h"
#include "frontend/formats/tflite/dynamic_range.h"
#include "frontend/formats/tflite/quantized.h"
#include "frontend/formats/tflite/windows.h"
#include "frontend/numerics/multiplier_of.h"

namespace qlathe {
namespace {

using Activation = tflite::ActivationFunctionType;

/// Where a product's operands are: TRANSPOSE_CONV has its sizes first.
struct Slots {
  size_t input = 0, weights = 1, bias = 2;
};

/// What the sum of a product goes through, by the types of its operands.
struct Product {
  TensorId lhs, rhs;
  TensorId lhs_zero, rhs_zero, lhs_scale, rhs_scale;
  ValueType accumulator = ValueType::kF32;
  bool narrow_sum = false;  ///< 16-bit activations sum in 32 bits (quantized_bias_type)
  std::vector<PointwiseStep> steps;
  std::vector<TensorId> extra;

  std::vector<TensorId> operands() const {
    std::vector<TensorId> out = {lhs, rhs, lhs_zero, rhs_zero, lhs_scale, rhs_scale};
    out.insert(out.end(), extra.begin(), extra.end());
    while (!out.back().valid())
      out.pop_back();
    return out;
  }
};

TensorId filled(TfliteNode& node, ValueType type, int64_t rank, int64_t value) {
  HostTensor out(type, Shape(static_cast<size_t>(rank), 1));
  out.set_int(0, value);
  return node.constant(std::move(out), "zero_point");
}

bool all_zero(const std::vector<int64_t>& values) {
  return std::all_of(values.begin(), values.end(), [](int64_t z) { return z == 0; });
}

/// What a float sum goes through at last: bias, activation.
void finish_float(TfliteNode& node, Product& p, const Slots& at, Activation function, TfliteSteps steps) {
  if (node.has(at.bias)) steps.add("add", ValueType::kF32, {node.cast(node.in(at.bias), ValueType::kF32)});
  steps.activation(function);
  p.steps = std::move(steps.steps);
  p.extra = std::move(steps.operands);
}

/// Float sum, bias, activation.
void float_steps(TfliteNode& node, Product& p, const Slots& at, Activation function, ValueType result) {
  if (result != ValueType::kF32) node.unsupported("output", std::string("is ") + name(result) + ", expected float32");
  finish_float(node, p, at, function, TfliteSteps(node, kContractionExtra));
}

/// How the runtimes scale the sum of a product.
enum class Scaling {
  kPerChannel,  ///< fixed point; the multiplier from the scales in float64, as for one scale per channel
  kPerTensor,   ///< fixed point; the product of the operands' scales is rounded to float32 first
  kFloat64,     ///< the product with the exact multiplier, rounded
  kFloat32,     ///< float32 multipliers, half to even: XNNPACK
  kRuy,         ///< as kPerChannel with one rounding: LiteRT's optimized products
  kOneScale,    ///< as kPerTensor, and several scales count as none: LiteRT's BATCH_MATMUL
};

/// Integer sum, bias, requantization.
void integer_steps(TfliteNode& node, Product& p, const Slots& at, Activation function, Scaling scaling) {
  const TfliteQuant x = node.in_quant(at.input), w = node.in_quant(at.weights), y = node.out_quant();
  const ValueType from = node.in_type(at.input), to = node.output_type();
  if (!is_quantized(to))
    node.unsupported("output", std::string("is ") + name(to) + " where the input is " + name(from));
  TfliteSteps steps(node, kContractionExtra);
  p.accumulator = ValueType::kI32;
  if (node.has(at.bias)) {
    const TensorId bias = node.in(at.bias);
    if (!is_integer(node.type(bias).type))
      node.unsupported("bias", std::string("is ") + name(node.type(bias).type) + " in an integer product");
    // 16-bit activations sum in 64 bits unless the model says that 32 do.
    if (from == ValueType::kI16 && !p.narrow_sum) p.accumulator = ValueType::kI64;
    steps.add("add", p.accumulator, {node.cast(bias, p.accumulator)});
  } else if (from == ValueType::kI16 && !p.narrow_sum) {
    p.accumulator = ValueType::kI64;
  }
  std::vector<double> multipliers;
  if (w.scale.size() > 1 && scaling == Scaling::kOneScale) {
    multipliers = {0.0};
  } else if (w.scale.size() == 1 && (scaling == Scaling::kPerTensor || scaling == Scaling::kOneScale)) {
    const float product = x.scale[0] * w.scale[0];
    multipliers = {static_cast<double>(product) / static_cast<double>(y.scale[0])};
  } else {
    for (float s : w.scale)
      multipliers.push_back(static_cast<double>(x.scale[0]) * static_cast<double>(s) / static_cast<double>(y.scale[0]));
  }
  const TfliteRange range = tflite_range(node, function, to, y);
  const auto lo = static_cast<double>(range.lo), hi = static_cast<double>(range.hi);
  if (scaling == Scaling::kFloat32) {
    std::vector<float> scales;
    for (float s : w.scale)
      scales.push_back(x.scale[0] * s / y.scale[0]);
    steps.requantize_float32(scales, to, y.zero_point[0], lo, hi);
  } else if (scaling == Scaling::kFloat64) {
    steps.requantize_float64(multipliers, to, y.zero_point[0], lo, hi);
  } else {
    steps.requantize(multipliers, to, y.zero_point[0], lo, hi);
    if (scaling == Scaling::kRuy) steps.steps.back().mode = RequantizeMode::kFixedSingle;
  }
  p.steps = std::move(steps.steps);
  p.extra = std::move(steps.operands);
}

/// Zero points of the operands, each of its operand's rank.
void zero_points(TfliteNode& node, Product& p, const Slots& at, Scaling scaling) {
  const TfliteQuant x = node.in_quant(at.input), w = node.in_quant(at.weights);
  const ValueType weights = node.type(p.rhs).type;
  if (x.zero_point[0] != 0) p.lhs_zero = filled(node, node.type(p.lhs).type, node.rank(p.lhs), x.zero_point[0]);
  // The convolutions of int8 and int16 take their weights as symmetric, whatever the file says.
  if (all_zero(w.zero_point) ||
      ((scaling == Scaling::kPerChannel || scaling == Scaling::kRuy) && node.in_type(at.input) != ValueType::kU8))
    return;
  if (w.zero_point.size() > 1) node.unsupported("weights", "have several zero points");
  p.rhs_zero = filled(node, weights, node.rank(p.rhs), w.zero_point[0]);
}

/// Weights of float16 and the like as float32.
TensorId as_float(TfliteNode& node, TensorId x) { return node.cast(x, ValueType::kF32); }

/// Fills all but lhs and rhs in, for operands of these types; lhs and rhs must be placed. Hybrid products replace lhs.
void complete(TfliteNode& node, Product& p, const Slots& at, Activation function, Scaling scaling,
              const DynamicRange& dynamic) {
  const ValueType from = node.type(p.lhs).type, weights = node.type(p.rhs).type;
  if (is_quantized(from)) {
    if (!is_integer(weights)) node.unsupported("weights", std::string("are ") + name(weights) + ", expected integers");
    zero_points(node, p, at, scaling);
    return integer_steps(node, p, at, function, scaling);
  }
  if (!is_float(from)) node.unsupported("input", std::string("is ") + name(from) + ", which has no product");
  if (!is_integer(weights)) {
    p.rhs = as_float(node, p.rhs);
    return float_steps(node, p, at, function, node.output_type());
  }
  // Dynamic range: the activations are quantized while the model runs.
  DynamicRange range = dynamic;
  const auto blocks = tflite_blocks(node, at.weights);
  // XNNPACK takes weights of four bits in FULLY_CONNECTED alone.
  const bool taken = node.in_type(at.weights) == ValueType::kI8 || node.op() == "FULLY_CONNECTED";
  if ((node.numerics() == TfliteNumerics::kLitertXnnpack && taken) || blocks)
    range.form = DynamicRange::Form::kAsymmetric;
  const DynamicallyQuantized q = tflite_dynamic_quantize(node, p.lhs, range);
  p.lhs = q.values;
  p.lhs_zero = q.zero_point;
  p.accumulator = ValueType::kI32;
  TfliteSteps steps(node, kContractionExtra);
  if (blocks) {
    // The sums of the blocks of a row, each scaled, are added in float32.
    p.rhs_scale = blocks->scales;
    // XNNPACK keeps the scales as bfloat16.
    if (node.numerics() == TfliteNumerics::kLitertXnnpack)
      p.rhs_scale = node.cast(node.cast(p.rhs_scale, ValueType::kBF16), ValueType::kF32);
    steps.add("mul", ValueType::kF32, {q.scale});
    return finish_float(node, p, at, function, std::move(steps));
  }
  const TfliteQuant w = node.in_quant(at.weights);
  steps.add("cast", ValueType::kF32);
  HostTensor scales(ValueType::kF32, w.scale.size() == 1 ? Shape{} : Shape{static_cast<int64_t>(w.scale.size())});
  std::copy(w.scale.begin(), w.scale.end(), scales.as<float>().begin());
  const TensorId weight_scale = node.constant(std::move(scales), "weight_scale");
  // One scale for all weights is multiplied into the activations' first, as LiteRT does.
  const TensorId scale = w.scale.size() == 1 ? node.binary("mul", q.scale, weight_scale) : q.scale;
  if (w.scale.size() > 1) steps.add("mul", ValueType::kF32, {weight_scale});
  steps.add("mul", ValueType::kF32, {scale});
  if (!all_zero(w.zero_point)) node.unsupported("weights", "have a zero point in a product with float activations");
  finish_float(node, p, at, function, std::move(steps));
}

/// What XNNPACK takes: 8-bit activations and weights.
bool by_xnnpack(TfliteNode& node, size_t input, size_t weights) {
  return node.numerics() == TfliteNumerics::kLitertXnnpack && is_eight_bit(node.in_type(input)) &&
         is_eight_bit(node.type(node.in(weights)).type);
}

Scaling convolution_scaling(TfliteNode& node, size_t input, size_t weights) {
  if (by_xnnpack(node, input, weights)) return Scaling::kFloat32;
  if (node.numerics() == TfliteNumerics::kLitertXnnpack && node.op() == "CONV_2D" &&
      node.in_type(input) == ValueType::kI8)
    return Scaling::kRuy;
  return node.in_type(input) == ValueType::kU8 ? Scaling::kPerTensor : Scaling::kPerChannel;
}

struct Convolution {
  tflite::Padding padding;
  std::vector<int64_t> strides, dilations;
  Activation activation;
  bool narrow_sum = false;
};

/// x [N, s.., C], weights placed as [k.., C / groups, O].
void convolve(TfliteNode& node, const Convolution& c, TensorId weights, int64_t groups, bool hybrid_per_channel) {
  const Slots at;
  Product p;
  p.lhs = node.in(at.input);
  p.rhs = weights;
  p.narrow_sum = c.narrow_sum;
  const auto axes = static_cast<int64_t>(c.strides.size());
  const Shape x = node.shape(p.lhs), w = node.shape(weights);
  if (static_cast<int64_t>(x.size()) != axes + 2) node.problem("input", "has the shape " + to_string(x));
  auto attrs = std::make_shared<ConvAttrs>();
  for (int64_t i = 0; i < axes; i++) {
    const auto d = static_cast<size_t>(i);
    const TfliteWindow t = tflite_window(node, c.padding, x[d + 1], w[d], c.strides[d], c.dilations[d]);
    attrs->strides.push_back(t.window.stride);
    attrs->kernel_dilation.push_back(t.window.dilation);
    attrs->input_dilation.push_back(1);
    attrs->pad_lo.push_back(t.pad_lo);
    attrs->pad_hi.push_back(t.pad_hi);
  }
  attrs->groups = groups;
  complete(node, p, at, c.activation, convolution_scaling(node, 0, 1),
           {hybrid_per_channel ? DynamicRange::Form::kAsymmetric : DynamicRange::Form::kSymmetric, 1});
  attrs->accumulator = p.accumulator;
  attrs->steps = std::move(p.steps);
  node.result(node.add("conv", p.operands(), attrs));
}

/// Whether LiteRT takes the kernel for one scale per channel: the scales really differ.
bool per_channel(TfliteNode& node) {
  const auto w = node.quant_of(node.input(1));
  return w && std::any_of(w->scale.begin(), w->scale.end(), [&](float s) { return s != w->scale[0]; });
}

/// A convolution of single pixels with float activations and int8 weights: XNNPACK makes it a product of rows, each
/// with its own scale.
void pixels_product(TfliteNode& node, Activation activation) {
  const Slots at;
  const Shape x = node.in_shape(0), w = node.in_shape(1);
  Product p;
  p.lhs = node.reshape(node.in(0), {x[0] * x[1] * x[2], x[3]});
  p.rhs = node.reshape(node.in(1), {w[0], w[3]});
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_contracting = {1};
  attrs->rhs_contracting = {1};
  complete(node, p, at, activation, Scaling::kPerChannel, {DynamicRange::Form::kAsymmetric, 1});
  attrs->accumulator = p.accumulator;
  attrs->steps = std::move(p.steps);
  node.result(node.reshape(node.add("dot_general", p.operands(), attrs), {x[0], x[1], x[2], w[0]}));
}

void read_conv_2d(TfliteNode& node) {
  const auto& o = node.options<tflite::Conv2DOptions>();
  const TensorId given = node.in(1);
  const Shape w = node.shape(given), x = node.in_shape(0);
  if (w.size() != 4 || x.size() != 4)
    node.problem("input", "has the shape " + to_string(x) + ", its weights " + to_string(w) + "; both have 4 axes");
  if (w[3] < 1 || x[3] % w[3] != 0 || x[3] < w[3] || w[0] % (x[3] / w[3]) != 0)
    node.problem("weights", to_string(w) + " do not fit an input of " + std::to_string(x[3]) + " channels");
  const int64_t groups = x[3] / w[3];
  const bool per_pixel = w[1] == 1 && w[2] == 1 && o.stride_h() == 1 && o.stride_w() == 1 && groups == 1;
  if (per_pixel && node.numerics() == TfliteNumerics::kLitertXnnpack && is_float(node.in_type(0)) &&
      node.type(given).type == ValueType::kI8)
    return pixels_product(node, o.fused_activation_function());
  convolve(node,
           {o.padding(),
            {o.stride_h(), o.stride_w()},
            {o.dilation_h_factor(), o.dilation_w_factor()},
            o.fused_activation_function(),
            o.quantized_bias_type() == tflite::TensorType::INT32},
           node.transpose(given, {1, 2, 3, 0}), groups, groups > 1 || per_channel(node));
}

void read_depthwise_conv_2d(TfliteNode& node) {
  const auto& o = node.options<tflite::DepthwiseConv2DOptions>();
  const TensorId given = node.in(1);
  const Shape w = node.shape(given), x = node.in_shape(0);
  if (w.size() != 4 || x.size() != 4 || w[0] != 1 || x[3] < 1 || w[3] % x[3] != 0)
    node.problem("weights", to_string(w) + " do not fit an input of " + to_string(x));
  convolve(node,
           {o.padding(),
            {o.stride_h(), o.stride_w()},
            {o.dilation_h_factor(), o.dilation_w_factor()},
            o.fused_activation_function()},
           node.reshape(given, {w[1], w[2], 1, w[3]}), x[3], true);
}

/// Weights are [kd, kh, kw, C, O] in the file already.
void read_conv_3d(TfliteNode& node) {
  const auto& o = node.options<tflite::Conv3DOptions>();
  const TensorId given = node.in(1);
  const Shape w = node.shape(given), x = node.in_shape(0);
  if (w.size() != 5 || x.size() != 5 || w[3] != x[4])
    node.problem("weights", to_string(w) + " do not fit an input of " + to_string(x));
  convolve(node,
           {o.padding(),
            {o.stride_d(), o.stride_h(), o.stride_w()},
            {o.dilation_d_factor(), o.dilation_h_factor(), o.dilation_w_factor()},
            o.fused_activation_function()},
           given, 1, true);
}

/// The quantization of LiteRT's optimized TRANSPOSE_CONV: the second rounding is half up for eight channels at a time,
/// and half away from zero for those left over.
TensorId optimized_transpose_conv(TfliteNode& node, Product& p, const Slots& at, std::shared_ptr<ConvAttrs> attrs) {
  const auto function = node.options<tflite::TransposeConvOptions>().fused_activation_function();
  const TfliteQuant x = node.in_quant(at.input), w = node.in_quant(at.weights), y = node.out_quant();
  const ValueType to = node.output_type();
  zero_points(node, p, at, Scaling::kPerChannel);
  const auto channels = node.shape(p.rhs).back();
  std::vector<double> multipliers;
  std::vector<int64_t> right, half, away;
  for (int64_t c = 0; c < channels; c++) {
    const float scale = w.scale[w.scale.size() == 1 ? 0 : static_cast<size_t>(c)];
    const double real = static_cast<double>(x.scale[0]) * static_cast<double>(scale) / static_cast<double>(y.scale[0]);
    const QuantizedMultiplier m = multiplier_of(real);
    // The fixed-point multiplier without its shift to the right, which comes as steps of its own.
    right.push_back(std::max(-m.shift, 0));
    multipliers.push_back(std::ldexp(m.value(), static_cast<int>(right.back())));
    half.push_back(right.back() == 0 ? 0 : int64_t{1} << (right.back() - 1));
    away.push_back(c < channels / 8 * 8 || right.back() == 0 ? 0 : 1);
  }
  TfliteSteps sum(node, kContractionExtra), steps(node);
  if (node.has(at.bias)) sum.add("add", ValueType::kI32, {node.cast(node.in(at.bias), ValueType::kI32)});
  sum.requantize(multipliers, ValueType::kI32, 0, -HUGE_VAL, HUGE_VAL);
  p.extra = std::move(sum.operands);
  attrs->accumulator = ValueType::kI32;
  attrs->steps = std::move(sum.steps);
  const TensorId high = node.add("conv", p.operands(), attrs);
  const TfliteRange range = tflite_range(node, function, to, y);
  steps.add("bit_shift_right", ValueType::kI32, {tflite_integers(node, {31})});
  steps.add("mul", ValueType::kI32, {tflite_integers(node, away)});
  steps.add("add", ValueType::kI32, {high});
  steps.add("add", ValueType::kI32, {tflite_integers(node, half)});
  steps.add("bit_shift_right", ValueType::kI32, {tflite_integers(node, right)});
  steps.add("add", ValueType::kI32, {tflite_integers(node, {y.zero_point[0]})});
  PointwiseStep& narrow = steps.add("cast", to);
  narrow.lo = static_cast<double>(range.lo);
  narrow.hi = static_cast<double>(range.hi);
  return tflite_apply(node, high, std::move(steps));
}

/// The gradient of a convolution that makes `input` of the result: every input element adds its multiple of the
/// kernel. As a convolution: the input dilated by the stride, the kernel turned around. Weights are [O, kh, kw, C].
void read_transpose_conv(TfliteNode& node) {
  const auto& o = node.options<tflite::TransposeConvOptions>();
  const Slots at{2, 1, 3};
  const auto size = node.constant_integers(0, "output_shape");
  const TensorId given = node.in(1);
  const Shape w = node.shape(given), x = node.in_shape(2);
  if (w.size() != 4 || x.size() != 4 || size.size() != 4 || w[3] != x[3] || size[3] != w[0] || size[0] != x[0])
    node.problem("weights", to_string(w) + " do not fit an input of " + to_string(x) + " and its result");
  if (node.numerics() == TfliteNumerics::kTflm && node.in_type(2) == ValueType::kI16 && node.has(3) &&
      node.in_type(3) != ValueType::kI64)
    node.unsupported("bias", "is not int64, as which this runtime reads it beside int16", "use litert-ref");
  Product p;
  p.lhs = node.in(2);
  const TensorId turned = node.slice(given, {0, w[1] - 1, w[2] - 1, 0}, w, {1, -1, -1, 1});
  p.rhs = node.transpose(turned, {1, 2, 3, 0});
  p.narrow_sum = o.quantized_bias_type() == tflite::TensorType::INT32;
  auto attrs = std::make_shared<ConvAttrs>();
  const std::vector<int64_t> strides = {o.stride_h(), o.stride_w()};
  for (size_t d = 0; d < 2; d++) {
    // The padding is that of the convolution whose input the result would be.
    const int64_t extent = size[d + 1], kernel = w[d + 1];
    if (extent < 1 || extent > (1 << 24)) node.problem("output_shape", "is " + to_string(Shape(size)));
    const TfliteWindow t = tflite_window(
        node, o.padding() == tflite::Padding::VALID && kernel > extent ? tflite::Padding::SAME : o.padding(), extent,
        kernel, strides[d]);
    const int64_t dilated = (x[d + 1] - 1) * t.window.stride + 1;
    const int64_t lo = kernel - 1 - t.pad_lo;
    attrs->strides.push_back(1);
    attrs->kernel_dilation.push_back(1);
    attrs->input_dilation.push_back(t.window.stride);
    attrs->pad_lo.push_back(lo);
    attrs->pad_hi.push_back(extent - 1 + kernel - dilated - lo);
  }
  // XNNPACK leaves these to LiteRT's optimized kernel.
  const bool same = o.padding() == tflite::Padding::SAME;
  bool left_out = node.in_type(2) == ValueType::kI16 && p.narrow_sum && node.has(3) && node.in_zero(2) == 0;
  for (size_t d = 0; d < 2; d++) {
    const int64_t kernel = w[d + 1], extent = size[d + 1], stride = strides[d];
    left_out = left_out || (is_eight_bit(node.in_type(2)) &&
                            (same ? kernel < stride || (extent + stride - 1) / stride != x[d + 1] : kernel > extent));
  }
  left_out = left_out && node.numerics() == TfliteNumerics::kLitertXnnpack;
  const Scaling plain = node.in_type(2) == ValueType::kU8 ? Scaling::kPerTensor : Scaling::kPerChannel;
  if (left_out && node.in_type(2) != ValueType::kU8) return node.result(optimized_transpose_conv(node, p, at, attrs));
  complete(node, p, at, o.fused_activation_function(), left_out ? plain : convolution_scaling(node, 2, 1),
           {DynamicRange::Form::kAsymmetric, 1});
  attrs->accumulator = p.accumulator;
  attrs->steps = std::move(p.steps);
  node.result(node.add("conv", p.operands(), attrs));
}

/// Weights are [units, inputs]; the input is taken as rows of that many elements.
void read_fully_connected(TfliteNode& node) {
  const auto& o = node.options<tflite::FullyConnectedOptions>();
  if (o.weights_format() != tflite::FullyConnectedOptionsWeightsFormat::DEFAULT)
    node.unsupported("weights_format", "is shuffled for one runtime", "convert the model again");
  const Slots at;
  const TensorId given = node.in(1);
  const Shape w = node.shape(given), x = node.in_shape(0);
  if (w.size() != 2 || w[1] < 1 || element_count(x) % w[1] != 0)
    node.problem("weights", to_string(w) + " do not fit an input of " + to_string(x));
  const int64_t rows = element_count(x) / w[1];
  Product p;
  p.lhs = node.reshape(node.in(0), {rows, w[1]});
  p.rhs = given;
  p.narrow_sum = o.quantized_bias_type() == tflite::TensorType::INT32;
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_contracting = {1};
  attrs->rhs_contracting = {1};
  // LiteRT's reference kernel scales in float64 where all others have fixed-point multipliers.
  complete(node, p, at, o.fused_activation_function(),
           by_xnnpack(node, 0, 1)                     ? Scaling::kFloat32
           : node.numerics() == TfliteNumerics::kTflm ? Scaling::kPerTensor
                                                      : Scaling::kFloat64,
           {o.asymmetric_quantize_inputs() ? DynamicRange::Form::kAsymmetric : DynamicRange::Form::kSymmetric, 1});
  attrs->accumulator = p.accumulator;
  attrs->steps = std::move(p.steps);
  const TensorId y = node.add("dot_general", p.operands(), attrs);
  Shape out = {rows, w[0]};
  if (o.keep_num_dims()) {
    if (x.empty() || x.back() != w[1]) node.problem("keep_num_dims", "does not fit an input of " + to_string(x));
    out = x;
    out.back() = w[0];
  }
  node.result(node.reshape(y, out));
}

/// [.., M, K] x [.., K, N] with either side transposed and batch axes broadcast.
void read_batch_matmul(TfliteNode& node) {
  const auto& o = node.options<tflite::BatchMatMulOptions>();
  const Slots at{0, 1, 99};
  Product p;
  p.lhs = node.in(0);
  p.rhs = node.in(1);
  Shape x = node.shape(p.lhs), y = node.shape(p.rhs);
  if (x.size() < 2 || y.size() < 2) node.problem("input", "the shapes " + to_string(x) + " and " + to_string(y));
  const Shape batch = node.broadcast_shape(Shape(x.begin(), x.end() - 2), Shape(y.begin(), y.end() - 2));
  const auto widened = [&](TensorId t, const Shape& from) {
    Shape to = batch;
    to.insert(to.end(), from.end() - 2, from.end());
    return node.broadcast(t, to);
  };
  const bool plain = element_count(Shape(y.begin(), y.end() - 2)) == 1;
  auto attrs = std::make_shared<DotGeneralAttrs>();
  if (plain) {
    // Weights without a batch multiply all rows at once.
    if (y.size() > 2) p.rhs = node.reshape(p.rhs, Shape(y.end() - 2, y.end()));
    if (x.size() < batch.size() + 2) p.lhs = widened(p.lhs, x);
    const auto n = node.rank(p.lhs);
    attrs->lhs_contracting = {o.adj_x() ? n - 2 : n - 1};
    attrs->rhs_contracting = {o.adj_y() ? 1 : 0};
  } else {
    p.lhs = widened(p.lhs, x);
    p.rhs = widened(p.rhs, y);
    const auto n = static_cast<int64_t>(batch.size());
    for (int64_t d = 0; d < n; d++) {
      attrs->lhs_batch.push_back(d);
      attrs->rhs_batch.push_back(d);
    }
    attrs->lhs_contracting = {o.adj_x() ? n : n + 1};
    attrs->rhs_contracting = {o.adj_y() ? n + 1 : n};
  }
  const int64_t k = node.shape(p.lhs)[static_cast<size_t>(attrs->lhs_contracting[0])];
  if (k != node.shape(p.rhs)[static_cast<size_t>(attrs->rhs_contracting[0])])
    node.problem("input", "the shapes " + to_string(x) + " and " + to_string(y) + " do not multiply");
  if (is_float(node.type(p.lhs).type) && is_integer(node.type(p.rhs).type) && o.adj_x()) {
    // The runtime turns such activations around first, so that rows share a scale.
    std::vector<int64_t> turned(static_cast<size_t>(node.rank(p.lhs)));
    std::iota(turned.begin(), turned.end(), 0);
    std::swap(turned[turned.size() - 1], turned[turned.size() - 2]);
    p.lhs = node.transpose(p.lhs, turned);
    attrs->lhs_contracting = {node.rank(p.lhs) - 1};
  }
  // XNNPACK takes no zero point of the right operand.
  const bool fast = by_xnnpack(node, 0, 1) && all_zero(node.in_quant(1).zero_point);
  const Shape lhs = node.shape(p.lhs);
  const bool several = std::count_if(lhs.begin(), lhs.end() - 2, [](int64_t n) { return n > 1; }) > 1;
  complete(node, p, at, Activation::NONE, fast ? Scaling::kFloat32 : Scaling::kOneScale,
           {o.asymmetric_quantize_inputs() ? DynamicRange::Form::kAsymmetric : DynamicRange::Form::kSymmetric,
            node.rank(p.lhs) - 1, several && node.numerics() == TfliteNumerics::kLitertRef});
  attrs->accumulator = p.accumulator;
  attrs->steps = std::move(p.steps);
  node.result(node.add("dot_general", p.operands(), attrs));
}

const TfliteOps::Add kOps({
    {"CONV_2D", read_conv_2d},
    {"DEPTHWISE_CONV_2D", read_depthwise_conv_2d},
    {"CONV_3D", read_conv_3d},
    {"TRANSPOSE_CONV", read_transpose_conv},
    {"FULLY_CONNECTED", read_fully_connected},
    {"BATCH_MATMUL", read_batch_matmul},
});

}  // namespace
}  // namespace qlathe
