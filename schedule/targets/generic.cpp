#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_generic({
    .name = "generic",
    .summary = "plain ISO C++11 for any compiler and processor, no vector types",
    .halide = "x86-64-linux",
    .object = false,
    .vectorize = false,
    .dot = {"scalar", 1, 1, 1, DotSigns::kAny},
    .max_accumulators = 8,
});

}  // namespace qlathe
