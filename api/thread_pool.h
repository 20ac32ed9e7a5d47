#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "codegen/native/driver.h"

namespace qlathe {

/// Workers that share the rows of one kernel call at a time. The caller is worker 0. Idle workers spin for some
/// microseconds before they sleep, so that the kernels of one run find them awake. One run at a time per pool.
class ThreadPool {
 public:
  explicit ThreadPool(int32_t workers);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int32_t workers() const { return static_cast<int32_t>(threads_.size()) + 1; }
  /// The hook that the driver calls.
  const Parallel& hook() const { return hook_; }

 private:
  static void run_rows(void* context, Parallel::Task task, void* argument, int32_t rows, int32_t grain);
  void serve(int32_t worker);
  void take_parts(int32_t worker);

  Parallel hook_;
  Parallel::Task task_ = nullptr;
  void* argument_ = nullptr;
  int32_t rows_ = 0, part_ = 1;
  std::atomic<int32_t> next_{0};
  std::atomic<int32_t> busy_{0};
  std::atomic<uint64_t> generation_{0};
  std::atomic<bool> stop_{false};
  std::atomic<int32_t> sleeping_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> threads_;
};

}  // namespace qlathe
