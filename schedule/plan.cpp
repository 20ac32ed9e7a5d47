#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "frontend/ops/pointwise.h"
#include "schedule/kernel.h"
#include "schedule/memory/arena.h"
#include "schedule/parallel.h"
#include "schedule/program.h"

namespace qlathe {
namespace {

bool is_view(const Node& node) { return node.op == "reshape"; }

/// A tensor whose storage is another tensor's: reshapes share their input's bytes.
TensorId root_of(const Graph& graph, const std::vector<int>& producers, TensorId id) {
  const auto producer = [&](TensorId tensor) {
    const auto at = static_cast<size_t>(tensor.index);
    return at < producers.size() ? producers[at] : -1;
  };
  for (int p = producer(id); p >= 0 && is_view(graph.nodes[static_cast<size_t>(p)]); p = producer(id)) {
    id = graph.nodes[static_cast<size_t>(p)].inputs[0];
  }
  return id;
}

int64_t bytes_of(const TensorType& type) { return element_count(type.shape) * storage_bytes(type.type); }

/// Gives every output and every next state storage that a kernel of its own writes: outputs that are inputs, constants,
/// states, views of them, or outputs twice get a copy (a pointwise node without steps).
Result<Graph> materialize_results(Graph graph) {
  std::set<TensorId> taken;
  std::set<TensorId> sources(graph.inputs.begin(), graph.inputs.end());
  for (const State& state : graph.states)
    sources.insert(state.current);
  const auto copy = [&](TensorId id, const std::string& why) {
    return graph.add("pointwise", {id}, std::make_shared<PointwiseAttrs>(), {graph[id].name + why, "", "", ""});
  };
  const std::vector<int> producers = producers_of(graph);  // the copies are no views
  for (TensorId& output : graph.outputs) {
    const TensorId root = root_of(graph, producers, output);
    if (!graph[root].is_constant() && !sources.count(root) && taken.insert(root).second) continue;
    QL_ASSIGN(output, copy(output, ".copy"));
    taken.insert(output);
  }
  for (State& state : graph.states) {
    QL_ASSIGN(state.next, copy(state.next, ".next"));
  }
  return graph;
}

class Planner {
 public:
  Planner(const Graph& graph, const Target& target) : graph_(graph), producers_(producers_of(graph)) {
    program_.name = graph.name.empty() ? "model" : graph.name;
    program_.target = &target;
  }

  Result<Program> run(int threads) {
    describe_ends();
    QL_RETURN_IF_ERROR(lower_nodes(threads));
    place_buffers();
    return std::move(program_);
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
    bool arena = false;
    int slot = -1;
    BufferRef fixed;
    int64_t offset = 0;  ///< bytes, added to where the buffer is
  };

  void describe_ends() {
    int index = 0;
    for (const TensorId id : graph_.inputs) {
      program_.inputs.push_back(io(id));
      fixed_[id] = {BufferRef::Space::kInput, index++, 0};
    }
    index = 0;
    for (const TensorId id : graph_.outputs) {
      program_.outputs.push_back(io(id));
      fixed_[root_of(graph_, producers_, id)] = {BufferRef::Space::kOutput, index++, 0};
    }
    for (const State& state : graph_.states) {
      const TensorType& type = graph_[state.current].type;
      ProgramState out{graph_[state.current].name, type, program_.state_bytes, bytes_of(type), {}};
      out.initial.assign(state.initial->bytes(), state.initial->bytes() + state.initial->byte_size());
      fixed_[state.current] = fixed_[state.next] = {BufferRef::Space::kState, 0, out.offset};
      program_.state_bytes += (out.bytes + 63) / 64 * 64;
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
    out.quantization =
        "real = (q - " + std::to_string(zero_point) + ") * " + std::to_string(scale.data->as<float>()[0]);
    return out;
  }

  Status lower_nodes(int threads) {
    std::vector<std::optional<Result<NodeLowering>>> lowered(graph_.nodes.size());
    for_each_index(lowered.size(), threads, [&](size_t i) {
      const Node& node = graph_.nodes[i];
      if (is_view(node) || is_empty(node)) return;
      try {
        lowered[i] = lower(node);
      } catch (const std::exception& error) {
        lowered[i] = Result<NodeLowering>(Status::internal(error.what()));
      }
    });
    Status problems;
    for (size_t i = 0; i < lowered.size(); i++) {
      if (!lowered[i]) continue;
      if (!lowered[i]->ok()) {
        problems.merge(lowered[i]->status());
      } else if (problems.ok()) {
        append(graph_.nodes[i], std::move(*lowered[i]).value());
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

  void append(const Node& node, NodeLowering lowering) {
    std::vector<int> constants;
    for (PackedConstant& constant : lowering.constants)
      constants.push_back(constant_index(std::move(constant)));
    const int first_temporary = static_cast<int>(slots_.size());
    for (const TemporaryBuffer& temporary : lowering.temporaries)
      slots_.push_back({temporary.name, temporary.bytes});
    for (LoweredCall& call : lowering.calls) {
      ProgramCall out;
      out.kernel = kernel_index(call);
      out.rows = call.pipeline->row_extent;
      out.min_rows_per_task = call.min_rows_per_task;
      out.origin = node.origin;
      out.macs = call.macs;
      out.description = call.description;
      out.notes = call.notes;
      const int at = static_cast<int>(program_.calls.size());
      std::vector<PendingRef> refs;
      for (const KernelOperand& operand : call.operands) {
        switch (operand.kind) {
          case KernelOperand::Kind::kConstant: {
            const int index = constants[static_cast<size_t>(operand.index)];
            refs.push_back({false, -1, {BufferRef::Space::kConstant, index, 0}});
            out.buffer_names.push_back(program_.constants[static_cast<size_t>(index)].name);
            break;
          }
          case KernelOperand::Kind::kTemporary:
            refs.push_back({true, touch(first_temporary + operand.index, at), {}});
            out.buffer_names.push_back(slots_[static_cast<size_t>(refs.back().slot)].name);
            break;
          case KernelOperand::Kind::kTensor:
            refs.push_back(tensor_ref(operand.tensor, at));
            out.buffer_names.push_back(graph_[operand.tensor].name);
            break;
        }
        refs.back().offset = operand.offset;
      }
      if (call.in_place_of >= 0 && refs.back().arena && refs[static_cast<size_t>(call.in_place_of)].arena) {
        in_place_.push_back({refs.back().slot, refs[static_cast<size_t>(call.in_place_of)].slot, at});
      }
      refs_.push_back(std::move(refs));
      program_.calls.push_back(std::move(out));
    }
  }

  /// Equal constants are stored once: the steps of a recurrence share their weights.
  int constant_index(PackedConstant constant) {
    const auto same = [&](int i) {
      const PackedConstant& other = program_.constants[static_cast<size_t>(i)];
      return other.type == constant.type && other.shape == constant.shape && other.layout == constant.layout &&
             other.bytes == constant.bytes;
    };
    const std::string_view bytes(reinterpret_cast<const char*>(constant.bytes.data()), constant.bytes.size());
    std::vector<int>& alike = packed_[std::hash<std::string_view>{}(bytes)];
    const auto found = std::find_if(alike.begin(), alike.end(), same);
    if (found != alike.end()) return *found;
    alike.push_back(static_cast<int>(program_.constants.size()));
    program_.constants.push_back(std::move(constant));
    return alike.back();
  }

  int touch(int slot, int call) {
    Slot& s = slots_[static_cast<size_t>(slot)];
    if (s.first < 0) s.first = call;
    s.last = std::max(s.last, call);
    return slot;
  }

  /// A node without a single result element needs no kernel.
  bool is_empty(const Node& node) const {
    return std::all_of(node.outputs.begin(), node.outputs.end(),
                       [&](TensorId id) { return element_count(graph_[id].shape()) == 0; });
  }

  PendingRef tensor_ref(TensorId id, int call) {
    const TensorId root = root_of(graph_, producers_, id);
    if (const auto it = fixed_.find(root); it != fixed_.end()) return {false, -1, it->second};
    if (graph_[root].is_constant()) {
      const HostTensor& data = *graph_[root].data;
      PackedConstant constant{graph_[root].name, data.type(), data.shape(), {}, "row-major"};
      constant.bytes.assign(data.bytes(), data.bytes() + data.byte_size());
      program_.constants.push_back(std::move(constant));
      fixed_[root] = {BufferRef::Space::kConstant, static_cast<int>(program_.constants.size()) - 1, 0};
      return {false, -1, fixed_[root]};
    }
    auto [it, added] = slot_of_.emplace(root, static_cast<int>(slots_.size()));
    if (added) slots_.push_back({graph_[root].name, bytes_of(graph_[root].type)});
    return {true, touch(it->second, call), {}};
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

  void place_buffers() {
    // In place: the input dies at this call and has the size of the output, which is born there.
    for (const auto& [out, in, call] : in_place_) {
      Slot& a = slots_[static_cast<size_t>(out)];
      Slot& b = slots_[static_cast<size_t>(find(in))];
      if (out == find(in) || a.merged >= 0 || a.first != call || b.last != call || a.bytes != b.bytes) continue;
      a.merged = find(in);
      b.last = a.last;
    }
    std::vector<ArenaRequest> requests;
    std::vector<int> request_of(slots_.size(), -1);
    for (size_t i = 0; i < slots_.size(); i++) {
      if (slots_[i].merged >= 0 || slots_[i].first < 0) continue;
      request_of[i] = static_cast<int>(requests.size());
      requests.push_back({slots_[i].bytes, slots_[i].first, slots_[i].last});
    }
    const ArenaPlan plan = plan_arena(requests, program_.arena_alignment);
    program_.arena_bytes = plan.bytes;
    program_.arena_lower_bound = plan.lower_bound;
    const auto offset_of = [&](int slot) {
      return plan.offsets[static_cast<size_t>(request_of[static_cast<size_t>(find(slot))])];
    };
    for (size_t i = 0; i < slots_.size(); i++) {
      const Slot& s = slots_[i];
      if (s.first < 0) continue;
      program_.arena.push_back({s.name, offset_of(static_cast<int>(i)), s.bytes, s.first, s.last});
    }
    for (size_t c = 0; c < program_.calls.size(); c++) {
      for (const PendingRef& ref : refs_[c]) {
        BufferRef buffer = ref.arena ? BufferRef{BufferRef::Space::kArena, 0, offset_of(ref.slot)} : ref.fixed;
        buffer.offset += ref.offset;
        program_.calls[c].buffers.push_back(buffer);
      }
    }
  }

  int find(int slot) const {
    while (slots_[static_cast<size_t>(slot)].merged >= 0)
      slot = slots_[static_cast<size_t>(slot)].merged;
    return slot;
  }

  struct InPlace {
    int out, in, call;
  };

  const Graph& graph_;
  const std::vector<int> producers_;
  Program program_;
  std::map<TensorId, BufferRef> fixed_;
  std::map<TensorId, int> slot_of_;
  std::map<size_t, std::vector<int>> packed_;  // constants that lowering made, by the hash of their bytes
  std::vector<Slot> slots_;
  std::vector<std::vector<PendingRef>> refs_;
  std::vector<InPlace> in_place_;
  std::map<std::string, int> kernel_of_;
  std::set<std::string> kernel_names_;
};

}  // namespace

Result<Program> plan_program(const Graph& graph, const Target& target, int threads) {
  QL_ASSIGN(const Graph materialized, materialize_results(graph));
  return Planner(materialized, target).run(threads);
}

}  // namespace qlathe
