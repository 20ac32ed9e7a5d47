#include "frontend/rules/python_pattern.h"

#include <algorithm>
#include <cstdint>

namespace qlathe {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_octal(char c) { return c >= '0' && c <= '7'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  Result<TranslatedPattern> run() {
    while (at_ < in_.size()) {
      Status problem;
      switch (in_[at_]) {
        case '\\':
          problem = escape(false);
          break;
        case '[':
          problem = character_class();
          break;
        case '(':
          problem = group();
          break;
        case '{':
          repeat();
          break;
        case '#':
          if (verbose_)
            comment();
          else
            copy(1);
          break;
        default:
          copy(1);
      }
      QL_RETURN_IF_ERROR(problem);
    }
    out_.origin.push_back(in_.size());
    return std::move(out_);
  }

 private:
  char peek(size_t ahead) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }

  Status error(const std::string& message, const std::string& remedy = "") const {
    return Status::user({}, message + " at position " + std::to_string(at_), remedy);
  }

  void put(std::string_view text) {
    out_.text += text;
    out_.origin.insert(out_.origin.end(), text.size(), at_);
  }
  void copy(size_t count) {
    for (; count > 0 && at_ < in_.size(); --count, ++at_)
      put(in_.substr(at_, 1));
  }
  void replace(size_t count, std::string_view text) {
    put(text);
    at_ += count;
  }

  /// A code point as \x{...}; `digits` of base `base` from `first` ahead.
  Status code_point(size_t first, size_t digits, int base) {
    if (at_ + first + digits > in_.size()) return error("incomplete escape");
    const std::string text(in_.substr(at_ + first, digits));
    if (!std::all_of(text.begin(), text.end(), base == 16 ? is_hex : is_octal)) return error("incomplete escape");
    const unsigned long value = std::stoul(text, nullptr, base);
    if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return error("escape of no character");
    char hex[16];
    std::snprintf(hex, sizeof hex, "\\x{%lx}", value);
    replace(first + digits, hex);
    return {};
  }

  Status escape(bool in_class) {
    const char c = peek(1);
    if (at_ + 1 >= in_.size()) return error("a backslash at the end");
    if (c == 'x') return code_point(2, 2, 16);
    if (c == 'u') return code_point(2, 4, 16);
    if (c == 'U') return code_point(2, 8, 16);
    if (c == 'N') return error("\\N{...} is not supported", "write the character itself");
    if (is_digit(c)) return number(in_class);
    if (c == 'Z' && !in_class) return replace(2, "\\z"), Status();
    if (c == 'v') return replace(2, "\\x{b}"), Status();
    const std::string_view known = in_class ? "abdDfnrsStwW" : "abABdDfnrsStwW";
    if (is_letter(c) && known.find(c) == std::string_view::npos) return error(std::string("bad escape \\") + c);
    if (static_cast<unsigned char>(c) >= 0x80) return replace(1, ""), Status();  // an escaped non-ASCII is itself
    copy(2);
    return {};
  }

  /// \0, \012 and \123 are octal, \1 to \99 are groups.
  Status number(bool in_class) {
    const bool three_octal = is_octal(peek(1)) && is_octal(peek(2)) && is_octal(peek(3));
    if (peek(1) == '0' || in_class || three_octal) {
      size_t digits = 0;
      while (digits < 3 && is_octal(peek(1 + digits)))
        ++digits;
      if (digits == 0 || (in_class && peek(1) != '0' && !three_octal)) return error("bad escape");
      if (three_octal && peek(1) > '3') return error("octal escape above \\377");
      return code_point(1, digits, 8);
    }
    const size_t digits = is_digit(peek(2)) ? 2 : 1;
    const std::string reference(in_.substr(at_ + 1, digits));
    replace(1 + digits, "\\g{" + reference + "}");
    return {};
  }

  Status character_class() {
    const size_t start = at_;
    copy(1);
    if (peek(0) == '^') copy(1);
    if (peek(0) == ']') replace(1, "\\]");  // first in a class it is itself
    while (at_ < in_.size() && in_[at_] != ']') {
      if (in_[at_] == '\\')
        QL_RETURN_IF_ERROR(escape(true));
      else if (in_[at_] == '[')
        replace(1, "\\[");  // PCRE2 would read [:alpha:]
      else
        copy(1);
    }
    if (at_ == in_.size()) {
      at_ = start;
      return error("unterminated character set");
    }
    copy(1);
    return {};
  }

  /// {,n} is {0,n} in Python; PCRE2 10.42 takes it literally.
  void repeat() {
    size_t digits = 0;
    while (is_digit(peek(2 + digits)))
      ++digits;
    if (peek(1) == ',' && peek(2 + digits) == '}') {
      replace(1, "{0");
      copy(digits + 2);
    } else {
      copy(1);
    }
  }

  void comment() {
    while (at_ < in_.size() && in_[at_] != '\n')
      ++at_;
  }

  Status group() {
    if (peek(1) == '*') return error("nothing to repeat");
    if (peek(1) != '?') return copy(1), Status();
    const char kind = peek(2);
    if (kind == ':' || kind == '=' || kind == '!' || kind == '>') return copy(3), Status();
    if (kind == '#') {
      const size_t end = in_.find(')', at_);
      if (end == std::string_view::npos) return error("missing ), unterminated comment");
      at_ = end + 1;
      return {};
    }
    if (kind == '<') {
      if (peek(3) == '=' || peek(3) == '!') return copy(4), Status();
      return error("unknown extension (?<", "name a group with (?P<name>...)");
    }
    if (kind == 'P') {
      if (peek(3) == '<' || peek(3) == '=') return copy(4), Status();
      return error("unknown extension (?P");
    }
    if (kind == '(') return condition();
    return flags();
  }

  /// (?(1)yes|no) and (?(name)yes|no); PCRE2 knows more conditions.
  Status condition() {
    const size_t end = in_.find(')', at_);
    const std::string_view name = end == std::string_view::npos ? "" : in_.substr(at_ + 3, end - at_ - 3);
    const auto word = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
    if (name.empty() || !std::all_of(name.begin(), name.end(), word)) return error("bad condition of a group");
    const bool number = std::all_of(name.begin(), name.end(), is_digit);
    const std::string text = number ? std::string(name) : "<" + std::string(name) + ">";
    replace(3 + name.size() + 1, "(?(" + text + ")");
    return {};
  }

  /// (?im), only at the very start, and (?i-s:...).
  Status flags() {
    const size_t start = at_;
    std::string kept;
    bool off = false;
    for (size_t i = 2;; ++i) {
      const char c = peek(i);
      if (c == ')' || c == ':') {
        if (i == 2 || kept.empty() || kept.back() == '-') {
          if (c == ')' && i > 2 && kept.empty()) return replace(i + 1, ""), Status();  // (?u) or (?a)
          return error("missing flag");
        }
        if (c == ')' && (start != 0 || off)) return error("global flags not at the start of the expression");
        if (kept.find('x') != std::string::npos && !off) {
          if (c == ':') return error("verbose mode for a group is not supported", "set (?x) at the start");
          verbose_ = true;
        }
        replace(i + 1, "(?" + kept + c);
        return {};
      }
      if (c == '-' && !off) {
        off = true;
        kept += c;
      } else if (c == 'a' || c == 'u') {
        if (start != 0 || in_.find(')', at_) > in_.find(':', at_))
          return error("the flag applies to the whole pattern only");
        out_.ascii = c == 'a';
      } else if (c == 'i' || c == 'm' || c == 's' || c == 'x') {
        kept += c;
      } else {
        return error("unknown extension (?" + std::string(1, is_letter(c) ? c : peek(2)));
      }
    }
  }

  std::string_view in_;
  size_t at_ = 0;
  bool verbose_ = false;
  TranslatedPattern out_;
};

}  // namespace

Result<TranslatedPattern> translate_python_pattern(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace qlathe
