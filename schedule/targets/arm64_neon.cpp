#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_neon({
    .name = "arm64-neon",
    .summary = "any 64-bit ARM: smull and sadalp on 128-bit registers",
    .halide = "arm-64-linux",
    .object = true,
    .vector_bits = 128,
    .registers = 32,
    .dot = {"smull", 1, 1, 2, DotSigns::kEqual},
    .max_accumulators = 16,
    .gcc_flags = {"-march=armv8-a"},
    .clang_flags = {"-march=armv8-a"},
    .cross_triple = "aarch64-linux-gnu",
    .emulator = "qemu-aarch64",
    .promised = {"smull", "sadalp"},
    .cpu_flags = {"asimd"},
});

}  // namespace qlathe
