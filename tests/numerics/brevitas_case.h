#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "frontend/ir/tensor.h"
#include "frontend/numerics/brevitas_act.h"
#include "frontend/numerics/brevitas_quantizer.h"

/// The case folders of golden/brevitas: arrays and what the case says of its quantizer.
namespace qlathe::brevitas::cases {

struct Case {
  std::filesystem::path folder;
  nlohmann::json json;

  std::string name() const { return folder.filename().string(); }
  bool has(const std::string& key) const { return json.at("arrays").contains(key); }
  HostTensor array(const std::string& key) const;
};

/// Folders with a case.json below `relative` of the reference data (QLATHE_SHARED, or shared/ beside the repository),
/// sorted; more trees of such cases in QLATHE_BREVITAS_CASES, separated by colons, below `kind` ("act" or "weight").
/// Empty where there is no data.
std::vector<std::filesystem::path> folders(const std::string& kind);
Case load(const std::filesystem::path& folder);

/// The quantizer of a case; the description tells the kind of an activation quantizer.
Quantizer weight_quantizer(const Case& c);
Quantizer act_quantizer(const Case& c);

/// Where `got` differs from `wanted` in bits: "3 of 240 differ, first at 17: 1.5 instead of 1.25"; empty where it does
/// not. Shapes may differ by extents of 1; a wanted array of the tensor's shape is compared with `got` expanded by
/// `tile`.
std::string difference(const HostTensor& got, const HostTensor& wanted, const Shape& shape = {},
                       const Shape& tile = {});

}  // namespace qlathe::brevitas::cases
