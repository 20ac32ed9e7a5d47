#pragma once
/// How long it takes to compile a network of fifty layers, no two alike.
#include <vector>

#include "bench/speed/report.h"

namespace qlathe::bench {

/// Stem, sixteen inverted bottlenecks of growing width, classifier: int8 static by rules.
Result<Graph> fifty_layers();

std::vector<std::string> compile_time_names();
/// From an empty object cache, then from the full one; best of three each, on all processors.
std::vector<Row> compile_time_rows();

}  // namespace qlathe::bench
