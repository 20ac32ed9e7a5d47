#include "frontend/numerics/brevitas_act.h"

#include <algorithm>
#include <cmath>

#include "frontend/ir/suggest.h"
#include "frontend/numerics/brevitas_arith.h"
#include "frontend/numerics/brevitas_search.h"

namespace qlathe::brevitas {
namespace {

float sum_of_squared_errors(const Quantizer& q, const std::vector<float>& wanted, const std::vector<float>& given,
                            float scale, float zero_point) {
  std::vector<float> squares(wanted.size());
  for (size_t i = 0; i < wanted.size(); i++) {
    const float error = wanted[i] - quantize_value(q, given[i], scale, zero_point).value;
    squares[i] = error * error;
  }
  return cascade_sum(squares);
}

// Largest magnitude per channel (axis 1), averaged.
float mean_of_channel_maxima(const HostTensor& x) {
  const Shape& shape = x.shape();
  const int64_t channels = shape[1];
  const int64_t inner = x.size() / (shape[0] * channels);
  std::vector<float> largest(static_cast<size_t>(channels), 0.0f);
  const auto values = x.as<float>();
  for (size_t i = 0; i < values.size(); i++) {
    float& channel = largest[i / static_cast<size_t>(inner) % largest.size()];
    channel = std::max(channel, std::fabs(values[i]));
  }
  return cascade_sum(largest) / static_cast<float>(channels);
}

}  // namespace

float activate(Activation activation, float x) {
  switch (activation) {
    case Activation::kIdentity:
      return x;
    case Activation::kRelu:
      return x > 0 ? x : 0.0f;
    case Activation::kTanh:
      return static_cast<float>(std::tanh(static_cast<double>(x)));
    case Activation::kSigmoid:
      return 1.0f / (1.0f + static_cast<float>(std::exp(-static_cast<double>(x))));
    case Activation::kHardSwish:
      return x * std::min(std::max(x + 3.0f, 0.0f), 6.0f) / 6.0f;
  }
  return x;
}

HostTensor activate(Activation activation, const HostTensor& x) {
  HostTensor out = x;
  for (float& value : out.as<float>())
    value = activate(activation, value);
  return out;
}

Result<Activation> parse_activation_layer(std::string_view layer) {
  const std::pair<const char*, Activation> layers[] = {
      {"QuantIdentity", Activation::kIdentity},   {"QuantReLU", Activation::kRelu},
      {"QuantTanh", Activation::kTanh},           {"QuantSigmoid", Activation::kSigmoid},
      {"QuantHardSwish", Activation::kHardSwish}, {"QuantHardTanh", Activation::kIdentity}};
  std::vector<std::string> names;
  for (const auto& [name, activation] : layers) {
    if (layer == name) return activation;
    names.push_back(name);
  }
  return Status::user({}, "unknown activation layer " + in_quotes(layer), did_you_mean(layer, names));
}

Result<ActCalibrator> ActCalibrator::make(Quantizer quantizer, Activation activation) {
  if (quantizer.role != Role::kAct || quantizer.number == Number::kFloat) {
    return Status::internal("a calibrator needs an activation quantizer, not '" + quantizer.name + "'");
  }
  QL_RETURN_IF_ERROR(check(quantizer));
  return ActCalibrator(std::move(quantizer), activation);
}

bool ActCalibrator::collects() const {
  return q_.statistic != Statistic::kRange && q_.statistic != Statistic::kConstant && q_.statistic != Statistic::kUnit;
}

void ActCalibrator::update(float& buffer, float value) const {
  if (q_.momentum < 0) {
    const float weight = static_cast<float>(static_cast<double>(batches_) / (batches_ + 1));
    buffer = buffer * weight + value / static_cast<float>(batches_ + 1);
    return;
  }
  buffer = buffer * static_cast<float>(1 - q_.momentum) + static_cast<float>(q_.momentum) * value;
}

Result<ActParameters> ActCalibrator::observe(const HostTensor& activated) {
  if (!collects()) return ActParameters{scale(), zero_point()};
  if (activated.type() != ValueType::kF32 || activated.size() == 0) {
    return Status::user({}, "calibration data of '" + q_.name + "' must be float32 and not empty");
  }
  if (q_.statistic == Statistic::kAbsMaxMean && activated.rank() < 2) {
    return Status::user(
        {}, "'" + q_.name + "' needs activations with a channel axis, not of shape " + to_string(activated.shape()));
  }
  const auto values = activated.as<float>();
  for (float value : values) {
    if (!std::isfinite(value)) return Status::user({}, "calibration met a value that is not finite");
  }
  // A true average never stops collecting.
  if (q_.momentum >= 0 && batches_ >= q_.collect_stats_steps) return ActParameters{scale(), zero_point()};

  const std::vector<float> x(values.begin(), values.end());
  const bool searches = q_.scale_search != Search::kNone || q_.zero_point_search != Search::kNone;
  std::vector<float> again;
  if (searches) {
    const HostTensor twice = activate(activation_, activated);
    again.assign(twice.as<float>().begin(), twice.as<float>().end());
  }
  float statistic = 0;
  if (q_.statistic == Statistic::kAbsMaxMean) {
    statistic = mean_of_channel_maxima(activated);
  } else if (q_.scale_search == Search::kMse) {
    statistic = search_scale(x, again);
  } else {
    statistic = scale_statistic(q_, x);
  }
  if (q_.statistic != Statistic::kAbsMaxMean) statistic = clamp_min_signed(statistic, q_.scaling_min_val);
  // While it collects, the library divides by the plain range, also where the final scale is a power of two.
  ActParameters batch{statistic / scale_divisor(q_), 0.0f};
  if (q_.statistic == Statistic::kAbsMaxMean) batch.scale = parameter_scale(q_, statistic);
  float low = 0;
  if (q_.zero_point != ZeroPoint::kZero) {
    low = batch_low(x, again, batch.scale);
    batch.zero_point = zero_point_of(q_, std::fabs(low), batch.scale);
  }
  if (batches_ == 0) {
    buffer_ = statistic;
    low_buffer_ = low;
  } else {
    update(buffer_, statistic);
    update(low_buffer_, low);
  }
  batches_++;
  return batch;
}

float ActCalibrator::search_scale(const std::vector<float>& x, const std::vector<float>& again) {
  const bool shifted = q_.zero_point != ZeroPoint::kZero;
  // The zero point meanwhile: from the last batch's low end, at first from the minimum.
  if (shifted && !low_candidate_) low_candidate_ = low_statistic(q_, again);
  const auto loss = [&](int64_t, float candidate) {
    const float scale = clamp_min_signed(candidate, q_.scaling_min_val) / scale_divisor(q_);
    const float zero = shifted ? zero_point_of(q_, std::fabs(*low_candidate_), scale) : 0.0f;
    return sum_of_squared_errors(q_, x, again, scale, zero);
  };
  return grid_search({scale_statistic(q_, x)}, loss)[0];
}

float ActCalibrator::batch_low(const std::vector<float>& x, const std::vector<float>& again, float scale) {
  const float start = low_statistic(q_, x);
  auto zero_point = [&](float low, float at_scale) { return zero_point_of(q_, std::fabs(low), at_scale); };
  if (q_.zero_point_search == Search::kMse) {
    const auto loss = [&](int64_t, float candidate) {
      return sum_of_squared_errors(q_, x, again, scale, zero_point(candidate, scale));
    };
    low_candidate_ = grid_search({start}, loss)[0];
    return *low_candidate_;
  }
  if (q_.zero_point_search == Search::kHqo) {
    const auto n = static_cast<int64_t>(x.size());
    // The scale while searching is that of the activation applied again.
    const float searched = clamp_min_signed(scale_statistic(q_, again), q_.scaling_min_val) / scale_divisor(q_);
    return half_quadratic_low(q_, Rows{1, n, x}, Rows{1, n, again}, {searched}, {start}, &beta_, zero_point)[0];
  }
  return start;
}

float ActCalibrator::scale() const {
  if (q_.statistic == Statistic::kRange) {
    const double low = q_.is_signed ? q_.min_val : 0.0;
    return activation_scale(q_, static_cast<float>(std::max(std::fabs(low), std::fabs(q_.max_val))));
  }
  if (q_.statistic == Statistic::kConstant) return activation_scale(q_, static_cast<float>(q_.scaling_const));
  return activation_scale(q_, buffer_);
}

float ActCalibrator::zero_point() const {
  if (q_.zero_point == ZeroPoint::kZero) return 0.0f;
  return zero_point_of(q_, std::fabs(low_buffer_), scale());
}

void ActCalibrator::restore(float statistic, float low, int batches) {
  buffer_ = statistic;
  low_buffer_ = low;
  batches_ = batches;
}

Result<Quantized> quantize_activation(const HostTensor& activated, const Quantizer& q, float scale, float zero_point) {
  if (activated.type() != ValueType::kF32) {
    return Status::user({}, std::string("an activation to quantize is ") + name(activated.type()) + ", not float32");
  }
  Quantized out;
  out.tile = activated.shape();
  out.integers = HostTensor(ValueType::kI32, activated.shape());
  out.values = activated;
  out.dequantized = activated;
  out.scale = HostTensor::scalar(scale);
  out.zero_point = HostTensor::scalar(zero_point);
  const auto x = activated.as<float>();
  for (size_t i = 0; i < x.size(); i++) {
    const Step step = quantize_value(q, x[i], scale, zero_point);
    out.values.as<float>()[i] = step.q;
    out.dequantized.as<float>()[i] = step.value;
    const float integer = integer_view(q, step.value, scale, zero_point);
    out.integers.as<int32_t>()[i] = std::isnan(integer) ? 0 : static_cast<int32_t>(integer);
  }
  return out;
}

}  // namespace qlathe::brevitas
