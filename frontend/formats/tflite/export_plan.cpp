#include "frontend/formats/tflite/export_plan.h"

#include <algorithm>
#include <set>

#include "frontend/formats/single_steps.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

/// Ops whose result has the quantization of their operand.
bool passes_on(const Node& node) {
  static const std::set<std::string> kMoving = {"reshape", "transpose", "slice", "gather", "pool", "broadcast"};
  if (kMoving.contains(node.op)) {
    if (node.op != "pool") return true;
    const auto& attrs = node.as<PoolAttrs>();
    return attrs.kind == PoolKind::kMax || !attrs.steps.empty();
  }
  if (node.op == "reduce") {
    const ReduceKind kind = node.as<ReduceAttrs>().kind;
    return kind == ReduceKind::kMax || kind == ReduceKind::kMin;
  }
  return false;
}

/// Ops whose operands may take the quantization of their result.
bool takes_back(const Node& node) {
  static const std::set<std::string> kMoving = {"reshape", "transpose", "slice", "concat", "pad"};
  return kMoving.contains(node.op);
}

}  // namespace

const PointwiseStep* TfliteExportPlan::step(const Node& node) {
  if (node.op != "pointwise") return nullptr;
  const auto& steps = node.as<PointwiseAttrs>().steps;
  return steps.size() == 1 ? &steps[0] : nullptr;
}

const Node* TfliteExportPlan::producer(TensorId id) const {
  const int at = producers_[static_cast<size_t>(id.index)];
  return at < 0 ? nullptr : &graph.nodes[static_cast<size_t>(at)];
}

const std::vector<const Node*>& TfliteExportPlan::readers(TensorId id) const {
  return readers_[static_cast<size_t>(id.index)];
}

std::optional<TfliteStorage> TfliteExportPlan::parameters(const Node& node) const {
  const PointwiseStep* s = step(node);
  if (s == nullptr || (s->op != "quantize" && s->op != "dequantize")) return std::nullopt;
  const HostTensor* scale = graph[node.inputs[static_cast<size_t>(s->operands[0])]].data.get();
  if (scale == nullptr || scale->type() != ValueType::kF32) return std::nullopt;
  TfliteStorage out;
  out.type = s->op == "quantize" ? s->type : graph[node.inputs[0]].type.type;
  out.scale.assign(scale->as<float>().begin(), scale->as<float>().end());
  out.zero_point.assign(out.scale.size(), 0);
  if (s->operands.size() > 1) {
    const HostTensor* zero = graph[node.inputs[static_cast<size_t>(s->operands[1])]].data.get();
    if (zero == nullptr || (zero->size() != 1 && zero->size() != scale->size())) return std::nullopt;
    for (size_t i = 0; i < out.zero_point.size(); i++)
      out.zero_point[i] = zero->int_at(zero->size() == 1 ? 0 : static_cast<int64_t>(i));
  }
  if (out.per_tensor()) return out;
  // One axis may have several.
  const Shape &whole = graph[node.inputs[0]].shape(), &own = scale->shape();
  int found = 0;
  for (size_t d = 0; d < own.size(); d++) {
    if (own[d] == 1) continue;
    const size_t at = whole.size() - own.size() + d;
    if (own[d] != whole[at]) return std::nullopt;
    out.axis = static_cast<int64_t>(at);
    found++;
  }
  return found == 1 ? std::optional(out) : std::nullopt;
}

TfliteExportPlan::View TfliteExportPlan::view(TensorId id) const {
  const Node* made = producer(id);
  const PointwiseStep* s = made == nullptr ? nullptr : step(*made);
  if (s != nullptr && s->op == "dequantize") {
    const auto form = parameters(*made);
    const TensorId from = made->inputs[0];
    const Node* before = producer(from);
    if (form && before != nullptr && parameters(*before) == form && step(*before)->op == "quantize")
      return {before->inputs[0], form};
    if (form && before == nullptr) return {from, form};
  }
  if (s != nullptr && s->op == "quantize") {
    if (const auto form = parameters(*made)) return {made->inputs[0], form};
  }
  return {id, std::nullopt};
}

std::optional<TfliteStorage> TfliteExportPlan::storage(TensorId id) const {
  const View seen = view(id);
  if (seen.storage) return seen.storage;
  const auto it = storage_.find(seen.source);
  return it == storage_.end() ? std::nullopt : std::optional(it->second);
}

void TfliteExportPlan::index() {
  producers_ = producers_of(graph);
  readers_.assign(graph.tensors.size(), {});
  for (const Node& node : graph.nodes) {
    std::set<TensorId> once(node.inputs.begin(), node.inputs.end());
    for (TensorId id : once)
      if (id.valid()) readers_[static_cast<size_t>(id.index)].push_back(&node);
  }
  for (TensorId id : graph.outputs)
    readers_[static_cast<size_t>(id.index)].push_back(nullptr);
}

void TfliteExportPlan::decide() {
  const auto quantizes = [&](const Node* node) -> std::optional<TfliteStorage> {
    const PointwiseStep* s = node == nullptr ? nullptr : step(*node);
    if (s == nullptr || s->op != "quantize") return std::nullopt;
    auto form = parameters(*node);
    return form && form->per_tensor() ? form : std::nullopt;
  };
  // What a value is when its readers, so far as they are known, all want integers: from the last to the first.
  const auto wanted = [&](TensorId id) -> std::optional<TfliteStorage> {
    std::optional<TfliteStorage> form;
    if (producer(id) == nullptr || readers(id).empty()) return std::nullopt;
    for (const Node* reader : readers(id)) {
      auto own = quantizes(reader);
      if (!own && reader != nullptr && takes_back(*reader)) {
        const auto it = storage_.find(reader->outputs[0]);
        if (it != storage_.end()) own = it->second;
      }
      // Two forms are both made from the real value.
      if (!own || (form && !(*own == *form))) return std::nullopt;
      form = own;
    }
    return form;
  };
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const PointwiseStep* s = step(*node);
    if (s != nullptr && (s->op == "quantize" || s->op == "dequantize")) continue;
    for (TensorId out : node->outputs) {
      if (!is_float(graph[out].type.type)) continue;
      if (auto form = wanted(out)) storage_[out] = *form;
    }
  }
  for (const Node& node : graph.nodes) {
    const TensorId out = node.outputs[0];
    if (!passes_on(node) || storage_.contains(out)) continue;
    const auto form = storage(node.inputs[0]);
    if (form && form->per_tensor() && producer(node.inputs[0]) != nullptr) storage_[out] = *form;
  }
}

Result<TfliteExportPlan> TfliteExportPlan::make(const Graph& from) {
  TfliteExportPlan plan;
  QL_ASSIGN(plan.graph, single_steps(from));
  plan.index();
  plan.decide();
  return plan;
}

}  // namespace qlathe
