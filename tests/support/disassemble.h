#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace qlathe::testing {

/// Instructions of the functions in an object file or shared library, by symbol (static functions included).
/// Empty where neither objdump nor llvm-objdump can read the file.
std::map<std::string, std::vector<std::string>> disassemble(const std::string& file);

/// How many instructions of a function have a mnemonic that begins with `prefix`.
int count_mnemonic(const std::vector<std::string>& instructions, const std::string& prefix);

/// The instructions of every loop of a file that has no loop inside: from the target of a conditional jump backwards to
/// that jump.
std::vector<std::vector<std::string>> innermost_loops(const std::string& file);

}  // namespace qlathe::testing
