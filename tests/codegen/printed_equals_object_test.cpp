// One lowering, two outputs: the printed C++ of every kind of kernel gives the bits of Halide's object code, on every
// form of the runtime, with both compilers, at every optimization, and with contraction switched on.
#include <gtest/gtest.h>

#include "codegen/cpp/printer.h"
#include "tests/codegen/runner.h"

namespace qlathe::testing {
namespace {

constexpr const char* kAvx512 = "x86-64-linux-avx512_zen4";
constexpr const char* kAvx2 = "x86-64-linux-avx-avx2-f16c-fma-sse41";
constexpr const char* kSse2 = "x86-64-linux";
constexpr const char* kScalar = "x86-64-linux-f16c";

struct Form {
  const char* name;
  const char* halide_target;
  int lanes;
  const char* compiler;
  std::vector<const char*> cpu_flags;
};

void PrintTo(const Form& form, std::ostream* out) { *out << form.name; }

class PrintedEqualsObject : public ::testing::TestWithParam<Form> {
 protected:
  void SetUp() override {
    const Form& form = GetParam();
    for (const char* flag : form.cpu_flags) {
      if (!host_has(flag)) GTEST_SKIP() << "this processor has no " << flag;
    }
    std::string compiler = std::string(form.compiler).substr(0, std::string(form.compiler).find(' '));
    if (!compiler_exists(compiler)) GTEST_SKIP() << "no " << compiler;
  }
};

TEST_P(PrintedEqualsObject, OnEveryKernel) {
  const Form& form = GetParam();
  Width width{form.lanes};
  TestKernels tests = all_kernels(width);
  std::vector<LoweredKernel> kernels = lower_all(tests, form.halide_target);
  auto object = link_object(kernels, std::string(form.name) + "_object");
  auto printed = compile_printed(kernels, form.compiler, std::string(form.name) + "_printed", !width.vectorized());
  ASSERT_TRUE(object && printed);
  expect_same_results(*object, *printed, kernels, tests);
}

struct ArmForm {
  const char* name;
  const char* halide_target;
  const char* compiler;
};

void PrintTo(const ArmForm& form, std::ostream* out) { *out << form.name; }

class PrintedForArm : public ::testing::TestWithParam<ArmForm> {};

// The results do not depend on the target: those of an object for this machine are expected of ARM under an emulator.
TEST_P(PrintedForArm, EqualsTheObjectOfThisMachineOnEveryKernel) {
  const ArmForm& form = GetParam();
  const std::string compiler = std::string(form.compiler).substr(0, std::string(form.compiler).find(' '));
  if (!compiler_exists("aarch64-linux-gnu-g++") || !compiler_exists(compiler)) GTEST_SKIP() << "no " << compiler;
  if (!compiler_exists("qemu-aarch64")) GTEST_SKIP() << "no qemu-aarch64";
  if (!host_has("sse2")) GTEST_SKIP() << "not on x86-64";
  TestKernels tests = all_kernels(Width{4}), same = tests;
  std::vector<LoweredKernel> here = lower_all(tests, kSse2), there = lower_all(same, form.halide_target);
  ASSERT_EQ(here.size(), there.size());
  auto object = link_object(here, std::string(form.name) + "_object");
  auto printed =
      compile_printed_for("qemu-aarch64 -cpu max", there, form.compiler, std::string(form.name) + "_printed");
  ASSERT_TRUE(object && printed);
  // Every call is a run of the emulator.
  expect_same_results(*object, *printed, here, tests, 2);
}

INSTANTIATE_TEST_SUITE_P(Forms, PrintedForArm,
                         ::testing::Values(ArmForm{"neon_gcc_O2", "arm-64-linux",
                                                   "aarch64-linux-gnu-g++ -O2 -march=armv8-a"}),
                         [](const auto& instance) { return std::string(instance.param.name); });

const std::vector<const char*> kVnni = {"avx512_vnni", "avx512bw", "avx512vl"};
const std::vector<const char*> kFma = {"avx2", "fma"};

INSTANTIATE_TEST_SUITE_P(
    Forms, PrintedEqualsObject,
    ::testing::Values(
        Form{"avx512_gcc_O2", kAvx512, 16, "g++ -march=icelake-server -O2", kVnni},
        Form{"avx512_gcc_O3_contract", kAvx512, 16, "g++ -march=icelake-server -O3 -ffp-contract=fast", kVnni},
        Form{"avx512_gcc_Os", kAvx512, 16, "g++ -march=icelake-server -Os", kVnni},
        Form{"avx512_clang_O2_contract", kAvx512, 16, "clang++-19 -march=icelake-server -O2 -ffp-contract=fast", kVnni},
        Form{"avx512_without_vbmi", kAvx512, 16, "g++ -march=cascadelake -O2", kVnni},
        Form{"avx512_kernels_on_avx2", kAvx512, 16, "g++ -march=haswell -O2", kVnni},
        Form{"avx512_kernels_on_structs", kAvx512, 16, "g++ -O1 -DQL_FORM_REFERENCE", kVnni},
        Form{"avx2_gcc_O2", kAvx2, 8, "g++ -march=haswell -O2", kFma},
        Form{"avx2_clang_O3_contract", kAvx2, 8, "clang++-19 -march=haswell -O3 -ffp-contract=fast", kFma},
        Form{"avxvnni_gcc_O2", kAvx2, 8, "g++ -march=alderlake -O2", {"avx_vnni"}},
        Form{"avx2_kernels_on_structs", kAvx2, 8, "g++ -O1 -DQL_FORM_REFERENCE", kFma},
        Form{"sse2_gcc_O2", kSse2, 4, "g++ -march=x86-64 -O2", {"sse2"}},
        Form{"sse2_clang_O3", kSse2, 4, "clang++-19 -march=x86-64 -O3", {"sse2"}},
        Form{"scalar_gcc_O2", kScalar, 1, "g++ -O2 -DQL_FORM_SCALARS_ONLY", {"f16c"}},
        Form{"scalar_gcc_fma_contract", kScalar, 1, "g++ -O3 -march=haswell -DQL_FORM_SCALARS_ONLY", kFma},
        Form{"scalar_clang_fma_contract", kScalar, 1,
             "clang++-19 -O3 -march=haswell -ffp-contract=fast -DQL_FORM_SCALARS_ONLY", kFma}),
    [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace qlathe::testing
