#include "api/library_stack.h"

#include <optional>
#include <set>
#include <sstream>

namespace qlathe {
namespace {

struct Function {
  int64_t frame = 0;  ///< all that it pushes and subtracts, on any path
  std::set<uint64_t> calls;
  bool known = true;
};

/// "r4-r7, lr" of "{r4-r7, lr}": how many registers.
int64_t registers_in(const std::string& operands) {
  const size_t open = operands.find('{'), close = operands.find('}');
  if (open == std::string::npos || close == std::string::npos) return 0;
  int64_t count = 0;
  std::istringstream list(operands.substr(open + 1, close - open - 1));
  for (std::string one; std::getline(list, one, ',');) {
    const size_t from = one.find_first_of("0123456789"), dash = one.find('-');
    count += dash == std::string::npos
                 ? 1
                 : std::stoll(one.substr(one.find_first_of("0123456789", dash))) - std::stoll(one.substr(from)) + 1;
  }
  return count;
}

/// The number behind `mark`, "#12" or "#-16".
std::optional<int64_t> number_after(const std::string& text, const std::string& mark) {
  const size_t at = text.find(mark);
  if (at == std::string::npos) return std::nullopt;
  return std::stoll(text.substr(at + mark.size()));
}

void read_instruction(const std::string& mnemonic, const std::string& operands, Function& f) {
  const bool wide = mnemonic.starts_with("v");
  if (mnemonic.starts_with("push") || mnemonic.starts_with("vpush") ||
      (mnemonic.starts_with("stmdb") && operands.starts_with("sp!"))) {
    f.frame += registers_in(operands) * (wide && operands.find('d') != std::string::npos ? 8 : 4);
  } else if (mnemonic.starts_with("sub") && operands.starts_with("sp")) {
    const auto bytes = number_after(operands, "#");
    if (bytes) f.frame += *bytes;
    f.known = f.known && bytes.has_value();
  } else if (mnemonic.starts_with("str") && operands.find("[sp, #-") != std::string::npos) {
    f.frame += *number_after(operands, "[sp, #-");
  } else if (mnemonic.starts_with("blx") || (mnemonic.starts_with("mov") && operands.starts_with("sp,"))) {
    f.known = false;
  } else if (mnemonic.starts_with("b") && operands.find('<') != std::string::npos) {
    f.calls.insert(std::stoull(operands, nullptr, 16));
  }
}

/// Nothing runs on from here to the next instruction.
bool ends_path(const std::string& mnemonic, const std::string& operands) {
  return mnemonic == "bx" || mnemonic == "b.n" || mnemonic == "b.w" || mnemonic == "b" || mnemonic == "udf" ||
         operands.find("pc}") != std::string::npos || operands.starts_with("pc,");
}

class Bounds {
 public:
  void read(const std::string& disassembly) {
    std::istringstream lines(disassembly);
    Function* current = nullptr;
    bool runs_on = false;
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with(">:")) {
        const uint64_t at = std::stoull(line, nullptr, 16);
        if (current && runs_on) current->calls.insert(at);
        current = &functions_[at];
        continue;
      }
      // "    191c:\tb5f0      \tpush\t{r4, r5, r6, r7, lr}"
      const size_t code = line.find('\t'), word = code == std::string::npos ? code : line.find('\t', code + 1);
      if (!current || word == std::string::npos) continue;
      const size_t end = line.find('\t', word + 1);
      const std::string mnemonic = line.substr(word + 1, end == std::string::npos ? end : end - word - 1);
      const std::string operands = end == std::string::npos ? "" : line.substr(end + 1);
      if (mnemonic.starts_with(".")) continue;  // data between functions
      read_instruction(mnemonic, operands, *current);
      runs_on = !ends_path(mnemonic, operands);
    }
  }

  void read_names(const std::string& symbols) {
    std::istringstream lines(symbols);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string address, kind, name;
      if (words >> address >> kind >> name && (kind == "T" || kind == "t" || kind == "W"))
        names_[name] = std::stoull(address, nullptr, 16) & ~uint64_t{1};
    }
  }

  std::map<std::string, int64_t> all() {
    std::map<std::string, int64_t> out;
    for (const auto& [name, address] : names_) {
      std::set<uint64_t> path;
      if (const auto bytes = depth(address, path)) out[name] = *bytes;
    }
    return out;
  }

 private:
  std::optional<int64_t> depth(uint64_t address, std::set<uint64_t>& path) {
    auto at = functions_.upper_bound(address);  // branches go into the middle of functions, too
    if (at == functions_.begin()) return std::nullopt;
    const uint64_t start = (--at)->first;
    if (!path.insert(start).second) return 0;  // a loop over fall-throughs and jumps
    const Function& f = at->second;
    std::optional<int64_t> deepest = f.known ? std::optional<int64_t>(0) : std::nullopt;
    const auto take = [&](std::optional<int64_t> below) {
      deepest = deepest && below ? std::optional<int64_t>(std::max(*deepest, *below)) : std::nullopt;
    };
    for (const uint64_t callee : f.calls)
      take(depth(callee, path));
    path.erase(start);
    if (!deepest) return std::nullopt;
    return *deepest + f.frame;
  }

  std::map<uint64_t, Function> functions_;
  std::map<std::string, uint64_t> names_;
};

}  // namespace

std::map<std::string, int64_t> thumb_stack_bounds(const std::string& disassembly, const std::string& symbols) {
  Bounds bounds;
  bounds.read(disassembly);
  bounds.read_names(symbols);
  return bounds.all();
}

}  // namespace qlathe
