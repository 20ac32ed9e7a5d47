#pragma once
/// Speeds that can be compared: everything about a line runs in turns, and the best of each counts.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/qlathe.h"
#include "bench/speed/emitted.h"
#include "bench/speed/lines.h"

namespace qlathe::bench {

struct Settings {
  double seconds = 1;  ///< spent on a line
  bool cpp = true;     ///< compile and measure the emitted C++
  int threads = 2;     ///< that prepare
  std::vector<std::string> compilers;
};

/// A line compiled, with every path's outputs compared with the reference's, byte for byte.
struct Prepared {
  Line line;
  std::string not_measured;  ///< why there are no numbers
  std::string wrong;         ///< a path gave other bytes, or an error: nothing of this line is measured
  std::shared_ptr<const Model> model;
  std::vector<std::unique_ptr<EmittedModel>> emitted;
  std::vector<HostTensor> inputs, expected;
  int64_t macs = 0, weight_bytes = 0, moved_bytes = 0;
};

Prepared prepare(const Line& line, const Settings& settings);

struct Measured {
  double seconds = 0;    ///< by JIT, one thread
  double reference = 0;  ///< the best time that the machine allows: the line's work at the measured peak or bandwidth
  std::string against;   ///< "745 GOP/s vpdpbusd", "21.3 GB/s read"
  double two_threads = 0;
  std::vector<std::pair<std::string, double>> cpp;  ///< compiler, seconds
  double other = 0;                                 ///< Line::under's time in this run
};

/// `under` is the prepared line that Line::under names, or null.
Measured measure(const Prepared& prepared, const Prepared* under, const Settings& settings);

}  // namespace qlathe::bench
