#include "frontend/numerics/convert.h"

#include <array>
#include <bit>
#include <cmath>

namespace qlathe {
namespace {

/// A small IEEE-like format: sign, `exponent` bits with `bias`, `mantissa` bits.
struct MiniFloat {
  int exponent, mantissa, bias;
  float max;          // largest finite value
  uint8_t nan;        // code of the positive NaN; float4 has none and maps NaN to -0
  uint8_t nan_first;  // first positive code that is not finite, 255 if all are
  bool inf;           // nan_first itself is infinity (e5m2)
};

constexpr MiniFloat kE4M3{4, 3, 7, 448.f, 0x7f, 0x7f, false};
constexpr MiniFloat kE5M2{5, 2, 15, 57344.f, 0x7e, 0x7c, true};
constexpr MiniFloat kE2M1{2, 1, 1, 6.f, 0x08, 0xff, false};

const MiniFloat& mini_float(ValueType type) {
  QL_CHECK(type == ValueType::kF8E4M3 || type == ValueType::kF8E5M2 || type == ValueType::kF4E2M1, name(type));
  return type == ValueType::kF8E4M3 ? kE4M3 : type == ValueType::kF8E5M2 ? kE5M2 : kE2M1;
}

float decode_mini(const MiniFloat& f, uint8_t code) {
  const int sign_bit = f.exponent + f.mantissa;
  const int magnitude = code & ((1 << sign_bit) - 1);
  const bool negative = (code >> sign_bit) & 1;
  if (magnitude >= f.nan_first) {
    const float special = f.inf && magnitude == f.nan_first ? INFINITY : NAN;
    return negative ? -special : special;
  }
  const int exponent = magnitude >> f.mantissa;
  const int mantissa = magnitude & ((1 << f.mantissa) - 1);
  const float value =
      exponent == 0 ? std::ldexp(static_cast<float>(mantissa), 1 - f.bias - f.mantissa)
                    : std::ldexp(static_cast<float>(mantissa + (1 << f.mantissa)), exponent - f.bias - f.mantissa);
  return negative ? -value : value;
}

uint8_t encode_mini(const MiniFloat& f, float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint8_t>((bits >> 31) << (f.exponent + f.mantissa));
  if (std::isnan(value)) return f.nan_first == 0xff ? f.nan : static_cast<uint8_t>(sign | f.nan);
  const float magnitude = std::fmin(std::fabs(value), f.max);
  // The smallest normal value; below it codes are equally spaced.
  if (magnitude < std::ldexp(1.f, 1 - f.bias)) {
    const float steps = std::ldexp(magnitude, f.bias - 1 + f.mantissa);
    return static_cast<uint8_t>(sign | round_clip(steps, 0, 1 << f.mantissa));
  }
  // Drop the low mantissa bits with round to nearest even; a carry moves into the exponent, as it should.
  const uint32_t b = std::bit_cast<uint32_t>(magnitude);
  const int drop = 23 - f.mantissa;
  const uint32_t rounded = (b + (uint32_t{1} << (drop - 1)) - 1 + ((b >> drop) & 1)) >> drop;
  return static_cast<uint8_t>(sign | (rounded - (static_cast<uint32_t>(127 - f.bias) << f.mantissa)));
}

std::array<float, 256> decode_table(ValueType type) {
  std::array<float, 256> table{};
  for (int code = 0; code < 256; ++code)
    table[static_cast<size_t>(code)] = decode_mini(mini_float(type), static_cast<uint8_t>(code));
  return table;
}

template <class T>
void widen(const HostTensor& tensor, std::vector<float>& out) {
  const auto values = tensor.as<T>();
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<float>(values[i]);
}

}  // namespace

const float kNf4Table[16] = {-1.0f,
                             -0.6961928009986877f,
                             -0.5250730514526367f,
                             -0.39491748809814453f,
                             -0.28444138169288635f,
                             -0.18477343022823334f,
                             -0.09105003625154495f,
                             0.0f,
                             0.07958029955625534f,
                             0.16093020141124725f,
                             0.24611230194568634f,
                             0.33791524171829224f,
                             0.44070982933044434f,
                             0.5626170039176941f,
                             0.7229568362236023f,
                             1.0f};

float decode(ValueType code_type, uint8_t code) {
  if (code_type == ValueType::kNF4) return kNf4Table[code & 15];
  static const std::array<float, 256> e4m3 = decode_table(ValueType::kF8E4M3);
  static const std::array<float, 256> e5m2 = decode_table(ValueType::kF8E5M2);
  static const std::array<float, 256> e2m1 = decode_table(ValueType::kF4E2M1);
  if (code_type == ValueType::kF8E4M3) return e4m3[code];
  if (code_type == ValueType::kF8E5M2) return e5m2[code];
  QL_CHECK(code_type == ValueType::kF4E2M1, name(code_type));
  return e2m1[code & 15];
}

uint8_t encode(ValueType code_type, float value) {
  if (code_type != ValueType::kNF4) return encode_mini(mini_float(code_type), value);
  if (!std::isfinite(value)) return 0;
  int best = 0;
  for (int i = 1; i < 16; ++i) {
    if (std::fabs(kNf4Table[i] - value) < std::fabs(kNf4Table[best] - value)) best = i;
  }
  return static_cast<uint8_t>(best);
}

float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float f16_to_f32(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (static_cast<uint32_t>(mantissa) << 13));
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                                        : std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  if (std::isnan(value)) return static_cast<uint16_t>(sign | 0x7e00);
  const float magnitude = std::fabs(value);
  if (magnitude >= 65520.f) return static_cast<uint16_t>(sign | 0x7c00);  // the midpoint above 65504 rounds away
  if (magnitude < 0x1p-14f) return static_cast<uint16_t>(sign | round_clip(magnitude * 0x1p24f, 0, 1024));
  const uint32_t b = std::bit_cast<uint32_t>(magnitude);
  const uint32_t rounded = (b + 0xfff + ((b >> 13) & 1)) >> 13;
  return static_cast<uint16_t>(sign | (rounded - (112u << 10)));
}

float round_to(ValueType float_type, float value) {
  if (float_type == ValueType::kBF16) return bf16_to_f32(f32_to_bf16(value));
  if (float_type == ValueType::kF16) return f16_to_f32(f32_to_f16(value));
  QL_CHECK(float_type == ValueType::kF32, name(float_type));
  return value;
}

int32_t round_clip(float value, int32_t min, int32_t max) {
  if (std::isnan(value)) return 0;
  if (value <= static_cast<float>(min)) return min;
  if (value >= static_cast<float>(max)) return max;
  // |value| < 2^24 here. Adding and taking away a multiple of 2^52 rounds a double half to even, whatever the CPU.
  constexpr double kMagic = 0x1.8p52;
  return static_cast<int32_t>((static_cast<double>(value) + kMagic) - kMagic);
}

std::vector<float> to_floats(const HostTensor& tensor) {
  std::vector<float> out(static_cast<size_t>(tensor.size()));
  const ValueType type = tensor.type();
  if (is_code(type)) {
    const auto codes = tensor.as<uint8_t>();
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = decode(type, codes[i]);
    return out;
  }
  switch (type) {
    case ValueType::kF32:
      widen<float>(tensor, out);
      break;
    case ValueType::kF64:
      widen<double>(tensor, out);
      break;
    case ValueType::kBF16:
      for (size_t i = 0; i < out.size(); ++i)
        out[i] = bf16_to_f32(tensor.as<uint16_t>()[i]);
      break;
    case ValueType::kF16:
      for (size_t i = 0; i < out.size(); ++i)
        out[i] = f16_to_f32(tensor.as<uint16_t>()[i]);
      break;
    default:
      for (size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<float>(tensor.int_at(static_cast<int64_t>(i)));
  }
  return out;
}

HostTensor from_floats(ValueType float_type, Shape shape, std::span<const float> values) {
  HostTensor out(float_type, std::move(shape));
  QL_CHECK(values.size() == static_cast<size_t>(out.size()), to_string(out.shape()));
  for (size_t i = 0; i < values.size(); ++i) {
    if (float_type == ValueType::kF32)
      out.as<float>()[i] = values[i];
    else if (float_type == ValueType::kBF16)
      out.as<uint16_t>()[i] = f32_to_bf16(values[i]);
    else {
      QL_CHECK(float_type == ValueType::kF16, name(float_type));
      out.as<uint16_t>()[i] = f32_to_f16(values[i]);
    }
  }
  return out;
}

}  // namespace qlathe
