#pragma once
#include <string>
#include <vector>

#include "frontend/ir/graph.h"
#include "tests/support/random_tensor.h"

namespace qlathe::testing {

/// Grows graphs of every op with random attributes, for tests that a pass keeps every bit.
class GraphGrower {
 public:
  explicit GraphGrower(uint64_t seed) : random(seed) {}

  Random random;
  Graph graph;

  /// A graph input, or a constant with the chance given.
  TensorId source(ValueType type, const Shape& shape, double constant = 0.3);
  TensorId source(HostTensor data, double constant);

  /// dot_general with any axes, batches, permutation, zero points, scales of any tiling, steps.
  TensorId dot_general();
  /// conv of 1 to 3 axes with padding, dilations, groups, zero points, scales, steps.
  TensorId conv();
  /// A chain of float steps on x (float32), with operands of every broadcastable shape.
  TensorId pointwise(TensorId x);
  /// One of reshape, transpose, slice, pad, concat, broadcast, gather, pool, reduce, softmax, layer_norm on x
  /// (float32).
  TensorId other(TensorId x);
  /// x as float32.
  TensorId to_float(TensorId x);

  void output(TensorId id) { graph.outputs.push_back(id); }

 private:
  struct Operands {
    ValueType accumulator;
    std::vector<TensorId> inputs;  // six slots
  };
  /// Operand types, zero points and scales; extents(slot) gives the allowed extents of a parameter of that slot.
  template <class ExtentsOf>
  Operands product_operands(const Shape& lhs, const Shape& rhs, bool block_scales_only, ExtentsOf&& extents);
  TensorId add(const std::string& op, std::vector<TensorId> inputs, std::shared_ptr<const OpAttrs> attrs);
  Shape shape_of(TensorId id) const { return graph[id].shape(); }
  Shape operand_shape(const Shape& result);
  template <class Step>
  void random_steps(std::vector<Step>& steps, std::vector<TensorId>& inputs, const Shape& result, int most);
  std::string next_name(const std::string& op) { return op + std::to_string(count_++); }

  int count_ = 0;
};

/// Runs `passes` over the graph and compares the reference before and after on random inputs, bit for bit. Gives the
/// graph after.
Graph expect_same_bits(const Graph& graph, const std::vector<std::string>& passes, uint64_t seed);

int count_ops(const Graph& graph, const std::string& op);

}  // namespace qlathe::testing
