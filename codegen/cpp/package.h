#pragma once
/// Emitted files as an ecosystem expects a library to look.
#include <string>
#include <vector>

#include "codegen/cpp/emit.h"
#include "schedule/target.h"

namespace qlathe {

enum class PackageKind { kFlat, kCmake, kArduino, kZephyr, kEspIdf, kSingleHeader, kAndroid };

/// The words of --package, in the order of PackageKind without kFlat.
const std::vector<std::string>& package_names();

struct PackageInfo {
  std::string model;  ///< a C identifier, prefix of the model's symbols
  std::string version = "1.0.0";
  const Target* target = nullptr;
  std::vector<std::string> provenance;
};

/// `files` are emit_cpp's, without a weights file beside C++ (WeightPlacement::kBinary).
Result<std::vector<EmittedFile>> make_package(PackageKind kind, std::vector<EmittedFile> files,
                                              const PackageInfo& info);

}  // namespace qlathe
