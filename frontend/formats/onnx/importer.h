#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "frontend/formats/onnx/node.h"

namespace onnx {
class GraphProto;
class ModelProto;
}  // namespace onnx

namespace qlathe {

/// The graph under construction and the names that its nodes refer to.
class OnnxImporter : public ImportGraph {
 public:
  OnnxImporter(const std::string& path, const onnx::ModelProto& model, const OnnxOptions& options);
  Result<Graph> run();

  OnnxTensors tensors;
  std::map<TensorId, TensorId> counts;  ///< rows in use of tensors whose size depends on data

  /// The tensor of that name, kNone where a problem kept it from being made; nothing where there is no such name.
  std::optional<TensorId> find(const std::string& name) const;
  void define(const std::string& name, TensorId tensor);
  /// Reads the nodes of a (sub)graph in a scope of its own, where `bound` are known, and gives its outputs.
  std::vector<TensorId> read_body(const onnx::GraphProto& body, const std::string& where,
                                  const std::vector<std::pair<std::string, TensorId>>& bound);

 private:
  using Scope = std::map<std::string, TensorId>;

  void read_initializers(const onnx::GraphProto& body);
  void read_inputs();
  std::optional<Shape> input_shape(const std::string& name, const void* type_proto);
  void read_nodes(const onnx::GraphProto& body, const std::string& where);
  void read_node(const onnx::NodeProto& proto, const std::string& place);
  /// A call of one of the model's own functions; false where there is none of that name.
  bool read_function(const onnx::NodeProto& caller, const std::string& place);
  void read_outputs();

  const onnx::ModelProto& model_;
  const OnnxOptions& options_;
  std::map<std::string, int64_t> opsets_;  // version by domain; "" is ai.onnx
  std::vector<Scope> scopes_;
  std::map<std::string, int> place_counts_;
  int depth_ = 0;
  int64_t nodes_read_ = 0;
};

}  // namespace qlathe
