#pragma once
#include <string>
#include <vector>

#include "api/output.h"

namespace qlathe {

/// A page of HTML without scripts or other files: sizes, the memory plan as a drawing and as a table, every call.
std::string report_page(const ModelOutput& output, const std::vector<std::string>& provenance);

}  // namespace qlathe
