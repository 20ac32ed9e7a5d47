#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/ir/tensor.h"

namespace tflite {
struct Model;
struct Operator;
struct SubGraph;
struct Tensor;
}  // namespace tflite

namespace qlathe {

/// The bytes of a model whose tables all lie inside of it and whose indices are in range.
class TfliteFile {
 public:
  /// `path` is for messages.
  static Result<std::shared_ptr<const TfliteFile>> parse(const std::string& path, std::string bytes);
  static Result<std::shared_ptr<const TfliteFile>> load(const std::string& path);

  const tflite::Model& model() const { return *model_; }
  /// "CONV_2D", or a custom operator's name; "operator 300" where the number means nothing.
  std::string op_name(const tflite::Operator& op) const;
  bool has_data(const tflite::Tensor& tensor) const;
  /// The elements of a constant, sparse ones expanded, sub-byte ones one a byte. A failure says what is damaged.
  Result<HostTensor> read(const tflite::Tensor& tensor) const;

 private:
  struct Bytes {
    const uint8_t* begin = nullptr;
    uint64_t size = 0;
  };
  Status check(const std::string& path) const;
  Bytes data_of(const tflite::Tensor& tensor) const;
  Result<HostTensor> read_sparse(const tflite::Tensor& tensor, ValueType type, const Shape& shape) const;

  std::string bytes_;
  const tflite::Model* model_ = nullptr;
};

/// The element type, or nothing for types that qlathe has no tensor of (strings, resources, complex numbers, …).
std::optional<ValueType> tflite_type(int type);
/// The name that the format uses: "FLOAT32".
std::string tflite_type_name(int type);
std::string tflite_name(const tflite::Tensor& tensor);
/// The name of input i, which some files leave out.
std::string tflite_input_name(const tflite::Tensor& tensor, size_t i);
Shape tflite_shape(const tflite::Tensor& tensor);

}  // namespace qlathe
