#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "frontend/ir/executor.h"
#include "frontend/ir/graph.h"
#include "tests/cases/tolerance.h"

/// Reference cases of any kind, run through any path of the compiler.
namespace qlathe::cases {

/// One case as it was found on disk.
struct CaseRef {
  std::filesystem::path folder;
  std::string kind;              ///< "qwix_tensor", …, as case.json says; "model" for networks and single operators
  std::string part;              ///< an entry within the case.json, where it holds several; else empty
  nlohmann::ordered_json about;  ///< models: the about.json, or the entry in cases.json
  std::string runtime{};         ///< models: the runtime to compare with; empty: the first of the usual ones

  std::string name() const { return folder.string() + (part.empty() ? "" : ": " + part); }
};

/// A graph of a case and what its outputs must be.
struct Job {
  Graph graph;
  std::vector<std::vector<HostTensor>> runs;  ///< inputs of each run
  bool sequence = false;                      ///< states persist from run to run
  /// Called with the outputs of each run.
  std::function<void(size_t run, const std::vector<HostTensor>& outputs, Findings& findings)> check;
};

/// A case, read: what was compared already (weights are quantized while compiling), and the graphs to run.
struct Prepared {
  Findings findings;
  std::vector<Job> jobs;
  std::string not_applicable;  ///< why there is nothing to run; empty: there is
};

/// What a kind of case needs. Adding a kind is adding a file with a `Registered` object.
class CaseKind {
 public:
  virtual ~CaseKind() = default;
  /// `executor` runs calibration. Unsupported things are Status::unsupported; any other failure fails the case.
  virtual Result<Prepared> prepare(const CaseRef& ref, Executor& executor) const = 0;
  /// Entries of the case that are cases of their own; empty: the case is one.
  virtual std::vector<std::string> parts(const nlohmann::ordered_json&) const { return {}; }
};

/// By the `kind` of case.json; null for an unknown one.
const CaseKind* find_kind(const std::string& kind);

class Registered {
 public:
  Registered(std::string kind, std::unique_ptr<CaseKind> handler);
};

}  // namespace qlathe::cases
