#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe {

struct PointwiseStep;  // ops/pointwise.h

/// What shape inference may look at: the operands' types, their data where constant.
struct InferContext {
  const Graph& graph;
  const Node& node;

  bool has(size_t i) const { return i < node.inputs.size() && node.inputs[i].valid(); }
  const TensorType& in(size_t i) const { return graph[node.inputs[i]].type; }
  const HostTensor* data(size_t i) const { return graph[node.inputs[i]].data.get(); }
  /// A user error at this node.
  Status error(std::string field, std::string message, std::string remedy = "") const;
};

/// The types of the node's results: its op is known, the required operands are there and not too many are, the op's own
/// checks pass, and the shapes are of a sane size. The node's outputs are not looked at; the failure names the node.
Result<std::vector<TensorType>> infer_types(const Graph& graph, const Node& node);

/// Operands and results of one evaluation by the reference executor. Results are allocated by their inferred types.
struct EvalContext {
  const Node& node;
  std::vector<const HostTensor*> inputs;  ///< null for an absent operand
  std::vector<HostTensor*> outputs;
};

/// What an op does with the numbers that it is given.
enum class OpWork {
  kComputes,
  kMoves,  ///< every element of the result is one of an operand (or what fills a gap): any type may be moved
  kSteps,  ///< each element goes through the steps, and nothing else
};

/// How an op follows a layout: operands that are the transposes of bases, axis i being base axis p[i], have a result
/// that is the same transpose of the op's result on those bases.
struct LayoutRow {
  /// The attributes for the bases; null where the op cannot follow.
  std::shared_ptr<const OpAttrs> (*attrs)(const InferContext&, const std::vector<int64_t>& p) = nullptr;
  /// Whether operand i is laid out like the result, to which it broadcasts; null: the first alone is. The others are
  /// taken as they are.
  bool (*follows)(const Node&, size_t operand) = nullptr;
  bool any_leads = false;  ///< the result may follow any of these operands; otherwise the first
};

/// All that the front-end knows of an op. One registration per op (frontend/ops/<op>.cpp), read-only after start-up.
struct OpDef {
  std::string name;
  std::string summary;                ///< one line for docs and errors
  std::vector<std::string> operands;  ///< names for messages; a last name ending in "..." takes the rest
  int required = 1;                   ///< operands that must be present
  std::function<std::shared_ptr<OpAttrs>()> make_attrs;
  /// Checks operands and attributes, gives the results' types.
  std::function<Result<std::vector<TensorType>>(const InferContext&)> infer;
  /// The reference semantics, in plain scalar code.
  std::function<void(const EvalContext&)> evaluate;
  /// Of an op whose result goes through pointwise steps: its list of them, and the first input that steps may use.
  /// Passes that move steps between nodes need no more.
  std::vector<PointwiseStep>* (*steps)(OpAttrs&) = nullptr;
  int first_step_operand = 0;
  OpWork work = OpWork::kComputes;
  LayoutRow layout;
  /// Of an op that sums: the type that it sums in.
  ValueType (*accumulator)(const OpAttrs&) = nullptr;
  /// Of an op that has no form on integers: what about it is real, for "reads float32 x: ...".
  std::string real_because;
};

class OpRegistry {
 public:
  static const OpDef* find(const std::string& name);
  static std::vector<std::string> names();  ///< sorted

  /// static OpRegistry::Add add_conv({.name = "conv", …});
  struct Add {
    explicit Add(OpDef def);
  };
};

}  // namespace qlathe
