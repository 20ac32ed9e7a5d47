#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_riscv64({
    .name = "riscv64",
    .summary = "64-bit RISC-V (RV64GC), scalar instructions",
    .halide = "x86-64-linux",
    .object = false,
    .vectorize = false,
    .dot = {"scalar", 1, 1, 1, DotSigns::kAny},
    .max_accumulators = 8,
    .gcc_flags = {"-march=rv64gc", "-mabi=lp64d"},
    .clang_flags = {"-march=rv64gc", "-mabi=lp64d"},
    .cross_triple = "riscv64-linux-gnu",
    .emulator = "qemu-riscv64",
});

}  // namespace qlathe
