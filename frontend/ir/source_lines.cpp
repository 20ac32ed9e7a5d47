#include "frontend/ir/source_lines.h"

#include <algorithm>

namespace qlathe {

SourceLines::SourceLines(std::string_view text) {
  Mark mark{1, 0};
  for (size_t i = 0; i < text.size(); ++i) {
    if (i % kBlock == 0) marks_.push_back(mark);
    if (text[i] == '\n') mark = {mark.line + 1, i + 1};
  }
}

std::string SourceLines::at(std::string_view text, size_t offset) const {
  if (marks_.empty()) return "1:1";
  const size_t block = std::min(offset / kBlock, marks_.size() - 1);
  Mark mark = marks_[block];
  for (size_t i = block * kBlock; i < offset; ++i) {
    if (text[i] == '\n') mark = {mark.line + 1, i + 1};
  }
  size_t column = offset - mark.start;
  if (column < kBlock) {
    column = static_cast<size_t>(std::count_if(text.begin() + static_cast<std::ptrdiff_t>(mark.start),
                                               text.begin() + static_cast<std::ptrdiff_t>(offset),
                                               [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
  }
  return std::to_string(mark.line) + ":" + std::to_string(column + 1);
}

}  // namespace qlathe
