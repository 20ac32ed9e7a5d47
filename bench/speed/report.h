#pragma once
/// Rows of the table as they become known, the aims missed, and JSON of everything.
#include <string>
#include <vector>

#include "bench/speed/measure.h"

namespace qlathe::bench {

/// One aim: what was wanted, what was reached.
struct Verdict {
  std::string what, aim, reached;
  bool met = false;
};

/// A row of the table.
struct Row {
  std::string group, name, target;
  std::string problem;       ///< wrong outputs, or an error: there are no numbers
  std::string not_measured;  ///< why there are no numbers
  double seconds = 0, gops = 0, share = 0;
  std::string against;
  double two_threads = 0;                           ///< times one thread
  std::vector<std::pair<std::string, double>> cpp;  ///< compiler, speed as a fraction of the JIT's
  std::vector<Verdict> verdicts;
};

Row row_of(const Prepared& prepared, const Measured& measured);

void print_heading();
void print_row(const Row& row);
/// Counts of aims met and missed, the missed ones by name.
void print_summary(const std::vector<Row>& rows);
std::string json_of(const std::vector<Row>& rows);

}  // namespace qlathe::bench
