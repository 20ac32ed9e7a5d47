#pragma once
// What the writer of one op works with.
#include <tflite_schema_generated.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "frontend/formats/tflite/export_plan.h"
#include "frontend/ir/graph.h"
#include "frontend/ops/pointwise.h"

namespace qlathe {

/// Thrown after a problem of a node was noted; never leaves the exporter.
struct TfliteExportProblem {};

/// The constant right operand of a product, in the layout of the file.
struct TfliteWeight {
  HostTensor data;
  std::optional<TfliteStorage> storage;  ///< integers: their scales
};

/// What follows a product and goes into its operator.
struct TfliteTail {
  TensorId result;
  const HostTensor* bias = nullptr;
  tflite::ActivationFunctionType activation = tflite::ActivationFunctionType::NONE;
};

class TfliteExporter {
 public:
  explicit TfliteExporter(const TfliteExportPlan& from) : plan(from), graph(from.graph) {}

  const TfliteExportPlan& plan;
  const Graph& graph;
  Status problems;
  const Node* node = nullptr;  ///< that is written

  Result<std::string> run();

  [[noreturn]] void unsupported(const std::string& field, std::string message);

  // Values of the graph as tensors of the file, converted where they are first needed so.
  /// As real numbers, or as it is where it never was one.
  int32_t real(TensorId id);
  /// In integers of this form.
  int32_t stored(TensorId id, const TfliteStorage& form);
  const Shape& shape(TensorId id) const { return graph[id].shape(); }
  ValueType type(TensorId id) const { return graph[id].type.type; }

  // New tensors of the file.
  int32_t tensor(const std::string& name, ValueType type, const Shape& shape, const TfliteStorage* storage = nullptr,
                 const HostTensor* data = nullptr);
  int32_t constant(const std::string& suffix, const HostTensor& data, const TfliteStorage* storage = nullptr);
  int32_t integers(const std::vector<int64_t>& values, const char* suffix = "ints");
  /// A tensor between two operators.
  int32_t between(const std::string& suffix, ValueType type, const Shape& shape, const TfliteStorage* storage);

  /// An operator. `Options` is a type of the object API (AddOptionsT), or none.
  void op(tflite::BuiltinOperator code, std::vector<int32_t> inputs, int32_t output, int version = 1);
  template <class Options>
  void op(tflite::BuiltinOperator code, std::vector<int32_t> inputs, int32_t output, Options options, int version = 1) {
    op(code, std::move(inputs), output, version);
    subgraph_.operators.back()->builtin_options.Set(std::move(options));
  }

  // The result of the node that is written.
  /// The form in which all of the operands are held and the result is wanted; nothing: the operator is a float one.
  bool is_quantized(const std::vector<TensorId>& operands, TensorId result, std::initializer_list<ValueType> types);
  /// The tensor that the result goes to.
  int32_t result(TensorId id, bool quantized);
  int32_t result_named(TensorId id, bool quantized, const Shape& as);
  /// An operand of an operator that is quantized or not.
  int32_t operand(TensorId id, bool quantized) { return quantized ? stored(id, *plan.storage(id)) : real(id); }

  /// Movement of a tensor of the file.
  int32_t transposed(int32_t x, ValueType t, const Shape& from, const std::vector<int64_t>& permutation,
                     const TfliteStorage* storage);
  int32_t reshaped(int32_t x, ValueType t, const Shape& to, const TfliteStorage* storage);

  /// A constant, quantized or not, with its axes in another order; `channels` of the new axes may have scales.
  TfliteWeight weight(TensorId id, TensorId scale, TensorId zero_point, const std::vector<int64_t>& permutation,
                      const std::vector<int64_t>& channels);
  int32_t weight_tensor(const TfliteWeight& weight, const Shape& as, int64_t axis, bool quantized);
  /// Bias and activation behind the node, of so many channels.
  TfliteTail tail(TensorId product, int64_t channels, bool takes_bias);
  /// In int32 with the product of the scales, or as floats; -1 without a bias.
  int32_t bias_tensor(const HostTensor* bias, const TfliteStorage* lhs, const TfliteStorage* weight);
  bool is_done(const Node& n) const { return done_.contains(&n); }

 private:
  struct Held {
    std::optional<TfliteStorage> form;
    int32_t index;
  };
  int32_t convert(int32_t from, const Shape& shape, ValueType to, const TfliteStorage* form, TensorId id);
  int32_t find(TensorId id, const std::optional<TfliteStorage>& form) const;
  int32_t hold(TensorId id, std::optional<TfliteStorage> form, int32_t index);
  int32_t any(TensorId id);
  std::string fresh(const std::string& name);
  void write_inputs();
  void write_outputs();

  tflite::ModelT model_;
  tflite::SubGraphT subgraph_;
  std::map<TensorId, std::vector<Held>> held_;
  std::map<std::pair<int32_t, int>, uint32_t> codes_;
  std::set<std::string> names_;
  std::set<const Node*> done_;
};

/// Writes the operators that a node becomes.
using TfliteExportOp = void (*)(TfliteExporter&, const Node&);
const std::map<std::string, TfliteExportOp>& tflite_export_ops();

/// One row of the steps that are operators by themselves.
void export_step(TfliteExporter& e, const Node& node);
void export_conv(TfliteExporter& e, const Node& node);
void export_dot_general(TfliteExporter& e, const Node& node);

/// Elements in another order of the axes.
HostTensor permuted(const HostTensor& x, const std::vector<int64_t>& permutation);

}  // namespace qlathe
