#include "api/row_streaming.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "schedule/strips/stream_rows.h"

namespace qlathe {
namespace {

/// What a run needs beside arena and states: the stack and small scratch of kernels, which are known once they are
/// compiled.
constexpr int64_t kBesideArena = 1024;
constexpr int kTries = 5;

int64_t bytes_of(const Program& program) { return program.arena_bytes + program.state_bytes; }

std::vector<std::string> notes_of(const StreamedGraph& streamed, const Program& before, const Program& after) {
  std::vector<std::string> notes = describe(streamed);
  notes.push_back(fmt::format("strips take {} bytes of arena instead of {}, {} kernels instead of {}",
                              after.arena_bytes, before.arena_bytes, after.kernels.size(), before.kernels.size()));
  return notes;
}

Result<PlannedGraph> plan_in_one(Graph canonical, const Target& target, RowStreaming streaming,
                                 const std::optional<int64_t>& ram, int threads, const StageProgress& progress) {
  QL_ASSIGN(Program whole, plan_program(canonical, target, threads));
  const bool always = streaming == RowStreaming::kAlways;
  const int64_t limit = ram ? *ram - kBesideArena : 0;
  const bool wanted = always || (streaming == RowStreaming::kToFit && ram && bytes_of(whole) > limit);
  if (!wanted) return PlannedGraph{std::move(canonical), std::move(whole), {}};
  PlannedGraph best;
  int64_t best_bytes = bytes_of(whole);
  // The planner places buffers that the estimate does not know: what is too much for one try is taken off the next.
  int64_t enough = always ? 0 : std::max<int64_t>(0, limit - bytes_of(whole) + live_peak_bytes(canonical));
  for (int i = 0; i < kTries; i++) {
    QL_ASSIGN(StreamedGraph streamed, stream_rows(canonical, enough, [&](size_t done, size_t of) {
                if (progress) progress("cutting rows", done, of);
              }));
    if (streamed.chains.empty()) break;
    QL_ASSIGN(Program program, plan_program(streamed.graph, target, threads));
    const int64_t bytes = bytes_of(program);
    if (bytes < best_bytes) {
      best_bytes = bytes;
      best.notes = notes_of(streamed, whole, program);
      best.graph = std::move(streamed.graph);
      best.program = std::move(program);
    }
    if (always || bytes <= limit || enough == 0) break;
    enough = i + 2 == kTries ? 0 : std::max<int64_t>(0, enough - (bytes - limit));
  }
  if (best.notes.empty()) return PlannedGraph{std::move(canonical), std::move(whole), {}};
  return best;
}

}  // namespace

Result<PlannedGraph> plan_rows(Graph canonical, const Target& target, RowStreaming streaming,
                               const std::optional<int64_t>& ram, int threads, const StageProgress& progress,
                               const std::vector<PoolLimit>& pools) {
  std::optional<int64_t> room = ram;
  if (!room && !pools.empty()) {
    room = std::accumulate(pools.begin(), pools.end(), kBesideArena,
                           [](int64_t sum, const PoolLimit& pool) { return sum + pool.bytes; });
  }
  QL_ASSIGN(PlannedGraph planned, plan_in_one(std::move(canonical), target, streaming, room, threads, progress));
  if (!pools.empty()) {
    QL_ASSIGN(planned.program, plan_program(planned.graph, target, threads, pools));
  }
  return planned;
}

}  // namespace qlathe
