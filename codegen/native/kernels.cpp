#include "codegen/native/kernels.h"

#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "codegen/halide/object.h"
#include "schedule/kernel.h"

namespace qlathe {
namespace {

/// Part of every cache key: raise it when lowering or code generation changes what the same key gives.
constexpr const char* kCodeVersion = "qlathe-kernel-2";

/// A cache entry: pointers, scratch bytes, object.
std::vector<uint8_t> pack(const NativeKernel& kernel) {
  std::vector<uint8_t> out(16 + kernel.object.size());
  const int64_t pointers = kernel.pointers;
  std::memcpy(out.data(), &pointers, 8);
  std::memcpy(out.data() + 8, &kernel.scratch_bytes, 8);
  std::memcpy(out.data() + 16, kernel.object.data(), kernel.object.size());
  return out;
}

bool unpack(const std::vector<uint8_t>& bytes, NativeKernel& kernel) {
  if (bytes.size() < 16) return false;
  int64_t pointers = 0;
  std::memcpy(&pointers, bytes.data(), 8);
  std::memcpy(&kernel.scratch_bytes, bytes.data() + 8, 8);
  kernel.pointers = static_cast<int>(pointers);
  kernel.object.assign(bytes.begin() + 16, bytes.end());
  return true;
}

Result<NativeKernel> compile_kernel(const ProgramKernel& kernel, const Target& target, ObjectCache* cache) {
  const std::string hash = ObjectCache::hash(std::string(kCodeVersion) + "\n" + target.halide + "\n" + kernel.key);
  NativeKernel out;
  out.symbol = "ql_" + hash;
  if (cache != nullptr) {
    if (const auto bytes = cache->load(hash); bytes && unpack(*bytes, out)) return out;
  }
  QL_ASSIGN(const LoweredKernel lowered, lower_kernel(*kernel.pipeline, target.halide));
  QL_ASSIGN(out.object, compile_object({lowered.renamed(out.symbol)}, kernel.name));
  out.scratch_bytes = lowered.scratch_bytes();
  for (const KernelParameter& p : lowered.parameters()) {
    if (p.role == ParameterRole::kInput || p.role == ParameterRole::kOutput) out.pointers++;
  }
  if (cache != nullptr) cache->store(hash, pack(out));
  return out;
}

}  // namespace

Result<std::vector<NativeKernel>> compile_kernels(const Program& program, ObjectCache* cache, int threads,
                                                  const Progress& progress) {
  const size_t total = program.kernels.size();
  std::vector<std::optional<NativeKernel>> compiled(total);
  std::vector<Status> failures(total);
  std::atomic<size_t> next{0};
  std::mutex reporting;
  int done = 0;
  const auto work = [&] {
    for (size_t i = next++; i < total; i = next++) {
      Result<NativeKernel> result = compile_kernel(program.kernels[i], *program.target, cache);
      if (result.ok())
        compiled[i] = std::move(result).value();
      else
        failures[i] = result.status().at({"", program.kernels[i].name, ""});
      const std::lock_guard<std::mutex> lock(reporting);
      if (progress) progress(++done, static_cast<int>(total));
    }
  };
  std::vector<std::thread> others;
  for (int t = 1; t < std::min<int>(threads, static_cast<int>(total)); t++)
    others.emplace_back(work);
  work();
  for (std::thread& other : others)
    other.join();
  Status problems;
  for (const Status& failure : failures)
    problems.merge(failure);
  if (!problems.ok()) return problems;
  if (cache != nullptr) cache->trim();
  std::vector<NativeKernel> out;
  for (std::optional<NativeKernel>& kernel : compiled)
    out.push_back(std::move(*kernel));
  return out;
}

}  // namespace qlathe
