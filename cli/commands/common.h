#pragma once
/// What several commands share: options, and the way from a model to its quantized graph.
#include <optional>

#include "api/output.h"
#include "api/qlathe.h"
#include "cli/terminal/options.h"

namespace qlathe::cli {

/// --rules, --calibration, --statistics, --allow-extra-params.
void add_quantize_options(std::vector<Option>& options);
/// --shape.
void add_model_options(std::vector<Option>& options);
/// The model of the first operand, its open shapes bound by --shape.
Result<SourceModel> read_given_model(const Arguments& arguments);

/// --target of code for this process, --compile-threads, --no-cache.
void add_native_options(std::vector<Option>& options);
Option json_option();

/// --ram-limit, --pool and --stream-rows.
void add_row_options(std::vector<Option>& options);
Status set_row_options(const Arguments& arguments, OutputOptions& options);

QuantizeInputs quantize_inputs(const Arguments& arguments);
CompileOptions compile_options(const Arguments& arguments, const StageProgress& progress);

/// The target that --target names. An unknown one is the user's slip: said with a suggestion, exit with kUsage.
const Target* find_target(const std::string& name);
/// Whether every target of "opencl,host" is known; says which is not.
bool find_targets(const std::string& names);

/// Reads the model and applies its rules; warnings are printed.
Result<QuantizedModel> read_quantized(const Arguments& arguments, const StageProgress& progress);

/// "float32 8x16"; several with commas.
std::string type_text(const TensorType& type);
std::string types_text(const std::vector<TensorType>& types);

/// Runs a command's body; a failure is printed.
int finish(const Status& status);

}  // namespace qlathe::cli
