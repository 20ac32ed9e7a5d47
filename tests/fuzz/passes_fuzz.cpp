// Small graphs as text, run by the reference executor before and after the passes: an error, or the same values. What
// verify() accepts must run without a fault, whatever its attributes and constants are.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "frontend/ir/text.h"
#include "frontend/numerics/convert.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/reference/reference_executor.h"

namespace {

using namespace qlathe;

constexpr int64_t kMaxElements = 1 << 12;  // of a tensor
constexpr size_t kMaxNodes = 24;

bool is_small(const Graph& graph) {
  for (const Tensor& tensor : graph.tensors)
    if (element_count(tensor.shape()) > kMaxElements) return false;
  return graph.nodes.size() <= kMaxNodes;
}

/// Some values of the type, small and large, of both signs.
HostTensor pattern(ValueType type, const Shape& shape) {
  HostTensor out(type, shape);
  if (type == ValueType::kF64) return out;
  uint32_t state = 12345;
  const auto next = [&] { return (state = state * 1664525u + 1013904223u) >> 16; };
  if (is_float(type) && storage_bytes(type) > 1) {
    std::vector<float> values(static_cast<size_t>(out.size()));
    for (float& value : values)
      value = static_cast<float>(static_cast<int>(next() % 201) - 100) / (next() % 8 == 0 ? 0.01f : 16.0f);
    return from_floats(type, shape, values);
  }
  const ValueTypeInfo& about = info(type);
  for (int64_t i = 0; i < out.size(); i++) {
    const int64_t range = about.bits >= 31 ? 2001 : (int64_t{1} << about.bits);
    out.set_int(i, is_integer(type) && is_signed(type) ? next() % range - range / 2 : next() % range);
  }
  return out;
}

bool same(const HostTensor& a, const HostTensor& b) {
  if (a.type() != b.type() || a.shape() != b.shape()) return false;
  if (a == b) return true;
  if (!is_float(a.type()) || storage_bytes(a.type()) == 1 || a.type() == ValueType::kF64) return false;
  const std::vector<float> x = to_floats(a), y = to_floats(b);
  for (size_t i = 0; i < x.size(); i++) {
    if (std::isnan(x[i]) != std::isnan(y[i])) return false;
    if (!std::isnan(x[i]) && (x[i] != y[i] || std::signbit(x[i]) != std::signbit(y[i]))) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ArrayLookup arrays = [](const std::string&, const std::string&, const TensorType& type) -> Result<HostTensor> {
    if (element_count(type.shape) > kMaxElements) return Status::user({}, "is not there");
    return pattern(type.type, type.shape);
  };
  const auto graph = parse_graph("input", {reinterpret_cast<const char*>(data), size}, arrays);
  if (!graph.ok() || !is_small(*graph)) return 0;
  std::vector<HostTensor> inputs;
  for (TensorId id : graph->inputs)
    inputs.push_back(pattern((*graph)[id].type.type, (*graph)[id].shape()));
  const auto before = run_reference(*graph, inputs);
  const auto lowered = run_passes(*graph, lowering_passes());
  if (!lowered.ok()) {
    // A pass may refuse what it has no form for, but may not break a graph.
    for (const Diagnostic& diagnostic : lowered.status().diagnostics())
      if (diagnostic.kind == Diagnostic::Kind::kInternal) std::abort();
    return 0;
  }
  const auto after = run_reference(*lowered, inputs);
  if (before.ok() != after.ok()) std::abort();
  for (size_t i = 0; before.ok() && i < before->size(); i++)
    if (!same((*before)[i], (*after)[i])) std::abort();
  return 0;
}
