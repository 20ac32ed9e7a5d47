#include "cli/terminal/options.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cxxopts.hpp>

#include "api/support.h"
#include "cli/terminal/terminal.h"

namespace qlathe::cli {
namespace {

constexpr size_t kHelpColumn = 30;

bool is_optional(const std::string& operand) { return operand.starts_with("["); }

/// Words of `text` in lines of at most 100 columns, the first of them at `column` already.
std::string wrapped(const std::string& text, size_t column) {
  std::string out, word;
  size_t at = column;
  const auto flush = [&] {
    if (word.empty()) return;
    if (at > column && at + 1 + word.size() > 100) {
      out += "\n" + std::string(column, ' ');
      at = column;
    }
    if (at > column) {
      out += ' ';
      at++;
    }
    out += word;
    at += word.size();
    word.clear();
  };
  for (const char c : text) {
    if (c == ' ')
      flush();
    else
      word += c;
  }
  flush();
  return out;
}

std::string option_line(const Option& option) {
  std::string line = option.letter ? std::string("  -") + option.letter + ", " : "      ";
  line += "--" + option.name;
  if (!option.argument.empty()) line += " " + option.argument;
  line = line.size() + 2 > kHelpColumn ? line + "\n" + std::string(kHelpColumn, ' ')
                                       : line + std::string(kHelpColumn - line.size(), ' ');
  std::string help = option.help;
  if (!option.words.empty()) {
    help += ": ";
    for (const std::string& word : option.words)
      help += (&word == &option.words.front() ? "" : ", ") + word;
  }
  if (!option.fallback.empty()) help += " (default: " + option.fallback + ")";
  return line + wrapped(help, kHelpColumn) + "\n";
}

void usage_error(const Command& command, const std::string& message, const std::string& remedy) {
  print_error(message + "; " + (remedy.empty() ? "see qlathe " + command.name + " --help" : remedy));
}

/// A problem of one option's value, or "".
std::string value_problem(const Option& option, const std::string& value) {
  if (value.empty() && !option.argument.empty()) return "--" + option.name + " needs a value";
  if (option.argument == kNumber) {
    const bool digits =
        value.size() <= 9 && std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || std::atoi(value.c_str()) < 1) {
      return "--" + option.name + " takes a number from 1 on, not " + in_quotes(value);
    }
  }
  if (!option.words.empty() && std::find(option.words.begin(), option.words.end(), value) == option.words.end()) {
    return "--" + option.name + " does not know " + in_quotes(value) + "; " + did_you_mean(value, option.words);
  }
  return "";
}

}  // namespace

const std::string& Arguments::get(const std::string& name) const {
  static const std::string nothing;
  const auto given = values_.find(name);
  if (given != values_.end()) return given->second;
  const auto fallback = fallbacks_.find(name);
  return fallback == fallbacks_.end() ? nothing : fallback->second;
}

int Arguments::number(const std::string& name) const { return std::atoi(get(name).c_str()); }

std::string help_text(const Command& command) {
  std::string out = "usage: qlathe " + command.name;
  for (const std::string& operand : command.operands)
    out += " " + operand;
  out += " [options]\n\n" + command.details + "\n\noptions:\n";
  for (const Option& option : command.options)
    out += option_line(option);
  out += option_line({"help", "", "this text", 'h', "", {}});
  return out + "\nexample:\n" + command.example + "\n";
}

std::optional<Arguments> CommandLine::read(const Command& command, const std::vector<std::string>& words,
                                           int& exit_code) {
  exit_code = kUsage;
  cxxopts::Options parser("qlathe " + command.name);
  parser.allow_unrecognised_options();
  auto add = parser.add_options();
  const auto spelled = [](const Option& option) {
    return (option.letter ? std::string(1, option.letter) + "," : std::string()) + option.name;
  };
  for (const Option& option : command.options) {
    if (option.argument.empty())
      add(spelled(option), "");
    else
      add(spelled(option), "", cxxopts::value<std::string>());
  }
  add("h,help", "");
  add("operands", "", cxxopts::value<std::vector<std::string>>());
  parser.parse_positional({"operands"});

  Arguments arguments;
  try {
    std::vector<const char*> argv = {"qlathe"};
    for (const std::string& word : words)
      argv.push_back(word.c_str());
    const cxxopts::ParseResult parsed = parser.parse(static_cast<int>(argv.size()), argv.data());
    if (parsed.count("help") > 0) {
      std::fputs(help_text(command).c_str(), stdout);
      exit_code = kSuccess;
      return std::nullopt;
    }
    std::vector<std::string> known = {"--help"};
    for (const Option& option : command.options)
      known.push_back("--" + option.name);
    bool good = true;
    for (const std::string& word : parsed.unmatched()) {
      const std::string near = nearest(word.substr(0, word.find('=')), known);
      usage_error(command, "there is no option " + in_quotes(word), near.empty() ? "" : "did you mean " + near + "?");
      good = false;
    }
    if (parsed.count("operands") > 0) arguments.operands_ = parsed["operands"].as<std::vector<std::string>>();
    for (const Option& option : command.options) {
      arguments.fallbacks_[option.name] = option.fallback;
      const size_t times = parsed.count(option.name);
      if (times == 0) continue;
      const std::string value = option.argument.empty() ? "" : parsed[option.name].as<std::string>();
      std::string problem = value_problem(option, value);
      if (times > 1 && !option.argument.empty()) problem = "--" + option.name + " is given twice";
      if (!problem.empty()) {
        print_error(problem);
        good = false;
      }
      arguments.values_[option.name] = value;
    }
    const auto required = static_cast<size_t>(std::count_if(command.operands.begin(), command.operands.end(),
                                                            [](const std::string& o) { return !is_optional(o); }));
    const size_t given = arguments.operands_.size();
    if (good && given < required) {
      usage_error(command, command.operands[given] + " is missing", "");
      good = false;
    }
    if (good && given > command.operands.size()) {
      usage_error(command, "one argument too many: " + in_quotes(arguments.operands_[command.operands.size()]), "");
      good = false;
    }
    if (!good) return std::nullopt;
  } catch (const cxxopts::exceptions::exception& problem) {
    usage_error(command, problem.what(), "");
    return std::nullopt;
  }
  exit_code = kSuccess;
  return arguments;
}

}  // namespace qlathe::cli
