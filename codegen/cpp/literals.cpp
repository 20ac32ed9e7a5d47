#include "codegen/cpp/literals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <set>

#include "frontend/ir/result.h"

namespace qlathe {
namespace {

template <class T>
T element(const std::vector<uint8_t>& bytes, size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

std::string float_literal(double value, int digits, const char* suffix, const char* type) {
  if (std::isnan(value)) return fmt::format("std::numeric_limits<{}>::quiet_NaN()", type);
  if (std::isinf(value)) return fmt::format("{}std::numeric_limits<{}>::infinity()", value < 0 ? "-" : "", type);
  std::string text = fmt::format("{:.{}g}", value, digits);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + suffix;
}

std::string literal(ValueType type, const std::vector<uint8_t>& bytes, size_t i) {
  const ValueTypeInfo& row = info(type);
  if (type == ValueType::kF32) return float_literal(static_cast<double>(element<float>(bytes, i)), 9, "f", "float");
  if (type == ValueType::kF64) return float_literal(element<double>(bytes, i), 17, "", "double");
  if (row.cls == ValueClass::kSigned) {
    switch (row.storage_bytes) {
      case 1:
        return std::to_string(element<int8_t>(bytes, i));
      case 2:
        return std::to_string(element<int16_t>(bytes, i));
      case 4: {
        const auto value = element<int32_t>(bytes, i);
        return value == INT32_MIN ? "-2147483647 - 1" : std::to_string(value);
      }
      default: {
        const auto value = element<int64_t>(bytes, i);
        return value == INT64_MIN ? "-9223372036854775807 - 1" : std::to_string(value);
      }
    }
  }
  switch (row.storage_bytes) {
    case 1:
      return std::to_string(element<uint8_t>(bytes, i));
    case 2:
      return std::to_string(element<uint16_t>(bytes, i));
    default:
      return std::to_string(element<uint32_t>(bytes, i)) + "u";
  }
}

const std::set<std::string>& reserved() {
  static const std::set<std::string> words = {
      "alignas", "alignof",  "and",     "asm",      "auto",      "bool",      "break",    "case",     "catch",
      "char",    "class",    "const",   "continue", "default",   "delete",    "do",       "double",   "else",
      "enum",    "explicit", "export",  "extern",   "false",     "float",     "for",      "friend",   "goto",
      "if",      "inline",   "int",     "long",     "mutable",   "namespace", "new",      "noexcept", "not",
      "nullptr", "operator", "or",      "private",  "protected", "public",    "register", "requires", "return",
      "short",   "signed",   "sizeof",  "static",   "struct",    "switch",    "template", "this",     "throw",
      "true",    "try",      "typedef", "typeid",   "typename",  "union",     "unsigned", "using",    "virtual",
      "void",    "volatile", "while",   "xor",      "arena",     "state",     "weights",  "main",     "concept",
      "compl",   "bitand",   "bitor",   "xor_eq",   "and_eq",    "or_eq",     "not_eq",   "wchar_t"};
  return words;
}

}  // namespace

const char* cpp_type(ValueType type) {
  const ValueTypeInfo& row = info(type);
  if (type == ValueType::kF32) return "float";
  if (type == ValueType::kF64) return "double";
  const bool is_signed = row.cls == ValueClass::kSigned;
  switch (row.storage_bytes) {
    case 1:
      return is_signed ? "int8_t" : "uint8_t";
    case 2:
      return is_signed ? "int16_t" : "uint16_t";
    case 4:
      return is_signed ? "int32_t" : "uint32_t";
    default:
      return "int64_t";
  }
}

std::string numpy_descr(ValueType type) {
  const ValueTypeInfo& row = info(type);
  if (type == ValueType::kBool) return "|b1";
  if (type == ValueType::kF16) return "<f2";
  const char kind = type == ValueType::kF32 || type == ValueType::kF64 ? 'f'
                    : row.cls == ValueClass::kSigned                   ? 'i'
                                                                       : 'u';
  return fmt::format("{}{}{}", row.storage_bytes == 1 ? '|' : '<', kind, row.storage_bytes);
}

std::string array_initializer(ValueType type, const std::vector<uint8_t>& bytes) {
  constexpr size_t kColumns = 120;
  const size_t count = bytes.size() / static_cast<size_t>(storage_bytes(type));
  std::string out = "{\n", line = "   ";
  for (size_t i = 0; i < count; i++) {
    const std::string text = " " + literal(type, bytes, i) + ",";
    if (line.size() + text.size() > kColumns) {
      out += line + "\n";
      line = "   ";
    }
    line += text;
  }
  return out + line + "\n}";
}

std::string word_initializer(const std::vector<uint8_t>& bytes) {
  constexpr size_t kWordsInLine = 5;
  std::string out = "{";
  for (size_t at = 0; at < bytes.size(); at += 8) {
    uint64_t word = 0;
    for (size_t k = std::min<size_t>(8, bytes.size() - at); k-- > 0;)
      word = word << 8 | bytes[at + k];
    out += fmt::format("{}{:#018x}u,", at / 8 % kWordsInLine == 0 ? "\n    " : " ", word);
  }
  return out + "\n}";
}

std::string comment_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    // A backslash at the end of a line, or its trigraph, would draw the next one into the comment.
    if (c == '?' && !out.empty() && out.back() == '?') out += ' ';
    out += control ? ' ' : c == '\\' ? '/' : c;
  }
  return out;
}

std::string identifier(const std::string& text) {
  constexpr size_t kMaxLength = 100;  // they name files too
  std::string out;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (plain)
      out += c;
    else if (!out.empty() && out.back() != '_')
      out += '_';
  }
  if (out.size() > kMaxLength) out.resize(kMaxLength);
  while (!out.empty() && out.back() == '_')
    out.pop_back();
  if (out.empty()) out = "x";
  if (std::isdigit(static_cast<unsigned char>(out[0]))) out = "n" + out;
  if (reserved().count(out)) out += "_";
  return out;
}

std::string constant_name(const std::string& text) {
  std::string out = "k";
  bool start = true;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) {
      start = true;
      continue;
    }
    out += start ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    start = false;
  }
  return out;
}

std::string upper(const std::string& text) {
  std::string out = text;
  for (char& c : out)
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace qlathe
