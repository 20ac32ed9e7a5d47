#include "frontend/numerics/fixed/litert_tables.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "frontend/numerics/fixed/row_functions.h"

namespace qlathe {
namespace {

using A = fixed::ScalarAlgebra;
using FloatFunction = std::function<float(float)>;

/// As x86 converts: what does not fit is the lowest number.
int32_t to_int32(float x) { return x >= -0x1p31f && x < 0x1p31f ? static_cast<int32_t>(x) : INT32_MIN; }

// The C library's float functions, as the double ones rounded.
float exp_f(float x) { return static_cast<float>(std::exp(static_cast<double>(x))); }
float tanh_f(float x) { return static_cast<float>(std::tanh(static_cast<double>(x))); }
float log_f(float x) { return static_cast<float>(std::log(static_cast<double>(x))); }
float expm1_f(float x) { return static_cast<float>(std::expm1(static_cast<double>(x))); }
float erfc_f(float x) { return static_cast<float>(std::erfc(static_cast<double>(x))); }

float gelu(float x) { return 0.5f * x * erfc_f(x * -0.70710678f); }
float gelu_by_tanh(float x) { return 0.5f * x * (1.f + tanh_f(0.79788456f * (x + 0.044715f * x * x * x))); }

int32_t multiplied(int32_t x, QuantizedMultiplier m) { return static_cast<int32_t>(requantize_fixed_double(x, m)); }

/// One table under construction.
class Table {
 public:
  explicit Table(const LitertUnary& u)
      : u_(u), lo_(static_cast<int32_t>(info(u.type).min)), hi_(static_cast<int32_t>(info(u.type).max)) {}

  template <class Function>
  HostTensor centered(Function&& function) const {
    return of([&](int32_t q) { return function(q - u_.in_zero_point); });
  }
  /// The float of each number through `function`, times the reciprocal of the result's scale.
  HostTensor floats(const FloatFunction& function) const {
    const float inverse = 1 / u_.out_scale;
    return centered([&](int32_t x) {
      const float y = function(u_.in_scale * static_cast<float>(x));
      return to_int32(std::round(y * inverse) + static_cast<float>(u_.out_zero_point)) - int64_t{u_.out_zero_point};
    });
  }
  HostTensor interpolated(const FloatFunction& function) const;
  Result<HostTensor> hard_swish() const;
  HostTensor leaky_relu() const;
  HostTensor clipped(float from, float to) const;
  HostTensor absolute() const;
  HostTensor root() const;
  HostTensor inverse_root() const;
  /// The result's lowest number as a float, which LOG gives where there is no logarithm.
  float lowest() const { return static_cast<float>(lo_ - u_.out_zero_point) * u_.out_scale; }

 private:
  /// value(q) + zero point, saturated.
  template <class Function>
  HostTensor of(Function&& value) const {
    HostTensor out(u_.type, {256});
    for (int32_t q = lo_; q <= hi_; q++)
      out.set_int(q - lo_, std::clamp<int64_t>(int64_t{value(q)} + u_.out_zero_point, lo_, hi_));
    return out;
  }
  float ratio() const { return u_.in_scale / u_.out_scale; }

  const LitertUnary& u_;
  int32_t lo_, hi_;
};

/// 513 entries between the ends of the operand's range, each lowered by half the error of a chord in its middle.
template <class T>
HostTensor interpolation_table(T in_scale, int32_t in_zero_point, T out_scale, int32_t out_zero_point,
                               const std::function<T(T)>& function) {
  const auto in = [&](int32_t q) { return in_scale * static_cast<T>(q - in_zero_point); };
  const auto out = [&](int32_t q) { return out_scale * static_cast<T>(q - out_zero_point); };
  const T least = in(INT16_MIN), step = (in(INT16_MAX)-least) / 512, half_step = step / 2;
  const T inverse = static_cast<T>(65536) / (out(INT16_MAX) - out(INT16_MIN));
  const auto stored = [](T x) {
    // The order of comparisons passes NaN, which converts to the lowest int32 and so to 0.
    x = x < static_cast<T>(INT16_MIN) ? static_cast<T>(INT16_MIN) : x;
    x = static_cast<T>(INT16_MAX) < x ? static_cast<T>(INT16_MAX) : x;
    return std::isnan(x) ? int64_t{0} : static_cast<int64_t>(x);
  };
  HostTensor table(ValueType::kI16, {513});
  for (int i = 0; i < 512; i++) {
    const T value = function(least + static_cast<T>(i) * step);
    const T middle = function(least + static_cast<T>(i) * step + half_step);
    const T next = function(least + static_cast<T>(i + 1) * step);
    const T sample = std::round(value * inverse);
    const T chord = std::round((next * inverse + sample) / 2);
    const T bias = std::round((chord - std::round(middle * inverse)) / 2);
    table.set_int(i, stored(sample - bias));
  }
  table.set_int(512, stored(std::round(function(in(INT16_MAX)) * inverse)));
  return table;
}

HostTensor Table::interpolated(const FloatFunction& function) const {
  return interpolation_table<float>(u_.in_scale, u_.in_zero_point, u_.out_scale, u_.out_zero_point, function);
}

/// The upper 16 bits of a multiplier.
int32_t upper_half(QuantizedMultiplier m) {
  return m.mantissa >= INT32_MAX - (1 << 15) ? INT16_MAX : (m.mantissa + (1 << 15)) >> 16;
}

int32_t shifted_left_16(int32_t x, int amount) {
  return static_cast<int32_t>(std::clamp<int64_t>(int64_t{x} << std::min(amount, 40), INT16_MIN, INT16_MAX));
}

int32_t shifted_right_16(int32_t x, int exponent) {
  if (exponent <= 15) return rounding_divide_by_power(x, exponent);
  return x < 0 ? -1 : 0;  // the mask has no more bits than the number
}

/// x * relu6(x + 3) / 6 in 16 bits.
Result<HostTensor> Table::hard_swish() const {
  const float fine_scale = (1.0f / 128.0f) * u_.in_scale;
  const QuantizedMultiplier out = quantize_multiplier(fine_scale / u_.out_scale);
  const QuantizedMultiplier gate = quantize_multiplier(fine_scale / (3.0f / 32768.0f));
  if (out.shift > 0) {
    return Status::user({"", "", "scale"}, "HARD_SWISH has an operand's scale of more than 128 of the result's",
                        "LiteRT refuses such a model too");
  }
  return centered([&](int32_t x) {
    const int32_t fine = x * 128;
    const int32_t scaled = fixed::product<A, 16>(fine, upper_half(out));
    int32_t g = gate.shift > 0 ? shifted_left_16(fine, gate.shift - 1) : fine;
    g = fixed::product<A, 16>(g, upper_half(gate));
    if (gate.shift > 0) g = shifted_left_16(g, 1);
    if (gate.shift < 0) g = shifted_right_16(g, -gate.shift);
    g = (g + (1 << 15)) >> 1;
    const int32_t product = g * scaled / (1 << 15);  // toward zero
    return shifted_right_16(product, -out.shift);
  });
}

HostTensor Table::leaky_relu() const {
  const QuantizedMultiplier identity = quantize_multiplier(ratio());
  const float slope = u_.in_scale * u_.alpha / u_.out_scale;
  const QuantizedMultiplier m = quantize_multiplier(std::fabs(slope));
  return centered([&](int32_t x) {
    if (x >= 0) return multiplied(x, identity);
    return slope < 0 ? -multiplied(x, m) : multiplied(x, m);
  });
}

/// The bounds are quantized, so the clipping is of numbers with their zero point.
HostTensor Table::clipped(float from, float to) const {
  const auto bound = [&](float x) { return to_int32(std::round(x / u_.out_scale)); };
  const int64_t lo = std::max<int64_t>(lo_ - u_.out_zero_point, bound(from));
  const int64_t hi = std::isinf(to) ? hi_ - u_.out_zero_point : std::min<int64_t>(hi_ - u_.out_zero_point, bound(to));
  const QuantizedMultiplier m = quantize_multiplier(ratio());
  return centered([&](int32_t x) { return std::min(std::max<int64_t>(multiplied(x, m), lo), hi); });
}

HostTensor Table::absolute() const {
  const QuantizedMultiplier m = quantize_multiplier(ratio());
  return centered([&](int32_t x) { return u_.in_scale == u_.out_scale ? std::abs(x) : multiplied(std::abs(x), m); });
}

HostTensor Table::root() const {
  return centered([&](int32_t x) {
    return int64_t{to_int32(std::sqrt(u_.in_scale * static_cast<float>(std::max(x, 0))) / u_.out_scale)};
  });
}

/// 1 / sqrt(x) for x > 0, before the zero point.
struct InverseRootOf {
  InverseRootOf(float in_scale, float out_scale)
      : m_(quantize_multiplier(1. / static_cast<double>(std::sqrt(in_scale) * out_scale))) {}
  int64_t operator()(int32_t x) const {
    constexpr int kFraction = 20;
    const fixed::InverseRoot<A> root = fixed::inverse_root<A>(x);
    const int32_t fine = multiplied(1, {root.mantissa, root.shift + kFraction});
    return int64_t{multiplied(fine, {m_.mantissa, std::max(m_.shift - kFraction, -31)})};
  }

 private:
  QuantizedMultiplier m_;
};

HostTensor Table::inverse_root() const {
  const InverseRootOf value(u_.in_scale, u_.out_scale);
  return centered([&](int32_t x) { return x <= 0 ? int64_t{hi_} - u_.out_zero_point : value(x); });
}

Result<HostTensor> table_of(const LitertUnary& u, const Table& table) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::map<std::string, FloatFunction> functions = {
      {"LOGISTIC", [](float x) { return 1.0f / (1.0f + exp_f(-x)); }},
      {"TANH", tanh_f},
      {"EXP", exp_f},
      {"ELU", [](float x) { return x < 0.0f ? expm1_f(x) : x; }},
      {"GELU", u.approximate ? gelu_by_tanh : gelu},
      {"LOG", [&](float x) { return x <= 0.0f ? table.lowest() : log_f(x); }},
      {"RSQRT", [&](float x) { return x <= 0.0f ? 32767 * u.out_scale : 1.0f / std::sqrt(x); }},
  };
  const auto function = functions.find(u.op);
  if (u.type == ValueType::kI16) {
    if (u.op == "EXP" || u.op == "LOG" || u.op == "RSQRT" || u.op == "GELU")
      return table.interpolated(function->second);
  } else if (u.op == "RSQRT") {
    return table.inverse_root();
  } else if (function != functions.end()) {
    return table.floats(function->second);
  } else if (u.op == "SQRT") {
    return table.root();
  } else if (u.op == "ABS") {
    return table.absolute();
  } else if (u.op == "HARD_SWISH") {
    return table.hard_swish();
  } else if (u.op == "LEAKY_RELU") {
    return table.leaky_relu();
  } else if (u.op == "RELU") {
    return table.clipped(0, infinity);
  } else if (u.op == "RELU6") {
    return table.clipped(0, 6);
  } else if (u.op == "RELU_N1_TO_1") {
    return table.clipped(-1, 1);
  } else if (u.op == "RELU_0_TO_1") {
    return table.clipped(0, 1);
  }
  return Status::unsupported({"", "", "op"}, u.op + " of " + name(u.type) + " has no table");
}

/// The nearest power of two, where the number is within 2^(1/1000) of it.
bool nearly_power_of_two(float x, int& exponent) {
  const float log2 = log_f(x) * (1.0f / log_f(2.0f));
  const float nearest = std::round(log2);
  exponent = static_cast<int>(nearest);
  return std::fabs(log2 - nearest) < 1e-3f;
}

/// To units of 1 / (3 * 4096): the table's entries are 1/24 apart, 512 units each.
LitertSigmoid16 sigmoid_16(float in_scale, int largest_shift) {
  int exponent = 0;
  if (nearly_power_of_two(in_scale, exponent) && exponent + 12 >= 0 && exponent + 12 <= largest_shift) {
    return {3 << (exponent + 12), 0};
  }
  double multiplier = in_scale * 4096.0 * 3.0;
  int shift = 0;
  for (; multiplier <= 32767.0 / 2.0 && shift <= 30; shift++)
    multiplier *= 2.0;
  return {static_cast<int32_t>(std::min(multiplier, 2147483647.0)), shift};
}

}  // namespace

HostTensor micro_rsqrt_table(float in_scale, float out_scale) {
  const InverseRootOf value(in_scale, out_scale);
  HostTensor out(ValueType::kI16, {INT16_MAX + 1});
  out.set_int(0, INT16_MAX);
  for (int32_t x = 1; x <= INT16_MAX; x++)
    out.set_int(x, std::clamp<int64_t>(value(x), INT16_MIN, INT16_MAX));
  return out;
}

Result<HostTensor> litert_table(const LitertUnary& unary) {
  const bool byte = unary.type == ValueType::kI8 || unary.type == ValueType::kU8;
  if (!byte && unary.type != ValueType::kI16) {
    return Status::unsupported({"", "", "type"}, unary.op + " of " + name(unary.type) + " has no table");
  }
  for (const float scale : {unary.in_scale, unary.out_scale}) {
    if (!(scale > 0 && std::isfinite(scale)))
      return Status::user({"", "", "scale"}, "a scale of " + unary.op + " is not a positive number");
  }
  return table_of(unary, Table(unary));
}

LitertSigmoid16 litert_logistic_16(float in_scale) { return sigmoid_16(in_scale, 0); }
LitertSigmoid16 litert_tanh_16(float in_scale) { return sigmoid_16(in_scale, 1); }

HostTensor sigmoid_table() {
  HostTensor table(ValueType::kU16, {256});
  constexpr double kStep = 1.0 / 24;
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  for (int i = 0; i < 255; i++) {
    const double x = i * kStep, y = sigmoid(x);
    const double sag = sigmoid(x + kStep / 2) - (y + sigmoid(x + kStep)) / 2;
    table.set_int(i, static_cast<int64_t>(std::floor(65536 * (y + sag / 2) + 0.5)));
  }
  table.set_int(255, 65535);
  return table;
}

LitertSoftmax8 litert_softmax_8(float in_scale, float beta) {
  constexpr int kIntegerBits = 5;
  const double real = std::min(static_cast<double>(beta) * static_cast<double>(in_scale) * (1 << (31 - kIntegerBits)),
                               static_cast<double>(INT32_MAX));
  const QuantizedMultiplier m =
      real < 0x1p30 ? quantize_multiplier(real) : QuantizedMultiplier{quantize_multiplier(real / 2).mantissa, 31};
  LitertSoftmax8 out{HostTensor(ValueType::kI32, {256}), HostTensor(ValueType::kI32, {256}), 0, {}};
  const double radius = 31.0 * (1 << (31 - kIntegerBits)) / static_cast<double>(int64_t{1} << std::max(m.shift, 0));
  out.diff_min = -static_cast<int32_t>(std::floor(radius));
  for (int32_t diff = -255; diff <= 0; diff++) {
    const int32_t fine = A::shift_left(diff, std::max(m.shift, 0));
    const int32_t scaled = doubling_high_multiply(fine, m.mantissa);
    out.diffs.set_int(diff + 255, diff < out.diff_min ? 0 : scaled);
    out.exps.set_int(diff + 255, diff < out.diff_min ? 0 : fixed::exp_of_negative<A, 32>(scaled, kIntegerBits));
  }
  const double back = std::ldexp(1.0, 31 - m.shift) / static_cast<double>(std::max(m.mantissa, 1));
  out.reverse = quantize_multiplier(back);
  return out;
}

LitertSoftmax16 litert_softmax_16(float in_scale, float beta) {
  constexpr double kRange = 65535;
  LitertSoftmax16 out;
  out.exps =
      interpolation_table<double>(10.0 / kRange, INT16_MAX, 2.0 / kRange, 0, [](double x) { return std::exp(x); });
  out.reciprocals =
      interpolation_table<double>(1.0 / kRange, INT16_MIN, 2.0 / kRange, 0, [](double x) { return 1.0 / (1.0 + x); });
  out.multiplier = quantize_multiplier(static_cast<double>(in_scale * beta) / (10.0 / kRange));
  return out;
}

}  // namespace qlathe
