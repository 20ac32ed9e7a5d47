// What a target promises is in the object code of its contractions.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "codegen/halide/object.h"
#include "schedule/kernel.h"
#include "tests/contraction/contraction_cases.h"
#include "tests/support/disassemble.h"

namespace qlathe::testing {
namespace {

namespace fs = std::filesystem;

/// Instructions of a 3x3 convolution of bytes, 16x16x32->32.
std::vector<std::string> convolution_on(const Target& target, ValueType lhs_type) {
  ContractionSpec spec;
  spec.spatial = {18, 18};
  spec.windows = {Window{3, 1, 1}, Window{3, 1, 1}};
  spec.k = spec.n = 32;
  spec.lhs_type = lhs_type;
  const NodeCase node_case = make_contraction(spec, 1);
  const auto lowering =
      (*LoweringRegistry::find("contraction"))({node_case.graph, node_case.graph.nodes.back(), target});
  EXPECT_TRUE(lowering.ok()) << lowering.status().text();
  if (!lowering.ok()) return {};
  const auto kernel = lower_kernel(*lowering->calls.back().pipeline, target.halide);
  EXPECT_TRUE(kernel.ok()) << kernel.status().text();
  if (!kernel.ok()) return {};
  const auto object = compile_object({kernel->renamed("conv")}, "unit");
  EXPECT_TRUE(object.ok()) << object.status().text();
  if (!object.ok()) return {};
  std::string folder = (fs::temp_directory_path() / "qlathe-promised-XXXXXX").string();
  EXPECT_NE(mkdtemp(folder.data()), nullptr);
  std::ofstream(folder + "/unit.o", std::ios::binary)
      .write(reinterpret_cast<const char*>(object->data()), static_cast<std::streamsize>(object->size()));
  auto functions = disassemble(folder + "/unit.o");
  fs::remove_all(folder);
  return functions["conv"];
}

TEST(PromisedInstructions, AreInTheObjectsOfTheirTargets) {
  int seen = 0;
  for (const Target* target : TargetRegistry::all()) {
    if (!target->object || !target->vectorize) continue;
    SCOPED_TRACE(target->name);
    for (const ValueType type : {ValueType::kU8, ValueType::kI8}) {
      const std::vector<std::string> instructions = convolution_on(*target, type);
      ASSERT_FALSE(instructions.empty()) << "no disassembler";
      seen++;
      for (const std::string& mnemonic : target->promised)
        EXPECT_GE(count_mnemonic(instructions, mnemonic), 4) << mnemonic << " on " << name(type);
    }
  }
  EXPECT_GE(seen, 10) << "targets are missing";
}

TEST(PromisedInstructions, OfAvx2MultiplyWordsThatNothingSplitsInTheLoop) {
  for (const ValueType type : {ValueType::kU8, ValueType::kI8}) {
    const std::vector<std::string> instructions = convolution_on(*TargetRegistry::find("x86-64-avx2"), type);
    ASSERT_FALSE(instructions.empty()) << "no disassembler";
    // One addition a multiplication, weights widened by one instruction, lhs before the loop.
    EXPECT_GE(count_mnemonic(instructions, "vpmaddwd"), 8);
    EXPECT_LE(count_mnemonic(instructions, "vpmovsxbw"), 2 + (type == ValueType::kI8 ? 1 : 0));
    for (const char* split : {"vpsraw", "vpsllw", "vpsrlw", "vpand"})
      EXPECT_EQ(count_mnemonic(instructions, split), 0) << split;
  }
}

}  // namespace
}  // namespace qlathe::testing
