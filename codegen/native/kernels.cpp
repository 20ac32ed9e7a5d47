#include "codegen/native/kernels.h"

#include <cstring>

#include "codegen/halide/object.h"
#include "schedule/kernel.h"

namespace qlathe {
namespace {

/// Part of every cache key: raise it when lowering or code generation changes what the same key gives.
constexpr const char* kCodeVersion = "qlathe-kernel-10";

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
  Result<std::vector<NativeKernel>> kernels = for_each_kernel<NativeKernel>(
      program, threads, progress,
      [&](const ProgramKernel& kernel) { return compile_kernel(kernel, *program.target, cache); });
  if (kernels.ok() && cache != nullptr) cache->trim();
  return kernels;
}

}  // namespace qlathe
