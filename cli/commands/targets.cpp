#include <cstdio>

#include "api/devices.h"
#include "cli/commands/commands.h"
#include "cli/commands/common.h"
#include "cli/terminal/terminal.h"

namespace qlathe::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words)
    out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string outputs(const Target& target) {
  std::string out = target.cpp ? "C++" : "";
  if (target.object) out += (out.empty() ? "" : ", ") + std::string("object");
  if (target.object && host_can_run(target)) out += ", JIT";
  return out;
}

int run(const Arguments& arguments) {
  std::vector<const Target*> targets = TargetRegistry::all();
  if (!arguments.operands().empty()) {
    const Target* const one = find_target(arguments.operands()[0]);
    if (one == nullptr) return kUsage;
    targets = {one};
  }
  if (arguments.has("gcc-flags") || arguments.has("clang-flags")) {
    for (const Target* t : targets)
      std::printf("%s\n", joined(arguments.has("gcc-flags") ? t->gcc_flags : t->clang_flags).c_str());
    return kSuccess;
  }
  if (arguments.has("json")) {
    JsonText json;
    json.array();
    for (const Target* t : targets) {
      json.object().member("name", t->name).member("summary", t->summary).member("dot", t->dot.name);
      json.member("vector_bits", t->vector_bits).member("cpp", t->cpp).member("object", t->object);
      json.member("runs_here", host_can_run(*t) && !has_device(*t))
          .member("needs_driver", has_device(*t))
          .member("host", t == &host_target());
      json.member("gcc_flags", joined(t->gcc_flags)).member("clang_flags", joined(t->clang_flags));
      json.member("cross_triple", t->cross_triple).member("emulator", t->emulator).end();
    }
    std::fputs(json.end().text().c_str(), stdout);
    return kSuccess;
  }
  Table table({"target", "dot", ">bits", "output", "here", "for"});
  for (const Target* t : targets) {
    const char* here = t == &host_target() ? "host" : has_device(*t) ? "driver" : host_can_run(*t) ? "runs" : "";
    table.row(
        {t->name, t->dot.name, t->vector_bits ? std::to_string(t->vector_bits) : "", outputs(*t), here, t->summary});
  }
  std::fputs(table.text().c_str(), stdout);
  return kSuccess;
}

}  // namespace

Command targets_command() {
  Command command;
  command.name = "targets";
  command.summary = "list the instruction sets that can be compiled for";
  command.operands = {"[TARGET]"};
  command.details =
      "Lists the targets: the instruction that integer products are made of, the width of vectors, and what each can "
      "be\n"
      "compiled to. 'host' marks the one that --target host stands for here, 'driver' those that run on a device "
      "whose\n"
      "driver is installed.";
  command.options = {json_option(),
                     {"gcc-flags", "", "print only what g++ needs to compile the emitted C++", 0, "", {}},
                     {"clang-flags", "", "the same for clang++", 0, "", {}}};
  command.example = "  qlathe targets\n  g++ -O2 $(qlathe targets host --gcc-flags) -Iout -c out/perceptron.cpp";
  command.run = run;
  return command;
}

}  // namespace qlathe::cli
