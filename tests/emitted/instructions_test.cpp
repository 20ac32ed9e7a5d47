// The instructions that a target promises make up the inner loops of the emitted C++, with both compilers; vectors are
// never taken apart there.
#include <cstdio>

#include "tests/emitted/emitted_model.h"
#include "tests/support/disassemble.h"

namespace qlathe::testing {
namespace {

/// A convolution of signed bytes and a product of unsigned ones.
constexpr const char* kNetwork =
    R"({"qlathe_spec": 1, "name": "net", "inputs": [{"name": "x", "shape": [1, 18, 18, 32]}],
  "weights": "w.npz",
  "nodes": [{"op": "conv", "module": "signed"}, {"op": "relu"}, {"op": "linear", "module": "unsigned"}]})";
constexpr const char* kRules =
    R"([{"module_path": "unsigned", "weight_qtype": "int8", "act_qtype": "uint8", "act_static_scale": true},
        {"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true}])";

struct Expected {
  const char* target;
  const char* registers;  ///< in the operands of the promised instructions
  double per_multiply;    ///< at most so many instructions in the loop for one that multiplies
};

class Instructions : public EmittedModel, public ::testing::WithParamInterface<Expected> {};

bool takes_a_vector_apart(const std::string& instruction) {
  for (const char* mnemonic :
       {"vpinsr", "vinsertps", "vpextr", "vextractps", "pinsr", "pextr", "umov", "smov", "ins\t"})
    if (instruction.starts_with(mnemonic)) return true;
  return false;
}

TEST_P(Instructions, OfInnerLoopsAreThePromisedOnes) {
  const Expected& expected = GetParam();
  const Target& target = *TargetRegistry::find(expected.target);
  const std::vector<TargetCompiler> compilers = compilers_for(target);
  if (compilers.empty()) GTEST_SKIP() << "no compiler for " << target.name;
  write_model(kNetwork, {{"signed/kernel", {3, 3, 32, 64}}, {"unsigned/kernel", {64, 64}}}, {1, 18, 18, 32});
  emit("net", kRules, target);
  if (HasFatalFailure()) return;
  for (const TargetCompiler& compiler : compilers) {
    SCOPED_TRACE(compiler.name);
    run(compiler.words + " -ffreestanding -Inet -c net/net.cpp -o net/net.o");
    const auto loops = innermost_loops((folder() / "net/net.o").string());
    ASSERT_FALSE(loops.empty()) << "no disassembler, or no loop";
    for (const std::string& promised : target.promised) {
      int hot = 0;
      double least = 1e9;
      for (const auto& loop : loops) {
        int multiplies = 0;
        for (const std::string& instruction : loop)
          multiplies += instruction.starts_with(promised) && instruction.find(expected.registers) != std::string::npos;
        if (multiplies < 4) continue;
        hot++;
        least = std::min(least, static_cast<double>(loop.size()) / multiplies);
        for (const std::string& instruction : loop)
          EXPECT_FALSE(takes_a_vector_apart(instruction)) << instruction;
      }
      EXPECT_GE(hot, 1) << "no inner loop of " << promised;
      EXPECT_LE(least, expected.per_multiply) << promised;
      std::printf("%s, %s: %.2f instructions for one %s\n", expected.target, compiler.name.c_str(), least,
                  promised.c_str());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Instructions,
                         ::testing::Values(Expected{"x86-64-avx512vnni", "zmm", 1.75},
                                           Expected{"x86-64-avxvnni", "ymm", 2.2}, Expected{"x86-64-avx2", "ymm", 3.8},
                                           Expected{"x86-64-sse2", "xmm", 5.2}, Expected{"arm64-neon", "v", 3},
                                           Expected{"arm64-dotprod", "v", 1.5}, Expected{"arm64-i8mm", "v", 1.6},
                                           Expected{"cortex-m4", "r", 3.1}, Expected{"cortex-m7", "r", 3.4}),
                         [](const auto& instance) {
                           std::string name = instance.param.target;
                           for (char& c : name)
                             c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace qlathe::testing
