#pragma once
#include <memory>
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe {

/// A graph made ready to run. Runs of one Executable are independent of each other; states persist until reset().
class Executable {
 public:
  virtual ~Executable() = default;
  /// One HostTensor per graph input, in order; gives one per graph output. Wrong types or shapes are user errors.
  virtual Result<std::vector<HostTensor>> run(const std::vector<HostTensor>& inputs) = 0;
  virtual void reset() {}
};

/// Runs graphs: the reference executor, or the JIT that the API injects (calibration runs on either).
class Executor {
 public:
  virtual ~Executor() = default;
  virtual Result<std::unique_ptr<Executable>> prepare(const Graph& graph) = 0;
};

}  // namespace qlathe
