#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "codegen/native/driver.h"

namespace qlathe {

struct Program;

/// Workers that share the rows of one kernel call at a time. The caller is worker 0 and needs nobody: it takes parts
/// until none is left and waits only for parts that others have begun, so a worker that sleeps, or that the system has
/// taken off its processor, costs nothing. Idle workers spin for some microseconds, so that the kernels of one run find
/// them awake, then sleep. One run at a time per pool.
class ThreadPool {
 public:
  explicit ThreadPool(int32_t workers);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int32_t workers() const { return static_cast<int32_t>(threads_.size()) + 1; }
  /// The hook that the driver calls.
  const Parallel& hook() const { return hook_; }
  /// Wakes workers that sleep.
  void wake();

  /// A run of a program from here to the end of the scope. Workers are woken for long runs only, as far as the runs
  /// before tell: short ones are over before help would come.
  class Run {
   public:
    explicit Run(ThreadPool& pool);
    ~Run();
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

   private:
    ThreadPool& pool_;
    const bool timed_;
    std::chrono::steady_clock::time_point start_;
  };

 private:
  static void run_rows(void* context, Parallel::Task task, void* argument, int32_t rows, int32_t grain);
  void serve(int32_t worker);
  void take_parts(int32_t worker);
  /// Keeps the workers off the caller's processor: the system likes to wake a thread where its waker runs, and there it
  /// would wait for the caller to end.
  void leave_this_processor();

  bool wakes_sleepers_ = true;
  uint32_t runs_ = 0;
  int left_processor_ = -1;
  Parallel hook_;
  // The call in flight: written while no part of it is open or being computed.
  Parallel::Task task_ = nullptr;
  void* argument_ = nullptr;
  int32_t rows_ = 0, part_ = 1, parts_ = 0;
  /// Parts that nobody has begun: from the upper half's index to below the lower half's. The caller takes them from the
  /// front, the others from the back, so that from run to run the same rows stay in the same core's cache.
  alignas(64) std::atomic<uint64_t> open_{0};
  alignas(64) std::atomic<int32_t> done_{0};  ///< parts computed
  alignas(64) std::atomic<int32_t> sleeping_{0};
  std::atomic<bool> stop_{false};
  uint64_t wakes_ = 0;  ///< under mutex_
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> threads_;
};

/// Whether any call has enough rows to share.
bool shares_rows(const Program& program);

}  // namespace qlathe
