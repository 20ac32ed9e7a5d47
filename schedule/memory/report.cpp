#include "schedule/memory/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace qlathe {
namespace {

std::string grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), " ");
  return digits;
}

std::string call_name(const Program& program, int call) {
  const auto index = static_cast<size_t>(call);
  if (index >= program.calls.size()) return "";
  const std::string& name = program.calls[index].origin.name;
  return name.empty() ? "call " + std::to_string(call) : name;
}

/// What the items of the plan say together.
struct Facts {
  int peak = 0;                         ///< the first call with most bytes live
  std::set<const ArenaItem*> in_place;  ///< tensors that begin where an operand of their first call is
};

Facts facts_of(const Program& program) {
  Facts facts;
  int64_t most = -1;
  for (int call = 0; call < static_cast<int>(program.calls.size()); call++) {
    // Addresses in use: an operand and the result in its place count once.
    std::vector<std::pair<int64_t, int64_t>> used;
    for (const ArenaItem& item : program.arena) {
      if (item.first_call <= call && call <= item.last_call) used.emplace_back(item.offset, item.offset + item.bytes);
    }
    std::sort(used.begin(), used.end());
    int64_t live = 0, end = 0;
    for (const auto& [from, to] : used) {
      live += std::max<int64_t>(0, to - std::max(from, end));
      end = std::max(end, to);
    }
    if (live <= most) continue;
    most = live;
    facts.peak = call;
  }
  for (const ArenaItem& a : program.arena) {
    for (const ArenaItem& b : program.arena) {
      const bool together = a.first_call <= b.last_call && b.first_call <= a.last_call;
      if (&a != &b && together && a.offset == b.offset && b.first_call < a.first_call) facts.in_place.insert(&a);
    }
  }
  return facts;
}

/// By offset, then by time.
std::vector<const ArenaItem*> ordered(const Program& program) {
  std::vector<const ArenaItem*> items;
  for (const ArenaItem& item : program.arena)
    items.push_back(&item);
  std::stable_sort(items.begin(), items.end(), [](const ArenaItem* a, const ArenaItem* b) {
    return std::pair(a->offset, a->first_call) < std::pair(b->offset, b->first_call);
  });
  return items;
}

}  // namespace

std::string memory_text(const Program& program) {
  if (program.arena.empty()) return "memory plan: no tensor needs the arena\n";
  const Facts facts = facts_of(program);
  std::string out =
      fmt::format("memory plan: {} bytes for {} tensors, {}\n", grouped(program.arena_bytes), program.arena.size(),
                  program.arena_bytes == program.arena_lower_bound
                      ? "which is the proven minimum"
                      : "the proven minimum is " + grouped(program.arena_lower_bound) + " bytes");
  for (const ArenaPool& pool : program.pools) {
    out += fmt::format("  pool {}: {} of {} bytes, at offset {}\n", pool.name, grouped(pool.bytes), grouped(pool.limit),
                       grouped(pool.offset));
  }
  out += fmt::format("  lost to fragmentation {:.1f} %; {} results in place of an operand\n",
                     100.0 * static_cast<double>(program.arena_bytes - program.arena_lower_bound) /
                         static_cast<double>(std::max<int64_t>(program.arena_bytes, 1)),
                     facts.in_place.size());
  out += fmt::format("  peak at call {} of {}, {}: {} bytes live\n", facts.peak + 1, program.calls.size(),
                     call_name(program, facts.peak), grouped(program.arena_lower_bound));
  size_t widest = 6;
  for (const ArenaItem& item : program.arena)
    widest = std::max(widest, item.name.size());
  widest = std::min<size_t>(widest, 48);
  out += fmt::format("  {:>11} {:>11}  {:<9} {:<{}} {}\n", "offset", "bytes", "calls", "tensor", widest, "at the peak");
  for (const ArenaItem* item : ordered(program)) {
    const bool at_peak = item->first_call <= facts.peak && facts.peak <= item->last_call;
    out +=
        fmt::format("  {:>11} {:>11}  {:<9} {:<{}} {}{}\n", grouped(item->offset), grouped(item->bytes),
                    fmt::format("{}-{}", item->first_call + 1, item->last_call + 1), item->name, widest,
                    at_peak ? "live" : "", facts.in_place.count(item) > 0 ? (at_peak ? ", in place" : "in place") : "");
    while (out.size() >= 2 && out[out.size() - 2] == ' ')
      out.erase(out.size() - 2, 1);
  }
  return out;
}

namespace {

std::string xml(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

std::string shortened(const std::string& name, size_t most) {
  if (name.size() <= most) return name;
  return most < 4 ? "" : name.substr(0, most - 2) + "..";
}

std::string size_text(int64_t bytes) {
  if (bytes < 10240) return grouped(bytes) + " B";
  if (bytes < 10 * 1048576) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / 1048576);
}

/// A power of two bytes that gives at most eight marks.
int64_t mark_step(int64_t bytes) {
  int64_t step = 64;
  while (bytes / step > 8)
    step *= 2;
  return step;
}

class Drawing {
 public:
  explicit Drawing(const Program& program) : program_(program), facts_(facts_of(program)) {
    calls_ = std::max<size_t>(program.calls.size(), 1);
    column_ = std::clamp(960.0 / static_cast<double>(calls_), 5.0, 110.0);
    bytes_ = static_cast<double>(std::max<int64_t>(program.arena_bytes, 1));
  }

  std::string text() {
    const double width = kLeft + column_ * static_cast<double>(calls_) + kRight, height = kTop + kPlot + kBottom;
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
        "height=\"{1:.0f}\" font-family=\"sans-serif\" font-size=\"11\">\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        "<text x=\"{2}\" y=\"20\" font-size=\"14\">{3}: arena of {4}{5}</text>\n",
        width, height, kLeft, xml(program_.name), size_text(program_.arena_bytes),
        program_.arena_bytes == program_.arena_lower_bound
            ? ", the proven minimum"
            : ", proven minimum " + size_text(program_.arena_lower_bound));
    peak();
    axes();
    size_t index = 0;
    for (const ArenaItem* item : ordered(program_))
      rectangle(*item, index++);
    bound();
    return out_ + "</svg>\n";
  }

 private:
  static constexpr double kLeft = 90, kRight = 30, kTop = 44, kPlot = 480, kBottom = 130;

  double x(int call) const { return kLeft + column_ * call; }
  double y(int64_t address) const { return kTop + kPlot - kPlot * static_cast<double>(address) / bytes_; }
  double right() const { return x(static_cast<int>(calls_)); }

  void peak() {
    out_ += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\" fill=\"#fff0c8\"><title>peak: {}</title></rect>\n"
        "<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\" fill=\"#8a6100\">peak</text>\n",
        x(facts_.peak), kTop, column_, kPlot, xml(call_name(program_, facts_.peak)), x(facts_.peak) + column_ / 2,
        kTop - 6);
  }

  void axes() {
    const int64_t step = mark_step(program_.arena_bytes);
    for (int64_t at = 0; at <= program_.arena_bytes; at += step) {
      out_ += fmt::format(
          "<line x1=\"{}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1f}\" "
          "text-anchor=\"end\">{}</text>\n",
          kLeft, right(), y(at), y(at), kLeft - 8, y(at) + 4, size_text(at));
    }
    // Every call where names have room, else every n-th.
    const int every = std::max(1, static_cast<int>(13 / column_ + 0.999));
    for (int call = 0; call < static_cast<int>(program_.calls.size()); call += every) {
      const double at = x(call) + column_ / 2;
      out_ += fmt::format("<text transform=\"translate({:.1f} {:.1f}) rotate(-55)\" text-anchor=\"end\">{}</text>\n",
                          at + 4, kTop + kPlot + 14,
                          xml(shortened(std::to_string(call + 1) + " " + call_name(program_, call), 24)));
    }
  }

  void rectangle(const ArenaItem& item, size_t index) {
    // Neighbours differ by more than a third of the circle of hues.
    const auto hue = static_cast<int>(index * 137 % 360);
    const double left = x(item.first_call) + 0.5, width = column_ * (item.last_call - item.first_call + 1) - 1;
    const double top = y(item.offset + item.bytes), height = std::max(y(item.offset) - top, 0.75);
    out_ += fmt::format(
        "<g><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.2f}\" fill=\"hsl({},62%,78%)\" "
        "fill-opacity=\"0.92\" stroke=\"hsl({},45%,40%)\"{}/>",
        left, top, width, height, hue, hue, facts_.in_place.count(&item) > 0 ? " stroke-dasharray=\"4 2\"" : "");
    out_ += fmt::format("<title>{}: {} bytes at {}, calls {} to {}{}</title>", xml(item.name), grouped(item.bytes),
                        grouped(item.offset), item.first_call + 1, item.last_call + 1,
                        facts_.in_place.count(&item) > 0 ? ", in place of an operand" : "");
    label(item, left, top, width, height);
    out_ += "</g>\n";
  }

  void label(const ArenaItem& item, double left, double top, double width, double height) {
    constexpr double kCharacter = 6.2, kLine = 13;
    const std::string size = size_text(item.bytes);
    const auto across = static_cast<size_t>(std::max(0.0, (width - 6) / kCharacter));
    const auto along = static_cast<size_t>(std::max(0.0, (height - 6) / kCharacter));
    const double cx = left + width / 2, cy = top + height / 2;
    if (height >= kLine && (across >= item.name.size() || across >= along)) {
      const bool two = height >= 2.2 * kLine && across >= size.size();
      const std::string name = shortened(item.name, across);
      if (name.empty()) return;
      out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", cx, cy + (two ? -2 : 4),
                          xml(name));
      if (two)
        out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" fill=\"#555\">{}</text>", cx,
                            cy + 11, size);
    } else if (width >= kLine) {
      const std::string name = shortened(item.name, along);
      if (name.empty()) return;
      out_ += fmt::format("<text transform=\"translate({:.1f} {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
                          cx + 4, cy, xml(name));
    }
  }

  void bound() {
    out_ += fmt::format(
        "<line x1=\"{}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#b00020\" stroke-dasharray=\"6 3\">"
        "<title>largest sum of bytes live at one call</title></line>\n",
        kLeft, right(), y(program_.arena_lower_bound), y(program_.arena_lower_bound));
  }

  const Program& program_;
  const Facts facts_;
  size_t calls_ = 1;
  double column_ = 1, bytes_ = 1;
  std::string out_;
};

}  // namespace

std::string peak_call_name(const Program& program) {
  return program.calls.empty() ? "" : call_name(program, facts_of(program).peak);
}

std::string memory_svg(const Program& program) { return Drawing(program).text(); }

}  // namespace qlathe
