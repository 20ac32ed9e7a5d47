// Networks and single operators in a model file, with inputs and the outputs of known runtimes (models/README.md).
#include <algorithm>
#include <fstream>

#include "frontend/formats/arrays/array_file.h"
#include "frontend/formats/onnx/onnx.h"
#include "frontend/formats/tflite/tflite.h"
#include "frontend/numerics/convert.h"
#include "frontend/ops/pointwise.h"
#include "frontend/passes/pass_manager.h"
#include "tests/cases/case_kind.h"

namespace qlathe::cases {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// The one array of an .npy.
Result<HostTensor> read_npy(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string head(128, ' ');
  in.read(head.data(), 128);
  if (head.find("'<c") != std::string::npos)
    return Status::unsupported({file.string(), "", ""}, "holds complex numbers");
  QL_ASSIGN(const auto arrays, open_arrays(file.string()));
  if (arrays->arrays().size() != 1) return Status::user({file.string(), "", ""}, "has no single array");
  return arrays->read(arrays->arrays()[0].name);
}

/// Element `step` of the leading axis.
HostTensor step_of(const HostTensor& all, size_t step) {
  HostTensor out(all.type(), Shape(all.shape().begin() + 1, all.shape().end()));
  std::memcpy(out.bytes(), all.bytes() + step * out.byte_size(), out.byte_size());
  return out;
}

/// The first rows of a buffer.
HostTensor first_rows(const HostTensor& all, int64_t count) {
  Shape shape = all.shape();
  shape[0] = std::clamp<int64_t>(count, 0, shape[0]);
  HostTensor out(all.type(), shape);
  std::memcpy(out.bytes(), all.bytes(), out.byte_size());
  return out;
}

/// A set of inputs with the outputs of the runtime that counts.
struct Set {
  std::vector<HostTensor> inputs;                  // as stored
  std::vector<std::optional<HostTensor>> outputs;  // as stored; nothing where the file is not there
  size_t steps = 1;
  std::string runtime;
  double agreement = 0;  ///< largest distance of two runtimes on the outputs, absolute

  std::vector<HostTensor> inputs_at(size_t step) const {
    if (steps == 1) return inputs;
    std::vector<HostTensor> out;
    for (const HostTensor& input : inputs)
      out.push_back(step_of(input, step));
    return out;
  }
};

Result<Set> read_set(const CaseRef& ref, const ordered_json& json, const std::vector<std::string>& preferred) {
  Set set;
  set.steps = json.value("steps", 1);
  for (const auto& file : json.at("inputs")) {
    if (file.is_null()) continue;  // its value is in the model
    QL_ASSIGN(HostTensor input, read_npy(ref.folder / file.get<std::string>()));
    if (set.steps > 1 && (input.rank() < 1 || input.shape()[0] != static_cast<int64_t>(set.steps)))
      return Status::user({ref.folder.string(), file.get<std::string>(), ""}, "has no leading axis of the steps");
    set.inputs.push_back(std::move(input));
  }
  const ordered_json& outputs = json.at("outputs");
  for (const std::string& runtime : preferred) {
    if (set.runtime.empty() && outputs.contains(runtime)) set.runtime = runtime;
  }
  if (set.runtime.empty() && !outputs.empty()) set.runtime = outputs.begin().key();
  if (set.runtime.empty()) return Status::user({ref.folder.string(), "", "outputs"}, "names no runtime");
  for (const auto& file : outputs.at(set.runtime)) {
    set.outputs.emplace_back();
    if (file.is_null()) continue;
    QL_ASSIGN(set.outputs.back(), read_npy(ref.folder / file.get<std::string>()));
  }
  if (json.contains("agreement")) {
    for (const auto& [pair, list] : json.at("agreement").items()) {
      for (const auto& entry : list)
        if (entry.is_object()) set.agreement = std::max(set.agreement, entry.value("max_abs", 0.0));
    }
  }
  return set;
}

/// Inputs that may be bound to their values where the graph needs to know them: sizes, axes and the like.
bool may_be_bound(const HostTensor& value) { return value.rank() <= 1 && value.size() <= 16; }

struct Imported {
  Graph graph;
  std::vector<bool> bound;    ///< inputs that are constants of the graph
  std::vector<double> steps;  ///< of each output that is dequantized with one scale, that scale; else 0
};

/// The scale that a graph's output was dequantized with, looking through what only moves it.
double step_size(const Graph& graph, TensorId id) {
  for (int producer = graph.producer(id); producer >= 0; producer = graph.producer(id)) {
    const Node& node = graph.nodes[static_cast<size_t>(producer)];
    if (node.op == "transpose" || node.op == "reshape") {
      id = node.inputs[0];
      continue;
    }
    if (node.op != "pointwise" || node.as<PointwiseAttrs>().steps.empty()) return 0;
    const PointwiseStep& last = node.as<PointwiseAttrs>().steps.back();
    if (last.op != "dequantize") return 0;
    const HostTensor* scale = graph[node.inputs[static_cast<size_t>(last.operands[0])]].data.get();
    return scale && scale->size() == 1 && scale->type() == ValueType::kF32 ? static_cast<double>(scale->as<float>()[0])
                                                                           : 0;
  }
  return 0;
}

/// One format's reader: what the model's inputs are called, and the graph with some of them bound.
struct Reader {
  fs::path file;
  std::function<Result<std::vector<std::string>>()> inputs;
  std::function<Result<Graph>(const std::map<std::string, Shape>& shapes, const std::map<std::string, HostTensor>&)>
      read;
};

Reader onnx_reader(const fs::path& file) {
  return {file, [file] { return onnx_inputs(file.string()); },
          [file](const auto& shapes, const auto& constants) {
            OnnxOptions options;
            options.shapes = shapes;
            options.constants = constants;
            return read_onnx(file.string(), options);
          }};
}

Reader tflite_reader(const fs::path& file, TfliteNumerics numerics) {
  return {file, [file] { return tflite_inputs(file.string()); },
          [file, numerics](const auto& shapes, const auto& constants) {
            TfliteOptions options;
            options.numerics = numerics;
            options.shapes = shapes;
            options.constants = constants;
            return read_tflite(file.string(), options);
          }};
}

Result<Imported> import_model(const CaseRef& ref, const Set& set, const Reader& reader) {
  QL_ASSIGN(const std::vector<std::string> names, reader.inputs());
  const std::vector<HostTensor> inputs = set.inputs_at(0);
  if (names.size() != inputs.size())
    return Status::user({ref.folder.string(), "", "inputs"},
                        "the model has another number of inputs than the case has files");
  std::map<std::string, Shape> shapes;
  for (size_t i = 0; i < names.size(); i++)
    shapes[names[i]] = inputs[i].shape();
  Imported out;
  out.bound.assign(names.size(), false);
  auto graph = reader.read(shapes, {});
  if (!graph.ok()) {
    const Status first = graph.status();
    std::map<std::string, HostTensor> constants;
    const auto bind = [&](size_t i) {
      constants[names[i]] = inputs[i];
      shapes.erase(names[i]);
      out.bound[i] = true;
    };
    for (size_t i = 0; i < names.size(); i++) {
      if (may_be_bound(inputs[i]) && (i > 0 || !is_float(inputs[i].type()))) bind(i);
    }
    graph = reader.read(shapes, constants);
    // The first is data, if it does not start a range of real numbers.
    if (!graph.ok() && !out.bound[0] && inputs[0].rank() == 0) {
      bind(0);
      graph = reader.read(shapes, constants);
    }
    if (!graph.ok()) return first;
  }
  for (const TensorId output : graph->outputs)
    out.steps.push_back(step_size(*graph, output));
  QL_ASSIGN(out.graph, run_passes(std::move(*graph), import_passes()));
  return out;
}

/// float16 as float32, for comparisons.
HostTensor widened(const HostTensor& t) {
  if (t.type() != ValueType::kF16) return t;
  HostTensor out(ValueType::kF32, t.shape());
  for (int64_t i = 0; i < t.size(); i++)
    out.as<float>()[static_cast<size_t>(i)] = f16_to_f32(t.as<uint16_t>()[static_cast<size_t>(i)]);
  return out;
}

/// How far outputs may be from the runtime's. Integer outputs of a single operator are exact to a step at a tie; float
/// networks differ by the order of their sums; quantized networks by what one step early on becomes: one step of what
/// the output was quantized with, or the distance of two good runtimes.
Allowance allowance(const HostTensor& stored, const ordered_json& about, double agreement, double step) {
  const bool half = stored.type() == ValueType::kF16;
  const HostTensor want = widened(stored);
  const std::string quantization = about.value("quantization", std::string("float32"));
  if (about.contains("rtol")) {
    if (!is_float(want.type())) return {};
    return {Allowance::Kind::kClose, about["rtol"].get<double>(), {}, about.value("atol", 0.0)};
  }
  double largest = 0;
  const bool real = want.type() == ValueType::kF32;
  for (int64_t i = 0; i < want.size(); i++) {
    const double v = real                      ? static_cast<double>(want.as<float>()[static_cast<size_t>(i)])
                     : is_integer(want.type()) ? static_cast<double>(want.int_at(i))
                                               : 0.0;
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  }
  Allowance out;
  if (!real) {
    if (quantization != "float32" && is_integer(want.type()) && info(want.type()).bits <= 8)
      out.kind = Allowance::Kind::kOneStep;
    return out;
  }
  out.kind = Allowance::Kind::kRelativeToMax;
  out.bound = half ? 2e-3 : 1e-5;
  // What should cancel to nothing leaves the rounding of what it was computed from.
  if (largest > 0) out.bound = std::max(out.bound, 1e-6 / largest);
  if (quantization != "float32" && largest > 0)
    out.bound = std::max(out.bound, 1.01 * std::max(agreement, step) / largest);
  return out;
}

/// TFLite's integers are exact. Float networks, and those that quantize their activations while they run, differ by the
/// order of sums: 1e-5 of the output's range.
Allowance tflite_allowance(const HostTensor& want, const ordered_json& about) {
  const std::string quantization = about.value("quantization", std::string("float32"));
  const bool integer = quantization.starts_with("full-integer") && quantization.find("some float") == std::string::npos;
  if (integer || want.type() != ValueType::kF32) return {};
  double largest = 0;
  for (float v : want.as<float>())
    if (std::isfinite(v)) largest = std::max(largest, std::abs(static_cast<double>(v)));
  Allowance out;
  out.kind = Allowance::Kind::kRelativeToMax;
  out.bound = largest > 0 ? std::max(1e-5, 1e-6 / largest) : 1e-5;
  return out;
}

/// The profile that makes a runtime's integers.
TfliteNumerics profile_of(const std::string& runtime) {
  for (const TfliteNumerics n : {TfliteNumerics::kLitertXnnpack, TfliteNumerics::kTflm})
    if (runtime == enum_names(n)[static_cast<size_t>(n)]) return n;
  return TfliteNumerics::kLitertRef;
}

class ModelFile : public CaseKind {
 public:
  Result<Prepared> prepare(const CaseRef& ref, Executor&) const override {
    const bool tflite = fs::exists(ref.folder / "model.tflite");
    if (!tflite && !fs::exists(ref.folder / "model.onnx"))
      return Status::user({ref.folder.string(), "", ""}, "has no model.tflite or model.onnx");
    Prepared out;
    if (ref.about.contains("runtimes_that_refuse") && ref.about["runtimes_that_refuse"].contains("ort-noopt")) {
      out.not_applicable = "ONNX Runtime refuses the model without optimizations";
      return out;
    }
    const auto& sets = ref.about.at("sets");
    if (std::all_of(sets.begin(), sets.end(), [](const ordered_json& s) { return s.at("outputs").empty(); })) {
      out.not_applicable = "no runtime runs the model: no outputs are stored";
      return out;
    }
    std::vector<std::string> preferred = {"onnx", "ort-noopt", "litert-ref", "litert-xnnpack", "tflm"};
    if (!ref.runtime.empty()) preferred = {ref.runtime};
    for (const ordered_json& json : sets) {
      if (!ref.runtime.empty() && !json.at("outputs").contains(ref.runtime)) continue;
      QL_ASSIGN(const Set set, read_set(ref, json, preferred));
      // A runtime that was run, but whose outputs are near enough to another's not to be stored.
      if (std::none_of(set.outputs.begin(), set.outputs.end(), [](const auto& stored) { return stored.has_value(); }))
        continue;
      const Reader reader = tflite ? tflite_reader(ref.folder / "model.tflite", profile_of(set.runtime))
                                   : onnx_reader(ref.folder / "model.onnx");
      QL_ASSIGN(Imported imported, import_model(ref, set, reader));
      Job job;
      job.sequence = set.steps > 1;
      for (size_t step = 0; step < set.steps; step++) {
        std::vector<HostTensor> inputs;
        const std::vector<HostTensor> all = set.inputs_at(step);
        for (size_t i = 0; i < all.size(); i++) {
          if (imported.bound[i]) continue;
          // NumPy has no int4: such arrays are stored as bytes.
          const TensorId input = imported.graph.inputs.at(inputs.size());
          QL_ASSIGN(HostTensor typed, as_value_type(all[i], imported.graph[input].type.type));
          inputs.push_back(std::move(typed));
        }
        job.runs.push_back(std::move(inputs));
      }
      job.graph = std::move(imported.graph);
      // Results whose size depends on data: a buffer, and as a further output how many of its rows count.
      std::vector<int> counts(set.outputs.size(), -1);
      size_t plain = job.graph.outputs.size();
      for (size_t i = set.outputs.size(); i < job.graph.outputs.size(); i++) {
        for (size_t o = 0; o < set.outputs.size(); o++) {
          if (job.graph[job.graph.outputs[i]].name != job.graph[job.graph.outputs[o]].name + "_count") continue;
          counts[o] = static_cast<int>(i);
          plain--;
        }
      }
      if (plain != set.outputs.size())
        return Status::user({ref.folder.string(), "", "outputs"},
                            "the case has another number of outputs than the model");
      const int number = json.value("set", 0);
      job.check = [set, tflite, steps = imported.steps, about = ref.about, number, counts](
                      size_t run, const std::vector<HostTensor>& outputs, Findings& findings) {
        for (size_t i = 0; i < set.outputs.size(); i++) {
          if (!set.outputs[i]) continue;
          const HostTensor want = set.steps > 1 ? step_of(*set.outputs[i], run) : *set.outputs[i];
          const std::string label = "set " + std::to_string(number) +
                                    (set.steps > 1 ? " step " + std::to_string(run) : "") + " output " +
                                    std::to_string(i) + " (" + set.runtime + ")";
          const HostTensor got =
              counts[i] < 0 ? outputs[i] : first_rows(outputs[i], outputs[static_cast<size_t>(counts[i])].int_at(0));
          findings.compare(label, widened(got), widened(want),
                           tflite ? tflite_allowance(want, about) : allowance(want, about, set.agreement, steps[i]));
        }
      };
      out.jobs.push_back(std::move(job));
    }
    if (out.jobs.empty()) out.not_applicable = "has no outputs of " + ref.runtime;
    return out;
  }
};

const Registered registered("model", std::make_unique<ModelFile>());

}  // namespace
}  // namespace qlathe::cases
