#pragma once
/// Every command of `qlathe`, one file each.
#include "cli/terminal/options.h"

namespace qlathe::cli {

Command compile_command();
Command inspect_command();
Command rules_command();
Command calibrate_command();
Command quantize_command();
Command export_command();
Command run_command();
Command bench_command();
Command targets_command();

}  // namespace qlathe::cli
