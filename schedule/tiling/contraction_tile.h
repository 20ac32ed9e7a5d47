#pragma once
/// Register tiles of contractions: which block of the result is held in registers while the reduction runs.
#include <string>

#include "schedule/lower/contraction_shape.h"
#include "schedule/target.h"

namespace qlathe {

/// The result is computed in tiles of `rows` x (`vectors` * `lanes`) channels. The channels of a group are cut into
/// `chunks` equal runs of `chunk`; within a chunk the last tile is shifted inwards where the width does not divide it,
/// as is the last tile of rows.
struct ContractionTile {
  int rows = 1;
  int vectors = 1;
  int lanes = 1;
  int64_t chunk = 1, chunks = 1;
  int streams = 1;  ///< chunks that a tile spans: one row reads its weights from that many places

  int64_t width() const { return static_cast<int64_t>(vectors) * lanes; }
  std::string text() const;  ///< "4x4x16"
};

/// What one step of the reduction costs on a target, in cycles; measured or from the vendor's tables. They only rank
/// tiles.
struct TileCosts {
  double multiply = 0.5;  ///< one vector multiply-accumulate
  double load = 0.5;      ///< one vector load or broadcast
  double latency = 5;     ///< of the multiply-accumulate
  double operand = 0;     ///< extra work on each weight vector before it is used (decoding, splitting)
  double finish = 5;      ///< epilogue of one vector
  bool shared = false;    ///< loads take the place of multiplications (small cores issue two instructions a cycle)
  int comfortable = 64;   ///< accumulators beyond which operands wait for registers (measured: 6x4 3 % behind 4x4)
  int64_t l1_bytes = 32768;
  double l2_load = 1.5;  ///< one weight vector that comes from the second level
};

struct TileRequest {
  const Target* target = nullptr;
  int64_t rows = 1;           ///< extent of the axis that is tiled
  int64_t n = 1;              ///< channels of a group
  int64_t steps = 1;          ///< steps of the whole reduction
  double bytes_per_step = 4;  ///< of weights, a channel
  int accumulators = 1;       ///< vectors a result vector needs (2 when sums of blocks are kept beside)
  int lane_bits = 32;         ///< of the accumulator
  double decode = 0;          ///< instructions a weight vector needs before use
  bool words = false;         ///< a vector of weights is one of 32-bit words that hold several steps
};

ContractionTile choose_tile(const TileRequest& request);

/// Splits the tiled axis (the last) of a shape whose outer loops are too few to share between threads, exactly.
void split_rows(ContractionShape& shape, int64_t outer_loops);

}  // namespace qlathe
