#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "frontend/ops/movement.h"
#include "frontend/ops/pointwise.h"
#include "frontend/ops/reduction.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/passes/rebuild.h"
#include "frontend/passes/views.h"

namespace qlathe {
namespace {

using Permutation = std::vector<int64_t>;

Permutation identity(size_t rank) {
  Permutation out(rank);
  std::iota(out.begin(), out.end(), 0);
  return out;
}

Permutation inverse(const Permutation& p) {
  Permutation out(p.size());
  for (size_t i = 0; i < p.size(); i++)
    out[static_cast<size_t>(p[i])] = static_cast<int64_t>(i);
  return out;
}

/// Values of the list, which goes by axes of the transposed tensor, by axes of its base.
std::vector<int64_t> by_base_axes(const std::vector<int64_t>& list, const Permutation& p) {
  std::vector<int64_t> out(list.size());
  for (size_t i = 0; i < list.size(); i++)
    out[static_cast<size_t>(p[i])] = list[i];
  return out;
}

/// Transposes wait: every tensor is a base and a permutation that is still to be done, result axis i being base axis
/// p[i]. Nodes that work on elements, or along axes that they name, work on the base; the others get the transpose
/// before them. So a transpose and its inverse around such nodes meet and vanish.
class SinkTransposes {
 public:
  explicit SinkTransposes(const Graph& graph) : graph_(graph), rebuild_(graph), waiting_(graph.tensors.size()) {}

  Result<Graph> run() {
    for (const Node& node : graph_.nodes)
      QL_RETURN_IF_ERROR(visit(node));
    QL_RETURN_IF_ERROR(for_each_result(graph_, [&](TensorId id) { return materialize(id); }));
    return rebuild_.finish();
  }

 private:
  /// A tensor of the new graph that has yet to be transposed.
  struct Waiting {
    TensorId base;
    Permutation p;
    Origin origin;  ///< of the transpose that waits
  };

  const Waiting* waiting(TensorId old) const {
    return old.valid() && waiting_[static_cast<size_t>(old.index)] ? &*waiting_[static_cast<size_t>(old.index)]
                                                                   : nullptr;
  }

  /// Does the transpose of a tensor that waits for it.
  Status materialize(TensorId old) {
    const Waiting* w = waiting(old);
    if (w == nullptr || rebuild_.is_mapped(old)) return {};
    QL_ASSIGN(const TensorId now, transposed(w->base, w->p, w->origin));
    // A tensor that is a node's result takes the name; what the graph was given keeps its own.
    if (rebuild_.to.producer(now) < 0 || named_.count(now))
      rebuild_.alias(old, now);
    else
      rebuild_.set(old, now);
    named_.insert(now);
    return {};
  }

  Status visit(const Node& node) {
    if (node.op == "transpose") return transpose(node);
    if (node.outputs.size() == 1) {
      QL_ASSIGN(const bool done, try_on_bases(node));
      if (done) return {};
    }
    for (TensorId id : node.inputs)
      QL_RETURN_IF_ERROR(materialize(id));
    return rebuild_.copy(node);
  }

  Status transpose(const Node& node) {
    const Waiting* w = waiting(node.inputs[0]);
    Permutation p = node.as<TransposeAttrs>().permutation;
    TensorId base = kNone;
    if (w != nullptr) {
      for (int64_t& axis : p)
        axis = w->p[static_cast<size_t>(axis)];
      base = w->base;
    } else {
      base = rebuild_.map(node.inputs[0]);
    }
    waiting_[static_cast<size_t>(node.outputs[0].index)] = Waiting{base, p, node.origin};
    return {};
  }

  /// The permutation that the node's operands share, if any waits: the first one that does.
  const Waiting* leader(const Node& node) const {
    for (TensorId id : node.inputs) {
      const Waiting* w = waiting(id);
      if (w != nullptr && w->p != identity(w->p.size())) return w;
    }
    return nullptr;
  }

  Result<bool> try_on_bases(const Node& node) {
    // What waits for nothing is simply there.
    for (TensorId id : node.inputs) {
      const Waiting* w = waiting(id);
      if (w != nullptr && w->p == identity(w->p.size())) QL_RETURN_IF_ERROR(materialize(id));
    }
    const Waiting* first = leader(node);
    if (first == nullptr) return false;
    const Permutation p = first->p;
    if (graph_[node.outputs[0]].shape().size() != p.size() && node.op != "reduce") return false;
    if (node.op == "pointwise") return pointwise(node, p);
    if (node.op == "concat") return concat(node, p);
    if (node.op == "slice" || node.op == "pad") return along_axes(node, p);
    if (node.op == "reduce") return reduce(node, p);
    if (node.op == "gather") return gather(node, p);
    return false;
  }

  /// The permutation that the operand's data would go through to stand in the base's layout of `p`.
  Permutation to_base(TensorId old, const Permutation& p) const {
    Permutation out = inverse(p);
    if (const Waiting* w = waiting(old)) {
      for (int64_t& axis : out)
        axis = w->p[static_cast<size_t>(axis)];
    }
    return out;
  }

  /// Whether the operand can stand in the base's layout without moving data while the model runs.
  bool fits(TensorId old, const Permutation& p) const {
    if (!old.valid()) return true;
    const Waiting* w = waiting(old);
    if (w != nullptr && w->p.size() != p.size()) return false;
    if (w != nullptr) return permutation_is_view(rebuild_.to[w->base].shape(), to_base(old, p));
    const Tensor& tensor = graph_[old];
    if (tensor.is_constant() || element_count(tensor.shape()) == 1) return true;
    return permutation_is_view(full_rank(tensor.shape(), p.size()), inverse(p));
  }

  static Shape full_rank(Shape shape, size_t rank) {
    while (shape.size() < rank)
      shape.insert(shape.begin(), 1);
    return shape;
  }

  /// The operand in the base's layout.
  Result<TensorId> operand_on_base(TensorId old, const Permutation& p, const Origin& origin) {
    const Waiting* w = waiting(old);
    if (w != nullptr && w->p == p) return w->base;
    if (w != nullptr && w->p.size() != p.size()) {
      QL_RETURN_IF_ERROR(materialize(old));
      w = nullptr;
    }
    if (w != nullptr) return transposed(w->base, to_base(old, p), origin);
    const TensorId now = rebuild_.map(old);
    if (element_count(graph_[old].shape()) == 1) return reshape_to(rebuild_.to, now, {}, origin);
    QL_ASSIGN(const TensorId full, reshape_to(rebuild_.to, now, full_rank(graph_[old].shape(), p.size()), origin));
    return transposed(full, inverse(p), origin);
  }

  /// One transpose of a tensor serves all who need it.
  Result<TensorId> transposed(TensorId now, const Permutation& p, const Origin& origin) {
    const auto [entry, is_new] = transposed_.try_emplace({now, p}, kNone);
    if (is_new) {
      QL_ASSIGN(entry->second, transpose_to(rebuild_.to, now, p, origin));
    }
    return entry->second;
  }

  Result<bool> emit(const Node& node, std::vector<TensorId> inputs, std::shared_ptr<const OpAttrs> attrs,
                    const Permutation& p) {
    QL_ASSIGN(const TensorId base, rebuild_.to.add(node.op, std::move(inputs), std::move(attrs), node.origin));
    waiting_[static_cast<size_t>(node.outputs[0].index)] = Waiting{base, p, node.origin};
    return true;
  }

  Result<bool> pointwise(const Node& node, const Permutation& p) {
    const auto& attrs = node.as<PointwiseAttrs>();
    std::vector<bool> table(node.inputs.size(), false);
    for (const PointwiseStep& step : attrs.steps) {
      if (reads_table(step)) table[static_cast<size_t>(step.operands[0])] = true;
    }
    // Moving an operand there is worth it where no more would have to be moved the other way.
    int waiting_ones = 0, misfits = 0;
    for (size_t i = 0; i < node.inputs.size(); i++) {
      if (table[i]) continue;
      const Waiting* w = waiting(node.inputs[i]);
      waiting_ones += w != nullptr && w->p == p;
      misfits += !fits(node.inputs[i], p);
    }
    if (misfits > waiting_ones) return false;
    std::vector<TensorId> inputs;
    for (size_t i = 0; i < node.inputs.size(); i++) {
      inputs.push_back(kNone);
      if (!table[i]) {
        QL_ASSIGN(inputs.back(), operand_on_base(node.inputs[i], p, node.origin));
      } else {
        inputs.back() = rebuild_.map(node.inputs[i]);
      }
    }
    return emit(node, std::move(inputs), node.attrs, p);
  }

  Result<bool> concat(const Node& node, const Permutation& p) {
    int waiting_ones = 0, misfits = 0;
    for (TensorId id : node.inputs) {
      const Waiting* w = waiting(id);
      waiting_ones += w != nullptr && w->p == p;
      misfits += !fits(id, p);
    }
    if (misfits > waiting_ones) return false;
    std::vector<TensorId> inputs(node.inputs.size());
    for (size_t i = 0; i < inputs.size(); i++) {
      // A scalar operand would lose its axes.
      if (element_count(graph_[node.inputs[i]].shape()) == 1) return false;
      QL_ASSIGN(inputs[i], operand_on_base(node.inputs[i], p, node.origin));
    }
    auto attrs = std::make_shared<ConcatAttrs>(node.as<ConcatAttrs>());
    attrs->axis = p[static_cast<size_t>(attrs->axis)];
    return emit(node, std::move(inputs), attrs, p);
  }

  Result<bool> along_axes(const Node& node, const Permutation& p) {
    const Waiting* w = waiting(node.inputs[0]);
    if (w == nullptr || w->p != p) return false;
    std::vector<TensorId> inputs = {w->base};
    if (node.op == "slice") {
      auto attrs = std::make_shared<SliceAttrs>(node.as<SliceAttrs>());
      attrs->start = by_base_axes(attrs->start, p);
      attrs->size = by_base_axes(attrs->size, p);
      if (!attrs->step.empty()) attrs->step = by_base_axes(attrs->step, p);
      return emit(node, std::move(inputs), attrs, p);
    }
    if (node.inputs.size() > 1 && node.inputs[1].valid()) {
      if (element_count(graph_[node.inputs[1]].shape()) != 1) return false;
      inputs.push_back(rebuild_.map(node.inputs[1]));
    }
    auto attrs = std::make_shared<PadAttrs>(node.as<PadAttrs>());
    attrs->lo = by_base_axes(attrs->lo, p);
    attrs->hi = by_base_axes(attrs->hi, p);
    if (!attrs->interior.empty()) attrs->interior = by_base_axes(attrs->interior, p);
    return emit(node, std::move(inputs), attrs, p);
  }

  Result<bool> gather(const Node& node, const Permutation& p) {
    const Waiting* w = waiting(node.inputs[0]);
    if (w == nullptr || w->p != p || graph_[node.inputs[1]].shape().size() != 1 || waiting(node.inputs[1]))
      return false;
    auto attrs = std::make_shared<GatherAttrs>(node.as<GatherAttrs>());
    attrs->axis = p[static_cast<size_t>(attrs->axis)];
    return emit(node, {w->base, rebuild_.map(node.inputs[1])}, attrs, p);
  }

  /// A sum keeps its order where the reduced axes keep theirs and what is interleaved is the last axis before and
  /// after.
  Result<bool> reduce(const Node& node, const Permutation& p) {
    const auto& old = node.as<ReduceAttrs>();
    const Waiting* w = waiting(node.inputs[0]);
    if (w == nullptr || w->p != p || !old.keep_dims) return false;
    std::vector<int64_t> axes;
    for (int64_t axis : old.axes)
      axes.push_back(p[static_cast<size_t>(axis)]);
    const bool ordered = std::is_sorted(axes.begin(), axes.end());
    const bool exact = old.kind == ReduceKind::kMax || old.kind == ReduceKind::kMin || old.kind == ReduceKind::kAbsMax;
    if (!ordered && !exact) return false;
    std::sort(axes.begin(), axes.end());
    for (size_t i = 1; i < node.inputs.size(); i++) {
      if (!fits(node.inputs[i], p)) return false;
    }
    std::vector<TensorId> inputs = {w->base};
    for (size_t i = 1; i < node.inputs.size(); i++) {
      QL_ASSIGN(const TensorId operand, operand_on_base(node.inputs[i], p, node.origin));
      inputs.push_back(operand);
    }
    auto attrs = std::make_shared<ReduceAttrs>(old);
    attrs->axes = axes;
    return emit(node, std::move(inputs), attrs, p);
  }

  const Graph& graph_;
  Rebuild rebuild_;
  std::vector<std::optional<Waiting>> waiting_;  // by old tensor
  std::map<std::pair<TensorId, Permutation>, TensorId> transposed_;
  std::set<TensorId> named_;  // that stand for a tensor that waited
};

const PassRegistry::Add kPass(
    {.name = "sink_transposes",
     .summary = "transposes move behind the nodes that need no layout, and meet their inverses",
     .run = [](Graph graph) { return SinkTransposes(graph).run(); }});

}  // namespace
}  // namespace qlathe
