#include "frontend/ops/rebuild.h"

#include <algorithm>

#include "frontend/ops/pointwise.h"

namespace qlathe {

Rebuild::Rebuild(const Graph& from) : from_(from), map_(from.tensors.size()) {
  to.name = from.name;
  for (TensorId id : from.inputs)
    set(id, to.add_input(from[id].name, from[id].type));
  for (const State& state : from.states)
    set(state.current, to.add_tensor(from[state.current].name, from[state.current].type));
}

TensorId Rebuild::map(TensorId old) {
  if (!old.valid()) return kNone;
  TensorId& now = map_[static_cast<size_t>(old.index)];
  if (!now.valid()) {
    QL_CHECK(from_[old].is_constant(), from_[old].name);
    const TensorId id = to.add_tensor(from_[old].name, from_[old].type);
    to[id].data = from_[old].data;
    set(old, id);
  }
  return now;
}

std::vector<TensorId> Rebuild::map(const std::vector<TensorId>& old) {
  std::vector<TensorId> out;
  for (TensorId id : old)
    out.push_back(map(id));
  return out;
}

void Rebuild::set(TensorId old, TensorId now) {
  map_[static_cast<size_t>(old.index)] = now;
  rename(now, from_[old].name);
  if (named_after_.size() <= static_cast<size_t>(now.index)) named_after_.resize(static_cast<size_t>(now.index) + 1);
  TensorId& described_by = named_after_[static_cast<size_t>(now.index)];
  if (!described_by.valid() || from_[old].quantization) described_by = old;
}

void Rebuild::rename(TensorId now, const std::string& name) {
  if (to[now].name == name) return;
  const TensorId holder = to.find(name);
  const auto free_name = [&] {
    for (int suffix = 1;; suffix++) {
      std::string other = name + "_" + std::to_string(suffix);
      if (!to.find(other).valid()) return other;
    }
  };
  // A helper tensor may have taken the name: it gets another.
  if (holder.valid()) to.rename(holder, free_name());
  to.rename(now, name);
}

Status Rebuild::copy(const Node& node) {
  QL_ASSIGN(const std::vector<TensorId> results, to.add_node(node.op, map(node.inputs), node.attrs, node.origin));
  QL_CHECK(results.size() == node.outputs.size(), node.op);
  for (size_t i = 0; i < results.size(); i++)
    set(node.outputs[i], results[i]);
  return {};
}

void Rebuild::add_output(TensorId old) {
  TensorId now = map(old);
  const std::string& name = from_[old].name;
  if (to[now].name != name) {
    const auto named = [&](TensorId other) { return map(other) == now && from_[other].name == to[now].name; };
    const bool given = std::any_of(from_.inputs.begin(), from_.inputs.end(), named) ||
                       std::any_of(from_.outputs.begin(), from_.outputs.end(), named) ||
                       std::any_of(from_.states.begin(), from_.states.end(),
                                   [&](const State& state) { return map(state.current) == now; });
    if (given) {
      const auto copied = to.add("pointwise", {now}, std::make_shared<PointwiseAttrs>(), {.name = name});
      QL_CHECK(copied.ok(), copied.status().text());
      now = *copied;
    }
    rename(now, name);
  }
  to.outputs.push_back(now);
}

Graph Rebuild::finish() {
  for (TensorId id : from_.outputs)
    add_output(id);
  for (const State& state : from_.states)
    to.states.push_back({map(state.current), map(state.next), state.initial});
  // Quantizations describe; they keep no computation alive, but constants come along.
  for (size_t i = 0; i < named_after_.size(); i++) {
    const TensorId old = named_after_[i];
    if (!old.valid() || !from_[old].quantization) continue;
    const Quantization& q = *from_[old].quantization;
    const auto reachable = [&](TensorId id) { return !id.valid() || is_mapped(id) || from_[id].is_constant(); };
    if (!reachable(q.scale) || !reachable(q.zero_point)) continue;
    const TensorId scale = map(q.scale), zero_point = map(q.zero_point);
    to.tensors[i].quantization = Quantization{scale, zero_point, q.tile};
  }
  return std::move(to);
}

}  // namespace qlathe
