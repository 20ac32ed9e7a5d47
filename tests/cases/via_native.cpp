// Native paths: the JIT in this process; objects and C++ sources as a user gets them, compiled, linked into a shared
// library a graph, and called through the emitted header.
#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "api/pipeline.h"
#include "codegen/cpp/emit.h"
#include "codegen/native/jit_executor.h"
#include "codegen/native/object_cache.h"
#include "codegen/native/object_files.h"
#include "frontend/reference/reference_executor.h"
#include "tests/cases/lower_case.h"
#include "tests/cases/result.h"
#include "tests/cases/via.h"

namespace qlathe::cases {
namespace {

namespace fs = std::filesystem;

class JitVia : public Via {
 public:
  JitVia(const Target& target, const fs::path& folder)
      : cache_(folder / "objects"),
        host_(host_target(), &cache_, 1),
        calibration_(host_),
        native_(target, &cache_, 1),
        executor_(native_) {}
  Executor& calibration() override { return calibration_; }
  Result<Runs> run(const Graph& graph, const Runs& inputs, bool sequence, const std::string&) override {
    return run_all(executor_, graph, inputs, sequence);
  }

 private:
  ObjectCache cache_;  // of this run alone, shared by its processes
  JitExecutor host_;
  CompilingExecutor calibration_;
  JitExecutor native_;
  CompilingExecutor executor_;
};

void write(const fs::path& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

/// Objects of emitted sources that were compiled before, where $QLATHE_CASES_OBJECTS names a folder for them: by all
/// that goes into them, so that what comes back is what compiling would give.
class CompiledSources {
 public:
  CompiledSources() {
    const char* folder = std::getenv("QLATHE_CASES_OBJECTS");
    if (folder != nullptr && *folder != '\0') cache_.emplace(folder, int64_t{4} << 30);
  }
  /// What the objects depend on besides their sources: the compiler and its options, the runtime's header.
  void set_common(std::string text) { common_ = std::move(text); }
  bool restore(const fs::path& folder, const std::string& id) const {
    if (!cache_) return false;
    const auto bytes = cache_->load(hash(folder, id));
    if (bytes) write(folder / (id + ".o"), std::string(bytes->begin(), bytes->end()));
    return bytes.has_value();
  }
  void keep(const fs::path& folder, const std::string& id) {
    if (!cache_ || !fs::exists(folder / (id + ".o"))) return;
    const std::string bytes = text_of(folder / (id + ".o"));
    cache_->store(hash(folder, id), std::vector<uint8_t>(bytes.begin(), bytes.end()));
  }

 private:
  std::string hash(const fs::path& folder, const std::string& id) const {
    return ObjectCache::hash(common_ + text_of(folder / (id + ".h")) + text_of(folder / (id + ".cpp")));
  }

  std::optional<ObjectCache> cache_;
  std::string common_;
};

/// A C function that takes pointers to all inputs and outputs, and memory for the states and the run, and calls the
/// emitted one; and one that sets the states up.
std::string adapter(const std::string& id, size_t pointers, bool has_state) {
  std::string arguments, capitals = id;
  for (size_t i = 0; i < pointers; i++)
    arguments += fmt::format("p[{}], ", i);
  for (char& c : capitals)
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return fmt::format(
      "#include <stdbool.h>\n#include \"{0}.h\"\n"
      "const unsigned long {0}_arena = {1}_ARENA_BYTES, {0}_state = {3};\n"
      "void {0}_start(void* state) {{ {4}; }}\n"
      "int {0}_call(void** p, void* state, void* arena) {{ (void)state; return {0}_run({2}arena); }}\n",
      id, capitals, arguments + (has_state ? "state, " : ""), has_state ? capitals + "_STATE_BYTES" : "0",
      has_state ? id + "_reset(state)" : "(void)state");
}

class EmittedVia : public Via {
 public:
  EmittedVia(bool cpp, fs::path folder) : cpp_(cpp), folder_(std::move(folder)) {}
  Executor& calibration() override { return reference_; }
  bool builds() const override { return cpp_; }

  Status emit(const Graph& graph, const Runs& inputs, const std::string& id) override {
    QL_ASSIGN(const LoweredCase lowered, lower_case(graph, inputs.at(0), id, host_target()));
    QL_ASSIGN(const std::vector<EmittedFile> files,
              cpp_ ? emit_cpp(lowered.program, lowered.kernels, lowered.options)
                   : emit_objects(lowered.program, lowered.kernels, lowered.options, ObjectKind::kObject));
    for (const EmittedFile& file : files)
      if (file.name.rfind(id, 0) == 0 || file.name == "qlathe_runtime.h") write(folder_ / file.name, file.bytes);
    write(folder_ / (id + "_call.c"),
          adapter(id, inputs.at(0).size() + graph.outputs.size(), lowered.program.state_bytes > 0));
    return {};
  }

  /// C++: every source to an object, several in one run of the compiler, the runtime's header compiled once.
  void build(const std::vector<std::string>& all, int jobs) override {
    if (all.empty()) return;
    (void)command("g++ --version", "version");
    CompiledSources known;
    known.set_common(compiler() + text_of(folder_ / "version.log") + text_of(folder_ / "qlathe_runtime.h"));
    std::vector<std::string> ids;
    for (const std::string& id : all) {
      if (!known.restore(folder_, id)) ids.push_back(id);
    }
    if (ids.empty()) return;
    (void)command(compiler() + "-x c++-header qlathe_runtime.h -o qlathe_runtime.h.gch", "header");
    constexpr size_t kAtOnce = 8;
    run_in_children((ids.size() + kAtOnce - 1) / kAtOnce, jobs, {3600, 0},
                    [&](size_t group) {
                      std::string sources;
                      for (size_t i = group * kAtOnce; i < std::min(ids.size(), (group + 1) * kAtOnce); i++)
                        sources += ids[i] + ".cpp ";
                      (void)command(compiler() + "-include qlathe_runtime.h -c " + sources,
                                    "group" + std::to_string(group));
                      return std::string();
                    },
                    [](size_t, const ChildOutcome&) {});
    for (const std::string& id : ids)
      known.keep(folder_, id);
  }

  Result<Runs> run(const Graph& graph, const Runs& inputs, bool sequence, const std::string& id) override {
    std::string objects = id + ".o ";
    if (!cpp_) {
      QL_RETURN_IF_ERROR(emit(graph, inputs, id));
      if (fs::exists(folder_ / (id + "_kernels.o"))) objects += id + "_kernels.o ";
    } else if (!fs::exists(folder_ / (id + ".cpp"))) {
      QL_RETURN_IF_ERROR(emit(graph, inputs, id));  // says why it was not emitted
    }
    if (!fs::exists(folder_ / (id + ".o")))
      QL_RETURN_IF_ERROR(command(compiler() + "-c " + id + ".cpp", id));  // says why it did not compile
    QL_RETURN_IF_ERROR(command("gcc -fPIC -shared -I. " + id + "_call.c " + objects + "-o " + id + ".so -lm", id));
    return call(graph, inputs, sequence, id);
  }

 private:
  /// With what a user needs, and position-independent code, since it is loaded here.
  static std::string compiler() {
    std::string out = "g++ -std=c++11 -O2 -fPIC -I. ";
    for (const std::string& flag : host_target().gcc_flags)
      out += flag + " ";
    return out;
  }

  Status command(const std::string& text, const std::string& id) const {
    const std::string log = id + ".log";
    const int status = std::system(fmt::format("cd '{}' && ({}) > {} 2>&1", folder_.string(), text, log).c_str());
    if (status == 0) return {};
    const std::string output = text_of(folder_ / log);
    return Status::user({}, "the emitted code does not build: " + text + ": " + output.substr(0, 2000));
  }

  Result<Runs> call(const Graph& graph, const Runs& runs, bool sequence, const std::string& id) const {
    void* library = dlopen((folder_ / (id + ".so")).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) return Status::user({}, std::string("the emitted code cannot be loaded: ") + dlerror());
    const auto* arena_bytes = static_cast<const unsigned long*>(dlsym(library, (id + "_arena").c_str()));
    const auto* state_bytes = static_cast<const unsigned long*>(dlsym(library, (id + "_state").c_str()));
    const auto start = reinterpret_cast<void (*)(void*)>(dlsym(library, (id + "_start").c_str()));
    const auto run = reinterpret_cast<int (*)(void**, void*, void*)>(dlsym(library, (id + "_call").c_str()));
    if (!arena_bytes || !state_bytes || !start || !run)
      return Status::user({}, "the emitted code lacks its entry points");
    const auto aligned = [](unsigned long bytes) {
      return std::unique_ptr<void, void (*)(void*)>(std::aligned_alloc(64, (bytes / 64 + 1) * 64), std::free);
    };
    const auto arena = aligned(*arena_bytes), state = aligned(*state_bytes);
    start(state.get());
    Runs all;
    for (const auto& inputs : runs) {
      std::vector<HostTensor> outputs;
      for (const TensorId output : graph.outputs)
        outputs.emplace_back(graph[output].type.type, graph[output].shape());
      std::vector<void*> pointers;
      for (const HostTensor& input : inputs)
        pointers.push_back(const_cast<uint8_t*>(input.bytes()));
      for (HostTensor& output : outputs)
        pointers.push_back(output.bytes());
      if (!sequence) start(state.get());
      const int failed = run(pointers.data(), state.get(), arena.get());
      if (failed != 0) return Status::user({}, "the emitted code returns " + std::to_string(failed));
      all.push_back(std::move(outputs));
    }
    return all;
  }

  bool cpp_;
  fs::path folder_;
  ReferenceExecutor reference_;
};

}  // namespace

Result<std::unique_ptr<Via>> make_jit(const std::string& target, const std::filesystem::path& folder) {
  QL_ASSIGN(const Target* const found, TargetRegistry::get(target));
  return std::unique_ptr<Via>(std::make_unique<JitVia>(*found, folder));
}

std::unique_ptr<Via> make_emitted(bool cpp, const std::filesystem::path& folder) {
  return std::make_unique<EmittedVia>(cpp, folder);
}

}  // namespace qlathe::cases
