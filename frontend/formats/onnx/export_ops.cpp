// How the ops of a graph are written.
#include <onnx.pb.h>

#include <algorithm>
#include <numeric>

#include "frontend/formats/onnx/export_node.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

using Names = std::vector<std::string>;

std::vector<int64_t> iota(size_t n) {
  std::vector<int64_t> out(n);
  std::iota(out.begin(), out.end(), 0);
  return out;
}

const Shape& shape_of(OnnxExporter& e, TensorId id) { return e.graph[id].shape(); }

/// The operands of a product, as real numbers or (a sum of integers without scales) as they are with their zero points.
struct Product {
  std::string lhs, rhs;
  bool integer = false;
  std::vector<std::string> zero_points;

  std::vector<std::string> inputs(std::string a, std::string b) const {
    std::vector<std::string> out = {std::move(a), std::move(b)};
    out.insert(out.end(), zero_points.begin(), zero_points.end());
    return out;
  }
  ValueType type() const { return integer ? ValueType::kI32 : ValueType::kF32; }
};

Product operands(OnnxExporter& e, const Node& node, ValueType accumulator) {
  const auto slot = [&](size_t i) { return i < node.inputs.size() ? node.inputs[i] : kNone; };
  const auto real = [&](size_t operand, size_t zero, size_t scale) {
    const TensorId id = slot(operand);
    const ValueType type = e.graph[id].type.type;
    if (is_float(type)) {
      if (slot(scale).valid()) e.unsupported("scale", "of a real operand has no ONNX form here");
      return e.name(id);
    }
    if (!is_integer(type)) e.unsupported("type", std::string(name(type)) + " has no ONNX form here");
    if (!slot(scale).valid()) e.unsupported("scale", "a product of integers without scales has no QDQ form");
    return e.dequantize(e.name(id), e.graph[id].shape(), slot(scale), slot(zero));
  };
  if (accumulator == ValueType::kI64) e.unsupported("accumulator", "int64 has no ONNX form");
  const auto is_byte = [&](TensorId id) {
    return is_integer(e.graph[id].type.type) && info(e.graph[id].type.type).bits <= 8;
  };
  if (!slot(kLhsScale).valid() && !slot(kRhsScale).valid() && is_byte(slot(kLhs)) && is_byte(slot(kRhs))) {
    Product p{e.name(slot(kLhs)), e.name(slot(kRhs)), true, {}};
    for (const size_t i : {kLhsZeroPoint, kRhsZeroPoint}) {
      const ValueType own = e.graph[slot(i == kLhsZeroPoint ? kLhs : kRhs)].type.type;
      if (!slot(i).valid()) {
        HostTensor none(is_signed(own) ? ValueType::kI8 : ValueType::kU8, {});
        p.zero_points.push_back(e.constant("zero", none));
        continue;
      }
      if (element_count(e.graph[slot(i)].shape()) != 1)
        e.unsupported("zero_point", "per channel has no form without scales");
      std::string zero = e.parameter(slot(i), -1);
      if (e.graph[slot(i)].type.type != own) zero = e.cast(zero, own);
      p.zero_points.push_back(zero);
    }
    return p;
  }
  return {real(kLhs, kLhsZeroPoint, kLhsScale), real(kRhs, kRhsZeroPoint, kRhsScale), false, {}};
}

Names conv(OnnxExporter& e, const Node& node) {
  const auto& attrs = node.as<ConvAttrs>();
  const Product p = operands(e, node, attrs.accumulator);
  const size_t rank = shape_of(e, node.inputs[kLhs]).size();
  const bool dilated =
      std::any_of(attrs.input_dilation.begin(), attrs.input_dilation.end(), [](int64_t d) { return d != 1; });
  const auto negative = [](int64_t v) { return v < 0; };
  if (dilated) e.unsupported("input_dilation", "has no ONNX form here");
  if (std::any_of(attrs.pad_lo.begin(), attrs.pad_lo.end(), negative) ||
      std::any_of(attrs.pad_hi.begin(), attrs.pad_hi.end(), negative))
    e.unsupported("pad_lo", "a negative padding has no ONNX form here");
  std::vector<int64_t> kernel_first = {static_cast<int64_t>(rank) - 1, static_cast<int64_t>(rank) - 2},
                       pads = attrs.pad_lo;
  for (size_t d = 0; d + 2 < rank; d++)
    kernel_first.push_back(static_cast<int64_t>(d));
  pads.insert(pads.end(), attrs.pad_hi.begin(), attrs.pad_hi.end());
  const std::string y = e.add(
      p.integer ? "ConvInteger" : "Conv", p.inputs(e.channels_first(p.lhs, rank), e.transpose(p.rhs, kernel_first)),
      {{"strides", attrs.strides}, {"dilations", attrs.kernel_dilation}, {"pads", pads}}, {{"group", attrs.groups}});
  const Shape& out = shape_of(e, node.outputs[0]);
  return {e.steps(e.channels_last(y, rank), p.type(), out, attrs.steps)};
}

/// Batch, free and contracted axes by letters: an Einsum; the common case is a MatMul.
Names dot_general(OnnxExporter& e, const Node& node) {
  const auto& attrs = node.as<DotGeneralAttrs>();
  const Product p = operands(e, node, attrs.accumulator);
  const size_t l = shape_of(e, node.inputs[kLhs]).size(), r = shape_of(e, node.inputs[kRhs]).size();
  std::string y;
  const bool plain = attrs.lhs_batch.empty() && attrs.output_permutation.empty() && r == 2 && l >= 2 &&
                     attrs.lhs_contracting == std::vector<int64_t>{static_cast<int64_t>(l) - 1} &&
                     attrs.rhs_contracting == std::vector<int64_t>{0};
  if (plain) {
    y = e.add(p.integer ? "MatMulInteger" : "MatMul", p.inputs(p.lhs, p.rhs));
  } else if (p.integer) {
    e.unsupported("axes", "an integer product of these axes has no form without scales");
  } else {
    if (l + r > 26) e.unsupported("axes", "are too many for an equation");
    std::string a(l, ' '), b(r, ' '), batch, lhs_free, rhs_free;
    char next = 'a';
    for (size_t i = 0; i < attrs.lhs_batch.size(); i++)
      batch += a[static_cast<size_t>(attrs.lhs_batch[i])] = b[static_cast<size_t>(attrs.rhs_batch[i])] = next++;
    for (size_t i = 0; i < attrs.lhs_contracting.size(); i++)
      a[static_cast<size_t>(attrs.lhs_contracting[i])] = b[static_cast<size_t>(attrs.rhs_contracting[i])] = next++;
    for (char& c : a) {
      if (c == ' ') lhs_free += c = next++;
    }
    for (char& c : b) {
      if (c == ' ') rhs_free += c = next++;
    }
    const std::string natural = batch + lhs_free + rhs_free;
    std::string out = natural;
    for (size_t i = 0; i < attrs.output_permutation.size(); i++)
      out[i] = natural[static_cast<size_t>(attrs.output_permutation[i])];
    y = e.add("Einsum", {p.lhs, p.rhs});
    auto* attribute = e.last().add_attribute();
    attribute->set_name("equation");
    attribute->set_type(onnx::AttributeProto::STRING);
    attribute->set_s(a + "," + b + "->" + out);
  }
  return {e.steps(y, p.type(), shape_of(e, node.outputs[0]), attrs.steps)};
}

Names pointwise(OnnxExporter& e, const Node& node) {
  const Tensor& x = e.graph[node.inputs[0]];
  return {e.steps(e.name(node.inputs[0]), x.type.type, shape_of(e, node.outputs[0]), node.as<PointwiseAttrs>().steps)};
}

Names reshape(OnnxExporter& e, const Node& node) {
  return {e.reshape(e.name(node.inputs[0]), node.as<ReshapeAttrs>().shape)};
}
Names transpose(OnnxExporter& e, const Node& node) {
  return {e.transpose(e.name(node.inputs[0]), node.as<TransposeAttrs>().permutation)};
}
Names broadcast(OnnxExporter& e, const Node& node) {
  return {e.add("Expand", {e.name(node.inputs[0]), e.integers(node.as<BroadcastAttrs>().shape)})};
}
Names gather(OnnxExporter& e, const Node& node) {
  return {
      e.add("Gather", {e.name(node.inputs[0]), e.name(node.inputs[1])}, {}, {{"axis", node.as<GatherAttrs>().axis}})};
}
Names concat(OnnxExporter& e, const Node& node) {
  std::vector<std::string> inputs;
  for (TensorId id : node.inputs)
    inputs.push_back(e.name(id));
  return {e.add("Concat", inputs, {}, {{"axis", node.as<ConcatAttrs>().axis}})};
}

Names slice(OnnxExporter& e, const Node& node) {
  const auto& attrs = node.as<SliceAttrs>();
  std::vector<int64_t> ends, steps = attrs.step.empty() ? std::vector<int64_t>(attrs.start.size(), 1) : attrs.step;
  for (size_t d = 0; d < attrs.start.size(); d++) {
    // One beyond the last element; from the first on downwards that is below every index.
    const int64_t last = attrs.start[d] + (attrs.size[d] - 1) * steps[d];
    ends.push_back(attrs.size[d] == 0 ? attrs.start[d] : steps[d] > 0 ? last + 1 : last == 0 ? INT64_MIN : last - 1);
  }
  return {e.add("Slice", {e.name(node.inputs[0]), e.integers(attrs.start), e.integers(ends),
                          e.integers(iota(ends.size())), e.integers(steps)})};
}

Names pad(OnnxExporter& e, const Node& node) {
  const auto& attrs = node.as<PadAttrs>();
  if (std::any_of(attrs.interior.begin(), attrs.interior.end(), [](int64_t v) { return v != 0; }))
    e.unsupported("interior", "has no ONNX form");
  if (attrs.mode == PadMode::kSymmetric) e.unsupported("mode", "symmetric has no ONNX form");
  std::vector<int64_t> pads = attrs.lo;
  pads.insert(pads.end(), attrs.hi.begin(), attrs.hi.end());
  std::vector<std::string> inputs = {e.name(node.inputs[0]), e.integers(pads)};
  if (node.inputs.size() > 1 && node.inputs[1].valid() && attrs.mode == PadMode::kConstant) {
    if (element_count(shape_of(e, node.inputs[1])) != 1) e.unsupported("value", "of several elements has no ONNX form");
    inputs.push_back(e.parameter(node.inputs[1], -1));
  }
  const std::string y = e.add("Pad", inputs);
  auto* attribute = e.last().add_attribute();
  attribute->set_name("mode");
  attribute->set_type(onnx::AttributeProto::STRING);
  attribute->set_s(attrs.mode == PadMode::kConstant  ? "constant"
                   : attrs.mode == PadMode::kReflect ? "reflect"
                                                     : "edge");
  return {y};
}

Names pool(OnnxExporter& e, const Node& node) {
  const auto& attrs = node.as<PoolAttrs>();
  const Tensor& x = e.graph[node.inputs[0]];
  std::vector<int64_t> kernel, strides, dilations, pads = attrs.pad_lo;
  for (const Window& w : attrs.windows) {
    kernel.push_back(w.kernel);
    strides.push_back(w.stride);
    dilations.push_back(w.dilation);
  }
  pads.insert(pads.end(), attrs.pad_hi.begin(), attrs.pad_hi.end());
  if (pads.empty()) pads.assign(2 * kernel.size(), 0);
  const size_t rank = x.shape().size();
  const std::string first = e.channels_first(e.name(node.inputs[0]), rank);
  std::string y;
  ValueType type = x.type.type;
  if (attrs.kind == PoolKind::kMax) {
    y = e.add("MaxPool", {first},
              {{"kernel_shape", kernel}, {"strides", strides}, {"dilations", dilations}, {"pads", pads}});
  } else {
    // A sum is an average that counts its padding, times the count.
    if (type != ValueType::kF32) e.unsupported("type", "sums of integers over windows have no ONNX form");
    if (std::any_of(dilations.begin(), dilations.end(), [](int64_t d) { return d != 1; }))
      e.unsupported("dilation", "of a sum has no ONNX form here");
    y = e.add("AveragePool", {first}, {{"kernel_shape", kernel}, {"strides", strides}, {"pads", pads}},
              {{"count_include_pad", 1}});
    const int64_t count = std::accumulate(kernel.begin(), kernel.end(), int64_t{1}, std::multiplies<>());
    y = e.add("Mul", {y, e.scalar(static_cast<float>(count))});
  }
  return {e.steps(e.channels_last(y, rank), type, shape_of(e, node.outputs[0]), attrs.steps)};
}

Names reduce(OnnxExporter& e, const Node& node) {
  const auto& attrs = node.as<ReduceAttrs>();
  const ValueType type = e.graph[node.inputs[0]].type.type;
  static const std::map<ReduceKind, std::string> kNames = {{ReduceKind::kSum, "ReduceSum"},
                                                           {ReduceKind::kMax, "ReduceMax"},
                                                           {ReduceKind::kMin, "ReduceMin"},
                                                           {ReduceKind::kAbsMax, "ReduceMax"},
                                                           {ReduceKind::kSumSquares, "ReduceSumSquare"},
                                                           {ReduceKind::kProduct, "ReduceProd"}};
  std::string x = e.name(node.inputs[0]);
  if (attrs.kind == ReduceKind::kAbsMax) x = e.add("Abs", {x});
  const std::string& op = kNames.at(attrs.kind);
  ValueType result = type;
  if (attrs.kind == ReduceKind::kSum && is_integer(type) && type != ValueType::kI64) {
    x = e.cast(x, result = ValueType::kI32);
  }
  const int64_t keep = attrs.keep_dims ? 1 : 0;
  const bool as_input = op == "ReduceSum" || e.opset >= 18;
  const std::string y = as_input ? e.add(op, {x, e.integers(attrs.axes)}, {}, {{"keepdims", keep}})
                                 : e.add(op, {x}, {{"axes", attrs.axes}}, {{"keepdims", keep}});
  return {e.steps(y, result, shape_of(e, node.outputs[0]), attrs.steps)};
}

Names softmax(OnnxExporter& e, const Node& node) {
  const auto& attrs = node.as<SoftmaxAttrs>();
  const Tensor& from = e.graph[node.inputs[0]];
  const std::string x = e.steps(e.name(node.inputs[0]), from.type.type, from.shape(), attrs.before);
  const std::string y = e.add(attrs.log ? "LogSoftmax" : "Softmax", {x}, {}, {{"axis", -1}});
  return {e.steps(y, ValueType::kF32, shape_of(e, node.outputs[0]), attrs.steps)};
}

Names layer_norm(OnnxExporter& e, const Node& node) {
  const auto& attrs = node.as<LayerNormAttrs>();
  if (attrs.rms || e.opset < 17)
    e.unsupported("op", attrs.rms ? "rms_norm has no ONNX form here" : "layer_norm needs opset 21");
  const Shape& x = shape_of(e, node.inputs[0]);
  const Shape tail(x.end() - attrs.axes, x.end());
  std::vector<std::string> inputs = {e.name(node.inputs[0])};
  if (node.inputs.size() > 1 && node.inputs[1].valid()) {
    inputs.push_back(e.name(node.inputs[1]));
  } else {
    HostTensor ones(ValueType::kF32, tail);
    std::fill(ones.as<float>().begin(), ones.as<float>().end(), 1.0f);
    inputs.push_back(e.constant("ones", ones));
  }
  if (node.inputs.size() > 2 && node.inputs[2].valid()) inputs.push_back(e.name(node.inputs[2]));
  const std::string y = e.add("LayerNormalization", inputs, {}, {{"axis", -attrs.axes}});
  auto* attribute = e.last().add_attribute();
  attribute->set_name("epsilon");
  attribute->set_type(onnx::AttributeProto::FLOAT);
  attribute->set_f(static_cast<float>(attrs.epsilon));
  return {e.steps(y, ValueType::kF32, shape_of(e, node.outputs[0]), attrs.steps)};
}

}  // namespace

const std::map<std::string, ExportOp>& export_ops() {
  static const std::map<std::string, ExportOp> ops = {
      {"conv", conv},           {"dot_general", dot_general},
      {"pointwise", pointwise}, {"reshape", reshape},
      {"transpose", transpose}, {"broadcast", broadcast},
      {"gather", gather},       {"concat", concat},
      {"slice", slice},         {"pad", pad},
      {"pool", pool},           {"reduce", reduce},
      {"softmax", softmax},     {"layer_norm", layer_norm},
  };
  return ops;
}

}  // namespace qlathe
