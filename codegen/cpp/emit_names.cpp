// Names of the emitted files: what a reader meets first. Constants and places in the arena are called after the node
// and what its kernel calls them, not after the tensors that folding and reshaping left behind.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "codegen/cpp/emit_files.h"
#include "codegen/cpp/literals.h"

namespace qlathe {
namespace {

/// Adds a number to names that are taken.
class Unique {
 public:
  explicit Unique(std::set<std::string> taken) : taken_(std::move(taken)) {}
  std::string operator()(const std::string& wanted) {
    std::string out = wanted;
    for (int suffix = 2; !taken_.insert(out).second; suffix++)
      out = wanted + (wanted.ends_with('_') || !std::isdigit(static_cast<unsigned char>(wanted.back())) ? "" : "_") +
            std::to_string(suffix);
    return out;
  }
  bool has(const std::string& name) const { return taken_.count(name) > 0; }

 private:
  std::set<std::string> taken_;
};

/// The scope that four of five nodes are in, "model_1/block/"; "" for none.
std::string common_scope(const Program& program) {
  std::string scope;
  for (;;) {
    std::map<std::string, size_t> counts;
    for (const ProgramCall& call : program.calls) {
      const std::string& name = call.origin.name;
      const size_t slash = name.starts_with(scope) ? name.find('/', scope.size()) : std::string::npos;
      if (slash != std::string::npos) counts[name.substr(0, slash + 1)]++;
    }
    const auto most = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most == counts.end() || most->second < 2 || most->second * 5 < program.calls.size() * 4) return scope;
    scope = most->first;
  }
}

/// The parameter of its kernel that each buffer of a call is given to.
std::vector<const KernelParameter*> buffer_parameters(const LoweredKernel& kernel) {
  std::vector<const KernelParameter*> out;
  for (const KernelParameter& p : kernel.parameters())
    if (p.role == ParameterRole::kInput || p.role == ParameterRole::kOutput) out.push_back(&p);
  return out;
}

class BufferNames {
 public:
  BufferNames(const Program& program, const std::vector<LoweredKernel>& kernels, EmitNames& names)
      : program_(program), kernels_(kernels), names_(names), scope_(common_scope(program)), unique_(taken(names)) {}

  void run() {
    names_.constants.assign(program_.constants.size(), "");
    names_.constant_roles.assign(program_.constants.size(), "");
    for (size_t c = 0; c < program_.calls.size(); c++) {
      const ProgramCall& call = program_.calls[c];
      const auto parameters = buffer_parameters(kernels_[static_cast<size_t>(call.kernel)]);
      QL_CHECK(parameters.size() == call.buffers.size(), call.description);
      for (size_t i = 0; i < call.buffers.size(); i++) {
        const BufferRef& ref = call.buffers[i];
        if (ref.space == BufferRef::Space::kConstant) constant(call, static_cast<size_t>(ref.index), *parameters[i]);
        if (ref.space == BufferRef::Space::kArena)
          names_.arena_places[{c, i}] = place(c, call.buffer_names[i], ref.offset, *parameters[i]);
      }
    }
    for (size_t i = 0; i < names_.constants.size(); i++)
      if (names_.constants[i].empty()) names_.constants[i] = unique_(constant_name(program_.constants[i].name));
  }

 private:
  static std::set<std::string> taken(const EmitNames& names) {
    std::set<std::string> out = {"arena", "state", "weights", "base"};
    out.insert(names.inputs.begin(), names.inputs.end());
    out.insert(names.outputs.begin(), names.outputs.end());
    out.insert(names.pools.begin(), names.pools.end());
    return out;
  }

  std::string without_scope(const std::string& name) const {
    return name.starts_with(scope_) ? name.substr(scope_.size()) : name;
  }

  void constant(const ProgramCall& call, size_t index, const KernelParameter& parameter) {
    if (!names_.constants[index].empty()) return;  // the first call that reads it names it
    if (call.origin.name.empty()) return;
    names_.constant_roles[index] = call.origin.name + ", " + parameter.name;
    names_.constants[index] = unique_(constant_name(without_scope(call.origin.name) + "." + parameter.name));
  }

  /// Where a call's buffer is: the place that was written there, also under the name of a view, or a part of it.
  std::string place(size_t call, const std::string& tensor, int64_t offset, const KernelParameter& parameter) {
    const bool writes = parameter.role == ParameterRole::kOutput;
    for (auto at = written_.rbegin(); at != written_.rend(); ++at) {
      EmitNames::ArenaPlace& known = names_.arena[*at];
      const bool inside = offset >= known.offset && offset + parameter.bytes <= known.offset + known.bytes;
      if (!inside || (writes && (known.tensor != tensor || offset == known.offset))) continue;
      known.last_call = call;
      return offset == known.offset ? known.name : fmt::format("{} + {}", known.name, offset - known.offset);
    }
    for (size_t i = 0; i < names_.arena.size(); i++) {
      EmitNames::ArenaPlace& known = names_.arena[i];
      if (known.tensor != tensor || known.offset != offset) continue;
      known.bytes = std::max(known.bytes, parameter.bytes);
      known.last_call = call;
      if (writes) rewrite(i);
      return known.name;
    }
    EmitNames::ArenaPlace fresh{
        unique_(constant_name("offset." + without_scope(tensor))), tensor, offset, parameter.bytes, call, call};
    names_.arena.push_back(fresh);
    if (writes) rewrite(names_.arena.size() - 1);
    return fresh.name;
  }

  /// A node's result without the number that made its name unique in the graph: "conv1" for "conv1_4".
  static std::string label_of(const std::string& tensor, const std::string& node) {
    const bool numbered = !node.empty() && tensor.starts_with(node + "_") && tensor.size() > node.size() + 1 &&
                          tensor.find_first_not_of("0123456789", node.size() + 1) == std::string::npos;
    return numbered ? node : tensor;
  }

  /// The latest that was written is found first; what it covers in part or in whole is gone.
  void rewrite(size_t index) {
    const EmitNames::ArenaPlace& now = names_.arena[index];
    const auto covered = [&](size_t i) {
      const EmitNames::ArenaPlace& other = names_.arena[i];
      return other.offset < now.offset + now.bytes && now.offset < other.offset + other.bytes;
    };
    written_.erase(std::remove_if(written_.begin(), written_.end(), covered), written_.end());
    written_.push_back(index);
  }

  const Program& program_;
  const std::vector<LoweredKernel>& kernels_;
  EmitNames& names_;
  std::string scope_;
  Unique unique_;
  std::vector<size_t> written_;  ///< indices in names_.arena, by time
};

}  // namespace

EmitNames make_names(const Program& program) {
  EmitNames names;
  names.model = identifier(program.name);
  names.prefix = upper(names.model);
  Unique unique({"arena", "state", "weights", "base"});
  for (const ProgramIo& io : program.inputs)
    names.inputs.push_back(unique(identifier(io.name)));
  for (const ProgramIo& io : program.outputs) {
    const std::string wanted = identifier(io.name);
    names.outputs.push_back(unique(unique.has(wanted) ? wanted + "_out" : wanted));
  }
  for (const ArenaPool& pool : program.pools)
    names.pools.push_back(unique(identifier(pool.name)));
  return names;
}

EmitNames make_names(const Program& program, const std::vector<LoweredKernel>& kernels) {
  EmitNames names = make_names(program);
  BufferNames(program, kernels, names).run();
  return names;
}

}  // namespace qlathe
