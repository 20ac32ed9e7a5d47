#include "cli/terminal/terminal.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "api/support.h"
#include "cli/terminal/options.h"

namespace qlathe::cli {
namespace {

void print_line(const char* kind, const char* color, const std::string& text) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  std::fprintf(stderr, "qlathe: %s%s:%s %s\n", terminal ? color : "", kind, terminal ? "\033[0m" : "",
               printable(text, 4000).c_str());
}

/// Columns that UTF-8 text takes, one per character.
size_t width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

void print_error(const std::string& text) { print_line("error", "\033[1;31m", text); }
void print_warning(const std::string& text) { print_line("warning", "\033[1;33m", text); }

int fail(const Status& status) {
  for (const Diagnostic& problem : status.diagnostics())
    print_error(problem.text());
  if (status.full()) print_error("more problems are not shown");
  return kFailed;
}

Table::Table(std::vector<std::string> headings) : headings_(std::move(headings)) {
  for (std::string& heading : headings_) {
    right_.push_back(heading.starts_with(">"));
    if (right_.back()) heading.erase(0, 1);
  }
}

std::string Table::text() const {
  std::vector<size_t> widths;
  for (size_t c = 0; c < headings_.size(); c++) {
    size_t w = width(headings_[c]);
    for (const auto& row : rows_)
      if (c < row.size()) w = std::max(w, width(row[c]));
    widths.push_back(w);
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (size_t c = 0; c < widths.size(); c++) {
      const std::string cell = c < cells.size() ? cells[c] : "";
      const std::string space(widths[c] - width(cell), ' ');
      text += (c > 0 ? "  " : "") + (right_[c] ? space + cell : cell + space);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  const auto ruler = [&] {
    for (size_t c = 0; c < widths.size(); c++) {
      if (c > 0) out += "──";
      for (size_t i = 0; i < widths[c]; i++)
        out += "─";
    }
    out += "\n";
  };
  line(headings_);
  ruler();
  for (const auto& row : rows_) {
    if (row.empty())
      ruler();
    else
      line(row);
  }
  return out;
}

JsonText& JsonText::open(char bracket) {
  separate();
  text_ += bracket;
  closers_.push_back(bracket == '{' ? '}' : ']');
  first_ = true;
  return *this;
}

JsonText& JsonText::end() {
  text_ += closers_.back();
  closers_.pop_back();
  first_ = false;
  return *this;
}

JsonText& JsonText::key(const std::string& name) {
  separate();
  text_ += json_string(name) + ": ";
  after_key_ = true;
  return *this;
}

void JsonText::separate() {
  if (!after_key_ && !first_) text_ += closers_.size() == 1 ? ",\n " : ", ";
  first_ = after_key_ = false;
}

JsonText& JsonText::raw(const std::string& text) {
  separate();
  text_ += text;
  return *this;
}

JsonText& JsonText::value(const std::string& text) { return raw(json_string(text)); }

JsonText& JsonText::value(double v) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", v);
  return raw(std::isfinite(v) ? text : "null");
}

JsonText& JsonText::value(const Shape& shape) {
  array();
  for (const int64_t extent : shape)
    value(extent);
  return end();
}

ProgressBar::ProgressBar() : start_(std::chrono::steady_clock::now()), terminal_(isatty(STDERR_FILENO) != 0) {}

ProgressBar::~ProgressBar() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

StageProgress ProgressBar::callback() {
  return [this](const char* stage, size_t done, size_t total) { show(stage, done, total); };
}

void ProgressBar::show(const char* stage, size_t done, size_t total) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || total == 0 || now - start_ < std::chrono::seconds(2)) return;
  if (shown_ && done < total && now - last_ < std::chrono::milliseconds(100)) return;
  constexpr size_t kWidth = 32;
  const size_t filled = kWidth * done / total;
  std::string bar;
  for (size_t i = 0; i < kWidth; i++)
    bar += i < filled ? "━" : "╌";
  std::fprintf(stderr, "\r\033[K%s %s %zu/%zu", stage, bar.c_str(), done, total);
  std::fflush(stderr);
  shown_ = true;
  last_ = now;
}

std::string grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3)
    digits.insert(static_cast<size_t>(at), " ");
  return digits;
}

std::string bytes_text(int64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  const char* unit = bytes < (1 << 20) ? "KiB" : "MiB";
  char text[40];
  std::snprintf(text, sizeof text, "%.1f %s", static_cast<double>(bytes) / (bytes < (1 << 20) ? 1024.0 : 1048576.0),
                unit);
  return text;
}

}  // namespace qlathe::cli
