#pragma once
#include "tests/cases/case_kind.h"

namespace qlathe::cases {

/// The cases that a folder means: itself, if it has a case.json, or is a model folder (about.json and model.*), or is
/// one case of the cases.json beside it; every case of its cases.json; else all of these below it, sorted by path.
/// A case.json that cannot be read is a case of kind "" (it will fail, not vanish). Error: nothing there.
Result<std::vector<CaseRef>> find_cases(const std::filesystem::path& folder);

}  // namespace qlathe::cases
