#include <algorithm>
#include <cmath>

#include "frontend/numerics/brevitas_weight.h"

namespace qlathe::brevitas {
namespace {

// Code of a value that the format holds exactly: sign, exponent, mantissa.
uint8_t minifloat_code(const MinifloatFormat& f, float value) {
  const int sign = std::signbit(value) ? 1 : 0;
  const float magnitude = std::fabs(value);
  if (magnitude == 0) return static_cast<uint8_t>(sign << 7);
  const int exponent = std::max(std::ilogb(magnitude), 1 - f.exponent_bias);
  const int mantissa = static_cast<int>(std::ldexp(magnitude, f.mantissa_bits - exponent));
  const int leading = 1 << f.mantissa_bits;
  const int field = mantissa < leading ? 0 : exponent + f.exponent_bias;
  return static_cast<uint8_t>((sign << 7) | (field << f.mantissa_bits) | (mantissa % leading));
}

}  // namespace

Result<ValueType> storage_type(const Quantizer& q) {
  if (q.number == Number::kBinary) return ValueType::kI2;
  if (q.number == Number::kMinifloat) {
    if (q.format.exponent_bits == 4 && q.format.max_value == 448.0f) return ValueType::kF8E4M3;
    if (q.format.exponent_bits == 5 && q.format.max_value == 57344.0f) return ValueType::kF8E5M2;
    return Status::unsupported({}, "the values of '" + q.name + "' fit no stored type",
                               "use the OCP quantizer of the same format");
  }
  for (const ValueTypeInfo& type : value_types()) {
    if (!is_integer(type.type) || is_signed(type.type) != q.is_signed) continue;
    if (type.min <= q.min_int() && q.max_int() <= type.max) return type.type;
  }
  return Status::unsupported({}, "no type stores " + std::to_string(q.bit_width) + " bits");
}

Result<HostTensor> stored_values(const Quantized& quantized, const Quantizer& q) {
  QL_ASSIGN(const ValueType type, storage_type(q));
  HostTensor out(type, quantized.values.shape());
  const auto values = quantized.values.as<float>();
  for (int64_t i = 0; i < out.size(); i++) {
    const float value = values[static_cast<size_t>(i)];
    if (q.number == Number::kMinifloat) {
      out.as<uint8_t>()[static_cast<size_t>(i)] = minifloat_code(q.format, value);
    } else {
      // The largest int32 is no float32: a saturated bias comes back as 2^31.
      out.set_int(i, std::min(static_cast<int64_t>(value), q.max_int()));
    }
  }
  return out;
}

}  // namespace qlathe::brevitas
