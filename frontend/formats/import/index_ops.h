#pragma once
// Operators that choose elements by index, of any file format, as nodes of the graph.
#include "frontend/formats/import/import_node.h"

namespace qlathe {

/// 0, 1, .. n - 1 along `axis` of `rank`.
TensorId import_iota(ImportNode& node, ValueType type, int64_t n, int64_t rank, int64_t axis);

/// The index (int32) of the first extreme along an axis, which stays with extent 1 where `keep`. `last`: of the last.
TensorId import_arg_extreme(ImportNode& node, TensorId x, int64_t axis, bool largest, bool keep, bool last = false);

/// data [r axes], indices [.., k]: axes batch .. batch + k of the data are chosen; negative indices count from the end.
TensorId import_gather_nd(ImportNode& node, TensorId x, TensorId indices, int64_t batch);

struct TopK {
  TensorId values, indices;  ///< indices int32
};
/// The k largest or smallest along an axis, sorted; of equals the first comes first.
TopK import_top_k(ImportNode& node, TensorId x, int64_t k, int64_t axis, bool largest);

}  // namespace qlathe
