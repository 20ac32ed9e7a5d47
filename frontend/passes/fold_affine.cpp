#include <algorithm>
#include <optional>

#include "frontend/ops/contraction.h"
#include "frontend/ops/pointwise.h"
#include "frontend/ops/rebuild.h"
#include "frontend/passes/pass_manager.h"

namespace qlathe {
namespace {

/// One float32 per channel of the last axis, or one for all.
using PerChannel = std::vector<float>;

/// y = product(x, w) + b, then y * f + o per channel (a batch normalization): the product with w * f, and b * f + o in
/// place of b. Weights are rounded to float32 once more; the multiply-add of every value goes.
class FoldAffine {
 public:
  explicit FoldAffine(const Graph& graph) : graph_(graph), rebuild_(graph) {
    readers_.resize(graph.tensors.size(), 0);
    for (const Node& node : graph.nodes) {
      for (TensorId id : node.inputs) {
        if (id.valid()) readers_[static_cast<size_t>(id.index)]++;
      }
    }
    for (TensorId id : graph.outputs)
      readers_[static_cast<size_t>(id.index)]++;
    for (const State& state : graph.states)
      readers_[static_cast<size_t>(state.next.index)]++;
    makers_.resize(graph.tensors.size(), -1);
    for (size_t i = 0; i < graph.nodes.size(); i++) {
      for (TensorId id : graph.nodes[i].outputs)
        makers_[static_cast<size_t>(id.index)] = static_cast<int>(i);
    }
  }

  Result<Graph> run() {
    // Which nodes end a chain that folds, and which are parts of one.
    std::vector<std::optional<Chain>> ends(graph_.nodes.size());
    std::vector<bool> part(graph_.nodes.size(), false);
    for (size_t i = 0; i < graph_.nodes.size(); i++) {
      ends[i] = find(graph_.nodes[i]);
      if (!ends[i]) continue;
      part[static_cast<size_t>(ends[i]->product)] = true;
      if (ends[i]->bias >= 0) part[static_cast<size_t>(ends[i]->bias)] = true;
    }
    for (size_t i = 0; i < graph_.nodes.size(); i++) {
      if (ends[i]) {
        QL_RETURN_IF_ERROR(fold(graph_.nodes[i], *ends[i]));
      } else if (!part[i]) {
        QL_RETURN_IF_ERROR(rebuild_.copy(graph_.nodes[i]));
      }
    }
    return rebuild_.finish();
  }

 private:
  struct Chain {
    int product = -1, bias = -1;  ///< nodes; -1: no bias
    PerChannel factor, offset, old_bias;
  };

  const Node* made(TensorId id, int& index) const {
    index = id.valid() ? makers_[static_cast<size_t>(id.index)] : -1;
    return index < 0 ? nullptr : &graph_.nodes[static_cast<size_t>(index)];
  }

  bool used_once(TensorId id) const { return readers_[static_cast<size_t>(id.index)] == 1; }

  /// The constant as one value per channel; nothing where it is none.
  std::optional<PerChannel> per_channel(TensorId id, int64_t channels) const {
    const HostTensor* data = graph_[id].data.get();
    if (data == nullptr || data->type() != ValueType::kF32) return std::nullopt;
    if (data->size() != 1 && (data->size() != channels || data->shape().back() != channels)) return std::nullopt;
    PerChannel out(static_cast<size_t>(channels));
    for (size_t c = 0; c < out.size(); c++)
      out[c] = data->as<float>()[data->size() == 1 ? 0 : c];
    return out;
  }

  std::optional<Chain> find(const Node& node) const {
    if (node.op != "pointwise" || node.as<PointwiseAttrs>().steps.size() != 1) return std::nullopt;
    const PointwiseStep& step = node.as<PointwiseAttrs>().steps[0];
    if ((step.op != "fma" && step.op != "mul") || step.type != ValueType::kF32 || step.operands[0] == 0)
      return std::nullopt;
    const Shape& shape = graph_[node.outputs[0]].shape();
    if (shape.empty()) return std::nullopt;
    const int64_t channels = shape.back();
    Chain chain;
    const auto factor = per_channel(node.inputs[static_cast<size_t>(step.operands[0])], channels);
    if (!factor) return std::nullopt;
    chain.factor = *factor;
    chain.offset.assign(factor->size(), 0.0f);
    if (step.op == "fma") {
      const auto offset = step.operands[1] == 0
                              ? std::nullopt
                              : per_channel(node.inputs[static_cast<size_t>(step.operands[1])], channels);
      if (!offset) return std::nullopt;
      chain.offset = *offset;
    }
    TensorId x = node.inputs[0];
    chain.old_bias.assign(factor->size(), 0.0f);
    int index = -1;
    const Node* maker = made(x, index);
    if (maker == nullptr || !used_once(x)) return std::nullopt;
    if (maker->op == "pointwise") {
      const auto& steps = maker->as<PointwiseAttrs>().steps;
      if (steps.size() != 1 || steps[0].op != "add" || steps[0].type != ValueType::kF32 || steps[0].operands[0] == 0)
        return std::nullopt;
      const auto bias = per_channel(maker->inputs[static_cast<size_t>(steps[0].operands[0])], channels);
      if (!bias || graph_[maker->inputs[0]].shape() != shape) return std::nullopt;
      chain.bias = index;
      chain.old_bias = *bias;
      x = maker->inputs[0];
      maker = made(x, index);
      if (maker == nullptr || !used_once(x)) return std::nullopt;
    }
    if (graph_[x].shape() != shape || !foldable_product(*maker, channels)) return std::nullopt;
    chain.product = index;
    return chain;
  }

  /// Plain float products whose weights are constant and end in the result's channels.
  bool foldable_product(const Node& node, int64_t channels) const {
    if ((node.op != "conv" && node.op != "dot_general") || node.inputs.size() != 2) return false;
    const Tensor& weights = graph_[node.inputs[kRhs]];
    if (!weights.is_constant() || weights.shape().empty() || weights.type.type != ValueType::kF32 ||
        weights.shape().back() != channels)
      return false;
    if (node.op == "conv") {
      const auto& attrs = node.as<ConvAttrs>();
      return attrs.steps.empty() && attrs.accumulator == ValueType::kF32;
    }
    const auto& attrs = node.as<DotGeneralAttrs>();
    const auto last = static_cast<int64_t>(weights.shape().size()) - 1;
    const bool used = std::count(attrs.rhs_contracting.begin(), attrs.rhs_contracting.end(), last) > 0;
    return attrs.steps.empty() && attrs.accumulator == ValueType::kF32 && attrs.rhs_batch.empty() &&
           attrs.output_permutation.empty() && !used;
  }

  Status fold(const Node& node, const Chain& chain) {
    const Node& product = graph_.nodes[static_cast<size_t>(chain.product)];
    const Tensor& old = graph_[product.inputs[kRhs]];
    HostTensor weights = *old.data;
    const size_t n = chain.factor.size();
    auto values = weights.as<float>();
    for (size_t i = 0; i < values.size(); i++)
      values[i] *= chain.factor[i % n];
    std::vector<float> bias(n);
    for (size_t c = 0; c < n; c++)
      bias[c] = static_cast<float>(static_cast<double>(chain.old_bias[c]) * static_cast<double>(chain.factor[c]) +
                                   static_cast<double>(chain.offset[c]));
    Graph& to = rebuild_.to;
    const TensorId w = to.add_constant(old.name + ".folded", std::move(weights));
    const TensorId b = to.add_constant(product.origin.name + ".bias",
                                       HostTensor::of(ValueType::kF32, {static_cast<int64_t>(n)}, bias));
    QL_ASSIGN(const TensorId sum,
              to.add(product.op, {rebuild_.map(product.inputs[kLhs]), w}, product.attrs, product.origin));
    auto attrs = std::make_shared<PointwiseAttrs>();
    PointwiseStep add;
    add.op = "add";
    add.operands = {1};
    attrs->steps = {add};
    QL_ASSIGN(const TensorId result, to.add("pointwise", {sum, b}, attrs, product.origin));
    rebuild_.set(node.outputs[0], result);
    return {};
  }

  const Graph& graph_;
  Rebuild rebuild_;
  std::vector<int> readers_, makers_;
};

const PassRegistry::Add kPass({.name = "fold_affine",
                               .summary = "scales and offsets per channel move into the weights before them",
                               .run = [](Graph graph) { return FoldAffine(graph).run(); },
                               .keeps_bits = false});

}  // namespace
}  // namespace qlathe
