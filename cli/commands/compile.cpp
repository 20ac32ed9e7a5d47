#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <thread>

#include "api/float_ops.h"
#include "api/layers.h"
#include "api/limits.h"
#include "api/output.h"
#include "api/pipeline.h"
#include "api/report.h"
#include "api/support.h"
#include "api/write_folder.h"
#include "cli/commands/commands.h"
#include "cli/commands/common.h"
#include "cli/terminal/deferred_interrupt.h"
#include "cli/terminal/terminal.h"

namespace qlathe::cli {
namespace {

/// --dump-passes: the graph as the rules left it, then after every pass, as text that qlathe reads again.
class Dumps {
 public:
  explicit Dumps(std::string folder) : folder_(std::move(folder)) {}

  Status save(const std::string& stage, const Graph& graph) {
    if (folder_.empty()) return {};
    if (index_ == 0) mkdir(folder_.c_str(), 0777);  // a failure shows when the first file is written
    char number[8];
    std::snprintf(number, sizeof number, "%02d_", index_++);
    return save_graph(folder_ + "/" + number + stage + ".qir", graph);
  }
  PassObserver observer() {
    if (folder_.empty()) return {};
    return [this](const std::string& pass, const Graph&, const Graph& after) { problems.merge(save(pass, after)); };
  }
  Status problems;

 private:
  std::string folder_;
  int index_ = 0;
};

OutputKind output_kind(const std::string& word) {
  if (word == "object") return OutputKind::kObject;
  if (word == "static") return OutputKind::kStatic;
  if (word == "shared") return OutputKind::kShared;
  return OutputKind::kCpp;
}

WeightPlacement placement(const std::string& word) {
  if (word == "separate") return WeightPlacement::kSeparate;
  if (word == "binary") return WeightPlacement::kBinary;
  return WeightPlacement::kInline;
}

/// "name=value" of the options that shape the output; they are part of what the files say of themselves.
std::vector<std::string> shaping_options(const Arguments& arguments, const std::string& target) {
  std::vector<std::string> out = {"--target " + target, "--emit " + arguments.get("emit")};
  if (arguments.get("emit") == "cpp") out.push_back("--weights " + arguments.get("weights"));
  if (arguments.has("name")) out.push_back("--name " + arguments.get("name"));
  for (const char* option : {"package", "ram-limit", "pool"}) {
    if (arguments.has(option)) out.push_back(std::string("--") + option + " " + arguments.get(option));
  }
  if (looks_like_tflite(arguments.operands()[0]))
    out.push_back("--numerics " + (arguments.has("numerics") ? arguments.get("numerics") : std::string("litert-ref")));
  if (arguments.get("stream-rows") != "fit") out.push_back("--stream-rows " + arguments.get("stream-rows"));
  return out;
}

void print_summary(const Arguments& arguments, const std::string& target, const ModelOutput& output, int64_t macs) {
  const std::string folder = arguments.get("output");
  if (arguments.has("json")) {
    JsonText json;
    json.object().member("folder", folder).member("target", target).member("macs", macs);
    json.member("weight_bytes", output.weight_bytes).member("arena_bytes", output.arena_bytes);
    json.member("state_bytes", output.state_bytes);
    if (output.figures) {
      json.member("code_bytes", output.figures->code_bytes).member("constant_bytes", output.figures->constant_bytes);
      json.member("stack_bytes", output.figures->stack_bytes).member("compiler", output.figures->compiler);
    }
    json.key("files").array();
    for (const EmittedFile& file : output.files)
      json.object().member("name", file.name).member("bytes", file.bytes.size()).end();
    json.end().key("notes").array();
    for (const std::string& note : output.notes)
      json.value(note);
    std::fputs(json.end().end().text().c_str(), stdout);
    return;
  }
  Table table({"file", ">bytes"});
  for (const EmittedFile& file : output.files)
    table.row({folder + "/" + file.name, grouped(static_cast<int64_t>(file.bytes.size()))});
  std::printf("%s\nfor %s: weights %s, arena %s%s, %s multiply-accumulates a run\n", table.text().c_str(),
              target.c_str(), bytes_text(output.weight_bytes).c_str(), bytes_text(output.arena_bytes).c_str(),
              output.state_bytes > 0 ? (", state " + bytes_text(output.state_bytes)).c_str() : "",
              grouped(macs).c_str());
  if (output.figures) {
    const CodeFigures& f = *output.figures;
    std::printf("%s: code %s, read-only data %s, stack %s", f.compiler.c_str(), bytes_text(f.code_bytes).c_str(),
                bytes_text(f.constant_bytes).c_str(), bytes_text(f.stack_bytes).c_str());
    for (size_t i = 0; i < f.outside.size(); i++)
      std::printf("%s%s", i == 0 ? ", without " : ", ", f.outside[i].c_str());
    std::printf("\n");
  } else if (output.unmeasured != "not asked for") {
    std::printf("code and stack not measured: %s\n", output.unmeasured.c_str());
  }
  std::fputs(output.memory_text.c_str(), stdout);
  for (const std::string& note : output.notes)
    std::printf("  %s\n", note.c_str());
}

/// With --require-integer: an error that lists every op on real numbers.
Status check_integer(const std::string& file, const Graph& quantized) {
  QL_ASSIGN(const Graph canonical, canonical_graph(quantized));
  Status problems;
  for (const FloatOp& op : list_float_ops(canonical)) {
    problems.merge(Status::user({op.place.empty() ? file : op.place, op.node, op.op}, op.reason,
                                "quantize what it reads and gives, or leave --require-integer out"));
  }
  return problems;
}

Status compile(const Arguments& arguments, const std::string& target) {
  OutputOptions options;
  QL_RETURN_IF_ERROR(set_row_options(arguments, options));
  MemoryLimits limits{options.ram, {}};
  if (arguments.has("flash-limit")) {
    QL_ASSIGN(limits.flash, parse_bytes(arguments.get("flash-limit"), "--flash-limit"));
  }
  ProgressBar bar;
  QL_ASSIGN(const QuantizedModel quantized, read_quantized(arguments, bar.callback()));
  if (arguments.has("require-integer")) QL_RETURN_IF_ERROR(check_integer(arguments.operands()[0], quantized.graph));
  Dumps dumps(arguments.get("dump-passes"));
  QL_RETURN_IF_ERROR(dumps.save("quantized", quantized.graph));

  options.kind = output_kind(arguments.get("emit"));
  options.name = arguments.get("name");
  options.target = target;
  options.weights = placement(arguments.get("weights"));
  const QuantizeInputs inputs = quantize_inputs(arguments);
  options.provenance =
      provenance_lines(arguments.operands()[0], quantized.graph, inputs, shaping_options(arguments, target));
  options.threads = arguments.has("threads") ? arguments.number("threads")
                                             : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  options.progress = bar.callback();
  if (arguments.has("package")) {
    const std::vector<std::string>& names = package_names();
    const auto at = std::find(names.begin(), names.end(), arguments.get("package")) - names.begin();
    options.package = static_cast<PackageKind>(at + 1);
  }
  options.measure = arguments.has("measure") || limits.ram || limits.flash;
  options.observer = dumps.observer();
  if (!inputs.calibration.empty()) {
    QL_ASSIGN(const CalibrationBatches batches, read_batches(quantized.graph, inputs.calibration));
    if (!batches.empty()) options.golden_inputs = {batches[0]};
  }
  QL_ASSIGN(const ModelOutput output, make_output(quantized.graph, options));
  QL_RETURN_IF_ERROR(dumps.problems);
  // What does not fit is still worth a report.
  if (arguments.has("report")) {
    QL_RETURN_IF_ERROR(write_file(arguments.get("report"), report_page(output, options.provenance)));
  }
  QL_RETURN_IF_ERROR(check_limits(output, limits));
  {
    const DeferredInterrupt whole_or_nothing;
    QL_RETURN_IF_ERROR(write_folder(arguments.get("output"), output.files));
  }
  print_summary(arguments, target, output, total_macs(quantized.graph));
  return {};
}

int run(const Arguments& arguments) {
  // Several targets: forms of one program.
  std::string targets;
  std::istringstream names(arguments.get("target"));
  for (std::string name; std::getline(names, name, ',');) {
    const Target* const target = find_target(name);
    if (target == nullptr) return kUsage;
    targets += (targets.empty() ? "" : ",") + target->name;
  }
  if (arguments.get("output").empty()) {
    print_error("-o is missing; name the folder that the files go to: -o DIR");
    return kUsage;
  }
  return finish(compile(arguments, targets));
}

}  // namespace

Command compile_command() {
  Command command;
  command.name = "compile";
  command.summary = "write a model as C++ sources, objects or a library";
  command.operands = {"MODEL"};
  command.details =
      "Reads a model (a spec in JSON, ONNX, or a graph in text form), applies its quantization rules, and writes it "
      "for a\n"
      "target. All files appear in DIR, or none: with an error DIR stays as it was. In DIR, all .cpp files but "
      "main.cpp\n"
      "compile with -IDIR alone; main.cpp runs the self-test, or the model on .npy files.";
  command.options = {
      {"output", "DIR", "folder that the files go to", 'o', "", {}},
      {"emit", "KIND", "what to write", 'e', "cpp", {"cpp", "object", "static", "shared"}},
      {"target",
       "TARGET",
       "instruction set (qlathe targets lists them); several with commas make one C++ program that takes the best one "
       "of the processor it runs on",
       't',
       "host",
       {}},
      {"weights", "PLACE", "where C++ keeps the weights", 'w', "inline", {"inline", "separate", "binary"}},
      {"name",
       "NAME",
       "of the model in the output, the prefix of its symbols; the model's own where absent",
       'n',
       "",
       {}}};
  add_quantize_options(command.options);
  command.options.push_back(
      {"package", "KIND", "arrange the C++ as a library of an ecosystem", 0, "", package_names()});
  command.options.push_back(
      {"measure", "", "C++: compile it with the target's g++ and state the bytes of code and stack", 0, "", {}});
  add_row_options(command.options);
  command.options.push_back({"flash-limit", "SIZE", "an error where constants and code are more (256K)", 0, "", {}});
  command.options.push_back({"report", "FILE.html", "write a page with sizes and the memory plan", 0, "", {}});
  command.options.push_back(
      {"require-integer", "", "an error where anything computes with real numbers, listing all of it", 0, "", {}});
  command.options.push_back({"threads", kNumber, "threads that compile; one per processor where absent", 0, "", {}});
  command.options.push_back({"dump-passes", "DIR", "save the graph as text before and after every pass", 0, "", {}});
  command.options.push_back(json_option());
  command.example =
      "  qlathe compile examples/perceptron/perceptron.json --rules examples/perceptron/int8.json \\\n"
      "      --calibration examples/perceptron/calibration.npz --target host --emit cpp -o out\n"
      "  g++ -O2 $(qlathe targets host --gcc-flags) -Iout out/*.cpp -o perceptron && ./perceptron";
  command.run = run;
  return command;
}

}  // namespace qlathe::cli
