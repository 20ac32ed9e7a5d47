#include "frontend/rules/activation_nodes.h"

#include <algorithm>

#include "frontend/numerics/convert.h"

namespace qlathe {
namespace {

/// Axes of x that are reduced for its statistics, after x was reshaped so that every tile is an axis of its own.
struct Groups {
  Shape split;  // x's shape with a tiled axis as (tiles, tile)
  std::vector<int64_t> reduced;
  Shape scale;
  int64_t elements = 1;  // of one group
  bool tiled = false;
};

Groups groups_of(const Shape& shape, const Shape& tile) {
  Groups out;
  out.scale = scale_shape(shape, tile);
  for (size_t d = 0; d < shape.size(); ++d) {
    const bool whole = tile[d] == shape[d];
    if (!whole && tile[d] > 1) {
      out.split.push_back(shape[d] / tile[d]);
      out.tiled = true;
    }
    out.split.push_back(!whole && tile[d] > 1 ? tile[d] : shape[d]);
    if (tile[d] > 1) out.reduced.push_back(static_cast<int64_t>(out.split.size()) - 1);
    out.elements *= tile[d];
  }
  return out;
}

void append_factor(NodeBuilder& builder, Chain& chain, const CalibrationMethod& method, ValueType type) {
  if (method.factor) chain.step("mul", type, {builder.scalar(round_to(type, *method.factor))});
}

/// a / b by the reference's division, b a constant.
void append_division(NodeBuilder& builder, Chain& chain, int64_t count, float b, ValueType type) {
  b = round_to(type, b);
  if (division_of(count, 1) == Division::kReciprocal) {
    chain.step("mul", type, {builder.scalar(reciprocal_of(type, b))});
  } else {
    chain.step("div", type, {builder.scalar(b)});
  }
}

void append_scale_rule(Chain& chain, const QuantFormat& format, ValueType type) {
  if (format.scale_rule == ScaleRule::kPowerOfTwo) chain.step("power_of_two_ceil", type);
  if (format.scale_rule == ScaleRule::kE4M3) chain.step("cast", ValueType::kF8E4M3).step("cast", type);
}

void append_guard(Chain& chain, ValueType type) {
  chain.step("nonzero_scale", type);
  chain.last().lo = smallest_scale(type);
}

Result<TensorId> add_rms(NodeBuilder& builder, const std::string& suffix, TensorId x, const Groups& groups,
                         const CalibrationMethod& method, ValueType type) {
  QL_ASSIGN(const TensorId squares, builder.pointwise(suffix + ".squares", x, Chain().step("mul", type, {x})));
  Chain chain;
  chain.step("mul", type, {builder.scalar(1.0f / static_cast<float>(groups.elements))}).step("sqrt", type);
  append_factor(builder, chain, method, type);
  return builder.windowed_sum(suffix, squares, groups.reduced, chain);
}

}  // namespace

Result<StatisticTensors> add_statistics(NodeBuilder& builder, const std::string& suffix, TensorId x,
                                        const HowToQuantize& how) {
  const Shape shape = builder.shape(x);
  const ValueType type = builder.type(x);
  QL_ASSIGN(const Shape tile, tile_shape(shape, how));
  const CalibrationMethod& method = how.method;
  if (method.per_tensor()) {
    const auto constant = [&](float value) {
      return builder.constant(builder.named(suffix + ".bound"),
                              from_floats(type, Shape(shape.size(), 1), std::vector<float>{value}));
    };
    if (!method.asymmetric()) return StatisticTensors{constant(method.hi), kNone, kNone};
    return StatisticTensors{kNone, constant(method.lo), constant(method.hi)};
  }
  const Groups groups = groups_of(shape, tile);
  QL_ASSIGN(const TensorId split, builder.reshape(suffix + ".tiles", x, groups.split));
  const auto reduced = [&](const char* what, ReduceKind kind, const Chain& chain) -> Result<TensorId> {
    QL_ASSIGN(const TensorId value, builder.reduce(suffix + what, split, kind, groups.reduced, !groups.tiled, chain));
    return builder.reshape(suffix + what + std::string(".groups"), value, groups.scale);
  };
  if (method.kind == CalibrationMethod::Kind::kMinmax) {
    Chain lo, hi;
    lo.step("min", type, {builder.scalar(0)});
    hi.step("max", type, {builder.scalar(0)});
    append_factor(builder, lo, method, type);
    append_factor(builder, hi, method, type);
    StatisticTensors out;
    QL_ASSIGN(out.lo, reduced(".min", ReduceKind::kMin, lo));
    QL_ASSIGN(out.hi, reduced(".max", ReduceKind::kMax, hi));
    return out;
  }
  if (method.kind == CalibrationMethod::Kind::kRms) {
    QL_ASSIGN(const TensorId rms, add_rms(builder, suffix + ".rms", split, groups, method, type));
    QL_ASSIGN(const TensorId shaped, builder.reshape(suffix + ".rms.groups", rms, groups.scale));
    return StatisticTensors{shaped, kNone, kNone};
  }
  Chain chain;
  append_factor(builder, chain, method, type);
  if (chain.empty() && type != ValueType::kF32) chain.step("cast", type);
  QL_ASSIGN(const TensorId absmax, reduced(".absmax", ReduceKind::kAbsMax, chain));
  return StatisticTensors{absmax, kNone, kNone};
}

Result<std::vector<int64_t>> resolve_batch_axes(const std::vector<int64_t>& batch_axes, int rank) {
  std::vector<int64_t> out;
  for (int64_t axis : batch_axes) {
    const int64_t resolved = axis < 0 ? axis + rank : axis;
    if (resolved < 0 || resolved >= rank) {
      return Status::user(
          {"", "", "act_batch_axes"},
          "axis " + std::to_string(axis) + " is not among the " + std::to_string(rank) + " axes of the activation",
          "name axes of the activation");
    }
    if (std::count(out.begin(), out.end(), resolved)) {
      return Status::user({"", "", "act_batch_axes"}, "axis " + std::to_string(axis) + " stands twice");
    }
    out.push_back(resolved);
  }
  return out;
}

Result<StatisticTensors> add_batch_mean(NodeBuilder& builder, const std::string& suffix, const StatisticTensors& stats,
                                        const std::vector<int64_t>& batch_axes, ValueType type) {
  const auto mean = [&](const std::string& what, TensorId id) -> Result<TensorId> {
    if (!id.valid()) return kNone;
    QL_ASSIGN(const std::vector<int64_t> axes,
              resolve_batch_axes(batch_axes, static_cast<int>(builder.shape(id).size())));
    int64_t count = 1;
    for (int64_t axis : axes)
      count *= builder.shape(id)[static_cast<size_t>(axis)];
    Chain chain;
    chain.step("mul", type, {builder.scalar(1.0f / static_cast<float>(count))});
    if (type != ValueType::kF32) chain.step("cast", ValueType::kF32);
    if (!axes.empty()) return builder.windowed_sum(suffix + what, id, axes, chain);
    return builder.pointwise(suffix + what, id, chain);
  };
  StatisticTensors out;
  QL_ASSIGN(out.absmax, mean(".mean_absmax", stats.absmax));
  QL_ASSIGN(out.lo, mean(".mean_min", stats.lo));
  QL_ASSIGN(out.hi, mean(".mean_max", stats.hi));
  return out;
}

Result<ScaleTensors> add_scale(NodeBuilder& builder, const std::string& suffix, const StatisticTensors& stats,
                               const QuantFormat& format, ValueType type) {
  Chain chain;
  ScaleTensors out;
  if (!stats.asymmetric()) {
    append_division(builder, chain, element_count(builder.shape(stats.absmax)), format.bound, type);
    append_guard(chain, type);
    append_scale_rule(chain, format, type);
    QL_ASSIGN(out.scale, builder.pointwise(suffix + ".scale", stats.absmax, chain));
    return out;
  }
  if (!format.asymmetric) {
    return Status::user({}, std::string(format.name) + " has no zero point, so its range must be symmetric",
                        "use absmax, rms or fixed,a; or int8 or int4");
  }
  chain.step("sub", type, {stats.lo});
  append_division(builder, chain, element_count(builder.shape(stats.lo)),
                  static_cast<float>(format.qmax() - format.qmin()), type);
  append_guard(chain, type);
  QL_ASSIGN(out.scale, builder.pointwise(suffix + ".scale", stats.hi, chain));
  Chain zero;
  zero.step("div", type, {out.scale}).step("sub", type, {builder.scalar(static_cast<float>(format.qmin()))});
  zero.last().swapped = true;
  zero.step("cast", format.type);
  QL_ASSIGN(out.zero_point, builder.pointwise(suffix + ".zero_point", stats.lo, zero));
  return out;
}

Result<TensorId> add_quantize(NodeBuilder& builder, const std::string& suffix, TensorId x, const QuantFormat& format,
                              const ScaleTensors& scale) {
  const ValueType type = builder.type(x);
  const bool reciprocal =
      division_of(element_count(builder.shape(x)), element_count(builder.shape(scale.scale))) == Division::kReciprocal;
  Chain chain;
  if (type == ValueType::kF32) {
    chain.step("quantize", format.type, {scale.scale});
    if (scale.zero_point.valid()) {
      chain = Chain().step("quantize", format.type, {scale.scale, scale.zero_point});
    }
    chain.last().reciprocal = reciprocal;
  } else {
    // Every step is rounded to T, which the one step `quantize` does not do.
    TensorId divisor = scale.scale;
    if (reciprocal) {
      const ValueType rounded = type == ValueType::kF16 ? type : ValueType::kF32;
      QL_ASSIGN(divisor, builder.pointwise(suffix + ".reciprocal", divisor, Chain().step("reciprocal", rounded)));
    }
    chain.step(reciprocal ? "mul" : "div", type, {divisor});
    if (scale.zero_point.valid()) {
      QL_ASSIGN(const TensorId zero,
                builder.pointwise(suffix + ".zero_point_float", scale.zero_point, Chain().step("cast", type)));
      chain.step("add", type, {zero});
    }
    chain.step("cast", format.type);
  }
  QL_ASSIGN(const TensorId q, builder.pointwise(suffix + ".qvalue", x, chain));
  QL_ASSIGN(Shape tile, tile_of(builder.shape(q), builder.shape(scale.scale)));
  builder.graph()[q].quantization = Quantization{scale.scale, scale.zero_point, std::move(tile)};
  return q;
}

Result<TensorId> add_dequantize(NodeBuilder& builder, const std::string& suffix, TensorId q,
                                const ScaleTensors& scale) {
  const ValueType type = builder.type(scale.scale);
  Chain chain;
  if (type == ValueType::kF32) {
    std::vector<TensorId> operands{scale.scale};
    if (scale.zero_point.valid()) operands.push_back(scale.zero_point);
    chain.step("dequantize", type, operands);
  } else {
    chain.step("cast", type);
    if (scale.zero_point.valid()) {
      QL_ASSIGN(const TensorId zero,
                builder.pointwise(suffix + ".zero_point_float", scale.zero_point, Chain().step("cast", type)));
      chain.step("sub", type, {zero});
    }
    chain.step("mul", type, {scale.scale});
  }
  return builder.pointwise(suffix + ".dequantized", q, chain);
}

}  // namespace qlathe
