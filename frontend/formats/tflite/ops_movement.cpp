// Operators that move elements: shapes, slices, padding, gathering.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "frontend/formats/import/index_ops.h"
#include "frontend/formats/tflite/quantized.h"
#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

/// What a reshape's -1 stands for.
Shape resolved(TfliteNode& node, Shape to, int64_t count) {
  int64_t known = 1, open = -1;
  for (size_t d = 0; d < to.size(); d++) {
    if (to[d] == -1 && open < 0) {
      open = static_cast<int64_t>(d);
    } else if (to[d] < 0 || (to[d] > 0 && known > (int64_t{1} << 40) / to[d])) {
      node.problem("shape", to_string(to) + " is no shape");
    } else {
      known *= to[d];
    }
  }
  if (open >= 0) to[static_cast<size_t>(open)] = known == 0 ? 0 : count / known;
  if (element_count(to) != count)
    node.problem("shape",
                 to_string(to) + " has another number of elements than the input (" + std::to_string(count) + ")");
  return to;
}

void read_reshape(TfliteNode& node) {
  const TensorId x = node.in(0);
  const int64_t count = element_count(node.shape(x));
  Shape to;
  if (node.has(1) && node.data(node.in(1)) != nullptr) {
    to = node.constant_integers(1, "shape");
  } else if (const auto* given = node.options<tflite::ReshapeOptions>().new_shape()) {
    to.assign(given->begin(), given->end());
    // A scalar was written as [0] by old converters.
    if (to == Shape{0} && count == 1) to.clear();
  } else if (node.has(1)) {
    to = node.constant_integers(1, "shape");
  } else {
    to = node.output_shape();
  }
  node.result(node.reshape(x, resolved(node, to, count)));
}

void read_squeeze(TfliteNode& node) {
  const TensorId x = node.in(0);
  const Shape s = node.shape(x);
  const auto* given = node.options<tflite::SqueezeOptions>().squeeze_dims();
  std::vector<bool> drop(s.size(), false);
  if (given == nullptr || given->size() == 0) {
    for (size_t d = 0; d < s.size(); d++)
      drop[d] = s[d] == 1;
  } else {
    for (int32_t a : *given) {
      const auto d = static_cast<size_t>(node.axis(a, node.rank(x), "squeeze_dims"));
      if (s[d] != 1)
        node.problem("squeeze_dims", "axis " + std::to_string(a) + " has " + std::to_string(s[d]) + " elements");
      drop[d] = true;
    }
  }
  Shape to;
  for (size_t d = 0; d < s.size(); d++) {
    if (!drop[d]) to.push_back(s[d]);
  }
  node.result(node.reshape(x, to));
}

void read_expand_dims(TfliteNode& node) {
  const TensorId x = node.in(0);
  const auto given = node.constant_integers(1, "axis");
  if (given.size() != 1) node.problem("axis", "is not one axis");
  Shape to = node.shape(x);
  to.insert(to.begin() + node.axis(given[0], node.rank(x) + 1), 1);
  node.result(node.reshape(x, to));
}

void read_transpose(TfliteNode& node) {
  const TensorId x = node.in(0);
  auto permutation = node.constant_integers(1, "perm");
  for (int64_t& a : permutation)
    a = node.axis(a, node.rank(x), "perm");
  std::vector<int64_t> sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  for (size_t d = 0; d < sorted.size(); d++) {
    if (sorted[d] != static_cast<int64_t>(d)) node.problem("perm", "is no permutation");
  }
  if (sorted.size() != node.shape(x).size()) node.problem("perm", "has another number of axes than the input");
  node.result(node.transpose(x, permutation));
}

/// An eight-bit tensor of other parameters as one of the result's: in float32, half away from zero, as LiteRT's
/// ConcatenationWithScaling.
TensorId rescaled(TfliteNode& node, size_t i) {
  const TensorId x = node.in(i);
  const TfliteQuant from = node.in_quant(i), to = node.out_quant();
  if (from.scale[0] == to.scale[0] && from.zero_point[0] == to.zero_point[0]) return x;
  if (node.in_type(i) != ValueType::kU8)
    node.unsupported("quantization",
                     "operand " + std::to_string(i) + " has another scale or zero point than the result");
  const float inverse = 1.0f / to.scale[0], scale = from.scale[0] * inverse;
  const float bias = -static_cast<float>(from.zero_point[0]) * scale;
  TfliteSteps steps(node);
  steps.add("cast", ValueType::kF32);
  steps.add("mul", ValueType::kF32, {node.scalar(scale)});
  steps.add("add", ValueType::kF32, {node.scalar(bias)});
  PointwiseStep& round = steps.add("cast", ValueType::kI32);
  round.rounding = Rounding::kHalfAwayFromZero;
  steps.add("add", ValueType::kI32, {tflite_integers(node, {to.zero_point[0]})});
  steps.add("cast", ValueType::kU8);
  return tflite_apply(node, x, std::move(steps));
}

void read_concatenation(TfliteNode& node) {
  const auto& o = node.options<tflite::ConcatenationOptions>();
  if (node.input_count() == 0) node.problem("input", "there is none");
  const bool quantized = is_eight_bit(node.in_type(0)) && node.quant_of(node.output()).has_value();
  const int64_t axis = node.axis(o.axis(), node.rank(node.in(0)));
  std::vector<TensorId> parts;
  for (size_t i = 0; i < node.input_count(); i++) {
    const TensorId part = quantized ? rescaled(node, i) : node.in(i);
    if (node.shape(part)[static_cast<size_t>(axis)] > 0 || node.input_count() == 1) parts.push_back(part);
  }
  TensorId y = node.concat(parts, axis);
  if (node.type(y).type == ValueType::kF32) {
    TfliteSteps steps(node);
    steps.activation(o.fused_activation_function());
    if (!steps.steps.empty()) y = tflite_apply(node, y, std::move(steps));
  } else if (o.fused_activation_function() != tflite::ActivationFunctionType::NONE) {
    node.unsupported("fused_activation_function", "is not supported on integers");
  }
  node.result(y);
}

void read_pack(TfliteNode& node) {
  const int64_t rank = node.rank(node.in(0)) + 1;
  const int64_t axis = node.axis(node.options<tflite::PackOptions>().axis(), rank);
  std::vector<TensorId> parts;
  for (size_t i = 0; i < node.input_count(); i++) {
    Shape one = node.in_shape(i);
    if (static_cast<int64_t>(one.size()) + 1 != rank) node.problem("input", "the operands have different shapes");
    one.insert(one.begin() + axis, 1);
    parts.push_back(node.reshape(node.in(i), one));
  }
  node.result(node.concat(parts, axis));
}

void read_unpack(TfliteNode& node) {
  const TensorId x = node.in(0);
  const int64_t axis = node.axis(node.options<tflite::UnpackOptions>().axis(), node.rank(x));
  Shape one = node.shape(x);
  const int64_t n = one[static_cast<size_t>(axis)];
  if (n != static_cast<int64_t>(node.output_count()))
    node.problem("output",
                 "has " + std::to_string(node.output_count()) + " results for " + std::to_string(n) + " slices");
  one.erase(one.begin() + axis);
  for (int64_t i = 0; i < n; i++)
    node.result(node.reshape(node.slice_axis(x, axis, i, 1), one));
}

void split_at(TfliteNode& node, TensorId x, int64_t axis, const std::vector<int64_t>& sizes) {
  int64_t start = 0;
  for (int64_t size : sizes) {
    if (size < 0 || start + size > node.shape(x)[static_cast<size_t>(axis)])
      node.problem("size_splits", "do not add up to the axis");
    node.result(node.slice_axis(x, axis, start, size));
    start += size;
  }
}

void read_split(TfliteNode& node) {
  const auto given = node.constant_integers(0, "axis");
  if (given.size() != 1) node.problem("axis", "is not one axis");
  const TensorId x = node.in(1);
  const int64_t axis = node.axis(given[0], node.rank(x)), n = node.shape(x)[static_cast<size_t>(axis)];
  const int64_t parts = node.options<tflite::SplitOptions>().num_splits();
  if (parts < 1 || n % parts != 0)
    node.problem("num_splits", std::to_string(parts) + " does not divide " + std::to_string(n));
  split_at(node, x, axis, std::vector<int64_t>(static_cast<size_t>(parts), n / parts));
}

void read_split_v(TfliteNode& node) {
  const TensorId x = node.in(0);
  auto sizes = node.constant_integers(1, "size_splits");
  const auto given = node.constant_integers(2, "axis");
  if (given.size() != 1) node.problem("axis", "is not one axis");
  const int64_t axis = node.axis(given[0], node.rank(x));
  int64_t rest = node.shape(x)[static_cast<size_t>(axis)];
  for (int64_t s : sizes)
    rest -= std::max<int64_t>(s, 0);
  for (int64_t& s : sizes)
    if (s == -1) s = rest;
  split_at(node, x, axis, sizes);
}

void read_slice(TfliteNode& node) {
  const TensorId x = node.in(0);
  const Shape s = node.shape(x);
  const auto begin = node.constant_integers(1, "begin");
  auto size = node.constant_integers(2, "size");
  if (begin.size() != s.size() || size.size() != s.size()) node.problem("begin", "has another rank than the input");
  for (size_t d = 0; d < s.size(); d++) {
    if (size[d] == -1) size[d] = s[d] - begin[d];
    if (begin[d] < 0 || size[d] < 0 || begin[d] + size[d] > s[d])
      node.problem("size", "reaches beyond axis " + std::to_string(d) + " of " + to_string(s));
  }
  node.result(node.slice(x, begin, size));
}

/// begin, end and strides per axis with masks: an ellipsis stands for the axes that are not named, a new axis has
/// extent 1, a shrunk one is taken at its begin and dropped.
void read_strided_slice(TfliteNode& node) {
  const auto& o = node.options<tflite::StridedSliceOptions>();
  const TensorId x = node.in(0);
  const Shape s = node.shape(x);
  const auto begin = node.constant_integers(1, "begin");
  auto end = node.constant_integers(2, "end");
  const auto stride = node.constant_integers(3, "strides");
  const size_t n = begin.size();
  if (end.size() != n || stride.size() != n) node.problem("begin", "has another length than end or strides");
  const auto bit = [](int32_t mask, size_t i) { return i < 32 && ((static_cast<uint32_t>(mask) >> i) & 1) != 0; };
  std::vector<int64_t> start;
  Shape size, kept;
  std::vector<int64_t> step;
  size_t d = 0, named = 0;
  for (size_t i = 0; i < n; i++)
    named += !bit(o.ellipsis_mask(), i) && !bit(o.new_axis_mask(), i) ? 1 : 0;
  const auto whole = [&] {
    start.push_back(0);
    size.push_back(s[d]);
    step.push_back(1);
    kept.push_back(s[d]);
    d++;
  };
  for (size_t i = 0; i < n; i++) {
    if (bit(o.ellipsis_mask(), i)) {
      for (size_t all = s.size() - std::min(named, s.size()); all > 0; all--)
        whole();
      continue;
    }
    if (bit(o.new_axis_mask(), i)) {
      kept.push_back(1);
      continue;
    }
    if (d >= s.size()) node.problem("begin", "names more axes than the input has");
    const int64_t extent = s[d], by = stride[i];
    if (by == 0) node.problem("strides", "is zero");
    if (o.offset()) end[i] += begin[i];
    const bool shrink = bit(o.shrink_axis_mask(), i);
    const auto clipped = [&](int64_t at) {
      if (at < 0) at += extent;
      return by > 0 ? std::clamp<int64_t>(at, 0, extent) : std::clamp<int64_t>(at, -1, extent - 1);
    };
    int64_t from = bit(o.begin_mask(), i) ? (by > 0 ? 0 : extent - 1) : clipped(begin[i]);
    int64_t to = bit(o.end_mask(), i) ? (by > 0 ? extent : -1) : clipped(end[i]);
    if (shrink) {
      from = begin[i] < 0 ? begin[i] + extent : begin[i];
      if (bit(o.begin_mask(), i)) from = 0;
      if (from < 0 || from >= extent) node.problem("begin", "index " + std::to_string(begin[i]) + " is out of range");
      to = from + (by > 0 ? 1 : -1);
    }
    const int64_t count = shrink ? 1 : std::max<int64_t>(0, (to - from + by + (by > 0 ? -1 : 1)) / by);
    start.push_back(count == 0 ? 0 : from);
    size.push_back(count);
    step.push_back(shrink ? 1 : by);
    if (!shrink) kept.push_back(count);
    d++;
  }
  while (d < s.size())
    whole();
  node.result(node.reshape(node.slice(x, start, size, step), kept));
}

std::vector<int64_t> pairs(TfliteNode& node, int64_t rank) {
  const auto given = node.constant_integers(1, "paddings");
  if (static_cast<int64_t>(given.size()) != 2 * rank) node.problem("paddings", "has no pair for each axis");
  for (int64_t p : given)
    if (p < 0 || p > 1 << 24) node.problem("paddings", std::to_string(p) + " is out of range");
  return given;
}

void read_pad(TfliteNode& node) {
  const TensorId x = node.in(0);
  const auto given = pairs(node, node.rank(x));
  auto attrs = std::make_shared<PadAttrs>();
  for (size_t i = 0; i < given.size(); i += 2) {
    attrs->lo.push_back(given[i]);
    attrs->hi.push_back(given[i + 1]);
  }
  std::vector<TensorId> operands = {x};
  if (node.op() == "MIRROR_PAD") {
    const auto mode = node.options<tflite::MirrorPadOptions>().mode();
    attrs->mode = mode == tflite::MirrorPadMode::REFLECT ? PadMode::kReflect : PadMode::kSymmetric;
  } else if (node.has(2)) {
    operands.push_back(node.reshape(node.in(2), {}));
  } else if (is_quantized(node.in_type(0)) && node.quant_of(node.output())) {
    operands.push_back(node.scalar(node.in_type(0), static_cast<double>(node.out_zero())));
  }
  node.result(node.add("pad", operands, attrs));
}

void read_gather(TfliteNode& node) {
  const auto& o = node.options<tflite::GatherOptions>();
  const TensorId x = node.in(0), indices = node.in(1);
  const int64_t axis = node.axis(o.axis(), node.rank(x));
  int64_t batch = o.batch_dims();
  if (batch < 0) batch += node.rank(indices);
  if (batch == 0) return node.result(node.gather(x, indices, axis));
  if (batch < 0 || batch > axis || batch > node.rank(indices)) node.problem("batch_dims", "is out of range");
  // Axes of the data between the batch and the axis go behind it meanwhile.
  const int64_t between = axis - batch, inner = node.rank(x) - axis - 1, places = node.rank(indices) - batch;
  std::vector<int64_t> first, back;
  const auto count_up = [](std::vector<int64_t>& list, int64_t from, int64_t n) {
    for (int64_t i = 0; i < n; i++)
      list.push_back(from + i);
  };
  count_up(first, 0, batch);
  count_up(first, axis, 1);
  count_up(first, batch, between);
  count_up(first, axis + 1, inner);
  const TensorId moved = between == 0 ? x : node.transpose(x, first);
  // The batch axes of data and indices run together: one axis of rows chosen by batch * extent + index.
  const Shape s = node.shape(moved), q = node.shape(indices);
  int64_t rows = 1;
  for (int64_t d = 0; d < batch; d++) {
    if (s[static_cast<size_t>(d)] != q[static_cast<size_t>(d)]) node.problem("batch_dims", "the batches differ");
    rows *= s[static_cast<size_t>(d)];
  }
  const int64_t extent = s[static_cast<size_t>(batch)], each = element_count(q) / std::max<int64_t>(rows, 1);
  HostTensor base(ValueType::kI64, {rows, 1});
  for (int64_t r = 0; r < rows; r++)
    base.set_int(r, r * extent);
  const TensorId flat = node.binary("add", node.reshape(node.cast(indices, ValueType::kI64), {rows, each}),
                                    node.constant(std::move(base), "base"));
  Shape merged = {rows * extent};
  merged.insert(merged.end(), s.begin() + batch + 1, s.end());
  Shape out(q);
  out.insert(out.end(), s.begin() + batch + 1, s.end());
  const TensorId chosen = node.reshape(node.gather(node.reshape(moved, merged), flat, 0), out);
  count_up(back, 0, batch);
  count_up(back, batch + places, between);
  count_up(back, batch, places);
  count_up(back, batch + places + between, inner);
  node.result(between == 0 ? chosen : node.transpose(chosen, back));
}

void read_gather_nd(TfliteNode& node) { node.result(import_gather_nd(node, node.in(0), node.in(1), 0)); }

TensorId reversed(TfliteNode& node, TensorId x, const std::vector<int64_t>& axes) {
  std::vector<int64_t> start(node.shape(x).size(), 0), step(node.shape(x).size(), 1);
  for (int64_t a : axes) {
    start[static_cast<size_t>(a)] = node.shape(x)[static_cast<size_t>(a)] - 1;
    step[static_cast<size_t>(a)] = -1;
  }
  return node.slice(x, start, node.shape(x), step);
}

void read_reverse_v2(TfliteNode& node) {
  const TensorId x = node.in(0);
  node.result(reversed(node, x, node.axes(node.constant_integers(1, "axis"), node.rank(x))));
}

void read_tile(TfliteNode& node) {
  const TensorId x = node.in(0);
  const Shape s = node.shape(x);
  const auto times = node.constant_integers(1, "multiples");
  if (times.size() != s.size()) node.problem("multiples", "has another rank than the input");
  Shape apart, wide, out;
  for (size_t d = 0; d < s.size(); d++) {
    if (times[d] < 0 || times[d] > 1 << 24) node.problem("multiples", "is out of range");
    apart.insert(apart.end(), {1, s[d]});
    wide.insert(wide.end(), {times[d], s[d]});
    out.push_back(times[d] * s[d]);
  }
  if (const Status status = check_shape(out); !status.ok())
    node.problem("multiples", "make a tensor that is too large");
  node.result(node.reshape(node.broadcast(node.reshape(x, apart), wide), out));
}

void read_broadcast_to(TfliteNode& node) {
  const Shape to = node.constant_integers(1, "shape");
  if (!check_shape(to).ok() || node.broadcast_shape(node.in_shape(0), to) != to)
    node.problem("shape", to_string(node.in_shape(0)) + " does not broadcast to " + to_string(to));
  node.result(node.broadcast(node.in(0), to));
}

void read_shape(TfliteNode& node) {
  const Shape s = node.in_shape(0);
  HostTensor out(node.output_type(), {static_cast<int64_t>(s.size())});
  for (size_t i = 0; i < s.size(); i++)
    out.set_int(static_cast<int64_t>(i), s[i]);
  node.result(node.constant(std::move(out), "shape"));
}

void read_rank(TfliteNode& node) {
  HostTensor out(ValueType::kI32, {});
  out.set_int(0, node.rank(node.in(0)));
  node.result(node.constant(std::move(out), "rank"));
}

void read_range(TfliteNode& node) {
  const double first = node.constant_number(0, "start"), limit = node.constant_number(1, "limit");
  const double delta = node.constant_number(2, "delta");
  if (delta == 0) node.problem("delta", "is zero");
  const double count = std::max(0.0, std::ceil((limit - first) / delta));
  if (!(count <= 1 << 24)) node.problem("limit", "makes too many elements");
  HostTensor out(node.in_type(0), {static_cast<int64_t>(count)});
  for (int64_t i = 0; i < out.size(); i++) {
    const double v = first + delta * static_cast<double>(i);
    if (out.type() == ValueType::kF32)
      out.as<float>()[static_cast<size_t>(i)] = static_cast<float>(v);
    else
      out.set_int(i, static_cast<int64_t>(v));
  }
  node.result(node.constant(std::move(out), "range"));
}

void read_fill(TfliteNode& node) {
  const Shape to = node.constant_integers(0, "dims");
  if (!check_shape(to).ok()) node.problem("dims", to_string(to) + " is no shape");
  node.result(node.broadcast(node.reshape(node.in(1), {}), to));
}

void read_zeros_like(TfliteNode& node) {
  node.result(node.constant(HostTensor(node.in_type(0), node.in_shape(0)), "zeros"));
}

void read_one_hot(TfliteNode& node) {
  const TensorId indices = node.cast(node.in(0), ValueType::kI32);
  const auto depth = static_cast<int64_t>(node.constant_number(1, "depth"));
  if (depth < 1 || depth > 1 << 24) node.problem("depth", std::to_string(depth) + " is out of range");
  const int64_t rank = node.rank(indices) + 1, axis = node.axis(node.options<tflite::OneHotOptions>().axis(), rank);
  Shape apart = node.shape(indices);
  apart.insert(apart.begin() + axis, 1);
  const TensorId hit =
      node.compare("equal", node.reshape(indices, apart), import_iota(node, ValueType::kI32, depth, rank, axis));
  node.result(node.select(hit, node.reshape(node.in(2), {}), node.reshape(node.in(3), {})));
}

void read_top_k(TfliteNode& node) {
  const TensorId x = node.in(0);
  const ValueType type = node.in_type(0);
  const auto k = node.constant_integers(1, "k");
  if (k.size() != 1 || node.rank(x) < 1) node.problem("k", "is not one number");
  const bool small = is_integer(type) && info(type).bits < 32;
  const TopK best = import_top_k(node, small ? node.cast(x, ValueType::kI32) : x, k[0], node.rank(x) - 1, true);
  node.result(node.cast(best.values, type));
  node.result(node.cast(best.indices, node.output_type(1)));
}

/// Float to integer cuts the fraction off; integers to narrower ones keep the low bits.
void read_cast(TfliteNode& node) {
  const TensorId x = node.in(0);
  const ValueType from = node.in_type(0), to = node.output_type();
  if (to == ValueType::kBool && from != ValueType::kBool) {
    const TensorId wide = is_integer(from) && info(from).bits < 32 ? node.cast(x, ValueType::kI32) : x;
    return node.result(node.compare("not_equal", wide, node.scalar(node.type(wide).type, 0)));
  }
  node.result(node.cast(x, to));
}

const TfliteOps::Add kOps({
    {"RESHAPE", read_reshape},
    {"SQUEEZE", read_squeeze},
    {"EXPAND_DIMS", read_expand_dims},
    {"TRANSPOSE", read_transpose},
    {"CONCATENATION", read_concatenation},
    {"PACK", read_pack},
    {"UNPACK", read_unpack},
    {"SPLIT", read_split},
    {"SPLIT_V", read_split_v},
    {"SLICE", read_slice},
    {"STRIDED_SLICE", read_strided_slice},
    {"PAD", read_pad},
    {"PADV2", read_pad},
    {"MIRROR_PAD", read_pad},
    {"GATHER", read_gather},
    {"GATHER_ND", read_gather_nd},
    {"REVERSE_V2", read_reverse_v2},
    {"TILE", read_tile},
    {"BROADCAST_TO", read_broadcast_to},
    {"SHAPE", read_shape},
    {"RANK", read_rank},
    {"RANGE", read_range},
    {"FILL", read_fill},
    {"ZEROS_LIKE", read_zeros_like},
    {"ONE_HOT", read_one_hot},
    {"TOPK_V2", read_top_k},
    {"CAST", read_cast},
});

}  // namespace
}  // namespace qlathe
