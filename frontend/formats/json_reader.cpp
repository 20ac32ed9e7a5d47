#include "frontend/formats/json_reader.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <tuple>

#include "frontend/formats/byte_source.h"
#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

/// Walks the text for the parser and lets the handler below see how far it has read.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** seen) : at_(at), seen_(seen) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *seen_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) { return a.at_ == b.at_; }

 private:
  const char* at_;
  const char** seen_;
};

/// Builds the values while nlohmann's parser reads, and keeps the limits.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Builder(JsonDocument& document, const JsonLimits& limits) : document_(document), limits_(limits) {}

  Status run() {
    const char* begin = document_.text.data();
    seen_ = begin;
    try {
      const bool read = nlohmann::json::sax_parse(CountingIterator(begin, &seen_),
                                                  CountingIterator(begin + document_.text.size(), &seen_), this);
      if (!read && problem_.ok()) fail(here(), "cannot be read as JSON");
    } catch (const std::exception& e) {
      if (problem_.ok()) fail(here(), std::string("cannot be read as JSON: ") + e.what());
    }
    return problem_;
  }

  bool null() override { return add(std::monostate{}, here() - 4); }
  bool boolean(bool value) override { return add(value, here() - (value ? 4 : 5)); }
  bool number_integer(int64_t value) override { return add(value, number_start()); }
  bool number_unsigned(uint64_t value) override {
    // Beyond int64 no field means an integer any more; as a number it may still be a float.
    if (value > static_cast<uint64_t>(INT64_MAX)) return add(static_cast<double>(value), number_start());
    return add(static_cast<int64_t>(value), number_start());
  }
  bool number_float(double value, const std::string&) override { return add(value, number_start()); }
  bool string(std::string& value) override { return add(std::move(value), string_start()); }
  bool binary(nlohmann::json::binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(JsonValue::Object{}); }
  bool start_array(std::size_t) override { return open(JsonValue::Array{}); }
  bool key(std::string& value) override {
    std::get<JsonValue::Object>(stack_.back()->data()).push_back({std::move(value), string_start(), {}});
    return true;
  }
  bool end_object() override { return check_keys(*stack_.back()->object()) && close(); }
  bool end_array() override { return close(); }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) override {
    uint32_t at = here() ? here() - 1 : 0;
    // The word, not its second letter, is what is wrong with "NaN".
    for (const char* word : {"NaN", "-Infinity", "Infinity"}) {
      const size_t n = std::strlen(word);
      for (uint32_t back = 0; back < n && back <= at; ++back) {
        if (document_.text.compare(at - back, n, word) != 0) continue;
        fail(at - back, std::string(word) + " is not a number in JSON", "write a finite number");
        return false;
      }
    }
    std::string why = e.what();  // "[json.exception…] parse error at line 1, column 5: syntax error while … - …"
    if (why.find("406]") != std::string::npos) {
      fail(number_start(), "the number is too large");
      return false;
    }
    if (const size_t cut = why.find(": "); cut != std::string::npos) why = why.substr(cut + 2);
    if (why.find("unexpected number literal") != std::string::npos) at = number_start();
    if (why.find("unexpected end of input") != std::string::npos) at = here();
    if (at < document_.text.size()) {
      uint32_t before = at;
      while (before > 0 && std::strchr(" \t\r\n", document_.text[before - 1]))
        --before;
      if (before > 0 && document_.text[before - 1] == ',' && std::strchr("]}", document_.text[at])) {
        fail(before - 1, "a comma before a closing bracket is not JSON", "remove the comma");
        return false;
      }
    }
    fail(at, "not JSON: " + printable(why, 200));
    return false;
  }

 private:
  uint32_t here() const { return static_cast<uint32_t>(seen_ - document_.text.data()); }

  uint32_t number_start() const {
    const std::string& text = document_.text;
    const auto is_part = [&](uint32_t i) { return text[i] != '\0' && std::strchr("+-.0123456789eE", text[i]); };
    uint32_t at = here();
    while (at > 0 && !is_part(at - 1))
      --at;
    while (at > 0 && is_part(at - 1))
      --at;
    return at;
  }

  /// The opening quote of the string that ends just before the reading position.
  uint32_t string_start() const {
    const std::string& text = document_.text;
    uint32_t at = here() - 1;
    while (at-- > 0) {
      if (text[at] != '"') continue;
      uint32_t slashes = 0;
      while (slashes < at && text[at - 1 - slashes] == '\\')
        ++slashes;
      if (slashes % 2 == 0) return at;
      at -= slashes;
    }
    return 0;
  }

  JsonValue* place_new(JsonValue value) {
    if (++count_ > limits_.max_values) {
      fail(value.offset(), "more than " + std::to_string(limits_.max_values) + " values");
      return nullptr;
    }
    if (stack_.empty()) return &(document_.root = std::move(value));
    JsonValue& parent = *stack_.back();
    if (auto* object = std::get_if<JsonValue::Object>(&parent.data())) {
      return &(object->back().value = std::move(value));
    }
    auto& array = std::get<JsonValue::Array>(parent.data());
    array.push_back(std::move(value));
    return &array.back();
  }

  bool add(JsonValue::Data data, uint32_t offset) { return place_new(JsonValue(std::move(data), offset)) != nullptr; }

  bool open(JsonValue::Data data) {
    if (static_cast<int>(stack_.size()) >= limits_.max_depth) {
      fail(here() - 1, "nested deeper than " + std::to_string(limits_.max_depth) + " levels");
      return false;
    }
    // Pointers on the stack stay valid: a container grows only while its innermost open child is closed.
    JsonValue* value = place_new(JsonValue(std::move(data), here() - 1));
    if (value) stack_.push_back(value);
    return value != nullptr;
  }

  bool close() {
    stack_.pop_back();
    return true;
  }

  bool check_keys(const JsonValue::Object& object) {
    std::vector<const JsonValue::Member*> sorted;
    for (const JsonValue::Member& m : object)
      sorted.push_back(&m);
    std::sort(sorted.begin(), sorted.end(),
              [](auto* a, auto* b) { return std::tie(a->key, a->key_offset) < std::tie(b->key, b->key_offset); });
    const auto twice =
        std::adjacent_find(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->key == b->key; });
    if (twice == sorted.end()) return true;
    fail((*(twice + 1))->key_offset, "the key " + in_quotes((*twice)->key) + " stands twice in one object",
         "keep one of them");
    return false;
  }

  void fail(uint32_t offset, std::string message, std::string remedy = "") {
    problem_ = Status::user({document_.position(offset), "", ""}, std::move(message), std::move(remedy));
  }

  JsonDocument& document_;
  const JsonLimits& limits_;
  const char* seen_ = nullptr;
  std::vector<JsonValue*> stack_;
  size_t count_ = 0;
  Status problem_;
};

}  // namespace

std::optional<double> JsonValue::number() const {
  if (const auto* i = integer()) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&data_)) return *d;
  return std::nullopt;
}

const JsonValue* JsonValue::find(std::string_view key) const {
  if (!object()) return nullptr;
  for (const Member& m : *object()) {
    if (m.key == key) return &m.value;
  }
  return nullptr;
}

const char* JsonValue::kind() const {
  static constexpr const char* kKinds[] = {"null",     "true or false", "an integer", "a number",
                                           "a string", "a list",        "an object"};
  return kKinds[data_.index()];
}

std::string JsonDocument::position(uint32_t offset) const { return file + ":" + lines.at(text, offset); }

Result<JsonDocument> parse_json(std::string file, std::string text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Status::user({file, "", ""},
                        "is larger than a JSON file may be (" + std::to_string(limits.max_bytes) + " bytes)");
  }
  JsonDocument document{std::move(file), std::move(text), {}, {}};
  document.lines = SourceLines(document.text);
  QL_RETURN_IF_ERROR(Builder(document, limits).run());
  return document;
}

Result<JsonDocument> read_json_file(const std::string& path, const JsonLimits& limits) {
  QL_ASSIGN(std::string text, read_whole_file(path, limits.max_bytes));
  return parse_json(path, std::move(text), limits);
}

}  // namespace qlathe
