// What device code is made of, how programs run on a device, and what is said where there is none.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "codegen/native/jit_executor.h"
#include "codegen/native/jit_instance.h"
#include "frontend/ops/pointwise.h"
#include "frontend/reference/reference_executor.h"
#include "tests/contraction/contraction_cases.h"
#include "tests/lowering/lowering_cases.h"
#include "tests/support/compare.h"

namespace qlathe::testing {
namespace {

namespace fs = std::filesystem;

const Target& target(const char* name) { return *TargetRegistry::find(name); }

NodeCase convolution(ValueType lhs_type) {
  ContractionSpec spec;
  spec.spatial = {18, 18};
  spec.windows = {Window{3, 1, 1}, Window{3, 1, 1}};
  spec.k = spec.n = 32;
  spec.lhs_type = lhs_type;
  return make_contraction(spec, 1);
}

/// The text of the only kernel of a graph.
std::string source_of(const Graph& graph, const char* target_name) {
  const auto program = plan_program(graph, target(target_name));
  EXPECT_TRUE(program.ok()) << program.status().text();
  if (!program.ok()) return "";
  const auto kernels = compile_kernels(*program, nullptr, 1);
  EXPECT_TRUE(kernels.ok()) << kernels.status().text();
  return kernels.ok() ? (*kernels)[0].device.source : "";
}

int count(const std::string& text, const std::string& what) {
  int n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
    n++;
  return n;
}

Graph multiply_and_add(const Shape& shape) {
  Graph graph;
  graph.name = "multiply_and_add";
  const TensorId x = graph.add_input("x", {ValueType::kF32, shape});
  const TensorId a = graph.add_input("a", {ValueType::kF32, {1}}), b = graph.add_input("b", {ValueType::kF32, {1}});
  PointwiseAttrs attrs;
  attrs.steps = {step("mul", {1}), step("add", {2}), step("div", {1})};
  graph.outputs = {*graph.add("pointwise", {x, a, b}, share(attrs), {"y", "", "", ""})};
  return graph;
}

TEST(DeviceCode, CudaContractionsOfBytesAreMadeOfDp4a) {
  // Sixteen accumulators a thread, each with one instruction a step; two steps an iteration.
  EXPECT_EQ(count(source_of(convolution(ValueType::kU8).graph, "cuda"), "dp4a.u32.s32"), 2 * 16);
  EXPECT_EQ(count(source_of(convolution(ValueType::kI8).graph, "cuda"), "dp4a.s32.s32"), 2 * 16);
}

TEST(DeviceCode, MultiplicationsAndAdditionsStayTwoRoundingsAndDivisionsAreExact) {
  const Graph graph = multiply_and_add({1000});
  const std::string ptx = source_of(graph, "cuda");
  EXPECT_EQ(count(ptx, "fma."), 0) << ptx;
  EXPECT_EQ(count(ptx, ".ftz"), 0) << ptx;
  EXPECT_EQ(count(ptx, "mul.rn.f32"), 1) << ptx;
  EXPECT_EQ(count(ptx, "add.rn.f32"), 1) << ptx;
  EXPECT_EQ(count(ptx, "div.rn.f32"), 1) << ptx;
  const std::string opencl = source_of(graph, "opencl");
  EXPECT_EQ(count(opencl, "FP_CONTRACT ON"), 0);
  EXPECT_EQ(count(opencl, "FP_CONTRACT OFF"), 1);
}

TEST(DeviceCode, IsTheSameTextEveryTime) {
  const Graph graph = convolution(ValueType::kU8).graph;
  for (const char* name : {"opencl", "cuda"})
    EXPECT_TRUE(source_of(graph, name) == source_of(graph, name)) << name;
}

TEST(DeviceCode, SurvivesTheObjectCache) {
  std::string folder = (fs::temp_directory_path() / "qlathe-gpu-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  ObjectCache cache(folder);
  const auto program = plan_program(convolution(ValueType::kI8).graph, target("opencl"));
  ASSERT_TRUE(program.ok()) << program.status().text();
  const auto made = compile_kernels(*program, &cache, 1), loaded = compile_kernels(*program, &cache, 1);
  fs::remove_all(folder);
  ASSERT_TRUE(made.ok() && loaded.ok());
  ASSERT_EQ(made->size(), loaded->size());
  for (size_t i = 0; i < made->size(); i++) {
    const NativeKernel &a = (*made)[i], &b = (*loaded)[i];
    EXPECT_EQ(a.device.source, b.device.source);
    EXPECT_EQ(a.pointer_bytes, b.pointer_bytes);
    EXPECT_EQ(a.element_bytes, b.element_bytes);
    ASSERT_EQ(a.device.launches.size(), b.device.launches.size());
    for (size_t l = 0; l < a.device.launches.size(); l++) {
      EXPECT_EQ(a.device.launches[l].entry, b.device.launches[l].entry);
      EXPECT_EQ(a.device.launches[l].arguments, b.device.launches[l].arguments);
      EXPECT_EQ(a.device.launches[l].blocks, b.device.launches[l].blocks);
      EXPECT_EQ(a.device.launches[l].threads, b.device.launches[l].threads);
    }
  }
}

TEST(Device, RunsSeveralInstancesOfOneModelAtOnce) {
  const Graph graph = multiply_and_add({33, 1000});
  auto program = plan_program(graph, target("opencl"));
  ASSERT_TRUE(program.ok()) << program.status().text();
  auto kernels = compile_kernels(*program, nullptr, 1);
  ASSERT_TRUE(kernels.ok()) << kernels.status().text();
  const auto jit = JitProgram::load(std::move(*program), std::move(*kernels));
  ASSERT_TRUE(jit.ok()) << jit.status().text();
  std::vector<std::thread> threads;
  std::vector<std::string> problems(3);
  for (size_t t = 0; t < problems.size(); t++) {
    threads.emplace_back([&, t] {
      Random random(t);
      JitInstance instance(*jit);
      for (int run = 0; run < 10 && problems[t].empty(); run++) {
        const std::vector<HostTensor> inputs = random_inputs(random, graph);
        const auto expected = run_reference(graph, inputs), actual = instance.run(inputs);
        if (!actual.ok())
          problems[t] = actual.status().text();
        else if (!same_bits(*actual, *expected))
          problems[t] = "run " + std::to_string(run) + " differs";
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  for (const std::string& problem : problems)
    EXPECT_EQ(problem, "");
}

TEST(Device, KeepsStatesFromRunToRunUntilReset) {
  Graph graph;
  graph.name = "sum";
  const TensorId x = graph.add_input("x", {ValueType::kI32, {7}});
  const TensorId sum = graph.add_input("sum", {ValueType::kI32, {7}});
  graph.inputs = {x};
  PointwiseAttrs attrs;
  attrs.steps = {step("add", {1}, ValueType::kI32)};
  const TensorId next = *graph.add("pointwise", {x, sum}, share(attrs), {"next", "", "", ""});
  auto initial = std::make_shared<HostTensor>(ValueType::kI32, Shape{7});
  initial->set_int(3, 100);
  State state;
  state.current = sum;
  state.next = next;
  state.initial = initial;
  graph.states = {state};
  graph.outputs = {next};
  JitExecutor on_device(target("opencl"));
  ReferenceExecutor reference;
  const auto device = on_device.prepare(graph);
  ASSERT_TRUE(device.ok()) << device.status().text();
  const auto plain = reference.prepare(graph);
  ASSERT_TRUE(plain.ok()) << plain.status().text();
  Random random(1);
  for (int run = 0; run < 6; run++) {
    if (run == 4) {
      (*device)->reset();
      (*plain)->reset();
    }
    const std::vector<HostTensor> inputs = {random_integers(random, ValueType::kI32, {7}, -100, 100)};
    const auto actual = (*device)->run(inputs), expected = (*plain)->run(inputs);
    ASSERT_TRUE(actual.ok()) << actual.status().text();
    EXPECT_TRUE(same_bits(*actual, *expected)) << "run " << run;
  }
}

/// What loading and running a model on the target says, as the text of a process's end.
[[noreturn]] void say_what_happens(const Graph& graph, const char* target_name) {
  JitExecutor executor(target(target_name));
  const auto executable = executor.prepare(graph);
  std::string said = executable.ok() ? "" : executable.status().text();
  if (executable.ok()) {
    Random random(1);
    const auto results = (*executable)->run(random_inputs(random, graph));
    said = results.ok() ? "it ran" : results.status().text();
  }
  std::fprintf(stderr, "%s\n", said.c_str());
  _exit(0);
}

TEST(DeviceDeathTest, AMissingOpenClDriverIsAnErrorThatSaysWhatToDo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  std::string empty = (fs::temp_directory_path() / "qlathe-icd-XXXXXX").string();
  ASSERT_NE(mkdtemp(empty.data()), nullptr);
  setenv("OCL_ICD_VENDORS", empty.c_str(), 1);
  EXPECT_EXIT(say_what_happens(multiply_and_add({10}), "opencl"), ::testing::ExitedWithCode(0),
              "--target opencl: no OpenCL driver.*install.*; use --target host, or --target opencl,host");
  unsetenv("OCL_ICD_VENDORS");
  fs::remove_all(empty);
}

TEST(DeviceDeathTest, TooLittleDeviceMemoryIsAnErrorWithTheNumbers) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  setenv("POCL_MEMORY_LIMIT", "1", 1);  // of which PoCL gives a quarter in one piece
  EXPECT_EXIT(say_what_happens(multiply_and_add({1 << 26}), "opencl"), ::testing::ExitedWithCode(0),
              "out of device memory: 5[0-9]* bytes are needed in one piece, .* gives at most 268435456");
  unsetenv("POCL_MEMORY_LIMIT");
}

TEST(DeviceDeathTest, AMissingCudaDriverIsAnErrorThatSaysWhatToDo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  if (std::system("ldconfig -p | grep -q libcuda.so.1") == 0) GTEST_SKIP() << "this machine has a CUDA driver";
  EXPECT_EXIT(
      say_what_happens(multiply_and_add({10}), "cuda"), ::testing::ExitedWithCode(0),
      "--target cuda: no CUDA driver: libcuda.so.1 is not installed.*; use --target host, or --target cuda,host");
}

}  // namespace
}  // namespace qlathe::testing
