#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qlathe {

/// The type of a stored element. Scales, zero points and formats such as mxfp8 are not part of it (see quant_format.h).
enum class ValueType : uint8_t {
  kBool,
  kI2,
  kI3,
  kI4,
  kI5,
  kI6,
  kI7,
  kI8,
  kI16,
  kI32,
  kI64,
  kU2,
  kU3,
  kU4,
  kU5,
  kU6,
  kU7,
  kU8,
  kU16,
  kU32,
  kF8E4M3,
  kF8E5M2,  ///< OCP float8: e4m3fn has no infinity
  kF4E2M1,  ///< codes 0..15: 0 0.5 1 1.5 2 3 4 6 and their negatives
  kNF4,     ///< codes 0..15 into the table of NormalFloat4
  kBF16,
  kF16,
  kF32,
  kF64,
};

enum class ValueClass : uint8_t { kBool, kSigned, kUnsigned, kFloat, kCode };

/// One row of the type table. A new quantized type is one row here and its decode in runtime/.
struct ValueTypeInfo {
  ValueType type;
  const char* name;  ///< text form and JSON: "int4", "float8_e4m3fn", …
  ValueClass cls;
  int bits;           ///< significant bits of an element
  int storage_bytes;  ///< bytes of an element in a HostTensor (sub-byte types: one element a byte, sign-extended)
  int packed_bits;    ///< bits of an element in packed constants: 2, 4, 8, 16, 32, 64
  int64_t min, max;   ///< range of the integer types, 0..15 for codes; 0, 0 for floats
};

const ValueTypeInfo& info(ValueType type);
const std::vector<ValueTypeInfo>& value_types();
/// By name; "float8_e4m3fn", "float8_e5m2", "float4_e2m1fn", "nf4", "bfloat16", "float32", "int4", …
std::optional<ValueType> parse_value_type(std::string_view name);

inline const char* name(ValueType t) { return info(t).name; }
inline bool is_integer(ValueType t) {
  return info(t).cls == ValueClass::kSigned || info(t).cls == ValueClass::kUnsigned;
}
inline bool is_signed(ValueType t) { return info(t).cls == ValueClass::kSigned; }
/// float32, float64, and the types that are stored narrow and computed as float32 (bfloat16, float16).
inline bool is_float(ValueType t) { return info(t).cls == ValueClass::kFloat && info(t).bits >= 16; }
/// float8, float4 and nf4: a byte holds a code that decodes to a float32.
inline bool is_code(ValueType t) {
  return info(t).cls == ValueClass::kCode || (info(t).cls == ValueClass::kFloat && info(t).bits < 16);
}
inline int storage_bytes(ValueType t) { return info(t).storage_bytes; }

}  // namespace qlathe
