#include "frontend/ir/text_values.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

namespace qlathe {
namespace {

template <class T>
std::string shortest(T value) {
  char buffer[64];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  QL_CHECK(error == std::errc(), "to_chars");
  std::string out(buffer, end);
  if (out.find_first_of(".ein") == std::string::npos) out += ".0";
  return out;
}

std::string hexadecimal(uint64_t bits) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, bits, 16);
  QL_CHECK(error == std::errc(), "to_chars");
  return "0x" + std::string(buffer, end);
}

/// Types whose elements are written as their bits.
bool as_bits(ValueType type) { return is_code(type) || type == ValueType::kF16; }

template <class T>
bool parse_whole(const std::string& text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

uint64_t bits_at(const HostTensor& tensor, int64_t i) {
  const auto width = static_cast<size_t>(storage_bytes(tensor.type()));
  uint64_t bits = 0;
  std::memcpy(&bits, tensor.bytes() + static_cast<size_t>(i) * width, width);
  return bits;
}

bool set_bits(HostTensor& tensor, int64_t i, uint64_t bits) {
  const auto width = static_cast<size_t>(storage_bytes(tensor.type()));
  const int limit = info(tensor.type()).bits < 8 ? info(tensor.type()).bits : static_cast<int>(8 * width);
  if (limit < 64 && bits >> limit) return false;
  std::memcpy(tensor.bytes() + static_cast<size_t>(i) * width, &bits, width);
  return true;
}

}  // namespace

std::string double_text(double value) { return shortest(value); }

std::string element_text(const HostTensor& tensor, int64_t i) {
  const ValueType type = tensor.type();
  if (is_integer(type) || type == ValueType::kBool) return std::to_string(tensor.int_at(i));
  const uint64_t bits = bits_at(tensor, i);
  if (as_bits(type)) return hexadecimal(bits);
  if (type == ValueType::kF64) {
    const double value = std::bit_cast<double>(bits);
    return std::isnan(value) ? hexadecimal(bits) : shortest(value);
  }
  const auto word = static_cast<uint32_t>(type == ValueType::kBF16 ? bits << 16 : bits);
  const float value = std::bit_cast<float>(word);
  return std::isnan(value) ? hexadecimal(bits) : shortest(value);
}

bool set_element(HostTensor& tensor, int64_t i, const NumberText& number) {
  const ValueType type = tensor.type();
  if (number.hexadecimal) {
    uint64_t bits = 0;
    const auto [end, error] = std::from_chars(number.text.data(), number.text.data() + number.text.size(), bits, 16);
    if (error != std::errc() || end != number.text.data() + number.text.size()) return false;
    return !is_integer(type) && type != ValueType::kBool && set_bits(tensor, i, bits);
  }
  if (is_integer(type) || type == ValueType::kBool) {
    int64_t value = 0;
    const int64_t min = type == ValueType::kBool ? 0 : info(type).min;
    if (!parse_whole(number.text, value) || value < min || value > info(type).max) return false;
    tensor.set_int(i, value);
    return true;
  }
  if (as_bits(type)) return false;
  if (type == ValueType::kF64) {
    double value = 0;
    if (!parse_whole(number.text, value)) return false;
    return set_bits(tensor, i, std::bit_cast<uint64_t>(value));
  }
  float value = 0;
  if (!parse_whole(number.text, value)) return false;
  const uint32_t word = std::bit_cast<uint32_t>(value);
  if (type == ValueType::kF32) return set_bits(tensor, i, word);
  // bfloat16: what is written is a bfloat16 exactly.
  return (word & 0xFFFF) == 0 && set_bits(tensor, i, word >> 16);
}

}  // namespace qlathe
