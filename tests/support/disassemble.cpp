#include "tests/support/disassemble.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>

namespace qlathe::testing {

namespace {

struct Instruction {
  uint64_t address = 0;
  std::string text;  ///< mnemonic and operands, encodings like "{vex}" left out
};
using Functions = std::map<std::string, std::vector<Instruction>>;

std::string output_of(const std::string& command) {
  std::string text;
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) return text;
  std::array<char, 4096> buffer;
  while (size_t n = fread(buffer.data(), 1, buffer.size(), pipe.get()))
    text.append(buffer.data(), n);
  return text;
}

Functions parse(const std::string& text) {
  Functions functions;
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
    if (instruction != std::string::npos && line[instruction] == '{') {
      instruction = line.find('}', instruction);
      if (instruction != std::string::npos) instruction = line.find_first_not_of(" \t", instruction + 1);
    }
    if (instruction == std::string::npos) continue;
    functions[current].push_back({std::strtoull(line.substr(0, colon).c_str(), nullptr, 16), line.substr(instruction)});
  }
  return functions;
}

Functions functions_of(const std::string& file) {
  for (const char* tool : {"objdump", "arm-none-eabi-objdump", "llvm-objdump-19", "llvm-objdump"}) {
    Functions functions = parse(output_of(std::string(tool) + " -d --no-show-raw-insn '" + file + "' 2>/dev/null"));
    if (!functions.empty()) return functions;
  }
  return {};
}

// Where a conditional jump of x86-64, AArch64 or Thumb goes: the number before "<symbol+offset>".
std::optional<uint64_t> jump_target(const std::string& instruction) {
  const std::string mnemonic = instruction.substr(0, instruction.find_first_of(" \t"));
  const bool conditional = (mnemonic[0] == 'j' && mnemonic != "jmp") || mnemonic.starts_with("b.") ||
                           mnemonic == "bne.n" || mnemonic == "bne.w" || mnemonic == "bcc.n" || mnemonic == "blt.n" ||
                           mnemonic == "cbz" || mnemonic == "cbnz" || mnemonic == "tbz" || mnemonic == "tbnz";
  const size_t symbol = instruction.find(" <");
  if (!conditional || symbol == std::string::npos) return std::nullopt;
  const size_t begin = instruction.find_last_of(" \t,", symbol - 1);
  return std::strtoull(instruction.substr(begin + 1, symbol - begin - 1).c_str(), nullptr, 16);
}

}  // namespace

std::map<std::string, std::vector<std::string>> disassemble(const std::string& file) {
  std::map<std::string, std::vector<std::string>> functions;
  for (const auto& [name, instructions] : functions_of(file)) {
    for (const Instruction& instruction : instructions)
      functions[name].push_back(instruction.text);
  }
  return functions;
}

int count_mnemonic(const std::vector<std::string>& instructions, const std::string& prefix) {
  int count = 0;
  for (const std::string& instruction : instructions)
    count += instruction.starts_with(prefix) ? 1 : 0;
  return count;
}

std::vector<std::vector<std::string>> innermost_loops(const std::string& file) {
  std::vector<std::vector<std::string>> loops;
  for (const auto& [name, instructions] : functions_of(file)) {
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    for (const Instruction& instruction : instructions) {
      const auto target = jump_target(instruction.text);
      if (target && *target <= instruction.address && *target >= instructions.front().address)
        ranges.emplace_back(*target, instruction.address);
    }
    for (const auto& range : ranges) {
      const bool outer = std::any_of(ranges.begin(), ranges.end(), [&](const auto& other) {
        return other != range && other.first >= range.first && other.second <= range.second;
      });
      if (outer) continue;
      std::vector<std::string> body;
      for (const Instruction& instruction : instructions) {
        if (instruction.address >= range.first && instruction.address <= range.second) body.push_back(instruction.text);
      }
      loops.push_back(std::move(body));
    }
  }
  return loops;
}

}  // namespace qlathe::testing
