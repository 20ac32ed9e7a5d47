#pragma once
#include <map>
#include <string>

#include "frontend/ir/tensor.h"
#include "frontend/numerics/calibrate.h"

namespace qlathe {

/// Statistics of one activation, as Qwix's quant_stats has them: sums over `count` batches of what calibrate() gives
/// for a batch, averaged over its batch axes. float32.
struct QuantStat {
  int64_t count = 0;
  Statistics sums;  ///< absmax, or lo and hi ("sum_of_absmax", "sum_of_min", "sum_of_max")

  /// sums / count, by the division of the reference (calibrate.h), in the type of the activation.
  Statistics average(ValueType type) const;
};

/// By name: "<module>/<op><n>_<lhs|rhs>", e.g. "linear1/dot_general0_lhs"; n counts the ops of that name in the module.
using QuantStats = std::map<std::string, QuantStat>;

/// The JSON of statistics, one activation a line:
///   {"linear1/dot_general0_lhs": {"count": 3, "sum_of_absmax": {"shape": [1, 1], "values": [2.865978240966797]}}}
/// Values are float32, printed so that they read back exactly.
std::string write_statistics(const QuantStats& stats);
Result<QuantStats> read_statistics_file(const std::string& path);
Result<QuantStats> parse_statistics(std::string name, std::string text);

}  // namespace qlathe
