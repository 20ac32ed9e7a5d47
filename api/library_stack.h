#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace qlathe {

/// Stack of the functions in a disassembly (`objdump -d`) of linked Thumb code, by name: at most so many bytes,
/// whatever path they take. Names are those of `nm` for the same file, so that every alias of a function is known.
/// Functions that call by pointer or move the stack by what is not in the instruction are left out.
std::map<std::string, int64_t> thumb_stack_bounds(const std::string& disassembly, const std::string& symbols);

}  // namespace qlathe
