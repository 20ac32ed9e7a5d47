#pragma once
#include <set>
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe {

/// Where a tensor's bytes are: `offset` bytes into the storage of `root`.
struct TensorStorage {
  TensorId root;
  int64_t offset = 0;
  friend bool operator==(const TensorStorage&, const TensorStorage&) = default;
};

/// Which nodes that move data are views: besides reshape, which always is one.
struct AliasOptions {
  bool slices = true;   ///< a slice whose elements lie together is a part of what it reads
  bool concats = true;  ///< what a concat joins along the outermost axis is written into the result at once
};

/// Tensors that share storage. A graph's outputs and next states keep storage of their own.
class Aliases {
 public:
  Aliases(const Graph& graph, const AliasOptions& options);

  TensorStorage of(TensorId id) const;
  /// Whether the node does nothing: its result is its operand's storage.
  bool is_view(int node) const { return views_.count(node) > 0; }
  /// Slices and operands of concats that need no copy.
  int copies_saved() const { return saved_; }

 private:
  void alias_slices(const Graph& graph);
  void alias_concats(const Graph& graph);

  std::vector<TensorStorage> parents_;  ///< by tensor; the tensor itself where it has storage of its own
  std::set<int> views_;                 ///< nodes
  int saved_ = 0;
};

int64_t bytes_of(const TensorType& type);

}  // namespace qlathe
