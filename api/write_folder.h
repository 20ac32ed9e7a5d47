#pragma once
#include <string>
#include <vector>

#include "codegen/cpp/emit.h"

namespace qlathe {

/// Writes all files into the folder, which is made if need be. Either all of them are there afterwards, or (with an
/// error) the folder is as it was before.
Status write_folder(const std::string& folder, const std::vector<EmittedFile>& files);

}  // namespace qlathe
