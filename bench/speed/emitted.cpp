#include "bench/speed/emitted.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "api/output.h"
#include "api/write_folder.h"
#include "codegen/halide/lower_program.h"

namespace qlathe::bench {
namespace {

namespace fs = std::filesystem;

/// The model's run behind one signature for all models.
std::string adapter(const Program& program, const std::string& model) {
  std::vector<std::string> arguments;
  for (size_t i = 0; i < program.inputs.size(); i++)
    arguments.push_back(fmt::format("In{{in[{}]}}", i));
  for (size_t i = 0; i < program.outputs.size(); i++)
    arguments.push_back(fmt::format("Out{{out[{}]}}", i));
  if (program.state_bytes > 0) arguments.emplace_back("state");
  if (!program.constants.empty()) arguments.emplace_back("weights");
  arguments.emplace_back("arena");
  return fmt::format(R"(#include "{0}.h"
struct In {{
  const void* p;
  template <class T> operator const T*() const {{ return static_cast<const T*>(p); }}
}};
struct Out {{
  void* p;
  template <class T> operator T*() const {{ return static_cast<T*>(p); }}
}};
extern "C" int bench_run(const void* const* in, void* const* out, void* state, void* weights, void* arena) {{
  (void)state, (void)weights;
  return {0}_run({1});
}}
)",
                     model, fmt::join(arguments, ", "));
}

Status problem(const std::string& what) { return Status::user({"", "", ""}, what); }

}  // namespace

TemporaryFolder::TemporaryFolder() {
  path_ = (fs::temp_directory_path() / "qlathe-bench-XXXXXX").string();
  QL_CHECK(mkdtemp(path_.data()) != nullptr, path_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void FreeMemory::operator()(void* memory) const { std::free(memory); }

Memory make_memory(size_t bytes) {
  const size_t alignment = bytes >= (size_t{1} << 19) ? size_t{2} << 20 : 64;
  const size_t rounded = (bytes / alignment + 1) * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  QL_CHECK(memory != nullptr, std::to_string(bytes));
#if defined(MADV_HUGEPAGE)
  if (alignment > 64) (void)madvise(memory, rounded, MADV_HUGEPAGE);
#endif
  std::memset(memory, 0, rounded);
  return Memory(memory);
}

EmittedModel::~EmittedModel() {
  if (library_ != nullptr) dlclose(library_);
}

std::vector<std::string> emitted_compilers() {
  std::vector<std::string> out;
  for (const std::vector<std::string>& names : {std::vector<std::string>{"g++"}, {"clang++", "clang++-19"}}) {
    for (const std::string& name : names) {
      if (std::system((name + " --version >/dev/null 2>&1").c_str()) != 0) continue;
      out.push_back(name);
      break;
    }
  }
  return out;
}

Result<std::vector<std::unique_ptr<EmittedModel>>> compile_emitted(const Program& program,
                                                                   const std::vector<HostTensor>& inputs,
                                                                   const std::vector<HostTensor>& outputs,
                                                                   const std::vector<std::string>& compilers,
                                                                   int threads) {
  QL_ASSIGN(const std::vector<LoweredKernel> kernels, lower_program(program, threads));
  EmitOptions options;
  options.weights = WeightPlacement::kBinary;
  options.golden = {{inputs, outputs}};
  QL_ASSIGN(const std::vector<EmittedFile> files, emit_cpp(program, kernels, options));
  const TemporaryFolder folder;
  QL_RETURN_IF_ERROR(write_folder(folder.path(), files));
  const fs::path at(folder.path());
  std::string model, weights;
  for (const EmittedFile& file : files) {
    const fs::path name(file.name);
    const bool source = std::any_of(files.begin(), files.end(), [&](const EmittedFile& other) {
      return other.name == name.stem().string() + ".cpp";
    });
    if (name.extension() == ".h" && source) model = name.stem();
    if (name.extension() == ".bin") weights = file.bytes;
  }
  std::ofstream(at / "adapter.cpp") << adapter(program, model);

  std::vector<std::unique_ptr<EmittedModel>> out;
  for (const std::string& compiler : compilers) {
    const bool clang = compiler.starts_with("clang");
    const fs::path library = at / (compiler + ".so"), log = at / (compiler + ".log");
    const std::string command =
        fmt::format("{} -std=c++11 -O2 {} -fPIC -shared -I{} -o {} {} {} >{} 2>&1", compiler,
                    fmt::join(clang ? program.target->clang_flags : program.target->gcc_flags, " "), at.string(),
                    library.string(), (at / (model + ".cpp")).string(), (at / "adapter.cpp").string(), log.string());
    if (std::system(command.c_str()) != 0) {
      std::ifstream in(log);
      return problem(compiler + " refuses the emitted C++:\n" + std::string{std::istreambuf_iterator<char>(in), {}});
    }
    std::unique_ptr<EmittedModel> emitted(new EmittedModel);
    emitted->compiler_ = compiler;
    emitted->library_ = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (emitted->library_ == nullptr) return problem(dlerror());
    emitted->run_ = reinterpret_cast<EmittedModel::Run>(dlsym(emitted->library_, "bench_run"));
    if (emitted->run_ == nullptr) return problem(dlerror());
    emitted->state_ = make_memory(static_cast<size_t>(program.state_bytes));
    emitted->arena_ = make_memory(static_cast<size_t>(program.arena_bytes + scratch_bytes(program, kernels)));
    emitted->weights_ = make_memory(weights.size());
    std::memcpy(emitted->weights_.get(), weights.data(), weights.size());
    out.push_back(std::move(emitted));
  }
  return out;
}

}  // namespace qlathe::bench
