#include "api/output.h"

#include <xxhash.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "api/code_figures.h"
#include "api/qlathe.h"
#include "api/sample_inputs.h"
#include "codegen/cpp/emit_files.h"
#include "codegen/halide/lower_program.h"
#include "codegen/native/object_files.h"
#include "frontend/formats/atomic_write.h"
#include "frontend/ir/text.h"
#include "schedule/memory/report.h"

namespace qlathe {
namespace {

namespace fs = std::filesystem;

Status file_problem(const fs::path& path, const std::string& what, const std::error_code& code) {
  return Status::user({path.string(), "", ""}, what + ": " + code.message(),
                      "check the path, its permissions and the space left");
}

/// A folder that vanishes with all that is in it.
class ScratchFolder {
 public:
  static Result<std::unique_ptr<ScratchFolder>> create(const fs::path& parent) {
    std::string name = (parent / ".qlathe-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      return file_problem(parent, "the folder cannot be written to", {errno, std::generic_category()});
    }
    return std::unique_ptr<ScratchFolder>(new ScratchFolder(name));
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  explicit ScratchFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

/// Moves files from `staged` into `folder`; what was there goes to `saved`, and back if anything fails.
Status move_all(const std::vector<EmittedFile>& files, const fs::path& staged, const fs::path& folder,
                const fs::path& saved) {
  std::vector<std::pair<fs::path, fs::path>> undo;  // from, to
  Status failure;
  for (const EmittedFile& file : files) {
    std::error_code code;
    const fs::path to = folder / file.name, kept = saved / file.name;
    if (fs::is_directory(to, code)) {
      failure =
          Status::user({to.string(), "", ""}, "is a folder where a file must go", "remove it or choose another folder");
      break;
    }
    if (fs::exists(fs::symlink_status(to, code))) {
      fs::rename(to, kept, code);
      if (!code) undo.emplace_back(kept, to);
    } else {
      code.clear();
    }
    if (!code) {
      fs::rename(staged / file.name, to, code);
      if (!code) undo.emplace_back(to, staged / file.name);
    }
    if (code) {
      failure = file_problem(to, "cannot be written", code);
      break;
    }
  }
  if (failure.ok()) return failure;
  for (auto step = undo.rbegin(); step != undo.rend(); ++step) {
    std::error_code code;
    fs::rename(step->first, step->second, code);
    if (code) failure.merge(file_problem(step->second, "could not be put back", code));
  }
  return failure;
}

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

}  // namespace

Result<ModelOutput> make_output(const Graph& graph, const OutputOptions& options) {
  QL_ASSIGN(const Target* const target, TargetRegistry::get(options.target));
  if (options.kind != OutputKind::kCpp && !target->object) {
    return Status::unsupported({"", "", "--target"}, "target " + target->name + " is reached through C++ only",
                               "use --emit cpp");
  }
  if (options.package != PackageKind::kFlat &&
      (options.kind != OutputKind::kCpp || options.weights == WeightPlacement::kBinary)) {
    return Status::user({"", "", "--package"}, "a package is C++ with its weights in it",
                        "use --emit cpp and --weights inline or separate");
  }
  QL_ASSIGN(Graph canonical, canonical_graph(graph, options.observer));
  if (!options.name.empty()) canonical.name = options.name;
  QL_ASSIGN(const PlannedGraph planned,
            plan_rows(std::move(canonical), *target, options.rows, options.ram, options.threads, options.progress));
  const Program& program = planned.program;
  const auto progress = [&](int done, int total) {
    if (options.progress) options.progress("lowering kernels", static_cast<size_t>(done), static_cast<size_t>(total));
  };
  QL_ASSIGN(const std::vector<LoweredKernel> kernels, lower_program(program, options.threads, progress));

  EmitOptions emit;
  emit.weights = options.weights;
  emit.provenance = options.provenance;
  std::vector<std::vector<HostTensor>> inputs = options.golden_inputs;
  if (inputs.empty()) inputs = {sample_inputs(planned.graph, 1)};
  for (size_t g = 0; g < inputs.size(); g++) {
    if (g == 0 && options.kind == OutputKind::kCpp) {
      QL_ASSIGN(TracedRun run, traced_run(planned.graph, program, inputs[g]));
      emit.checksums = std::move(run.checksums);
      emit.golden.push_back({std::move(inputs[g]), std::move(run.outputs)});
      continue;
    }
    QL_ASSIGN(std::vector<HostTensor> outputs, sample_outputs(planned.graph, inputs[g]));
    emit.golden.push_back({std::move(inputs[g]), std::move(outputs)});
  }
  ModelOutput out;
  out.unmeasured = options.kind != OutputKind::kCpp ? "the output is no C++" : "not asked for";
  if (options.kind == OutputKind::kCpp) {
    QL_ASSIGN(out.files, emit_cpp(program, kernels, emit));
    if (options.measure) {
      const EmitNames names = make_names(program);
      QL_ASSIGN(out.figures, measure_code(out.files, names.model, *target));
      if (!out.figures) out.unmeasured = gcc_of(*target) + " is not installed";
      emit.figures = out.figures;
      // The header alone states them.
      for (EmittedFile& file : out.files) {
        if (file.name == names.model + ".h") file.bytes = emit_header(program, kernels, emit, names);
      }
    }
  } else {
    const ObjectKind kind = options.kind == OutputKind::kObject   ? ObjectKind::kObject
                            : options.kind == OutputKind::kStatic ? ObjectKind::kStatic
                                                                  : ObjectKind::kShared;
    QL_ASSIGN(out.files, emit_objects(program, kernels, emit, kind));
  }
  QL_ASSIGN(out.files, make_package(options.package, std::move(out.files),
                                    {make_names(program).model, "1.0.0", target, options.provenance}));
  for (const PackedConstant& constant : program.constants)
    out.weight_bytes += static_cast<int64_t>(constant.bytes.size());
  out.arena_bytes = program.arena_bytes + scratch_bytes(program, kernels);
  out.state_bytes = program.state_bytes;
  out.scratch_bytes = out.arena_bytes - program.arena_bytes;
  out.name = program.name;
  out.target = target->name;
  out.memory_text = memory_lines(planned);
  out.memory_svg = memory_svg(program);
  out.peak_call = peak_call_name(program);
  for (const ProgramCall& call : program.calls) {
    out.macs += call.macs;
    out.calls.emplace_back(call.origin.name, call.description);
    for (const std::string& note : call.notes)
      out.notes.push_back(call.origin.name + ": " + note);
  }
  return out;
}

Result<MemoryReport> memory_report(const Graph& graph, const OutputOptions& options) {
  QL_ASSIGN(const Target* const target, TargetRegistry::get(options.target));
  QL_ASSIGN(Graph canonical, canonical_graph(graph));
  QL_ASSIGN(const PlannedGraph planned,
            plan_rows(std::move(canonical), *target, options.rows, options.ram, options.threads, options.progress));
  return MemoryReport{memory_lines(planned), memory_svg(planned.program)};
}

Status write_folder(const std::string& path, const std::vector<EmittedFile>& files) {
  const fs::path folder(path);
  std::error_code code;
  const bool existed = fs::exists(folder, code);
  if (existed && !fs::is_directory(folder, code)) {
    return Status::user({path, "", ""}, "is a file; the output goes into a folder", "give another name with -o");
  }
  // The topmost folder made here is removed again when something fails.
  fs::path made;
  if (!existed) {
    made = fs::absolute(folder, code);
    if (!made.has_filename()) made = made.parent_path();
    while (made.has_parent_path() && !fs::exists(made.parent_path(), code))
      made = made.parent_path();
    fs::create_directories(folder, code);
    if (code) return file_problem(folder, "the folder cannot be made", code);
  }
  std::vector<fs::path> folders_made;  // inside an existing folder
  const auto write = [&]() -> Status {
    QL_ASSIGN(const std::unique_ptr<ScratchFolder> staged, ScratchFolder::create(folder));
    const fs::path saved = staged->path() / "saved";
    if (!fs::create_directory(saved, code)) return file_problem(saved, "cannot be made", code);
    for (const EmittedFile& file : files) {
      // Names may have folders in them.
      for (const fs::path& root : {staged->path(), saved, folder}) {
        const fs::path parent = (root / file.name).parent_path();
        if (fs::create_directories(parent, code)) folders_made.push_back(parent);
        if (code) return file_problem(parent, "the folder cannot be made", code);
      }
      QL_RETURN_IF_ERROR(write_file((staged->path() / file.name).string(), file.bytes));
    }
    return move_all(files, staged->path(), folder, saved);
  };
  const Status status = write();
  if (status.ok()) return status;
  if (!made.empty()) fs::remove_all(made, code);
  for (auto empty = folders_made.rbegin(); empty != folders_made.rend(); ++empty)
    fs::remove(*empty, code);  // those of the staging folder are gone already
  return status;
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
