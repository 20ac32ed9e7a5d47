#pragma once
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "frontend/ir/result.h"
#include "frontend/ir/value_type.h"

namespace qlathe {

using Shape = std::vector<int64_t>;

/// Product of the extents. The shape must have been checked (see check_shape).
int64_t element_count(const Shape& shape);
/// Refuses negative extents and shapes of more than 2^40 elements (overflow of sizes downstream).
Status check_shape(const Shape& shape);
/// "8x16", or "scalar" for rank 0.
std::string to_string(const Shape& shape);
/// Row-major strides in elements.
std::vector<int64_t> row_major_strides(const Shape& shape);

/// A dense row-major array in host memory. Sub-byte and code types hold one element a byte: signed integers
/// sign-extended, unsigned and codes zero-extended. bfloat16 and float16 hold their bits.
class HostTensor {
 public:
  HostTensor() = default;
  HostTensor(ValueType type, Shape shape)
      : type_(type),
        shape_(std::move(shape)),
        bytes_(static_cast<size_t>(element_count(shape_)) * static_cast<size_t>(storage_bytes(type_))) {}

  ValueType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  int64_t size() const { return element_count(shape_); }
  int rank() const { return static_cast<int>(shape_.size()); }
  size_t byte_size() const { return bytes_.size(); }
  uint8_t* bytes() { return bytes_.data(); }
  const uint8_t* bytes() const { return bytes_.data(); }

  /// Typed view; sizeof(T) must be the storage size of the type.
  template <class T>
  std::span<T> as() {
    QL_CHECK(sizeof(T) == static_cast<size_t>(storage_bytes(type_)), name(type_));
    return {reinterpret_cast<T*>(bytes_.data()), bytes_.size() / sizeof(T)};
  }
  template <class T>
  std::span<const T> as() const {
    QL_CHECK(sizeof(T) == static_cast<size_t>(storage_bytes(type_)), name(type_));
    return {reinterpret_cast<const T*>(bytes_.data()), bytes_.size() / sizeof(T)};
  }

  /// Element i as an integer (integer, bool and code types).
  int64_t int_at(int64_t i) const;
  void set_int(int64_t i, int64_t value);

  /// The same elements under another shape of equal size.
  HostTensor reshaped(Shape shape) const;

  static HostTensor scalar(float value);
  template <class T>
  static HostTensor of(ValueType type, Shape shape, const std::vector<T>& values) {
    HostTensor t(type, std::move(shape));
    QL_CHECK(values.size() * sizeof(T) == t.byte_size(), to_string(t.shape()));
    if (t.byte_size() > 0) std::memcpy(t.bytes(), values.data(), t.byte_size());
    return t;
  }

  /// Same type, shape and bits.
  friend bool operator==(const HostTensor&, const HostTensor&) = default;

 private:
  ValueType type_ = ValueType::kF32;
  Shape shape_;
  std::vector<uint8_t> bytes_;
};

}  // namespace qlathe
