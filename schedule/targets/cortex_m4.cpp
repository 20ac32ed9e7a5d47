#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_cortex_m4({
    .name = "cortex-m4",
    .summary = "microcontrollers of ARMv7E-M with single-precision floats (Cortex-M4F)",
    .halide = "x86-64-linux",
    .object = false,
    .vectorize = false,
    .dot = {"smlad", 1, 1, 4, DotSigns::kAny},
    .max_accumulators = 4,
    // Scheduled before registers are given out, the loads of a step no longer find any: 10 % more instructions.
    .gcc_flags = {"-fno-schedule-insns", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"},
    .clang_flags = {"--target=arm-none-eabi", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"},
    .cross_triple = "arm-none-eabi",
    .promised = {"smlad"},
});

}  // namespace qlathe
