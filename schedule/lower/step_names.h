#pragma once
#include <string>
#include <vector>

namespace qlathe {

/// Names of the steps that have a kernel form (apply_steps in steps.h), sorted.
std::vector<std::string> kernel_step_names();

}  // namespace qlathe
