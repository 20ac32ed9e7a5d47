#include "frontend/numerics/convert.h"
#include "frontend/ops/pointwise_steps.h"

namespace qlathe {
namespace {

template <class T>
void load_integers(const HostTensor& tensor, const int64_t* at, size_t count, Value* out) {
  const T* data = tensor.as<T>().data();
  for (size_t i = 0; i < count; i++)
    out[i].i = static_cast<int64_t>(data[at[i]]);
}

template <class T>
void store_integers(const Value* values, size_t count, int64_t begin, HostTensor& tensor) {
  T* data = tensor.as<T>().data() + begin;
  for (size_t i = 0; i < count; i++)
    data[i] = static_cast<T>(values[i].i);
}

}  // namespace

void load_values(const HostTensor& tensor, const int64_t* at, size_t count, Value* out) {
  const ValueType type = tensor.type();
  if (type == ValueType::kF32) {
    const float* data = tensor.as<float>().data();
    for (size_t i = 0; i < count; i++)
      out[i].f = data[at[i]];
  } else if (type == ValueType::kBF16 || type == ValueType::kF16) {
    const uint16_t* data = tensor.as<uint16_t>().data();
    for (size_t i = 0; i < count; i++)
      out[i].f = type == ValueType::kBF16 ? bf16_to_f32(data[at[i]]) : f16_to_f32(data[at[i]]);
  } else {
    QL_CHECK(type != ValueType::kF64, "float64 values are not computed with");
    const bool with_sign = is_signed(type);
    switch (storage_bytes(type)) {
      case 1:
        return with_sign ? load_integers<int8_t>(tensor, at, count, out)
                         : load_integers<uint8_t>(tensor, at, count, out);
      case 2:
        return with_sign ? load_integers<int16_t>(tensor, at, count, out)
                         : load_integers<uint16_t>(tensor, at, count, out);
      case 4:
        return with_sign ? load_integers<int32_t>(tensor, at, count, out)
                         : load_integers<uint32_t>(tensor, at, count, out);
      default:
        return load_integers<int64_t>(tensor, at, count, out);
    }
  }
}

void store_values(const Value* values, size_t count, int64_t begin, HostTensor& tensor) {
  const ValueType type = tensor.type();
  if (type == ValueType::kF32) {
    float* data = tensor.as<float>().data() + begin;
    for (size_t i = 0; i < count; i++)
      data[i] = values[i].f;
  } else if (type == ValueType::kBF16 || type == ValueType::kF16) {
    uint16_t* data = tensor.as<uint16_t>().data() + begin;
    for (size_t i = 0; i < count; i++)
      data[i] = type == ValueType::kBF16 ? f32_to_bf16(values[i].f) : f32_to_f16(values[i].f);
  } else {
    QL_CHECK(type != ValueType::kF64, "float64 values are not computed with");
    switch (storage_bytes(type)) {
      case 1:
        return store_integers<uint8_t>(values, count, begin, tensor);
      case 2:
        return store_integers<uint16_t>(values, count, begin, tensor);
      case 4:
        return store_integers<uint32_t>(values, count, begin, tensor);
      default:
        return store_integers<int64_t>(values, count, begin, tensor);
    }
  }
}

}  // namespace qlathe
