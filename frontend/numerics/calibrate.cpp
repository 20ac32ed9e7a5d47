#include "frontend/numerics/calibrate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "frontend/numerics/convert.h"

namespace qlathe {
namespace {

// NaN wins, as in the reference.
float nan_max(float a, float b) { return std::isnan(a) || a > b ? a : b; }
float nan_min(float a, float b) { return std::isnan(a) || a < b ? a : b; }

HostTensor constant(ValueType type, const Shape& shape, float value) {
  return from_floats(type, shape, std::vector<float>(static_cast<size_t>(element_count(shape)), value));
}

/// The reduced elements of every group, in row-major order.
std::vector<std::vector<float>> squares_by_group(ValueType type, const std::vector<float>& x, const Shape& shape,
                                                 const Shape& tile) {
  std::vector<std::vector<float>> groups(static_cast<size_t>(element_count(scale_shape(shape, tile))));
  for_each_element(shape, tile, [&](int64_t element, int64_t group) {
    const float value = x[static_cast<size_t>(element)];
    groups[static_cast<size_t>(group)].push_back(round_to(type, value * value));
  });
  return groups;
}

}  // namespace

float reciprocal_of(ValueType float_type, float b) {
  const float reciprocal = 1.0f / b;
  return float_type == ValueType::kF16 ? round_to(float_type, reciprocal) : reciprocal;
}

int64_t sum_lanes(const Shape& extents) {
  Shape real;
  for (int64_t extent : extents) {
    if (extent > 1) real.push_back(extent);
  }
  if (real.size() != 2 || real[1] > 8 || real[0] > kSumWindow) return 1;
  const int64_t rows = real[0];
  if (rows == 2 || rows == 4) return rows;
  if (rows % 8 == 0) return real[1] == 8 ? 4 : 8;
  return rows > 16 && rows % 4 == 0 ? 4 : 1;
}

float windowed_sum(std::vector<float> values, Shape extents, bool single) {
  QL_CHECK(values.size() == static_cast<size_t>(element_count(extents)), to_string(extents));
  if (const int64_t lanes = single ? sum_lanes(extents) : 1; lanes > 1) {
    const auto columns = *std::find_if(extents.rbegin(), extents.rend(), [](int64_t n) { return n > 1; });
    std::vector<float> sums(static_cast<size_t>(lanes), 0.0f);
    for (size_t i = 0; i < values.size(); ++i)
      sums[i / static_cast<size_t>(columns) % static_cast<size_t>(lanes)] += values[i];
    for (size_t half = sums.size() / 2; half > 0; half /= 2) {
      for (size_t lane = 0; lane < half; ++lane)
        sums[lane] += sums[lane + half];
    }
    return sums[0];
  }
  while (std::any_of(extents.begin(), extents.end(), [](int64_t n) { return n > kSumWindow; })) {
    Shape windows(extents.size()), missing(extents.size(), 0);
    for (size_t d = 0; d < extents.size(); ++d) {
      windows[d] = extents[d] > kSumWindow ? sum_windows(extents[d]).windows : 1;
      if (extents[d] > kSumWindow) missing[d] = sum_windows(extents[d]).missing_before;
    }
    const std::vector<int64_t> strides = row_major_strides(windows);
    std::vector<float> sums(static_cast<size_t>(element_count(windows)), 0.0f);
    std::vector<int64_t> index(extents.size(), 0);
    for (float value : values) {
      int64_t window = 0;
      for (size_t d = 0; d < extents.size(); ++d)
        window += (extents[d] > kSumWindow ? (index[d] + missing[d]) / kSumWindow : 0) * strides[d];
      sums[static_cast<size_t>(window)] += value;
      for (size_t d = extents.size(); d-- > 0;) {
        if (++index[d] < extents[d]) break;
        index[d] = 0;
      }
    }
    values = std::move(sums);
    extents = windows;
  }
  float sum = 0;
  for (float value : values)
    sum += value;
  return sum;
}

float windowed_mean(std::vector<float> values, Shape extents, bool single) {
  const float reciprocal = 1.0f / static_cast<float>(values.size());
  return windowed_sum(std::move(values), std::move(extents), single) * reciprocal;
}

Result<Statistics> calibrate(const HostTensor& x, const HowToQuantize& how) {
  const ValueType type = x.type();
  if (type != ValueType::kF32 && type != ValueType::kBF16 && type != ValueType::kF16) {
    return Status::user({}, std::string("a tensor of type ") + name(type) + " cannot be quantized",
                        "quantize float32, bfloat16 or float16");
  }
  QL_ASSIGN(const Shape tile, tile_shape(x.shape(), how));
  const CalibrationMethod& method = how.method;
  if (method.per_tensor()) {
    const Shape one(x.shape().size(), 1);
    if (!method.asymmetric()) return Statistics{constant(type, one, method.hi), {}, {}};
    return Statistics{{}, constant(type, one, method.lo), constant(type, one, method.hi)};
  }

  const Shape groups = scale_shape(x.shape(), tile);
  const auto count = static_cast<size_t>(element_count(groups));
  const std::vector<float> values = to_floats(x);
  const auto scaled = [&](std::vector<float> statistic) {
    if (method.factor) {
      const float factor = round_to(type, *method.factor);
      for (float& s : statistic)
        s = round_to(type, s * factor);
    }
    return from_floats(type, groups, statistic);
  };
  if (method.kind == CalibrationMethod::Kind::kRms) {
    std::vector<float> rms(count);
    const auto squares = squares_by_group(type, values, x.shape(), tile);
    for (size_t g = 0; g < count; ++g) {
      const float mean = windowed_mean(squares[g], tile, count == 1);
      rms[g] = round_to(type, std::sqrt(round_to(type, mean)));
    }
    return Statistics{scaled(std::move(rms)), {}, {}};
  }
  if (method.kind == CalibrationMethod::Kind::kAbsmax) {
    std::vector<float> absmax(count, 0.0f);
    for_each_element(x.shape(), tile, [&](int64_t element, int64_t group) {
      float& a = absmax[static_cast<size_t>(group)];
      a = nan_max(std::fabs(values[static_cast<size_t>(element)]), a);
    });
    return Statistics{scaled(std::move(absmax)), {}, {}};
  }
  std::vector<float> lo(count, 0.0f), hi(count, 0.0f);
  for_each_element(x.shape(), tile, [&](int64_t element, int64_t group) {
    const auto g = static_cast<size_t>(group);
    lo[g] = nan_min(values[static_cast<size_t>(element)], lo[g]);
    hi[g] = nan_max(values[static_cast<size_t>(element)], hi[g]);
  });
  return Statistics{{}, scaled(std::move(lo)), scaled(std::move(hi))};
}

}  // namespace qlathe
