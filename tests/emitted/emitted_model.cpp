#include "tests/emitted/emitted_model.h"

#include <stdlib.h>

#include <fstream>

#include "api/pipeline.h"
#include "codegen/cpp/emit_forms.h"
#include "codegen/halide/lower_program.h"
#include "frontend/formats/arrays/array_file.h"
#include "frontend/reference/reference_executor.h"
#include "tests/support/random_tensor.h"

namespace qlathe::testing {

namespace fs = std::filesystem;

std::vector<TargetCompiler> compilers_for(const Target& target) {
  const std::string common = " -std=c++11 -O2 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror";
  const auto with_flags = [&](const std::string& command, const std::vector<std::string>& flags) {
    std::string words = command + common;
    for (const std::string& flag : flags)
      words += " " + flag;
    return words;
  };
  const bool cross = !target.cross_triple.empty();
  const std::string gcc = cross ? target.cross_triple + "-g++" : "g++";
  std::vector<TargetCompiler> out;
  if (on_path(gcc)) out.push_back({"g++", with_flags(gcc + (cross ? " -static" : ""), target.gcc_flags)});
  // clang++ has no headers and libraries of its own for another processor: those of the cross compiler.
  if (on_path("clang++-19") && (!cross || on_path(gcc))) {
    out.push_back({"clang++", with_flags("clang++-19" + (cross ? " -static --target=" + target.cross_triple : ""),
                                         target.clang_flags)});
  }
  return out;
}

void EmittedModel::SetUp() {
  std::string pattern = (fs::temp_directory_path() / "qlathe-emitted-XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  folder_ = pattern;
}

void EmittedModel::TearDown() { fs::remove_all(folder_); }

void EmittedModel::write_model(const std::string& spec, const std::map<std::string, Shape>& weights,
                               const Shape& input) {
  Random random(1);
  std::map<std::string, HostTensor> tensors;
  for (const auto& [name, shape] : weights)
    tensors[name] = random_tensor(random, ValueType::kF32, shape, 0.4f);
  ASSERT_TRUE(write_npz((folder_ / "w.npz").string(), tensors).ok());
  std::ofstream(folder_ / "net.json") << spec;
  Shape batches = input;
  batches.insert(batches.begin(), 4);
  ASSERT_TRUE(
      write_npz((folder_ / "batches.npz").string(), {{"x", random_tensor(random, ValueType::kF32, batches, 2.0f)}})
          .ok());
  input_ = input;
}

void EmittedModel::emit(const std::string& name, const std::string& rules, const std::vector<const Target*>& targets) {
  std::ofstream(folder_ / "rules.json") << rules;
  const auto source = read_model((folder_ / "net.json").string());
  ASSERT_TRUE(source.ok()) << source.status().text();
  ReferenceExecutor reference;
  const auto quantized = quantize_model(
      *source, {(folder_ / "rules.json").string(), (folder_ / "batches.npz").string(), "", false}, reference);
  ASSERT_TRUE(quantized.ok()) << quantized.status().text();
  const auto canonical = canonical_graph(quantized->graph);
  ASSERT_TRUE(canonical.ok()) << canonical.status().text();
  std::vector<EmitForm> forms;
  for (const Target* target : targets) {
    const auto program = plan_program(*canonical, *target);
    ASSERT_TRUE(program.ok()) << program.status().text();
    const auto kernels = lower_program(*program);
    ASSERT_TRUE(kernels.ok()) << kernels.status().text();
    forms.push_back({*program, *kernels});
  }
  EmitOptions options;
  options.weights = weights_;
  Random random(9);
  for (const float range : {2.0f, 1e6f}) {
    const std::vector<HostTensor> x = {random_tensor(random, ValueType::kF32, input_, range)};
    const auto y = run_reference(quantized->graph, x);
    ASSERT_TRUE(y.ok()) << y.status().text();
    options.golden.push_back({x, *y});
  }
  const auto files =
      forms.size() == 1 ? emit_cpp(forms[0].program, forms[0].kernels, options) : emit_forms(forms, options);
  ASSERT_TRUE(files.ok()) << files.status().text();
  fs::create_directories(folder_ / name);
  for (const EmittedFile& file : *files)
    std::ofstream(folder_ / name / file.name, std::ios::binary) << file.bytes;
}

void EmittedModel::run(const std::string& command) {
  const int status = system(("cd " + folder_.string() + " && (" + command + ") > log 2>&1").c_str());
  std::ifstream log(folder_ / "log");
  EXPECT_EQ(status, 0) << command << "\n" << std::string{std::istreambuf_iterator<char>(log), {}};
}

}  // namespace qlathe::testing
