#include "codegen/cpp/types.h"

#include <cmath>
#include <cstdio>
#include <limits>

namespace qlathe {

std::string cpp_type(const Halide::Type& type) {
  if (type.is_handle()) throw CannotPrint("a value of pointer type");
  if (type.is_bool()) return type.is_scalar() ? "bool" : "auto";
  bool carried_as_bits = type.is_float() && type.bits() == 16;
  std::string text = type.is_uint() || carried_as_bits ? "u" : type.is_int() ? "i" : "f";
  text += std::to_string(type.bits());
  int lanes = type.lanes();
  if (lanes == 1) return text;
  if ((lanes & (lanes - 1)) != 0 || lanes > 256) {
    throw CannotPrint("a vector of " + std::to_string(lanes) + " lanes; use a power of two up to 256");
  }
  return text + "x" + std::to_string(lanes);
}

std::string cpp_storage_type(const Halide::Type& type) { return type.is_bool() ? "u8" : cpp_type(type.element_of()); }

std::string integer_literal(const Halide::Type& type, int64_t value) {
  if (type.bits() == 64) {
    if (value == std::numeric_limits<int64_t>::min()) return "INT64_MIN";
    if (value > std::numeric_limits<int32_t>::max() || value <= std::numeric_limits<int32_t>::min()) {
      return "INT64_C(" + std::to_string(value) + ")";
    }
    return "i64(" + std::to_string(value) + ")";
  }
  if (value == std::numeric_limits<int32_t>::min()) return "INT32_MIN";
  std::string text = std::to_string(value);
  if (type.bits() == 32) return text;
  return cpp_type(type.element_of()) + "(" + text + ")";
}

std::string unsigned_literal(const Halide::Type& type, uint64_t value) {
  std::string text = std::to_string(value);
  if (type.is_bool()) return value != 0 ? "true" : "false";
  if (type.bits() == 64) return value > 0xffffffffu ? "UINT64_C(" + text + ")" : "u64(" + text + ")";
  if (type.bits() == 32) return text + "u";
  return cpp_type(type.element_of()) + "(" + text + ")";
}

std::string float_literal(const Halide::Type& type, double value) {
  bool is_double = type.bits() == 64;
  std::string suffix = is_double ? "_f64()" : "_f32()";
  if (std::isnan(value)) return "nan" + suffix;
  if (std::isinf(value)) return (value < 0 ? "-inf" : "inf") + suffix;
  char buffer[64];
  // Nine (seventeen) digits give every float32 (float64) back; fewer where they do already.
  for (int digits = 1; digits <= (is_double ? 17 : 9); ++digits) {
    std::snprintf(buffer, sizeof buffer, "%.*g", digits, value);
    double back = std::strtod(buffer, nullptr);
    if (is_double ? back == value : static_cast<float>(back) == static_cast<float>(value)) break;
  }
  std::string text = buffer;
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return is_double ? text : text + "f";
}

}  // namespace qlathe
