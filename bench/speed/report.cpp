#include "bench/speed/report.h"

#include <fmt/format.h>

#include <cstdio>
#include <set>

#include "cli/terminal/terminal.h"

namespace qlathe::bench {
namespace {

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }
/// "0.150 us", "372.5 us", "3.21 s".
std::string time_text(double seconds) {
  if (seconds < 1e-5) return fmt::format("{:.3f} us", seconds * 1e6);
  if (seconds < 1e-2) return fmt::format("{:.1f} us", seconds * 1e6);
  return fmt::format("{:.3f} s", seconds);
}

}  // namespace

Row row_of(const Prepared& prepared, const Measured& m) {
  const Line& line = prepared.line;
  Row row{.group = line.group, .name = line.name, .target = line.target, .problem = prepared.wrong};
  row.not_measured = prepared.not_measured;
  if (!row.problem.empty() || !row.not_measured.empty()) return row;
  row.seconds = m.seconds;
  row.gops = 2e-9 * static_cast<double>(prepared.macs) / m.seconds;
  row.share = m.reference / m.seconds;
  row.against = m.against;
  if (line.share > 0) {
    row.verdicts.push_back(
        {"JIT, of " + m.against, "at least " + percent(line.share), percent(row.share), row.share >= line.share});
  }
  if (line.microseconds > 0) {
    row.verdicts.push_back({"JIT", fmt::format("under {} us", line.microseconds), time_text(m.seconds),
                            m.seconds * 1e6 < line.microseconds});
  }
  if (line.gops > 0) {
    // No kernel can be asked for more than its instruction does on registers alone.
    const double most = 0.9 * row.gops / row.share;
    const bool cut = row.share > 0 && most < line.gops;
    const std::string aim =
        cut ? fmt::format("at least {:.1f} GOP/s (90 % of {}; {} where that allows it)", most, m.against, line.gops)
            : fmt::format("at least {} GOP/s", line.gops);
    row.verdicts.push_back({"JIT", aim, fmt::format("{:.1f} GOP/s", row.gops), row.gops >= (cut ? most : line.gops)});
  }
  if (line.under_share > 0 && m.other > 0) {
    row.verdicts.push_back({"JIT time, of that of " + line.under, "under " + percent(line.under_share),
                            percent(m.seconds / m.other), m.seconds < line.under_share * m.other});
  }
  for (const auto& [compiler, seconds] : m.cpp) {
    const double ratio = m.seconds / seconds;
    row.cpp.emplace_back(compiler, ratio);
    if (line.cpp > 0) {
      row.verdicts.push_back({"C++ by " + compiler + ", of the JIT's speed", "at least " + percent(line.cpp),
                              percent(ratio), ratio >= line.cpp});
    }
    if (line.microseconds > 0) {
      row.verdicts.push_back({"C++ by " + compiler, fmt::format("under {} us", line.microseconds), time_text(seconds),
                              seconds * 1e6 < line.microseconds});
    }
  }
  if (line.two_threads > 0 && m.two_threads > 0) {
    row.two_threads = m.seconds / m.two_threads;
    row.verdicts.push_back({"two threads, times one", fmt::format("at least {:.2f}", line.two_threads),
                            fmt::format("{:.2f}", row.two_threads), row.two_threads >= line.two_threads});
  }
  return row;
}

void print_heading() {
  std::printf("%-40s %10s %8s %8s %8s %8s %9s  %s\n", "line", "JIT", "GOP/s", "share", "g++", "clang++", "2 threads",
              "aims; share of what");
  std::fflush(stdout);
}

void print_row(const Row& row) {
  if (!row.problem.empty()) {
    std::printf("%-40s WRONG: %s\n", row.name.c_str(), row.problem.c_str());
  } else if (!row.not_measured.empty()) {
    std::printf("%-40s not measured: %s\n", row.name.c_str(), row.not_measured.c_str());
  } else {
    std::string cpp[2] = {"", ""};
    for (const auto& [compiler, ratio] : row.cpp)
      cpp[compiler.starts_with("clang") ? 1 : 0] = percent(ratio);
    size_t met = 0;
    for (const Verdict& verdict : row.verdicts)
      met += verdict.met ? 1 : 0;
    std::string aims = row.verdicts.empty()         ? "no aim"
                       : met == row.verdicts.size() ? "met"
                                                    : fmt::format("{} of {} met", met, row.verdicts.size());
    if (!row.against.empty()) aims += "; " + row.against;
    std::printf("%-40s %10s %8s %8s %8s %8s %9s  %s\n", row.name.c_str(), time_text(row.seconds).c_str(),
                row.gops >= 0.05 ? fmt::format("{:.1f}", row.gops).c_str() : "",
                row.share > 0 ? percent(row.share).c_str() : "", cpp[0].c_str(), cpp[1].c_str(),
                row.two_threads > 0 ? fmt::format("{:.2f}", row.two_threads).c_str() : "", aims.c_str());
  }
  std::fflush(stdout);
}

void print_summary(const std::vector<Row>& rows) {
  size_t aims = 0, met = 0, wrong = 0, unmeasured = 0;
  std::string missed;
  for (const Row& row : rows) {
    wrong += row.problem.empty() ? 0 : 1;
    unmeasured += row.not_measured.empty() ? 0 : 1;
    for (const Verdict& verdict : row.verdicts) {
      aims++;
      met += verdict.met ? 1 : 0;
      if (!verdict.met) {
        missed += fmt::format("  {}: {}: {}, aim {}\n", row.name, verdict.what, verdict.reached, verdict.aim);
      }
    }
  }
  std::printf("\n%zu of %zu aims met, %zu lines wrong, %zu not measured\n%s", met, aims, wrong, unmeasured,
              missed.c_str());
}

std::string json_of(const std::vector<Row>& rows) {
  cli::JsonText json;
  json.object().key("lines").array();
  for (const Row& row : rows) {
    json.object().member("group", row.group).member("name", row.name).member("target", row.target);
    if (!row.problem.empty()) json.member("problem", row.problem);
    if (!row.not_measured.empty()) json.member("not_measured", row.not_measured);
    json.member("seconds", row.seconds).member("gops", row.gops).member("share", row.share);
    json.member("against", row.against).member("two_threads", row.two_threads);
    json.key("cpp").object();
    for (const auto& [compiler, ratio] : row.cpp)
      json.member(compiler, ratio);
    json.end().key("aims").array();
    for (const Verdict& verdict : row.verdicts) {
      json.object().member("what", verdict.what).member("aim", verdict.aim).member("reached", verdict.reached);
      json.member("met", verdict.met).end();
    }
    json.end().end();
  }
  return json.end().end().text();
}

}  // namespace qlathe::bench
