#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "frontend/ir/executor.h"

namespace qlathe::cases {

/// A path from a graph to its outputs.
class Via {
 public:
  virtual ~Via() = default;
  /// Runs calibration.
  virtual Executor& calibration() = 0;
  /// Before the runs, for paths that compile many cases at once: called with every graph in a process of its own.
  virtual bool builds() const { return false; }
  virtual Status emit(const Graph&, const std::vector<HostTensor>&, const std::string&) { return {}; }
  /// After every `emit`, in the parent process: compiles what was emitted.
  virtual void build(const std::vector<std::string>&, int) {}
  /// `id` is unique among the graphs of all cases and a C identifier.
  virtual Result<std::vector<HostTensor>> run(const Graph& graph, const std::vector<HostTensor>& inputs,
                                              const std::string& id) = 0;
};

/// "reference", "jit", "object" or "cpp". `folder` is for the files that the native ones make.
Result<std::unique_ptr<Via>> make_via(const std::string& name, const std::filesystem::path& folder);
/// The native ones (via_native.cpp).
std::unique_ptr<Via> make_jit(const std::filesystem::path& folder);
std::unique_ptr<Via> make_emitted(bool cpp, const std::filesystem::path& folder);

}  // namespace qlathe::cases
