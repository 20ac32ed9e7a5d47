#include "frontend/ir/text_lexer.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_part(char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '/'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string Token::shown() const {
  switch (kind) {
    case Kind::kEnd:
      return "the end of the text";
    case Kind::kTensor:
      return "the tensor " + in_quotes("%" + text);
    case Kind::kString:
      return "the string " + in_quotes(text);
    default:
      return in_quotes((hexadecimal ? "0x" : "") + text);
  }
}

Result<Token> Lexer::next() {
  while (at_ < text_.size()) {
    if (text_[at_] == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n') {
      ++at_;
    } else {
      break;
    }
  }
  Token token;
  token.offset = at_;
  if (at_ == text_.size()) return token;
  const char c = text_[at_];
  const auto take_while = [&](auto&& part) {
    const size_t from = at_;
    while (at_ < text_.size() && part(text_[at_]))
      ++at_;
    return std::string(text_.substr(from, at_ - from));
  };
  if (c == '"') {
    token.kind = Token::Kind::kString;
    QL_ASSIGN(token.text, string());
    return token;
  }
  if (c == '%') {
    ++at_;
    token.kind = Token::Kind::kTensor;
    if (at_ < text_.size() && text_[at_] == '"') {
      QL_ASSIGN(token.text, string());
    } else {
      token.text = take_while(is_name_part);
    }
    if (token.text.empty()) return error(token.offset, "expected the name of a tensor after '%'");
    return token;
  }
  if (is_letter(c)) {
    token.kind = Token::Kind::kWord;
    token.text = take_while([](char p) { return is_letter(p) || is_digit(p); });
    return token;
  }
  const bool sign = c == '-' && at_ + 1 < text_.size();
  const char first = sign ? text_[at_ + 1] : c;
  if (sign && text_.substr(at_ + 1, 3) == "inf") {
    at_ += 4;
    token.kind = Token::Kind::kFloat;
    token.text = "-inf";
    return token;
  }
  if (is_digit(first)) {
    if (!sign && c == '0' && at_ + 1 < text_.size() && text_[at_ + 1] == 'x') {
      at_ += 2;
      token.kind = Token::Kind::kInteger;
      token.hexadecimal = true;
      token.text = take_while([](char p) { return hex_digit(p) >= 0; });
      return token;
    }
    const size_t from = at_++;
    while (at_ < text_.size() && (is_digit(text_[at_]) || text_[at_] == '.' || text_[at_] == 'e' ||
                                  ((text_[at_] == '-' || text_[at_] == '+') && text_[at_ - 1] == 'e'))) {
      ++at_;
    }
    token.text = std::string(text_.substr(from, at_ - from));
    token.kind = token.text.find_first_of(".e") == std::string::npos ? Token::Kind::kInteger : Token::Kind::kFloat;
    return token;
  }
  if (std::strchr("[](){}=,:", c) && c != '\0') {
    ++at_;
    token.kind = Token::Kind::kMark;
    token.text = c;
    return token;
  }
  return error(at_, "unexpected character " + in_quotes(text_.substr(at_, 1)));
}

Result<std::string> Lexer::string() {
  const size_t begin = at_++;
  std::string out;
  while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') {
    if (text_[at_] != '\\') {
      out += text_[at_++];
      continue;
    }
    const char escaped = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (escaped == '"' || escaped == '\\') {
      out += escaped;
      at_ += 2;
    } else if (escaped == 'x' && at_ + 3 < text_.size() && hex_digit(text_[at_ + 2]) >= 0 &&
               hex_digit(text_[at_ + 3]) >= 0) {
      out += static_cast<char>(hex_digit(text_[at_ + 2]) * 16 + hex_digit(text_[at_ + 3]));
      at_ += 4;
    } else {
      return error(at_, "expected one of \\\", \\\\ and \\xNN in a string");
    }
  }
  if (at_ >= text_.size() || text_[at_] != '"') return error(begin, "a string without its closing quote");
  ++at_;
  return out;
}

Status Lexer::error(size_t offset, const std::string& message) const {
  return Status::user({position(offset), "", ""}, message);
}

}  // namespace qlathe
