#pragma once
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "frontend/ir/result.h"
#include "schedule/parallel.h"
#include "schedule/program.h"

namespace qlathe {

/// Called with (done, total) from any thread, one call at a time.
using Progress = std::function<void(int, int)>;

/// `make(kernel)` for every kernel of the program on `threads` threads: the results in the program's order, or every
/// failure with the kernel's name. Neither depends on the number of threads.
template <class T, class Make>
Result<std::vector<T>> for_each_kernel(const Program& program, int threads, const Progress& progress,
                                       const Make& make) {
  const size_t total = program.kernels.size();
  std::vector<std::optional<T>> made(total);
  std::vector<Status> failures(total);
  std::mutex reporting;
  int done = 0;
  for_each_index(total, threads, [&](size_t i) {
    Result<T> result = [&]() -> Result<T> {
      try {
        return make(program.kernels[i]);
      } catch (const std::exception& error) {
        return Status::internal(error.what());
      }
    }();
    if (result.ok())
      made[i] = std::move(result).value();
    else
      failures[i] = result.status().at({"", program.kernels[i].name, ""});
    const std::lock_guard<std::mutex> lock(reporting);
    if (progress) progress(++done, static_cast<int>(total));
  });
  Status problems;
  for (const Status& failure : failures)
    problems.merge(failure);
  if (!problems.ok()) return problems;
  std::vector<T> out;
  for (std::optional<T>& kernel : made)
    out.push_back(std::move(*kernel));
  return out;
}

}  // namespace qlathe
