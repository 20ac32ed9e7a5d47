#pragma once
// One operator of a model file while it is read: the graph nodes it becomes, and its problems.
#include <memory>
#include <string>
#include <vector>

#include "frontend/formats/import/import_graph.h"
#include "frontend/ops/pointwise.h"

namespace qlathe {

class ImportNode {
 public:
  /// `kind` is the operator's name in the file, for messages.
  ImportNode(ImportGraph& owner, std::string kind, Origin from)
      : origin(std::move(from)), kind_(std::move(kind)), owner_(owner) {}

  Origin origin;

  const TensorType& type(TensorId t) const { return owner_.graph[t].type; }
  const Shape& shape(TensorId t) const { return type(t).shape; }
  int64_t rank(TensorId t) const { return static_cast<int64_t>(shape(t).size()); }
  const HostTensor* data(TensorId t) const { return owner_.graph[t].data.get(); }

  /// An axis, negative from the end.
  int64_t axis(int64_t given, int64_t rank, const char* field = "axis");
  std::vector<int64_t> axes(std::vector<int64_t> given, int64_t rank, const char* field = "axes");

  // Problems: noted, then ImportProblem is thrown.
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
  Graph& graph_of_model() { return owner_.graph; }

  /// Notes what a failed call says, at this node.
  [[noreturn]] void fail(const Status& status);

 protected:
  const std::string kind_;

 private:
  ImportGraph& owner_;
};

PointwiseStep import_step(const char* op, ValueType type = ValueType::kF32, std::vector<int64_t> operands = {});

}  // namespace qlathe
