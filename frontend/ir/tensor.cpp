#include "frontend/ir/tensor.h"

namespace qlathe {

int64_t element_count(const Shape& shape) {
  int64_t n = 1;
  for (int64_t extent : shape)
    n *= extent;
  return n;
}

Status check_shape(const Shape& shape) {
  constexpr int64_t kMaxElements = int64_t{1} << 40;
  int64_t n = 1;
  for (int64_t extent : shape) {
    if (extent < 0) return Status::user({}, "shape " + to_string(shape) + " has a negative extent");
    if (extent > 0 && n > kMaxElements / extent) {
      return Status::user({}, "shape " + to_string(shape) + " has more than 2^40 elements");
    }
    n *= extent;
  }
  return {};
}

std::string to_string(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string out;
  for (int64_t extent : shape)
    out += (out.empty() ? "" : "x") + std::to_string(extent);
  return out;
}

std::vector<int64_t> row_major_strides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * shape[i];
  return strides;
}

int64_t HostTensor::int_at(int64_t i) const {
  const auto at = static_cast<size_t>(i);
  switch (info(type_).storage_bytes) {
    case 1:
      return is_signed(type_) ? static_cast<int64_t>(as<int8_t>()[at]) : static_cast<int64_t>(as<uint8_t>()[at]);
    case 2:
      return is_signed(type_) ? static_cast<int64_t>(as<int16_t>()[at]) : static_cast<int64_t>(as<uint16_t>()[at]);
    case 4:
      return is_signed(type_) ? static_cast<int64_t>(as<int32_t>()[at]) : static_cast<int64_t>(as<uint32_t>()[at]);
    default:
      return as<int64_t>()[at];
  }
}

void HostTensor::set_int(int64_t i, int64_t value) {
  const auto at = static_cast<size_t>(i);
  switch (info(type_).storage_bytes) {
    case 1:
      as<uint8_t>()[at] = static_cast<uint8_t>(value);
      break;
    case 2:
      as<uint16_t>()[at] = static_cast<uint16_t>(value);
      break;
    case 4:
      as<uint32_t>()[at] = static_cast<uint32_t>(value);
      break;
    default:
      as<int64_t>()[at] = value;
  }
}

HostTensor HostTensor::reshaped(Shape shape) const {
  QL_CHECK(element_count(shape) == size(), to_string(shape_) + " to " + to_string(shape));
  HostTensor out = *this;
  out.shape_ = std::move(shape);
  return out;
}

HostTensor HostTensor::scalar(float value) { return of<float>(ValueType::kF32, {}, {value}); }

}  // namespace qlathe
