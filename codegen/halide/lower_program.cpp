#include "codegen/halide/lower_program.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "schedule/kernel.h"

namespace qlathe {

Result<std::vector<LoweredKernel>> lower_program(const Program& program, int threads, const Progress& progress) {
  const size_t total = program.kernels.size();
  std::vector<std::optional<LoweredKernel>> lowered(total);
  std::vector<Status> failures(total);
  std::atomic<size_t> next{0};
  std::mutex reporting;
  int done = 0;
  const auto work = [&] {
    for (size_t i = next++; i < total; i = next++) {
      const ProgramKernel& kernel = program.kernels[i];
      Result<LoweredKernel> result = lower_kernel(*kernel.pipeline, program.target->halide);
      if (result.ok())
        lowered[i] = result->renamed(kernel.name);
      else
        failures[i] = result.status().at({"", kernel.name, ""});
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
  std::vector<LoweredKernel> out;
  for (std::optional<LoweredKernel>& kernel : lowered)
    out.push_back(std::move(*kernel));
  return out;
}

int64_t scratch_bytes(const Program& program, const std::vector<LoweredKernel>& kernels) {
  int64_t most = 0;
  for (const LoweredKernel& kernel : kernels)
    most = std::max(most, kernel.scratch_bytes());
  return (most + program.arena_alignment - 1) / program.arena_alignment * program.arena_alignment;
}

}  // namespace qlathe
