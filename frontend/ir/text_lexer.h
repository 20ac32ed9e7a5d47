#pragma once
#include <string>
#include <string_view>

#include "frontend/ir/result.h"
#include "frontend/ir/source_lines.h"

namespace qlathe {

/// One word of the text form.
struct Token {
  enum class Kind { kWord, kTensor, kString, kInteger, kFloat, kMark, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;          // words, names and strings without decoration; numbers with their sign, without "0x"
  bool hexadecimal = false;  // of an integer
  size_t offset = 0;

  bool is(char mark) const { return kind == Kind::kMark && text[0] == mark; }
  bool is(std::string_view word) const { return kind == Kind::kWord && text == word; }
  /// For messages: "'input'", "the tensor '%x'", "the end of the text".
  std::string shown() const;
};

/// Splits a text into tokens; blanks, line ends and comments from '#' to the end of the line separate them.
class Lexer {
 public:
  Lexer(std::string file, std::string_view text) : file_(std::move(file)), text_(text), lines_(text) {}
  /// The next token; an error for a character that begins none or a string without end.
  Result<Token> next();
  /// "file:line:column" of an offset.
  std::string position(size_t offset) const { return file_ + ":" + lines_.at(text_, offset); }

 private:
  Result<std::string> string();
  Status error(size_t offset, const std::string& message) const;

  std::string file_;
  std::string_view text_;
  SourceLines lines_;
  size_t at_ = 0;
};

}  // namespace qlathe
