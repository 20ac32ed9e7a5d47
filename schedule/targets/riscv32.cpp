#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_riscv32({
    .name = "riscv32",
    .summary = "microcontrollers of 32-bit RISC-V (RV32IMAC): no float unit",
    .halide = "x86-64-linux",
    .object = false,
    .vectorize = false,
    .dot = {"scalar", 1, 1, 1, DotSigns::kAny},
    .max_accumulators = 8,
    .gcc_flags = {"-march=rv32imac", "-mabi=ilp32"},
    .clang_flags = {"--target=riscv32-unknown-elf", "-march=rv32imac", "-mabi=ilp32"},
    .cross_triple = "riscv64-unknown-elf",
    .emulator = "qemu-riscv32",
});

}  // namespace qlathe
