#pragma once
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "frontend/ir/attrs.h"
#include "frontend/ir/tensor.h"

namespace qlathe {

/// Index of a tensor in its Graph; kNone where an optional operand is absent.
struct TensorId {
  int32_t index = -1;
  bool valid() const { return index >= 0; }
  friend bool operator==(TensorId, TensorId) = default;
  friend auto operator<=>(TensorId, TensorId) = default;
};
inline constexpr TensorId kNone{};

/// How stored values stand for real ones: real = (q - zero_point) * scale. One description for every granularity:
/// scale.shape[d] = shape[d] / tile[d], so per tensor is tile = shape, per channel has tile 1 on the channel axis,
/// sub-channel a tile in between. Zero points likewise, absent when symmetric. Both are tensors: constants, or made at
/// run time.
struct Quantization {
  TensorId scale;       ///< float32 (or bfloat16/float16 where the model says so)
  TensorId zero_point;  ///< integer tensor of scale's shape, or kNone
  Shape tile;           ///< one extent per dimension

  friend bool operator==(const Quantization&, const Quantization&) = default;
};

/// Where something came from in the source model; kept on every node to the end.
struct Origin {
  std::string name;         ///< the node's name in the source, e.g. "h0" or "/conv1/Conv"
  std::string module_path;  ///< what rules match on, e.g. "encoder/fc1"; empty for the root module
  std::string
      rule_op;  ///< the op name that rules match on: "dot_general", "einsum", "conv_general_dilated"; empty: no rule
  std::string place;  ///< "model.json:12" or "model.onnx#node 3"
};

/// The type of a tensor as shape inference sees it.
struct TensorType {
  ValueType type = ValueType::kF32;
  Shape shape;
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

struct Tensor {
  std::string name;  ///< unique in the graph
  TensorType type;
  std::optional<Quantization>
      quantization;  ///< description for readers, exporters and passes; ops take scales as operands
  std::shared_ptr<const HostTensor> data;  ///< set for constants

  bool is_constant() const { return data != nullptr; }
  const Shape& shape() const { return type.shape; }
};

struct Node {
  std::string op;                 ///< name in the op registry
  std::vector<TensorId> inputs;   ///< kNone for an absent optional operand
  std::vector<TensorId> outputs;  ///< any number of results
  std::shared_ptr<const OpAttrs> attrs;
  Origin origin;

  template <class T>
  const T& as() const {
    const T* typed = dynamic_cast<const T*>(attrs.get());
    QL_CHECK(typed != nullptr, op + " " + origin.name);
    return *typed;
  }
};

/// A tensor that lives in the Instance from run to run: read as `current`, replaced by `next` after a run, `initial` on
/// reset.
struct State {
  TensorId current;
  TensorId next;
  std::shared_ptr<const HostTensor> initial;
};

/// A model at any stage of its compilation. `nodes` is in execution order: every input of a node is a graph input, a
/// constant, a state or the output of an earlier node.
class Graph {
 public:
  std::string name;
  std::vector<Tensor> tensors;
  std::vector<Node> nodes;
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  std::vector<State> states;

  /// The name of a tensor that is in the graph changes through rename() alone.
  Tensor& operator[](TensorId id) { return tensors[check(id)]; }
  const Tensor& operator[](TensorId id) const { return tensors[check(id)]; }

  /// Adds a tensor; `name` is made unique by a numeric suffix if it is taken.
  TensorId add_tensor(std::string name, TensorType type);
  TensorId add_input(std::string name, TensorType type);
  TensorId add_constant(std::string name, HostTensor data);
  /// Appends a node and infers its output tensors through the op registry. Names of outputs come from `origin.name`
  /// (with a suffix per further output). The failure names the node.
  Result<std::vector<TensorId>> add_node(std::string op, std::vector<TensorId> node_inputs,
                                         std::shared_ptr<const OpAttrs> attrs, Origin origin);
  /// The same for the usual op with one result.
  Result<TensorId> add(std::string op, std::vector<TensorId> node_inputs, std::shared_ptr<const OpAttrs> attrs,
                       Origin origin);

  /// The new name must not be another tensor's.
  void rename(TensorId id, std::string tensor_name);
  TensorId find(const std::string& tensor_name) const;
  /// Index of the node that produces the tensor, or -1. Searches all nodes: producers_of() is for many questions.
  int producer(TensorId id) const;
  /// Indices of the nodes that read the tensor, ascending.
  std::vector<int> consumers(TensorId id) const;
  bool is_output(TensorId id) const;
  /// Replaces every use of `from` (node inputs, graph outputs, states, quantization) by `to`.
  void replace_uses(TensorId from, TensorId to);

 private:
  size_t check(TensorId id) const {
    QL_CHECK(id.valid() && static_cast<size_t>(id.index) < tensors.size(), std::to_string(id.index));
    return static_cast<size_t>(id.index);
  }
  void index_names();

  std::unordered_map<std::string, int32_t> by_name_;  // of the tensors before indexed_; others push to `tensors` too
  std::unordered_map<std::string, int> suffixes_;     // by wanted name: the last numeric suffix that was given
  size_t indexed_ = 0;
};

/// By tensor: the index of the node that produces it, or -1.
std::vector<int> producers_of(const Graph& graph);

/// Every invariant of a graph: ids in range, order of nodes, known ops, operand types, inferred types equal to stored
/// ones, quantization tiles that divide, unique names. All violations are reported.
Status verify(const Graph& graph);

}  // namespace qlathe
