#include "frontend/numerics/brevitas_weight.h"

#include <algorithm>
#include <cmath>

#include "frontend/numerics/brevitas_arith.h"
#include "frontend/numerics/brevitas_search.h"

namespace qlathe::brevitas {
namespace {

// Which elements share a scale. source[row * columns + i] is the weight's flat index, or -1 for padding.
struct Grouping {
  Rows rows;
  std::vector<int64_t> source;
  Shape scale_shape;
  Shape tile;
  bool padded = false;
  int64_t inner = 1;  ///< extent of the axes behind the groups' axis: the stride of a group's elements
};

Grouping group_elements(const HostTensor& weight, const Quantizer& q, int channel_axis) {
  const Shape& shape = weight.shape();
  Grouping g;
  g.tile = shape;
  const auto strides = row_major_strides(shape);
  const auto rank = shape.size();
  // A group is the cells of `tile`; cells are visited in row-major order, and so are the elements inside one.
  if (q.granularity == Granularity::kTensor || rank == 0) {
    g.scale_shape = {};
  } else if (q.granularity == Granularity::kChannel) {
    g.tile[static_cast<size_t>(channel_axis)] = 1;
    g.scale_shape.assign(rank, 1);
    g.scale_shape[static_cast<size_t>(channel_axis)] = shape[static_cast<size_t>(channel_axis)];
  } else {
    const size_t axis = rank == 1 ? 0 : static_cast<size_t>(1 - channel_axis);
    g.tile.assign(rank, 1);
    g.tile[axis] = q.group_size;
    g.scale_shape = shape;
    g.scale_shape[axis] = (shape[axis] + q.group_size - 1) / q.group_size;
    g.inner = strides[axis];
  }
  Shape cells = g.scale_shape.empty() ? Shape(rank, 1) : g.scale_shape;
  g.rows.rows = element_count(cells);
  g.rows.columns = element_count(g.tile);
  const auto cell_strides = row_major_strides(cells);
  const auto tile_strides = row_major_strides(g.tile);
  const auto values = weight.as<float>();
  g.source.reserve(static_cast<size_t>(g.rows.rows * g.rows.columns));
  for (int64_t cell = 0; cell < g.rows.rows; cell++) {
    for (int64_t i = 0; i < g.rows.columns; i++) {
      int64_t flat = 0;
      for (size_t axis = 0; axis < rank; axis++) {
        const int64_t at =
            cell / cell_strides[axis] % cells[axis] * g.tile[axis] + i / tile_strides[axis] % g.tile[axis];
        if (at >= shape[axis] || flat < 0) {
          flat = -1;
        } else {
          flat += at * strides[axis];
        }
      }
      g.padded = g.padded || flat < 0;
      g.source.push_back(flat);
      g.rows.data.push_back(flat < 0 ? 0.0f : values[static_cast<size_t>(flat)]);
    }
  }
  return g;
}

// Squared errors of a row, summed in the order of the reference's reduction: a row of consecutive elements as
// cascade_sum; a group whose elements are `inner` apart, as the reduction's vector loop treats its column.
float error_sum(const Grouping& g, int64_t row, std::span<const float> squares) {
  if (g.inner == 1) return cascade_sum(squares);
  const int64_t column = row % g.inner;
  const int64_t abreast = g.inner >= 8 ? 32 : 4;
  return column < g.inner / abreast * abreast ? cascade_column_sum(squares) : cascade_row_sum(squares);
}

float squared_error(const Quantizer& q, const Grouping& g, int64_t row, float scale, float zero_point) {
  std::vector<float> squares;
  squares.reserve(static_cast<size_t>(g.rows.columns));
  for (float x : g.rows.row(row)) {
    const float error = x - quantize_value(q, x, scale, zero_point).value;
    squares.push_back(error * error);
  }
  return error_sum(g, row, squares);
}

// Per row: scale and zero point.
struct Parameters {
  std::vector<float> scale;
  std::vector<float> zero_point;
};

Parameters find_parameters(const Quantizer& q, const Grouping& g) {
  const auto rows = static_cast<size_t>(g.rows.rows);
  Parameters p{std::vector<float>(rows), std::vector<float>(rows, 0.0f)};
  const bool shifted = q.zero_point != ZeroPoint::kZero;
  std::vector<float> low(rows, 0.0f);
  std::vector<float> statistic(rows);
  for (size_t r = 0; r < rows; r++) {
    const auto row = g.rows.row(static_cast<int64_t>(r));
    if (shifted) low[r] = low_statistic(q, row);
    statistic[r] = q.statistic == Statistic::kConstant ? static_cast<float>(q.scaling_const) : scale_statistic(q, row);
  }
  auto zero_point = [&](float low_end, float scale) { return zero_point_of(q, -low_end, scale); };
  if (q.scale_search == Search::kMse) {
    // While the scale is searched the zero point follows the unsearched low end.
    statistic = grid_search(statistic, [&](int64_t row, float candidate) {
      const float scale = parameter_scale(q, candidate);
      return squared_error(q, g, row, scale, shifted ? zero_point(low[static_cast<size_t>(row)], scale) : 0.0f);
    });
  } else if (q.scale_search == Search::kHqo) {
    const bool whole = q.granularity == Granularity::kChannel && g.tile.size() > 2;
    statistic = half_quadratic_scale(q, g.rows, statistic, whole);
  }
  for (size_t r = 0; r < rows; r++)
    p.scale[r] = parameter_scale(q, statistic[r]);
  if (!shifted) return p;
  if (q.zero_point_search == Search::kMse) {
    low = grid_search(low, [&](int64_t row, float candidate) {
      const float scale = p.scale[static_cast<size_t>(row)];
      return squared_error(q, g, row, scale, zero_point(candidate, scale));
    });
  } else if (q.zero_point_search == Search::kHqo && !g.padded) {
    // With padding the reference's search meets 0 / 0 and ends with what it began with.
    double beta = 1.0;
    low = half_quadratic_low(q, g.rows, g.rows, p.scale, low, &beta, zero_point);
  }
  for (size_t r = 0; r < rows; r++) {
    // A searched low end is kept as a magnitude.
    const float magnitude = q.zero_point_search == Search::kNone ? -low[r] : std::fabs(low[r]);
    p.zero_point[r] = zero_point_of(q, magnitude, p.scale[r]);
  }
  return p;
}

Quantized apply_parameters(const HostTensor& weight, const Quantizer& q, const Grouping& g, const Parameters& p) {
  Quantized out;
  out.tile = g.tile;
  out.integers = HostTensor(ValueType::kI32, weight.shape());
  out.values = HostTensor(ValueType::kF32, weight.shape());
  out.dequantized = HostTensor(ValueType::kF32, weight.shape());
  out.scale = HostTensor::of<float>(ValueType::kF32, g.scale_shape, p.scale);
  out.zero_point = q.zero_point == ZeroPoint::kZero
                       ? HostTensor::scalar(0.0f)
                       : HostTensor::of<float>(ValueType::kF32, g.scale_shape, p.zero_point);
  for (size_t at = 0; at < g.source.size(); at++) {
    if (g.source[at] < 0) continue;
    const auto to = static_cast<size_t>(g.source[at]);
    const size_t row = at / static_cast<size_t>(g.rows.columns);
    const Step step = quantize_value(q, g.rows.data[at], p.scale[row], p.zero_point[row]);
    out.values.as<float>()[to] = step.q;
    out.dequantized.as<float>()[to] = step.value;
    // A saturated 32-bit bias comes back as 2^31, which float32 has and int32 has not.
    const double integer = integer_view(q, step.value, p.scale[row], p.zero_point[row]);
    out.integers.as<int32_t>()[to] = static_cast<int32_t>(std::clamp(integer, -2147483648.0, 2147483647.0));
  }
  return out;
}

Status check_operand(const HostTensor& tensor, const Quantizer& q, const char* what) {
  QL_RETURN_IF_ERROR(check(q));
  if (q.number == Number::kFloat) return Status::internal(std::string("a ") + what + " without a quantizer");
  if (tensor.type() != ValueType::kF32) {
    return Status::user({}, std::string("the ") + what + " to quantize is " + name(tensor.type()) + ", not float32");
  }
  if (tensor.size() == 0) return Status::user({}, std::string("the ") + what + " to quantize has no elements");
  for (float x : tensor.as<float>()) {
    if (!std::isfinite(x)) {
      return Status::user({}, std::string("the ") + what + " to quantize holds a value that is not finite",
                          "check the file it comes from");
    }
  }
  return {};
}

}  // namespace

Result<Quantized> quantize_weight(const HostTensor& weight, const Quantizer& q, WeightLayout layout) {
  QL_RETURN_IF_ERROR(check_operand(weight, q, "weight"));
  if (q.granularity != Granularity::kTensor && layout.channel_axis >= weight.rank()) {
    return Status::user({}, "a weight of shape " + to_string(weight.shape()) + " has no output channels");
  }
  const Grouping g = group_elements(weight, q, layout.channel_axis);
  return apply_parameters(weight, q, g, find_parameters(q, g));
}

Result<Quantized> quantize_bias(const HostTensor& bias, const Quantizer& q, const HostTensor* accumulator_scale) {
  QL_RETURN_IF_ERROR(check_operand(bias, q, "bias"));
  if (q.statistic != Statistic::kAccumulator) {
    const Grouping g = group_elements(bias, q, 0);
    return apply_parameters(bias, q, g, find_parameters(q, g));
  }
  if (accumulator_scale == nullptr) {
    return Status::user({}, "a bias quantized by '" + q.name + "' needs a quantized input and weight",
                        "give the layer's input an act_quant, or use an InternalScaling bias quantizer");
  }
  const int64_t count = accumulator_scale->size();
  if (count != 1 && count != bias.size()) {
    return Status::user(
        {}, "a bias of " + std::to_string(bias.size()) + " elements cannot use " + std::to_string(count) + " scales");
  }
  Quantizer per_channel = q;
  per_channel.granularity = count == 1 ? Granularity::kTensor : Granularity::kChannel;
  const Grouping g = group_elements(bias, per_channel, 0);
  const auto scales = accumulator_scale->as<float>();
  Parameters p{{scales.begin(), scales.end()}, std::vector<float>(scales.size(), 0.0f)};
  return apply_parameters(bias, q, g, p);
}

}  // namespace qlathe::brevitas
