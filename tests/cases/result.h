#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cases/tolerance.h"

namespace qlathe::cases {

enum class Outcome { kPass, kDiffers, kUnsupported, kNotApplicable };

struct CaseResult {
  std::string name, kind;
  Outcome outcome = Outcome::kDiffers;
  std::string reason;  ///< kUnsupported, kNotApplicable, and failures that are no differences
  Findings findings;
  double seconds = 0;

  /// One line; with `all` every difference on a line of its own.
  std::string line(bool all) const;
  nlohmann::ordered_json to_json() const;
  static CaseResult from_json(const nlohmann::ordered_json& json);
};

struct Totals {
  int passed = 0, failed = 0, unsupported = 0, not_applicable = 0;
  void add(Outcome outcome);
  /// Without those that have no such path.
  int all() const { return passed + failed + unsupported; }
  /// "passed N of M, failed F, unsupported U"; M is all().
  std::string line() const;
};

/// What became of a child process.
struct ChildOutcome {
  std::string output;  ///< what it wrote to its pipe
  std::string death;   ///< "killed by signal 11 (Segmentation fault)", "no result within 120 s"; empty: it ended well
};

/// What each child may use.
struct ChildLimits {
  double seconds = 300;
  int64_t megabytes = 0;  ///< of address space; 0: no limit. Not kept under sanitizers, which reserve more.
};

/// Runs work(0) … work(count - 1), each in a process of its own, `jobs` at a time; the text that it returns comes back
/// through a pipe. `done` is called in ascending order, as soon as it can be.
void run_in_children(size_t count, int jobs, const ChildLimits& limits, const std::function<std::string(size_t)>& work,
                     const std::function<void(size_t, const ChildOutcome&)>& done);

}  // namespace qlathe::cases
