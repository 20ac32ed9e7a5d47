#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "frontend/numerics/brevitas_act.h"
#include "frontend/numerics/brevitas_quantizer.h"
#include "tests/support/golden_case.h"

/// The case folders of golden/brevitas: what a case says of its quantizer.
namespace qlathe::brevitas::cases {

using Case = testing::GoldenCase;

/// Folders with a case.json below golden/brevitas/<kind> of the reference data,
/// then those of more trees of such cases in QLATHE_BREVITAS_CASES, separated by colons; `kind` is "act" or "weight".
/// Empty where there is no data.
std::vector<std::filesystem::path> folders(const std::string& kind);

/// The quantizer of a case; the description tells the kind of an activation quantizer.
Quantizer weight_quantizer(const Case& c);
Quantizer act_quantizer(const Case& c);

/// Where `got` differs from `wanted` in bits: "3 of 240 differ, first at 17: 1.5 instead of 1.25"; empty where it does
/// not. Shapes may differ by extents of 1; a wanted array of the tensor's shape is compared with `got` expanded by
/// `tile`.
std::string difference(const HostTensor& got, const HostTensor& wanted, const Shape& shape = {},
                       const Shape& tile = {});

}  // namespace qlathe::brevitas::cases
