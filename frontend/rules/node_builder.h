#pragma once
#include <map>
#include <string>
#include <vector>

#include "frontend/ir/graph.h"
#include "frontend/ops/pointwise.h"
#include "frontend/ops/reduction.h"

namespace qlathe {

/// Steps with their operands, as a pointwise node or a reduction takes them: operand i of the chain is input 1 + i.
class Chain {
 public:
  /// Appends a step whose result has type `type`.
  Chain& step(std::string op, ValueType type, std::vector<TensorId> operands = {});
  PointwiseStep& last() { return steps_.back(); }
  bool empty() const { return steps_.empty(); }
  const std::vector<PointwiseStep>& steps() const { return steps_; }
  /// x and the operands.
  std::vector<TensorId> inputs(TensorId x) const;

 private:
  std::vector<PointwiseStep> steps_;
  std::vector<TensorId> operands_;
};

/// Adds nodes around one op of a graph: names begin with the op's name, the module path and the place are the op's.
class NodeBuilder {
 public:
  NodeBuilder(Graph& graph, Origin base) : graph_(graph), base_(std::move(base)) { base_.rule_op.clear(); }

  Graph& graph() { return graph_; }
  std::string named(const std::string& suffix) const { return base_.name + suffix; }
  const Shape& shape(TensorId id) const { return graph_[id].shape(); }
  ValueType type(TensorId id) const { return graph_[id].type.type; }

  /// A float32 constant of rank 0.
  TensorId scalar(float value);
  TensorId constant(const std::string& name, HostTensor data) { return graph_.add_constant(name, std::move(data)); }

  Result<TensorId> pointwise(const std::string& suffix, TensorId x, const Chain& chain);
  Result<TensorId> reshape(const std::string& suffix, TensorId x, const Shape& shape);
  /// Without axes: x itself (absmax: its absolute values), with the steps.
  Result<TensorId> reduce(const std::string& suffix, TensorId x, ReduceKind kind, std::vector<int64_t> axes,
                          bool keep_dims, const Chain& chain);
  /// The sum over `axes` in the order of windowed_sum (calibrate.h), the axes kept with extent 1, then the steps.
  Result<TensorId> windowed_sum(const std::string& suffix, TensorId x, std::vector<int64_t> axes, const Chain& chain);

 private:
  Origin origin(const std::string& suffix) const;
  /// The lanes of a single sum over two axes: sums of `lanes` rows, then their halves.
  Result<TensorId> sum_in_lanes(const std::string& suffix, TensorId x, int64_t lanes, const Chain& chain);
  /// Cuts every axis of `axes` above 32 into windows and sums each box of windows: one level of windowed_sum.
  Result<TensorId> sum_boxes(const std::string& suffix, TensorId x, const std::vector<int64_t>& axes);

  Graph& graph_;
  Origin base_;
};

}  // namespace qlathe
