#pragma once
#include <map>
#include <optional>
#include <vector>

#include "frontend/ir/graph.h"
#include "frontend/ops/pointwise.h"

namespace qlathe {

/// How a tensor of the file stands for real numbers: real = (q - zero_point) * scale, one of each, or one per index of
/// `axis`.
struct TfliteStorage {
  ValueType type = ValueType::kI8;
  std::vector<float> scale;
  std::vector<int64_t> zero_point;
  int64_t axis = 0;
  bool per_tensor() const { return scale.size() == 1; }
  friend bool operator==(const TfliteStorage&, const TfliteStorage&) = default;
};

/// Which values of a graph a TFLite file holds in integers. Every node of `graph` has at most one step: those of
/// products and others became pointwise nodes (averages keep the factor that makes them such).
class TfliteExportPlan {
 public:
  static Result<TfliteExportPlan> make(const Graph& from);
  TfliteExportPlan(TfliteExportPlan&&) = default;
  TfliteExportPlan& operator=(TfliteExportPlan&&) = default;

  Graph graph;

  /// A value and what it is, seen through steps that quantize and dequantize.
  struct View {
    TensorId source;                       ///< the value before it is quantized; a stored constant or input itself
    std::optional<TfliteStorage> storage;  ///< the form in which it is read; nothing: as the source is held
  };
  View view(TensorId id) const;
  /// The form in which the file holds a value; nothing: as real numbers.
  std::optional<TfliteStorage> storage(TensorId id) const;
  const Node* producer(TensorId id) const;
  /// Nodes that read it; a graph output counts as null.
  const std::vector<const Node*>& readers(TensorId id) const;
  /// The one step of a pointwise node; null for any other node.
  static const PointwiseStep* step(const Node& node);
  /// What a quantize or dequantize node does, where its parameters are constants.
  std::optional<TfliteStorage> parameters(const Node& node) const;

 private:
  TfliteExportPlan() = default;
  void index();
  void decide();

  std::map<TensorId, TfliteStorage> storage_;  // of values that only quantized readers have
  std::vector<int> producers_;
  std::vector<std::vector<const Node*>> readers_;
};

}  // namespace qlathe
