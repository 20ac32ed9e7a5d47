#pragma once
/// What commands print: errors, tables, JSON, progress.
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "api/pipeline.h"

namespace qlathe::cli {

/// "qlathe: error: …" on stderr, one line.
void print_error(const std::string& text);
void print_warning(const std::string& text);
/// Every problem on a line of its own. Returns kFailed.
int fail(const Status& status);

/// Columns aligned; numbers to the right.
class Table {
 public:
  /// A heading that starts with '>' makes its column right-aligned.
  explicit Table(std::vector<std::string> headings);
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// A line above the rows that follow.
  void rule() { rows_.emplace_back(); }
  std::string text() const;

 private:
  std::vector<std::string> headings_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

/// JSON text, written in order: object().key("a").value(1).end().
class JsonText {
 public:
  JsonText& object() { return open('{'); }
  JsonText& array() { return open('['); }
  JsonText& end();
  JsonText& key(const std::string& name);
  JsonText& value(const std::string& text);
  JsonText& value(const char* text) { return value(std::string(text)); }
  JsonText& value(bool v) { return raw(v ? "true" : "false"); }
  JsonText& value(int64_t v) { return raw(std::to_string(v)); }
  JsonText& value(int v) { return raw(std::to_string(v)); }
  JsonText& value(size_t v) { return raw(std::to_string(v)); }
  JsonText& value(double v);
  JsonText& value(const Shape& shape);
  template <class T>
  JsonText& member(const std::string& name, const T& v) {
    return key(name).value(v);
  }
  /// With a line end.
  std::string text() const { return text_ + "\n"; }

 private:
  JsonText& open(char bracket);
  JsonText& raw(const std::string& text);
  void separate();
  std::string text_;
  std::vector<char> closers_;
  bool first_ = true, after_key_ = false;
};

/// A bar on stderr for work that lasts longer than two seconds, on a terminal only.
class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar();
  StageProgress callback();

 private:
  void show(const char* stage, size_t done, size_t total);
  std::chrono::steady_clock::time_point start_, last_;
  bool terminal_, shown_ = false;
};

/// 12345678 as "12 345 678".
std::string grouped(int64_t value);
/// "1.5 KiB", "12 B".
std::string bytes_text(int64_t bytes);

}  // namespace qlathe::cli
