// Rows are computed once each, whoever is awake.
#include "api/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace qlathe {
namespace {

struct Counts {
  std::vector<std::atomic<int>> rows;
  std::atomic<int> calls{0}, wrong_worker{0};
  int32_t workers = 1;
  explicit Counts(size_t n) : rows(n) {}

  static void task(void* argument, int32_t begin, int32_t end, int32_t worker) {
    auto& counts = *static_cast<Counts*>(argument);
    counts.calls++;
    if (worker < 0 || worker >= counts.workers) counts.wrong_worker++;
    for (int32_t row = begin; row < end; row++)
      counts.rows[static_cast<size_t>(row)]++;
  }
};

void expect_once(ThreadPool& pool, int32_t rows, int32_t grain) {
  Counts counts(static_cast<size_t>(rows));
  counts.workers = pool.workers();
  pool.hook().run(pool.hook().context, Counts::task, &counts, rows, grain);
  for (size_t row = 0; row < counts.rows.size(); row++)
    ASSERT_EQ(counts.rows[row], 1) << "row " << row << " of " << rows << ", grain " << grain;
  EXPECT_EQ(counts.wrong_worker, 0);
  EXPECT_LE(counts.calls, std::max(1, rows / std::max(grain, 1)) + 1);
}

TEST(ThreadPoolTest, EveryRowIsComputedOnceInRunsThatFollowEachOther) {
  for (const int workers : {1, 2, 5}) {
    ThreadPool pool(workers);
    for (int round = 0; round < 4000; round++) {
      const ThreadPool::Run run(pool);
      expect_once(pool, round % 37, 1 + round % 5);
    }
  }
}

TEST(ThreadPoolTest, EveryRowIsComputedOnceWhenWorkersSleep) {
  ThreadPool pool(3);
  for (int round = 0; round < 40; round++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const ThreadPool::Run run(pool);
    expect_once(pool, 64, 1);
  }
}

TEST(ThreadPoolTest, WorkTooSmallToShareStaysWithTheCaller) {
  ThreadPool pool(2);
  Counts counts(7);
  counts.workers = 1;
  pool.hook().run(pool.hook().context, Counts::task, &counts, 7, 4);
  EXPECT_EQ(counts.calls, 1);
  EXPECT_EQ(counts.wrong_worker, 0);
}

}  // namespace
}  // namespace qlathe
