// The instructions that the targets promise are in both outputs of a kernel, those that betray a vector taken apart in
// none.
#include <gtest/gtest.h>

#include "tests/codegen/runner.h"
#include "tests/support/disassemble.h"

namespace qlathe::testing {
namespace {

struct Case {
  const char* halide_target;
  int lanes;
  const char* compiler;
  const char* dot;
};

class Instructions : public ::testing::TestWithParam<Case> {
 protected:
  // The instructions of a kernel, whether it is a function of its own or was inlined into its entry.
  static std::vector<std::string> of(const std::map<std::string, std::vector<std::string>>& functions,
                                     const std::string& kernel) {
    std::vector<std::string> all;
    for (const auto& [name, instructions] : functions) {
      bool own = name == kernel || name == kernel + "_entry" ||
                 name.find(std::to_string(kernel.size()) + kernel + "E") != std::string::npos ||
                 name.find(std::to_string(kernel.size()) + kernel + "P") != std::string::npos;
      if (own) all.insert(all.end(), instructions.begin(), instructions.end());
    }
    return all;
  }
};

TEST_P(Instructions, OfContractionsAreThePromisedOnes) {
  const Case& c = GetParam();
  Width width{c.lanes};
  std::string compiler = std::string(c.compiler).substr(0, std::string(c.compiler).find(' '));
  if (!compiler_exists(compiler)) GTEST_SKIP() << "no " << compiler;
  TestKernels tests = {{conv3x3("conv_tile", width, 8, 8, 2 * c.lanes, 4), {}},
                       {gemm("gemm_tile", width, 12, 4 * c.lanes, 32, 4, 2), {}},
                       {depthwise3x3("depthwise_tile", width, 8, 4 * c.lanes, 4), {}}};
  std::vector<LoweredKernel> kernels = lower_all(tests, c.halide_target);
  auto object = link_object(kernels, "instructions_object");
  auto printed = compile_printed(kernels, c.compiler, "instructions_printed");
  ASSERT_TRUE(object && printed);
  auto object_functions = disassemble(object->library()), printed_functions = disassemble(printed->library());
  ASSERT_FALSE(object_functions.empty() || printed_functions.empty()) << "no disassembler";
  for (const LoweredKernel& kernel : kernels) {
    auto from_object = of(object_functions, kernel.name()), from_text = of(printed_functions, kernel.name());
    EXPECT_GT(count_mnemonic(from_object, c.dot), 3) << kernel.name() << ", object";
    EXPECT_GT(count_mnemonic(from_text, c.dot), 3) << kernel.name() << ", printed";
    for (const char* bad : {"vpinsrb", "vpinsrw", "vpinsrd", "vinsertps", "vpextr", "vextractps"})
      EXPECT_EQ(count_mnemonic(from_text, bad), 0) << kernel.name() << ", printed: " << bad;
  }
}

TEST_P(Instructions, OfTwoRoundingsAreNotFused) {
  const Case& c = GetParam();
  std::string compiler = std::string(c.compiler).substr(0, std::string(c.compiler).find(' '));
  if (!compiler_exists(compiler)) GTEST_SKIP() << "no " << compiler;
  TestKernels tests;
  for (const TestKernel& test : contraction_kernels(Width{c.lanes})) {
    if (test.pipeline.name.starts_with("gemm_fma") || test.pipeline.name == "gemm_two_roundings") tests.push_back(test);
  }
  std::vector<LoweredKernel> kernels = lower_all(tests, c.halide_target);
  ASSERT_EQ(kernels.size(), 2u);
  auto object = link_object(kernels, "roundings_object");
  auto printed = compile_printed(kernels, std::string(c.compiler) + " -ffp-contract=fast", "roundings_printed");
  ASSERT_TRUE(object && printed);
  for (const auto* library : {&object, &printed}) {
    auto functions = disassemble((*library)->library());
    EXPECT_GT(count_mnemonic(of(functions, "gemm_fma"), "vfmadd"), 0);
    EXPECT_EQ(count_mnemonic(of(functions, "gemm_two_roundings"), "vfmadd"), 0);
    EXPECT_GT(count_mnemonic(of(functions, "gemm_two_roundings"), "vmulps"), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Targets, Instructions,
    ::testing::Values(Case{"x86-64-linux-avx512_zen4", 16, "g++ -O2 -march=icelake-server", "vpdpbusd"},
                      Case{"x86-64-linux-avx512_zen4", 16, "clang++-19 -O2 -march=icelake-server", "vpdpbusd"},
                      Case{"x86-64-linux-avx-avx2-f16c-fma-sse41", 8, "g++ -O2 -march=haswell", "vpmaddwd"},
                      Case{"x86-64-linux-avx-avx2-f16c-fma-sse41", 8, "clang++-19 -O2 -march=haswell", "vpmaddwd"}),
    [](const auto& instance) { return "case" + std::to_string(instance.index); });

}  // namespace
}  // namespace qlathe::testing
