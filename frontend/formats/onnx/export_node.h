#pragma once
// What an exporter of one op works with.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "frontend/ir/graph.h"
#include "frontend/ops/pointwise.h"

namespace onnx {
class GraphProto;
class NodeProto;
}  // namespace onnx

namespace qlathe {

/// Thrown after a problem of a node was noted; never leaves the exporter.
struct ExportProblem {};

class OnnxExporter {
 public:
  OnnxExporter(const Graph& from, int64_t version, onnx::GraphProto& into) : graph(from), opset(version), to(into) {}

  const Graph& graph;
  const int64_t opset;
  onnx::GraphProto& to;
  Status problems;
  const Node* node = nullptr;  ///< that is exported

  [[noreturn]] void unsupported(const std::string& field, std::string message);

  /// The name of a tensor in the file.
  std::string name(TensorId id) const { return graph[id].name; }
  /// A name that is not taken.
  std::string fresh(const std::string& suffix);
  std::string constant(const std::string& suffix, const HostTensor& data);
  std::string scalar(float value) { return constant("value", HostTensor::scalar(value)); }
  std::string integers(const std::vector<int64_t>& values);
  void initializer(const std::string& tensor, const HostTensor& data);

  /// A node with one result; gives the result's name.
  std::string add(const std::string& op, const std::vector<std::string>& inputs);
  std::string add(const std::string& op, const std::vector<std::string>& inputs,
                  const std::vector<std::pair<std::string, std::vector<int64_t>>>& ints,
                  const std::vector<std::pair<std::string, int64_t>>& singles = {});
  onnx::NodeProto& last();

  std::string transpose(const std::string& x, const std::vector<int64_t>& permutation);
  std::string reshape(const std::string& x, const Shape& shape);
  std::string channels_first(const std::string& x, size_t rank);
  std::string channels_last(const std::string& x, size_t rank);
  std::string cast(const std::string& x, ValueType type);

  /// (x - zero_point) * scale. Parameters broadcast to x's shape by one axis at most.
  std::string dequantize(const std::string& x, const Shape& shape, TensorId scale, TensorId zero_point);
  /// The axis along which a parameter differs; -1: none. More than one is refused.
  int64_t parameter_axis(TensorId parameter, const Shape& shape);
  /// A parameter as a scalar or vector.
  std::string parameter(TensorId id, int64_t axis);

  /// Steps on a value of the type and shape; operands are inputs of the node.
  std::string steps(std::string value, ValueType type, const Shape& shape, const std::vector<PointwiseStep>& list);

 private:
  std::string step(const std::string& value, ValueType type, const Shape& shape, const PointwiseStep& s);
  std::string quantize(const std::string& value, const Shape& shape, const PointwiseStep& s);
  std::string cast_step(const std::string& value, ValueType type, const PointwiseStep& s);

  std::set<std::string> taken_;
};

/// Writes the operators that a node becomes; gives the names of its results.
using ExportOp = std::vector<std::string> (*)(OnnxExporter&, const Node&);
const std::map<std::string, ExportOp>& export_ops();

int onnx_code(ValueType type);

}  // namespace qlathe
