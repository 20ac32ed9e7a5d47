// qlathe-bench: the speed list. Every path's outputs are compared with the reference's bytes before it is measured.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cxxopts.hpp>
#include <thread>

#include "bench/speed/compile_time.h"
#include "bench/speed/report.h"
#include "cli/terminal/terminal.h"

namespace qlathe::bench {
namespace {

/// Whether the name or its group contains one of the filters.
bool takes(const std::vector<std::string>& filters, const std::string& group, const std::string& name) {
  return filters.empty() || std::any_of(filters.begin(), filters.end(), [&](const std::string& filter) {
           return (group + ": " + name).find(filter) != std::string::npos;
         });
}

std::vector<Line> chosen(const std::vector<std::string>& filters) {
  std::vector<Line> out;
  for (Line& line : speed_lines()) {
    if (takes(filters, line.group, line.name)) out.push_back(std::move(line));
  }
  return out;
}

bool wants_compile_times(const std::vector<std::string>& filters) {
  const std::vector<std::string> names = compile_time_names();
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return takes(filters, "compile", name); });
}

/// Compiles everything first, on all processors: nothing else runs while something is measured.
std::vector<Prepared> prepare_all(const std::vector<Line>& lines, const Settings& settings) {
  std::vector<Prepared> prepared(lines.size());
  std::atomic<size_t> next{0}, done{0};
  cli::ProgressBar bar;
  const StageProgress progress = bar.callback();
  std::mutex reporting;
  const auto work = [&] {
    for (size_t i = next++; i < lines.size(); i = next++) {
      prepared[i] = prepare(lines[i], settings);
      const std::lock_guard<std::mutex> lock(reporting);
      progress("compiling and checking", ++done, lines.size());
    }
  };
  std::vector<std::thread> threads;
  for (int t = 1; t < settings.threads; t++)
    threads.emplace_back(work);
  work();
  for (std::thread& thread : threads)
    thread.join();
  return prepared;
}

int run(const std::vector<std::string>& filters, const Settings& settings, bool json) {
  const std::vector<Line> lines = chosen(filters);
  if (lines.empty() && !wants_compile_times(filters)) {
    std::fprintf(stderr, "qlathe-bench: error: no line has that in its name; --list shows them\n");
    return 2;
  }
  const std::vector<Prepared> prepared = prepare_all(lines, settings);
  if (!json) print_heading();
  std::vector<Row> rows;
  bool right = true;
  for (const Prepared& line : prepared) {
    const Prepared* under = nullptr;
    for (const Prepared& other : prepared) {
      if (!line.line.under.empty() && other.line.name == line.line.under && other.model != nullptr) under = &other;
    }
    const bool measurable = line.wrong.empty() && line.not_measured.empty();
    rows.push_back(row_of(line, measurable ? measure(line, under, settings) : Measured{}));
    right = right && line.wrong.empty();
    if (!json) print_row(rows.back());
  }
  if (wants_compile_times(filters)) {
    for (Row& row : compile_time_rows()) {
      right = right && row.problem.empty();
      if (!json) print_row(row);
      rows.push_back(std::move(row));
    }
  }
  if (json) {
    std::fputs(json_of(rows).c_str(), stdout);
  } else {
    print_summary(rows);
  }
  return right ? 0 : 1;
}

int main_of(int argc, char** argv) {
  cxxopts::Options options("qlathe-bench",
                           "Measures the speed list: by JIT and as emitted C++, beside what this machine can do at "
                           "most, measured in turns with it.\nExit code 1 where a path gave wrong bytes.\n");
  options.positional_help("[FILTER...]");
  options.add_options()("h,help", "this text")("list", "names of the lines, and nothing else")(
      "no-cpp", "leave the emitted C++ out")("m,milliseconds", "spent on each line",
                                             cxxopts::value<int>()->default_value("1000"))("json", "print JSON")(
      "filter", "", cxxopts::value<std::vector<std::string>>());
  options.parse_positional({"filter"});
  try {
    const cxxopts::ParseResult parsed = options.parse(argc, argv);
    if (parsed.count("help") > 0) {
      // The positional one is no option to a reader.
      std::string text = options.help();
      if (const size_t at = text.find("      --filter"); at != std::string::npos)
        text.erase(at, text.find('\n', at) - at + 1);
      std::printf("%s\nFILTER: lines whose group or name contains it.\nExample: ./dev bench \"conv 3x3\" -m 3000\n",
                  text.c_str());
      return 0;
    }
    const auto filters =
        parsed.count("filter") > 0 ? parsed["filter"].as<std::vector<std::string>>() : std::vector<std::string>{};
    if (parsed.count("list") > 0) {
      for (const Line& line : chosen(filters))
        std::printf("%s: %s\n", line.group.c_str(), line.name.c_str());
      for (const std::string& name : compile_time_names()) {
        if (takes(filters, "compile", name)) std::printf("compile: %s\n", name.c_str());
      }
      return 0;
    }
    Settings settings;
    settings.seconds = parsed["milliseconds"].as<int>() / 1000.0;
    settings.cpp = parsed.count("no-cpp") == 0;
    settings.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    if (settings.cpp) settings.compilers = emitted_compilers();
    return run(filters, settings, parsed.count("json") > 0);
  } catch (const cxxopts::exceptions::exception& e) {
    std::fprintf(stderr, "qlathe-bench: error: %s; --help lists the options\n", e.what());
    return 2;
  }
}

}  // namespace
}  // namespace qlathe::bench

int main(int argc, char** argv) { return qlathe::bench::main_of(argc, argv); }
