#include "frontend/rules/brevitas_rule.h"

#include <cmath>
#include <limits>

namespace qlathe {
namespace {

using brevitas::Granularity;
using brevitas::Number;
using brevitas::Quantizer;
using brevitas::Role;

class BrevitasRuleReader {
 public:
  BrevitasRuleReader(const JsonDocument& document, const JsonValue& block, std::string node)
      : object_(document, block, std::move(node), problems_) {
    rule_.place = document.place(block, object_.node());
    for (const char* key : {"_type", "module_path", "op_names"})
      object_.ignore(key);
  }

  Result<BrevitasRule> read() {
    read_shared();
    read_quantizer("weight", Role::kWeight, rule_.weight);
    read_quantizer("act", Role::kAct, rule_.act);
    read_quantizer("bias", Role::kBias, rule_.bias);
    read_static_scale();
    const bool any = rule_.quantizes_weight() || rule_.quantizes_act() || rule_.quantizes_bias();
    object_.finish();
    if (!problems_.ok()) return problems_;
    if (shared_used_ && !any) {
      object_.problem("bit_width", "options without a quantizer", "name a weight_quant or an act_quant");
      return problems_;
    }
    return std::move(rule_);
  }

 private:
  // Options without a prefix.
  void read_shared() {
    shared_bits_ = object_.integer("bit_width", 1, 8);
    shared_narrow_ = object_.boolean("narrow_range");
    shared_rounding_ = either_string("rounding", "float_to_int_impl_type");
    shared_channel_ = object_.boolean("per_channel");
    shared_used_ = shared_bits_ || shared_narrow_ || shared_rounding_ || shared_channel_;
  }

  std::optional<std::string> either_string(const std::string& ours, const std::string& theirs) {
    const auto first = object_.string(ours);
    const auto second = object_.string(theirs);
    if (first && second) object_.problem(theirs, "means the same as " + ours, "give one of them");
    return first ? first : second;
  }

  void read_quantizer(const std::string& prefix, Role role, Quantizer& q) {
    const std::string key = prefix + "_quant";
    const std::string name = object_.string(key).value_or("");
    const auto found = brevitas::find_quantizer(role, name);
    const bool named = found.ok() && found->number != Number::kFloat;
    q = found.ok() ? *found : Quantizer{};
    if (!found.ok()) report(key, found.status());
    const bool any = read_options(prefix + "_", role, q);
    if (any && found.ok() && !named) {
      object_.problem(key, "options of a " + key + " that is not named", "name the quantizer");
    }
    if (!named) q.number = Number::kFloat;
    if (!named) return;
    Status checked = brevitas::check(q);
    for (Diagnostic d : checked.diagnostics())
      object_.problem(d.place.field.empty() ? key : option_key(prefix, d.place.field), d.message, d.remedy);
  }

  // The key as the user wrote it: with the prefix, without it, or that of the quantizer.
  std::string option_key(const std::string& prefix, const std::string& field) const {
    if (object_.has(prefix + "_" + field)) return prefix + "_" + field;
    return object_.has(field) ? field : prefix + "_quant";
  }

  void report(const std::string& key, const Status& status) {
    for (const Diagnostic& d : status.diagnostics()) {
      if (d.kind == Diagnostic::Kind::kUnsupported) {
        Diagnostic placed = d;
        placed.place = rule_.place;
        placed.place.field = key;
        problems_.add(std::move(placed));
      } else {
        object_.problem(key, d.message, d.remedy);
      }
    }
  }

  // Gives whether any option with the prefix is there. Getters of fields that are absent still make them known.
  bool read_options(const std::string& prefix, Role role, Quantizer& q) {
    bool any = false;
    auto take = [&](const auto& value, auto& to) {
      if (!value) return;
      any = true;
      to = static_cast<std::decay_t<decltype(to)>>(*value);
    };
    const bool shared = role != Role::kBias;
    if (shared && shared_bits_ && q.number == Number::kInt) q.bit_width = static_cast<int>(*shared_bits_);
    if (shared && shared_narrow_) q.narrow_range = *shared_narrow_;
    take(object_.integer(prefix + "bit_width", 1, 32), q.bit_width);
    take(object_.boolean(prefix + "narrow_range"), q.narrow_range);
    take(object_.boolean(prefix + "signed"), q.is_signed);
    const auto own_rounding = either_string(prefix + "rounding", prefix + "float_to_int_impl_type");
    any = any || own_rounding;
    if (own_rounding) {
      set_rounding(prefix + "rounding", *own_rounding, q);
    } else if (shared && shared_rounding_) {
      set_rounding("rounding", *shared_rounding_, q);
    }
    take(object_.number(prefix + "scaling_const"), q.scaling_const);
    take(object_.number(prefix + "min_val"), q.min_val);
    take(object_.number(prefix + "max_val"), q.max_val);
    take(object_.number(prefix + "high_percentile_q"), q.high_percentile_q);
    take(object_.number(prefix + "low_percentile_q"), q.low_percentile_q);
    take(object_.number(prefix + "scaling_min_val"), q.scaling_min_val);
    take(object_.number(prefix + "momentum"), q.momentum);
    take(object_.integer(prefix + "collect_stats_steps", 1, std::numeric_limits<int>::max()), q.collect_stats_steps);
    take(object_.integer(prefix + "group_size", 1, int64_t{1} << 31), q.group_size);
    any = read_granularity(prefix, role, q) || any;
    return any;
  }

  void set_rounding(const std::string& key, const std::string& text, Quantizer& q) {
    const auto mode = brevitas::parse_round_mode(text);
    if (mode.ok()) {
      q.rounding = *mode;
    } else {
      report(key, mode.status());
    }
  }

  bool read_granularity(const std::string& prefix, Role role, Quantizer& q) {
    auto channel = object_.boolean(prefix + "per_channel");
    const auto theirs = object_.boolean(prefix + "scaling_per_output_channel");
    const auto text = either_string(prefix + "granularity", prefix + "scaling_per_output_type");
    const bool any = channel || theirs || text;
    if (!channel) channel = theirs;
    if (!channel && !text && role == Role::kWeight) channel = shared_channel_;
    if (channel && q.granularity != Granularity::kGroup)
      q.granularity = *channel ? Granularity::kChannel : Granularity::kTensor;
    if (text) {
      const auto granularity = brevitas::parse_granularity(*text);
      if (granularity.ok()) {
        q.granularity = *granularity;
      } else {
        report(prefix + "granularity", granularity.status());
      }
    }
    if (role == Role::kAct && q.granularity != Granularity::kTensor) {
      object_.problem(prefix + "quant", "an activation has one scale per tensor here", "use granularity tensor");
      q.granularity = Granularity::kTensor;
    }
    return any;
  }

  void read_static_scale() {
    const auto scale = object_.number("act_scale");
    rule_.act_zero_point = object_.integer("act_zero_point", -128, 255);
    if (scale) {
      rule_.act_scale = static_cast<float>(*scale);
      if (!(std::isnormal(*rule_.act_scale) && *rule_.act_scale > 0)) {
        object_.problem("act_scale", "a scale is a positive normal float32");
      }
    }
    if ((scale || rule_.act_zero_point) && !rule_.quantizes_act()) {
      object_.problem(scale ? "act_scale" : "act_zero_point", "without an act_quant", "name the activation quantizer");
    }
    if (rule_.act_zero_point && !scale) {
      object_.problem("act_zero_point", "without an act_scale", "give both, or neither to calibrate");
    }
    if (rule_.act_zero_point &&
        (*rule_.act_zero_point < rule_.act.min_int() || *rule_.act_zero_point > rule_.act.max_int())) {
      object_.problem("act_zero_point", "is outside the quantizer's range " + std::to_string(rule_.act.min_int()) +
                                            ".." + std::to_string(rule_.act.max_int()));
    }
  }

  Status problems_;
  JsonObject object_;
  BrevitasRule rule_;
  std::optional<int64_t> shared_bits_;
  std::optional<bool> shared_narrow_, shared_channel_;
  std::optional<std::string> shared_rounding_;
  bool shared_used_ = false;
};

}  // namespace

Result<BrevitasRule> read_brevitas_rule(const JsonDocument& document, const JsonValue& block, std::string node) {
  return BrevitasRuleReader(document, block, std::move(node)).read();
}

}  // namespace qlathe
