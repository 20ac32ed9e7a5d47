#include "frontend/numerics/quantize.h"

#include <cmath>

#include "frontend/numerics/convert.h"
#include "frontend/numerics/power_of_two.h"

namespace qlathe {
namespace {

float divide(ValueType type, Division division, float a, float b) {
  return round_to(type, division == Division::kReciprocal ? a * reciprocal_of(type, b) : a / b);
}

Status check_zero_point(const HostTensor& scale, const HostTensor* zero_point) {
  if (!zero_point || zero_point->shape() == scale.shape()) return {};
  return Status::user(
      {}, "the zero point has shape " + to_string(zero_point->shape()) + ", its scale " + to_string(scale.shape()));
}

}  // namespace

float smallest_scale(ValueType float_type) { return float_type == ValueType::kF16 ? 0x1p-7f : 0x1p-63f; }

Result<ScaleZeroPoint> compute_scale_zero_point(const Statistics& statistics, const QuantFormat& format) {
  const bool asymmetric = statistics.asymmetric();
  if (asymmetric && !format.asymmetric) {
    return Status::user({}, std::string(format.name) + " has no zero point, so its range must be symmetric",
                        "use absmax, rms or fixed,a; or int8 or int4");
  }
  const HostTensor& first = asymmetric ? *statistics.lo : *statistics.absmax;
  const ValueType type = first.type();
  const auto round = [type](float value) { return round_to(type, value); };
  const std::vector<float> a = to_floats(first);
  const std::vector<float> hi = asymmetric ? to_floats(*statistics.hi) : std::vector<float>();
  const Division by_constant = division_of(first.size(), 1);
  const float bound = round(asymmetric ? static_cast<float>(format.qmax() - format.qmin()) : format.bound);
  const auto qmin = static_cast<int32_t>(format.qmin());
  const auto qmax = static_cast<int32_t>(format.qmax());

  std::vector<float> scale(a.size());
  std::optional<HostTensor> zero_point;
  if (asymmetric) zero_point = HostTensor(format.type, first.shape());
  for (size_t i = 0; i < a.size(); ++i) {
    const float range = asymmetric ? round(hi[i] - a[i]) : a[i];
    float s = divide(type, by_constant, range, bound);
    if (s < smallest_scale(type)) s = 1;
    if (asymmetric) {
      const float zero = round(static_cast<float>(qmin) - divide(type, Division::kTrue, a[i], s));
      zero_point->set_int(static_cast<int64_t>(i), round_clip(zero, qmin, qmax));
    }
    if (format.scale_rule == ScaleRule::kPowerOfTwo) s = power_of_two_scale(type, s);
    if (format.scale_rule == ScaleRule::kE4M3) s = round(decode(ValueType::kF8E4M3, encode(ValueType::kF8E4M3, s)));
    scale[i] = s;
  }
  return ScaleZeroPoint{from_floats(type, first.shape(), scale), std::move(zero_point)};
}

Result<HostTensor> quantize(const HostTensor& x, const QuantFormat& format, const HostTensor& scale,
                            const HostTensor* zero_point) {
  const ValueType type = x.type();
  if (type != ValueType::kF32 && type != ValueType::kBF16 && type != ValueType::kF16) {
    return Status::user({}, std::string("a tensor of type ") + name(type) + " cannot be quantized",
                        "quantize float32, bfloat16 or float16");
  }
  QL_ASSIGN(const Shape tile, tile_of(x.shape(), scale.shape()));
  QL_RETURN_IF_ERROR(check_zero_point(scale, zero_point));
  const std::vector<float> values = to_floats(x);
  std::vector<float> divisor = to_floats(scale);
  const Division division = division_of(x.size(), scale.size());
  for (float& s : divisor) {
    s = round_to(type, s);
    if (division == Division::kReciprocal) s = reciprocal_of(type, s);
  }
  const std::vector<float> zero = zero_point ? to_floats(*zero_point) : std::vector<float>();
  const bool code = is_code(format.type);
  const auto qmin = static_cast<int32_t>(format.qmin());
  const auto qmax = static_cast<int32_t>(format.qmax());

  HostTensor out(format.type, x.shape());
  const auto q = out.as<uint8_t>();
  for_each_element(x.shape(), tile, [&](int64_t element, int64_t group) {
    const auto i = static_cast<size_t>(element);
    const auto g = static_cast<size_t>(group);
    float t = round_to(type, division == Division::kReciprocal ? values[i] * divisor[g] : values[i] / divisor[g]);
    if (zero_point) t = round_to(type, t + round_to(type, zero[g]));
    q[i] = code ? encode(format.type, t) : static_cast<uint8_t>(round_clip(t, qmin, qmax));
  });
  return out;
}

Result<HostTensor> dequantize(const HostTensor& q, const HostTensor& scale, const HostTensor* zero_point) {
  const ValueType type = scale.type();
  QL_ASSIGN(const Shape tile, tile_of(q.shape(), scale.shape()));
  QL_RETURN_IF_ERROR(check_zero_point(scale, zero_point));
  const std::vector<float> values = to_floats(q);
  const std::vector<float> factor = to_floats(scale);
  const std::vector<float> zero = zero_point ? to_floats(*zero_point) : std::vector<float>();
  std::vector<float> out(values.size());
  for_each_element(q.shape(), tile, [&](int64_t element, int64_t group) {
    const auto i = static_cast<size_t>(element);
    const auto g = static_cast<size_t>(group);
    float value = round_to(type, values[i]);
    if (zero_point) value = round_to(type, value - round_to(type, zero[g]));
    out[i] = value * factor[g];  // from_floats rounds it
  });
  return from_floats(type, q.shape(), out);
}

Result<QuantizedTensor> quantize(const HostTensor& x, const HowToQuantize& how) {
  QL_ASSIGN(const Statistics statistics, calibrate(x, how));
  QL_ASSIGN(ScaleZeroPoint parameters, compute_scale_zero_point(statistics, *how.format));
  const HostTensor* zero_point = parameters.zero_point ? &*parameters.zero_point : nullptr;
  QL_ASSIGN(HostTensor values, quantize(x, *how.format, parameters.scale, zero_point));
  return QuantizedTensor{how.format, std::move(values), std::move(parameters.scale), std::move(parameters.zero_point)};
}

}  // namespace qlathe
