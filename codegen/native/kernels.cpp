#include "codegen/native/kernels.h"

#include <cstring>
#include <sstream>

#include "codegen/halide/object.h"
#include "schedule/device.h"
#include "schedule/kernel.h"

namespace qlathe {
namespace {

/// Part of every cache key: raise it when lowering or code generation changes what the same key gives.
constexpr const char* kCodeVersion = "qlathe-kernel-19";

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

/// A device kernel as text: numbers, then the source.
std::vector<uint8_t> pack_device(const NativeKernel& kernel) {
  std::ostringstream out;
  out << kernel.pointers << " ";
  for (size_t i = 0; i < kernel.element_bytes.size(); i++)
    out << kernel.element_bytes[i] << " " << kernel.pointer_bytes[i] << " ";
  out << kernel.device.launches.size() << " ";
  for (const DeviceLaunch& launch : kernel.device.launches) {
    out << launch.entry << " " << launch.blocks << " " << launch.threads << " " << launch.arguments.size() << " ";
    for (const int32_t argument : launch.arguments)
      out << argument << " ";
  }
  out << kernel.device.source.size() << "\n" << kernel.device.source;
  const std::string text = out.str();
  return {text.begin(), text.end()};
}

bool unpack_device(const std::vector<uint8_t>& bytes, NativeKernel& kernel) {
  std::istringstream in(std::string(bytes.begin(), bytes.end()));
  size_t launches = 0, size = 0;
  in >> kernel.pointers;
  if (!in || kernel.pointers < 0 || static_cast<size_t>(kernel.pointers) > bytes.size()) return false;
  kernel.element_bytes.resize(static_cast<size_t>(kernel.pointers));
  kernel.pointer_bytes.resize(static_cast<size_t>(kernel.pointers));
  for (size_t i = 0; i < kernel.element_bytes.size(); i++)
    in >> kernel.element_bytes[i] >> kernel.pointer_bytes[i];
  in >> launches;
  if (!in || launches > bytes.size()) return false;
  kernel.device.launches.resize(launches);
  for (DeviceLaunch& launch : kernel.device.launches) {
    size_t arguments = 0;
    in >> launch.entry >> launch.blocks >> launch.threads >> arguments;
    if (!in || arguments > bytes.size()) return false;
    launch.arguments.resize(arguments);
    for (int32_t& argument : launch.arguments)
      in >> argument;
  }
  in >> size;
  if (!in || in.get() != '\n' || size > bytes.size()) return false;
  kernel.device.source.resize(size);
  in.read(kernel.device.source.data(), static_cast<std::streamsize>(size));
  return in.gcount() == static_cast<std::streamsize>(size);
}

int bytes_of_type(const std::string& type) { return std::stoi(type.substr(1)) / 8; }

Result<NativeKernel> compile_device_kernel(const ProgramKernel& kernel, const Target& target, const std::string& hash,
                                           ObjectCache* cache) {
  NativeKernel out;
  out.symbol = "ql_" + hash;
  if (cache != nullptr) {
    if (const auto bytes = cache->load(hash); bytes && unpack_device(*bytes, out)) return out;
  }
  QL_ASSIGN(const LoweredKernel lowered, lower_kernel(*kernel.pipeline, target.halide));
  QL_ASSIGN(out, native_device_kernel(lowered.renamed(out.symbol)));
  if (cache != nullptr) cache->store(hash, pack_device(out));
  return out;
}

Result<NativeKernel> compile_kernel(const ProgramKernel& kernel, const Target& target, ObjectCache* cache) {
  const std::string hash = ObjectCache::hash(std::string(kCodeVersion) + "\n" + target.halide + "\n" + kernel.key);
  if (has_device(target)) return compile_device_kernel(kernel, target, hash, cache);
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

Result<NativeKernel> native_device_kernel(const LoweredKernel& lowered) {
  NativeKernel out;
  out.symbol = lowered.name();
  QL_ASSIGN(out.device, compile_device_code(lowered));
  for (const KernelParameter& p : lowered.parameters()) {
    QL_CHECK(p.role == ParameterRole::kInput || p.role == ParameterRole::kOutput, p.name);
    out.pointers++;
    out.element_bytes.push_back(bytes_of_type(p.type));
    out.pointer_bytes.push_back(p.bytes);
  }
  return out;
}

Result<std::vector<NativeKernel>> compile_kernels(const Program& program, ObjectCache* cache, int threads,
                                                  const Progress& progress) {
  Result<std::vector<NativeKernel>> kernels = for_each_kernel<NativeKernel>(
      program, threads, progress,
      [&](const ProgramKernel& kernel) { return compile_kernel(kernel, *program.target, cache); });
  if (kernels.ok() && cache != nullptr) cache->trim();
  return kernels;
}

}  // namespace qlathe
