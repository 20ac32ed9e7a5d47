#include "api/output.h"

#include <xxhash.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <sstream>

#include "api/code_figures.h"
#include "api/qlathe.h"
#include "api/sample_inputs.h"
#include "codegen/cpp/emit_files.h"
#include "codegen/cpp/emit_forms.h"
#include "codegen/halide/lower_program.h"
#include "codegen/native/object_files.h"
#include "frontend/formats/atomic_write.h"
#include "frontend/ir/text.h"
#include "schedule/memory/report.h"

namespace qlathe {
namespace {

namespace fs = std::filesystem;

/// Of the graph's text and every constant that does not stand in it.
std::string graph_hash(const Graph& graph) {
  Graph placeless = graph;
  for (Node& node : placeless.nodes)
    node.origin.place.clear();  // paths are no part of what is computed
  const GraphText text = print_graph(placeless);
  XXH64_hash_t hash = XXH3_64bits(text.text.data(), text.text.size());
  for (const auto& entry : text.arrays)
    hash = XXH3_64bits_withSeed(entry.second->bytes(), entry.second->byte_size(), hash);
  char out[20];
  std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(hash));
  return out;
}

struct TracedRun {
  std::vector<HostTensor> outputs;
  std::vector<std::optional<uint32_t>> checksums;  ///< one a call of the program
};

/// Outputs for these inputs, and checksums of the results of those calls that alone make a tensor of the graph.
Result<TracedRun> traced_run(const Graph& graph, const Program& program, const std::vector<HostTensor>& inputs) {
  std::map<std::string, TensorId> by_name;
  for (const Node& node : graph.nodes) {
    for (const TensorId id : node.outputs)
      by_name[graph[id].name] = id;
  }
  std::map<std::string, int> writers;
  for (const ProgramCall& call : program.calls)
    writers[call.buffer_names.back()]++;
  Graph traced = graph;
  std::vector<int> position(program.calls.size(), -1);
  for (size_t c = 0; c < program.calls.size(); c++) {
    const std::string& name = program.calls[c].buffer_names.back();
    const auto tensor = by_name.find(name);
    if (tensor == by_name.end() || writers[name] != 1) continue;
    position[c] = static_cast<int>(traced.outputs.size());
    traced.outputs.push_back(tensor->second);
  }
  QL_ASSIGN(std::vector<HostTensor> results, sample_outputs(traced, inputs));
  TracedRun run;
  for (const int at : position) {
    run.checksums.emplace_back();
    if (at < 0) continue;
    const HostTensor& result = results[static_cast<size_t>(at)];
    bool nan = false;
    if (result.type() == ValueType::kF32) {
      for (const float value : result.as<float>())
        nan = nan || std::isnan(value);
    }
    if (!nan) run.checksums.back() = result_checksum(result.bytes(), static_cast<size_t>(result.byte_size()));
  }
  results.resize(graph.outputs.size());
  run.outputs = std::move(results);
  return run;
}

/// The memory plan, and before it which rows are computed in strips.
std::string memory_lines(const PlannedGraph& planned) {
  std::string lines;
  for (const std::string& note : planned.notes)
    lines += note + "\n";
  return lines + memory_text(planned.program);
}

/// The graph for one target, down to kernels.
struct Compiled {
  PlannedGraph planned;
  std::vector<LoweredKernel> kernels;
};

Result<Compiled> compile_for(const Graph& canonical, const Target& target, const OutputOptions& options) {
  Compiled out;
  QL_ASSIGN(out.planned,
            plan_rows(canonical, target, options.rows, options.ram, options.threads, options.progress, options.pools));
  const auto progress = [&](int done, int total) {
    if (options.progress) options.progress("lowering kernels", static_cast<size_t>(done), static_cast<size_t>(total));
  };
  QL_ASSIGN(out.kernels, lower_program(out.planned.program, options.threads, progress));
  return out;
}

Status check_options(const OutputOptions& options, const std::vector<const Target*>& targets) {
  for (const Target* target : targets) {
    if (options.kind == OutputKind::kCpp || target->object) continue;
    return Status::unsupported({"", "", "--target"}, "target " + target->name + " is reached through C++ only",
                               "use --emit cpp");
  }
  for (const Target* target : targets) {
    if (options.kind != OutputKind::kCpp || target->cpp) continue;
    return Status::unsupported(
        {"", "", "--emit cpp"}, "the loops of target " + target->name + " run on a device and cannot be written as C++",
        "use --emit object, static or shared, or run the model by the JIT (qlathe run --target " + target->name + ")");
  }
  if (options.package != PackageKind::kFlat &&
      (options.kind != OutputKind::kCpp || options.weights == WeightPlacement::kBinary)) {
    return Status::user({"", "", "--package"}, "a package is C++ with its weights in it",
                        "use --emit cpp and --weights inline or separate");
  }
  if (!options.pools.empty() && (options.kind != OutputKind::kCpp || targets.size() > 1)) {
    return Status::unsupported({"", "", "--pool"}, "pools are for C++ of one target",
                               "use --emit cpp with one target, or leave --pool out");
  }
  if (targets.size() == 1) return {};
  QL_RETURN_IF_ERROR(check_forms(targets));
  if (options.kind != OutputKind::kCpp || options.weights == WeightPlacement::kBinary ||
      options.package != PackageKind::kFlat) {
    return Status::unsupported({"", "", "--target"}, "several targets in one program are C++ with its weights in it",
                               "use --emit cpp, --weights inline or separate and no --package, or name one target");
  }
  return {};
}

/// Scratch of kernels is known once they are lowered.
Status check_pools(const Program& program, const std::vector<LoweredKernel>& kernels) {
  for (const EmitPool& pool : pools_of(program, scratch_bytes(program, kernels), make_names(program))) {
    if (pool.limit == 0 || pool.bytes <= pool.limit) continue;
    return Status::user({"", "", "--pool"},
                        "pool " + pool.name + " is " + std::to_string(pool.bytes - pool.limit) +
                            " bytes too small for the scratch of kernels behind it",
                        "make it larger");
  }
  return {};
}

/// Golden vectors of the self-test, and checksums of the calls for the first.
Status add_golden(const PlannedGraph& planned, const OutputOptions& options, EmitOptions& emit) {
  std::vector<std::vector<HostTensor>> inputs = options.golden_inputs;
  if (inputs.empty()) inputs = {sample_inputs(planned.graph, 1)};
  for (size_t g = 0; g < inputs.size(); g++) {
    if (g == 0 && options.kind == OutputKind::kCpp) {
      QL_ASSIGN(TracedRun run, traced_run(planned.graph, planned.program, inputs[g]));
      emit.checksums = std::move(run.checksums);
      emit.golden.push_back({std::move(inputs[g]), std::move(run.outputs)});
      continue;
    }
    QL_ASSIGN(std::vector<HostTensor> outputs, sample_outputs(planned.graph, inputs[g]));
    emit.golden.push_back({std::move(inputs[g]), std::move(outputs)});
  }
  return {};
}

/// C++ for one target, measured where that is asked for.
Status emit_measured(const Program& program, const std::vector<LoweredKernel>& kernels, const OutputOptions& options,
                     EmitOptions& emit, ModelOutput& out) {
  QL_ASSIGN(out.files, emit_cpp(program, kernels, emit));
  if (!options.measure) return {};
  const EmitNames names = make_names(program);
  QL_ASSIGN(out.figures, measure_code(out.files, names.model, *program.target));
  if (!out.figures) out.unmeasured = gcc_of(*program.target) + " is not installed";
  emit.figures = out.figures;
  // The header alone states them.
  for (EmittedFile& file : out.files) {
    if (file.name == names.model + ".h") file.bytes = emit_header(program, kernels, emit, names);
  }
  return {};
}

void describe(const Compiled& compiled, ModelOutput& out) {
  const Program& program = compiled.planned.program;
  for (const PackedConstant& constant : program.constants)
    out.weight_bytes += static_cast<int64_t>(constant.bytes.size());
  const int64_t scratch = scratch_bytes(program, compiled.kernels);
  if (program.arena_bytes + scratch > out.arena_bytes) {
    out.arena_bytes = program.arena_bytes + scratch;
    out.scratch_bytes = scratch;
  }
  out.state_bytes = std::max(out.state_bytes, program.state_bytes);
  out.name = program.name;
  out.target += (out.target.empty() ? "" : ", ") + program.target->name;
  if (!out.calls.empty()) return;  // of several targets the first one's
  out.memory_text = memory_lines(compiled.planned);
  out.memory_svg = memory_svg(program);
  out.peak_call = peak_call_name(program);
  for (const ProgramCall& call : program.calls) {
    out.macs += call.macs;
    out.calls.emplace_back(call.origin.name, call.description);
    for (const std::string& note : call.notes)
      out.notes.push_back(call.origin.name + ": " + note);
  }
}

}  // namespace

Result<ModelOutput> make_output(const Graph& graph, const OutputOptions& options) {
  std::vector<const Target*> targets;
  std::istringstream names(options.target);
  for (std::string name; std::getline(names, name, ',');) {
    QL_ASSIGN(const Target* const target, TargetRegistry::get(name));
    targets.push_back(target);
  }
  if (targets.empty()) return TargetRegistry::get(options.target).status();
  QL_RETURN_IF_ERROR(check_options(options, targets));
  QL_ASSIGN(Graph canonical, canonical_graph(graph, options.observer));
  if (!options.name.empty()) canonical.name = options.name;

  ModelOutput out;
  std::vector<Compiled> compiled;
  for (const Target* target : targets) {
    QL_ASSIGN(Compiled one, compile_for(canonical, *target, options));
    compiled.push_back(std::move(one));
    describe(compiled.back(), out);
  }
  const Program& program = compiled[0].planned.program;
  const std::vector<LoweredKernel>& kernels = compiled[0].kernels;
  const std::string model = make_names(program).model;
  EmitOptions emit;
  emit.weights = options.weights;
  emit.provenance = options.provenance;
  QL_RETURN_IF_ERROR(check_pools(program, kernels));
  QL_RETURN_IF_ERROR(add_golden(compiled[0].planned, options, emit));
  out.unmeasured = options.kind != OutputKind::kCpp ? "the output is no C++" : "not asked for";
  if (targets.size() > 1) {
    out.unmeasured = "the output has several forms";
    // Calls differ from form to form.
    emit.checksums.clear();
    std::vector<EmitForm> forms;
    for (Compiled& one : compiled)
      forms.push_back({std::move(one.planned.program), std::move(one.kernels)});
    QL_ASSIGN(out.files, emit_forms(std::move(forms), emit));
  } else if (options.kind == OutputKind::kCpp) {
    QL_RETURN_IF_ERROR(emit_measured(program, kernels, options, emit, out));
  } else {
    const ObjectKind kind = options.kind == OutputKind::kObject   ? ObjectKind::kObject
                            : options.kind == OutputKind::kStatic ? ObjectKind::kStatic
                                                                  : ObjectKind::kShared;
    QL_ASSIGN(out.files, emit_objects(program, kernels, emit, kind));
  }
  QL_ASSIGN(out.files,
            make_package(options.package, std::move(out.files), {model, "1.0.0", targets[0], options.provenance}));
  return out;
}

Result<MemoryReport> memory_report(const Graph& graph, const OutputOptions& options) {
  QL_ASSIGN(const Target* const target, TargetRegistry::get(options.target));
  QL_ASSIGN(Graph canonical, canonical_graph(graph));
  QL_ASSIGN(const PlannedGraph planned, plan_rows(std::move(canonical), *target, options.rows, options.ram,
                                                  options.threads, options.progress, options.pools));
  return MemoryReport{memory_lines(planned), memory_svg(planned.program)};
}

std::vector<std::string> provenance_lines(const std::string& model, const Graph& quantized,
                                          const QuantizeInputs& inputs, const std::vector<std::string>& options) {
  std::vector<std::string> lines = {"made by qlathe " QLATHE_VERSION};
  const auto file = [&](const char* what, const std::string& path) {
    if (!path.empty())
      lines.push_back(std::string(what) + " " + fs::path(path).filename().string() + ", xxh3 " + file_hash(path));
  };
  file("model", model);
  lines.push_back("quantized graph and weights, xxh3 " + graph_hash(quantized));
  file("rules", inputs.rules);
  file("calibration", inputs.calibration);
  file("statistics", inputs.statistics);
  std::string line = "options";
  for (const std::string& option : options)
    line += " " + option;
  if (!options.empty()) lines.push_back(line);
  return lines;
}

}  // namespace qlathe
