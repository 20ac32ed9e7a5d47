// Whole models on emulated boards: no operating system, no library but the compiler's own; the emitted self-test
// compares with the reference.
#include <fstream>

#include "api/code_figures.h"
#include "tests/emitted/emitted_model.h"

namespace qlathe::testing {
namespace {

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

const std::string kBareMetal = " -ffreestanding -nostdlib -fno-exceptions -fno-rtti";

class Boards : public EmittedModel, public ::testing::WithParamInterface<const char*> {};

TEST_P(Boards, SelfTestsPassWithoutAnyLibrary) {
  const Target& target = *TargetRegistry::find(GetParam());
  const auto machine = machine_for(target);
  if (!machine.ok()) GTEST_SKIP() << machine.status().text();
  write_model(kNetwork, kWeights, {1, 12, 10, 3});
  std::ofstream(folder() / "firmware.cpp") << "#include \"net.h\"\n"
                                              "int main() { return net_self_test(); }\n";
  const std::pair<const char*, const char*> variants[] = {
      {"float", "[]"},
      {"dynamic_int8", R"([{"weight_qtype": "int8", "act_qtype": "int8"}])"},
      {"static_int8", R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true}])"},
  };
  for (const auto& [name, rules] : variants) {
    SCOPED_TRACE(name);
    const std::string in = name;
    emit(in, rules, target);
    if (HasFatalFailure()) return;
    const std::string build = machine->gxx + " -O2 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror -I" + in;
    run(build + " -c " + in + "/net.cpp -o " + in + "/net.o && " + build + " -c " + in + "/net_self_test.cpp -o " + in +
        "/self_test.o");
    // memcpy, memset, and the arithmetic that the compiler's own library has.
    run("! " + target.cross_triple + "-nm -u " + in +
        "/net.o | grep -vE ' (memcpy|memset|__aeabi_[a-z0-9_]+|__[a-z0-9]+[sdt]i[23]?|__[a-z]+[sd]f[sdi23]*)$'");
    run(build + " firmware.cpp " + in + "/net.o " + in + "/self_test.o " + machine->link + " -o " + in +
        "/firmware.elf && timeout 120 " + machine->before + in + "/firmware.elf");
  }
}

INSTANTIATE_TEST_SUITE_P(All, Boards, ::testing::Values("cortex-m0", "cortex-m4", "cortex-m7", "riscv32"),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           for (char& c : name)
                             c = c == '-' ? '_' : c;
                           return name;
                         });

class PlainCpp : public EmittedModel {};

TEST_F(PlainCpp, GenericFormNeedsNothingButMemcpyAndMemset) {
  if (!on_path("g++")) GTEST_SKIP() << "no g++";
  write_model(kNetwork, kWeights, {1, 12, 10, 3});
  emit("out", R"([{"weight_qtype": "int8", "act_qtype": "int8", "act_static_scale": true}])",
       *TargetRegistry::find("generic"));
  if (HasFatalFailure()) return;
  run("g++ -std=c++11 -O2 -fno-pic" + kBareMetal + " -Iout -c out/net.cpp -o net.o");
  run("! nm -u net.o | grep -vE ' (memcpy|memset)$'");
}

}  // namespace
}  // namespace qlathe::testing
