#include "frontend/numerics/calibration_method.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <vector>

#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

constexpr const char* kForms = "use absmax[,factor], minmax[,factor], rms,factor, fixed,bound or fixed,low,high";

std::optional<double> parse_number(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
    text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.remove_suffix(1);
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '-') return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(static_cast<float>(value))) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

Result<CalibrationMethod> parse_calibration_method(std::string_view text) {
  const auto error = [&](std::string message) {
    return Status::user({}, "calibration method " + in_quotes(text) + " " + std::move(message), kForms);
  };
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const size_t comma = lower.find(',');
  const std::string method = lower.substr(0, comma);
  std::vector<double> arguments;
  for (size_t at = comma; at != std::string::npos;) {
    const size_t next = lower.find(',', at + 1);
    const std::string argument = lower.substr(at + 1, next == std::string::npos ? next : next - at - 1);
    const auto number = parse_number(argument);
    if (!number) return error("has the argument " + in_quotes(argument) + ", which is not a finite number");
    if (arguments.size() == 16) return error("has too many arguments");
    arguments.push_back(*number);
    at = next;
  }

  CalibrationMethod out;
  if (method == "absmax" || method == "minmax" || method == "rms") {
    out.kind = method == "absmax"   ? CalibrationMethod::Kind::kAbsmax
               : method == "minmax" ? CalibrationMethod::Kind::kMinmax
                                    : CalibrationMethod::Kind::kRms;
    if (!arguments.empty()) out.factor = static_cast<float>(arguments[0]);
    if (method == "rms" && !out.factor) return error("needs a factor");
    return out;
  }
  if (method != "fixed") {
    const std::string guess = nearest(method, {"absmax", "minmax", "rms", "fixed"});
    return Status::user({}, "unknown calibration method " + in_quotes(text),
                        guess.empty() ? kForms : "did you mean '" + guess + "'?");
  }
  if (arguments.empty() || arguments.size() > 2) return error("needs a range: one bound, or a low and a high one");
  const double lo = arguments.size() == 1 ? -arguments[0] : arguments[0];
  const double hi = arguments.back();
  if (lo > 0 || hi < 0 || lo >= hi) return error("has a range that is empty or does not contain 0");
  out.kind = CalibrationMethod::Kind::kFixed;
  out.lo = static_cast<float>(lo);
  out.hi = static_cast<float>(hi);
  // The reference compares before rounding to float32: bounds that differ only beyond it stay asymmetric there.
  if (lo == -hi) out.lo = -out.hi;
  return out;
}

}  // namespace qlathe
