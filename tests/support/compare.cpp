#include "tests/support/compare.h"

#include <cmath>
#include <cstdio>
#include <cstring>

#include "frontend/numerics/convert.h"

namespace qlathe::testing {
namespace {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;

std::string number(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.9g (%a)", value, value);
  return text;
}

std::string describe(const HostTensor& t) { return std::string(name(t.type())) + "[" + to_string(t.shape()) + "]"; }

/// `equal(i)` for every element; the message lists the first that are not.
template <class Equal>
AssertionResult compare(const HostTensor& actual, const HostTensor& expected, Equal&& equal) {
  if (actual.type() != expected.type() || actual.shape() != expected.shape()) {
    return AssertionFailure() << "is " << describe(actual) << ", expected " << describe(expected);
  }
  int64_t wrong = 0, worst_at = 0;
  double worst = -1;
  std::string shown;
  for (int64_t i = 0; i < actual.size(); i++) {
    if (equal(i)) continue;
    const double a = real_at(actual, i), e = real_at(expected, i);
    if (wrong++ < 5) shown += "\n  at " + index_text(actual.shape(), i) + ": " + number(a) + ", expected " + number(e);
    if (std::fabs(a - e) > worst) {
      worst = std::fabs(a - e);
      worst_at = i;
    }
  }
  if (wrong == 0) return AssertionSuccess();
  return AssertionFailure() << wrong << " of " << actual.size() << " elements of " << describe(actual)
                            << " differ, by at most " << worst << " at " << index_text(actual.shape(), worst_at)
                            << shown;
}

}  // namespace

double real_at(const HostTensor& tensor, int64_t i) {
  const auto at = static_cast<size_t>(i);
  const ValueType type = tensor.type();
  if (is_code(type)) return static_cast<double>(decode(type, tensor.as<uint8_t>()[at]));
  if (type == ValueType::kF32) return static_cast<double>(tensor.as<float>()[at]);
  if (type == ValueType::kF64) return tensor.as<double>()[at];
  if (type == ValueType::kBF16) return static_cast<double>(bf16_to_f32(tensor.as<uint16_t>()[at]));
  if (type == ValueType::kF16) return static_cast<double>(f16_to_f32(tensor.as<uint16_t>()[at]));
  return static_cast<double>(tensor.int_at(i));
}

std::string index_text(const Shape& shape, int64_t i) {
  std::string out;
  for (size_t d = shape.size(); d-- > 0;) {
    out = std::to_string(i % shape[d]) + (out.empty() ? "" : ",") + out;
    i /= shape[d];
  }
  return "[" + out + "]";
}

AssertionResult same_bits(const HostTensor& actual, const HostTensor& expected) {
  const auto bytes = static_cast<size_t>(storage_bytes(expected.type()));
  return compare(actual, expected, [&](int64_t i) {
    const size_t at = static_cast<size_t>(i) * bytes;
    return std::memcmp(actual.bytes() + at, expected.bytes() + at, bytes) == 0;
  });
}

AssertionResult same_bits(const std::vector<HostTensor>& actual, const std::vector<HostTensor>& expected) {
  if (actual.size() != expected.size()) {
    return AssertionFailure() << actual.size() << " results, expected " << expected.size();
  }
  for (size_t i = 0; i < actual.size(); i++) {
    if (AssertionResult same = same_bits(actual[i], expected[i]); !same) {
      return AssertionFailure() << "result " << i << ": " << same.message();
    }
  }
  return AssertionSuccess();
}

AssertionResult near(const HostTensor& actual, const HostTensor& expected, double absolute, double relative) {
  return compare(actual, expected, [&](int64_t i) {
    const double a = real_at(actual, i), e = real_at(expected, i);
    if (std::isnan(a) || std::isnan(e)) return std::isnan(a) && std::isnan(e);
    return a == e || std::fabs(a - e) <= absolute + relative * std::fabs(e);
  });
}

}  // namespace qlathe::testing
