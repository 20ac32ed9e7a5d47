// One program with a form for each instruction set: the best that the processor has runs, with the same bits.
#include <fstream>

#include "codegen/cpp/emit_forms.h"
#include "tests/emitted/emitted_model.h"

namespace qlathe::testing {
namespace {

constexpr const char* kNetwork =
    R"({"qlathe_spec": 1, "name": "net", "inputs": [{"name": "x", "shape": [1, 10, 9, 3]}],
  "weights": "w.npz",
  "nodes": [{"op": "conv", "module": "conv1", "padding": "SAME"}, {"op": "relu"},
            {"op": "max_pool", "window": 2, "strides": 2}, {"op": "flatten"}, {"op": "linear", "module": "fc"}]})";
const std::map<std::string, Shape> kWeights = {{"conv1/kernel", {3, 3, 3, 20}}, {"fc/kernel", {400, 7}}};
constexpr const char* kRules = R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true}])";

std::vector<const Target*> targets(const std::vector<std::string>& names) {
  std::vector<const Target*> out;
  for (const std::string& name : names)
    out.push_back(TargetRegistry::find(name));
  return out;
}

class Forms : public EmittedModel {
 protected:
  /// The model's files compiled each with its flags, and a main that prints the form and runs the self-test.
  void build(const std::vector<const Target*>& forms) {
    write_model(kNetwork, kWeights, {1, 10, 9, 3});
    emit("out", kRules, forms);
    if (HasFatalFailure()) return;
    std::ofstream(folder() / "print_form.cpp") << "#include <stdio.h>\n#include \"net.h\"\n"
                                                  "int main() { puts(net_form()); return net_self_test(); }\n";
    const std::string triple = forms[0]->cross_triple;
    const std::string compiler = (triple.empty() ? "g++" : triple + "-g++ -static") +
                                 " -std=c++11 -O2 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror -Iout";
    std::string objects;
    for (const Target* form : forms) {
      const std::string name = "net_" + form->name.substr(form->name.rfind('-') + 1);
      std::string flags;
      for (const std::string& flag : form->gcc_flags)
        flags += " " + flag;
      run(compiler + flags + " -c out/" + name + ".cpp -o " + name + ".o");
      objects += " " + name + ".o";
    }
    run(compiler + " print_form.cpp out/net.cpp out/net_self_test.cpp" + objects + " -o program");
  }
  void expect_form(const std::string& command, const std::string& form) {
    run(command + " > printed; code=$?; cat printed; grep -qx -- " + form + " printed && exit $code");
  }
};

TEST_F(Forms, TheBestOfThisX86ProcessorRuns) {
  if (!on_path("g++")) GTEST_SKIP() << "no g++";
  const std::vector<const Target*> all = targets({"x86-64-sse2", "x86-64-avx2", "x86-64-avxvnni", "x86-64-avx512vnni"});
  build(all);
  std::string best;
  size_t most = 0;
  for (const Target* target : all) {
    if (!host_can_run(*target) || target->cpu_flags.size() < most) continue;
    best = target->name;
    most = target->cpu_flags.size();
  }
  expect_form("./program", best);
  if (!on_path("qemu-x86_64")) GTEST_SKIP() << "qemu-x86_64 is not installed: other processors not tried";
  expect_form("qemu-x86_64 -cpu Nehalem ./program", "x86-64-sse2");
  expect_form("qemu-x86_64 -cpu Haswell ./program", "x86-64-avx2");
}

TEST_F(Forms, TheBestOfEachArmProcessorRuns) {
  if (!on_path("aarch64-linux-gnu-g++")) GTEST_SKIP() << "aarch64-linux-gnu-g++ is not installed";
  if (!on_path("qemu-aarch64")) GTEST_SKIP() << "qemu-aarch64 is not installed";
  build(targets({"arm64-neon", "arm64-dotprod", "arm64-i8mm"}));
  expect_form("qemu-aarch64 -cpu cortex-a53 ./program", "arm64-neon");
  expect_form("qemu-aarch64 -cpu neoverse-n1 ./program", "arm64-dotprod");
  expect_form("qemu-aarch64 -cpu max ./program", "arm64-i8mm");
}

TEST_F(Forms, OnlyOneProcessorFamilyGoesIntoAProgram) {
  EXPECT_TRUE(check_forms(targets({"x86-64-avx2", "x86-64-sse2"})).ok());
  EXPECT_FALSE(check_forms(targets({"x86-64-avx2", "arm64-neon"})).ok());
  EXPECT_FALSE(check_forms(targets({"x86-64-avx2", "x86-64-avx2"})).ok());
  EXPECT_FALSE(check_forms(targets({"generic", "x86-64-avx2"})).ok());
}

}  // namespace
}  // namespace qlathe::testing
