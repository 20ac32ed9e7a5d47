#include "frontend/ir/value_type.h"

#include "frontend/ir/result.h"

namespace qlathe {
namespace {

constexpr ValueTypeInfo signed_type(ValueType type, const char* name, int bits, int bytes, int packed) {
  const int64_t max = static_cast<int64_t>((uint64_t{1} << (bits - 1)) - 1);
  return {type, name, ValueClass::kSigned, bits, bytes, packed, -max - 1, max};
}

constexpr ValueTypeInfo unsigned_type(ValueType type, const char* name, int bits, int bytes, int packed) {
  return {type, name, ValueClass::kUnsigned, bits, bytes, packed, 0, static_cast<int64_t>((uint64_t{1} << bits) - 1)};
}

}  // namespace

const std::vector<ValueTypeInfo>& value_types() {
  using V = ValueType;
  static const std::vector<ValueTypeInfo> table = {
      {V::kBool, "bool", ValueClass::kBool, 1, 1, 8, 0, 1},
      signed_type(V::kI2, "int2", 2, 1, 2),
      signed_type(V::kI3, "int3", 3, 1, 4),
      signed_type(V::kI4, "int4", 4, 1, 4),
      signed_type(V::kI5, "int5", 5, 1, 8),
      signed_type(V::kI6, "int6", 6, 1, 8),
      signed_type(V::kI7, "int7", 7, 1, 8),
      signed_type(V::kI8, "int8", 8, 1, 8),
      signed_type(V::kI16, "int16", 16, 2, 16),
      signed_type(V::kI32, "int32", 32, 4, 32),
      signed_type(V::kI64, "int64", 64, 8, 64),
      unsigned_type(V::kU2, "uint2", 2, 1, 2),
      unsigned_type(V::kU3, "uint3", 3, 1, 4),
      unsigned_type(V::kU4, "uint4", 4, 1, 4),
      unsigned_type(V::kU5, "uint5", 5, 1, 8),
      unsigned_type(V::kU6, "uint6", 6, 1, 8),
      unsigned_type(V::kU7, "uint7", 7, 1, 8),
      unsigned_type(V::kU8, "uint8", 8, 1, 8),
      unsigned_type(V::kU16, "uint16", 16, 2, 16),
      unsigned_type(V::kU32, "uint32", 32, 4, 32),
      {V::kF8E4M3, "float8_e4m3fn", ValueClass::kFloat, 8, 1, 8, 0, 0},
      {V::kF8E5M2, "float8_e5m2", ValueClass::kFloat, 8, 1, 8, 0, 0},
      {V::kF4E2M1, "float4_e2m1fn", ValueClass::kFloat, 4, 1, 4, 0, 0},
      {V::kNF4, "nf4", ValueClass::kCode, 4, 1, 4, 0, 15},
      {V::kBF16, "bfloat16", ValueClass::kFloat, 16, 2, 16, 0, 0},
      {V::kF16, "float16", ValueClass::kFloat, 16, 2, 16, 0, 0},
      {V::kF32, "float32", ValueClass::kFloat, 32, 4, 32, 0, 0},
      {V::kF64, "float64", ValueClass::kFloat, 64, 8, 64, 0, 0},
  };
  return table;
}

const ValueTypeInfo& info(ValueType type) {
  const ValueTypeInfo& row = value_types()[static_cast<size_t>(type)];
  QL_CHECK(row.type == type, row.name);
  return row;
}

std::optional<ValueType> parse_value_type(std::string_view name) {
  for (const ValueTypeInfo& row : value_types()) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

}  // namespace qlathe
