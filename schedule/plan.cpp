#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "frontend/ops/pointwise.h"
#include "schedule/kernel.h"
#include "schedule/memory/aliases.h"
#include "schedule/memory/equal_constants.h"
#include "schedule/memory/layout.h"
#include "schedule/parallel.h"
#include "schedule/program.h"

namespace qlathe {
namespace {

/// Gives every output and every next state storage that a kernel of its own writes: outputs that are inputs, constants,
/// states, views of them, or outputs twice get a copy (a pointwise node without steps).
Result<Graph> materialize_results(Graph graph) {
  std::set<TensorId> taken;
  std::set<TensorId> sources(graph.inputs.begin(), graph.inputs.end()), currents;
  for (const State& state : graph.states)
    currents.insert(state.current);
  sources.insert(currents.begin(), currents.end());
  const auto copy = [&](TensorId id, const std::string& why) {
    return graph.add("pointwise", {id}, std::make_shared<PointwiseAttrs>(), {graph[id].name + why, "", "", ""});
  };
  const Aliases views(graph, {false, false});  // the copies are no views
  for (TensorId& output : graph.outputs) {
    const TensorId root = views.of(output).root;
    if (!graph[root].is_constant() && !sources.count(root) && taken.insert(root).second) continue;
    QL_ASSIGN(output, copy(output, ".copy"));
    taken.insert(output);
  }
  // A state that follows another one: read before any state is written.
  for (State& state : graph.states) {
    if (currents.count(views.of(state.next).root)) {
      QL_ASSIGN(state.next, copy(state.next, ".before"));
    }
  }
  for (State& state : graph.states) {
    QL_ASSIGN(state.next, copy(state.next, ".next"));
  }
  return graph;
}

class Planner {
 public:
  Planner(const Graph& graph, const Target& target, const std::vector<PoolLimit>& pools)
      : graph_(graph), pools_(pools), own_(graph, {false, false}) {
    program_.name = graph.name.empty() ? "model" : graph.name;
    program_.target = &target;
    program_.arena_alignment = target.vectorize ? 64 : 16;  // a vector register, or what any allocator gives
  }

  Result<Program> run(int threads) {
    describe_ends();
    QL_RETURN_IF_ERROR(lower_nodes(threads));
    QL_RETURN_IF_ERROR(lay_out_buffers());
    take_constants();
    for (const PlacedCall& call : layout_.calls)
      append(call);
    share_equal_constants(program_);
    return std::move(program_);
  }

 private:
  void describe_ends() {
    int index = 0;
    for (const TensorId id : graph_.inputs) {
      program_.inputs.push_back(io(id));
      fixed_[id] = {BufferRef::Space::kInput, index++, 0};
    }
    index = 0;
    for (const TensorId id : graph_.outputs) {
      program_.outputs.push_back(io(id));
      fixed_[own_.of(id).root] = {BufferRef::Space::kOutput, index++, 0};
    }
    for (const State& state : graph_.states) {
      const TensorType& type = graph_[state.current].type;
      ProgramState out{graph_[state.current].name, type, program_.state_bytes, bytes_of(type), {}};
      out.initial.assign(state.initial->bytes(), state.initial->bytes() + state.initial->byte_size());
      fixed_[state.current] = fixed_[state.next] = {BufferRef::Space::kState, 0, out.offset};
      program_.state_bytes += align_up(out.bytes);
      program_.states.push_back(std::move(out));
    }
  }

  ProgramIo io(TensorId id) const {
    const Tensor& t = graph_[id];
    ProgramIo out{t.name, t.type, bytes_of(t.type), ""};
    if (!t.quantization) return out;
    const Tensor& scale = graph_[t.quantization->scale];
    if (!scale.is_constant() || scale.data->size() != 1 || scale.type.type != ValueType::kF32) return out;
    int64_t zero_point = 0;
    if (t.quantization->zero_point.valid()) {
      const Tensor& zp = graph_[t.quantization->zero_point];
      if (!zp.is_constant()) return out;
      zero_point = zp.data->int_at(0);
    }
    char shortest[32];  // that reads back as the same float
    const auto end = std::to_chars(shortest, shortest + sizeof shortest, scale.data->as<float>()[0]).ptr;
    out.quantization = "real = (q - " + std::to_string(zero_point) + ") * " + std::string(shortest, end);
    return out;
  }

  Status lower_nodes(int threads) {
    std::vector<std::optional<Result<NodeLowering>>> lowered(graph_.nodes.size());
    for_each_index(lowered.size(), threads, [&](size_t i) {
      const Node& node = graph_.nodes[i];
      if (own_.is_view(static_cast<int>(i)) || is_empty(node)) return;
      try {
        lowered[i] = lower(node);
      } catch (const std::exception& error) {
        lowered[i] = Result<NodeLowering>(Status::internal(error.what()));
      }
    });
    Status problems;
    lowered_.resize(lowered.size());
    for (size_t i = 0; i < lowered.size(); i++) {
      if (!lowered[i]) continue;
      if (!lowered[i]->ok()) {
        problems.merge(lowered[i]->status());
      } else if (problems.ok()) {
        lowered_[i] = std::move(*lowered[i]).value();
      }
    }
    return problems;
  }

  Result<NodeLowering> lower(const Node& node) const {
    const LoweringContext context{graph_, node, *program_.target};
    const LoweringRegistry::Lower* lower = LoweringRegistry::find(node.op);
    if (lower == nullptr) {
      return Status::unsupported(context.place(),
                                 "op '" + node.op + "' has no kernel for target " + program_.target->name);
    }
    Result<NodeLowering> lowering = (*lower)(context);
    if (!lowering.ok()) return lowering.status().at(context.place());
    return lowering;
  }

  /// Views of slices and concats save copies, but may keep a large tensor alive for a small part: the smallest arena
  /// counts, of equal ones the fewest copies. Where time matters more than memory an eighth more is accepted.
  Status lay_out_buffers() {
    int64_t best = -1;
    std::string unplaced;
    for (const AliasOptions options : {AliasOptions{true, true}, {true, false}, {false, true}, {false, false}}) {
      const Aliases aliases(graph_, options);
      Layout layout = lay_out(graph_, lowered_, aliases, fixed_, program_.arena_alignment, pools_);
      if (!layout.unplaced.empty()) {
        unplaced = layout.unplaced;
        continue;
      }
      const int64_t bytes = layout.plan.bytes;
      if (best >= 0 && bytes >= best) continue;
      const bool first = best < 0;
      best = first && program_.target->vectorize ? bytes - bytes / 8 : bytes;
      layout_ = std::move(layout);
      if (first && aliases.copies_saved() == 0) break;  // the others are the same
    }
    if (best < 0) {
      return Status::user({"", "", "--pool"}, "the arena does not fit: there is no room for " + unplaced,
                          "give more or larger pools (qlathe inspect --memory shows what is live when), or fewer bytes "
                          "with --ram-limit, which computes rows in strips");
    }
    program_.arena_bytes = align_up(layout_.plan.bytes);
    program_.pools = layout_.pools;
    program_.arena_lower_bound = layout_.plan.lower_bound;
    program_.arena = std::move(layout_.arena);
    return {};
  }

  int64_t align_up(int64_t bytes) const {
    return (bytes + program_.arena_alignment - 1) / program_.arena_alignment * program_.arena_alignment;
  }

  void take_constants() {
    program_.constants.resize(static_cast<size_t>(layout_.constants));
    for (size_t n = 0; n < lowered_.size(); n++) {
      if (!lowered_[n]) continue;
      for (size_t c = 0; c < lowered_[n]->constants.size(); c++)
        program_.constants[static_cast<size_t>(layout_.first_constant[n]) + c] = std::move(lowered_[n]->constants[c]);
    }
    for (const auto& [id, index] : layout_.tensor_constants) {
      const HostTensor& data = *graph_[id].data;
      PackedConstant constant{graph_[id].name, data.type(), data.shape(), {}, "row-major"};
      constant.bytes.assign(data.bytes(), data.bytes() + data.byte_size());
      program_.constants[static_cast<size_t>(index)] = std::move(constant);
    }
  }

  void append(const PlacedCall& placed) {
    const auto n = static_cast<size_t>(placed.node);
    const LoweredCall& call = lowered_[n]->calls[static_cast<size_t>(placed.call)];
    ProgramCall out;
    out.kernel = kernel_index(call);
    out.rows = call.pipeline->row_extent;
    out.min_rows_per_task = call.min_rows_per_task;
    out.origin = graph_.nodes[n].origin;
    out.macs = call.macs;
    out.description = call.description;
    out.notes = call.notes;
    out.buffers = placed.buffers;
    for (const KernelOperand& operand : call.operands) {
      switch (operand.kind) {
        case KernelOperand::Kind::kConstant:
          out.buffer_names.push_back(
              program_.constants[static_cast<size_t>(layout_.first_constant[n] + operand.index)].name);
          break;
        case KernelOperand::Kind::kTemporary:
          out.buffer_names.push_back(lowered_[n]->temporaries[static_cast<size_t>(operand.index)].name);
          break;
        case KernelOperand::Kind::kTensor:
          out.buffer_names.push_back(graph_[operand.tensor].name);
          break;
      }
    }
    program_.calls.push_back(std::move(out));
  }

  /// A node without a single result element needs no kernel.
  bool is_empty(const Node& node) const {
    return std::all_of(node.outputs.begin(), node.outputs.end(),
                       [&](TensorId id) { return element_count(graph_[id].shape()) == 0; });
  }

  int kernel_index(const LoweredCall& call) {
    const auto [it, added] = kernel_of_.emplace(call.key, static_cast<int>(program_.kernels.size()));
    if (added) {
      std::string base = call.pipeline->name, unique = base;
      for (int suffix = 2; !kernel_names_.insert(unique).second; suffix++)
        unique = base + "_" + std::to_string(suffix);
      program_.kernels.push_back({std::move(unique), call.key, call.pipeline, call.description});
    }
    return it->second;
  }

  const Graph& graph_;
  const std::vector<PoolLimit>& pools_;
  const Aliases own_;  ///< reshapes alone
  Program program_;
  std::map<TensorId, BufferRef> fixed_;
  std::vector<std::optional<NodeLowering>> lowered_;  ///< per node
  Layout layout_;
  std::map<std::string, int> kernel_of_;
  std::set<std::string> kernel_names_;
};

}  // namespace

Result<Program> plan_program(const Graph& graph, const Target& target, int threads,
                             const std::vector<PoolLimit>& pools) {
  QL_ASSIGN(const Graph materialized, materialize_results(graph));
  return Planner(materialized, target, pools).run(threads);
}

}  // namespace qlathe
