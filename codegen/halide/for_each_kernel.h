#pragma once
#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "frontend/ir/result.h"
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
  std::atomic<size_t> next{0};
  std::mutex reporting;
  int done = 0;
  const auto work = [&] {
    for (size_t i = next++; i < total; i = next++) {
      // An exception that leaves a thread would end the process.
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
    }
  };
  std::vector<std::thread> others;
  for (int t = 1; t < std::min<int>(threads, static_cast<int>(total)); t++) {
    try {
      others.emplace_back(work);
    } catch (const std::system_error&) {
      break;  // no more threads: those that there are do the work
    }
  }
  work();
  for (std::thread& other : others)
    other.join();
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
