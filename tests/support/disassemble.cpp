#include "tests/support/disassemble.h"

#include <array>
#include <cstdio>
#include <memory>

namespace qlathe::testing {

namespace {

std::string output_of(const std::string& command) {
  std::string text;
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) return text;
  std::array<char, 4096> buffer;
  while (size_t n = fread(buffer.data(), 1, buffer.size(), pipe.get()))
    text.append(buffer.data(), n);
  return text;
}

}  // namespace

std::map<std::string, std::vector<std::string>> disassemble(const std::string& file) {
  std::map<std::string, std::vector<std::string>> functions;
  for (const char* tool : {"objdump", "llvm-objdump-19", "llvm-objdump"}) {
    std::string text = output_of(std::string(tool) + " -d --no-show-raw-insn '" + file + "' 2>/dev/null");
    std::string current;
    for (size_t begin = 0, end; begin < text.size(); begin = end + 1) {
      end = std::min(text.find('\n', begin), text.size());
      std::string line = text.substr(begin, end - begin);
      size_t open = line.find('<'), close = line.rfind(">:");
      if (close != std::string::npos && open < close) {
        current = line.substr(open + 1, close - open - 1);
        continue;
      }
      size_t colon = line.find(':');
      if (current.empty() || colon == std::string::npos) continue;
      size_t instruction = line.find_first_not_of(" \t", colon + 1);
      if (instruction != std::string::npos) functions[current].push_back(line.substr(instruction));
    }
    if (!functions.empty()) return functions;
  }
  return functions;
}

int count_mnemonic(const std::vector<std::string>& instructions, const std::string& prefix) {
  int count = 0;
  for (const std::string& instruction : instructions)
    count += instruction.starts_with(prefix) ? 1 : 0;
  return count;
}

}  // namespace qlathe::testing
