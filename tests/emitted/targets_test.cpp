// Whole models as emitted C++ for every registered target: compiled, run (under an emulator where the target is
// foreign) and compared with the reference by the emitted self-test.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "api/pipeline.h"
#include "codegen/cpp/emit.h"
#include "codegen/halide/lower_program.h"
#include "frontend/formats/arrays/array_file.h"
#include "frontend/reference/reference_executor.h"
#include "tests/support/random_tensor.h"

namespace qlathe {
namespace {

namespace fs = std::filesystem;

/// A network with the kernels of a small vision model: dense and depthwise convolutions, pooling, softmax, odd shapes.
constexpr const char* kNetwork =
    R"({"qlathe_spec": 1, "name": "net", "inputs": [{"name": "x", "shape": [1, 12, 10, 3]}],
  "weights": "w.npz",
  "nodes": [{"op": "conv", "module": "conv1", "padding": "SAME", "strides": 2}, {"op": "relu6"},
            {"op": "conv", "module": "dw", "padding": "SAME", "groups": 8}, {"op": "relu"},
            {"op": "conv", "module": "conv2"}, {"op": "hard_swish"},
            {"op": "max_pool", "window": 2, "strides": 2}, {"op": "flatten"},
            {"op": "linear", "module": "fc"}, {"op": "softmax"}]})";

struct Variant {
  const char* name;
  const char* rules;
};
constexpr Variant kVariants[] = {
    {"float", "[]"},
    {"dynamic_int8", R"([{"weight_qtype": "int8", "act_qtype": "int8"}])"},
    {"static_int8", R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true}])"},
    {"int4_head", R"([{"module_path": "fc", "weight_qtype": "int4"}, {"weight_qtype": "int8", "act_qtype": "int8"}])"},
};

bool on_path(const std::string& program) {
  return system(("command -v " + program + " > /dev/null 2>&1").c_str()) == 0;
}

class Targets : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "qlathe-emitted-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    testing::Random random(1);
    std::map<std::string, HostTensor> weights;
    const auto add = [&](const char* name, const Shape& shape) {
      weights[name] = testing::random_tensor(random, ValueType::kF32, shape, 0.4f);
    };
    add("conv1/kernel", {3, 3, 3, 8});
    add("conv1/bias", {8});
    add("dw/kernel", {3, 3, 1, 8});
    add("conv2/kernel", {1, 1, 8, 20});
    add("conv2/bias", {20});
    add("fc/kernel", {120, 10});
    ASSERT_TRUE(write_npz((folder_ / "w.npz").string(), weights).ok());
    std::ofstream(folder_ / "net.json") << kNetwork;
    ASSERT_TRUE(write_npz((folder_ / "batches.npz").string(),
                          {{"x", testing::random_tensor(random, ValueType::kF32, {4, 1, 12, 10, 3}, 2.0f)}})
                    .ok());
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// Emits the model under the rules for the target into folder/<variant>, with two golden vectors by the reference.
  void emit(const Variant& variant, const Target& target) {
    std::ofstream(folder_ / "rules.json") << variant.rules;
    const auto source = read_model((folder_ / "net.json").string());
    ASSERT_TRUE(source.ok()) << source.status().text();
    ReferenceExecutor reference;
    const auto quantized = quantize_model(
        *source, {(folder_ / "rules.json").string(), (folder_ / "batches.npz").string(), "", false}, reference);
    ASSERT_TRUE(quantized.ok()) << quantized.status().text();
    const auto canonical = canonical_graph(quantized->graph);
    ASSERT_TRUE(canonical.ok()) << canonical.status().text();
    const auto program = plan_program(*canonical, target);
    ASSERT_TRUE(program.ok()) << program.status().text();
    const auto kernels = lower_program(*program);
    ASSERT_TRUE(kernels.ok()) << kernels.status().text();
    EmitOptions options;
    testing::Random random(9);
    for (const float range : {2.0f, 1e6f}) {
      const std::vector<HostTensor> x = {testing::random_tensor(random, ValueType::kF32, {1, 12, 10, 3}, range)};
      const auto y = run_reference(quantized->graph, x);
      ASSERT_TRUE(y.ok()) << y.status().text();
      options.golden.push_back({x, *y});
    }
    const auto files = emit_cpp(*program, *kernels, options);
    ASSERT_TRUE(files.ok()) << files.status().text();
    fs::create_directories(folder_ / variant.name);
    for (const EmittedFile& file : *files)
      std::ofstream(folder_ / variant.name / file.name, std::ios::binary) << file.bytes;
  }

  void run(const std::string& command) {
    const int status = system(("cd " + folder_.string() + " && (" + command + ") > log 2>&1").c_str());
    std::ifstream log(folder_ / "log");
    EXPECT_EQ(status, 0) << command << "\n" << std::string{std::istreambuf_iterator<char>(log), {}};
  }

  fs::path folder_;
};

TEST_P(Targets, EmittedModelsGiveTheReferencesBits) {
  const Target& target = *TargetRegistry::find(GetParam());
  const bool cross = !target.cross_triple.empty();
  if (!cross && !host_can_run(target)) GTEST_SKIP() << "this machine cannot run " << target.name;
  if (cross && !on_path(target.cross_triple + "-g++")) GTEST_SKIP() << target.cross_triple << "-g++ is not installed";
  if (cross && !on_path(target.emulator)) GTEST_SKIP() << target.emulator << " is not installed";
  std::vector<std::string> compilers = {cross ? target.cross_triple + "-g++ -static" : "g++"};
  if (!cross && on_path("clang++-19")) compilers.emplace_back("clang++-19");
  for (const Variant& variant : kVariants) {
    emit(variant, target);
    if (HasFatalFailure()) return;
  }
  for (const std::string& compiler : compilers) {
    const bool clang = compiler.starts_with("clang");
    std::string flags = " -std=c++11 -O2 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror";
    for (const std::string& flag : clang ? target.clang_flags : target.gcc_flags)
      flags += " " + flag;
    const std::string emulator = cross ? target.emulator + " -cpu max " : "";
    for (const Variant& variant : kVariants) {
      SCOPED_TRACE(variant.name);
      const std::string in = variant.name;
      run(compiler + flags + " -I" + in + " " + in + "/*.cpp -o " + in + "/main && " + emulator + in + "/main");
    }
  }
}

std::vector<std::string> target_names() {
  std::vector<std::string> names;
  for (const Target* target : TargetRegistry::all())
    names.push_back(target->name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, Targets, ::testing::ValuesIn(target_names()), [](const auto& instance) {
  std::string name = instance.param;
  for (char& c : name)
    c = c == '-' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace qlathe
