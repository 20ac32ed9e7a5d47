#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "codegen/cpp/printer.h"
#include "codegen/halide/object.h"
#include "tests/codegen/runner.h"

namespace qlathe::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kAvx512 = "x86-64-linux-avx512_zen4";
const Width kWidth{16};

TestKernel find(const TestKernels& tests, const std::string& name) {
  for (const TestKernel& test : tests) {
    if (test.pipeline.name == name) return test;
  }
  ADD_FAILURE() << "no kernel " << name;
  return {};
}

Halide::Func simple(Halide::ImageParam in, Halide::Var x, Halide::Var y) {
  Halide::Func out("out");
  out(x, y) = in(x, y) + 1;
  return out;
}

KernelPipeline simple_pipeline(const std::function<void(Halide::Func&, Halide::Var, Halide::Var)>& schedule) {
  Halide::ImageParam in(Halide::Int(32), 2, "in");
  Halide::Var x("x"), y("y");
  Halide::Func out = simple(in, x, y);
  schedule(out, x, y);
  KernelPipeline pipeline;
  pipeline.name = "simple";
  pipeline.inputs = {{in, dense_dims({32, 4})}};
  pipeline.outputs = {{out, dense_dims({32, 4})}};
  pipeline.row_loop = "y";
  pipeline.row_extent = 4;
  return pipeline;
}

std::string failure(const KernelPipeline& pipeline) {
  auto lowered = lower_kernel(pipeline, kAvx512);
  return lowered.ok() ? "" : lowered.status().text();
}

struct Compiled {
  std::vector<std::string> texts, sources;
  std::vector<uint8_t> object;
};

// Lowers anew: Halide's name counters have moved on since the last time.
Compiled compile_all() {
  TestKernels tests;
  for (auto list : {contraction_kernels(kWidth), movement_kernels(kWidth)})
    tests.insert(tests.end(), list.begin(), list.end());
  TestKernels floats = float_kernels(kWidth);
  tests.push_back(find(floats, "softmax"));
  tests.push_back(find(floats, "bf16_round_trip"));
  Compiled result;
  std::vector<LoweredKernel> kernels = lower_all(tests, kAvx512);
  for (const LoweredKernel& kernel : kernels) {
    result.texts.push_back(kernel.text());
    auto source = print_kernel(kernel);
    result.sources.push_back(source.ok() ? *source : source.status().text());
  }
  auto object = compile_object(kernels, "unit");
  if (object.ok()) result.object = *object;
  return result;
}

TEST(LowerKernel, GivesTheSameTextAndTheSameObjectBytesOnEveryCompileAndInEveryThread) {
  Compiled first = compile_all(), threaded;
  // 10 and 100 sort differently from 9 and 99 as text: passes that order by name would show.
  for (int i = 0; i < 1000; ++i)
    Halide::Internal::unique_name('t');
  std::thread other([&] { threaded = compile_all(); });
  Compiled second = compile_all();
  other.join();
  ASSERT_FALSE(first.object.empty());
  for (const Compiled* again : {&second, &threaded}) {
    EXPECT_EQ(first.texts, again->texts);
    EXPECT_EQ(first.sources, again->sources);
    EXPECT_TRUE(first.object == again->object) << "object bytes differ";
  }
}

TEST(LowerKernel, ReportsTheSignatureInTheOrderOfTheCParameters) {
  TestKernels tests = movement_kernels(kWidth);
  TestKernel scalars = find(tests, "scalar_arguments"), slices = find(tests, "scratch_slices");
  auto lowered = lower_kernel(scalars.pipeline, kAvx512);
  ASSERT_TRUE(lowered.ok()) << lowered.status().text();
  std::vector<std::string> names;
  for (const KernelParameter& p : lowered->parameters())
    names.push_back(p.name + ":" + p.type + ":" + std::to_string(p.bytes));
  EXPECT_THAT(names, ::testing::ElementsAre("in:i32:512", "out:i32:512", "offset:i32:0", "count:i32:0",
                                            "row_begin:i32:0", "row_end:i32:0"));
  EXPECT_EQ(lowered->scratch_bytes(), 0);

  lowered = lower_kernel(slices.pipeline, kAvx512);
  ASSERT_TRUE(lowered.ok()) << lowered.status().text();
  EXPECT_EQ(lowered->scratch_bytes(), 640 * 4) << "the float intermediate alone is above a kilobyte";
  EXPECT_EQ(lowered->parameters()[2].role, ParameterRole::kScratch);
}

TEST(LowerKernel, ComputesTheRowsOfItsRangeAlone) {
  TestKernels tests = {find(elementwise_kernels(kWidth), "sat_add_u8")};
  std::vector<LoweredKernel> kernels = lower_all(tests, kAvx512);
  if (!host_has("avx512_vnni")) GTEST_SKIP() << "this processor has no avx512_vnni";
  auto object = link_object(kernels, "rows");
  ASSERT_TRUE(object);
  auto entry = object->entry("sat_add_u8");
  std::vector<uint8_t> a(64 * 3, 1), b(64 * 3, 2), out(64 * 3, 0);
  void* buffers[] = {a.data(), b.data(), out.data()};
  entry(buffers, nullptr, 1, 2);
  for (size_t i = 0; i < out.size(); ++i)
    ASSERT_EQ(out[i], i / 64 == 1 ? 3 : 0) << "element " << i;
}

TEST(LowerKernel, MarksTheLoopsOverRegisterArraysAndNotTheReduction) {
  auto lowered = lower_kernel(conv3x3("conv", kWidth, 8, 16, 32, 4), kAvx512);
  ASSERT_TRUE(lowered.ok()) << lowered.status().text();
  EXPECT_THAT(lowered->text(), HasSubstr("unrolled (x, 0, 4)"));
  EXPECT_THAT(lowered->text(), HasSubstr("unrolled (co, 0, 2)"));
  for (const char* loop : {"for (ky, 0, 3)", "for (kx, 0, 3)", "for (k, 0, 4)", "for (y, row_begin, "})
    EXPECT_THAT(lowered->text(), HasSubstr(loop));
}

TEST(LowerKernel, HasTheSameTextUnderAnotherName) {
  auto one = lower_kernel(conv3x3("one", kWidth, 8, 16, 32, 4), kAvx512);
  auto two = lower_kernel(conv3x3("two", kWidth, 8, 16, 32, 4), kAvx512);
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(one->text(), two->text());
  EXPECT_EQ(one->renamed("two").name(), "two");
  EXPECT_EQ(*print_kernel(one->renamed("two")), *print_kernel(*two));
}

TEST(LowerKernel, RefusesARowLoopThatIsNotThereAndNamesTheLoopsThatAre) {
  KernelPipeline pipeline = simple_pipeline([](auto&, auto, auto) {});
  pipeline.row_loop = "rows";
  EXPECT_THAT(failure(pipeline), HasSubstr("no loop 'rows' of 4 rows over the outputs; there are: x, y"));
}

TEST(LowerKernel, RefusesARowExtentThatIsNotTheLoops) {
  KernelPipeline pipeline = simple_pipeline([](auto&, auto, auto) {});
  pipeline.row_extent = 5;
  EXPECT_THAT(failure(pipeline), HasSubstr("over 5 iterations"));
}

TEST(LowerKernel, RefusesParallelLoops) {
  KernelPipeline pipeline = simple_pipeline([](auto& out, auto x, auto) { out.parallel(x); });
  EXPECT_NE(failure(pipeline), "");
}

TEST(LowerKernel, RefusesBuffersWhoseDimensionsAreNotDescribed) {
  KernelPipeline pipeline = simple_pipeline([](auto&, auto, auto) {});
  pipeline.inputs[0].dims.pop_back();
  EXPECT_THAT(failure(pipeline), HasSubstr("buffer 'in' has 2 dimensions, 1 are described"));
}

TEST(LowerKernel, ReportsAnErrorOfHalideAsAStatus) {
  KernelPipeline pipeline = simple_pipeline([](auto&, auto, auto) {});
  pipeline.inputs.clear();  // the Func still reads it
  EXPECT_THAT(failure(pipeline), HasSubstr("kernel 'simple'"));
}

TEST(LowerKernel, RefusesAKernelNameThatTheRuntimeUses) {
  KernelPipeline pipeline = simple_pipeline([](auto&, auto, auto) {});
  pipeline.name = "load";
  EXPECT_THAT(failure(pipeline), HasSubstr("'load' cannot be a kernel's name"));
}

TEST(PrintKernel, RefusesACallItDoesNotKnowByName) {
  Halide::ImageParam in(Halide::Float(32), 2, "in");
  Halide::Var x("x"), y("y");
  Halide::Func out("out");
  out(x, y) = Halide::tanh(in(x, y));
  KernelPipeline pipeline;
  pipeline.name = "tanh_kernel";
  pipeline.inputs = {{in, dense_dims({16, 2})}};
  pipeline.outputs = {{out, dense_dims({16, 2})}};
  pipeline.row_loop = "y";
  pipeline.row_extent = 2;
  auto lowered = lower_kernel(pipeline, kAvx512);
  ASSERT_TRUE(lowered.ok()) << lowered.status().text();
  auto printed = print_kernel(*lowered);
  ASSERT_FALSE(printed.ok());
  EXPECT_THAT(printed.status().text(), HasSubstr("a call of 'tanh_f32' in kernel 'tanh_kernel'"));
}

TEST(PrintKernel, RefusesVectorsWhereScalarsAloneAreAllowed) {
  auto lowered = lower_kernel(conv3x3("conv", kWidth, 8, 16, 32, 4), kAvx512);
  ASSERT_TRUE(lowered.ok());
  EXPECT_FALSE(print_kernel(*lowered, {.scalar_only = true}).ok());
}

TEST(PrintKernel, UsesTheRuntimesFusedForms) {
  TestKernels tests = all_kernels(kWidth);
  std::vector<LoweredKernel> kernels = lower_all(tests, kAvx512);
  for (size_t i = 0; i < kernels.size(); ++i) {
    auto printed = print_kernel(kernels[i]);
    ASSERT_TRUE(printed.ok()) << printed.status().text();
    for (const std::string& text : tests[i].printed)
      EXPECT_THAT(*printed, HasSubstr(text)) << kernels[i].name();
  }
}

TEST(PrintKernel, ReadsLikeAConvolutionWrittenByHand) {
  auto lowered = lower_kernel(conv3x3("conv", kWidth, 56, 64, 64, 4), kAvx512);
  ASSERT_TRUE(lowered.ok());
  auto printed = print_kernel(*lowered);
  ASSERT_TRUE(printed.ok());
  for (const char* line : {
           "  for (int y = row_begin; y < row_end; y++) {\n    for (int xo = 0; xo < 14; xo++) {\n      i32x16 "
           "acc[4][4];\n",
           "            QL_UNROLL\n            for (int x = 0; x < 4; x++) {\n              QL_UNROLL\n",
           "dot4(acc[x][co], splat4<u8x64>(in + (y + ky) * 3712 + xo * 256 + (kx + x) * 64 + k * 4)",
           "load<i8x64>(w + co * 9216 + ky * 3072 + kx * 1024 + k * 64)",
       }) {
    EXPECT_THAT(*printed, HasSubstr(line));
  }
  EXPECT_THAT(*printed, Not(HasSubstr("t_2")));
}

}  // namespace
}  // namespace qlathe::testing
