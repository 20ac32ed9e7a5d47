// How products are written: CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, BATCH_MATMUL.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "frontend/formats/tflite/export_node.h"
#include "frontend/ops/contraction.h"

namespace qlathe {

using Op = tflite::BuiltinOperator;
using Activation = tflite::ActivationFunctionType;

HostTensor permuted(const HostTensor& x, const std::vector<int64_t>& permutation) {
  Shape to;
  for (int64_t axis : permutation)
    to.push_back(x.shape()[static_cast<size_t>(axis)]);
  HostTensor out(x.type(), to);
  const std::vector<int64_t> strides = row_major_strides(x.shape());
  const auto width = static_cast<size_t>(storage_bytes(x.type()));
  std::vector<int64_t> index(to.size(), 0);
  for (int64_t i = 0; i < out.size(); i++) {
    int64_t from = 0;
    for (size_t d = 0; d < to.size(); d++)
      from += index[d] * strides[static_cast<size_t>(permutation[d])];
    std::memcpy(out.bytes() + static_cast<size_t>(i) * width, x.bytes() + static_cast<size_t>(from) * width, width);
    for (size_t d = to.size(); d-- > 0;) {
      if (++index[d] < to[d]) break;
      index[d] = 0;
    }
  }
  return out;
}

namespace {

/// The parameter of every index of `axes`, row-major; one where it is the same for all.
template <class Get>
auto along(TfliteExporter& e, const HostTensor& parameter, const Shape& whole, const std::vector<int64_t>& axes,
           Get get) {
  std::vector<decltype(get(int64_t{0}))> out;
  if (parameter.size() == 1) {
    out.push_back(get(0));
    return out;
  }
  const Shape& own = parameter.shape();
  if (own.size() != whole.size()) e.unsupported("scale", "of shape " + to_string(own) + " is not of its weight's rank");
  for (size_t d = 0; d < own.size(); d++) {
    const bool channel = std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) != axes.end();
    if (own[d] != 1 && !(channel && own[d] == whole[d]))
      e.unsupported("scale", "of shape " + to_string(own) +
                                 " has no TFLite form: a weight has one scale, or one per result channel");
  }
  const std::vector<int64_t> strides = row_major_strides(own);
  std::vector<int64_t> index(axes.size(), 0);
  int64_t count = 1;
  for (int64_t axis : axes)
    count *= whole[static_cast<size_t>(axis)];
  for (int64_t i = 0; i < count; i++) {
    int64_t at = 0;
    for (size_t d = 0; d < axes.size(); d++) {
      const auto axis = static_cast<size_t>(axes[d]);
      at += own[axis] == 1 ? 0 : index[d] * strides[axis];
    }
    out.push_back(get(at));
    for (size_t d = axes.size(); d-- > 0;) {
      if (++index[d] < whole[static_cast<size_t>(axes[d])]) break;
      index[d] = 0;
    }
  }
  return out;
}

/// A product's operands: the value that was quantized, or as it is.
struct Operands {
  TensorId lhs, rhs, scale, zero_point;
};

Operands operands_of(TfliteExporter& e, const Node& node, ValueType accumulator) {
  const auto slot = [&](size_t i) { return i < node.inputs.size() ? node.inputs[i] : kNone; };
  if (accumulator == ValueType::kI64) e.unsupported("accumulator", "int64 has no TFLite form here");
  Operands out{slot(kLhs), slot(kRhs), slot(kRhsScale), slot(kRhsZeroPoint)};
  for (TensorId id : {out.lhs, out.rhs}) {
    const ValueType type = e.type(id);
    if (type != ValueType::kF32 && !(is_integer(type) && info(type).bits <= 8))
      e.unsupported("type", std::string(name(type)) + " has no TFLite form in a product");
  }
  if (!is_float(e.type(out.lhs))) {
    // Integers with a scale beside them: the value that a quantize step made them of, with that scale.
    const auto form = e.plan.view(out.lhs).storage;
    const HostTensor* scale = slot(kLhsScale).valid() ? e.graph[slot(kLhsScale)].data.get() : nullptr;
    if (!form || scale == nullptr || scale->size() != 1 || scale->as<float>()[0] != form->scale[0])
      e.unsupported("lhs", "integer activations need a constant scale of one step that quantizes them");
  }
  if (!is_float(e.type(out.rhs)) && !out.scale.valid())
    e.unsupported("scale", "a product of integers without scales has no TFLite form");
  return out;
}

/// A real operand of a product: integers are dequantized.
int32_t real_operand(TfliteExporter& e, TensorId id) {
  if (is_float(e.type(id))) return e.real(id);
  const auto form = *e.plan.view(id).storage;
  const int32_t from = e.stored(id, form);
  const int32_t out = e.between("dequantized", ValueType::kF32, e.shape(id), nullptr);
  e.op(Op::DEQUANTIZE, {from}, out, 2);
  return out;
}

/// Whether a product can be done in integers: its result is wanted so, its operands are held so.
bool in_integers(TfliteExporter& e, TensorId lhs, const TfliteWeight& weight, TensorId result) {
  if (!weight.storage || !e.is_quantized({lhs}, result, {ValueType::kI8})) return false;
  const auto& zero = weight.storage->zero_point;
  return std::all_of(zero.begin(), zero.end(), [](int64_t z) { return z == 0; }) && is_signed(weight.data.type());
}

std::vector<int64_t> iota(size_t n) {
  std::vector<int64_t> out(n);
  std::iota(out.begin(), out.end(), 0);
  return out;
}

}  // namespace

TfliteWeight TfliteExporter::weight(TensorId id, TensorId scale, TensorId zero_point,
                                    const std::vector<int64_t>& permutation, const std::vector<int64_t>& channels) {
  const Node* made = plan.producer(id);
  const PointwiseStep* s = made == nullptr ? nullptr : TfliteExportPlan::step(*made);
  const bool behind = s != nullptr && s->op == "dequantize";
  const Tensor& t = graph[behind ? made->inputs[0] : id];
  if (!t.is_constant()) unsupported("weight", "that is computed while the model runs has no TFLite form here");
  TfliteWeight out{permuted(*t.data, permutation), std::nullopt};
  if (behind) {
    scale = made->inputs[static_cast<size_t>(s->operands[0])];
    zero_point = s->operands.size() > 1 ? made->inputs[static_cast<size_t>(s->operands[1])] : kNone;
  } else if (is_float(t.type.type)) {
    return out;
  }
  const HostTensor* scales = graph[scale].data.get();
  const HostTensor* zeros = zero_point.valid() ? graph[zero_point].data.get() : nullptr;
  if (scales == nullptr || scales->type() != ValueType::kF32 || (zero_point.valid() && zeros == nullptr))
    unsupported("scale", "of a weight is not a float32 constant");
  TfliteStorage form;
  form.type = out.data.type();
  form.scale = along(*this, *scales, t.shape(), channels,
                     [&](int64_t i) { return scales->as<float>()[static_cast<size_t>(i)]; });
  form.zero_point.assign(form.scale.size(), 0);
  if (zeros != nullptr) {
    const auto values = along(*this, *zeros, t.shape(), channels, [&](int64_t i) { return zeros->int_at(i); });
    for (size_t i = 0; i < form.zero_point.size(); i++)
      form.zero_point[i] = values[values.size() == 1 ? 0 : i];
  }
  out.storage = form;
  return out;
}

int32_t TfliteExporter::weight_tensor(const TfliteWeight& weight, const Shape& as, int64_t axis, bool quantized) {
  const HostTensor data = weight.data.reshaped(as);
  if (!weight.storage) return constant("weight", data);
  TfliteStorage form = *weight.storage;
  form.axis = form.per_tensor() ? 0 : axis;
  const int32_t index = constant("weight", data, &form);
  if (quantized) return index;
  const int32_t out = between("weight_dequantized", ValueType::kF32, as, nullptr);
  op(Op::DEQUANTIZE, {index}, out, 2);
  return out;
}

int32_t TfliteExporter::bias_tensor(const HostTensor* bias, const TfliteStorage* lhs, const TfliteStorage* weight) {
  if (bias == nullptr) return -1;
  const Shape flat = {bias->size()};
  if (lhs == nullptr) return constant("bias", bias->reshaped(flat));
  TfliteStorage form;
  form.type = ValueType::kI32;
  for (float scale : weight->scale)
    form.scale.push_back(lhs->scale[0] * scale);
  form.zero_point.assign(form.scale.size(), 0);
  HostTensor out(ValueType::kI32, flat);
  for (int64_t i = 0; i < out.size(); i++) {
    const float scale = form.scale[form.per_tensor() ? 0 : static_cast<size_t>(i)];
    const double q =
        std::nearbyint(static_cast<double>(bias->as<float>()[static_cast<size_t>(i)]) / static_cast<double>(scale));
    out.set_int(i, static_cast<int64_t>(std::clamp(q, -2147483648.0, 2147483647.0)));
  }
  return constant("bias", out, &form);
}

TfliteTail TfliteExporter::tail(TensorId product, int64_t channels, bool takes_bias) {
  TfliteTail out{product};
  while (true) {
    const auto& readers = plan.readers(out.result);
    const Node* next = readers.size() == 1 ? readers[0] : nullptr;
    const PointwiseStep* s = next == nullptr ? nullptr : TfliteExportPlan::step(*next);
    if (s == nullptr || next->inputs[0] != out.result || s->type != ValueType::kF32) return out;
    if (s->op == "add" && takes_bias && out.bias == nullptr && s->operands.size() == 1) {
      const Tensor& added = graph[next->inputs[static_cast<size_t>(s->operands[0])]];
      const Shape &own = added.shape(), &whole = shape(out.result);
      // One value for each channel, along the last axes.
      if (!added.is_constant() || added.type.type != ValueType::kF32 || element_count(own) != channels ||
          shape(next->outputs[0]) != whole)
        return out;
      int64_t inner = 1;
      size_t d = own.size();
      while (d > 0 && inner < channels && own[d - 1] == whole[whole.size() - own.size() + d - 1])
        inner *= own[--d];
      if (inner != channels) return out;
      out.bias = added.data.get();
    } else if (s->op == "relu") {
      out.activation = Activation::RELU;
    } else if (s->op == "clamp" && s->lo == 0 && s->hi == 6) {
      out.activation = Activation::RELU6;
    } else if (s->op == "clamp" && s->lo == -1 && s->hi == 1) {
      out.activation = Activation::RELU_N1_TO_1;
    } else {
      return out;
    }
    done_.insert(next);
    out.result = next->outputs[0];
    if (out.activation != Activation::NONE) return out;
  }
}

void export_conv(TfliteExporter& e, const Node& node) {
  const auto& a = node.as<ConvAttrs>();
  const Operands operands = operands_of(e, node, a.accumulator);
  const Shape &x = e.shape(operands.lhs), &w = e.shape(operands.rhs), &y = e.shape(node.outputs[0]);
  if (x.size() != 3 && x.size() != 4) e.unsupported("op", "a convolution over three axes has no TFLite form here");
  const size_t axes = x.size() - 2;
  const auto one = [](int64_t v) { return v == 1; };
  if (!std::all_of(a.input_dilation.begin(), a.input_dilation.end(), one))
    e.unsupported("input_dilation", "has no TFLite form here");
  const bool depthwise = a.groups > 1 && a.groups == x.back();
  std::vector<int64_t> to_file = {static_cast<int64_t>(axes) + 1};
  for (size_t d = 0; d <= axes; d++)
    to_file.push_back(static_cast<int64_t>(d));
  const TfliteWeight weight = e.weight(operands.rhs, operands.scale, operands.zero_point,
                                       depthwise ? iota(w.size()) : to_file, {static_cast<int64_t>(axes) + 1});
  const TfliteTail tail = e.tail(node.outputs[0], y.back(), true);
  const bool quantized = in_integers(e, operands.lhs, weight, tail.result);
  const std::optional<TfliteStorage> from = quantized ? e.plan.storage(operands.lhs) : std::nullopt;
  const std::optional<TfliteStorage> to = quantized ? e.plan.storage(tail.result) : std::nullopt;
  int32_t input = quantized ? e.stored(operands.lhs, *from) : real_operand(e, operands.lhs);

  // One axis is two with an extent of 1 before it.
  const auto with_height = [&](Shape s) {
    if (axes == 1) s.insert(s.begin() + 1, 1);
    return s;
  };
  std::vector<int64_t> lo = a.pad_lo, hi = a.pad_hi, strides = a.strides, dilations = a.kernel_dilation;
  Shape extents(x.begin() + 1, x.end() - 1), kernel(w.begin(), w.end() - 2);
  if (axes == 1) {
    for (auto* v : {&lo, &hi})
      v->insert(v->begin(), 0);
    for (auto* v : {&strides, &dilations, &extents, &kernel})
      v->insert(v->begin(), 1);
  }
  Shape file_x = with_height(x), file_y = with_height(y);
  input = e.reshaped(input, ValueType::kF32, file_x, from ? &*from : nullptr);
  bool none = true, same = true;
  for (size_t d = 0; d < 2; d++) {
    const int64_t positions = (extents[d] + strides[d] - 1) / strides[d];
    const int64_t total =
        std::max<int64_t>((positions - 1) * strides[d] + (kernel[d] - 1) * dilations[d] + 1 - extents[d], 0);
    none = none && lo[d] == 0 && hi[d] == 0;
    same = same && lo[d] == total / 2 && hi[d] == total - total / 2;
    if (lo[d] < 0 || hi[d] < 0) e.unsupported("pad_lo", "a negative padding has no TFLite form here");
  }
  if (!none && !same) {
    const std::vector<int64_t> pads = {0, 0, lo[0], hi[0], lo[1], hi[1], 0, 0};
    HostTensor table(ValueType::kI32, {4, 2});
    for (size_t i = 0; i < 8; i++)
      table.set_int(static_cast<int64_t>(i), pads[i]);
    for (size_t d = 0; d < 2; d++)
      file_x[d + 1] += lo[d] + hi[d];
    const int32_t padded = e.between("padded", ValueType::kF32, file_x, from ? &*from : nullptr);
    e.op(Op::PAD, {input, e.constant("pads", table)}, padded, tflite::PadOptionsT{}, quantized ? 2 : 1);
    input = padded;
  }
  const tflite::Padding padding = !none && same ? tflite::Padding::SAME : tflite::Padding::VALID;
  Shape file_w = {weight.data.shape()[0], kernel[0], kernel[1], w[axes]};
  if (depthwise) file_w = {1, kernel[0], kernel[1], w.back()};
  const int32_t weights = e.weight_tensor(weight, file_w, depthwise ? 3 : 0, quantized);
  const int32_t bias = e.bias_tensor(tail.bias, from ? &*from : nullptr, weight.storage ? &*weight.storage : nullptr);
  const int32_t out =
      axes == 2 ? e.result(tail.result, quantized) : e.between("rows", ValueType::kF32, file_y, to ? &*to : nullptr);
  std::vector<int32_t> inputs = {input, weights};
  if (bias >= 0) inputs.push_back(bias);
  if (depthwise) {
    tflite::DepthwiseConv2DOptionsT o;
    o.padding = padding;
    o.stride_h = static_cast<int32_t>(strides[0]);
    o.stride_w = static_cast<int32_t>(strides[1]);
    o.dilation_h_factor = static_cast<int32_t>(dilations[0]);
    o.dilation_w_factor = static_cast<int32_t>(dilations[1]);
    o.depth_multiplier = static_cast<int32_t>(w.back() / x.back());
    o.fused_activation_function = tail.activation;
    e.op(Op::DEPTHWISE_CONV_2D, inputs, out, std::move(o), quantized ? 3 : 2);
  } else {
    tflite::Conv2DOptionsT o;
    o.padding = padding;
    o.stride_h = static_cast<int32_t>(strides[0]);
    o.stride_w = static_cast<int32_t>(strides[1]);
    o.dilation_h_factor = static_cast<int32_t>(dilations[0]);
    o.dilation_w_factor = static_cast<int32_t>(dilations[1]);
    o.fused_activation_function = tail.activation;
    e.op(Op::CONV_2D, inputs, out, std::move(o), quantized ? 3 : 1);
  }
  if (axes == 1) {
    tflite::ReshapeOptionsT o;
    o.new_shape.assign(y.begin(), y.end());
    e.op(Op::RESHAPE, {out, e.integers(y, "shape")}, e.result(tail.result, quantized), std::move(o));
  }
}

namespace {

/// Axes of an operand of a product: those of batches, free ones, contracted ones.
std::vector<int64_t> free_axes(size_t rank, const std::vector<int64_t>& batch,
                               const std::vector<int64_t>& contracting) {
  std::vector<int64_t> out;
  for (int64_t d = 0; d < static_cast<int64_t>(rank); d++) {
    if (std::find(batch.begin(), batch.end(), d) == batch.end() &&
        std::find(contracting.begin(), contracting.end(), d) == contracting.end())
      out.push_back(d);
  }
  return out;
}

std::vector<int64_t> joined(std::vector<int64_t> a, const std::vector<int64_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

int64_t extent_of(const Shape& shape, const std::vector<int64_t>& axes) {
  int64_t out = 1;
  for (int64_t axis : axes)
    out *= shape[static_cast<size_t>(axis)];
  return out;
}

/// The natural shape of the result before it is permuted.
Shape natural_shape(const Shape& out, const std::vector<int64_t>& permutation) {
  Shape natural = out;
  for (size_t i = 0; i < permutation.size(); i++)
    natural[static_cast<size_t>(permutation[i])] = out[i];
  return natural;
}

/// A product with a constant: rows of the contracted axes times [units, inputs].
void fully_connected(TfliteExporter& e, const Node& node, const DotGeneralAttrs& a, const Operands& operands) {
  const Shape &x = e.shape(operands.lhs), &w = e.shape(operands.rhs);
  const auto lhs_free = free_axes(x.size(), {}, a.lhs_contracting),
             rhs_free = free_axes(w.size(), {}, a.rhs_contracting);
  const int64_t rows = extent_of(x, lhs_free), units = extent_of(w, rhs_free), depth = extent_of(x, a.lhs_contracting);
  const TfliteWeight weight =
      e.weight(operands.rhs, operands.scale, operands.zero_point, joined(rhs_free, a.rhs_contracting), rhs_free);
  const bool moved = !a.output_permutation.empty();
  const TfliteTail tail = moved ? TfliteTail{node.outputs[0]} : e.tail(node.outputs[0], units, true);
  const bool quantized = in_integers(e, operands.lhs, weight, tail.result);
  const std::optional<TfliteStorage> from = quantized ? e.plan.storage(operands.lhs) : std::nullopt;
  const std::optional<TfliteStorage> to = quantized ? e.plan.storage(tail.result) : std::nullopt;
  const TfliteStorage* from_form = from ? &*from : nullptr;
  const TfliteStorage* to_form = to ? &*to : nullptr;
  int32_t input = quantized ? e.stored(operands.lhs, *from) : real_operand(e, operands.lhs);
  input = e.transposed(input, ValueType::kF32, x, joined(lhs_free, a.lhs_contracting), from_form);
  // An operator keeps the leading axes where the last one alone is contracted and made.
  const Shape& y = e.shape(tail.result);
  const bool keeps = !moved && a.lhs_contracting.size() == 1 && rhs_free.size() == 1;
  if (!keeps) input = e.reshaped(input, ValueType::kF32, {rows, depth}, from_form);
  const int32_t weights = e.weight_tensor(weight, {units, depth}, 0, quantized);
  const int32_t bias = e.bias_tensor(tail.bias, from_form, weight.storage ? &*weight.storage : nullptr);
  int32_t out = keeps ? e.result(tail.result, quantized) : e.between("rows", ValueType::kF32, {rows, units}, to_form);
  tflite::FullyConnectedOptionsT o;
  o.fused_activation_function = tail.activation;
  o.keep_num_dims = keeps && y.size() != 2;
  const bool per_channel = quantized && !weight.storage->per_tensor();
  e.op(Op::FULLY_CONNECTED, {input, weights, bias}, out, std::move(o),
       per_channel              ? 12
       : bias < 0               ? 6
       : keeps && y.size() != 2 ? 5
       : quantized              ? 4
                                : 1);
  if (keeps) return;
  const Shape natural = natural_shape(y, a.output_permutation);
  if (moved)
    out = e.transposed(e.reshaped(out, ValueType::kF32, natural, to_form), ValueType::kF32, natural,
                       a.output_permutation, to_form);
  tflite::ReshapeOptionsT reshape;
  reshape.new_shape.assign(y.begin(), y.end());
  e.op(Op::RESHAPE, {out, e.integers(y, "shape")}, e.result(tail.result, quantized), std::move(reshape));
}

/// A product of two values that are computed: [batch, rows, depth] times [batch, depth, columns].
void batch_matmul(TfliteExporter& e, const Node& node, const DotGeneralAttrs& a, const Operands& operands) {
  const Shape &x = e.shape(operands.lhs), &w = e.shape(operands.rhs), &y = e.shape(node.outputs[0]);
  if (!is_float(e.type(operands.lhs)) || !is_float(e.type(operands.rhs)))
    e.unsupported("operands", "a product of two activations in integers needs them behind dequantize steps");
  const auto lhs_free = free_axes(x.size(), a.lhs_batch, a.lhs_contracting);
  const auto rhs_free = free_axes(w.size(), a.rhs_batch, a.rhs_contracting);
  const bool quantized = e.is_quantized({operands.lhs, operands.rhs}, node.outputs[0], {ValueType::kI8});
  const auto form = [&](TensorId id) { return quantized ? e.plan.storage(id) : std::nullopt; };
  const auto l = form(operands.lhs), r = form(operands.rhs), to = form(node.outputs[0]);
  const int64_t batch = extent_of(x, a.lhs_batch), rows = extent_of(x, lhs_free),
                depth = extent_of(x, a.lhs_contracting), columns = extent_of(w, rhs_free);
  const TfliteStorage *lf = l ? &*l : nullptr, *rf = r ? &*r : nullptr, *tf = to ? &*to : nullptr;
  int32_t lhs = e.transposed(e.operand(operands.lhs, quantized), ValueType::kF32, x,
                             joined(joined(a.lhs_batch, lhs_free), a.lhs_contracting), lf);
  int32_t rhs = e.transposed(e.operand(operands.rhs, quantized), ValueType::kF32, w,
                             joined(joined(a.rhs_batch, a.rhs_contracting), rhs_free), rf);
  lhs = e.reshaped(lhs, ValueType::kF32, {batch, rows, depth}, lf);
  rhs = e.reshaped(rhs, ValueType::kF32, {batch, depth, columns}, rf);
  int32_t out = e.between("product", ValueType::kF32, {batch, rows, columns}, tf);
  e.op(Op::BATCH_MATMUL, {lhs, rhs}, out, tflite::BatchMatMulOptionsT{}, quantized ? 2 : 1);
  const Shape natural = natural_shape(y, a.output_permutation);
  if (!a.output_permutation.empty())
    out =
        e.transposed(e.reshaped(out, ValueType::kF32, natural, tf), ValueType::kF32, natural, a.output_permutation, tf);
  tflite::ReshapeOptionsT reshape;
  reshape.new_shape.assign(y.begin(), y.end());
  e.op(Op::RESHAPE, {out, e.integers(y, "shape")}, e.result(node.outputs[0], quantized), std::move(reshape));
}

}  // namespace

void export_dot_general(TfliteExporter& e, const Node& node) {
  const auto& a = node.as<DotGeneralAttrs>();
  const Operands operands = operands_of(e, node, a.accumulator);
  const Node* made = e.plan.producer(operands.rhs);
  const PointwiseStep* s = made == nullptr ? nullptr : TfliteExportPlan::step(*made);
  const bool behind = s != nullptr && s->op == "dequantize";
  const bool constant = e.graph[behind ? made->inputs[0] : operands.rhs].is_constant();
  if (constant && a.rhs_batch.empty()) return fully_connected(e, node, a, operands);
  batch_matmul(e, node, a, operands);
}

}  // namespace qlathe
