#pragma once
/// Commands and their options as data; the one place that knows the option library is options.cpp.
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace qlathe::cli {

/// What a shell sees.
enum ExitCode { kSuccess = 0, kFailed = 1, kUsage = 2 };

struct Option {
  std::string name;      ///< "target"
  std::string argument;  ///< "TARGET" in the help text; empty: a switch
  std::string help;
  char letter = 0;                 ///< of the short form, 0 for none
  std::string fallback;            ///< shown as the default; empty: none
  std::vector<std::string> words;  ///< the words it takes; empty: anything
};

/// What the user gave, checked against the command's options.
class Arguments {
 public:
  bool has(const std::string& name) const { return values_.count(name) > 0; }
  /// The value given, else the option's default, else "".
  const std::string& get(const std::string& name) const;
  /// A positive number; checked when the command line is read.
  int number(const std::string& name) const;
  const std::vector<std::string>& operands() const { return operands_; }

 private:
  friend class CommandLine;
  std::map<std::string, std::string> values_, fallbacks_;
  std::vector<std::string> operands_;
};

struct Command {
  std::string name;
  std::string summary;                ///< one line of `qlathe --help`
  std::vector<std::string> operands;  ///< names: "MODEL"; "[TARGET]" may be left out
  std::string details;                ///< paragraphs above the options
  std::vector<Option> options;
  std::string example;  ///< lines of a shell, indented
  int (*run)(const Arguments&) = nullptr;
};

/// An option whose value is a number, by its argument's name.
inline constexpr const char* kNumber = "N";

std::string help_text(const Command& command);

/// Reads argv behind the command's name. Nothing where the command line is wrong (said on stderr; exit with kUsage) or
/// where help was asked for and printed (exit with kSuccess): then `exit_code` is set.
class CommandLine {
 public:
  static std::optional<Arguments> read(const Command& command, const std::vector<std::string>& words, int& exit_code);
};

}  // namespace qlathe::cli
