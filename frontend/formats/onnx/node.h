#pragma once
// One node of an ONNX graph while it is imported: its operands, attributes, and the nodes it becomes.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "frontend/formats/import/import_node.h"
#include "frontend/formats/onnx/model_file.h"
#include "frontend/formats/onnx/onnx.h"

namespace onnx {
class AttributeProto;
class GraphProto;
class NodeProto;
class TensorProto;
}  // namespace onnx

namespace qlathe {

class OnnxImporter;

class OnnxNode : public ImportNode {
 public:
  OnnxNode(OnnxImporter& owner, const onnx::NodeProto& node, int64_t opset_version, Origin from);

  const onnx::NodeProto& proto;
  int64_t opset;  ///< version of the node's domain

  std::string op() const;  ///< without the domain
  int output_count() const;
  bool wants_output(int i) const;  ///< whether result i has a name

  // Operands.
  size_t input_count() const { return inputs_.size(); }
  bool has(size_t i) const {
    asked_operands_ = std::max(asked_operands_, i + 1);
    return i < inputs_.size() && inputs_[i].valid();
  }
  /// A required operand; a problem where it is missing.
  TensorId in(size_t i);
  /// The right operand of an element-wise operator: before opset 7 the attribute axis says where its axes lie.
  TensorId right_operand();
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
  void ignore_operands() { asked_operands_ = inputs_.size(); }
  /// The first operand beyond all that the reading looked at.
  std::optional<size_t> unread_operand() const;

  /// Reads a subgraph in place (If with a known condition, a step of a loop) on these operands.
  std::vector<TensorId> inline_graph(const onnx::GraphProto& body, const std::vector<TensorId>& operands = {});
  /// The last result is a buffer whose first `count` rows are used; an output of the model made of it gets the count as
  /// an output "<name>_count" beside it.
  void count_of_result(TensorId count);
  HostTensor read_tensor(const onnx::TensorProto& t);

 private:
  const onnx::AttributeProto* find(const char* name, int type);

  OnnxImporter& importer_;
  std::vector<TensorId> inputs_;
  std::set<std::string> asked_;
  mutable size_t asked_operands_ = 0;
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

inline PointwiseStep onnx_step(const char* op, ValueType type = ValueType::kF32, std::vector<int64_t> operands = {}) {
  return import_step(op, type, std::move(operands));
}

/// The sum of a reduction over these axes: interleaved where it runs over the last axis.
SumOrder onnx_sum_order(const std::vector<int64_t>& axes, int64_t rank);

}  // namespace qlathe
