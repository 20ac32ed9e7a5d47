#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "frontend/ir/op_registry.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/rebuild.h"
#include "frontend/passes/pass_manager.h"
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
    if (!made(now) || named_.count(now))
      rebuild_.alias(old, now);
    else
      rebuild_.set(old, now);
    named_.insert(now);
    return {};
  }

  /// Whether a node of the new graph makes the tensor.
  bool made(TensorId now) {
    makers_.resize(rebuild_.to.tensors.size(), false);
    for (; seen_ < rebuild_.to.nodes.size(); seen_++) {
      for (TensorId id : rebuild_.to.nodes[seen_].outputs)
        makers_[static_cast<size_t>(id.index)] = true;
    }
    return makers_[static_cast<size_t>(now.index)];
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
    if (graph_[node.outputs[0]].shape().size() != p.size()) return false;
    return follow(node, p);
  }

  /// The node on its operands' bases, by the op's layout row.
  Result<bool> follow(const Node& node, const Permutation& p) {
    const LayoutRow& row = OpRegistry::find(node.op)->layout;
    if (row.attrs == nullptr) return false;
    const auto follows = [&](size_t i) { return row.follows == nullptr ? i == 0 : row.follows(node, i); };
    // Moving an operand there is worth it where no more would have to be moved the other way.
    int waiting_ones = 0, misfits = 0;
    for (size_t i = 0; i < node.inputs.size(); i++) {
      if (!follows(i)) continue;
      const Waiting* w = waiting(node.inputs[i]);
      waiting_ones += w != nullptr && w->p == p;
      misfits += !fits(node.inputs[i], p);
    }
    const Waiting* x = waiting(node.inputs[0]);
    if (row.any_leads ? misfits > waiting_ones : misfits > 0 || x == nullptr || x->p != p) return false;
    const auto attrs = row.attrs({graph_, node}, p);
    if (attrs == nullptr) return false;
    std::vector<TensorId> inputs(node.inputs.size());
    for (size_t i = 0; i < inputs.size(); i++) {
      const TensorId old = node.inputs[i];
      if (!old.valid()) continue;
      if (follows(i)) {
        QL_ASSIGN(inputs[i], operand_on_base(old, p, node.origin));
      } else {
        QL_RETURN_IF_ERROR(materialize(old));
        inputs[i] = rebuild_.map(old);
      }
    }
    QL_ASSIGN(const TensorId base, rebuild_.to.add(node.op, std::move(inputs), attrs, node.origin));
    waiting_[static_cast<size_t>(node.outputs[0].index)] = Waiting{base, p, node.origin};
    return true;
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

  const Graph& graph_;
  Rebuild rebuild_;
  std::vector<std::optional<Waiting>> waiting_;  // by old tensor
  std::map<std::pair<TensorId, Permutation>, TensorId> transposed_;
  std::set<TensorId> named_;  // that stand for a tensor that waited
  std::vector<bool> makers_;  // by new tensor: made by one of the first seen_ nodes
  size_t seen_ = 0;
};

const PassRegistry::Add kPass(
    {.name = "sink_transposes",
     .summary = "transposes move behind the nodes that need no layout, and meet their inverses",
     .run = [](Graph graph) { return SinkTransposes(graph).run(); }});

}  // namespace
}  // namespace qlathe
