#pragma once
/// What is measured, and what it should reach.
#include <functional>
#include <string>
#include <vector>

#include "frontend/ir/graph.h"
#include "frontend/ir/result.h"

namespace qlathe::bench {

/// What a line's time is compared with, measured in turns with it.
enum class Against {
  kDotPeak,     ///< the dot instruction of the line's target on registers alone
  kBandwidth,   ///< repeated reads of a buffer of the packed weights' size
  kWeightOnly,  ///< the larger of that and of the multiply-adds on registers alone
  kCopy,        ///< copying the bytes of the inputs and outputs, half of them each
  kNothing,
};

struct Line {
  std::string group, name;
  std::string target;
  std::function<Result<Graph>()> graph;
  Against against = Against::kNothing;
  /// Aims; 0 where there is none.
  double share = 0;         ///< of what it is compared with
  double microseconds = 0;  ///< at most
  double gops = 0;          ///< at least
  double cpp = 0;           ///< speed of the emitted C++ as a fraction of the JIT's
  double two_threads = 0;   ///< times one thread
  std::string under;        ///< name of a line, measured in turns with this one, whose time
  double under_share = 0;   ///< this line takes at most this part of
};

std::vector<Line> speed_lines();

}  // namespace qlathe::bench
