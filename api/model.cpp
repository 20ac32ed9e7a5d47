#include <xxhash.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>

#include "api/qlathe.h"
#include "api/thread_pool.h"
#include "codegen/native/jit_executor.h"
#include "codegen/native/jit_instance.h"
#include "schedule/device.h"

namespace qlathe {
namespace {

int compile_threads(int wanted) {
  return wanted > 0 ? wanted : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::optional<ObjectCache> open_cache(const CompileOptions& options) {
  if (!options.cache) return std::nullopt;
  return ObjectCache(options.cache_folder.empty() ? ObjectCache::default_folder()
                                                  : std::filesystem::path(options.cache_folder));
}

/// "opencl,host": the targets in the order in which they are tried.
Result<std::vector<const Target*>> targets_of(const std::string& names) {
  std::vector<const Target*> out;
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find(',', begin), names.size());
    QL_ASSIGN(const Target* const target, TargetRegistry::get(names.substr(begin, end - begin)));
    if (!target->object || !host_can_run(*target)) {
      return Status::user({"", "", "--target"}, "target " + target->name + " cannot run in this process", "use host");
    }
    out.push_back(target);
    begin = end + 1;
  }
  return out;
}

}  // namespace

Model::Model() = default;
Model::~Model() = default;

Result<std::shared_ptr<const Model>> Model::compile(const std::string& path, const CompileOptions& options) {
  QL_ASSIGN(const SourceModel source, read_model(path));
  QL_ASSIGN(const std::vector<const Target*> targets, targets_of(options.target));
  std::optional<ObjectCache> cache = open_cache(options);
  // Any target gives the same statistics; kernels that run a few times are compiled soonest for the processor.
  const Target& calibration = has_device(*targets[0]) ? host_target() : *targets[0];
  JitExecutor jit(calibration, cache ? &*cache : nullptr, compile_threads(options.threads));
  CompilingExecutor executor(jit);
  QL_ASSIGN(const QuantizedModel quantized,
            quantize_model(source, {options.rules, options.calibration, options.statistics, options.allow_extra_params},
                           executor, options.progress));
  return compile(quantized.graph, options);
}

Result<std::shared_ptr<const Model>> Model::compile(const Graph& graph, const CompileOptions& options) {
  QL_ASSIGN(const std::vector<const Target*> targets, targets_of(options.target));
  QL_ASSIGN(const Graph canonical, canonical_graph(graph));
  std::optional<ObjectCache> cache = open_cache(options);
  const auto progress = [&](int done, int total) {
    if (options.progress) options.progress("compiling kernels", static_cast<size_t>(done), static_cast<size_t>(total));
  };
  for (size_t i = 0; i < targets.size(); i++) {
    QL_ASSIGN(Program program, plan_program(canonical, *targets[i], compile_threads(options.threads)));
    QL_ASSIGN(std::vector<NativeKernel> kernels,
              compile_kernels(program, cache ? &*cache : nullptr, compile_threads(options.threads), progress));
    auto jit = JitProgram::load(std::move(program), std::move(kernels), cache ? &*cache : nullptr);
    // A device may be absent, or too small for this model: then the next target has its turn.
    const bool last = i + 1 == targets.size();
    if (!last && has_device(*targets[i]) && (!jit.ok() || !JitInstance(*jit).ready().ok())) continue;
    std::shared_ptr<Model> model(new Model);
    QL_ASSIGN(model->jit_, std::move(jit));
    return std::shared_ptr<const Model>(std::move(model));
  }
  return Status::internal("no target in '" + options.target + "'");
}

const std::vector<ProgramIo>& Model::inputs() const { return jit_->program().inputs; }
const std::vector<ProgramIo>& Model::outputs() const { return jit_->program().outputs; }
const Program& Model::program() const { return jit_->program(); }

std::unique_ptr<Instance> Model::instance(int threads) const {
  return std::unique_ptr<Instance>(new Instance(jit_, std::max(threads, 1)));
}

Instance::Instance(std::shared_ptr<const JitProgram> jit, int threads)
    : memory_(std::make_unique<JitInstance>(std::move(jit), threads)) {
  if (threads > 1 && !has_device(*memory_->program().target) && shares_rows(memory_->program()))
    pool_ = std::make_unique<ThreadPool>(threads);
}

Instance::~Instance() = default;

int64_t Instance::arena_bytes() const { return memory_->arena_bytes(); }

Status Instance::run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs) {
  if (pool_ == nullptr) return memory_->run(inputs, outputs, nullptr);
  const ThreadPool::Run scope(*pool_);
  return memory_->run(inputs, outputs, &pool_->hook());
}

Result<std::vector<HostTensor>> Instance::run(const std::vector<HostTensor>& inputs) {
  if (pool_ == nullptr) return memory_->run(inputs, nullptr);
  const ThreadPool::Run scope(*pool_);
  return memory_->run(inputs, &pool_->hook());
}

void Instance::reset() { memory_->reset(); }

std::string file_hash(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  char out[20];
  std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(XXH3_64bits(bytes.data(), bytes.size())));
  return out;
}

}  // namespace qlathe
