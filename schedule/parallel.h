#pragma once
#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

namespace qlathe {

/// work(i) for every i below `count`, each once, on at most `threads` threads, this one included. `work` must not
/// throw: an exception that leaves a thread would end the process.
template <class Work>
void for_each_index(size_t count, int threads, const Work& work) {
  std::atomic<size_t> next{0};
  const auto take = [&] {
    for (size_t i = next++; i < count; i = next++)
      work(i);
  };
  std::vector<std::thread> others;
  for (int t = 1; t < threads && static_cast<size_t>(t) < count; t++) {
    try {
      others.emplace_back(take);
    } catch (const std::system_error&) {
      break;  // no more threads: those that there are do the work
    }
  }
  take();
  for (std::thread& other : others)
    other.join();
}

}  // namespace qlathe
