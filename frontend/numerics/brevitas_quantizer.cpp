#include "frontend/numerics/brevitas_quantizer.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "frontend/ir/suggest.h"
#include "frontend/numerics/brevitas_catalogue.h"

namespace qlathe::brevitas {

int64_t Quantizer::min_int() const {
  if (!is_signed) return 0;
  return -(int64_t{1} << (bit_width - 1)) + (narrow_range ? 1 : 0);
}

int64_t Quantizer::max_int() const {
  if (!is_signed) return (int64_t{1} << bit_width) - (narrow_range ? 2 : 1);
  return (int64_t{1} << (bit_width - 1)) - 1;
}

std::vector<std::string> quantizer_names(Role role) {
  std::vector<std::string> names;
  for (const Quantizer& q : catalogue())
    if (q.role == role) names.push_back(q.name);
  std::sort(names.begin(), names.end());
  return names;
}

namespace {

const char* role_name(Role role) {
  return role == Role::kWeight ? "weight" : role == Role::kAct ? "activation" : "bias";
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return out;
}

template <class T>
Result<T> parse_choice(std::string_view text, const char* what, const std::vector<std::pair<std::string, T>>& choices) {
  std::vector<std::string> names;
  for (const auto& [name, value] : choices) {
    if (lower_case(text) == name) return value;
    names.push_back(name);
  }
  return Status::user({}, std::string("unknown ") + what + " " + in_quotes(text), did_you_mean(text, names));
}

}  // namespace

Result<Quantizer> find_quantizer(Role role, std::string_view name) {
  Quantizer none;
  none.role = role;
  none.number = Number::kFloat;
  if (name.empty() || lower_case(name) == "none") return none;
  for (const Quantizer& q : catalogue()) {
    if (q.role != role || q.name != name) continue;
    if (!q.unsupported.empty()) {
      return Status::unsupported({}, "quantizer '" + q.name + "' is not supported: " + q.unsupported);
    }
    return q;
  }
  for (const Quantizer& q : catalogue()) {
    if (q.name == name) {
      return Status::user({}, "'" + q.name + "' is " + (q.role == Role::kAct ? "an " : "a ") + role_name(q.role) +
                                  " quantizer, not " + (role == Role::kAct ? "an " : "a ") + role_name(role) +
                                  " quantizer");
    }
  }
  const std::string near = nearest(name, quantizer_names(role));
  return Status::user({}, std::string("unknown ") + role_name(role) + " quantizer " + in_quotes(name),
                      near.empty() ? "use a name of brevitas.quant" : "did you mean '" + near + "'?");
}

Result<RoundMode> parse_round_mode(std::string_view name) {
  return parse_choice<RoundMode>(name, "rounding",
                                 {{"round", RoundMode::kRound},
                                  {"floor", RoundMode::kFloor},
                                  {"ceil", RoundMode::kCeil},
                                  {"round_to_zero", RoundMode::kRoundToZero},
                                  {"dpu", RoundMode::kDpu}});
}

Result<Granularity> parse_granularity(std::string_view name) {
  return parse_choice<Granularity>(
      name, "granularity",
      {{"tensor", Granularity::kTensor}, {"channel", Granularity::kChannel}, {"group", Granularity::kGroup}});
}

Status check(const Quantizer& q) {
  Status status;
  auto require = [&](bool condition, const std::string& field, const std::string& message) {
    if (!condition) status.merge(Status::user({.field = field}, message));
  };
  const int widest = q.role == Role::kBias ? 32 : 8;
  if (q.number == Number::kInt) {
    require(q.bit_width >= (q.is_signed ? 2 : 1) && q.bit_width <= widest, "bit_width",
            "a bit width of " + std::to_string(q.bit_width) + " is outside " + (q.is_signed ? "2" : "1") + ".." +
                std::to_string(widest));
    require(q.is_signed || !q.narrow_range || q.bit_width > 1, "narrow_range",
            "a narrow range of one unsigned bit holds no value but 0");
  }
  require(q.group_size >= 1, "group_size", "a group has at least one element");
  for (double percentile : {q.low_percentile_q, q.high_percentile_q})
    require(percentile > 0 && percentile <= 100, "percentile_q", "a percentile is in (0, 100]");
  require(q.collect_stats_steps >= 1, "collect_stats_steps", "statistics need at least one step");
  require(std::isfinite(q.scaling_const) && q.scaling_const != 0, "scaling_const", "a scale is finite and not 0");
  if (q.statistic == Statistic::kRange) {
    const double range = std::max(std::fabs(q.min_val), std::fabs(q.max_val));
    require(std::isfinite(range) && range > 0 && q.min_val <= q.max_val, "max_val",
            "the range of '" + q.name + "' needs finite min_val <= max_val, not both 0");
  }
  return status;
}

}  // namespace qlathe::brevitas
