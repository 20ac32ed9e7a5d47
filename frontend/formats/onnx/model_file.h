#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "frontend/formats/byte_source.h"
#include "frontend/ir/tensor.h"

namespace onnx {
class ModelProto;
class TensorProto;
}  // namespace onnx

namespace qlathe {

/// The tensors of an ONNX file: inline, or in external data files below the model's folder.
class OnnxTensors {
 public:
  explicit OnnxTensors(std::string model_path) : model_path_(std::move(model_path)) {}

  /// The elements of `proto`; sub-byte types unpacked, one element a byte. A failure says what is damaged.
  Result<HostTensor> read(const onnx::TensorProto& proto);

 private:
  Result<HostTensor> read_elements(const onnx::TensorProto& proto);
  Result<std::string> external_bytes(const onnx::TensorProto& proto, uint64_t expected);

  std::string model_path_;
  std::map<std::string, std::shared_ptr<const ByteSource>> files_;  // open external files by their location
};

/// The element type, or nothing for types that qlathe has no tensor of (strings, complex numbers, …).
std::optional<ValueType> onnx_type(int data_type);
/// The name that ONNX's documents use: "FLOAT", "INT4", …
std::string onnx_type_name(int data_type);

/// The same from bytes; `path` is for messages and for external data.
Result<std::unique_ptr<onnx::ModelProto>> parse_onnx_model(const std::string& path, const std::string& bytes);

/// Parses the file; sizes and nesting are bounded by the file itself.
Result<std::unique_ptr<onnx::ModelProto>> load_onnx_model(const std::string& path);

}  // namespace qlathe
