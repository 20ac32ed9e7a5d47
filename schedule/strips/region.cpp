#include "schedule/strips/region.h"

#include <algorithm>

#include "frontend/ops/contraction.h"

namespace qlathe {

bool is_region(const Graph& graph, const std::vector<std::vector<int>>& readers, Region region) {
  for (int n = region.first; n <= region.last; n++) {
    const Node& node = graph.nodes[static_cast<size_t>(n)];
    if (node.outputs.size() != 1) return false;
    if (n == region.last) break;
    const TensorId result = node.outputs[0];
    const std::vector<int>& by = readers[static_cast<size_t>(result.index)];
    if (by.empty() || by.back() > region.last || by.front() < region.first) return false;
  }
  const Shape& out = graph[graph.nodes[static_cast<size_t>(region.last)].outputs[0]].shape();
  return row_axis(out) >= 0;
}

std::optional<RegionStrip> cut_region(const Graph& graph, const std::vector<int>& producers, Region region, Rows rows) {
  const auto size = static_cast<size_t>(region.last - region.first + 1);
  RegionStrip out{std::vector<Strip>(size), std::vector<Rows>(size, Rows{-1, -1})};
  out.rows.back() = rows;
  for (size_t i = size; i-- > 0;) {
    const Node& node = graph.nodes[static_cast<size_t>(region.first) + i];
    std::optional<Strip> strip = strip_of(graph, node, out.rows[i]);
    if (!strip) return std::nullopt;
    for (size_t k = 0; k < node.inputs.size(); k++) {
      if (!node.inputs[k].valid()) continue;
      const int producer = producers[static_cast<size_t>(node.inputs[k].index)];
      if (producer < region.first || producer > region.last) continue;
      if (!strip->inputs[k]) return std::nullopt;  // all rows of what the region makes itself
      Rows& need = out.rows[static_cast<size_t>(producer - region.first)];
      const Rows here = *strip->inputs[k];
      need = need.begin < 0 ? here : Rows{std::min(need.begin, here.begin), std::max(need.end, here.end)};
    }
    out.nodes[i] = std::move(*strip);
  }
  return out;
}

int64_t macs_of_rows(const Graph& graph, const Node& node, int64_t rows) {
  const bool depthwise = node.op == "depthwise";
  if (node.op != "contraction" && !depthwise) return 0;
  const Shape &out = graph[node.outputs[0]].shape(), &rhs = graph[node.inputs[kRhs]].shape();
  // rhs is [B, G, N, k0.., K], or [k0.., C, M]: what a result element multiplies.
  int64_t each = 1;
  const size_t begin = depthwise ? 0 : 3, end = depthwise ? rhs.size() - 2 : rhs.size();
  for (size_t d = begin; d < end; d++)
    each *= rhs[d];
  const int axis = row_axis(out);
  return axis < 0 ? element_count(out) * each : element_count(out) / out[static_cast<size_t>(axis)] * rows * each;
}

}  // namespace qlathe
