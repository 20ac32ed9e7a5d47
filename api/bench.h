#pragma once
/// How long a compiled model takes, as a whole and call by call, beside what this machine can do at most.
#include <string>
#include <vector>

#include "api/qlathe.h"

namespace qlathe {

struct BenchOptions {
  CompileOptions compile;
  int threads = 1;     ///< that run the model
  double seconds = 1;  ///< spent on the whole model, and again on the layers together
  bool layers = true;
};

/// Seconds of one run.
struct Timing {
  double min = 0, median = 0;
  int64_t runs = 0;
};

struct BenchLayer {
  std::string name, description;
  int64_t macs = 0;
  bool integer = false;  ///< sums of integers: compared with the dot peak, others with the fused multiply-add peak
  Timing time;
};

struct BenchReport {
  std::string target;
  Timing time;
  int64_t macs = 0;
  int64_t weight_bytes = 0, arena_bytes = 0;
  std::vector<BenchLayer> layers;
  /// Multiply-accumulates a second on one thread, measured between the runs; 0 where this machine's peak is not known.
  double dot_peak = 0, fma_peak = 0;
  std::string dot_instruction;
};

/// Compiles the graph for this process and times it on sample inputs.
Result<BenchReport> bench_model(const Graph& graph, const BenchOptions& options);

}  // namespace qlathe
