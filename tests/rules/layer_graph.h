#pragma once
#include <string>
#include <vector>

#include "frontend/ir/graph.h"

namespace qlathe::testing {

/// Builds small float networks the way the readers do: channels last, weights [in, out] and HWIO, a bias as an addition
/// behind its layer. Throws std::runtime_error where an op refuses its operands.
class LayerGraph {
 public:
  Graph graph;

  explicit LayerGraph(Shape input, const std::string& name = "x") {
    graph.name = "layers";
    at_ = graph.add_input(name, {ValueType::kF32, std::move(input)});
  }
  TensorId at() const { return at_; }

  /// `weight` in Brevitas' layout [out, in] or [out, in, kh, kw]; `bias` may be null.
  LayerGraph& linear(const std::string& name, const HostTensor& weight, const HostTensor* bias);
  LayerGraph& conv(const std::string& name, const HostTensor& weight, const HostTensor* bias);
  LayerGraph& activation(const std::string& name, const std::string& step);
  LayerGraph& max_pool(const std::string& name, int64_t size);
  /// [I, h, w, C] to [I, C * h * w], in the order of a channels-first flatten.
  LayerGraph& flatten(const std::string& name);
  Graph finish();

 private:
  void add(const std::string& op, std::vector<TensorId> inputs, std::shared_ptr<const OpAttrs> attrs, Origin origin);
  void bias(const std::string& name, const HostTensor* values);

  TensorId at_;
};

/// Axis i of the result is axis permutation[i].
HostTensor transposed(const HostTensor& x, const std::vector<size_t>& permutation);

}  // namespace qlathe::testing
