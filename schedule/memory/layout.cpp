#include "schedule/memory/layout.h"

#include <algorithm>

#include "schedule/kernel.h"

namespace qlathe {
namespace {

class LayoutBuilder {
 public:
  LayoutBuilder(const Graph& graph, const Aliases& aliases, const std::map<TensorId, BufferRef>& fixed)
      : graph_(graph), aliases_(aliases), fixed_(fixed) {}

  Layout build(const std::vector<std::optional<NodeLowering>>& lowered, int64_t alignment,
               const std::vector<PoolLimit>& pools) {
    for (size_t n = 0; n < lowered.size(); n++) {
      out_.first_constant.push_back(out_.constants);
      if (lowered[n] && !aliases_.is_view(static_cast<int>(n))) add(static_cast<int>(n), *lowered[n]);
    }
    share_dying_operands();
    place(alignment, pools);
    return std::move(out_);
  }

 private:
  /// Memory that the arena must provide, with the calls that touch it.
  struct Slot {
    std::string name;
    int64_t bytes = 0;
    int first = -1, last = -1;
    int merged = -1;  ///< shares the storage of another slot (in place)
  };
  struct PendingRef {
    int slot = -1;       ///< in the arena
    BufferRef fixed;     ///< otherwise
    int64_t offset = 0;  ///< bytes, added to where the slot or the buffer is
    bool whole = false;  ///< all of the slot
    friend bool operator==(const PendingRef&, const PendingRef&) = default;
  };

  void add(int node, const NodeLowering& lowering) {
    const int first_constant = out_.constants;
    out_.constants += static_cast<int>(lowering.constants.size());
    const int first_temporary = static_cast<int>(slots_.size());
    for (const TemporaryBuffer& temporary : lowering.temporaries)
      slots_.push_back({temporary.name, temporary.bytes});
    for (size_t c = 0; c < lowering.calls.size(); c++) {
      const LoweredCall& call = lowering.calls[c];
      std::vector<PendingRef> refs;
      for (const KernelOperand& operand : call.operands) {
        switch (operand.kind) {
          case KernelOperand::Kind::kConstant:
            refs.push_back({-1, {BufferRef::Space::kConstant, first_constant + operand.index, 0}});
            break;
          case KernelOperand::Kind::kTemporary:
            refs.push_back({first_temporary + operand.index, {}, 0, true});
            break;
          case KernelOperand::Kind::kTensor:
            refs.push_back(tensor_ref(operand.tensor));
            break;
        }
        refs.back().offset += operand.offset;
      }
      // What an operand of a concat is written to is its place already.
      if (graph_.nodes[static_cast<size_t>(node)].op == "concat" && refs.size() == 2 && refs[0] == refs[1]) continue;
      for (const PendingRef& ref : refs) {
        if (ref.slot < 0) continue;
        Slot& slot = slots_[static_cast<size_t>(ref.slot)];
        const int at = static_cast<int>(out_.calls.size());
        if (slot.first < 0) slot.first = at;
        slot.last = at;
      }
      refs_.push_back(std::move(refs));
      candidates_.emplace_back();
      for (int i = 0; call.in_place_of > 0 && i < 31; i++) {
        if ((call.in_place_of >> i & 1) != 0) candidates_.back().push_back(i);
      }
      out_.calls.push_back({node, static_cast<int>(c), {}});
    }
  }

  PendingRef tensor_ref(TensorId id) {
    const TensorStorage at = aliases_.of(id);
    if (const auto it = fixed_.find(at.root); it != fixed_.end()) return {-1, it->second, at.offset};
    if (graph_[at.root].is_constant()) {
      const auto [it, added] = constant_of_.emplace(at.root, out_.constants);
      if (added) out_.tensor_constants.emplace_back(at.root, out_.constants++);
      return {-1, {BufferRef::Space::kConstant, it->second, 0}, at.offset};
    }
    const auto [it, added] = slot_of_.emplace(at.root, static_cast<int>(slots_.size()));
    if (added) slots_.push_back({graph_[at.root].name, bytes_of(graph_[at.root].type)});
    return {it->second, {}, at.offset, bytes_of(graph_[id].type) == slots_[static_cast<size_t>(it->second)].bytes};
  }

  /// In place: an operand dies at the call where a result of its size is born, and the kernel allows it. Whatever else
  /// the call reads of that storage must be the same elements in the same order.
  void share_dying_operands() {
    for (size_t c = 0; c < refs_.size(); c++) {
      const std::vector<PendingRef>& refs = refs_[c];
      const std::vector<int>& candidates = candidates_[c];
      const PendingRef& out = refs.back();
      if (candidates.empty() || out.slot < 0 || !out.whole) continue;
      Slot& born = slots_[static_cast<size_t>(out.slot)];
      if (born.merged >= 0 || born.first != static_cast<int>(c)) continue;
      for (const int candidate : candidates) {
        const PendingRef& in = refs[static_cast<size_t>(candidate)];
        if (in.slot < 0 || !in.whole) continue;
        const int root = find(in.slot);
        Slot& dying = slots_[static_cast<size_t>(root)];
        if (root == out.slot || dying.last != static_cast<int>(c) || dying.bytes != born.bytes) continue;
        bool safe = true;
        for (size_t i = 0; i + 1 < refs.size(); i++) {
          const bool same_order = std::count(candidates.begin(), candidates.end(), static_cast<int>(i)) > 0;
          if (refs[i].slot >= 0 && find(refs[i].slot) == root) safe = safe && same_order && refs[i].whole;
        }
        if (!safe) continue;
        born.merged = root;
        dying.last = born.last;
        break;
      }
    }
  }

  void place(int64_t alignment, const std::vector<PoolLimit>& pools) {
    std::vector<ArenaRequest> requests;
    std::vector<int> request_of(slots_.size(), -1), item_of(slots_.size(), -1);
    for (size_t i = 0; i < slots_.size(); i++) {
      if (slots_[i].merged >= 0 || slots_[i].first < 0) continue;
      request_of[i] = static_cast<int>(requests.size());
      requests.push_back({slots_[i].bytes, slots_[i].first, slots_[i].last});
    }
    out_.plan = plan_arena(requests, alignment);
    if (!pools.empty()) spread(requests, request_of, alignment, pools);
    const auto offset_of = [&](int slot) {
      return out_.plan.offsets[static_cast<size_t>(request_of[static_cast<size_t>(find(slot))])];
    };
    for (size_t i = 0; i < slots_.size(); i++) {
      const Slot& s = slots_[i];
      if (s.first < 0) continue;
      item_of[i] = static_cast<int>(out_.arena.size());
      // A storage that results of later calls took over ends, for its own tensor, where they begin.
      out_.arena.push_back({s.name, offset_of(static_cast<int>(i)), s.bytes, s.first, s.last});
    }
    for (size_t i = 0; i < slots_.size(); i++) {
      if (slots_[i].merged < 0) continue;
      for (size_t j = 0; j < slots_.size(); j++) {
        if (j == i || item_of[j] < 0 || find(static_cast<int>(j)) != find(static_cast<int>(i))) continue;
        ArenaItem& item = out_.arena[static_cast<size_t>(item_of[j])];
        if (slots_[j].first < slots_[i].first) item.last_call = std::min(item.last_call, slots_[i].first);
      }
    }
    for (size_t c = 0; c < refs_.size(); c++) {
      for (const PendingRef& ref : refs_[c]) {
        BufferRef buffer = ref.slot >= 0 ? BufferRef{BufferRef::Space::kArena, 0, offset_of(ref.slot)} : ref.fixed;
        buffer.offset += ref.offset;
        out_.calls[c].buffers.push_back(buffer);
      }
    }
  }

  void spread(const std::vector<ArenaRequest>& requests, const std::vector<int>& request_of, int64_t alignment,
              const std::vector<PoolLimit>& pools) {
    std::vector<int> uses(requests.size(), 0);
    for (const std::vector<PendingRef>& refs : refs_) {
      for (const PendingRef& ref : refs) {
        if (ref.slot >= 0) uses[static_cast<size_t>(request_of[static_cast<size_t>(find(ref.slot))])]++;
      }
    }
    const PooledPlan plan = plan_pools(requests, uses, pools, alignment);
    if (plan.unplaced >= 0) {
      const auto slot = std::find(request_of.begin(), request_of.end(), plan.unplaced) - request_of.begin();
      const Slot& s = slots_[static_cast<size_t>(slot)];
      out_.unplaced = s.name + " of " + std::to_string(s.bytes) + " bytes";
      return;
    }
    out_.plan.offsets = plan.offsets;
    out_.plan.bytes = 0;
    for (size_t p = 0; p < pools.size(); p++) {
      out_.pools.push_back({pools[p].name, plan.starts[p], plan.bytes[p], pools[p].bytes});
      out_.plan.bytes = std::max(out_.plan.bytes, plan.starts[p] + plan.bytes[p]);
    }
  }

  int find(int slot) const {
    while (slots_[static_cast<size_t>(slot)].merged >= 0)
      slot = slots_[static_cast<size_t>(slot)].merged;
    return slot;
  }

  const Graph& graph_;
  const Aliases& aliases_;
  const std::map<TensorId, BufferRef>& fixed_;
  Layout out_;
  std::vector<Slot> slots_;
  std::map<TensorId, int> slot_of_, constant_of_;
  std::vector<std::vector<PendingRef>> refs_;  ///< per call
  std::vector<std::vector<int>> candidates_;   ///< per call: operands whose storage the result may take over
};

}  // namespace

Layout lay_out(const Graph& graph, const std::vector<std::optional<NodeLowering>>& lowered, const Aliases& aliases,
               const std::map<TensorId, BufferRef>& fixed, int64_t alignment, const std::vector<PoolLimit>& pools) {
  return LayoutBuilder(graph, aliases, fixed).build(lowered, alignment, pools);
}

}  // namespace qlathe
