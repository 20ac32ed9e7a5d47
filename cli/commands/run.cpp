#include <algorithm>
#include <cstdio>
#include <cstring>

#include "api/native_executor.h"
#include "api/sample_inputs.h"
#include "api/support.h"
#include "cli/commands/commands.h"
#include "cli/commands/common.h"
#include "cli/terminal/deferred_interrupt.h"
#include "cli/terminal/terminal.h"

namespace qlathe::cli {
namespace {

/// Element i as text.
std::string element(const HostTensor& tensor, int64_t i) {
  char text[40];
  switch (tensor.type()) {
    case ValueType::kF32:
      std::snprintf(text, sizeof text, "%.6g", static_cast<double>(tensor.as<float>()[static_cast<size_t>(i)]));
      return text;
    case ValueType::kBF16: {
      const uint32_t word = static_cast<uint32_t>(tensor.as<uint16_t>()[static_cast<size_t>(i)]) << 16;
      float value;
      std::memcpy(&value, &word, sizeof value);
      std::snprintf(text, sizeof text, "%.4g", static_cast<double>(value));
      return text;
    }
    default:
      if (info(tensor.type()).cls == ValueClass::kFloat) return "?";  // float16 and float8 go to files
      return std::to_string(tensor.int_at(i));
  }
}

void print_output(const std::string& name, const HostTensor& tensor) {
  constexpr int64_t kShown = 16;
  std::printf("%s: %s\n ", name.c_str(), type_text({tensor.type(), tensor.shape()}).c_str());
  for (int64_t i = 0; i < std::min(tensor.size(), kShown); i++)
    std::printf(" %s", element(tensor, i).c_str());
  std::printf("%s\n", tensor.size() > kShown ? " …" : "");
}

/// Results of equal shape along a new first axis; of one run alone as they are.
HostTensor stacked(const std::vector<HostTensor>& results, bool batches) {
  if (!batches) return results[0];
  Shape shape = results[0].shape();
  shape.insert(shape.begin(), static_cast<int64_t>(results.size()));
  HostTensor out(results[0].type(), shape);
  for (size_t i = 0; i < results.size() && out.byte_size() > 0; i++)
    std::memcpy(out.bytes() + i * results[i].byte_size(), results[i].bytes(), results[i].byte_size());
  return out;
}

bool ends_with(const std::string& text, const char* end) { return text.size() >= strlen(end) && text.ends_with(end); }

Status write_outputs(const std::string& path, const Graph& graph, const std::vector<HostTensor>& outputs) {
  if (ends_with(path, ".npy")) {
    if (outputs.size() == 1) return write_npy(path, outputs[0]);
    return Status::user({path, "", ""},
                        "an .npy holds one array, the model has " + std::to_string(outputs.size()) + " outputs",
                        "write to an .npz");
  }
  std::map<std::string, HostTensor> arrays;
  for (size_t i = 0; i < outputs.size(); i++)
    arrays.emplace(graph[graph.outputs[i]].name, outputs[i]);
  if (ends_with(path, ".safetensors")) return write_safetensors(path, arrays);
  if (ends_with(path, ".npz")) return write_npz(path, arrays);
  return Status::user({path, "", ""}, "the kind of file is not known by its name",
                      "end it with .npy, .npz or .safetensors");
}

/// Whether the file has several runs for the graph (then results are stacked, even if it is one).
Result<bool> has_batches(const Graph& graph, const std::string& path) {
  QL_ASSIGN(const std::unique_ptr<ArrayFile> file, open_arrays(path));
  const Tensor& first = graph[graph.inputs[0]];
  const ArrayInfo* array = file->find(first.name);
  if (array == nullptr && graph.inputs.size() == 1 && file->arrays().size() == 1) array = &file->arrays()[0];
  return array == nullptr || array->shape.size() != first.shape().size();
}

Status run_model(const Arguments& arguments) {
  ProgressBar bar;
  const StageProgress progress = bar.callback();
  QL_ASSIGN(const QuantizedModel quantized, read_quantized(arguments, progress));
  const Graph& graph = quantized.graph;
  CalibrationBatches batches;
  bool stack = false;
  if (arguments.get("input").empty()) {
    batches = {sample_inputs(graph, 1)};
  } else {
    QL_ASSIGN(batches, read_batches(graph, arguments.get("input")));
    QL_ASSIGN(stack, has_batches(graph, arguments.get("input")));
    if (batches.empty()) return Status::user({arguments.get("input"), "", ""}, "has no inputs to run");
  }
  std::vector<std::vector<HostTensor>> results(graph.outputs.size());
  const auto keep = [&](std::vector<HostTensor> outputs) {
    for (size_t i = 0; i < outputs.size(); i++)
      results[i].push_back(std::move(outputs[i]));
  };
  if (arguments.get("via") == "reference") {
    QL_ASSIGN(const std::unique_ptr<Executable> executable, reference_executor()->prepare(graph));
    for (size_t b = 0; b < batches.size(); b++) {
      QL_ASSIGN(std::vector<HostTensor> outputs, executable->run(batches[b]));
      keep(std::move(outputs));
      progress("running the reference", b + 1, batches.size());
    }
  } else {
    QL_ASSIGN(const std::shared_ptr<const Model> model, Model::compile(graph, compile_options(arguments, progress)));
    const std::unique_ptr<Instance> instance = model->instance(arguments.number("threads"));
    for (size_t b = 0; b < batches.size(); b++) {
      QL_ASSIGN(std::vector<HostTensor> outputs, instance->run(batches[b]));
      keep(std::move(outputs));
      progress("running", b + 1, batches.size());
    }
  }
  std::vector<HostTensor> outputs;
  for (const std::vector<HostTensor>& list : results)
    outputs.push_back(stacked(list, stack));
  if (!arguments.get("output").empty()) {
    const DeferredInterrupt whole_or_nothing;
    return write_outputs(arguments.get("output"), graph, outputs);
  }
  if (arguments.get("input").empty()) std::printf("on made-up inputs (give --input DATA for yours):\n");
  for (size_t i = 0; i < outputs.size(); i++)
    print_output(graph[graph.outputs[i]].name, outputs[i]);
  return {};
}

int run(const Arguments& arguments) {
  if (!find_targets(arguments.get("target"))) return kUsage;
  return finish(run_model(arguments));
}

}  // namespace

Command run_command() {
  Command command;
  command.name = "run";
  command.summary = "run a model on arrays, by the JIT or the reference";
  command.operands = {"MODEL"};
  command.details =
      "Compiles the model for this process and runs it. An input of shape S takes an array of shape S, or [runs] + S:\n"
      "then the results are stacked likewise. Without -o the first values of every output are printed.";
  command.options = {{"input", "DATA", ".npz, .npy or .safetensors with an array for each input", 'i', "", {}},
                     {"output", "FILE", "where the results go: .npz, .npy or .safetensors", 'o', "", {}},
                     {"via", "PATH", "what computes", 0, "jit", {"jit", "reference"}}};
  add_quantize_options(command.options);
  add_native_options(command.options);
  command.options.push_back({"threads", kNumber, "threads that run the model", 0, "1", {}});
  command.example =
      "  qlathe run examples/perceptron/perceptron.json --rules examples/perceptron/int8.json \\\n"
      "      --calibration examples/perceptron/calibration.npz --input examples/perceptron/sample.npz";
  command.run = run;
  return command;
}

}  // namespace qlathe::cli
