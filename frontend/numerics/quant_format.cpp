#include "frontend/numerics/quant_format.h"

#include <string>

#include "frontend/ir/suggest.h"

namespace qlathe {

const std::vector<QuantFormat>& quant_formats() {
  using V = ValueType;
  constexpr ScaleRule kPlain = ScaleRule::kPlain;
  // Integers: B = qmax + 1/2, so that the outermost bucket is used in full. Floats: the largest finite value.
  static const std::vector<QuantFormat> table = {
      {"int2", V::kI2, V::kI4, 1.5f, kPlain, 0, false},
      {"int3", V::kI3, V::kI4, 3.5f, kPlain, 0, false},
      {"int4", V::kI4, V::kI4, 7.5f, kPlain, 0, true},
      {"int5", V::kI5, V::kI8, 15.5f, kPlain, 0, false},
      {"int6", V::kI6, V::kI8, 31.5f, kPlain, 0, false},
      {"int7", V::kI7, V::kI8, 63.5f, kPlain, 0, false},
      {"int8", V::kI8, V::kI8, 127.5f, kPlain, 0, true},
      {"uint2", V::kU2, V::kU2, 3.5f, kPlain, 0, false},
      {"uint4", V::kU4, V::kU4, 15.5f, kPlain, 0, false},
      {"uint8", V::kU8, V::kU8, 255.5f, kPlain, 0, false},
      {"float8_e4m3fn", V::kF8E4M3, V::kF8E4M3, 448.f, kPlain, 0, false},
      {"float8_e5m2", V::kF8E5M2, V::kF8E5M2, 57344.f, kPlain, 0, false},
      {"float4_e2m1fn", V::kF4E2M1, V::kF4E2M1, 6.f, kPlain, 0, false},
      {"nf4", V::kNF4, V::kU4, 1.f, kPlain, 0, false},
      {"mxfp8", V::kF8E4M3, V::kF8E4M3, 448.f, ScaleRule::kPowerOfTwo, 32, false},
      {"mxfp4", V::kF4E2M1, V::kF4E2M1, 6.f, ScaleRule::kPowerOfTwo, 32, false},
      {"nvfp4", V::kF4E2M1, V::kF4E2M1, 6.f, ScaleRule::kE4M3, 16, false},
  };
  return table;
}

Result<const QuantFormat*> parse_quant_format(std::string_view name) {
  std::vector<std::string> names;
  for (const QuantFormat& format : quant_formats()) {
    if (format.name == name) return &format;
    names.emplace_back(format.name);
  }
  if (const auto type = parse_value_type(name)) {
    const char* why = storage_bytes(*type) > 1 ? " is wider than one byte" : " is no type to quantize to";
    return Status::user({}, in_quotes(name) + why, did_you_mean("", names));
  }
  return Status::user({}, "unknown type " + in_quotes(name), did_you_mean(name, names));
}

}  // namespace qlathe
