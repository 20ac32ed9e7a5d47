#pragma once
#include <string>

#include "frontend/ir/graph.h"
#include "frontend/ops/rebuild.h"

namespace qlathe {

/// How one op of the front-end becomes canonical ones. `node` is of the old graph, `inputs` are its operands in
/// `rebuild.to`. Gives the tensor that stands for the node's result.
using Canonicalize = Result<TensorId> (*)(Graph& to, const Node& node, const std::vector<TensorId>& inputs);

/// One registration an op (frontend/passes/canonicalize_<op>.cpp).
class CanonicalizeRegistry {
 public:
  static Canonicalize find(const std::string& op);
  struct Add {
    Add(const std::string& op, Canonicalize canonicalize);
  };
};

/// steps(x) as a pointwise node of its own, with the operands that the node gave them; fuse_epilogues moves them into
/// the producer again. No steps: x.
Result<TensorId> add_steps(Graph& to, TensorId x, const Node& node, const std::vector<TensorId>& inputs);

}  // namespace qlathe
