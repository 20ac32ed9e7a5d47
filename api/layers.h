#pragma once
/// What a person wants to know of a graph's nodes.
#include <string>
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe {

struct LayerInfo {
  int node = 0;
  std::string name, module_path;
  std::string op;                     ///< with the steps of pointwise nodes: "pointwise relu"
  std::vector<TensorType> inputs;     ///< that are not constants
  std::vector<TensorType> constants;  ///< weights, biases, scales
  std::vector<TensorType> outputs;
  int64_t parameters = 0;       ///< elements of constants that no earlier node reads
  int64_t parameter_bytes = 0;  ///< of these, sub-byte values packed
  int64_t macs = 0;             ///< multiply-accumulates of products; 0 for all other nodes
};

std::vector<LayerInfo> list_layers(const Graph& graph);

/// Multiply-accumulates of one node. Taps on padding count.
int64_t node_macs(const Graph& graph, const Node& node);
int64_t total_macs(const Graph& graph);

}  // namespace qlathe
