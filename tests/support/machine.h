#pragma once
#include <string>

#include "frontend/ir/result.h"
#include "schedule/target.h"

namespace qlathe::testing {

/// How this computer compiles and runs the code of a target: as it is, by an emulator of the processor, or as firmware
/// on an emulated board.
struct Machine {
  std::string gcc, gxx;   ///< commands with the target's flags
  std::string link;       ///< what linking a whole program adds; firmware: the board's support as well
  std::string before;     ///< what stands before the program's path to run it
  bool firmware = false;  ///< no library but the compiler's
  std::string files;      ///< what of tests/cases/firmware reads and writes files there; empty: `link` has it
};

bool on_path(const std::string& program);

/// A failure that says what is missing where this computer cannot.
Result<Machine> machine_for(const Target& target);

}  // namespace qlathe::testing
