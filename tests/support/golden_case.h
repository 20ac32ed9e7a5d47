#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "frontend/ir/tensor.h"

namespace qlathe::testing {

/// Folder of the reference data: $QLATHE_SHARED, or ../shared beside the repository. Empty if it is not there.
std::filesystem::path shared_folder();

/// A folder with a case.json and .npy files (golden/README.md, "Layout").
struct GoldenCase {
  std::filesystem::path folder;
  nlohmann::ordered_json json;

  static GoldenCase open(const std::filesystem::path& folder);
  bool has(const std::string& key) const { return json["arrays"].contains(key); }
  /// The array as a tensor of its logical type. Throws std::runtime_error on a malformed file.
  HostTensor array(const std::string& key) const;
};

/// Every folder directly below `root` that has a case.json, sorted.
std::vector<std::filesystem::path> case_folders(const std::filesystem::path& root);

/// A little-endian, C-order .npy file as a tensor of `type`, whose storage size must be the file's.
HostTensor read_npy(const std::filesystem::path& file, ValueType type);

}  // namespace qlathe::testing
