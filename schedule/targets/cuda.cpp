#include "schedule/target.h"

namespace qlathe {

static const TargetRegistry::Add add_cuda({
    .name = "cuda",
    .summary = "NVIDIA GPUs of compute capability 6.1 and later (PTX): dp4a; launched from x86-64",
    .halide = "x86-64-linux-cuda-cuda_capability_61",
    .object = true,
    .cpp = false,
    .vectorize = false,
    .dot = {"dp4a", 1, 1, 4, DotSigns::kAny},
    .max_accumulators = 16,
    .promised = {"dp4a"},
});

}  // namespace qlathe
