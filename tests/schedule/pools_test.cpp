#include "schedule/memory/pools.h"

#include <gtest/gtest.h>

#include <random>

namespace qlathe {
namespace {

TEST(Pools, LiveBuffersNeverOverlapAndEveryPoolKeepsItsLimit) {
  std::mt19937 random(5);
  int planned = 0, refused = 0;
  for (int round = 0; round < 200; round++) {
    std::vector<ArenaRequest> requests(1 + random() % 30);
    std::vector<int> uses;
    for (ArenaRequest& r : requests) {
      r.bytes = 1 + static_cast<int64_t>(random() % 4000);
      r.first = static_cast<int>(random() % 30);
      r.last = r.first + static_cast<int>(random() % 6);
      uses.push_back(1 + static_cast<int>(random() % 4));
    }
    const std::vector<PoolLimit> pools = {{"fast", 64 * static_cast<int64_t>(random() % 80)},
                                          {"slow", 64 * static_cast<int64_t>(random() % 400)}};
    const PooledPlan plan = plan_pools(requests, uses, pools, 64);
    if (plan.unplaced >= 0) {
      refused++;
      continue;
    }
    planned++;
    ASSERT_EQ(plan.offsets.size(), requests.size());
    for (size_t p = 0; p < pools.size(); p++) {
      EXPECT_LE(plan.bytes[p], pools[p].bytes) << pools[p].name;
      EXPECT_EQ(plan.starts[p] % 64, 0);
    }
    EXPECT_LE(plan.starts[0] + plan.bytes[0], plan.starts[1]);
    for (size_t i = 0; i < requests.size(); i++) {
      const int64_t begin = plan.offsets[i], end = begin + requests[i].bytes;
      const bool in_fast = end <= plan.starts[0] + plan.bytes[0];
      const bool in_slow = begin >= plan.starts[1] && end <= plan.starts[1] + plan.bytes[1];
      EXPECT_TRUE(in_fast || in_slow) << "buffer " << i << " is in no pool";
      for (size_t j = 0; j < i; j++) {
        const bool in_time = requests[i].first <= requests[j].last && requests[j].first <= requests[i].last;
        const bool in_space = begin < plan.offsets[j] + requests[j].bytes && plan.offsets[j] < end;
        EXPECT_FALSE(in_time && in_space) << "buffers " << j << " and " << i << " overlap";
      }
    }
  }
  EXPECT_GT(planned, 50);
  EXPECT_GT(refused, 20);
}

TEST(Pools, WhatIsUsedMostIsInTheFastPool) {
  // Both live all the time; only one fits into the fast pool.
  const PooledPlan plan = plan_pools({{1000, 0, 9}, {1000, 0, 9}}, {2, 8}, {{"fast", 1024}, {"slow", 4096}}, 64);
  ASSERT_EQ(plan.unplaced, -1);
  EXPECT_EQ(plan.offsets[1], 0) << "eight uses";
  EXPECT_EQ(plan.offsets[0], plan.starts[1]) << "two uses";
}

TEST(Pools, ABufferThatFitsNowhereIsNamed) {
  const PooledPlan plan = plan_pools({{100, 0, 1}, {5000, 1, 2}}, {2, 2}, {{"fast", 1024}, {"slow", 4096}}, 64);
  EXPECT_EQ(plan.unplaced, 1);
}

}  // namespace
}  // namespace qlathe
