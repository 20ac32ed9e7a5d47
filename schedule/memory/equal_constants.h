#pragma once
#include "schedule/program.h"

namespace qlathe {

/// Stores equal constants (type, shape, layout and bytes) once, under the name of the first: the steps of a recurrence
/// share their weights, layers of the same form their tables.
void share_equal_constants(Program& program);

}  // namespace qlathe
