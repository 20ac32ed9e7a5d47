#include "schedule/strips/stream_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <map>
#include <span>
#include <tuple>

#include "frontend/ops/movement.h"
#include "frontend/ops/rebuild.h"
#include "schedule/strips/live_bytes.h"
#include "schedule/strips/region.h"

namespace qlathe {
namespace {

constexpr int kReach = 13;              ///< nodes before and after the fullest one that a chain may begin and end at
constexpr int kChains = 16;             ///< at most, in a graph
constexpr int64_t kTrials[] = {4, 16};  ///< strips: where neither helps, none will
constexpr int64_t kOtherStrips[] = {2, 3, 6, 8, 12, 24};

/// Nodes that read each tensor, ascending; one that leaves the graph is read behind its end.
std::vector<std::vector<int>> readers_of(const Graph& graph) {
  std::vector<std::vector<int>> readers(graph.tensors.size());
  const auto read = [&](TensorId id, int node) {
    if (id.valid()) readers[static_cast<size_t>(id.index)].push_back(node);
  };
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    for (const TensorId id : graph.nodes[n].inputs)
      read(id, static_cast<int>(n));
  }
  const Status none = for_each_result(graph, [&](TensorId id) {
    read(id, INT_MAX);
    return Status();
  });
  QL_CHECK(none.ok(), graph.name);
  return readers;
}

/// A graph on the way: nodes of strips are not cut again.
struct Draft {
  Graph graph;
  std::vector<bool> is_strip;  ///< by node
};

struct Candidate {
  Draft draft;
  StreamedChain chain;
  int64_t peak = 0;   ///< bytes that are live at one node of the whole graph, at most
  int64_t local = 0;  ///< the same of the strips' nodes
};

int64_t most(std::span<const int64_t> bytes) {
  return bytes.empty() ? 0 : *std::max_element(bytes.begin(), bytes.end());
}

class Cutter {
 public:
  explicit Cutter(const Draft& from)
      : from_(from), producers_(producers_of(from.graph)), readers_(readers_of(from.graph)) {}

  bool allows(Region region) const {
    const auto begin = from_.is_strip.begin();
    // With a view at an end it is the same chain as without.
    if (node(region.first).op == "reshape" || node(region.last).op == "reshape") return false;
    return std::none_of(begin + region.first, begin + region.last + 1, [](bool strip) { return strip; }) &&
           is_region(from_.graph, readers_, region);
  }

  /// The graph with the region in `strips` strips, or nothing where it cannot be cut or would compute too much twice.
  Result<std::optional<Candidate>> cut(Region region, int64_t strips) const {
    const Graph& graph = from_.graph;
    const Node& end = node(region.last);
    const Shape& shape = graph[end.outputs[0]].shape();
    const auto axis = static_cast<size_t>(row_axis(shape));
    const int64_t height = (shape[axis] + strips - 1) / strips;
    Candidate out;
    std::vector<RegionStrip> plan;
    for (int64_t row = 0; row < shape[axis]; row += height) {
      std::optional<RegionStrip> strip =
          cut_region(graph, producers_, region, {row, std::min(shape[axis], row + height)});
      if (!strip) return std::optional<Candidate>();
      for (int n = region.first; n <= region.last; n++) {
        out.chain.macs += macs_of_rows(graph, node(n), strip->rows[static_cast<size_t>(n - region.first)].count());
      }
      plan.push_back(std::move(*strip));
    }
    for (int n = region.first; n <= region.last; n++) {
      const Shape& result = graph[node(n).outputs[0]].shape();
      out.chain.macs_before += macs_of_rows(graph, node(n), result[static_cast<size_t>(row_axis(result))]);
    }
    if (plan.size() < 2 || out.chain.macs > 2 * out.chain.macs_before) return std::optional<Candidate>();
    out.chain.first = node(region.first).origin.name;
    out.chain.last = end.origin.name;
    out.chain.strips = static_cast<int>(plan.size());
    QL_ASSIGN(out.draft, rewrite(region, plan, static_cast<int64_t>(axis)));
    const std::vector<int64_t> live = live_bytes(out.draft.graph);
    const size_t behind = graph.nodes.size() - static_cast<size_t>(region.last) - 1;
    const auto begin = static_cast<size_t>(region.first);
    out.peak = most(live);
    out.local = most(std::span(live).subspan(begin, live.size() - behind - begin));
    return std::optional<Candidate>(std::move(out));
  }

 private:
  const Node& node(int n) const { return from_.graph.nodes[static_cast<size_t>(n)]; }

  Result<Draft> rewrite(Region region, const std::vector<RegionStrip>& plan, int64_t axis) const {
    Rebuild rebuild(from_.graph);
    Draft out;
    for (int n = 0; n < static_cast<int>(from_.graph.nodes.size()); n++) {
      if (n < region.first || n > region.last) {
        QL_RETURN_IF_ERROR(rebuild.copy(node(n)));
        out.is_strip.resize(rebuild.to.nodes.size(), from_.is_strip[static_cast<size_t>(n)]);
        continue;
      }
      if (n != region.first) continue;
      auto concat = std::make_shared<ConcatAttrs>();
      concat->axis = axis;
      std::vector<TensorId> parts;
      for (size_t s = 0; s < plan.size(); s++) {
        QL_ASSIGN(const TensorId part, append(rebuild, region, plan[s], s));
        parts.push_back(part);
      }
      const Node& end = node(region.last);
      Origin origin = end.origin;
      origin.name += ".strips";
      QL_ASSIGN(const TensorId whole, rebuild.to.add("concat", parts, concat, origin));
      rebuild.set(end.outputs[0], whole);
      out.is_strip.resize(rebuild.to.nodes.size(), true);
    }
    out.graph = rebuild.finish();
    return out;
  }

  Result<TensorId> append(Rebuild& rebuild, Region region, const RegionStrip& strip, size_t number) const {
    std::map<TensorId, std::pair<TensorId, Rows>> made;  // by tensor of the whole graph: its strip
    std::map<std::tuple<TensorId, int64_t, int64_t>, TensorId> slices;
    TensorId result;
    for (int n = region.first; n <= region.last; n++) {
      const Node& whole = node(n);
      const Strip& part = strip.nodes[static_cast<size_t>(n - region.first)];
      Origin origin = whole.origin;
      origin.name += fmt::format(".strip{}", number);
      std::vector<TensorId> inputs;
      for (size_t k = 0; k < whole.inputs.size(); k++) {
        const TensorId input = whole.inputs[k];
        const auto local = made.find(input);
        if (!part.inputs[k]) {
          inputs.push_back(rebuild.map(input));
          continue;
        }
        const TensorId source = local != made.end() ? local->second.first : rebuild.map(input);
        const int64_t before = local != made.end() ? local->second.second.begin : 0;
        const Rows rows{part.inputs[k]->begin - before, part.inputs[k]->end - before};
        TensorId& slice = slices[{source, rows.begin, rows.end}];
        if (!slice.valid()) {
          QL_ASSIGN(slice, slice_rows(rebuild.to, source, row_axis(from_.graph[input].shape()), rows, origin));
        }
        inputs.push_back(slice);
      }
      QL_ASSIGN(result, rebuild.to.add(whole.op, inputs, part.attrs, origin));
      made[whole.outputs[0]] = {result, strip.rows[static_cast<size_t>(n - region.first)]};
    }
    return result;
  }

  /// `axis` is that of the whole tensor: a strip of one row has others.
  static Result<TensorId> slice_rows(Graph& graph, TensorId source, int row_axis, Rows rows, Origin origin) {
    const Shape shape = graph[source].shape();
    const auto axis = static_cast<size_t>(row_axis);
    if (rows == Rows{0, shape[axis]}) return source;
    auto attrs = std::make_shared<SliceAttrs>();
    attrs->start.assign(shape.size(), 0);
    attrs->start[axis] = rows.begin;
    attrs->size = shape;
    attrs->size[axis] = rows.count();
    origin.name += ".rows";
    return graph.add("slice", {source}, attrs, origin);
  }

  const Draft& from_;
  const std::vector<int> producers_;
  const std::vector<std::vector<int>> readers_;
};

/// The one with the least to compute of those whose strips need no more than `enough`, or else of those that are as
/// good as the emptiest within 3 %.
const Candidate* best_of(const std::vector<Candidate>& candidates, int64_t enough) {
  const Candidate* best = nullptr;
  for (const Candidate& c : candidates) {
    if (best == nullptr || c.local < best->local) best = &c;
  }
  if (best == nullptr) return nullptr;
  const int64_t bytes = std::max(enough, best->local + best->local / 32);
  const auto extra = [](const Candidate& c) { return c.chain.macs - c.chain.macs_before; };
  for (const Candidate& c : candidates) {
    if (c.local <= bytes && extra(c) < extra(*best)) best = &c;
  }
  return best;
}

/// A chain around node `at` whose strips need less than `peak`.
Result<std::optional<Candidate>> find_chain(const Draft& draft, int at, int64_t peak, int64_t enough) {
  const Cutter cutter(draft);
  std::vector<Candidate> found;
  const int end = static_cast<int>(draft.graph.nodes.size());
  for (int first = std::max(0, at - kReach); first <= at; first++) {
    for (int last = std::max(at, first + 1); last < std::min(end, at + kReach + 1); last++) {
      if (!cutter.allows({first, last})) continue;
      const auto try_strips = [&](std::span<const int64_t> counts) -> Status {
        for (const int64_t strips : counts) {
          QL_ASSIGN(std::optional<Candidate> candidate, cutter.cut({first, last}, strips));
          if (candidate && candidate->peak <= peak && candidate->local < peak) found.push_back(std::move(*candidate));
        }
        return {};
      };
      const size_t before = found.size();
      QL_RETURN_IF_ERROR(try_strips(kTrials));
      if (found.size() > before) QL_RETURN_IF_ERROR(try_strips(kOtherStrips));
    }
  }
  const Candidate* best = best_of(found, enough);
  return best == nullptr ? std::optional<Candidate>() : std::optional<Candidate>(*best);
}

/// A chain around one of the fullest nodes.
Result<std::optional<Candidate>> find_chain(const Draft& draft, int64_t enough) {
  const std::vector<int64_t> live = live_bytes(draft.graph);
  const int64_t peak = most(live);
  if (peak <= enough) return std::optional<Candidate>();
  for (size_t n = 0; n < live.size(); n++) {
    if (live[n] < peak || draft.is_strip[n]) continue;
    QL_ASSIGN(std::optional<Candidate> found, find_chain(draft, static_cast<int>(n), peak, enough));
    if (found) return found;
  }
  return std::optional<Candidate>();
}

int64_t total_macs(const Graph& graph) {
  int64_t macs = 0;
  for (const Node& node : graph.nodes) {
    if (node.outputs.empty()) continue;
    const Shape& shape = graph[node.outputs[0]].shape();
    const int axis = row_axis(shape);
    macs += macs_of_rows(graph, node, axis < 0 ? 1 : shape[static_cast<size_t>(axis)]);
  }
  return macs;
}

Result<StreamedGraph> cut_chains(const Graph& canonical, int64_t enough, const std::function<void()>& found) {
  StreamedGraph out;
  Draft draft{canonical, std::vector<bool>(canonical.nodes.size(), false)};
  while (out.chains.size() < kChains) {
    QL_ASSIGN(std::optional<Candidate> next, find_chain(draft, enough));
    if (!next) break;
    draft = std::move(next->draft);
    out.chains.push_back(std::move(next->chain));
    found();
  }
  out.macs_before = total_macs(canonical);
  out.macs = total_macs(draft.graph);
  out.graph = std::move(draft.graph);
  return out;
}

}  // namespace

Result<StreamedGraph> stream_rows(const Graph& canonical, int64_t enough,
                                  const std::function<void(size_t, size_t)>& progress) {
  size_t done = 0;
  const auto found = [&] {
    if (progress) progress(++done, 2 * kChains);
  };
  QL_ASSIGN(StreamedGraph out, cut_chains(canonical, enough, found));
  const int64_t reached = live_peak_bytes(out.graph);
  if (reached <= enough || out.chains.empty()) return out;
  // What is known to be reachable may be so with less to compute.
  QL_ASSIGN(StreamedGraph cheaper, cut_chains(canonical, reached, found));
  const bool better = live_peak_bytes(cheaper.graph) <= reached && cheaper.macs < out.macs;
  return better ? std::move(cheaper) : std::move(out);
}

int64_t live_peak_bytes(const Graph& canonical) { return most(live_bytes(canonical)); }

std::vector<std::string> describe(const StreamedGraph& streamed) {
  std::vector<std::string> lines;
  const auto more = [](int64_t now, int64_t before) {
    return before == 0 ? 0.0 : 100.0 * static_cast<double>(now - before) / static_cast<double>(before);
  };
  for (const StreamedChain& chain : streamed.chains) {
    lines.push_back(fmt::format("{} to {} in {} strips of rows: {:.1f} % more multiply-accumulates there", chain.first,
                                chain.last, chain.strips, more(chain.macs, chain.macs_before)));
  }
  if (!lines.empty()) {
    lines.push_back(fmt::format("strips compute {:.1f} % more multiply-accumulates in all",
                                more(streamed.macs, streamed.macs_before)));
  }
  return lines;
}

}  // namespace qlathe
