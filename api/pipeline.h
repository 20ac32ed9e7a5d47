#pragma once
/// The line from a model file to a Program: what the command and Model are made of. Every stage can be looked at.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/formats/spec/spec.h"
#include "frontend/formats/tflite/tflite.h"
#include "frontend/ir/executor.h"
#include "frontend/ir/graph.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/rules/brevitas_quantize.h"
#include "frontend/rules/calibrate.h"
#include "frontend/rules/quantize.h"
#include "schedule/program.h"

namespace qlathe {

/// Called with what is going on ("compiling kernels"), how much is done and how much there is.
using StageProgress = std::function<void(const char* stage, size_t done, size_t total)>;

/// A model as its file states it.
struct SourceModel {
  std::string path;
  Graph graph;
  std::optional<SpecModel> spec;  ///< where the file is a spec: its own rules and layer rules
};

/// What fixes the shapes of a model that leaves them open.
struct ModelBindings {
  std::map<std::string, Shape> shapes;        ///< of inputs, by their names
  std::map<std::string, int64_t> dimensions;  ///< of symbolic dimensions, by theirs
  std::optional<TfliteNumerics> numerics;     ///< the runtime whose integers a TFLite model gives
};

/// "image=1x3x224x224,batch=4": a single number is an extent of a symbolic dimension (or of an input of one axis).
Result<ModelBindings> parse_bindings(const std::string& text);

/// "litert-ref", "litert-xnnpack", "tflm"; empty: no choice.
Result<std::optional<TfliteNumerics>> parse_numerics(const std::string& text);

/// Reads a model, its format told by its content: a spec (JSON), ONNX, or the text form of a graph.
Result<SourceModel> read_model(const std::string& path, const ModelBindings& bindings = {});

struct QuantizeInputs {
  std::string rules;        ///< path of a rule list; empty: the spec's own rules, if any
  std::string calibration;  ///< path of an .npz of batches
  std::string statistics;   ///< path of a statistics file instead
  bool allow_extra_params = false;
};

/// A quantized graph and what the rules did.
struct QuantizedModel {
  Graph graph;
  /// Under an ODML provider: float operators between quantize and dequantize steps, of which `graph` is LiteRT's
  /// integer form. What an export writes.
  std::optional<Graph> exchange;
  bool has_rules = false;
  RuleList rules;
  RuleMatches matches;
  std::vector<OpReport> ops;
  std::vector<BrevitasActivationReport> brevitas;
  QuantStats statistics;              ///< collected or read
  std::vector<std::string> warnings;  ///< rules that matched nothing
};

/// The rules of the file, or the model's own; nothing where there are none.
Result<std::optional<RuleList>> read_rules_for(const SourceModel& model, const std::string& rules_path);

/// Batches for calibration from an .npz. For an input x of shape S it has an array "x" of shape [n] + S (n batches), or
/// arrays "x_0", "x_1", … of shape S.
Result<CalibrationBatches> read_batches(const Graph& graph, const std::string& path);

/// Applies the rules: Brevitas' first, then Qwix's. Calibration runs on `executor`.
Result<QuantizedModel> quantize_model(const SourceModel& model, const QuantizeInputs& inputs, Executor& executor,
                                      const StageProgress& progress = nullptr);

/// The bytes of an ONNX model of opset 13 or 21 (frontend/formats/onnx/export.h).
Result<std::string> export_model(const QuantizedModel& model, int opset);
/// The bytes of a TFLite model (frontend/formats/tflite/export.h).
Result<std::string> export_tflite_model(const QuantizedModel& model);

/// Passes to the form that is lowered.
Result<Graph> canonical_graph(Graph graph, const PassObserver& observer = {});

/// Runs any graph of the front-end as native code: passes, then the JIT.
class CompilingExecutor : public Executor {
 public:
  explicit CompilingExecutor(Executor& native) : native_(native) {}
  Result<std::unique_ptr<Executable>> prepare(const Graph& graph) override;

 private:
  Executor& native_;
};

}  // namespace qlathe
