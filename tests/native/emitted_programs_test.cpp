// The emitted folders as a user gets them: compiled, linked and run, in every output kind.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "codegen/cpp/emit.h"
#include "codegen/halide/lower_program.h"
#include "codegen/native/object_files.h"
#include "frontend/ops/pointwise.h"
#include "frontend/reference/reference_executor.h"
#include "tests/support/random_tensor.h"

namespace qlathe {
namespace {

namespace fs = std::filesystem;

struct Sample {
  Program program;
  std::vector<LoweredKernel> kernels;
  EmitOptions options;
};

/// gelu(x * row + tiled), quantized: an input, two constants, an intermediate in the arena, two outputs.
Sample sample(const std::string& target) {
  Graph graph;
  graph.name = "sample net";
  testing::Random random(11);
  const TensorId x = graph.add_input("x", {ValueType::kF32, {6, 40}});
  const TensorId row = graph.add_constant("row", testing::random_tensor(random, ValueType::kF32, {40}, 2.0f));
  const TensorId scale = graph.add_constant("scale", HostTensor::of<float>(ValueType::kF32, {1}, {0.021f}));
  const auto node = [&](std::vector<TensorId> inputs, std::vector<PointwiseStep> steps, const char* name) {
    auto attrs = std::make_shared<PointwiseAttrs>();
    attrs->steps = std::move(steps);
    return graph.add("pointwise", std::move(inputs), attrs, {name, "", "", ""}).value();
  };
  const TensorId h = node({x, row}, {{.op = "mul", .operands = {1}}, {.op = "gelu"}}, "hidden");
  const TensorId q = node({h, scale}, {{.op = "quantize", .type = ValueType::kI8, .operands = {1}}}, "class");
  const TensorId y = node({h, x}, {{.op = "add", .operands = {1}}}, "y");
  graph.outputs = {q, y};
  Sample out{plan_program(graph, *TargetRegistry::find(target)).value(), {}, {}};
  out.kernels = lower_program(out.program).value();
  out.options.provenance = {"model  none, built by a test"};
  const std::vector<HostTensor> inputs = {testing::random_tensor(random, ValueType::kF32, {6, 40}, 3.0f)};
  out.options.golden.push_back({inputs, run_reference(graph, inputs).value()});
  return out;
}

class EmittedPrograms : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "qlathe-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::vector<EmittedFile>& files) {
    for (const EmittedFile& file : files)
      std::ofstream(folder_ / file.name, std::ios::binary) << file.bytes;
  }
  /// Runs a shell command in the folder; its output is part of a failure.
  void run(const std::string& command) {
    const int status = system(("cd " + folder_.string() + " && (" + command + ") > log 2>&1").c_str());
    std::ifstream log(folder_ / "log");
    EXPECT_EQ(status, 0) << command << "\n" << std::string{std::istreambuf_iterator<char>(log), {}};
  }

  fs::path folder_;
};

constexpr const char* kWarnings = " -std=c++11 -O2 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror -I. ";

TEST_F(EmittedPrograms, ATensorWithoutElementsNeedsNoPlace) {
  Graph graph;
  graph.name = "net";
  const TensorId x = graph.add_input("x", {ValueType::kF32, {3}}),
                 none = graph.add_input("none", {ValueType::kF32, {0}});
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = {{.op = "neg"}};
  graph.outputs = {graph.add("pointwise", {x}, attrs, {"y", "", "", ""}).value(),
                   graph.add("pointwise", {none}, attrs, {"z", "", "", ""}).value()};
  const Program program = plan_program(graph, *TargetRegistry::find("generic")).value();
  EmitOptions options;
  const std::vector<HostTensor> inputs = {HostTensor(ValueType::kF32, {3}), HostTensor(ValueType::kF32, {0})};
  options.golden.push_back({inputs, run_reference(graph, inputs).value()});
  const auto files = emit_cpp(program, lower_program(program).value(), options);
  ASSERT_TRUE(files.ok()) << files.status().text();
  write(*files);
  run("g++" + std::string(kWarnings) + "net.cpp main.cpp net_self_test.cpp -o test && ./test");
  std::ofstream(folder_ / "call.cpp")
      << "#include \"net.h\"\n"
         "int main() {\n"
         "  const float x[3] = {1, 2, 3};\n"
         "  float y[3];\n"
         "  if (net_run(x, nullptr, y, nullptr, nullptr) != 0) return 1;\n"
         "  return y[2] == -3 && net_run(nullptr, nullptr, y, nullptr, nullptr) == 1 ? 0 : 2;\n"
         "}\n";
  run("g++" + std::string(kWarnings) + "net.cpp call.cpp -o program && ./program");
}

TEST_F(EmittedPrograms, CppPassesItsSelfTestForEveryPlacementOfTheWeights) {
  for (const char* target : {"x86-64-avx512vnni", "x86-64-avx2", "generic"}) {
    if (!host_can_run(*TargetRegistry::find(target))) continue;
    Sample s = sample(target);
    std::string flags;
    for (const std::string& flag : s.program.target->gcc_flags)
      flags += " " + flag;
    for (const auto& [placement, name] : {std::pair{WeightPlacement::kInline, "inline"},
                                          {WeightPlacement::kSeparate, "separate"},
                                          {WeightPlacement::kBinary, "binary"}}) {
      SCOPED_TRACE(std::string(target) + ", weights " + name);
      s.options.weights = placement;
      const auto files = emit_cpp(s.program, s.kernels, s.options);
      ASSERT_TRUE(files.ok()) << files.status().text();
      write(*files);
      run("g++" + flags + kWarnings + "*.cpp -o main && ./main" +
          (placement == WeightPlacement::kBinary ? " sample_net_weights.bin" : "") + "; s=$?; rm -f *.cpp; exit $s");
    }
  }
}

TEST_F(EmittedPrograms, ObjectsArchivesAndSharedLibrariesPassTheSelfTest) {
  const Sample s = sample(host_target().name);
  const auto emit = [&](ObjectKind kind) {
    const auto files = emit_objects(s.program, s.kernels, s.options, kind);
    EXPECT_TRUE(files.ok()) << files.status().text();
    write(*files);
  };
  emit(ObjectKind::kObject);
  run(std::string("g++") + kWarnings +
      "main.cpp sample_net_self_test.cpp sample_net.o sample_net_kernels.o -o a && ./a");
  emit(ObjectKind::kStatic);
  run(std::string("g++") + kWarnings + "main.cpp sample_net_self_test.cpp libsample_net.a -o b && ./b");
  emit(ObjectKind::kShared);
  run(std::string("g++") + kWarnings + "main.cpp sample_net_self_test.cpp -L. -lsample_net -Wl,-rpath,. -o c && ./c");
}

TEST_F(EmittedPrograms, SelfTestNamesTheOutputThatDiffers) {
  Sample s = sample(host_target().name);
  s.options.golden[0].outputs[1].bytes()[17] ^= 1;
  const auto files = emit_objects(s.program, s.kernels, s.options, ObjectKind::kStatic);
  ASSERT_TRUE(files.ok()) << files.status().text();
  write(*files);
  run(std::string("g++") + kWarnings +
      "main.cpp sample_net_self_test.cpp libsample_net.a -o b && ./b; test $? = 1 && ./b 2>&1 | grep 'fails at output "
      "1'");
}

TEST(EmittedFiles, TwoEmissionsHaveTheSameBytes) {
  const Sample a = sample(host_target().name), b = sample(host_target().name);
  const auto compare = [](const std::vector<EmittedFile>& x, const std::vector<EmittedFile>& y) {
    ASSERT_EQ(x.size(), y.size());
    for (size_t i = 0; i < x.size(); i++)
      EXPECT_TRUE(x[i].name == y[i].name && x[i].bytes == y[i].bytes) << x[i].name;
  };
  compare(emit_cpp(a.program, a.kernels, a.options).value(), emit_cpp(b.program, b.kernels, b.options).value());
  for (const ObjectKind kind : {ObjectKind::kObject, ObjectKind::kStatic, ObjectKind::kShared}) {
    compare(emit_objects(a.program, a.kernels, a.options, kind).value(),
            emit_objects(b.program, b.kernels, b.options, kind).value());
  }
}

TEST(EmittedFiles, TargetThatObjectsCannotReachIsRefusedWithTheAlternative) {
  const Sample s = sample("generic");
  const auto files = emit_objects(s.program, s.kernels, s.options, ObjectKind::kStatic);
  ASSERT_FALSE(files.ok());
  EXPECT_NE(files.status().text().find("use --emit cpp"), std::string::npos) << files.status().text();
}

}  // namespace
}  // namespace qlathe
