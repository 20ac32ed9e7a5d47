#pragma once
#include <cstdint>
#include <vector>

#include "frontend/ir/tensor.h"

namespace qlathe {

/// Marks positions of the result that no source element goes to.
inline constexpr int64_t kOutside = INT64_MIN;

/// to[i0, i1, ..] = from[tables[0][i0] + tables[1][i1] + ..], elements copied as they are. tables[d] has an entry for
/// each index of the result's axis d: an offset in source elements, or kOutside. Elements with an outside index are
/// left alone.
void copy_by_tables(const HostTensor& from, const std::vector<std::vector<int64_t>>& tables, HostTensor& to);

}  // namespace qlathe
