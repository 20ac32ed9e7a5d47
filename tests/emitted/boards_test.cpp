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

struct Board {
  const char* target;
  const char* machine;
};
/// qemu's only Cortex-M0 has 16 KB of memory: code for it runs on a Cortex-M3.
constexpr Board kBoards[] = {{"cortex-m0", "mps2-an385"}, {"cortex-m4", "mps2-an386"}, {"cortex-m7", "mps2-an500"}};

const std::string kBareMetal = " -ffreestanding -nostdlib -fno-exceptions -fno-rtti";

class Boards : public EmittedModel, public ::testing::WithParamInterface<Board> {
 protected:
  std::string compiler(const Target& target) const {
    std::string words =
        gcc_of(target) + " -std=c++11 -O2 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror" + kBareMetal;
    for (const std::string& flag : target.gcc_flags)
      words += " " + flag;
    return words;
  }
};

TEST_P(Boards, SelfTestsPassWithoutAnyLibrary) {
  const Target& target = *TargetRegistry::find(GetParam().target);
  if (!on_path(gcc_of(target))) GTEST_SKIP() << gcc_of(target) << " is not installed";
  if (!on_path("qemu-system-arm")) GTEST_SKIP() << "qemu-system-arm is not installed";
  const std::string support = QLATHE_SOURCE_DIR "/examples/microcontroller";
  write_model(kNetwork, kWeights, {1, 12, 10, 3});
  std::ofstream(folder() / "firmware.cpp") << "#include \"board.h\"\n#include \"net.h\"\n"
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
    const std::string build = compiler(target) + " -I" + in + " -I" + support;
    run(build + " -c " + in + "/net.cpp -o " + in + "/net.o && " + build + " -c " + in + "/net_self_test.cpp -o " + in +
        "/self_test.o");
    // memcpy, memset, and the arithmetic that the compiler's own library has.
    run("! " + target.cross_triple + "-nm -u " + in + "/net.o | grep -vE ' (memcpy|memset|__aeabi_[a-z0-9_]+)$'");
    run(build + " firmware.cpp " + support + "/board.cpp " + in + "/net.o " + in + "/self_test.o -Wl,-T," + support +
        "/mps2.ld -lgcc -o " + in + "/firmware.elf");
    run("timeout 120 qemu-system-arm -M " + std::string(GetParam().machine) +
        " -nographic -monitor none -serial none -semihosting-config enable=on,target=native -kernel " + in +
        "/firmware.elf");
  }
}

INSTANTIATE_TEST_SUITE_P(All, Boards, ::testing::ValuesIn(kBoards), [](const auto& instance) {
  std::string name = instance.param.target;
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
