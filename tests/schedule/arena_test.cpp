#include "schedule/memory/arena.h"

#include <gtest/gtest.h>

#include <random>

namespace qlathe {
namespace {

void expect_valid(const std::vector<ArenaRequest>& requests, const ArenaPlan& plan, int64_t alignment) {
  ASSERT_EQ(plan.offsets.size(), requests.size());
  for (size_t i = 0; i < requests.size(); i++) {
    EXPECT_EQ(plan.offsets[i] % alignment, 0) << "buffer " << i;
    EXPECT_LE(plan.offsets[i] + requests[i].bytes, plan.bytes) << "buffer " << i;
    for (size_t j = 0; j < i; j++) {
      const bool in_time = requests[i].first <= requests[j].last && requests[j].first <= requests[i].last;
      const bool in_space = plan.offsets[i] < plan.offsets[j] + requests[j].bytes &&
                            plan.offsets[j] < plan.offsets[i] + requests[i].bytes;
      EXPECT_FALSE(in_time && in_space) << "buffers " << j << " and " << i << " overlap";
    }
  }
  EXPECT_GE(plan.bytes, plan.lower_bound);
}

TEST(Arena, ChainOfEqualBuffersNeedsTwo) {
  std::vector<ArenaRequest> requests;
  for (int i = 0; i < 10; i++)
    requests.push_back({1000, i, i + 1});
  const ArenaPlan plan = plan_arena(requests, 64);
  expect_valid(requests, plan, 64);
  EXPECT_EQ(plan.bytes, 2 * 1024);
  EXPECT_EQ(plan.lower_bound, 2 * 1024);
}

TEST(Arena, NothingToPlaceIsEmpty) {
  const ArenaPlan plan = plan_arena({}, 64);
  EXPECT_EQ(plan.bytes, 0);
  EXPECT_EQ(plan.lower_bound, 0);
}

TEST(Arena, LiveBuffersNeverOverlapOnRandomRequests) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; round++) {
    std::vector<ArenaRequest> requests(1 + random() % 40);
    for (ArenaRequest& r : requests) {
      r.bytes = 1 + static_cast<int64_t>(random() % 5000);
      r.first = static_cast<int>(random() % 30);
      r.last = r.first + static_cast<int>(random() % 6);
    }
    expect_valid(requests, plan_arena(requests, 64), 64);
  }
}

TEST(Arena, SearchReachesTheBoundWhereNoHeuristicDoes) {
  std::mt19937 random(3);
  int searched = 0;
  for (int round = 0; round < 60; round++) {
    std::vector<ArenaRequest> requests(24);
    for (ArenaRequest& r : requests) {
      r.bytes = 64 * static_cast<int64_t>(1 + random() % 40);
      r.first = static_cast<int>(random() % 20);
      r.last = r.first + static_cast<int>(random() % 8);
    }
    const ArenaPlan plan = plan_arena(requests, 64);
    expect_valid(requests, plan, 64);
    EXPECT_LE(plan.bytes, plan.lower_bound + plan.lower_bound / 10) << "round " << round;
    searched += plan.method == "search" ? 1 : 0;
  }
  EXPECT_GT(searched, 0) << "no round needed the search: the test shows nothing of it";
}

TEST(Arena, PeakIsTheFirstCallWithTheMostLiveBytes) {
  const ArenaPlan plan = plan_arena({{100, 0, 1}, {200, 1, 2}, {300, 2, 3}, {200, 4, 4}, {292, 4, 4}}, 4);
  EXPECT_EQ(plan.peak, 2);
  EXPECT_EQ(plan.lower_bound, 500);
}

TEST(Arena, SameRequestsGiveTheSamePlan) {
  const std::vector<ArenaRequest> requests = {{100, 0, 2}, {300, 1, 3}, {100, 2, 4}, {300, 0, 1}};
  EXPECT_EQ(plan_arena(requests, 16).offsets, plan_arena(requests, 16).offsets);
}

}  // namespace
}  // namespace qlathe
