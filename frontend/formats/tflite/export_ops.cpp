// How ops other than products and steps are written.
#include <algorithm>
#include <cmath>

#include "frontend/formats/tflite/export_node.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

using Op = tflite::BuiltinOperator;

/// Int8 where operand and result are held so; `same` wants one scale on both sides.
bool quantized_unary(TfliteExporter& e, const Node& node, bool same) {
  if (!e.is_quantized({node.inputs[0]}, node.outputs[0], {ValueType::kI8, ValueType::kU8})) return false;
  return !same || e.plan.storage(node.inputs[0]) == e.plan.storage(node.outputs[0]);
}

/// An op that hands its operand's quantization on: an operand of another form is brought to the result's.
struct Moved {
  bool quantized = false;
  int32_t input = -1, output = -1;
};
Moved moved(TfliteExporter& e, const Node& node) {
  Moved out;
  const auto form = e.plan.storage(node.outputs[0]);
  out.quantized = form && form->per_tensor() && (form->type == ValueType::kI8 || form->type == ValueType::kU8);
  out.input = out.quantized ? e.stored(node.inputs[0], *form) : e.real(node.inputs[0]);
  out.output = e.result(node.outputs[0], out.quantized);
  return out;
}

void reshape(TfliteExporter& e, const Node& node) {
  const Moved m = moved(e, node);
  const Shape& to = node.as<ReshapeAttrs>().shape;
  tflite::ReshapeOptionsT o;
  o.new_shape.assign(to.begin(), to.end());
  e.op(Op::RESHAPE, {m.input, e.integers(to, "shape")}, m.output, std::move(o));
}

void transpose(TfliteExporter& e, const Node& node) {
  const Moved m = moved(e, node);
  e.op(Op::TRANSPOSE, {m.input, e.integers(node.as<TransposeAttrs>().permutation, "permutation")}, m.output,
       tflite::TransposeOptionsT{}, m.quantized ? 2 : 1);
}

void broadcast(TfliteExporter& e, const Node& node) {
  const Moved m = moved(e, node);
  e.op(Op::BROADCAST_TO, {m.input, e.integers(node.as<BroadcastAttrs>().shape, "shape")}, m.output,
       tflite::BroadcastToOptionsT{}, 2);
}

void slice(TfliteExporter& e, const Node& node) {
  const auto& a = node.as<SliceAttrs>();
  const Moved m = moved(e, node);
  if (std::all_of(a.step.begin(), a.step.end(), [](int64_t s) { return s == 1; })) {
    e.op(Op::SLICE, {m.input, e.integers(a.start, "begin"), e.integers(a.size, "size")}, m.output,
         tflite::SliceOptionsT{}, m.quantized ? 2 : 1);
    return;
  }
  std::vector<int64_t> end;
  tflite::StridedSliceOptionsT o;
  for (size_t d = 0; d < a.start.size(); d++) {
    end.push_back(a.start[d] + a.size[d] * a.step[d]);
    // Downwards to the first element and one further, which no index says.
    if (end.back() < 0) {
      end.back() = 0;
      o.end_mask |= 1 << d;
    }
  }
  e.op(Op::STRIDED_SLICE,
       {m.input, e.integers(a.start, "begin"), e.integers(end, "end"), e.integers(a.step, "strides")}, m.output,
       std::move(o), m.quantized ? 2 : 1);
}

void gather(TfliteExporter& e, const Node& node) {
  const HostTensor* indices = e.graph[node.inputs[1]].data.get();
  const int64_t axis = node.as<GatherAttrs>().axis;
  const int64_t extent = e.shape(node.inputs[0])[static_cast<size_t>(axis)];
  int32_t at = -1;
  if (indices != nullptr) {
    HostTensor whole(ValueType::kI32, indices->shape());
    for (int64_t i = 0; i < whole.size(); i++) {
      const int64_t v = indices->int_at(i);
      whole.set_int(i, std::clamp<int64_t>(v < 0 ? v + extent : v, 0, extent - 1));
    }
    at = e.constant("indices", whole);
  } else {
    at = e.real(node.inputs[1]);
  }
  const Moved m = moved(e, node);
  tflite::GatherOptionsT o;
  o.axis = static_cast<int32_t>(axis);
  e.op(Op::GATHER, {m.input, at}, m.output, std::move(o), m.quantized ? 2 : 1);
}

void concat(TfliteExporter& e, const Node& node) {
  const auto form = e.plan.storage(node.outputs[0]);
  const bool quantized = form && form->per_tensor() && form->type == ValueType::kI8;
  std::vector<int32_t> inputs;
  for (TensorId id : node.inputs)
    inputs.push_back(quantized ? e.stored(id, *form) : e.real(id));
  tflite::ConcatenationOptionsT o;
  o.axis = static_cast<int32_t>(node.as<ConcatAttrs>().axis);
  e.op(Op::CONCATENATION, inputs, e.result(node.outputs[0], quantized), std::move(o), quantized ? 2 : 1);
}

void pad(TfliteExporter& e, const Node& node) {
  const auto& a = node.as<PadAttrs>();
  const auto bad = [](int64_t v) { return v < 0; };
  if (std::any_of(a.interior.begin(), a.interior.end(), [](int64_t v) { return v != 0; }) ||
      std::any_of(a.lo.begin(), a.lo.end(), bad) || std::any_of(a.hi.begin(), a.hi.end(), bad))
    e.unsupported("lo", "padding between elements, and negative padding, have no TFLite form here");
  HostTensor pads(ValueType::kI32, {static_cast<int64_t>(a.lo.size()), 2});
  for (size_t d = 0; d < a.lo.size(); d++) {
    pads.set_int(static_cast<int64_t>(2 * d), a.lo[d]);
    pads.set_int(static_cast<int64_t>(2 * d + 1), a.hi[d]);
  }
  const HostTensor* value =
      node.inputs.size() > 1 && node.inputs[1].valid() ? e.graph[node.inputs[1]].data.get() : nullptr;
  if (node.inputs.size() > 1 && node.inputs[1].valid() && (value == nullptr || value->size() != 1))
    e.unsupported("value", "that is no constant number has no TFLite form here");
  const bool zero = value == nullptr || (value->type() == ValueType::kF32 && value->as<float>()[0] == 0);
  const Moved m = moved(e, node);
  const int32_t table = e.constant("pads", pads);
  if (a.mode == PadMode::kReflect || a.mode == PadMode::kSymmetric) {
    tflite::MirrorPadOptionsT o;
    o.mode = a.mode == PadMode::kReflect ? tflite::MirrorPadMode::REFLECT : tflite::MirrorPadMode::SYMMETRIC;
    e.op(Op::MIRROR_PAD, {m.input, table}, m.output, std::move(o), m.quantized ? 2 : 1);
  } else if (a.mode == PadMode::kEdge) {
    e.unsupported("mode", "edge has no TFLite form");
  } else if (zero) {
    e.op(Op::PAD, {m.input, table}, m.output, tflite::PadOptionsT{}, m.quantized ? 2 : 1);
  } else if (m.quantized) {
    const auto form = *e.plan.storage(node.outputs[0]);
    HostTensor q(form.type, {});
    const double wanted =
        std::nearbyint(static_cast<double>(value->as<float>()[0]) / static_cast<double>(form.scale[0])) +
        static_cast<double>(form.zero_point[0]);
    q.set_int(0, static_cast<int64_t>(std::clamp(wanted, static_cast<double>(info(form.type).min),
                                                 static_cast<double>(info(form.type).max))));
    e.op(Op::PADV2, {m.input, table, e.constant("value", q, &form)}, m.output, tflite::PadV2OptionsT{}, 2);
  } else {
    e.op(Op::PADV2, {m.input, table, e.constant("value", value->reshaped({}))}, m.output, tflite::PadV2OptionsT{});
  }
}

/// Whether a factor makes the mean of what each window really covers: a number, or one per position.
bool is_average(const PointwiseStep& step, const HostTensor& factor, const std::vector<int64_t>& counts) {
  const auto values = factor.as<float>();
  if (values.size() != 1 && values.size() != counts.size()) return false;
  for (size_t i = 0; i < counts.size(); i++) {
    const auto n = static_cast<float>(counts[i]);
    if (values[values.size() == 1 ? 0 : i] != (step.op == "div" ? n : 1.0f / n)) return false;
  }
  return true;
}

void pool(TfliteExporter& e, const Node& node) {
  const auto& a = node.as<PoolAttrs>();
  const Shape &x = e.shape(node.inputs[0]), &y = e.shape(node.outputs[0]);
  if (x.size() != 4) e.unsupported("op", "pooling over other than two axes has no TFLite form");
  const auto pad_at = [](const std::vector<int64_t>& pads, size_t d) { return pads.empty() ? 0 : pads[d]; };
  bool none = true, same = true;
  std::vector<std::vector<int64_t>> covered(2);
  for (size_t d = 0; d < 2; d++) {
    const Window& w = a.windows[d];
    if (w.dilation != 1) e.unsupported("dilation", "of a pooling window has no TFLite form");
    const int64_t lo = pad_at(a.pad_lo, d), hi = pad_at(a.pad_hi, d);
    const int64_t positions = (x[d + 1] + w.stride - 1) / w.stride;
    const int64_t total = std::max<int64_t>((positions - 1) * w.stride + w.kernel - x[d + 1], 0);
    none = none && lo == 0 && hi == 0;
    same = same && lo == total / 2 && hi == total - total / 2;
    for (int64_t o = 0; o < y[d + 1]; o++) {
      const int64_t first = o * w.stride - lo;
      covered[d].push_back(std::min(first + w.kernel, x[d + 1]) - std::max<int64_t>(first, 0));
    }
  }
  if (!none && !same) e.unsupported("pad_lo", "is neither SAME nor VALID, which pooling has in TFLite");
  Op code = Op::MAX_POOL_2D;
  if (a.kind == PoolKind::kSum) {
    code = Op::AVERAGE_POOL_2D;
    std::vector<int64_t> counts;
    for (int64_t rows : covered[0]) {
      for (int64_t columns : covered[1])
        counts.push_back(rows * columns);
    }
    const HostTensor* factor =
        a.steps.empty() ? nullptr : e.graph[node.inputs[static_cast<size_t>(a.steps[0].operands[0])]].data.get();
    if (factor == nullptr || factor->type() != ValueType::kF32 || !is_average(a.steps[0], *factor, counts))
      e.unsupported("steps", "a sum over windows that is no mean of what they cover has no TFLite form");
  }
  const bool quantized = quantized_unary(e, node, true);
  tflite::Pool2DOptionsT o;
  o.padding = none ? tflite::Padding::VALID : tflite::Padding::SAME;
  o.stride_h = static_cast<int32_t>(a.windows[0].stride);
  o.stride_w = static_cast<int32_t>(a.windows[1].stride);
  o.filter_height = static_cast<int32_t>(a.windows[0].kernel);
  o.filter_width = static_cast<int32_t>(a.windows[1].kernel);
  // The operator rounds in its operand's scale: another one of the result is made behind it.
  const auto from = e.plan.storage(node.inputs[0]), to = e.plan.storage(node.outputs[0]);
  if (!quantized && from && to && from->per_tensor() && from->type == ValueType::kI8 && to->type == ValueType::kI8) {
    const int32_t own = e.between("pooled", ValueType::kF32, y, &*from);
    e.op(code, {e.stored(node.inputs[0], *from)}, own, std::move(o), 2);
    e.op(Op::QUANTIZE, {own}, e.result(node.outputs[0], true), 2);
    return;
  }
  e.op(code, {e.operand(node.inputs[0], quantized)}, e.result(node.outputs[0], quantized), std::move(o),
       quantized ? 2 : 1);
}

void reduce(TfliteExporter& e, const Node& node) {
  const auto& a = node.as<ReduceAttrs>();
  Op code = Op::SUM;
  int32_t x = -1;
  bool quantized = false;
  if (a.kind == ReduceKind::kSum) {
    if (!a.steps.empty()) {
      int64_t count = 1;
      for (int64_t axis : a.axes)
        count *= e.shape(node.inputs[0])[static_cast<size_t>(axis)];
      const HostTensor* factor = e.graph[node.inputs[static_cast<size_t>(a.steps[0].operands[0])]].data.get();
      if (factor->type() != ValueType::kF32 || factor->size() != 1 || !is_average(a.steps[0], *factor, {count}))
        e.unsupported("steps", "a sum with a factor that makes no mean has no TFLite form here");
      code = Op::MEAN;
    }
    quantized = quantized_unary(e, node, false);
  } else {
    static const std::map<ReduceKind, Op> kCodes = {{ReduceKind::kMax, Op::REDUCE_MAX},
                                                    {ReduceKind::kMin, Op::REDUCE_MIN},
                                                    {ReduceKind::kProduct, Op::REDUCE_PROD},
                                                    {ReduceKind::kAbsMax, Op::REDUCE_MAX},
                                                    {ReduceKind::kSumSquares, Op::SUM}};
    code = kCodes.at(a.kind);
    quantized = (a.kind == ReduceKind::kMax || a.kind == ReduceKind::kMin) && quantized_unary(e, node, true);
  }
  x = e.operand(node.inputs[0], quantized);
  if (a.kind == ReduceKind::kAbsMax || a.kind == ReduceKind::kSumSquares) {
    const int32_t before = e.between("terms", ValueType::kF32, e.shape(node.inputs[0]), nullptr);
    if (a.kind == ReduceKind::kAbsMax)
      e.op(Op::ABS, {x}, before);
    else
      e.op(Op::MUL, {x, x}, before, tflite::MulOptionsT{});
    x = before;
  }
  tflite::ReducerOptionsT o;
  o.keep_dims = a.keep_dims;
  e.op(code, {x, e.integers(a.axes, "axes")}, e.result(node.outputs[0], quantized), std::move(o), quantized ? 2 : 1);
}

void softmax(TfliteExporter& e, const Node& node) {
  const auto& a = node.as<SoftmaxAttrs>();
  if (a.log) {
    e.op(Op::LOG_SOFTMAX, {e.real(node.inputs[0])}, e.result(node.outputs[0], false), tflite::LogSoftmaxOptionsT{});
    return;
  }
  // The runtimes know one form of the result.
  const auto form = e.plan.storage(node.outputs[0]);
  const bool fixed = form && form->type == ValueType::kI8 && form->scale == std::vector<float>{1.f / 256} &&
                     form->zero_point == std::vector<int64_t>{-128};
  const bool quantized = fixed && e.is_quantized({node.inputs[0]}, node.outputs[0], {ValueType::kI8});
  tflite::SoftmaxOptionsT o;
  o.beta = 1;
  e.op(Op::SOFTMAX, {e.operand(node.inputs[0], quantized)}, e.result(node.outputs[0], quantized), std::move(o),
       quantized ? 2 : 1);
}

}  // namespace

const std::map<std::string, TfliteExportOp>& tflite_export_ops() {
  static const std::map<std::string, TfliteExportOp> ops = {
      {"conv", export_conv},
      {"dot_general", export_dot_general},
      {"pointwise", export_step},
      {"reshape", reshape},
      {"transpose", transpose},
      {"broadcast", broadcast},
      {"gather", gather},
      {"concat", concat},
      {"slice", slice},
      {"pad", pad},
      {"pool", pool},
      {"reduce", reduce},
      {"softmax", softmax},
  };
  return ops;
}

}  // namespace qlathe
