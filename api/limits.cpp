#include "api/limits.h"

#include <charconv>

namespace qlathe {

Result<int64_t> parse_bytes(const std::string& text, const std::string& option) {
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  int shift = -1;
  if (error == std::errc() && value > 0) {
    const std::string unit(at, end);
    if (unit.empty()) shift = 0;
    if (unit == "K" || unit == "k") shift = 10;
    if (unit == "M" || unit == "m") shift = 20;
  }
  if (shift < 0 || value > (int64_t{1} << 40)) {
    return Status::user({"", "", option}, "'" + text + "' is no size",
                        "give a number of bytes, or one with K (1024) or M (1048576): 64K");
  }
  return value << shift;
}

Status check_limits(const ModelOutput& output, const MemoryLimits& limits) {
  Status problems;
  const auto check = [&](const char* option, const std::optional<int64_t>& limit, int64_t bytes,
                         const std::string& parts, const std::string& remedy) {
    if (!limit || bytes <= *limit) return;
    problems.merge(Status::user({"", "", option},
                                "the model needs " + std::to_string(bytes) + " bytes, " +
                                    std::to_string(bytes - *limit) + " more than the limit of " +
                                    std::to_string(*limit) + ": " + parts,
                                remedy));
  };
  const auto part = [](const char* what, int64_t bytes) { return std::string(what) + " " + std::to_string(bytes); };
  const std::string unmeasured = " not measured: " + output.unmeasured;
  const int64_t stack = output.figures ? output.figures->stack_bytes : 0;
  check("--ram-limit", limits.ram, output.arena_bytes + output.state_bytes + stack,
        part("arena", output.arena_bytes) + (output.state_bytes ? part(", state", output.state_bytes) : "") +
            (output.figures ? part(", stack", stack) : ", stack" + unmeasured),
        "the arena's peak is at " + output.peak_call + " (qlathe inspect --memory shows what is live there)");
  const int64_t code = output.figures ? output.figures->code_bytes : 0;
  const int64_t constants = output.figures ? output.figures->constant_bytes : output.weight_bytes;
  check("--flash-limit", limits.flash, constants + code,
        part("constants", constants) + (output.figures ? part(", code", code) : ", code" + unmeasured),
        "weights of fewer bits (int4, see docs/rules.md) need less");
  return problems;
}

}  // namespace qlathe
