#include "frontend/rules/rule.h"

#include <algorithm>

#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

constexpr size_t kMaxRules = 10000;

/// Reads one entry; problems go to `problems` with the entry's place.
class RuleReader {
 public:
  RuleReader(const JsonDocument& document, const JsonValue& value, size_t index, bool odml, Status& problems)
      : odml_(odml), problems_(problems), object_(document, value, "rules[" + std::to_string(index) + "]", problems) {
    rule_.place = document.place(value, object_.node());
    rule_.json = &value;
  }

  Rule read(const std::vector<std::string>& other_types) {
    rule_.type = object_.string("_type").value_or("QuantizationRule");
    matcher();
    if (rule_.type == "QuantizationRule") {
      qwix();
      object_.finish();
    } else if (std::find(other_types.begin(), other_types.end(), rule_.type) == other_types.end()) {
      std::vector<std::string> known = other_types;
      known.push_back("QuantizationRule");
      if (rule_.type == "QtRule" || rule_.type == "LoraRule" || rule_.type == "QLoraRule") {
        Place place = rule_.place;
        place.field = "_type";
        problems_.merge(Status::unsupported(place, "rules of type " + rule_.type, did_you_mean("", known)));
      } else {
        object_.problem("_type", "unknown type of rule " + in_quotes(rule_.type), did_you_mean(rule_.type, known));
      }
    }
    return std::move(rule_);
  }

 private:
  void matcher() {
    rule_.module_path = object_.string("module_path").value_or(".*");
    auto regex = Regex::compile(rule_.module_path);
    if (regex.ok())
      rule_.regex = std::move(*regex);
    else
      merge("module_path", regex.status());
    if (const JsonValue* names = object_.find("op_names"); names && names->string()) {
      object_.problem("op_names", "expected a list of strings, found a string", "write [\"" + *names->string() + "\"]");
    } else {
      rule_.op_names = object_.strings("op_names").value_or(std::vector<std::string>());
    }
  }

  void qwix() {
    QwixRule rule;
    rule.weight = format("weight_qtype");
    rule.activation = format("act_qtype");
    rule.tile_size = tile_size();
    rule.weight_method = method("weight_calibration_method");
    rule.activation_method = method("act_calibration_method");
    const bool has_static = object_.has("act_static_scale");
    rule.static_activations = object_.boolean("act_static_scale").value_or(odml_ && rule.activation != nullptr);
    if (odml_) odml(rule);
    if (has_static && !object_.has("act_qtype")) {
      object_.problem("act_static_scale", "act_static_scale is set, but activations are not quantized",
                      "set act_qtype, or remove act_static_scale");
    }
    if (object_.has("act_batch_axes")) {
      // Every tensor has at most 64 dimensions; whether the axes exist is known where the rule is applied.
      rule.act_batch_axes = object_.integers("act_batch_axes", -64, 64).value_or(std::vector<int64_t>{0});
    }
    rule.block_int = object_.boolean("block_int").value_or(false);
    if (rule.block_int) check_block_int(rule);
    rule_.qwix = std::move(rule);
  }

  /// Defaults and limits of the ODML provider.
  void odml(QwixRule& rule) {
    if (!object_.has("act_calibration_method")) rule.activation_method.kind = CalibrationMethod::Kind::kMinmax;
    for (const char* key : {"weight_qtype", "act_qtype"}) {
      const QuantFormat* given = std::string(key) == "act_qtype" ? rule.activation : rule.weight;
      if (given != nullptr && given->type != ValueType::kI8 && !(given->type == ValueType::kI4 && given == rule.weight))
        object_.problem(key, std::string(given->name) + " has no form in LiteRT's integer kernels",
                        "use int8, or int4 for weights");
    }
    if (rule.activation != nullptr && !rule.static_activations)
      object_.problem("act_static_scale", "a full-integer model has no scales that are computed while it runs",
                      "remove it, or remove act_qtype for weights alone");
    if (rule.weight_method.asymmetric())
      object_.problem("weight_calibration_method", "weights have no zero points in LiteRT's integer kernels",
                      "use absmax, rms or a symmetric fixed range");
    for (const char* key : {"tile_size", "block_int"}) {
      if (object_.has(key)) object_.problem(key, "the ODML provider has no tiles", std::string("remove ") + key);
    }
  }

  /// What cannot be summed in integers to the end.
  void check_block_int(const QwixRule& rule) {
    const auto problem = [&](const std::string& what, const std::string& remedy) {
      object_.problem("block_int", what, remedy);
    };
    if (!object_.has("tile_size")) problem("block_int needs the size of a block", "set tile_size, 32 for example");
    if (!object_.has("weight_qtype")) {
      problem("block_int is set, but weights are not quantized", "set weight_qtype, or remove block_int");
    } else if (rule.weight != nullptr && (!is_integer(rule.weight->type) || !is_signed(rule.weight->type))) {
      problem(std::string("block_int needs signed integer weights; weight_qtype is ") + rule.weight->name,
              "use int2 to int8");
    }
    if (!object_.has("act_qtype")) {
      problem("block_int is set, but activations are not quantized", "set act_qtype to int8, or remove block_int");
    } else if (rule.activation != nullptr && !is_integer(rule.activation->type)) {
      problem(std::string("block_int needs integer activations; act_qtype is ") + rule.activation->name, "use int8");
    }
    if (rule.weight_method.asymmetric() || rule.weight_method.per_tensor()) {
      problem("block_int needs a symmetric scale for every block of the weights",
              "set weight_calibration_method to absmax or rms,f");
    }
  }

  const QuantFormat* format(const std::string& key) {
    const auto name = object_.string(key);
    if (!name) return nullptr;
    const auto parsed = parse_quant_format(*name);
    if (parsed.ok()) return *parsed;
    merge(key, parsed.status());
    return nullptr;
  }

  CalibrationMethod method(const std::string& key) {
    const auto text = object_.string(key);
    if (!text) return {};
    const auto parsed = parse_calibration_method(*text);
    if (parsed.ok()) return *parsed;
    merge(key, parsed.status());
    return {};
  }

  std::optional<TileSize> tile_size() {
    const JsonValue* value = object_.find("tile_size");
    if (!value) return std::nullopt;
    if (const int64_t* elements = value->integer()) {
      if (*elements < 0) object_.problem("tile_size", "tile_size " + std::to_string(*elements) + " is negative");
      // As in the reference, 0 is no tiling.
      return *elements > 0 ? std::optional(TileSize::of(*elements)) : std::nullopt;
    }
    if (const auto fraction = value->number()) {
      if (*fraction < 0) object_.problem("tile_size", "tile_size is negative");
      return *fraction > 0 ? std::optional(TileSize::of_axis(*fraction)) : std::nullopt;
    }
    object_.problem("tile_size", std::string("expected a number, found ") + value->kind(),
                    "give a number of elements, or a fraction of the axis such as 0.5");
    return std::nullopt;
  }

  void merge(const std::string& key, const Status& status) {
    for (const Diagnostic& d : status.diagnostics())
      object_.problem(key, d.message, d.remedy);
  }

  const bool odml_;
  Status& problems_;
  JsonObject object_;
  Rule rule_;
};

/// "fixed,lo,hi" of a pair of numbers.
std::optional<CalibrationMethod> fixed_range(JsonObject& object, const char* key) {
  const JsonValue* value = object.find(key);
  if (value == nullptr) return std::nullopt;
  const JsonValue::Array* pair = value->array();
  if (pair == nullptr || pair->size() != 2 || !(*pair)[0].number() || !(*pair)[1].number()) {
    object.problem(key, "expected two numbers, [lo, hi]");
    return std::nullopt;
  }
  CalibrationMethod out;
  out.kind = CalibrationMethod::Kind::kFixed;
  out.lo = static_cast<float>(*(*pair)[0].number());
  out.hi = static_cast<float>(*(*pair)[1].number());
  if (!(out.lo <= 0) || !(out.hi >= 0) || !(out.lo < out.hi))
    object.problem(key, "is no range that contains 0", "give lo <= 0 <= hi with lo < hi");
  return out;
}

std::optional<OdmlProvider> read_provider(const JsonDocument& document, const JsonValue& value, Status& problems) {
  JsonObject object(document, value, "provider", problems);
  OdmlProvider out;
  const std::string type = object.required_string("type");
  if (type != "odml" && object.ok()) object.problem("type", "unknown provider " + in_quotes(type), "write \"odml\"");
  out.disable_per_channel_weights = object.boolean("disable_per_channel_weights").value_or(false);
  out.fixed_inputs = fixed_range(object, "fixed_range_for_inputs");
  out.fixed_outputs = fixed_range(object, "fixed_range_for_outputs");
  out.strict = object.boolean("strict").value_or(true);
  object.finish();
  return out;
}

Result<RuleList> read_list(std::shared_ptr<const JsonDocument> document, const JsonValue& value,
                           const std::vector<std::string>& other_types, std::optional<OdmlProvider> odml) {
  const JsonValue::Array* entries = value.array();
  if (!entries) {
    return Status::user(document->place(value, "rules"),
                        std::string("expected a list of rules, found ") + value.kind());
  }
  if (entries->size() > kMaxRules) {
    return Status::user(document->place(value, "rules"), std::to_string(entries->size()) + " rules",
                        "keep to " + std::to_string(kMaxRules));
  }
  RuleList list{document, {}, odml};
  Status problems;
  for (size_t i = 0; i < entries->size(); ++i)
    list.rules.push_back(RuleReader(*document, (*entries)[i], i, odml.has_value(), problems).read(other_types));
  if (!problems.ok()) return problems;
  return list;
}

}  // namespace

Result<RuleList> read_rules(std::shared_ptr<const JsonDocument> document, const JsonValue& value,
                            const std::vector<std::string>& other_types) {
  return read_list(std::move(document), value, other_types, std::nullopt);
}

static Result<RuleList> read_rule_document(JsonDocument parsed, const std::vector<std::string>& other_types) {
  const auto document = std::make_shared<const JsonDocument>(std::move(parsed));
  if (!document->root.object()) return read_rules(document, document->root, other_types);
  Status problems;
  JsonObject object(*document, document->root, "", problems);
  object.required_array("rules");
  const JsonValue* provider = object.find("provider");
  std::optional<OdmlProvider> odml;
  if (provider != nullptr) odml = read_provider(*document, *provider, problems);
  object.finish();
  if (!problems.ok()) return problems;
  // Under another provider, rules of other types have nothing to do.
  return read_list(document, *document->root.find("rules"), odml ? std::vector<std::string>{} : other_types, odml);
}

Result<RuleList> read_rules_file(const std::string& path, const std::vector<std::string>& other_types) {
  QL_ASSIGN(JsonDocument document, read_json_file(path));
  return read_rule_document(std::move(document), other_types);
}

Result<RuleList> parse_rules(std::string name, std::string text, const std::vector<std::string>& other_types) {
  QL_ASSIGN(JsonDocument document, parse_json(std::move(name), std::move(text)));
  return read_rule_document(std::move(document), other_types);
}

}  // namespace qlathe
