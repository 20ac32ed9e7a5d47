#include "bench/speed/measure.h"

#include <fmt/format.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstring>

#include "api/machine_peak.h"
#include "api/sample_inputs.h"
#include "frontend/reference/reference_executor.h"

namespace qlathe::bench {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Memory for the results of one path.
class Outputs {
 public:
  explicit Outputs(const std::vector<HostTensor>& like) : tensors_(like) {
    for (HostTensor& tensor : tensors_) {
      std::memset(tensor.bytes(), 0x5a, tensor.byte_size());
      pointers_.push_back(tensor.bytes());
    }
  }
  const std::vector<void*>& pointers() const { return pointers_; }
  bool same(const std::vector<HostTensor>& expected) const {
    for (size_t i = 0; i < expected.size(); i++) {
      if (std::memcmp(tensors_[i].bytes(), expected[i].bytes(), expected[i].byte_size()) != 0) return false;
    }
    return true;
  }

 private:
  std::vector<HostTensor> tensors_;
  std::vector<void*> pointers_;
};

std::vector<const void*> pointers_to(const std::vector<HostTensor>& tensors) {
  std::vector<const void*> out;
  for (const HostTensor& tensor : tensors)
    out.push_back(tensor.bytes());
  return out;
}

#if defined(__x86_64__)
/// Sequential reads of the whole buffer. Only targets with AVX-512 are compared with it.
__attribute__((target("avx512f"), noinline)) void read_all(const uint8_t* data, size_t bytes) {
  __m512i sum[4] = {};
  for (size_t i = 0; i + 256 <= bytes; i += 256) {
    for (size_t j = 0; j < 4; j++)
      sum[j] = _mm512_xor_si512(sum[j], _mm512_loadu_si512(data + i + j * 64));
  }
  asm volatile("" ::"v"(sum[0]), "v"(sum[1]), "v"(sum[2]), "v"(sum[3]));
}
#else
void read_all(const uint8_t* data, size_t bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i + 8 <= bytes; i += 8) {
    uint64_t word;
    std::memcpy(&word, data + i, 8);
    sum ^= word;
  }
  asm volatile("" ::"r"(sum));
}
#endif

/// Something to run in turns with others.
struct Runner {
  std::function<void()> run;
  int64_t repeats = 1;
  double best = 1e9;

  void time() {
    const auto start = Clock::now();
    for (int64_t i = 0; i < repeats; i++)
      run();
    best = std::min(best, since(start) / static_cast<double>(repeats));
  }
  /// One sample takes a millisecond or one run: long enough that workers that slept before it do not show.
  void settle() {
    run();
    for (repeats = 1; repeats < (1 << 20); repeats *= 4) {
      best = 1e9;
      time();
      if (best * static_cast<double>(repeats) > 50e-6) break;
    }
    repeats = std::max<int64_t>(1, static_cast<int64_t>(1e-3 / best));
    best = 1e9;
  }
};

}  // namespace

Prepared prepare(const Line& line, const Settings& settings) {
  Prepared out;
  out.line = line;
  const Target* target = TargetRegistry::find(line.target);
  if (target == nullptr || !host_can_run(*target)) {
    out.not_measured = "this machine does not run " + line.target;
    return out;
  }
  const auto work = [&]() -> Status {
    QL_ASSIGN(const Graph graph, line.graph());
    out.inputs = sample_inputs(graph, 5);
    QL_ASSIGN(out.expected, run_reference(graph, out.inputs));
    for (const auto* tensors : {&out.inputs, &out.expected}) {
      for (const HostTensor& tensor : *tensors)
        out.moved_bytes += static_cast<int64_t>(tensor.byte_size());
    }
    CompileOptions options;
    options.target = line.target;
    options.threads = 1;
    QL_ASSIGN(out.model, Model::compile(graph, options));
    QL_ASSIGN(const Graph canonical, canonical_graph(graph));
    QL_ASSIGN(const Program program, plan_program(canonical, *target));
    for (const ProgramCall& call : program.calls)
      out.macs += call.macs;
    for (const PackedConstant& constant : program.constants)
      out.weight_bytes += static_cast<int64_t>(constant.bytes.size());
    if (settings.cpp) {
      QL_ASSIGN(out.emitted, compile_emitted(program, out.inputs, out.expected, settings.compilers, 1));
    }
    const std::vector<const void*> inputs = pointers_to(out.inputs);
    for (const int threads : {1, 2}) {
      if (threads > 1 && line.two_threads == 0) continue;
      const Outputs outputs(out.expected);
      QL_RETURN_IF_ERROR(out.model->instance(threads)->run(inputs, outputs.pointers()));
      if (!outputs.same(out.expected)) out.wrong += fmt::format("JIT on {} thread(s); ", threads);
    }
    for (const auto& emitted : out.emitted) {
      const Outputs outputs(out.expected);
      if (!emitted->run(inputs, outputs.pointers()) || !outputs.same(out.expected))
        out.wrong += "C++ by " + emitted->compiler() + "; ";
    }
    return {};
  };
  const Status status = work();
  if (!status.ok()) out.wrong = status.text();
  return out;
}

Measured measure(const Prepared& prepared, const Prepared* under, const Settings& settings) {
  const Line& line = prepared.line;
  const Target& target = *TargetRegistry::find(line.target);
  const std::vector<const void*> inputs = pointers_to(prepared.inputs);
  const Outputs outputs(prepared.expected);
  std::vector<Runner> runners;
  const auto jit = [](Instance& instance, const std::vector<const void*>& in, const Outputs& out) {
    return [&instance, &in, &out] { QL_CHECK(instance.run(in, out.pointers()).ok(), "run"); };
  };
  const auto one = prepared.model->instance(1), two = prepared.model->instance(2);
  runners.push_back({jit(*one, inputs, outputs)});
  for (const auto& emitted : prepared.emitted) {
    EmittedModel* const model = emitted.get();
    runners.push_back({[model, &inputs, &outputs] { model->run(inputs, outputs.pointers()); }});
  }
  std::unique_ptr<Instance> other;
  std::vector<const void*> other_inputs;
  std::optional<Outputs> other_outputs;
  if (under != nullptr) {
    other = under->model->instance(1);
    other_inputs = pointers_to(under->inputs);
    other_outputs.emplace(under->expected);
    runners.push_back({jit(*other, other_inputs, *other_outputs)});
  }
  const bool reads = line.against == Against::kBandwidth || line.against == Against::kWeightOnly;
  const auto bytes = static_cast<size_t>(prepared.weight_bytes);
  const Memory words = make_memory(reads ? bytes : 0);
  std::vector<uint8_t> from(line.against == Against::kCopy ? static_cast<size_t>(prepared.moved_bytes) / 2 : 0, 1),
      to = from;
  if (reads) runners.push_back({[&words, bytes] { read_all(static_cast<const uint8_t*>(words.get()), bytes); }});
  if (line.against == Against::kCopy) {
    runners.push_back({[&from, &to] {
      std::memcpy(to.data(), from.data(), from.size());
      asm volatile("" ::"r"(to.data()) : "memory");
    }});
  }
  for (Runner& runner : runners)
    runner.settle();
  double dot = 0, fma = 0;
  const auto start = Clock::now();
  size_t first = 0;
  for (int round = 0; round < 10 || since(start) < settings.seconds; round++) {
    // Each begins in turn, so that none always finds the caches as the same other leaves them.
    for (size_t i = 0; i < runners.size(); i++)
      runners[(first + i) % runners.size()].time();
    first++;
    if (line.against == Against::kDotPeak) dot = std::max(dot, measure_dot_peak(target));
    if (line.against == Against::kWeightOnly) fma = std::max(fma, measure_fma_peak(target));
  }

  Measured out;
  size_t next = 0;
  out.seconds = runners[next++].best;
  for (const auto& emitted : prepared.emitted)
    out.cpp.emplace_back(emitted->compiler(), runners[next++].best);
  if (line.two_threads > 0) {
    // In turns with one thread, but apart from the rest: a second core leaves results in its own cache, which the next
    // one to write them has to fetch.
    const Outputs own(prepared.expected);
    Runner alone{jit(*one, inputs, outputs)}, both{jit(*two, inputs, own)};
    alone.settle();
    both.settle();
    // Runs that follow each other: the first of a sample may find the worker asleep.
    alone.repeats *= 5;
    both.repeats *= 5;
    const auto begun = Clock::now();
    for (int round = 0; round < 10 || since(begun) < settings.seconds / 2; round++) {
      alone.time();
      both.time();
    }
    out.two_threads = both.best;
    out.seconds = std::min(out.seconds, alone.best);
  }
  if (under != nullptr) out.other = runners[next++].best;
  const auto macs = static_cast<double>(prepared.macs);
  switch (line.against) {
    case Against::kDotPeak:
      if (dot > 0) out.reference = macs / dot;
      out.against = fmt::format("{:.0f} GOP/s {}", 2e-9 * dot, target.dot.name);
      break;
    case Against::kBandwidth:
      out.reference = runners[next].best;
      out.against = fmt::format("{:.1f} GB/s read", 1e-9 * static_cast<double>(prepared.weight_bytes) / out.reference);
      break;
    case Against::kWeightOnly: {
      const double bandwidth = runners[next].best, sums = fma > 0 ? macs / fma : 0;
      out.reference = std::max(bandwidth, sums);
      out.against = bandwidth >= sums
                        ? fmt::format("{:.1f} GB/s read", 1e-9 * static_cast<double>(prepared.weight_bytes) / bandwidth)
                        : fmt::format("{:.0f} GFLOP/s fma", 2e-9 * fma);
      break;
    }
    case Against::kCopy:
      out.reference = runners[next].best;
      out.against = fmt::format("{:.1f} GB/s copy", 1e-9 * static_cast<double>(prepared.moved_bytes) / out.reference);
      break;
    case Against::kNothing:
      break;
  }
  return out;
}

}  // namespace qlathe::bench
