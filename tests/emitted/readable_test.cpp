// The emitted C++ as text: committed sources to be read, warnings of every standard, clang-tidy.
#include <fstream>

#include "tests/emitted/emitted_model.h"

namespace qlathe::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNetwork =
    R"({"qlathe_spec": 1, "name": "net", "inputs": [{"name": "x", "shape": [1, 6, 5, 3]}],
  "weights": "w.npz",
  "nodes": [{"op": "conv", "module": "conv1", "padding": "SAME"}, {"op": "relu"},
            {"op": "conv", "module": "dw", "padding": "SAME", "groups": 8}, {"op": "relu6"},
            {"op": "max_pool", "window": 2, "strides": 2}, {"op": "flatten"},
            {"op": "linear", "module": "fc"}, {"op": "softmax"}]})";
const std::map<std::string, Shape> kWeights = {
    {"conv1/kernel", {3, 3, 3, 8}}, {"conv1/bias", {8}}, {"dw/kernel", {3, 3, 1, 8}}, {"fc/kernel", {48, 4}}};
constexpr const char* kInt8 = R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true}])";

std::string read(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Golden {
  const char *name, *rules, *target;
};
constexpr Golden kGoldens[] = {{"int8_generic", kInt8, "generic"},
                               {"float_arm64", "[]", "arm64-neon"},
                               {"int8_avx512", kInt8, "x86-64-avx512vnni"}};

class Readable : public EmittedModel {};

TEST_F(Readable, GoldenSourcesAreWhatIsEmitted) {
  write_model(kNetwork, kWeights, {1, 6, 5, 3});
  for (const Golden& golden : kGoldens) {
    SCOPED_TRACE(golden.name);
    emit(golden.name, golden.rules, *TargetRegistry::find(golden.target));
    if (HasFatalFailure()) return;
    std::string text = read(folder() / golden.name / "net.h") + "\n" + read(folder() / golden.name / "net.cpp");
    // The numbers themselves are not there to be read.
    const size_t numbers = text.find("// ---- Numbers");
    ASSERT_NE(numbers, std::string::npos);
    text.resize(numbers);
    const fs::path file = fs::path(QLATHE_SOURCE_DIR) / "tests/emitted/goldens" / (std::string(golden.name) + ".txt");
    if (getenv("QLATHE_UPDATE_GOLDENS") != nullptr) std::ofstream(file) << text;
    EXPECT_EQ(text, read(file)) << "./dev goldens writes it again";
  }
}

TEST_F(Readable, NoCompilerWarnsInAnyStandard) {
  write_model(kNetwork, kWeights, {1, 6, 5, 3});
  for (const char* target : {"generic", "x86-64-avx2"}) {
    emit(target, kInt8, *TargetRegistry::find(target));
    if (HasFatalFailure()) return;
    for (const TargetCompiler& compiler : compilers_for(*TargetRegistry::find(target))) {
      for (const char* standard : {"c++14", "c++17", "c++20"})
        run(compiler.words + " -std=" + standard + " -fsyntax-only -I" + target + " " + target + "/*.cpp");
    }
  }
}

TEST_F(Readable, ClangTidyFindsNothingBugproneOrSlow) {
  if (!on_path("clang-tidy-19")) GTEST_SKIP() << "clang-tidy-19 is not installed";
  write_model(kNetwork, kWeights, {1, 6, 5, 3});
  emit("out", kInt8, *TargetRegistry::find("generic"));
  if (HasFatalFailure()) return;
  run("clang-tidy-19 --quiet --checks='-*,bugprone-*,performance-*' --warnings-as-errors='*' out/*.cpp -- "
      "-std=c++11 -Iout");
}

TEST_F(Readable, NamesNoFolderOfThisMachine) {
  write_model(kNetwork, kWeights, {1, 6, 5, 3});
  emit("out", kInt8, *TargetRegistry::find("generic"));
  if (HasFatalFailure()) return;
  for (const auto& file : fs::directory_iterator(folder() / "out")) {
    const std::string text = read(file.path());
    EXPECT_EQ(text.find(folder().string()), std::string::npos) << file.path();
    EXPECT_EQ(text.find(QLATHE_SOURCE_DIR), std::string::npos) << file.path();
  }
}

}  // namespace
}  // namespace qlathe::testing
