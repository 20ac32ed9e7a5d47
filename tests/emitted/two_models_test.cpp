// Emitted models share a program: their symbols, and the runtime that both bring along, do not meet, even if they were
// compiled for different instruction sets.
#include <fstream>

#include "tests/emitted/emitted_model.h"

namespace qlathe::testing {
namespace {

std::string spec(const std::string& name) {
  return R"({"qlathe_spec": 1, "name": ")" + name + R"(", "inputs": [{"name": "x", "shape": [3, 40]}],
  "weights": "w.npz",
  "nodes": [{"op": "linear", "module": "first"}, {"op": "relu"}, {"op": "linear", "module": "second"}]})";
}

class TwoModels : public EmittedModel {};

TEST_F(TwoModels, OfDifferentTargetsLinkIntoOneProgram) {
  if (!on_path("g++")) GTEST_SKIP() << "no g++";
  if (!host_can_run(*TargetRegistry::find("x86-64-avx2"))) GTEST_SKIP() << "this machine has no AVX2";
  const std::map<std::string, Shape> weights = {{"first/kernel", {40, 24}}, {"second/kernel", {24, 5}}};
  std::string objects;
  for (const auto& [name, target] : {std::pair("one", "x86-64-sse2"), std::pair("two", "x86-64-avx2")}) {
    write_model(spec(name), weights, {3, 40});
    emit(name, R"([{"weight_qtype": "int8", "act_qtype": "int8"}])", *TargetRegistry::find(target));
    if (HasFatalFailure()) return;
    const TargetCompiler compiler = compilers_for(*TargetRegistry::find(target)).front();
    for (const std::string& file : {std::string(name) + ".cpp", std::string(name) + "_self_test.cpp"}) {
      const std::string path = std::string(name) + "/" + file;
      run(compiler.words + " -I" + name + " -c " + path + " -o " + path + ".o");
      objects += path + ".o ";
    }
  }
  std::ofstream(folder() / "both.cpp") << "#include \"one/one.h\"\n#include \"two/two.h\"\n"
                                          "int main() { return one_self_test() + two_self_test(); }\n";
  run("g++ -std=c++11 both.cpp " + objects + "-o both && ./both");
}

}  // namespace
}  // namespace qlathe::testing
