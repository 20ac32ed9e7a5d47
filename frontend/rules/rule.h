#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/formats/json_reader.h"
#include "frontend/numerics/calibration_method.h"
#include "frontend/numerics/quant_axes.h"
#include "frontend/numerics/quant_format.h"
#include "frontend/rules/regex.h"

namespace qlathe {

/// What a QuantizationRule says about the ops it takes (qconfig.py), checked and with its defaults filled in.
struct QwixRule {
  const QuantFormat* weight = nullptr;      ///< weight_qtype; null: the rule leaves its ops alone
  const QuantFormat* activation = nullptr;  ///< act_qtype; null: weight-only
  std::optional<TileSize> tile_size;
  bool block_int = false;           ///< block_int: tiles of a weight differ by integer multipliers (ours)
  bool static_activations = false;  ///< act_static_scale
  CalibrationMethod weight_method;
  CalibrationMethod activation_method;
  std::vector<int64_t> act_batch_axes = {
      0};  ///< axes that statistics are averaged over; negative ones count from the end
};

/// One entry of a rule list. `qwix` is set for a QuantizationRule; a rule of another type is kept as its JSON, to be
/// read by whom that type belongs to (with JsonObject over `json`, ignoring module_path and op_names).
struct Rule {
  std::string type;  ///< `_type`, "QuantizationRule" where absent
  std::string module_path = ".*";
  std::vector<std::string> op_names;  ///< empty: every op
  Regex regex;
  Place place;  ///< of the entry, node "rules[2]"
  std::optional<QwixRule> qwix;
  const JsonValue* json = nullptr;  ///< in RuleList::document
};

/// The options of Qwix's ODML provider (odml.py): rules state the type of tensors, for the full-integer kernels of
/// LiteRT. Activations are static and asymmetric unless a rule says otherwise.
struct OdmlProvider {
  bool disable_per_channel_weights = false;
  std::optional<CalibrationMethod> fixed_inputs, fixed_outputs;  ///< "fixed" ranges of the model's inputs and outputs
  bool strict = true;  ///< an op that cannot be quantized, under a rule that quantizes activations, is an error
};

struct RuleList {
  std::shared_ptr<const JsonDocument> document;  ///< keeps Rule::json alive
  std::vector<Rule> rules;                       ///< in order of precedence
  std::optional<OdmlProvider> odml;              ///< the provider that a rule file names
};

/// Reads the list `value`, a value of `document`. Every problem of every rule is reported. Entries of `other_types` are
/// accepted and kept as JSON; any other `_type` but QuantizationRule is refused.
Result<RuleList> read_rules(std::shared_ptr<const JsonDocument> document, const JsonValue& value,
                            const std::vector<std::string>& other_types = {"BrevitasRule"});

/// A file that is a list of rules, or an object with the list as "rules" and maybe a "provider": {"type": "odml", …}.
Result<RuleList> read_rules_file(const std::string& path,
                                 const std::vector<std::string>& other_types = {"BrevitasRule"});

/// The same from text; `name` stands for the file in messages.
Result<RuleList> parse_rules(std::string name, std::string text,
                             const std::vector<std::string>& other_types = {"BrevitasRule"});

}  // namespace qlathe
