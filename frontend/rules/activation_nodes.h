#pragma once
#include "frontend/numerics/calibrate.h"
#include "frontend/numerics/quantize.h"
#include "frontend/rules/node_builder.h"

namespace qlathe {

/// The formulas of numerics/calibrate.h and numerics/quantize.h as nodes, bit for bit the same. T is the type of x
/// (float32, bfloat16, float16); every step's result is rounded to it.

/// Statistics of x at run time, in the shape of the scale.
struct StatisticTensors {
  TensorId absmax;
  TensorId lo, hi;
  bool asymmetric() const { return lo.valid(); }
};

/// A scale and, where asymmetric, its zero point.
struct ScaleTensors {
  TensorId scale;
  TensorId zero_point;
};

/// calibrate(x, how). Errors: as tile_shape.
Result<StatisticTensors> add_statistics(NodeBuilder& builder, const std::string& suffix, TensorId x,
                                        const HowToQuantize& how);

/// The mean over `batch_axes` (negative ones count from the end), which stay with extent 1: windowed_mean. float32 out,
/// rounded to T first. Error: an axis that is not there.
Result<StatisticTensors> add_batch_mean(NodeBuilder& builder, const std::string& suffix, const StatisticTensors& stats,
                                        const std::vector<int64_t>& batch_axes, ValueType type);

/// compute_scale_zero_point. Errors: asymmetric statistics for a format without zero points; power-of-two scales of
/// another type than float32, whose thresholds differ.
Result<ScaleTensors> add_scale(NodeBuilder& builder, const std::string& suffix, const StatisticTensors& stats,
                               const QuantFormat& format, ValueType type);

/// quantize(x, format, scale, zero_point). The scale has type T.
Result<TensorId> add_quantize(NodeBuilder& builder, const std::string& suffix, TensorId x, const QuantFormat& format,
                              const ScaleTensors& scale);

/// dequantize(q, scale, zero_point): of the scale's type.
Result<TensorId> add_dequantize(NodeBuilder& builder, const std::string& suffix, TensorId q, const ScaleTensors& scale);

/// Whether `batch_axes` exist in a tensor of `rank`; the axes counted from the front.
Result<std::vector<int64_t>> resolve_batch_axes(const std::vector<int64_t>& batch_axes, int rank);

}  // namespace qlathe
