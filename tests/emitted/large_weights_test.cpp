// Weights above 64 KiB are written as words of eight bytes.
#include <fstream>

#include "tests/emitted/emitted_model.h"

namespace qlathe::testing {
namespace {

constexpr const char* kNetwork =
    R"({"qlathe_spec": 1, "name": "net", "inputs": [{"name": "x", "shape": [2, 300]}],
  "weights": "w.npz", "nodes": [{"op": "linear", "module": "fc"}, {"op": "relu"}]})";

class LargeWeights : public EmittedModel {
 protected:
  void expect_self_test(const std::string& name) {
    emit(name, R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true}])",
         *TargetRegistry::find("generic"));
    if (HasFatalFailure()) return;
    for (const TargetCompiler& compiler : compilers_for(*TargetRegistry::find("generic"))) {
      SCOPED_TRACE(compiler.name);
      run(compiler.words + " -I" + name + " " + name + "/*.cpp -o program && ./program");
    }
  }
};

TEST_F(LargeWeights, AreWordsInTheModelsFileAndInOneOfTheirOwn) {
  if (!on_path("g++")) GTEST_SKIP() << "no g++";
  write_model(kNetwork, {{"fc/kernel", {300, 257}}, {"fc/bias", {257}}}, {2, 300});
  expect_self_test("inline");
  run("grep -q 'extern const uint64_t k[A-Za-z0-9]*Weights' inline/net.cpp");
  weights_ = WeightPlacement::kSeparate;
  expect_self_test("separate");
  run("grep -q 'extern const uint64_t k[A-Za-z0-9]*Weights' separate/net_weights.h");
}

}  // namespace
}  // namespace qlathe::testing
