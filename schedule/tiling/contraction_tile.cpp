#include "schedule/tiling/contraction_tile.h"

#include <algorithm>
#include <limits>

#include "schedule/device.h"

namespace qlathe {
namespace {

TileCosts costs_of(const Target& target) {
  if (target.dot.name == "vpdpbusd")
    return {.multiply = 0.5, .load = 0.5, .latency = 5, .finish = 2.5, .comfortable = 20};
  // A multiplication of words and its addition, on three ports.
  if (target.dot.name == "vpmaddwd") return {.multiply = 0.67, .load = 0.5, .latency = 3, .operand = 0.5};
  if (target.vector_bits == 256) return {.multiply = 1.5, .load = 0.5, .latency = 6, .operand = 1.5};
  if (target.dot.name == "sdot" || target.dot.name == "usdot")
    return {.multiply = 0.5, .load = 0.5, .latency = 4, .shared = true};
  if (target.dot.name == "smull") return {.multiply = 1, .load = 0.5, .latency = 4, .shared = true};
  return {.multiply = 2, .load = 0.5, .latency = 6, .operand = 1};
}

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The chunking of n channels for a width: the fewest tiles, then the most chunks.
std::pair<int64_t, int64_t> chunks_for(int64_t n, int64_t width) {
  int64_t best_tiles = std::numeric_limits<int64_t>::max(), best = 1;
  for (int64_t d = 1; d * width <= n; d++) {
    if (n % d != 0) continue;
    const int64_t tiles = d * ceil_div(n / d, width);
    if (tiles <= best_tiles) {
      best_tiles = tiles;
      best = d;
    }
  }
  return {best, best_tiles};
}

/// Bytes that become floats: one line of weights a step from each of several panels instead of several lines from one.
/// The processor's prefetching follows every stream for itself (float by int8: one stream 915 us, four 750, reading
/// alone 740); dot products, four instructions a line at most, leave it room enough as they are.
void split_streams(const TileRequest& request, ContractionTile& tile) {
  const int line = request.words ? 1 : static_cast<int>(64 / (request.bytes_per_step * tile.lanes));
  if ((line < 4 && !request.words) || line >= tile.vectors || tile.vectors % line != 0) return;
  const int streams = tile.vectors / line;
  const int64_t chunk = int64_t{line} * tile.lanes;
  if (request.n % (chunk * streams) != 0) return;
  tile.vectors = line;
  tile.streams = streams;
  tile.chunk = chunk;
  tile.chunks = request.n / chunk;
}

}  // namespace

std::string ContractionTile::text() const {
  return std::to_string(rows) + "x" + std::to_string(vectors) + "x" + std::to_string(lanes) +
         (streams > 1 ? "x" + std::to_string(streams) : "");
}

ContractionTile choose_tile(const TileRequest& request) {
  const Target& target = *request.target;
  ContractionTile best;
  if (!target.vectorize) {
    // Plain C++: the compiler vectorizes the loop over channels if it can. A microcontroller has twelve registers, of
    // which four hold sums.
    const bool few = target.max_accumulators <= 4;
    best.rows = static_cast<int>(std::min<int64_t>(few ? 2 : 4, request.rows));
    best.vectors = static_cast<int>(std::min<int64_t>(few ? 2 : 16, request.n));
    // On a device a thread holds the tile in its registers.
    if (has_device(target)) best.vectors = static_cast<int>(std::min<int64_t>(4, request.n));
    std::tie(best.chunks, std::ignore) = chunks_for(request.n, best.vectors);
    best.chunk = request.n / best.chunks;
    return best;
  }
  const TileCosts cost = costs_of(target);
  const int max_lanes = target.lanes(request.lane_bits);
  // Weights that one row streams through: wide rows of a panel keep more lines on their way than a narrow one, whose
  // arithmetic fills the processor's window (float by int8: 4 vectors 1632 us, 8 1232, 16 915).
  const bool streams =
      request.rows == 1 && static_cast<double>(request.steps * request.n) * request.bytes_per_step >= 1e6;
  // The many parts of a word in flight for more than four vectors do not fit into registers.
  const int most = request.words ? 4 : streams ? 16 : 8;
  double best_cycles = std::numeric_limits<double>::max();
  for (int lanes = max_lanes; lanes >= 1; lanes /= 2) {
    if (lanes > request.n || (lanes < 4 && request.n >= 4 && max_lanes >= 4)) continue;
    for (int vectors = 1; vectors * lanes <= request.n && vectors <= most; vectors++) {
      const auto [chunks, n_tiles] = chunks_for(request.n, int64_t{vectors} * lanes);
      for (int rows = 1; rows <= request.rows && rows <= 16; rows++) {
        const int held = rows * vectors * request.accumulators;
        if (held > std::max(target.max_accumulators, request.accumulators)) break;
        const double multiply = rows * vectors * cost.multiply;
        const double load = (rows + vectors) * cost.load;
        const double decode = vectors * (cost.operand + request.decode);
        const double panel = static_cast<double>(request.steps) * request.bytes_per_step * vectors * lanes;
        const double l2 = panel > static_cast<double>(cost.l1_bytes) ? vectors * cost.l2_load : 0;
        // Weights that miss the first cache are waited for: with panels of 64 KB 512x512x512 stayed at 57-73 % of the
        // peak.
        const double work = multiply + decode * cost.multiply + (cost.shared ? load : 0);
        double step = std::max({work, load, cost.latency}) + l2 + (streams ? 2 : 0);
        if (held > cost.comfortable) step *= 1.03;
        const double tile = step * static_cast<double>(request.steps) + held * cost.finish + 12;
        const double cycles = tile * static_cast<double>(n_tiles * ceil_div(request.rows, rows));
        if (cycles < best_cycles * 0.999) {
          best_cycles = cycles;
          best = {rows, vectors, lanes, request.n / chunks, chunks};
        }
      }
    }
    if (lanes <= request.n && lanes * 2 > max_lanes && request.n >= 4 * lanes) break;  // narrower cannot be better
  }
  if (streams && best.rows == 1 && request.accumulators == 1) split_streams(request, best);
  return best;
}

void split_rows(ContractionShape& shape, int64_t outer_loops) {
  RowAxis& axis = shape.rows.back();
  constexpr int64_t kWanted = 16, kLeast = 24;
  if (outer_loops >= kWanted || axis.extent < 2 * kLeast) return;
  int64_t outer = 1;
  for (int64_t d = 2; axis.extent / d >= kLeast; d++) {
    if (axis.extent % d != 0) continue;
    outer = d;
    if (outer * outer_loops >= kWanted) break;
  }
  if (outer == 1) return;
  RowAxis upper = axis;
  axis.extent /= outer;
  upper.extent = outer;
  upper.name = axis.name + "r";
  upper.lhs_stride *= axis.extent;
  upper.rhs_stride *= axis.extent;
  upper.out_stride *= axis.extent;
  upper.group_stride *= axis.extent;
  shape.rows.insert(shape.rows.end() - 1, upper);
}

}  // namespace qlathe
