#include "codegen/cpp/wrap.h"

#include <algorithm>
#include <cctype>

namespace qlathe {

namespace {

constexpr size_t kColumns = 120;
// Breaking a line earlier than this leaves a stub.
constexpr size_t kLeast = 20;

/// Where to break `text` so that at most `room` characters stay: after a comma or an operator. 0: nowhere.
size_t break_place(const std::string& text, size_t room) {
  int depth = 0, templates = 0, least = 1000;
  size_t place = 0;
  for (size_t i = 1; i < room; ++i) {
    const char c = text[i], before = text[i - 1];
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (c == '<' && (std::isalnum(static_cast<unsigned char>(before)) != 0 || before == '_')) ++depth, ++templates;
    if (c == '>' && templates > 0) --depth, --templates;
    if (c != ' ' || i < kLeast) continue;  // kLeast > 3
    const bool single = text[i - 2] == ' ' && std::string("+-*&|^?:").find(before) != std::string::npos;
    const bool operation = single || (text[i - 3] == ' ' && text[i - 2] == before && (before == '|' || before == '&'));
    // An operator binds what a comma separates.
    const int nested = 2 * depth + (before == ',' ? 0 : 1);
    if ((before == ',' || operation) && nested <= least) {
      least = nested;
      place = i + 1;
    }
  }
  return place;
}

}  // namespace

std::string wrap_code(const std::string& text, const std::string& indent) {
  std::string out, rest = text, margin = indent;
  while (margin.size() + rest.size() > kColumns) {
    const size_t room = margin.size() + 40 < kColumns ? kColumns - margin.size() : 40;
    const size_t place = break_place(rest, std::min(room + 1, rest.size()));
    if (place == 0) break;
    out += margin + rest.substr(0, place - 1) + "\n";
    rest = rest.substr(place);
    margin = indent + "    ";
  }
  return out + margin + rest + "\n";
}

std::string wrap_comment(const std::string& text, const std::string& first, const std::string& rest) {
  std::string out, line = first;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const bool empty = line == first || line == rest;
    if (!empty && line.size() + 1 + (end - begin) > kColumns) {
      out += line + "\n";
      line = rest;
    }
    if (line != first && line != rest) line += " ";
    line += text.substr(begin, end - begin);
    begin = end + 1;
  }
  return out + line + "\n";
}

}  // namespace qlathe
