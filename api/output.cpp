#include "api/output.h"

#include <xxhash.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "api/qlathe.h"
#include "api/sample_inputs.h"
#include "codegen/halide/lower_program.h"
#include "codegen/native/object_files.h"
#include "frontend/formats/atomic_write.h"
#include "frontend/ir/text.h"

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

}  // namespace

Result<ModelOutput> make_output(const Graph& graph, const OutputOptions& options) {
  QL_ASSIGN(const Target* const target, TargetRegistry::get(options.target));
  if (options.kind != OutputKind::kCpp && !target->object) {
    return Status::unsupported({"", "", "--target"}, "target " + target->name + " is reached through C++ only",
                               "use --emit cpp");
  }
  QL_ASSIGN(Graph canonical, canonical_graph(graph, options.observer));
  if (!options.name.empty()) canonical.name = options.name;
  QL_ASSIGN(const Program program, plan_program(canonical, *target, options.threads));
  const auto progress = [&](int done, int total) {
    if (options.progress) options.progress("lowering kernels", static_cast<size_t>(done), static_cast<size_t>(total));
  };
  QL_ASSIGN(const std::vector<LoweredKernel> kernels, lower_program(program, options.threads, progress));

  EmitOptions emit;
  emit.weights = options.weights;
  emit.provenance = options.provenance;
  std::vector<std::vector<HostTensor>> inputs = options.golden_inputs;
  if (inputs.empty()) inputs = {sample_inputs(canonical, 1)};
  for (std::vector<HostTensor>& golden : inputs) {
    QL_ASSIGN(std::vector<HostTensor> outputs, sample_outputs(canonical, golden));
    emit.golden.push_back({std::move(golden), std::move(outputs)});
  }
  ModelOutput out;
  if (options.kind == OutputKind::kCpp) {
    QL_ASSIGN(out.files, emit_cpp(program, kernels, emit));
  } else {
    const ObjectKind kind = options.kind == OutputKind::kObject   ? ObjectKind::kObject
                            : options.kind == OutputKind::kStatic ? ObjectKind::kStatic
                                                                  : ObjectKind::kShared;
    QL_ASSIGN(out.files, emit_objects(program, kernels, emit, kind));
  }
  for (const PackedConstant& constant : program.constants)
    out.weight_bytes += static_cast<int64_t>(constant.bytes.size());
  out.arena_bytes = program.arena_bytes + scratch_bytes(program, kernels);
  out.state_bytes = program.state_bytes;
  for (const ProgramCall& call : program.calls) {
    for (const std::string& note : call.notes)
      out.notes.push_back(call.origin.name + ": " + note);
  }
  return out;
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
  const auto write = [&]() -> Status {
    QL_ASSIGN(const std::unique_ptr<ScratchFolder> staged, ScratchFolder::create(folder));
    const fs::path saved = staged->path() / "saved";
    if (!fs::create_directory(saved, code)) return file_problem(saved, "cannot be made", code);
    for (const EmittedFile& file : files)
      QL_RETURN_IF_ERROR(write_file((staged->path() / file.name).string(), file.bytes));
    return move_all(files, staged->path(), folder, saved);
  };
  const Status status = write();
  if (!status.ok() && !made.empty()) fs::remove_all(made, code);
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
