#pragma once
/// From a graph to files, whole or not at all.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/pipeline.h"
#include "api/row_streaming.h"
#include "codegen/cpp/emit.h"
#include "codegen/cpp/package.h"

namespace qlathe {

enum class OutputKind { kCpp, kObject, kStatic, kShared };

struct OutputOptions {
  OutputKind kind = OutputKind::kCpp;
  std::string name;             ///< of the model in the output; empty: the graph's
  std::string target = "host";  ///< several with commas: forms of one C++ program (codegen/cpp/emit_forms.h)
  WeightPlacement weights = WeightPlacement::kInline;  ///< of C++; objects hold them
  std::vector<std::string> provenance;
  std::vector<std::vector<HostTensor>> golden_inputs;  ///< for the self-test; empty: samples from a seed
  PackageKind package = PackageKind::kFlat;            ///< of C++, weights in it
  bool measure = false;                                ///< C++: have the target's compiler state code and stack
  RowStreaming rows = RowStreaming::kToFit;            ///< in strips or not
  std::optional<int64_t> ram;                          ///< bytes that there are for a run: what kToFit fits
  std::vector<PoolLimit> pools;                        ///< memories that C++ keeps the arena in; empty: one
  int threads = 1;                                     ///< that compile
  StageProgress progress;
  PassObserver observer;
};

struct ModelOutput {
  std::string name, target;
  std::vector<EmittedFile> files;
  int64_t weight_bytes = 0, arena_bytes = 0, state_bytes = 0;
  int64_t scratch_bytes = 0;                               ///< of the arena: kernels' own
  int64_t macs = 0;                                        ///< of a run
  std::optional<CodeFigures> figures;                      ///< where they were measured
  std::string unmeasured;                                  ///< why not, otherwise
  std::string memory_text, memory_svg;                     ///< the plan (schedule/memory/report.h)
  std::string peak_call;                                   ///< name of the call at which most bytes are live
  std::vector<std::pair<std::string, std::string>> calls;  ///< name, description
  std::vector<std::string> notes;  ///< of the calls: which formula a requantization uses, and why
};

/// A graph, quantized or not, as C++ sources or objects, with header, self-test and a program that runs it.
Result<ModelOutput> make_output(const Graph& graph, const OutputOptions& options);

/// The memory plan of a graph for a target (options: target, rows, ram, threads), without code: text and SVG.
struct MemoryReport {
  std::string text, svg;
};
Result<MemoryReport> memory_report(const Graph& graph, const OutputOptions& options);

/// Lines for the head of every file: the tool's version, names and hashes of what went in, the quantized graph's own
/// hash (weights included). No paths, no times.
std::vector<std::string> provenance_lines(const std::string& model, const Graph& quantized,
                                          const QuantizeInputs& inputs, const std::vector<std::string>& options);

}  // namespace qlathe
