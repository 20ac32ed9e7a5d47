#include "api/pipeline.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "api/file_kind.h"
#include "frontend/formats/arrays/array_file.h"
#include "frontend/formats/byte_source.h"
#include "frontend/formats/graph_file.h"
#include "frontend/formats/onnx/export.h"
#include "frontend/formats/onnx/onnx.h"
#include "frontend/formats/tflite/export.h"
#include "frontend/ir/suggest.h"
#include "frontend/numerics/convert.h"
#include "frontend/rules/brevitas_sites.h"
#include "frontend/rules/odml.h"

namespace qlathe {
namespace {

/// The shape of an array that holds several of them, for messages.
std::string of_batches(const Shape& shape) { return shape.empty() ? "[batches]" : "[batches]x" + to_string(shape); }

/// The first bytes of a file, to tell its format.
Result<std::string> read_beginning(const std::string& path) {
  const std::string remedy = std::string("give ") + kModelFormats;
  if (path.empty()) return Status::user({}, "the model's file name is empty", remedy);
  const auto source = open_file(path);
  if (!source.ok()) {
    // With the remedy that a model's reader gives; open_file knows only about files.
    return Status::user({path, "", ""}, source.status().diagnostics().front().message, remedy);
  }
  if ((*source)->size() == 0) return Status::user({path, "", ""}, "the file is empty", remedy);
  std::string text(std::min<uint64_t>((*source)->size(), 4096), '\0');
  QL_RETURN_IF_ERROR((*source)->read(0, text.data(), text.size()));
  return text;
}

/// The sites of a layer of the spec, under the layer's own block.
Result<std::vector<BrevitasTarget>> layer_targets(const Graph& graph, const JsonDocument& document,
                                                  const LayerRule& layer) {
  QL_ASSIGN(const BrevitasRule rule, read_brevitas_rule(document, *layer.json, layer.node));
  std::vector<BrevitasTarget> targets;
  for (const BrevitasSite& site : brevitas_sites(graph)) {
    if (site.kind == BrevitasSite::Kind::kInput) continue;
    if (graph.nodes[static_cast<size_t>(site.index)].origin.name == layer.node) targets.push_back({site, rule});
  }
  if (targets.empty()) {
    return Status::user({"", layer.node, "quantization"}, "this node has nothing that can be quantized",
                        "move the block to a linear, conv or activation node");
  }
  return targets;
}

/// NaN and infinities would become scales.
Status check_finite(const Graph& graph, const CalibrationBatches& batches, const std::string& path) {
  for (size_t b = 0; b < batches.size(); b++) {
    for (size_t i = 0; i < batches[b].size(); i++) {
      const HostTensor& batch = batches[b][i];
      const ValueType type = batch.type();
      if (type != ValueType::kF32 && type != ValueType::kBF16 && type != ValueType::kF16) continue;
      const std::vector<float> values = to_floats(batch);
      const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
      if (bad == values.end()) continue;
      return Status::user(
          {path, graph[graph.inputs[i]].name, ""},
          "element " + std::to_string(bad - values.begin()) + " of batch " + std::to_string(b) + " is NaN or infinite",
          "calibrate with finite values");
    }
  }
  return {};
}

}  // namespace

Result<ModelBindings> parse_bindings(const std::string& text) {
  ModelBindings out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    begin = end + 1;
    const size_t equals = item.rfind('=');
    Shape shape;
    bool good = equals != std::string::npos && equals > 0;
    for (size_t at = equals + 1; good && at <= item.size();) {
      const size_t stop = std::min(item.find('x', at), item.size());
      int64_t extent = 0;
      const auto [last, error] = std::from_chars(item.data() + at, item.data() + stop, extent);
      good = error == std::errc() && last == item.data() + stop && extent >= 0;
      shape.push_back(extent);
      at = stop + 1;
    }
    if (!good) {
      return Status::user({"", "", "--shape"}, in_quotes(item) + " is no NAME=SHAPE",
                          "write --shape image=1x3x224x224, several with commas");
    }
    const std::string name = item.substr(0, equals);
    if (shape.size() == 1) {
      out.dimensions[name] = shape[0];
    } else {
      out.shapes[name] = shape;
    }
  }
  return out;
}

Result<std::optional<TfliteNumerics>> parse_numerics(const std::string& text) {
  if (text.empty()) return std::optional<TfliteNumerics>();
  const auto names = enum_names(TfliteNumerics{});
  for (size_t i = 0; i < names.size(); i++)
    if (text == names[i]) return std::optional(static_cast<TfliteNumerics>(i));
  return Status::user({"", "", "--numerics"}, in_quotes(text) + " is no profile",
                      did_you_mean(text, {names.begin(), names.end()}));
}

Result<SourceModel> read_model(const std::string& path, const ModelBindings& bindings) {
  QL_ASSIGN(const std::string beginning, read_beginning(path));
  SourceModel model;
  model.path = path;
  if (bindings.numerics && !looks_like_tflite(path)) {
    return Status::user({path, "", "--numerics"}, "chooses the runtime that a TFLite model follows; this is none",
                        "leave it out");
  }
  const size_t first = beginning.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  if (first != std::string::npos && beginning[first] == '{') {
    QL_ASSIGN(model.spec, read_spec(path));
    model.graph = model.spec->graph;
    return model;
  }
  const bool is_graph = begins_graph_text(beginning);
  // The offset that a flatbuffer begins with may look like a field of a protobuf message.
  if (!is_graph && !looks_like_tflite(path) && looks_like_onnx(path)) {
    OnnxOptions options;
    options.shapes = bindings.shapes;
    options.dimensions = bindings.dimensions;
    QL_ASSIGN(Graph imported, read_onnx(path, options));
    QL_ASSIGN(model.graph, run_passes(std::move(imported), import_passes()));
    return model;
  }
  if (looks_like_tflite(path)) {
    if (!bindings.dimensions.empty()) {
      const auto& [name, extent] = *bindings.dimensions.begin();
      return Status::user({path, name, "--shape"}, "a TFLite model has no named dimensions",
                          "bind an input's whole shape: --shape " + name + "=1x224x224x3");
    }
    TfliteOptions options;
    options.shapes = bindings.shapes;
    options.numerics = bindings.numerics.value_or(TfliteNumerics::kLitertRef);
    QL_ASSIGN(Graph imported, read_tflite(path, options));
    QL_ASSIGN(model.graph, run_passes(std::move(imported), import_passes()));
    return model;
  }
  if (!is_graph) {
    return Status::user({path, "", ""}, "the file is not a model of a known format: it is " + file_kind(beginning),
                        std::string("give ") + kModelFormats);
  }
  QL_ASSIGN(model.graph, load_graph(path));
  return model;
}

Result<std::optional<RuleList>> read_rules_for(const SourceModel& model, const std::string& rules_path) {
  if (!rules_path.empty()) {
    QL_ASSIGN(RuleList rules, read_rules_file(rules_path));
    return std::optional<RuleList>(std::move(rules));
  }
  if (model.spec && model.spec->rules != nullptr) {
    QL_ASSIGN(RuleList rules, read_rules(model.spec->document, *model.spec->rules));
    return std::optional<RuleList>(std::move(rules));
  }
  return std::optional<RuleList>();
}

Result<CalibrationBatches> read_batches(const Graph& graph, const std::string& path) {
  QL_ASSIGN(const std::unique_ptr<ArrayFile> file, open_arrays(path));
  CalibrationBatches batches;
  Status problems;
  for (size_t i = 0; i < graph.inputs.size(); i++) {
    const Tensor& input = graph[graph.inputs[i]];
    const auto set = [&](size_t batch, HostTensor value) {
      if (i == 0) batches.resize(std::max(batches.size(), batch + 1));
      if (batch < batches.size()) batches[batch].push_back(std::move(value));
    };
    size_t count = 0;
    // The only array of a file is for the only input, whatever its name (an .npy has none).
    const bool only = graph.inputs.size() == 1 && file->arrays().size() == 1;
    const std::string key = only ? file->arrays()[0].name : input.name;
    if (file->find(key) != nullptr) {
      QL_ASSIGN(const HostTensor all, file->read(key));
      Shape wanted = input.shape();
      const bool batched = all.rank() == static_cast<int>(wanted.size()) + 1 &&
                           std::equal(wanted.begin(), wanted.end(), all.shape().begin() + 1);
      if (all.type() != input.type.type || (!batched && all.shape() != wanted)) {
        problems.merge(Status::user({path, input.name, ""},
                                    std::string("is ") + name(all.type()) + "[" + to_string(all.shape()) +
                                        "], the model takes " + name(input.type.type) + "[" + to_string(wanted) + "]",
                                    "give one array of shape " + of_batches(wanted)));
        continue;
      }
      count = batched ? static_cast<size_t>(all.shape()[0]) : 1;
      for (size_t b = 0; b < count; b++) {
        HostTensor one(all.type(), wanted);
        std::memcpy(one.bytes(), all.bytes() + b * one.byte_size(), one.byte_size());
        set(b, std::move(one));
      }
    } else {
      for (; file->find(input.name + "_" + std::to_string(count)) != nullptr; count++) {
        const std::string array = input.name + "_" + std::to_string(count);
        QL_ASSIGN(HostTensor one, file->read(array));
        if (one.type() != input.type.type || one.shape() != input.shape()) {
          problems.merge(Status::user({path, array, ""}, std::string("is ") + name(one.type()) + "[" +
                                                             to_string(one.shape()) + "], the model takes " +
                                                             name(input.type.type) + "[" + to_string(input.shape()) +
                                                             "]"));
          break;
        }
        set(count, std::move(one));
      }
    }
    if (count == 0 && problems.ok()) {
      problems.merge(Status::user({path, input.name, ""}, "has no batches for this input",
                                  "add an array '" + input.name + "' of shape " + of_batches(input.shape()) +
                                      ", or arrays '" + input.name + "_0', '" + input.name + "_1', ..."));
    }
    if (i > 0 && problems.ok() && count != batches.size()) {
      problems.merge(Status::user({path, input.name, ""}, "has " + std::to_string(count) + " batches, '" +
                                                              graph[graph.inputs[0]].name + "' has " +
                                                              std::to_string(batches.size())));
    }
  }
  if (!problems.ok()) return problems;
  return batches;
}

namespace {

void warn_unused(const RuleMatches& matches, QuantizedModel& out) {
  for (const int rule : matches.unused_rules) {
    const Rule& unused = out.rules.rules[static_cast<size_t>(rule)];
    out.warnings.push_back(unused.place.file + ": " + unused.place.node + ": module_path '" + unused.module_path +
                           "' takes no op");
  }
}

/// Rules of an ODML provider: the model as a .tflite file in memory, read as any other, so that what is compiled and
/// what is exported have the same integers.
Status quantize_to_litert(const SourceModel& model, const QuantizeInputs& inputs, const CalibrationBatches& batches,
                          Executor& executor, const StageProgress& progress, QuantizedModel& out) {
  OdmlOptions options;
  options.allow_extra_params = inputs.allow_extra_params;
  const auto done = [&](size_t ready, size_t total) {
    if (progress) progress("calibrating", ready, total);
  };
  if (!inputs.statistics.empty()) {
    QL_ASSIGN(out.statistics, read_statistics_file(inputs.statistics));
    options.statistics = &out.statistics;
  } else if (!batches.empty()) {
    QL_ASSIGN(out.statistics, calibrate_odml(model.graph, out.rules, batches_of(batches), executor, done));
    options.statistics = &out.statistics;
  }
  QL_ASSIGN(QuantizedGraph quantized, quantize_odml(model.graph, out.rules, options));
  out.matches = std::move(quantized.matches);
  out.exchange = std::move(quantized.graph);
  QL_ASSIGN(std::string bytes, export_tflite_model(out));
  QL_ASSIGN(Graph imported, read_tflite_bytes(model.path, std::move(bytes)));
  QL_ASSIGN(out.graph, run_passes(std::move(imported), import_passes()));
  warn_unused(out.matches, out);
  return {};
}

}  // namespace

Result<QuantizedModel> quantize_model(const SourceModel& model, const QuantizeInputs& inputs, Executor& executor,
                                      const StageProgress& progress) {
  QuantizedModel out;
  if (!inputs.calibration.empty() && !inputs.statistics.empty()) {
    return Status::user({inputs.statistics, "", ""}, "statistics and calibration data are both given",
                        "give one of them");
  }
  QL_ASSIGN(std::optional<RuleList> rules, read_rules_for(model, inputs.rules));
  out.graph = model.graph;
  CalibrationBatches batches;
  if (!inputs.calibration.empty()) {
    QL_ASSIGN(batches, read_batches(model.graph, inputs.calibration));
    QL_RETURN_IF_ERROR(check_finite(model.graph, batches, inputs.calibration));
  }

  std::vector<BrevitasTarget> targets;
  if (rules) {
    QL_ASSIGN(targets, brevitas_targets(out.graph, *rules));
  }
  if (model.spec) {
    for (const LayerRule& layer : model.spec->layer_rules) {
      QL_ASSIGN(std::vector<BrevitasTarget> own, layer_targets(out.graph, *model.spec->document, layer));
      targets.insert(targets.end(), own.begin(), own.end());
    }
  }
  if (!targets.empty()) {
    QL_ASSIGN(BrevitasResult brevitas, quantize_brevitas(out.graph, targets, batches, executor));
    out.graph = std::move(brevitas.graph);
    out.brevitas = std::move(brevitas.activations);
    out.has_rules = true;
  }
  if (!rules) return out;

  out.has_rules = true;
  out.rules = std::move(*rules);
  if (out.rules.odml) {
    QL_RETURN_IF_ERROR(quantize_to_litert(model, inputs, batches, executor, progress, out));
    return out;
  }
  QuantizeOptions options;
  options.allow_extra_params = inputs.allow_extra_params;
  if (!inputs.statistics.empty()) {
    QL_ASSIGN(out.statistics, read_statistics_file(inputs.statistics));
    options.statistics = &out.statistics;
  } else if (!batches.empty()) {
    CalibrateOptions calibration;
    calibration.quantize = options;
    calibration.progress = [&](size_t done, size_t total) {
      if (progress) progress("calibrating", done, total);
    };
    QL_ASSIGN(out.statistics, calibrate(out.graph, out.rules, batches_of(batches), executor, calibration));
    options.statistics = &out.statistics;
  }
  QL_ASSIGN(QuantizedGraph quantized, quantize(out.graph, out.rules, options));
  out.graph = std::move(quantized.graph);
  out.matches = std::move(quantized.matches);
  out.ops = std::move(quantized.ops);
  // In the model as it was given: BrevitasRules have done their part of the graph above.
  QL_ASSIGN(const RuleMatches given, match_rules(model.graph, out.rules));
  warn_unused(given, out);
  return out;
}

Result<std::string> export_model(const QuantizedModel& model, int opset) {
  // Weights stay quantized: constants are not folded.
  QL_ASSIGN(const Graph alive, run_passes(model.exchange ? *model.exchange : model.graph, {"remove_dead"}));
  return export_onnx(alive, opset);
}

Result<std::string> export_tflite_model(const QuantizedModel& model) {
  QL_ASSIGN(const Graph alive, run_passes(model.exchange ? *model.exchange : model.graph, {"remove_dead"}));
  return export_tflite(alive);
}

Result<Graph> canonical_graph(Graph graph, const PassObserver& observer) {
  return run_passes(std::move(graph), lowering_passes(), observer);
}

Result<std::unique_ptr<Executable>> CompilingExecutor::prepare(const Graph& graph) {
  QL_ASSIGN(const Graph canonical, canonical_graph(graph));
  return native_.prepare(canonical);
}

}  // namespace qlathe
