#pragma once
#include <onnx.pb.h>

#include <string>
#include <utility>
#include <vector>

#include "frontend/formats/onnx/onnx.h"

namespace qlathe::testing {

/// An ONNX model put together by hand.
class ModelBuilder {
 public:
  explicit ModelBuilder(int64_t opset = 21);

  /// Extents; a negative one is the symbolic dimension "n".
  ModelBuilder& input(const std::string& name, const std::vector<int64_t>& shape, int type = onnx::TensorProto::FLOAT);
  ModelBuilder& output(const std::string& name);
  ModelBuilder& floats(const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& values);
  ModelBuilder& ints(const std::string& name, const std::vector<int64_t>& values);
  /// int8 or uint8.
  ModelBuilder& bytes(const std::string& name, const std::vector<int64_t>& shape, const std::vector<int>& values,
                      bool is_signed);
  /// The node, to set attributes of.
  onnx::NodeProto& node(const std::string& op, const std::vector<std::string>& inputs,
                        const std::vector<std::string>& outputs, const std::string& domain = "");

  std::string serialized() const { return model.SerializeAsString(); }
  Result<Graph> read(const OnnxOptions& options = {}) const;
  /// Reads, runs the reference on float32 inputs of the graph's shapes, gives the first output.
  std::vector<float> run(const std::vector<std::vector<float>>& inputs, const OnnxOptions& options = {}) const;

  onnx::ModelProto model;
};

void set_ints(onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values);
void set_int(onnx::NodeProto& node, const std::string& name, int64_t value);
void set_float(onnx::NodeProto& node, const std::string& name, float value);
void set_string(onnx::NodeProto& node, const std::string& name, const std::string& value);

}  // namespace qlathe::testing
