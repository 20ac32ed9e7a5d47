#include "frontend/ir/suggest.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>

namespace qlathe {
namespace {

constexpr size_t kMaxCompared = 80;

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

/// Length of the valid UTF-8 sequence at `at`, or 0.
size_t utf8_length(std::string_view s, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(at);
  const size_t n = first < 0x80                    ? 1
                   : first >= 0xC2 && first < 0xE0 ? 2
                   : first >= 0xE0 && first < 0xF0 ? 3
                   : first >= 0xF0 && first < 0xF5 ? 4
                                                   : 0;
  if (n == 0 || at + n > s.size()) return 0;
  uint32_t code = n == 1 ? first : first & (0x7Fu >> n);
  for (size_t i = 1; i < n; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
    code = (code << 6) | (byte(at + i) & 0x3Fu);
  }
  const bool overlong = (n == 3 && code < 0x800) || (n == 4 && code < 0x10000);
  // C1 control characters and the direction overrides can rearrange what a terminal shows.
  const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x202A && code <= 0x202E) ||
                       (code >= 0x2066 && code <= 0x2069);
  return overlong || control || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ? 0 : n;
}

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  const size_t n = a.size(), m = b.size();
  if (n > kMaxCompared || m > kMaxCompared) return static_cast<int>(std::max(n, m));
  // Three rolling rows: rows[i % 3][j] is the distance of a[0, i) to b[0, j).
  int rows[3][kMaxCompared + 1];
  for (size_t i = 0; i <= n; ++i) {
    int* row = rows[i % 3];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= m; ++j) {
      if (i == 0) {
        row[j] = static_cast<int>(j);
        continue;
      }
      const int* up = rows[(i + 2) % 3];
      const char x = lower(a[i - 1]), y = lower(b[j - 1]);
      row[j] = std::min({up[j] + 1, row[j - 1] + 1, up[j - 1] + (x != y)});
      if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2])) {
        row[j] = std::min(row[j], rows[(i + 1) % 3][j - 2] + 1);
      }
    }
  }
  return rows[n % 3][m];
}

std::string nearest(std::string_view given, const std::vector<std::string>& known) {
  int best = std::max<int>(1, static_cast<int>(given.size()) / 3) + 1;
  std::string found;
  for (const std::string& candidate : known) {
    const int d = edit_distance(given, candidate);
    if (d < best && d < static_cast<int>(candidate.size())) {
      best = d;
      found = candidate;
    }
  }
  return found;
}

std::string did_you_mean(std::string_view given, const std::vector<std::string>& known) {
  constexpr size_t kMaxListed = 40;
  if (const std::string near = nearest(given, known); !near.empty()) return "did you mean " + in_quotes(near) + "?";
  if (known.empty()) return "";
  std::string out = "known are: ";
  for (size_t i = 0; i < known.size() && i < kMaxListed; ++i)
    out += (i ? ", " : "") + known[i];
  if (known.size() > kMaxListed) out += ", … (" + std::to_string(known.size()) + " in all)";
  return out;
}

std::string printable(std::string_view text, size_t max_shown) {
  std::string out;
  size_t shown = 0;
  for (size_t i = 0; i < text.size(); ++shown) {
    if (shown == max_shown) {
      out += "…";
      break;
    }
    if (const size_t n = utf8_length(text, i)) {
      out += text.substr(i, n);
      i += n;
    } else {
      char escape[5];
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(text[i]));
      out += escape;
      ++i;
    }
  }
  return out;
}

std::string in_quotes(std::string_view text) { return "'" + printable(text, 120) + "'"; }

}  // namespace qlathe
