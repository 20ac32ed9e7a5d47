#pragma once
// One node of an ONNX graph while it is imported: its operands, attributes, and the nodes it becomes.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "frontend/formats/onnx/model_file.h"
#include "frontend/formats/onnx/onnx.h"
#include "frontend/ir/op_registry.h"
#include "frontend/ops/pointwise.h"

namespace onnx {
class AttributeProto;
class GraphProto;
class NodeProto;
class TensorProto;
}  // namespace onnx

namespace qlathe {

/// Thrown after a problem of a node was noted; never leaves the reader.
struct OnnxProblem {};

class OnnxImporter;

class OnnxNode {
 public:
  OnnxNode(OnnxImporter& owner, const onnx::NodeProto& node, int64_t opset_version, Origin from);

  const onnx::NodeProto& proto;
  int64_t opset;  ///< version of the node's domain
  Origin origin;

  std::string op() const;  ///< without the domain
  int output_count() const;
  bool wants_output(int i) const;  ///< whether result i has a name

  // Operands.
  size_t input_count() const { return inputs_.size(); }
  bool has(size_t i) const { return i < inputs_.size() && inputs_[i].valid(); }
  /// A required operand; a problem where it is missing.
  TensorId in(size_t i);
  const TensorType& type(TensorId t) const;
  const Shape& shape(TensorId t) const { return type(t).shape; }
  int64_t rank(TensorId t) const { return static_cast<int64_t>(shape(t).size()); }
  const HostTensor* data(TensorId t) const;
  bool is_constant(size_t i) const { return has(i) && data(inputs_[i]) != nullptr; }
  /// The elements of an integer operand that must be known while compiling; a problem where it is not.
  std::vector<int64_t> constant_integers(size_t i, const char* meaning);
  std::vector<double> constant_numbers(size_t i, const char* meaning);
  double constant_number(size_t i, const char* meaning);

  // Attributes. Those never asked for are reported as unsupported.
  bool has_attribute(const char* name);
  int64_t integer(const char* name, int64_t fallback);
  double number(const char* name, double fallback);
  std::string string(const char* name, const std::string& fallback);
  std::vector<int64_t> integers(const char* name, std::vector<int64_t> fallback);
  std::vector<double> numbers(const char* name, std::vector<double> fallback);
  std::vector<std::string> strings(const char* name);
  const onnx::TensorProto* tensor(const char* name);
  const onnx::GraphProto* graph(const char* name);
  void ignore(const char* name) { asked_.insert(name); }
  /// Attributes that the reading did not look at.
  std::vector<std::string> unread_attributes() const;

  /// An axis, negative from the end.
  int64_t axis(int64_t given, int64_t rank, const char* field = "axis");
  std::vector<int64_t> axes(std::vector<int64_t> given, int64_t rank, const char* field = "axes");

  // Problems: noted, then OnnxProblem is thrown.
  [[noreturn]] void problem(const std::string& field, std::string message, std::string remedy = "");
  [[noreturn]] void unsupported(const std::string& field, std::string message, std::string remedy = "");

  // Building. A node whose operands are all constants is evaluated at once.
  TensorId add(const std::string& op, std::vector<TensorId> operands, std::shared_ptr<const OpAttrs> attrs,
               bool folds = true);
  TensorId constant(HostTensor data, const std::string& suffix = "constant");
  TensorId scalar(float value) { return constant(HostTensor::scalar(value)); }
  /// A scalar of the type (integers: the value rounded towards zero).
  TensorId scalar(ValueType type, double value);
  TensorId integer_vector(const std::vector<int64_t>& values);

  /// x through steps; operand i of a step is operands[i - 1]. Shapes must broadcast as NumPy's.
  TensorId pointwise(TensorId x, std::vector<PointwiseStep> steps, std::vector<TensorId> operands = {});
  TensorId unary(const char* op, TensorId x);
  TensorId binary(const char* op, TensorId a, TensorId b);
  TensorId compare(const char* op, TensorId a, TensorId b);
  TensorId select(TensorId condition, TensorId yes, TensorId no);
  TensorId cast(TensorId x, ValueType type, Rounding rounding = Rounding::kToZero);
  TensorId reshape(TensorId x, const Shape& to);
  TensorId transpose(TensorId x, const std::vector<int64_t>& permutation);
  TensorId broadcast(TensorId x, const Shape& to);
  TensorId slice(TensorId x, const std::vector<int64_t>& start, const Shape& size,
                 const std::vector<int64_t>& step = {});
  TensorId slice_axis(TensorId x, int64_t axis, int64_t start, int64_t size);
  TensorId concat(const std::vector<TensorId>& parts, int64_t axis);
  TensorId gather(TensorId x, TensorId indices, int64_t axis);
  TensorId to_channels_last(TensorId x);   ///< [N, C, s..] to [N, s.., C]
  TensorId to_channels_first(TensorId x);  ///< back
  /// Moves `axis` to the end, and back.
  TensorId axis_to_last(TensorId x, int64_t axis);
  TensorId last_to_axis(TensorId x, int64_t axis);
  /// Broadcast shape of the operands; a problem where they do not fit.
  Shape broadcast_shape(const Shape& a, const Shape& b);

  void result(TensorId t) { results.push_back(t); }
  std::vector<TensorId> results;
  /// Reads a subgraph in place (If with a known condition).
  std::vector<TensorId> inline_graph(const onnx::GraphProto& body);
  Graph& graph_of_model();
  HostTensor read_tensor(const onnx::TensorProto& t);

 private:
  const onnx::AttributeProto* find(const char* name, int type);

  OnnxImporter& importer_;
  std::vector<TensorId> inputs_;
  std::set<std::string> asked_;
};

/// How one operator is read. Files of families of operators register their rows.
struct OnnxOp {
  std::string name;  ///< "Conv", or "com.microsoft:QLinearAdd"
  void (*read)(OnnxNode&) = nullptr;
};

class OnnxOps {
 public:
  static const OnnxOp* find(const std::string& name);
  static std::vector<std::string> names();
  struct Add {
    explicit Add(std::vector<OnnxOp> ops);
  };
};

PointwiseStep onnx_step(const char* op, ValueType type = ValueType::kF32, std::vector<int64_t> operands = {});

/// The sum of a reduction over these axes: interleaved where it runs over the last axis.
SumOrder onnx_sum_order(const std::vector<int64_t>& axes, int64_t rank);

}  // namespace qlathe
