#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "frontend/ir/executor.h"

namespace qlathe {

/// Runs graphs by the scalar semantics of the op registry: the meaning that every other path is compared with.
class ReferenceExecutor : public Executor {
 public:
  /// Called after every node with its operands (null where absent) and results.
  using Observer = std::function<void(const Node&, const std::vector<const HostTensor*>& operands,
                                      const std::vector<const HostTensor*>& results)>;

  explicit ReferenceExecutor(Observer observer = {}) : observer_(std::move(observer)) {}

  /// Verifies the graph and keeps a copy of it (constants are shared).
  Result<std::unique_ptr<Executable>> prepare(const Graph& graph) override;

 private:
  Observer observer_;
};

/// One run from reset state.
Result<std::vector<HostTensor>> run_reference(const Graph& graph, const std::vector<HostTensor>& inputs);

/// Runs one node on its own. Results have the given types.
Result<std::vector<HostTensor>> evaluate_node(const Node& node, const std::vector<const HostTensor*>& operands,
                                              const std::vector<TensorType>& types);

}  // namespace qlathe
