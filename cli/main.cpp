// qlathe: reads the command, hands it its words, says what went wrong.
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "api/support.h"
#include "cli/commands/commands.h"
#include "cli/terminal/terminal.h"

namespace qlathe::cli {
namespace {

std::string overview(const std::vector<Command>& commands) {
  std::string out =
      "usage: qlathe COMMAND [options]\n\n"
      "Compiles quantized neural networks ahead of time: into functions of this process, objects and libraries, or\n"
      "plain C++ sources, with the same results bit for bit.\n\ncommands:\n";
  for (const Command& command : commands)
    out += "  " + command.name + std::string(12 - command.name.size(), ' ') + command.summary + "\n";
  return out +
         "\n'qlathe COMMAND --help' tells more and gives an example. 'qlathe --version' prints the version.\n"
         "Exit status: 0 done, 1 failed, 2 wrong use.\n";
}

int run(const std::vector<std::string>& words) {
  const std::vector<Command> commands = {compile_command(),   inspect_command(),  rules_command(),
                                         calibrate_command(), quantize_command(), export_command(),
                                         run_command(),       bench_command(),    targets_command()};
  if (words.empty()) {
    std::fputs(overview(commands).c_str(), stderr);
    return kUsage;
  }
  const auto find = [&](const std::string& name) -> const Command* {
    for (const Command& command : commands)
      if (command.name == name) return &command;
    return nullptr;
  };
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    const Command* const asked = words.size() > 1 ? find(words[1]) : nullptr;
    std::fputs((asked ? help_text(*asked) : overview(commands)).c_str(), stdout);
    return kSuccess;
  }
  if (words[0] == "--version") {
    std::fputs("qlathe " QLATHE_VERSION "\n", stdout);
    return kSuccess;
  }
  const Command* const command = find(words[0]);
  if (command == nullptr) {
    std::vector<std::string> known;
    for (const Command& c : commands)
      known.push_back(c.name);
    print_error("there is no command " + in_quotes(words[0]) + "; " + did_you_mean(words[0], known));
    return kUsage;
  }
  int exit_code = kSuccess;
  const auto arguments = CommandLine::read(*command, {words.begin() + 1, words.end()}, exit_code);
  return arguments ? command->run(*arguments) : exit_code;
}

}  // namespace
}  // namespace qlathe::cli

int main(int argc, char** argv) {
  // Output into a pipe that was closed is an error of write, not the end of the process without a word.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // likewise a file beyond the user's limit
  int code;
  try {
    code = qlathe::cli::run({argv + 1, argv + argc});
  } catch (const std::bad_alloc&) {
    qlathe::cli::print_error("there is not enough memory; use smaller shapes or batches, or raise the memory limit");
    return qlathe::cli::kFailed;
  } catch (const std::exception& problem) {
    qlathe::cli::print_error(std::string("internal: ") + problem.what() + "; please report this with the command line");
    return qlathe::cli::kFailed;
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    qlathe::cli::print_error("standard output cannot be written");
    return qlathe::cli::kFailed;
  }
  return code;
}
