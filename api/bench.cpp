#include "api/bench.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <thread>

#include "api/layers.h"
#include "api/machine_peak.h"
#include "api/sample_inputs.h"
#include "api/thread_pool.h"
#include "codegen/native/jit_instance.h"
#include "frontend/ops/contraction.h"
#include "schedule/device.h"

namespace qlathe {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// A loaded program with memory of its own.
class Runner {
 public:
  Runner(std::shared_ptr<const JitProgram> jit, const std::vector<HostTensor>& inputs, ThreadPool* pool)
      : jit_(std::move(jit)),
        pool_(pool),
        arena_(static_cast<size_t>(jit_->arena_bytes(pool ? pool->workers() : 1)) + 64),
        state_(static_cast<size_t>(jit_->program().state_bytes) + 64) {
    for (const HostTensor& input : inputs)
      inputs_.push_back(input.bytes());
    for (const ProgramIo& io : jit_->program().outputs)
      outputs_.emplace_back(static_cast<size_t>(io.bytes) + 64);
    for (auto& output : outputs_)
      pointers_.push_back(aligned(output));
    if (jit_->device() != nullptr) device_.emplace(jit_);
    for (const ProgramState& s : jit_->program().states)
      std::copy(s.initial.begin(), s.initial.end(), aligned(state_) + s.offset);
  }

  /// Of a program on a device.
  Status ready() const { return device_ ? device_->ready() : Status(); }
  int64_t device_bytes() const { return device_ ? device_->arena_bytes() : 0; }

  /// Seconds of `count` runs, divided by their number. On a device with the copies of inputs and outputs.
  double time(int64_t count) {
    const auto start = Clock::now();
    for (int64_t i = 0; i < count; i++) {
      if (device_) {
        (void)device_->run(inputs_, pointers_);
        continue;
      }
      std::optional<ThreadPool::Run> scope;
      if (pool_ != nullptr) scope.emplace(*pool_);
      jit_->run()(inputs_.data(), pointers_.data(), aligned(arena_), aligned(state_), pool_ ? &pool_->hook() : nullptr);
    }
    return since(start) / static_cast<double>(count);
  }

 private:
  static uint8_t* aligned(std::vector<uint8_t>& bytes) {
    return bytes.data() + (64 - reinterpret_cast<uintptr_t>(bytes.data()) % 64) % 64;
  }

  std::shared_ptr<const JitProgram> jit_;
  ThreadPool* pool_;
  std::optional<JitInstance> device_;
  std::vector<uint8_t> arena_, state_;
  std::vector<const void*> inputs_;
  std::vector<std::vector<uint8_t>> outputs_;
  std::vector<void*> pointers_;
};

/// Runs for about `seconds`; samples are of at least 20 microseconds, so that reading the clock does not show.
Timing measure(Runner& runner, double seconds) {
  runner.time(1);
  const double once = std::max(runner.time(1), 1e-9);
  const auto repeats = static_cast<int64_t>(std::max(1.0, 20e-6 / once));
  std::vector<double> samples;
  const auto start = Clock::now();
  do {
    samples.push_back(runner.time(repeats));
  } while (since(start) < seconds || samples.size() < 5);
  std::sort(samples.begin(), samples.end());
  return {samples.front(), samples[samples.size() / 2], repeats * static_cast<int64_t>(samples.size())};
}

/// Whether the products of each node, by its name, sum integers.
std::map<std::string, bool> integer_products(const Graph& graph) {
  std::map<std::string, bool> out;
  for (const Node& node : graph.nodes) {
    if (const auto* c = dynamic_cast<const ContractionAttrs*>(node.attrs.get())) {
      out[node.origin.name] = c->accumulator != ValueType::kF32;
    } else if (const auto* d = dynamic_cast<const DepthwiseAttrs*>(node.attrs.get())) {
      out[node.origin.name] = d->accumulator != ValueType::kF32;
    }
  }
  return out;
}

}  // namespace

Result<BenchReport> bench_model(const Graph& graph, const BenchOptions& options) {
  QL_ASSIGN(const Target* const target, TargetRegistry::get(options.compile.target));
  if (!target->object || !host_can_run(*target)) {
    return Status::user({"", "", "--target"}, "target " + target->name + " cannot run in this process", "use host");
  }
  QL_ASSIGN(const Graph canonical, canonical_graph(graph));
  QL_ASSIGN(const Program program, plan_program(canonical, *target));
  std::optional<ObjectCache> cache;
  if (options.compile.cache) {
    cache.emplace(options.compile.cache_folder.empty() ? ObjectCache::default_folder()
                                                       : std::filesystem::path(options.compile.cache_folder));
  }
  const auto progress = [&](int done, int total) {
    if (options.compile.progress)
      options.compile.progress("compiling kernels", static_cast<size_t>(done), static_cast<size_t>(total));
  };
  const int compilers = options.compile.threads > 0
                            ? options.compile.threads
                            : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  QL_ASSIGN(const std::vector<NativeKernel> kernels,
            compile_kernels(program, cache ? &*cache : nullptr, compilers, progress));
  QL_ASSIGN(std::shared_ptr<const JitProgram> jit, JitProgram::load(program, kernels));

  const std::vector<HostTensor> inputs = sample_inputs(canonical, 1);
  std::optional<ThreadPool> pool;
  if (options.threads > 1 && shares_rows(program)) pool.emplace(options.threads);
  ThreadPool* const parallel = pool ? &*pool : nullptr;

  BenchReport report;
  report.target = target->name;
  report.dot_instruction = target->dot.name;
  report.arena_bytes = jit->arena_bytes(options.threads);
  for (const PackedConstant& constant : program.constants)
    report.weight_bytes += static_cast<int64_t>(constant.bytes.size());
  for (const ProgramCall& call : program.calls)
    report.macs += call.macs;
  const auto measure_peaks = [&] {
    report.dot_peak = std::max(report.dot_peak, measure_dot_peak(*target));
    report.fma_peak = std::max(report.fma_peak, measure_fma_peak(*target));
  };
  measure_peaks();
  Runner whole(jit, inputs, parallel);
  QL_RETURN_IF_ERROR(whole.ready());
  if (has_device(*target)) report.arena_bytes = whole.device_bytes();
  report.time = measure(whole, options.seconds);
  measure_peaks();
  if (!options.layers) return report;

  // One call alone is a program of its own, with the memory that the whole run has just left behind.
  const std::map<std::string, bool> integer = integer_products(canonical);
  const double share = options.seconds / static_cast<double>(std::max<size_t>(program.calls.size(), 1));
  for (size_t i = 0; i < program.calls.size(); i++) {
    Program one = program;
    one.calls = {program.calls[i]};
    QL_ASSIGN(std::shared_ptr<const JitProgram> alone, JitProgram::load(std::move(one), kernels));
    Runner runner(alone, inputs, parallel);
    BenchLayer layer;
    const ProgramCall& call = program.calls[i];
    layer.name = call.origin.name;
    layer.description = call.description;
    layer.macs = call.macs;
    const auto found = integer.find(call.origin.name);
    layer.integer = found != integer.end() && found->second;
    layer.time = measure(runner, share);
    report.layers.push_back(std::move(layer));
    if (options.compile.progress) options.compile.progress("timing layers", i + 1, program.calls.size());
    measure_peaks();
  }
  return report;
}

}  // namespace qlathe
