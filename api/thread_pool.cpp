#include "api/thread_pool.h"

#include <algorithm>
#include <chrono>

namespace qlathe {
namespace {

/// Long enough to bridge the gap between two kernels, short enough not to burn a core of an idle program.
constexpr auto kSpin = std::chrono::microseconds(50);

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int32_t workers) {
  hook_ = {this, run_rows, std::max(workers, 1)};
  for (int32_t w = 1; w < workers; w++)
    threads_.emplace_back([this, w] { serve(w); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_)
    thread.join();
}

void ThreadPool::run_rows(void* context, Parallel::Task task, void* argument, int32_t rows, int32_t grain) {
  auto& pool = *static_cast<ThreadPool*>(context);
  const int32_t workers = pool.workers();
  // Up to four parts a worker even out unequal speeds; a part is never below the grain.
  const int32_t part = std::max({grain, (rows + 4 * workers - 1) / (4 * workers), 1});
  if (workers == 1 || rows <= part) {
    task(argument, 0, rows, 0);
    return;
  }
  pool.task_ = task;
  pool.argument_ = argument;
  pool.rows_ = rows;
  pool.part_ = part;
  pool.next_.store(0, std::memory_order_relaxed);
  pool.busy_.store(workers - 1, std::memory_order_relaxed);
  pool.generation_.fetch_add(1, std::memory_order_seq_cst);
  if (pool.sleeping_.load(std::memory_order_seq_cst) > 0) {
    { const std::lock_guard<std::mutex> lock(pool.mutex_); }
    pool.wake_.notify_all();
  }
  pool.take_parts(0);
  while (pool.busy_.load(std::memory_order_acquire) != 0)
    relax();
}

void ThreadPool::take_parts(int32_t worker) {
  for (int32_t begin = next_.fetch_add(part_); begin < rows_; begin = next_.fetch_add(part_)) {
    task_(argument_, begin, std::min(begin + part_, rows_), worker);
  }
}

void ThreadPool::serve(int32_t worker) {
  uint64_t seen = 0;
  while (true) {
    const auto until = std::chrono::steady_clock::now() + kSpin;
    while (generation_.load(std::memory_order_acquire) == seen && !stop_) {
      if (std::chrono::steady_clock::now() < until) {
        relax();
        continue;
      }
      std::unique_lock<std::mutex> lock(mutex_);
      sleeping_.fetch_add(1, std::memory_order_seq_cst);
      wake_.wait(lock, [&] { return generation_.load(std::memory_order_seq_cst) != seen || stop_; });
      sleeping_.fetch_sub(1, std::memory_order_relaxed);
    }
    if (stop_) return;
    seen++;
    take_parts(worker);
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace qlathe
