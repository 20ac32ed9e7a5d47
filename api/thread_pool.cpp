#include "api/thread_pool.h"

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

#include <algorithm>
#include <chrono>
#include <system_error>

#include "schedule/program.h"

namespace qlathe {
namespace {

/// Long enough to bridge the gap between two kernels, short enough not to burn a core of an idle program.
constexpr auto kSpin = std::chrono::microseconds(50);
/// Waking a thread up costs the caller some microseconds, and it comes fifty later. Runs between the two, which may be
/// those with help and those without of one program, stay with what was decided.
constexpr auto kLongRun = std::chrono::microseconds(60), kShortRun = std::chrono::microseconds(20);

/// Parts a worker that a call is cut into at most: enough to even out unequal speeds, few enough that the weights,
/// which every part reads, are not read too often.
constexpr int32_t kParts = 2;

/// More would only fight over the rows of a kernel.
constexpr int32_t kMaxWorkers = 1024;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

bool is_open(uint64_t range) { return (range >> 32) < (range & UINT32_MAX); }

}  // namespace

bool shares_rows(const Program& program) {
  return std::any_of(program.calls.begin(), program.calls.end(),
                     [](const ProgramCall& call) { return call.rows >= 2 * std::max(call.min_rows_per_task, 1); });
}

ThreadPool::Run::Run(ThreadPool& pool) : pool_(pool), timed_(pool.runs_ < 4 || pool.runs_ % 64 == 0) {
  pool_.runs_++;
  if (timed_) start_ = std::chrono::steady_clock::now();
  if (pool_.wakes_sleepers_) pool_.wake();
}

ThreadPool::Run::~Run() {
  if (!timed_) return;
  const auto took = std::chrono::steady_clock::now() - start_;
  if (took > kLongRun) pool_.wakes_sleepers_ = true;
  if (took < kShortRun) pool_.wakes_sleepers_ = false;
}

ThreadPool::ThreadPool(int32_t workers) {
  workers = std::min(workers, kMaxWorkers);
  for (int32_t w = 1; w < workers; w++) {
    try {
      threads_.emplace_back([this, w] { serve(w); });
    } catch (const std::system_error&) {
      break;  // the system has no more: those that it gave do the work
    }
  }
  hook_ = {this, run_rows, this->workers()};
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

void ThreadPool::leave_this_processor() {
#if defined(__linux__)
  const int here = sched_getcpu();
  if (here < 0 || here == left_processor_) return;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  CPU_CLR(static_cast<size_t>(here), &allowed);
  if (CPU_COUNT(&allowed) < static_cast<int>(threads_.size())) return;
  for (std::thread& thread : threads_)
    (void)pthread_setaffinity_np(thread.native_handle(), sizeof allowed, &allowed);
  left_processor_ = here;
#endif
}

void ThreadPool::wake() {
  if (sleeping_.load(std::memory_order_seq_cst) == 0) return;
  leave_this_processor();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    wakes_++;
  }
  wake_.notify_all();
}

void ThreadPool::run_rows(void* context, Parallel::Task task, void* argument, int32_t rows, int32_t grain) {
  auto& pool = *static_cast<ThreadPool*>(context);
  const int32_t workers = pool.workers();
  grain = std::max(grain, 1);
  // Nobody would come: then the whole is cheaper than its parts.
  const bool alone = !pool.wakes_sleepers_ && pool.sleeping_.load(std::memory_order_relaxed) == workers - 1;
  if (workers == 1 || rows < 2 * grain || alone) {
    task(argument, 0, rows, 0);
    return;
  }
  pool.part_ = std::max(grain, (rows + kParts * workers - 1) / (kParts * workers));
  pool.parts_ = (rows + pool.part_ - 1) / pool.part_;
  pool.task_ = task;
  pool.argument_ = argument;
  pool.rows_ = rows;
  pool.done_.store(0, std::memory_order_relaxed);
  // Together with serve(): either this sees who sleeps, or a worker about to sleep sees the open parts.
  pool.open_.store(static_cast<uint64_t>(pool.parts_), std::memory_order_seq_cst);
  if (pool.wakes_sleepers_) pool.wake();
  pool.take_parts(0);
  for (int spins = 0; pool.done_.load(std::memory_order_acquire) != pool.parts_; spins++) {
    if (spins < 1000)
      relax();
    else
      std::this_thread::yield();  // whoever has begun a part may be waiting for this processor
  }
}

void ThreadPool::take_parts(int32_t worker) {
  uint64_t open = open_.load(std::memory_order_acquire);
  while (is_open(open)) {
    const uint64_t left = worker == 0 ? open + (uint64_t{1} << 32) : open - 1;
    if (!open_.compare_exchange_weak(open, left, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    const int32_t begin = static_cast<int32_t>(worker == 0 ? open >> 32 : (open & UINT32_MAX) - 1) * part_;
    task_(argument_, begin, std::min(begin + part_, rows_), worker);
    done_.fetch_add(1, std::memory_order_release);
    open = open_.load(std::memory_order_acquire);
  }
}

void ThreadPool::serve(int32_t worker) {
  using Clock = std::chrono::steady_clock;
  auto until = Clock::now() + kSpin;
  while (!stop_) {
    if (is_open(open_.load(std::memory_order_acquire))) {
      take_parts(worker);
      until = Clock::now() + kSpin;
    } else if (Clock::now() < until) {
      relax();
    } else {
      std::unique_lock<std::mutex> lock(mutex_);
      const uint64_t seen = wakes_;
      sleeping_.fetch_add(1, std::memory_order_seq_cst);
      wake_.wait(lock, [&] { return wakes_ != seen || is_open(open_.load(std::memory_order_seq_cst)) || stop_; });
      sleeping_.fetch_sub(1, std::memory_order_relaxed);
      until = Clock::now() + kSpin;
    }
  }
}

}  // namespace qlathe
