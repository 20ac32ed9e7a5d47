#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_dotprod({
    .name = "arm64-dotprod",
    .summary = "ARMv8.2 with dot products (Cortex-A55, A75 and later, Apple M1): sdot",
    .halide = "arm-64-linux-arm_dot_prod",
    .object = true,
    .vector_bits = 128,
    .registers = 32,
    .dot = {"sdot", 1, 1, 4, DotSigns::kEqual},
    .max_accumulators = 24,
    .gcc_flags = {"-march=armv8.2-a+dotprod"},
    .clang_flags = {"-march=armv8.2-a+dotprod"},
    .cross_triple = "aarch64-linux-gnu",
    .emulator = "qemu-aarch64",
    .promised = {"sdot"},
    .cpu_flags = {"asimd", "asimddp"},
});

}  // namespace qlathe
