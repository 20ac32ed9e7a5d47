#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_cortex_m7({
    .name = "cortex-m7",
    .summary = "microcontrollers of ARMv7E-M with single-precision floats and caches (Cortex-M7)",
    .halide = "x86-64-linux",
    .object = false,
    .vectorize = false,
    .dot = {"smlad", 1, 1, 4, DotSigns::kAny},
    .max_accumulators = 4,
    // Scheduled before registers are given out, the loads of a step no longer find any: 10 % more instructions.
    .gcc_flags = {"-fno-schedule-insns", "-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"},
    .clang_flags = {"--target=arm-none-eabi", "-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"},
    .cross_triple = "arm-none-eabi",
    .promised = {"smlad"},
});

}  // namespace qlathe
