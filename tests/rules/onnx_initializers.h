#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "frontend/ir/tensor.h"

namespace qlathe::testing {

/// The float32, int8, uint8 and int32 initializers with raw data of an .onnx file, by name: enough to get reference
/// weights out of exported models. Throws std::runtime_error on a malformed file.
std::map<std::string, HostTensor> onnx_initializers(const std::filesystem::path& file);

}  // namespace qlathe::testing
