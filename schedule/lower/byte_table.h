#pragma once
#include <optional>
#include <string>

#include "schedule/lower/lowering.h"

namespace qlathe {

/// The results of an element-wise node for all 256 values of its one byte (every other operand is a single constant, a
/// table, or that byte again), computed as stated: shape [256], from the least value on. Nothing where the node is no
/// such function or its steps cost less than a look into the table. `note` says so for the report.
std::optional<PackedConstant> choose_byte_table(const LoweringContext& context, std::string& note);

}  // namespace qlathe
