#include "frontend/formats/arrays/npy_header_text.h"

#include <charconv>
#include <cstring>
#include <set>

#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

/// NumPy 2 allows 64 dimensions.
constexpr size_t kMaxRank = 64;

/// Reads the literal left to right; the first problem ends it.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<NpyHeaderText> run() {
    expect('{');
    std::set<std::string> seen;
    while (problem_.ok() && !accept('}')) {
      const std::string key = string();
      expect(':');
      if (!problem_.ok()) break;
      if (!seen.insert(key).second) fail("has the key " + in_quotes(key) + " twice");
      if (key == "descr") {
        descr();
      } else if (key == "fortran_order") {
        out_.fortran_order = boolean();
      } else if (key == "shape") {
        shape();
      } else {
        fail("has the unknown key " + in_quotes(key));
      }
      if (!accept(',') && peek() != '}') fail("lacks a comma at byte " + std::to_string(at_));
    }
    for (const char* key : {"descr", "fortran_order", "shape"}) {
      if (problem_.ok() && !seen.contains(key)) fail(std::string("lacks the key '") + key + "'");
    }
    if (problem_.ok() && peek() != '\0') fail("goes on after its end");
    QL_RETURN_IF_ERROR(problem_);
    return out_;
  }

 private:
  void fail(const std::string& what) {
    if (problem_.ok()) problem_ = Status::user({"", "", "header"}, what);
    at_ = text_.size();
  }

  /// The next character that is not blank, '\0' at the end.
  char peek() {
    while (at_ < text_.size() && std::strchr(" \t\n\r", text_[at_]) && text_[at_] != '\0')
      ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool accept(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail(std::string("lacks '") + c + "' at byte " + std::to_string(at_));
  }

  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') {
      fail("lacks a string at byte " + std::to_string(at_));
      return "";
    }
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) {
      fail("has a string without end");
      return "";
    }
    std::string out(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return out;
  }

  bool boolean() {
    peek();
    for (const auto& [word, value] : {std::pair{"True", true}, std::pair{"False", false}}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += std::strlen(word);
        return value;
      }
    }
    fail("has neither True nor False for 'fortran_order'");
    return false;
  }

  void descr() {
    if (peek() != '[') {
      out_.descr = string();
      if (problem_.ok() && out_.descr.empty()) fail("has an empty 'descr'");
      return;
    }
    // A list of fields: skipped to its closing bracket, strings aside.
    out_.structured = true;
    int depth = 0;
    while (problem_.ok()) {
      const char c = peek();
      if (c == '\'' || c == '"') {
        string();
        continue;
      }
      if (c == '\0') return fail("has a list without end");
      ++at_;
      if (c == '[') ++depth;
      if (c == ']' && --depth == 0) return;
    }
  }

  void shape() {
    expect('(');
    while (problem_.ok() && !accept(')')) {
      int64_t extent = 0;
      peek();
      const char* begin = text_.data() + at_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), extent);
      if (error != std::errc() || extent < 0) return fail("has a shape with an entry that is not a size");
      if (out_.shape.size() == kMaxRank) return fail("has a shape of more than 64 dimensions");
      out_.shape.push_back(extent);
      at_ += static_cast<size_t>(end - begin);
      accept('L');  // Python 2 wrote long integers so
      if (!accept(',') && peek() != ')') return fail("has a shape without end");
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  NpyHeaderText out_;
  Status problem_;
};

}  // namespace

Result<NpyHeaderText> parse_npy_header_text(std::string_view text) { return Parser(text).run(); }

}  // namespace qlathe
