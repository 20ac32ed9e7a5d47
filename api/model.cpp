#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>

#include "api/qlathe.h"
#include "api/thread_pool.h"
#include "codegen/native/jit_executor.h"

namespace qlathe {
namespace {

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

std::unique_ptr<void, FreeMemory> aligned_memory(int64_t bytes) {
  const size_t rounded = (static_cast<size_t>(bytes) / 64 + 1) * 64;
  std::unique_ptr<void, FreeMemory> memory(std::aligned_alloc(64, rounded));
  QL_CHECK(memory != nullptr, std::to_string(rounded) + " bytes of memory");
  std::memset(memory.get(), 0, rounded);
  return memory;
}

int compile_threads(int wanted) {
  return wanted > 0 ? wanted : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::optional<ObjectCache> open_cache(const CompileOptions& options) {
  if (!options.cache) return std::nullopt;
  return ObjectCache(options.cache_folder.empty() ? ObjectCache::default_folder()
                                                  : std::filesystem::path(options.cache_folder));
}

}  // namespace

struct Instance::Memory {
  std::unique_ptr<void, FreeMemory> arena, state;
};

Model::Model() = default;
Model::~Model() = default;

Result<std::shared_ptr<const Model>> Model::compile(const std::string& path, const CompileOptions& options) {
  QL_ASSIGN(const SourceModel source, read_model(path));
  QL_ASSIGN(const Target* const target, TargetRegistry::get(options.target));
  std::optional<ObjectCache> cache = open_cache(options);
  JitExecutor jit(*target, cache ? &*cache : nullptr, compile_threads(options.threads));
  CompilingExecutor executor(jit);
  QL_ASSIGN(const QuantizedModel quantized,
            quantize_model(source, {options.rules, options.calibration, options.statistics, options.allow_extra_params},
                           executor, options.progress));
  return compile(quantized.graph, options);
}

Result<std::shared_ptr<const Model>> Model::compile(const Graph& graph, const CompileOptions& options) {
  QL_ASSIGN(const Target* const target, TargetRegistry::get(options.target));
  if (!target->object || !host_can_run(*target)) {
    return Status::user({"", "", "--target"}, "target " + target->name + " cannot run in this process", "use host");
  }
  QL_ASSIGN(const Graph canonical, canonical_graph(graph));
  QL_ASSIGN(Program program, plan_program(canonical, *target));
  std::optional<ObjectCache> cache = open_cache(options);
  const auto progress = [&](int done, int total) {
    if (options.progress) options.progress("compiling kernels", static_cast<size_t>(done), static_cast<size_t>(total));
  };
  QL_ASSIGN(std::vector<NativeKernel> kernels,
            compile_kernels(program, cache ? &*cache : nullptr, compile_threads(options.threads), progress));
  std::shared_ptr<Model> model(new Model);
  QL_ASSIGN(model->jit_, JitProgram::load(std::make_shared<const Program>(std::move(program)), std::move(kernels)));
  return std::shared_ptr<const Model>(std::move(model));
}

const std::vector<ProgramIo>& Model::inputs() const { return jit_->program().inputs; }
const std::vector<ProgramIo>& Model::outputs() const { return jit_->program().outputs; }
const Program& Model::program() const { return jit_->program(); }

std::unique_ptr<Instance> Model::instance(int threads) const {
  return std::unique_ptr<Instance>(new Instance(shared_from_this(), std::max(threads, 1)));
}

Instance::Instance(std::shared_ptr<const Model> model, int threads) : model_(std::move(model)), memory_(new Memory) {
  if (threads > 1) pool_ = std::make_unique<ThreadPool>(threads);
  memory_->arena = aligned_memory(model_->jit_->arena_bytes(threads));
  memory_->state = aligned_memory(model_->program().state_bytes);
  reset();
}

Instance::~Instance() = default;

int64_t Instance::arena_bytes() const { return model_->jit_->arena_bytes(pool_ ? pool_->workers() : 1); }

Status Instance::run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs) {
  const Program& program = model_->program();
  if (inputs.size() != program.inputs.size() || outputs.size() != program.outputs.size()) {
    return Status::user({"", program.name, ""}, "takes " + std::to_string(program.inputs.size()) + " inputs and " +
                                                    std::to_string(program.outputs.size()) + " outputs, not " +
                                                    std::to_string(inputs.size()) + " and " +
                                                    std::to_string(outputs.size()));
  }
  const bool missing =
      std::count(inputs.begin(), inputs.end(), nullptr) + std::count(outputs.begin(), outputs.end(), nullptr) > 0;
  if (missing) return Status::user({"", program.name, ""}, "an input or output pointer is null");
  const int32_t failed = model_->jit_->run()(inputs.data(), outputs.data(), memory_->arena.get(), memory_->state.get(),
                                             pool_ ? &pool_->hook() : nullptr);
  QL_CHECK(failed == 0, std::to_string(failed));
  return {};
}

Result<std::vector<HostTensor>> Instance::run(const std::vector<HostTensor>& inputs) {
  const Program& program = model_->program();
  Status problems;
  std::vector<const void*> in;
  for (size_t i = 0; i < std::min(inputs.size(), program.inputs.size()); i++) {
    const TensorType& wanted = program.inputs[i].type;
    if (inputs[i].type() != wanted.type || inputs[i].shape() != wanted.shape) {
      problems.merge(Status::user({"", program.inputs[i].name, ""},
                                  std::string("is ") + name(wanted.type) + "[" + to_string(wanted.shape) + "], not " +
                                      name(inputs[i].type()) + "[" + to_string(inputs[i].shape()) + "]"));
    }
  }
  if (!problems.ok()) return problems;
  for (const HostTensor& tensor : inputs)
    in.push_back(tensor.bytes());
  std::vector<HostTensor> outputs;
  std::vector<void*> out;
  for (const ProgramIo& io : program.outputs)
    outputs.emplace_back(io.type.type, io.type.shape);
  for (HostTensor& tensor : outputs)
    out.push_back(tensor.bytes());
  QL_RETURN_IF_ERROR(run(in, out));
  return outputs;
}

void Instance::reset() {
  for (const ProgramState& s : model_->program().states) {
    std::memcpy(static_cast<uint8_t*>(memory_->state.get()) + s.offset, s.initial.data(), s.initial.size());
  }
}

std::string file_hash(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  char out[20];
  std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(XXH3_64bits(bytes.data(), bytes.size())));
  return out;
}

}  // namespace qlathe
