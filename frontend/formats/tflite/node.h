#pragma once
// One operator of a TFLite model while it is imported.
#include <flatbuffers/flatbuffers.h>
#include <tflite_schema_generated.h>

#include <optional>
#include <string>
#include <vector>

#include "frontend/formats/import/import_node.h"
#include "frontend/formats/tflite/importer.h"

namespace qlathe {

/// real = (q - zero_point) * scale; one of each, or one per index of `axis`.
struct TfliteQuant {
  std::vector<float> scale;
  std::vector<int64_t> zero_point;
  int64_t axis = 0;
};

class TfliteNode : public ImportNode {
 public:
  /// `label` is what problems call the operator, by its number and kind.
  TfliteNode(TfliteImporter& owner, const tflite::Operator& op, std::string kind, const std::string& label, Origin from)
      : ImportNode(owner, label, std::move(from)), proto(op), importer_(owner), op_(std::move(kind)) {}

  const tflite::Operator& proto;

  const std::string& op() const { return op_; }
  TfliteNumerics numerics() const;

  /// The operator's options; the format's defaults where the file has none.
  template <class Options>
  const Options& options() {
    if (const auto* found = proto.builtin_options_as<Options>()) return *found;
    static const flatbuffers::DetachedBuffer empty = [] {
      flatbuffers::FlatBufferBuilder builder;
      builder.Finish(flatbuffers::Offset<Options>(builder.EndTable(builder.StartTable())));
      return builder.Release();
    }();
    return *flatbuffers::GetRoot<Options>(empty.data());
  }

  // Operands and results, as the file describes them.
  size_t input_count() const { return proto.inputs() == nullptr ? 0 : proto.inputs()->size(); }
  size_t output_count() const { return proto.outputs() == nullptr ? 0 : proto.outputs()->size(); }
  bool has(size_t i) const { return i < input_count() && proto.inputs()->Get(static_cast<uint32_t>(i)) >= 0; }
  int32_t input_index(size_t i);
  int32_t output_index(size_t i);
  const tflite::Tensor& input(size_t i);
  const tflite::Tensor& output(size_t i = 0);
  ValueType output_type(size_t i = 0);
  Shape output_shape(size_t i = 0);

  /// Any tensor of the subgraph, which `field` names by its number.
  TensorId tensor_at(int32_t index, const std::string& field);

  /// A required operand; a problem where it is missing.
  TensorId in(size_t i);
  ValueType in_type(size_t i) { return type(in(i)).type; }
  const Shape& in_shape(size_t i) { return shape(in(i)); }
  bool is_constant(size_t i) { return has(i) && data(in(i)) != nullptr; }
  std::vector<int64_t> constant_integers(size_t i, const char* meaning);
  double constant_number(size_t i, const char* meaning);

  // Quantization. A problem where the file states none.
  std::optional<TfliteQuant> quant_of(const tflite::Tensor& tensor);
  TfliteQuant in_quant(size_t i);
  TfliteQuant out_quant(size_t i = 0);
  float in_scale(size_t i) { return in_quant(i).scale[0]; }
  int64_t in_zero(size_t i) { return in_quant(i).zero_point[0]; }
  float out_scale(size_t i = 0) { return out_quant(i).scale[0]; }
  int64_t out_zero(size_t i = 0) { return out_quant(i).zero_point[0]; }
  const tflite::Tensor* intermediate(size_t i);

  // State.
  std::string& resource_of(int32_t tensor_index);
  TensorId read_variable(const std::string& name, const TensorType& type, int64_t initial = 0);
  void assign_variable(const std::string& name, TensorId value);
  bool initializing() const;
  /// A variable tensor among the operands (the state of SVDF, LSTM, …): its value, and its next one. An operand that is
  /// an ordinary tensor is read as it is.
  TensorId state_in(size_t i);
  void state_out(size_t i, TensorId value);

  std::vector<TensorId> inline_subgraph(int32_t index, const std::vector<TensorId>& arguments, bool initialize = false);

 private:
  TfliteImporter& importer_;
  const std::string op_;  ///< "CONV_2D"
};

/// How one operator is read. Files of families of operators register their rows.
struct TfliteOp {
  std::string name;  ///< "CONV_2D", or a custom operator's name
  void (*read)(TfliteNode&) = nullptr;
};

class TfliteOps {
 public:
  static const TfliteOp* find(const std::string& name);
  static std::vector<std::string> names();
  struct Add {
    explicit Add(std::vector<TfliteOp> ops);
  };
};

}  // namespace qlathe
