#include "cli/commands/common.h"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "api/limits.h"
#include "api/native_executor.h"
#include "api/support.h"
#include "cli/terminal/terminal.h"

namespace qlathe::cli {

void add_model_options(std::vector<Option>& options) {
  options.push_back(
      {"shape",
       "NAME=SHAPE,...",
       "shapes that the model leaves open: of inputs (image=1x3x224x224) or of symbolic dimensions (batch=4)",
       0,
       "",
       {}});
  options.push_back(
      {"numerics",
       "PROFILE",
       "TFLite models: the runtime whose integers the model gives: litert-ref (default), litert-xnnpack, tflm",
       0,
       "",
       {}});
}

Result<SourceModel> read_given_model(const Arguments& arguments) {
  QL_ASSIGN(ModelBindings bindings, parse_bindings(arguments.get("shape")));
  QL_ASSIGN(bindings.numerics, parse_numerics(arguments.get("numerics")));
  return read_model(arguments.operands()[0], bindings);
}

void add_row_options(std::vector<Option>& options) {
  options.push_back({"ram-limit", "SIZE", "an error where arena, state and stack are more (64K)", 0, "", {}});
  options.push_back({"pool",
                     "NAME=SIZE,...",
                     "memories that the arena is spread over, the fastest first (sram=64K,psram=2M): parameters of "
                     "their own of the model's function",
                     0,
                     "",
                     {}});
  options.push_back({"stream-rows",
                     "WHEN",
                     "compute chains of layers in strips of rows, which takes less memory and more time: as far as "
                     "--ram-limit asks for, wherever it helps, not at all",
                     0,
                     "fit",
                     {"fit", "always", "never"}});
}

namespace {

/// "sram=64K,psram=2M"
Result<std::vector<PoolLimit>> parse_pools(const std::string& text) {
  std::vector<PoolLimit> pools;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const size_t sign = part.find('=');
    const std::string name = part.substr(0, sign);
    const bool good =
        sign != std::string::npos && !name.empty() && std::isalpha(static_cast<unsigned char>(name[0])) &&
        std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    if (!good) {
      return Status::user({"", "", "--pool"}, "'" + part + "' is no pool",
                          "give names with sizes, the fastest first: sram=64K,psram=2M");
    }
    if (std::any_of(pools.begin(), pools.end(), [&](const PoolLimit& pool) { return pool.name == name; })) {
      return Status::user({"", "", "--pool"}, "pool " + name + " is named twice", "name it once");
    }
    QL_ASSIGN(const int64_t bytes, parse_bytes(part.substr(sign + 1), "--pool"));
    pools.push_back({name, bytes});
  }
  return pools;
}

}  // namespace

Status set_row_options(const Arguments& arguments, OutputOptions& options) {
  QL_ASSIGN(options.pools, parse_pools(arguments.get("pool")));
  if (arguments.has("ram-limit")) {
    QL_ASSIGN(options.ram, parse_bytes(arguments.get("ram-limit"), "--ram-limit"));
  }
  const std::string when = arguments.get("stream-rows");
  options.rows = when == "always"  ? RowStreaming::kAlways
                 : when == "never" ? RowStreaming::kNever
                                   : RowStreaming::kToFit;
  return {};
}

void add_quantize_options(std::vector<Option>& options) {
  add_model_options(options);
  options.push_back({"rules", "FILE", "list of quantization rules (JSON); the model's own where absent", 'r', "", {}});
  options.push_back({"calibration",
                     "DATA.npz",
                     "batches to calibrate static activations with: an array [batches, ...] for each input",
                     'c',
                     "",
                     {}});
  options.push_back(
      {"statistics", "FILE", "statistics of an earlier calibration (see qlathe calibrate) instead", 's', "", {}});
  options.push_back(
      {"allow-extra-params", "", "accept statistics and parameters that nothing in the model asks for", 0, "", {}});
}

void add_native_options(std::vector<Option>& options) {
  options.push_back({"target",
                     "TARGET",
                     "instruction set or device to compile for, on this machine; opencl,host falls back",
                     't',
                     "host",
                     {}});
  options.push_back({"no-cache", "", "compile every kernel anew and keep nothing in the object cache", 0, "", {}});
}

Option json_option() { return {"json", "", "print JSON for programs", 'j', "", {}}; }

QuantizeInputs quantize_inputs(const Arguments& arguments) {
  return {arguments.get("rules"), arguments.get("calibration"), arguments.get("statistics"),
          arguments.has("allow-extra-params")};
}

CompileOptions compile_options(const Arguments& arguments, const StageProgress& progress) {
  CompileOptions options;
  options.target = arguments.get("target");
  options.cache = !arguments.has("no-cache");
  options.progress = progress;
  return options;
}

const Target* find_target(const std::string& name) {
  if (name == "host") return &host_target();
  if (const Target* const found = TargetRegistry::find(name)) return found;
  std::vector<std::string> known = {"host"};
  for (const Target* target : TargetRegistry::all())
    known.push_back(target->name);
  print_error("--target: there is no target " + in_quotes(name) + "; " + did_you_mean(name, known) +
              " (qlathe targets lists them)");
  return nullptr;
}

bool find_targets(const std::string& names) {
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find(',', begin), names.size());
    if (find_target(names.substr(begin, end - begin)) == nullptr) return false;
    begin = end + 1;
  }
  return true;
}

Result<QuantizedModel> read_quantized(const Arguments& arguments, const StageProgress& progress) {
  QL_ASSIGN(const SourceModel source, read_given_model(arguments));
  const std::unique_ptr<Executor> executor = native_executor(!arguments.has("no-cache"));
  QL_ASSIGN(QuantizedModel quantized, quantize_model(source, quantize_inputs(arguments), *executor, progress));
  for (const std::string& warning : quantized.warnings)
    print_warning(warning);
  return quantized;
}

std::string type_text(const TensorType& type) { return std::string(name(type.type)) + " " + to_string(type.shape); }

std::string types_text(const std::vector<TensorType>& types) {
  std::string out;
  for (const TensorType& type : types)
    out += (out.empty() ? "" : ", ") + type_text(type);
  return out;
}

int finish(const Status& status) { return status.ok() ? kSuccess : fail(status); }

}  // namespace qlathe::cli
