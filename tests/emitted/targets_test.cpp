// Whole models as emitted C++ for every registered target: compiled, run (under an emulator where the target is
// foreign) and compared with the reference by the emitted self-test.
#include "tests/emitted/emitted_model.h"

namespace qlathe::testing {
namespace {

/// A network with the kernels of a small vision model: dense and depthwise convolutions, pooling, softmax, odd shapes.
constexpr const char* kNetwork =
    R"({"qlathe_spec": 1, "name": "net", "inputs": [{"name": "x", "shape": [1, 12, 10, 3]}],
  "weights": "w.npz",
  "nodes": [{"op": "conv", "module": "conv1", "padding": "SAME", "strides": 2}, {"op": "relu6"},
            {"op": "conv", "module": "dw", "padding": "SAME", "groups": 8}, {"op": "relu"},
            {"op": "conv", "module": "conv2"}, {"op": "hard_swish"},
            {"op": "max_pool", "window": 2, "strides": 2}, {"op": "flatten"},
            {"op": "linear", "module": "fc"}, {"op": "softmax"}]})";
const std::map<std::string, Shape> kWeights = {{"conv1/kernel", {3, 3, 3, 8}}, {"conv1/bias", {8}},
                                               {"dw/kernel", {3, 3, 1, 8}},    {"conv2/kernel", {1, 1, 8, 20}},
                                               {"conv2/bias", {20}},           {"fc/kernel", {120, 10}}};

struct Variant {
  const char* name;
  const char* rules;
};
constexpr Variant kVariants[] = {
    {"float", "[]"},
    {"dynamic_int8", R"([{"weight_qtype": "int8", "act_qtype": "int8"}])"},
    {"static_int8", R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true}])"},
    {"int4_head", R"([{"module_path": "fc", "weight_qtype": "int4"}, {"weight_qtype": "int8", "act_qtype": "int8"}])"},
};

class Targets : public EmittedModel, public ::testing::WithParamInterface<std::string> {};

TEST_P(Targets, EmittedModelsGiveTheReferencesBits) {
  const Target& target = *TargetRegistry::find(GetParam());
  const auto machine = machine_for(target);
  if (!machine.ok()) GTEST_SKIP() << machine.status().text();
  if (machine->firmware) GTEST_SKIP() << target.name << " runs on boards: see boards_test.cpp";
  const std::vector<TargetCompiler> compilers = compilers_for(target);
  if (compilers.empty()) GTEST_SKIP() << "no compiler for " << target.name;
  write_model(kNetwork, kWeights, {1, 12, 10, 3});
  for (const Variant& variant : kVariants) {
    emit(variant.name, variant.rules, target);
    if (HasFatalFailure()) return;
  }
  for (const TargetCompiler& compiler : compilers) {
    for (const Variant& variant : kVariants) {
      SCOPED_TRACE(variant.name);
      const std::string in = variant.name;
      run(compiler.words + " -I" + in + " " + in + "/*.cpp -o " + in + "/main && " + machine->before + in + "/main");
    }
  }
}

std::vector<std::string> target_names() {
  std::vector<std::string> names;
  for (const Target* target : TargetRegistry::all()) {
    if (target->cpp) names.push_back(target->name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, Targets, ::testing::ValuesIn(target_names()), [](const auto& instance) {
  std::string name = instance.param;
  for (char& c : name)
    c = c == '-' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace qlathe::testing
