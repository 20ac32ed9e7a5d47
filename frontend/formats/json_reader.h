#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "frontend/ir/result.h"
#include "frontend/ir/source_lines.h"

namespace qlathe {

/// Bounds on a JSON document, so that a hostile one costs bounded memory and time.
struct JsonLimits {
  size_t max_bytes = size_t{64} << 20;
  int max_depth = 64;
  size_t max_values = size_t{1} << 20;  ///< objects, arrays, strings, numbers and literals, all together
};

/// One value of a parsed document. Integers and other numbers are told apart: 1 is an integer, 1.0 is a number.
class JsonValue {
 public:
  struct Member;
  using Array = std::vector<JsonValue>;
  using Object = std::vector<Member>;  // in the order of the file
  using Data = std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object>;

  // Defined below, where Member is complete.
  JsonValue();
  JsonValue(Data data, uint32_t offset);
  JsonValue(const JsonValue&);
  JsonValue(JsonValue&&) noexcept;
  JsonValue& operator=(const JsonValue&);
  JsonValue& operator=(JsonValue&&) noexcept;
  ~JsonValue();

  bool is_null() const { return data_.index() == 0; }
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const int64_t* integer() const { return std::get_if<int64_t>(&data_); }
  /// Any number, integers included; integers beyond 2^53 lose bits.
  std::optional<double> number() const;
  const std::string* string() const { return std::get_if<std::string>(&data_); }
  const Array* array() const { return std::get_if<Array>(&data_); }
  const Object* object() const { return std::get_if<Object>(&data_); }
  /// The member of that name; null where there is none or this is no object.
  const JsonValue* find(std::string_view key) const;
  /// "an object", "a string", …, for messages.
  const char* kind() const;
  uint32_t offset() const { return offset_; }

  Data& data() { return data_; }

 private:
  Data data_;
  uint32_t offset_ = 0;  // of the first byte of the value in the text
};

struct JsonValue::Member {
  std::string key;
  uint32_t key_offset = 0;
  JsonValue value;
};

inline JsonValue::JsonValue() = default;
inline JsonValue::JsonValue(Data data, uint32_t offset) : data_(std::move(data)), offset_(offset) {}
inline JsonValue::JsonValue(const JsonValue&) = default;
inline JsonValue::JsonValue(JsonValue&&) noexcept = default;
inline JsonValue& JsonValue::operator=(const JsonValue&) = default;
inline JsonValue& JsonValue::operator=(JsonValue&&) noexcept = default;
inline JsonValue::~JsonValue() = default;

/// A parsed document with its text, which gives positions for messages.
struct JsonDocument {
  std::string file;  ///< as the user gave it
  std::string text;
  JsonValue root;
  SourceLines lines;

  /// "file:line:column".
  std::string position(uint32_t offset) const;
  Place place(const JsonValue& value, std::string node = "", std::string field = "") const {
    return {position(value.offset()), std::move(node), std::move(field)};
  }
};

/// Strict JSON (RFC 8259): duplicate keys, NaN, Infinity, comments, trailing commas and bad UTF-8 are errors that say
/// where (file:line:column). Numbers too large for float64 are errors too.
Result<JsonDocument> parse_json(std::string file, std::string text, const JsonLimits& limits = {});
Result<JsonDocument> read_json_file(const std::string& path, const JsonLimits& limits = {});

/// A checked view of an object. Every getter marks its key as known; finish() reports the others. Problems are added to
/// `problems` with the position in the file, `node` and the field, and reading goes on, so that one pass finds them
/// all. In optional getters null counts as absent; required getters return an empty value after a problem.
class JsonObject {
 public:
  JsonObject(const JsonDocument& document, const JsonValue& value, std::string node, Status& problems);

  bool has(std::string_view key) const;
  /// The raw member, null where absent (or JSON null); marks the key as known.
  const JsonValue* find(const std::string& key);

  std::optional<std::string> string(const std::string& key);
  std::optional<bool> boolean(const std::string& key);
  std::optional<int64_t> integer(const std::string& key, int64_t min = INT64_MIN, int64_t max = INT64_MAX);
  std::optional<double> number(const std::string& key);
  const JsonValue::Array* array(const std::string& key);
  std::optional<std::vector<int64_t>> integers(const std::string& key, int64_t min = INT64_MIN,
                                               int64_t max = INT64_MAX);
  std::optional<std::vector<std::string>> strings(const std::string& key);

  std::string required_string(const std::string& key);
  bool required_boolean(const std::string& key);
  int64_t required_integer(const std::string& key, int64_t min = INT64_MIN, int64_t max = INT64_MAX);
  double required_number(const std::string& key);
  std::vector<int64_t> required_integers(const std::string& key, int64_t min = INT64_MIN, int64_t max = INT64_MAX);
  std::vector<std::string> required_strings(const std::string& key);
  const JsonValue::Array* required_array(const std::string& key);

  /// Notes that something about this object is wrong that was reported otherwise.
  void fail() { ok_ = false; }
  /// A problem with a field's value, at its position (the object's where the field is absent).
  void problem(const std::string& key, std::string message, std::string remedy = "");
  /// A problem with a value below a field, e.g. one element of a list.
  void problem_at(const JsonValue& value, const std::string& field, std::string message, std::string remedy = "");
  /// Names a key that is accepted and not read.
  void ignore(const std::string& key) { find(key); }
  /// Reports every key that no getter asked for, with a suggestion among those asked for.
  void finish();

  /// Whether nothing was wrong so far.
  bool ok() const { return ok_; }
  const JsonValue& value() const { return value_; }
  const std::string& node() const { return node_; }
  void set_node(std::string node) { node_ = std::move(node); }

 private:
  template <class T>
  T required(const std::string& key, std::optional<T> value);
  void add(const Status& problem);
  void wrong_kind(const std::string& key, const JsonValue& found, const std::string& expected);

  const JsonDocument& document_;
  const JsonValue& value_;
  std::string node_;
  Status& problems_;
  bool ok_ = true;
  std::vector<std::string> known_;
};

}  // namespace qlathe
