// The checked view of an object, declared in json_reader.h.
#include <algorithm>

#include "frontend/formats/json_reader.h"
#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

std::string range_text(int64_t min, int64_t max) {
  if (min == INT64_MIN && max == INT64_MAX) return "an integer";
  if (max == INT64_MAX) return "an integer of at least " + std::to_string(min);
  if (min == INT64_MIN) return "an integer of at most " + std::to_string(max);
  return "an integer from " + std::to_string(min) + " to " + std::to_string(max);
}

bool in_range(const JsonValue& value, int64_t min, int64_t max) {
  return value.integer() && *value.integer() >= min && *value.integer() <= max;
}

/// What was found, for a message: the number itself where it is one.
std::string found_text(const JsonValue& value) {
  if (value.integer()) return std::to_string(*value.integer());
  return value.kind();
}

}  // namespace

JsonObject::JsonObject(const JsonDocument& document, const JsonValue& value, std::string node, Status& problems)
    : document_(document), value_(value), node_(std::move(node)), problems_(problems) {
  if (!value.object()) {
    add(Status::user(document.place(value, node_), std::string("expected an object, found ") + value.kind()));
  }
}

bool JsonObject::has(std::string_view key) const {
  const JsonValue* member = value_.find(key);
  return member && !member->is_null();
}

const JsonValue* JsonObject::find(const std::string& key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  const JsonValue* member = value_.find(key);
  return member && !member->is_null() ? member : nullptr;
}

std::optional<std::string> JsonObject::string(const std::string& key) {
  const JsonValue* member = find(key);
  if (!member) return std::nullopt;
  if (member->string()) return *member->string();
  wrong_kind(key, *member, "a string");
  return std::nullopt;
}

std::optional<bool> JsonObject::boolean(const std::string& key) {
  const JsonValue* member = find(key);
  if (!member) return std::nullopt;
  if (member->boolean()) return *member->boolean();
  wrong_kind(key, *member, "true or false");
  return std::nullopt;
}

std::optional<int64_t> JsonObject::integer(const std::string& key, int64_t min, int64_t max) {
  const JsonValue* member = find(key);
  if (!member) return std::nullopt;
  if (in_range(*member, min, max)) return *member->integer();
  wrong_kind(key, *member, range_text(min, max));
  return std::nullopt;
}

std::optional<double> JsonObject::number(const std::string& key) {
  const JsonValue* member = find(key);
  if (!member) return std::nullopt;
  if (member->number()) return member->number();
  wrong_kind(key, *member, "a number");
  return std::nullopt;
}

const JsonValue::Array* JsonObject::array(const std::string& key) {
  const JsonValue* member = find(key);
  if (!member) return nullptr;
  if (!member->array()) wrong_kind(key, *member, "a list");
  return member->array();
}

std::optional<std::vector<int64_t>> JsonObject::integers(const std::string& key, int64_t min, int64_t max) {
  const JsonValue::Array* list = array(key);
  if (!list) return std::nullopt;
  std::vector<int64_t> out;
  for (const JsonValue& item : *list) {
    if (!in_range(item, min, max)) {
      problem_at(item, key + "[" + std::to_string(&item - list->data()) + "]",
                 "expected " + range_text(min, max) + ", found " + found_text(item));
      return std::nullopt;
    }
    out.push_back(*item.integer());
  }
  return out;
}

std::optional<std::vector<std::string>> JsonObject::strings(const std::string& key) {
  const JsonValue::Array* list = array(key);
  if (!list) return std::nullopt;
  std::vector<std::string> out;
  for (const JsonValue& item : *list) {
    if (!item.string()) {
      problem_at(item, key + "[" + std::to_string(&item - list->data()) + "]",
                 "expected a string, found " + found_text(item));
      return std::nullopt;
    }
    out.push_back(*item.string());
  }
  return out;
}

template <class T>
T JsonObject::required(const std::string& key, std::optional<T> value) {
  // A field of the wrong kind has been reported by the getter already.
  if (!value && value_.object() && !has(key)) {
    add(Status::user(document_.place(value_, node_, key), "is missing"));
  }
  return value.value_or(T{});
}

std::string JsonObject::required_string(const std::string& key) { return required(key, string(key)); }
bool JsonObject::required_boolean(const std::string& key) { return required(key, boolean(key)); }
int64_t JsonObject::required_integer(const std::string& key, int64_t min, int64_t max) {
  return required(key, integer(key, min, max));
}
double JsonObject::required_number(const std::string& key) { return required(key, number(key)); }
std::vector<int64_t> JsonObject::required_integers(const std::string& key, int64_t min, int64_t max) {
  return required(key, integers(key, min, max));
}
std::vector<std::string> JsonObject::required_strings(const std::string& key) { return required(key, strings(key)); }

const JsonValue::Array* JsonObject::required_array(const std::string& key) {
  const JsonValue::Array* list = array(key);
  required<bool>(key, list ? std::optional<bool>(true) : std::nullopt);
  return list;
}

void JsonObject::problem(const std::string& key, std::string message, std::string remedy) {
  const JsonValue* member = value_.find(key);
  problem_at(member ? *member : value_, key, std::move(message), std::move(remedy));
}

void JsonObject::problem_at(const JsonValue& value, const std::string& field, std::string message, std::string remedy) {
  add(Status::user(document_.place(value, node_, field), std::move(message), std::move(remedy)));
}

void JsonObject::wrong_kind(const std::string& key, const JsonValue& found, const std::string& expected) {
  problem_at(found, key, "expected " + expected + ", found " + found_text(found));
}

void JsonObject::add(const Status& problem) {
  ok_ = false;
  problems_.merge(problem);
}

void JsonObject::finish() {
  if (!value_.object()) return;
  for (const JsonValue::Member& m : *value_.object()) {
    if (std::find(known_.begin(), known_.end(), m.key) != known_.end()) continue;
    if (problems_.full()) return;  // suggestions cost time
    add(Status::user({document_.position(m.key_offset), node_, ""}, "unknown field " + in_quotes(m.key),
                     did_you_mean(m.key, known_)));
  }
}

}  // namespace qlathe
