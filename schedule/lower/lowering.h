#pragma once
/// The contract between an op's lowering (schedule/lower/*.cpp) and the planner (schedule/plan.cpp).
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "frontend/ir/graph.h"
#include "schedule/target.h"

namespace qlathe {

struct KernelPipeline;  // schedule/kernel.h, which includes Halide.h

/// Bytes that a kernel reads and that the compiler made: packed weights, combined biases, multipliers, tables.
struct PackedConstant {
  std::string name;            ///< what it is, e.g. "conv1.weights"
  ValueType type;              ///< element type for printing; sub-byte packings are uint8
  Shape shape;                 ///< extents of the packed array, outermost first
  std::vector<uint8_t> bytes;  ///< element_count(shape) * storage_bytes(type)
  std::string layout;          ///< e.g. "[oc/16][kh][kw][ic/4][16][4], zero-padded": printed as a comment
};

/// Memory that lives during one run of one kernel call sequence of a node (an intermediate of a two-kernel lowering).
struct TemporaryBuffer {
  std::string name;
  int64_t bytes = 0;
};

/// What a kernel's pointer parameter is bound to: a tensor of the graph (dense, row-major), a packed constant or a
/// temporary of the same NodeLowering (by index).
struct KernelOperand {
  enum class Kind { kTensor, kConstant, kTemporary };
  Kind kind = Kind::kTensor;
  TensorId tensor;
  int index = 0;
  int64_t offset = 0;  ///< bytes from the start of the buffer to what the pointer points at

  static KernelOperand of(TensorId id, int64_t offset = 0) { return {Kind::kTensor, id, 0, offset}; }
  static KernelOperand constant(int index) { return {Kind::kConstant, kNone, index, 0}; }
  static KernelOperand temporary(int index) { return {Kind::kTemporary, kNone, index, 0}; }
};

struct LoweredCall {
  std::shared_ptr<const KernelPipeline> pipeline;
  /// Equal keys mean equal kernels: family, shapes, types, steps, tile, target and every number that is baked into the
  /// code. pipeline->name is a readable C identifier that need not be unique; the planner makes it so.
  std::string key;
  std::vector<KernelOperand> operands;  ///< the pipeline's inputs, then its outputs
  int32_t min_rows_per_task = 1;        ///< rows that are worth handing to another thread
  /// Operands whose memory the result may take, one bit each (KernelPipeline::in_place is set then); -1: none.
  int in_place_of = -1;
  int64_t macs = 0;                ///< multiply-accumulates of the whole call
  std::string description;         ///< one line for reports and comments: shapes, tile, formula
  std::vector<std::string> notes;  ///< decisions worth reporting: "requantize: fp32 fma, proven for 4 of 4 blocks"
};

struct NodeLowering {
  std::vector<LoweredCall> calls;  ///< in order
  std::vector<PackedConstant> constants;
  std::vector<TemporaryBuffer> temporaries;
};

struct LoweringContext {
  const Graph& graph;
  const Node& node;
  const Target& target;

  const Tensor& in(size_t i) const { return graph[node.inputs[i]]; }
  const Tensor& out(size_t i = 0) const { return graph[node.outputs[i]]; }
  bool has(size_t i) const { return i < node.inputs.size() && node.inputs[i].valid(); }
  Place place() const { return {"", node.origin.name.empty() ? node.op : node.origin.name, ""}; }
};

/// One registration per op: how a node becomes kernels. Ops without one (reshape) are views that the planner aliases.
class LoweringRegistry {
 public:
  using Lower = std::function<Result<NodeLowering>(const LoweringContext&)>;
  static const Lower* find(const std::string& op);
  struct Add {
    Add(const std::string& op, Lower lower);
  };
};

}  // namespace qlathe
