#include "tests/cases/tolerance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "frontend/numerics/convert.h"

namespace qlathe::cases {
namespace {

double number_at(const HostTensor& t, const std::vector<float>& floats, int64_t i) {
  if (is_integer(t.type()) || t.type() == ValueType::kBool) return static_cast<double>(t.int_at(i));
  return static_cast<double>(floats[static_cast<size_t>(i)]);
}

std::string index_text(const Shape& shape, int64_t i) {
  std::string out;
  for (size_t d = shape.size(); d-- > 0;) {
    out = std::to_string(i % shape[d]) + (out.empty() ? "" : ",") + out;
    i /= shape[d];
  }
  return "[" + out + "]";
}

Shape without_ones(const Shape& shape) {
  Shape out;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(out), [](int64_t n) { return n != 1; });
  return out;
}

/// Position of a stored value among all values of its type: neighbours differ by one.
int64_t ordinal(const HostTensor& t, int64_t i) {
  const auto at = static_cast<size_t>(i);
  const auto of_bits = [](int64_t bits, int64_t sign) { return bits & sign ? -(bits & (sign - 1)) : bits; };
  switch (t.type()) {
    case ValueType::kNF4:
      return t.int_at(i);
    case ValueType::kF4E2M1:
      return of_bits(t.as<uint8_t>()[at], 0x8);
    case ValueType::kBF16:
    case ValueType::kF16:
      return of_bits(t.as<uint16_t>()[at], 0x8000);
    case ValueType::kF32: {
      int32_t bits;
      std::memcpy(&bits, t.bytes() + at * 4, 4);
      return bits < 0 ? -static_cast<int64_t>(bits & 0x7fffffff) : bits;
    }
    default:
      return is_code(t.type()) ? of_bits(t.as<uint8_t>()[at], 0x80) : t.int_at(i);
  }
}

bool near_tie(double quotient, double bound) {
  const double fraction = std::fabs(quotient) - std::floor(std::fabs(quotient));
  return std::fabs(fraction - 0.5) <= bound;
}

}  // namespace

std::string Difference::line() const {
  if (size == 0) return array + ": " + text;
  return fmt::format("{}: {} of {} elements differ, worst at {}: {:.9g}, expected {:.9g}, off by {:.4g}{}", array,
                     differing, size, index, got, expected, std::fabs(got - expected),
                     text.empty() ? "" : " (" + text + ")");
}

void Findings::fail(const std::string& array, const std::string& text) {
  Difference d;
  d.array = array;
  d.text = text;
  differences.push_back(std::move(d));
}

void Findings::expect(bool holds, const std::string& what, const std::string& text) {
  compared++;
  if (!holds) fail(what, text);
}

void Findings::compare(const std::string& array, const HostTensor& got, const HostTensor& want,
                       const Allowance& allowance) {
  compared++;
  if (got.size() != want.size() || without_ones(got.shape()) != without_ones(want.shape())) {
    fail(array, "shape [" + to_string(got.shape()) + "], expected [" + to_string(want.shape()) + "]");
    return;
  }
  const bool float_got = got.type() == ValueType::kF32, float_want = want.type() == ValueType::kF32;
  const bool as_numbers = float_got != float_want || storage_bytes(got.type()) != storage_bytes(want.type());
  const bool integers = is_integer(got.type()) || is_integer(want.type());
  if (as_numbers && !integers) {
    fail(array, fmt::format("type {}, expected {}", name(got.type()), name(want.type())));
    return;
  }
  const std::vector<float> a = to_floats(got), b = to_floats(want);
  double largest = 0;
  for (const float value : b)
    if (std::isfinite(value)) largest = std::max(largest, std::fabs(static_cast<double>(value)));
  const auto width = static_cast<size_t>(storage_bytes(want.type()));
  const auto same = [&](int64_t i) {
    if (as_numbers) return number_at(got, a, i) == number_at(want, b, i);
    return std::memcmp(got.bytes() + static_cast<size_t>(i) * width, want.bytes() + static_cast<size_t>(i) * width,
                       width) == 0;
  };
  const auto allowed = [&](int64_t i) {
    const double x = number_at(got, a, i), y = number_at(want, b, i);
    switch (allowance.kind) {
      case Allowance::Kind::kExact:
        return false;
      case Allowance::Kind::kRelativeToMax:
        return std::isnan(x) && std::isnan(y) ? true : std::fabs(x - y) <= allowance.bound * largest;
      case Allowance::Kind::kClose:
        if (x == y || (std::isnan(x) && std::isnan(y))) return true;
        return std::fabs(x - y) <= allowance.absolute + allowance.bound * std::fabs(y);
      case Allowance::Kind::kRelative:
        return std::fabs(x - y) <= allowance.bound * std::fabs(y);
      case Allowance::Kind::kOneStep:
        return !as_numbers && std::abs(ordinal(got, i) - ordinal(want, i)) <= 1;
      case Allowance::Kind::kOneStepAtTie:
        return !as_numbers && std::abs(ordinal(got, i) - ordinal(want, i)) <= 1 &&
               near_tie(static_cast<double>(allowance.quotient.at(static_cast<size_t>(i))), allowance.bound);
    }
    return false;
  };
  Difference d;
  d.array = array;
  d.size = want.size();
  double worst = -1;
  for (int64_t i = 0; i < want.size(); i++) {
    if (same(i) || allowed(i)) continue;
    d.differing++;
    const double x = number_at(got, a, i), y = number_at(want, b, i);
    const double off = std::isfinite(x - y) ? std::fabs(x - y) : INFINITY;
    if (off <= worst) continue;
    worst = off;
    d.index = index_text(want.shape(), i);
    d.got = x;
    d.expected = y;
  }
  if (d.differing == 0) return;
  if (worst == 0) d.text = "equal numbers of different bits";
  if (allowance.kind == Allowance::Kind::kRelativeToMax)
    d.text = fmt::format("relative to the largest: {:.3g}, allowed {:.3g}", worst / largest, allowance.bound);
  differences.push_back(std::move(d));
}

void Findings::note_beyond(double typical, const std::string& array, const HostTensor& got, const HostTensor& want) {
  if (typical <= 0 || got.size() != want.size()) return;
  const std::vector<float> a = to_floats(got), b = to_floats(want);
  double difference = 0, largest = 0;
  for (size_t i = 0; i < b.size(); i++) {
    difference = std::max(difference, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    largest = std::max(largest, std::fabs(static_cast<double>(b[i])));
  }
  if (difference > typical * largest) {
    notes.push_back(
        fmt::format("{}: {:.2g} of the largest value, typically {:.2g}", array, difference / largest, typical));
  }
}

std::string Tolerance::wording(const char* key) const {
  return json_.contains(key) && json_[key].is_string() ? json_[key].get<std::string>() : "";
}

double Tolerance::number(const char* key) const {
  return json_.contains(key) && json_[key].is_number() ? json_[key].get<double>() : 0.0;
}

double Tolerance::typical() const { return number("typical_rel_to_max"); }

Allowance Tolerance::stored(Source source, const std::function<std::vector<float>()>& quotient) const {
  const std::string text = wording("qvalue");
  if (text == "exact for weights; activations of later layers may flip by one step") {
    return source == Source::kLaterLayer ? Allowance{Allowance::Kind::kOneStep, 0, {}} : Allowance{};
  }
  if (text == "may flip by one step where x/scale is within 1e-5 of a tie")
    return {Allowance::Kind::kOneStepAtTie, 1e-5, quotient()};
  return {};
}

Allowance Tolerance::scale(Source source) const {
  if (number("scale_rel") > 0) return {Allowance::Kind::kRelative, number("scale_rel"), {}};
  const std::string text = wording("scale");
  if (text == "one bfloat16 step") return {Allowance::Kind::kOneStep, 0, {}};
  // Of later layers the case says how far their inputs typically are from the reference's; so are their ranges.
  if (text == "exact for weights" && source == Source::kLaterLayer) return {Allowance::Kind::kRelative, typical(), {}};
  return {};
}

Allowance Tolerance::output() const {
  if (wording("output") == "exact") return {};
  if (number("output_rel_to_max") > 0) return {Allowance::Kind::kRelativeToMax, number("output_rel_to_max"), {}};
  if (json_.contains("output") && json_["output"].is_object() && json_["output"].contains("rel_to_max"))
    return {Allowance::Kind::kRelativeToMax, json_["output"]["rel_to_max"].get<double>(), {}};
  return {};
}

}  // namespace qlathe::cases
