#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qlathe {

/// Turns offsets in a text into line and column for messages, in bounded time however many are asked for.
class SourceLines {
 public:
  SourceLines() = default;
  explicit SourceLines(std::string_view text);

  /// "line:column" of an offset into `text`, which is the one of the constructor; both from 1. Columns are characters;
  /// bytes in lines of more than a few thousand.
  std::string at(std::string_view text, size_t offset) const;

 private:
  static constexpr size_t kBlock = 4096;
  struct Mark {
    size_t line;   // number of the line that block i begins in
    size_t start;  // offset of that line's beginning
  };
  std::vector<Mark> marks_;  // one per kBlock bytes of the text
};

}  // namespace qlathe
