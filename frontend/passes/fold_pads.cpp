#include <algorithm>
#include <cstring>
#include <optional>

#include "frontend/ops/contraction.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/rebuild.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/passes/views.h"

namespace qlathe {
namespace {

/// A convolution of what is padded with zeros (a transpose may stand between) pads for itself.
class FoldPads {
 public:
  explicit FoldPads(const Graph& graph)
      : graph_(graph), rebuild_(graph), readers_(graph.tensors.size(), 0), makers_(graph.tensors.size(), nullptr) {
    for (const Node& node : graph.nodes) {
      for (TensorId id : node.inputs) {
        if (id.valid()) readers_[static_cast<size_t>(id.index)]++;
      }
      for (TensorId id : node.outputs)
        makers_[static_cast<size_t>(id.index)] = &node;
    }
    (void)for_each_result(graph, [&](TensorId id) {
      if (id.valid()) readers_[static_cast<size_t>(id.index)]++;
      return Status();
    });
  }

  /// What is folded is not used any more; remove_dead takes it.
  Result<Graph> run() {
    for (const Node& node : graph_.nodes) {
      const auto padding = node.op == "conv" ? find(node) : std::nullopt;
      QL_RETURN_IF_ERROR(padding ? fold(node, *padding) : rebuild_.copy(node));
    }
    return rebuild_.finish();
  }

 private:
  struct Padding {
    TensorId x;                        ///< what is padded
    std::vector<int64_t> permutation;  ///< of it, before the convolution; empty: none
    std::vector<int64_t> lo, hi;       ///< one per spatial axis of the convolution
  };

  const Node* made_for_one(TensorId id) const {
    return readers_[static_cast<size_t>(id.index)] == 1 ? makers_[static_cast<size_t>(id.index)] : nullptr;
  }

  /// Whether the pad's filling is what the convolution takes for a zero.
  bool fills_with_zero(const Node& pad, const Node& conv) const {
    const TensorId filling = pad.inputs.size() > 1 ? pad.inputs[1] : kNone;
    const TensorId zero = conv.inputs.size() > kLhsZeroPoint ? conv.inputs[kLhsZeroPoint] : kNone;
    if (!filling.valid()) return !zero.valid();
    const HostTensor* a = graph_[filling].data.get();
    if (a == nullptr || a->size() != 1) return false;
    const auto bytes = static_cast<size_t>(a->byte_size());
    if (!zero.valid()) return std::all_of(a->bytes(), a->bytes() + bytes, [](uint8_t byte) { return byte == 0; });
    const HostTensor* b = graph_[zero].data.get();
    return b != nullptr && b->size() == 1 && b->type() == a->type() && std::memcmp(a->bytes(), b->bytes(), bytes) == 0;
  }

  std::optional<Padding> find(const Node& conv) const {
    const auto& attrs = conv.as<ConvAttrs>();
    if (std::any_of(attrs.input_dilation.begin(), attrs.input_dilation.end(), [](int64_t d) { return d != 1; }))
      return std::nullopt;
    Padding out;
    const Node* maker = made_for_one(conv.inputs[kLhs]);
    if (maker != nullptr && maker->op == "transpose") {
      out.permutation = maker->as<TransposeAttrs>().permutation;
      maker = made_for_one(maker->inputs[0]);
    }
    if (maker == nullptr || maker->op != "pad") return std::nullopt;
    const auto& pad = maker->as<PadAttrs>();
    const auto dilates = [](int64_t n) { return n != 0; };
    if (pad.mode != PadMode::kConstant || std::any_of(pad.interior.begin(), pad.interior.end(), dilates) ||
        !fills_with_zero(*maker, conv))
      return std::nullopt;
    out.x = maker->inputs[0];
    for (size_t axis = 0; axis < pad.lo.size(); axis++) {
      const size_t from = out.permutation.empty() ? axis : static_cast<size_t>(out.permutation[axis]);
      const bool spatial = axis > 0 && axis + 1 < pad.lo.size();
      // Cropping and padding again would lose what is cropped.
      if (pad.lo[from] < 0 || pad.hi[from] < 0 || (!spatial && pad.lo[from] + pad.hi[from] > 0)) return std::nullopt;
      if (!spatial) continue;
      out.lo.push_back(pad.lo[from]);
      out.hi.push_back(pad.hi[from]);
    }
    return out;
  }

  Status fold(const Node& conv, const Padding& padding) {
    TensorId x = rebuild_.map(padding.x);
    if (!padding.permutation.empty()) {
      QL_ASSIGN(x, transpose_to(rebuild_.to, x, padding.permutation, conv.origin));
    }
    auto attrs = std::make_shared<ConvAttrs>(conv.as<ConvAttrs>());
    for (size_t axis = 0; axis < padding.lo.size(); axis++) {
      attrs->pad_lo[axis] += padding.lo[axis];
      attrs->pad_hi[axis] += padding.hi[axis];
    }
    std::vector<TensorId> inputs = rebuild_.map(conv.inputs);
    inputs[kLhs] = x;
    QL_ASSIGN(const TensorId y, rebuild_.to.add("conv", std::move(inputs), attrs, conv.origin));
    rebuild_.set(conv.outputs[0], y);
    return {};
  }

  const Graph& graph_;
  Rebuild rebuild_;
  std::vector<int> readers_;
  std::vector<const Node*> makers_;
};

const PassRegistry::Add kPass({.name = "fold_pads",
                               .summary = "convolutions of what is padded with zeros pad for themselves",
                               .run = [](Graph graph) { return FoldPads(graph).run(); }});

}  // namespace
}  // namespace qlathe
