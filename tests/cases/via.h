#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "frontend/ir/executor.h"

namespace qlathe::cases {

/// Inputs or outputs of several runs.
using Runs = std::vector<std::vector<HostTensor>>;

/// A path from a graph to its outputs.
class Via {
 public:
  virtual ~Via() = default;
  /// Runs calibration.
  virtual Executor& calibration() = 0;
  /// Before the runs, for paths that compile many cases at once: called with every graph in a process of its own.
  virtual bool builds() const { return false; }
  virtual Status emit(const Graph&, const Runs&, const std::string&) { return {}; }
  /// After every `emit`, in the parent process: compiles what was emitted.
  virtual void build(const std::vector<std::string>&, int) {}
  /// `id` is unique among the graphs of all cases and a C identifier.
  /// States persist from run to run in a sequence, and start anew otherwise.
  virtual Result<Runs> run(const Graph& graph, const Runs& inputs, bool sequence, const std::string& id) = 0;
};

/// Runs on an executor.
Result<Runs> run_all(Executor& executor, const Graph& graph, const Runs& inputs, bool sequence);

/// "reference", "jit", "object" or "cpp". `folder` is for the files that the native ones make. `target`, of "cpp"
/// and "jit": empty for this machine.
Result<std::unique_ptr<Via>> make_via(const std::string& name, const std::string& target,
                                      const std::filesystem::path& folder);
/// The native ones (via_native.cpp).
Result<std::unique_ptr<Via>> make_jit(const std::string& target, const std::filesystem::path& folder);
std::unique_ptr<Via> make_emitted(bool cpp, const std::filesystem::path& folder);
/// Emitted C++ for a target in a program of its own (via_target.cpp).
Result<std::unique_ptr<Via>> make_target_via(const std::string& target, const std::filesystem::path& folder);

}  // namespace qlathe::cases
