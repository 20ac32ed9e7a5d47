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
class OnnxImporter {
 public:
  OnnxImporter(const std::string& path, const onnx::ModelProto& model, const OnnxOptions& options);
  Result<Graph> run();

  Graph graph;
  Status problems;
  OnnxTensors tensors;

  /// The tensor of that name, kNone where a problem kept it from being made; nothing where there is no such name.
  std::optional<TensorId> find(const std::string& name) const;
  void define(const std::string& name, TensorId tensor);
  void note(Diagnostic::Kind kind, const std::string& node, const std::string& field, std::string message,
            std::string remedy);
  /// Reads the nodes of a (sub)graph in a scope of its own and gives its outputs.
  std::vector<TensorId> read_body(const onnx::GraphProto& body, const std::string& where);
  /// Adds a node, or a constant where all operands are constants and `folds` allows it.
  Result<TensorId> add(const std::string& op, std::vector<TensorId> operands, std::shared_ptr<const OpAttrs> attrs,
                       const Origin& origin, bool folds = true);
  TensorId add_constant(const std::string& name, HostTensor data);

  /// Hostile files could make many nodes of few bytes.
  static constexpr size_t kMaxNodes = 400000;

 private:
  using Scope = std::map<std::string, TensorId>;

  void read_initializers(const onnx::GraphProto& body);
  void read_inputs();
  std::optional<Shape> input_shape(const std::string& name, const void* type_proto);
  void read_nodes(const onnx::GraphProto& body, const std::string& where);
  void read_node(const onnx::NodeProto& proto, const std::string& place);
  void read_outputs();
  Result<TensorId> fold(const std::string& op, const std::vector<TensorId>& operands,
                        const std::shared_ptr<const OpAttrs>& attrs, const Origin& origin);

  const std::string path_;
  const onnx::ModelProto& model_;
  const OnnxOptions& options_;
  std::map<std::string, int64_t> opsets_;  // version by domain; "" is ai.onnx
  std::vector<Scope> scopes_;
  std::map<std::string, int> place_counts_;
  size_t folded_bytes_ = 0;
  int depth_ = 0;
};

}  // namespace qlathe
