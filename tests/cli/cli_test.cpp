// `qlathe` run by a shell: help texts, results, errors with their exit codes, and what is left behind.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Ran {
  int code = -1;
  std::string out, err;
};

class Cli : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "qlathe-cli-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    fs::permissions(folder_, fs::perms::owner_all);
    fs::remove_all(folder_);
  }

  /// Runs `qlathe <words>` by a shell in a folder of its own; examples are reachable as $E, the object cache is there
  /// too.
  Ran run(const std::string& words) { return shell("$Q " + words); }
  Ran shell(const std::string& command) {
    const std::string setup = "cd " + folder_.string() +
                              " && export QLATHE_CACHE_DIR=$PWD/cache E=" QLATHE_SOURCE_DIR
                              "/examples Q=" QLATHE_BINARY_DIR "/cli/qlathe && ";
    const int status = system((setup + "{ " + command + "; } >.out 2>.err").c_str());
    Ran ran;
    ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    ran.out = read_text(folder_ / ".out");
    ran.err = read_text(folder_ / ".err");
    return ran;
  }
  /// The command fails with the code, says all of `parts` on stderr, one line a problem, and nothing on stdout.
  void expect_error(const std::string& words, int code, const std::vector<std::string>& parts) {
    SCOPED_TRACE("qlathe " + words);
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_EQ(ran.out, "");
    for (const std::string& part : parts)
      EXPECT_NE(ran.err.find(part), std::string::npos) << "'" << part << "' is not in: " << ran.err;
    EXPECT_TRUE(ran.err.starts_with("qlathe: error: ")) << ran.err;
  }
  void write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  std::vector<std::string> entries(const fs::path& folder) const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder))
      out.push_back(entry.path().filename().string());
    std::sort(out.begin(), out.end());
    return out;
  }

  fs::path folder_;
};

const std::string kPerceptron = "$E/perceptron/perceptron.json";
const std::string kInt8 = " --rules $E/perceptron/int8.json --calibration $E/perceptron/calibration.npz ";

TEST_F(Cli, GoldenHelpTexts) {
  const fs::path goldens = fs::path(QLATHE_SOURCE_DIR) / "tests/cli/goldens";
  for (const char* command :
       {"", "compile", "inspect", "rules", "calibrate", "quantize", "export", "run", "bench", "targets"}) {
    const Ran ran = run(std::string(command) + " --help");
    EXPECT_EQ(ran.code, 0) << command;
    EXPECT_EQ(ran.err, "") << command;
    const fs::path golden = goldens / ((*command ? std::string("help_") + command : "help") + std::string(".txt"));
    if (getenv("QLATHE_UPDATE_GOLDENS") != nullptr) {
      fs::create_directories(goldens);
      std::ofstream(golden, std::ios::binary) << ran.out;
    }
    EXPECT_EQ(ran.out, read_text(golden)) << golden;
  }
}

TEST_F(Cli, AnExportedModelIsReadAgainAndCompared) {
  const Ran written = run("export " + kPerceptron + kInt8 + "-o p.onnx");
  ASSERT_EQ(written.code, 0) << written.err;
  const Ran layers = run("inspect p.onnx");
  EXPECT_EQ(layers.code, 0) << layers.err;
  EXPECT_NE(layers.out.find("int8 8x16"), std::string::npos) << layers.out;
  expect_error("export " + kPerceptron + " -o p.onnx --opset 12", 1, {"13 and 21"});
  expect_error("export " + kPerceptron, 2, {"-o is missing"});
  expect_error("inspect p.onnx --shape q=1x2", 1, {"q", "is no input"});
  expect_error("compile p.onnx --require-integer -o out --shape 7", 1, {"NAME=SHAPE"});
  const Ran compared = run("quantize " + kPerceptron + kInt8 + "--compare $E/perceptron/calibration.npz");
  EXPECT_EQ(compared.code, 0) << compared.err;
  EXPECT_NE(compared.out.find("SQNR dB"), std::string::npos) << compared.out;
}

TEST_F(Cli, WrongUseExitsWithTwoAndSuggests) {
  EXPECT_EQ(run("").code, 2);
  expect_error("compil x", 2, {"no command 'compil'", "did you mean 'compile'"});
  expect_error("inspect", 2, {"MODEL is missing", "qlathe inspect --help"});
  expect_error("inspect a b", 2, {"one argument too many: 'b'"});
  expect_error("inspect --jsno x", 2, {"no option '--jsno'", "did you mean --json?"});
  expect_error("compile " + kPerceptron + " -o out --emit cp", 2, {"--emit does not know 'cp'", "cpp"});
  expect_error("compile " + kPerceptron + " -o out --target x86-64-avx512vni", 2,
               {"no target 'x86-64-avx512vni'", "did you mean 'x86-64-avx512vnni'"});
  expect_error("compile " + kPerceptron + " -o", 2, {"Option ‘o’ is missing an argument", "--help"});
  expect_error("run " + kPerceptron + " --threads none", 2, {"--threads takes a number", "'none'"});
  expect_error("compile " + kPerceptron, 2, {"-o is missing"});
  expect_error("calibrate " + kPerceptron, 2, {"--calibration is missing"});
  EXPECT_EQ(entries(folder_), (std::vector<std::string>{".err", ".out"}));
}

TEST_F(Cli, BadModelsAreOneLineErrors) {
  expect_error("inspect absent.json", 1, {"absent.json", "there is no such file"});
  write("empty.json", "");
  expect_error("inspect empty.json", 1, {"empty.json", "empty"});
  write("cut.json", "{\"qlathe_spec\": 1, \"inputs\": [");
  expect_error("inspect cut.json", 1, {"cut.json"});
  write("binary.json", std::string("\0\1\2\3", 4));
  expect_error("inspect binary.json", 1, {"not a model of a known format", "binary data"});
  write("README.md", "# A model\n\nIt is qlathe_graph's best.\n");
  expect_error("compile README.md -o out", 1, {"text that begins with '# A model'", "an ONNX model (.onnx)"});
  write("model.tflite", std::string("\x1c\0\0\0TFL3\0\0\0\0", 12));
  expect_error("inspect model.tflite", 1, {"flatbuffer"});
  // Its first bytes are those of an ONNX model, too.
  write("offset_8.tflite", std::string("\x08\0\0\0TFL3\0\0\0\0", 12));
  expect_error("inspect offset_8.tflite", 1, {"version 3 is supported"});
  write("weights.npz", "PK\x03\x04 and more bytes of an archive");
  expect_error("inspect weights.npz", 1, {"archive", "a spec (.json)"});
  write("typo.json", R"({"qlathe_spec": 1, "inputs": [{"name": "x", "shape": [1, 4]}], "nodes": [{"op": "rleu"}]})");
  expect_error("inspect typo.json", 1, {"typo.json", "no op 'rleu'", "did you mean 'relu'"});
  write(
      "overflow.json",
      R"({"qlathe_spec": 1, "inputs": [{"name": "x", "shape": [4294967296, 4294967296]}], "nodes": [{"op": "relu"}]})");
  expect_error("inspect overflow.json", 1, {"overflow.json", "x", "shape"});
}

TEST_F(Cli, TruncatedWeightsAreNamed) {
  shell(
      "cp $E/perceptron/perceptron.json . && head -c 3000 $E/perceptron/perceptron_weights.npz > "
      "perceptron_weights.npz");
  expect_error("inspect perceptron.json", 1, {"perceptron_weights.npz"});
}

TEST_F(Cli, BadRulesAndDataAreNamed) {
  write("rules.json", R"([{"module_path": ".*", "weight_qtype": "int88"}])");
  expect_error("rules " + kPerceptron + " --rules rules.json", 1, {"rules.json", "rules[0]", "weight_qtype", "int88"});
  write("hostile.json", R"([{"module_path": "(a+)+(", "weight_qtype": "int8"}])");
  expect_error("rules " + kPerceptron + " --rules hostile.json", 1, {"hostile.json", "module_path"});
  expect_error("run " + kPerceptron + " --rules $E/perceptron/int8.json", 1, {"statistics"});
  expect_error("run " + kPerceptron + kInt8 + "--input $E/digits/test_images.npy", 1, {"test_images.npy", "8x16"});
}

/// An .npy of float32.
std::string npy(const std::string& shape, const std::vector<float>& values) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize(118 - 1, ' ');
  header += '\n';
  std::string out = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header;
  return out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

TEST_F(Cli, CalibrationDataThatIsNotFiniteIsRefused) {
  std::vector<float> values(2 * 8 * 16, 0.5f);
  values[130] = std::nanf("");
  write("nan.npy", npy("2, 8, 16", values));
  const std::string rules = " --rules $E/perceptron/int8.json --calibration nan.npy";
  expect_error("calibrate " + kPerceptron + rules + " -o s.json", 1, {"nan.npy", "x", "element 2 of batch 1"});
  expect_error("quantize " + kPerceptron + rules + " -o q.qir", 1, {"nan.npy"});
  EXPECT_FALSE(fs::exists(folder_ / "s.json"));
  EXPECT_FALSE(fs::exists(folder_ / "q.qir"));
}

TEST_F(Cli, StatisticsAndCalibrationDataTogetherAreRefused) {
  ASSERT_EQ(run("calibrate " + kPerceptron + kInt8 + "-o s.json").code, 0);
  expect_error("quantize " + kPerceptron + kInt8 + "--statistics s.json", 1, {"s.json", "calibration", "give one"});
}

TEST_F(Cli, WhatIsNoRegularFileIsRefusedAtOnce) {
  shell("mkfifo pipe.json && ln -s loop.json loop.json");
  for (const char* command : {"inspect", "rules", "run", "quantize", "bench"}) {
    expect_error(command + std::string(" pipe.json"), 1, {"pipe.json", "is not a regular file"});
    expect_error(command + std::string(" ."), 1, {"is a directory"});
    expect_error(command + std::string(" loop.json"), 1, {"loop.json"});
    expect_error(command + std::string(" /dev/zero"), 1, {"/dev/zero", "is not a regular file"});
    expect_error(command + std::string(" ''"), 1, {"the model's file name is empty"});
  }
}

TEST_F(Cli, AGraphIsSavedWithItsArraysOrNotAtAll) {
  for (const char* limit : {"1", "2", "4", "8", "16"}) {  // blocks of 512 bytes: the text or the arrays do not fit
    const Ran ran =
        shell("ulimit -f " + std::string(limit) + "; $Q quantize " + kPerceptron + kInt8 + "-o q.qir --no-cache");
    const bool text = fs::exists(folder_ / "q.qir"), arrays = fs::exists(folder_ / "q.qir.npz");
    EXPECT_EQ(text, ran.code == 0) << limit << ": " << ran.err;
    EXPECT_EQ(arrays, ran.code == 0) << limit << ": " << ran.err;
    fs::remove(folder_ / "q.qir");
    fs::remove(folder_ / "q.qir.npz");
  }
  for (const std::string& entry : entries(folder_))
    EXPECT_EQ(entry.find("tmp"), std::string::npos) << entry;
}

TEST_F(Cli, NamesCannotLeaveTheCommentsOfEmittedCode) {
  shell("cp $E/perceptron/perceptron_weights.npz .");
  write("n.json", R"({"qlathe_spec": 1, "name": "a\nb*/ #include \"x\" ??/", "weights": "perceptron_weights.npz",
      "inputs": [{"name": "x\n#error\\", "shape": [8, 16]}],
      "nodes": [{"id": "l\n#error \\", "op": "linear", "module": "linear1"},
                {"id": "y\\", "op": "linear", "module": "linear2"}]})");
  const Ran ran = run("compile n.json --target generic --emit cpp -o out");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Ran compiled =
      shell("for f in out/*.cpp; do g++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only -Iout $f; done");
  EXPECT_EQ(compiled.err, "");
  write("long.json",
        read_text(folder_ / "n.json").replace(0, 31, R"({"qlathe_spec": 1, "name": ")" + std::string(5000, 'y')));
  EXPECT_EQ(run("compile long.json --target generic --emit cpp -o long").code, 0);
}

TEST_F(Cli, SelfTestsWithNanAndInfinityCompileAndPass) {
  write("log.qir", R"(qlathe_graph 1 "log" input %x: float32[8] const %c: float32[4] = [inf, -inf, 1.0, 2.0]
      %l = pointwise(%x) {steps = [{op = "log"}]} %y = concat(%l, %c) {axis = 0} output %y)");
  for (const char* weights : {"inline", "separate"}) {
    ASSERT_EQ(run(std::string("compile log.qir --target generic --emit cpp -o out --weights ") + weights).code, 0);
    const Ran ran = shell(
        "cd out && g++ -std=c++11 -Wall -Wextra -Werror -O1 -fsanitize=address,undefined "
        "-fno-sanitize-recover=undefined *.cpp -o run && ./run");
    EXPECT_EQ(ran.code, 0) << weights << ": " << ran.err;
    EXPECT_NE(read_text(folder_ / "out/log_self_test.cpp").find("quiet_NaN"), std::string::npos) << "tests nothing";
    fs::remove_all(folder_ / "out");
  }
}

TEST_F(Cli, TensorsWithoutElementsRun) {
  write("zero.qir", R"(qlathe_graph 1 "zero" input %x: float32[0, 2]
      %y = pointwise(%x) {steps = [{op = "relu"}]} output %y)");
  for (const char* via : {"jit", "reference"}) {
    const Ran ran = run(std::string("run zero.qir --via ") + via);
    EXPECT_EQ(ran.code, 0) << via << ": " << ran.err;
    EXPECT_NE(ran.out.find("y: float32 0x2"), std::string::npos) << ran.out;
  }
}

TEST_F(Cli, MoreThreadsThanTheSystemGivesChangeNothing) {
  const Ran one = run("run " + kPerceptron), many = run("run " + kPerceptron + " --threads 100000");
  EXPECT_EQ(many.code, 0) << many.err;
  EXPECT_EQ(many.out, one.out);
}

TEST_F(Cli, MemoryThatIsNotThereIsNamed) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers reserve more memory than a limit can leave";
#endif
  write("big.json", R"({"qlathe_spec": 1, "inputs": [{"name": "x", "shape": [1048576, 4096]}],
      "nodes": [{"op": "relu"}]})");
  const Ran ran = shell("ulimit -v 6000000; $Q run big.json --via reference");
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("not enough memory"), std::string::npos) << ran.err;
}

TEST_F(Cli, AnInterruptLeavesAllOrNothing) {
  const std::string compile = "$Q compile " + kPerceptron + " --target generic --emit cpp -o out";
  ASSERT_EQ(shell(compile).code, 0);
  const std::vector<std::string> whole = entries(folder_ / "out");
  for (int ms = 5; ms < 150; ms += 6) {
    fs::remove_all(folder_ / "out");
    shell("timeout -s INT " + std::to_string(ms / 1000.0) + " " + compile);
    if (!fs::exists(folder_ / "out")) continue;
    EXPECT_EQ(entries(folder_ / "out"), whole) << ms;
  }
}

TEST_F(Cli, RulesForInputsAndActivationsAreShown) {
  write("rules.json", R"([{"_type": "BrevitasRule", "op_names": ["relu"], "act_quant": "Uint8ActPerTensorFloat"},
      {"_type": "BrevitasRule", "module_path": "nothing", "act_quant": "Uint8ActPerTensorFloat"}])");
  const Ran ran = run("rules " + kPerceptron + " --rules rules.json");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("relu  (relu)  rule 0"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("x  (input)  no rule takes it"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.err.find("rule 0 takes no op"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("rule 1 takes no op"), std::string::npos) << ran.err;
  write("bad.json", R"([{"_type": "BrevitasRule", "weight_quant": "Int9Weight"}])");
  expect_error("rules " + kPerceptron + " --rules bad.json", 1, {"bad.json", "rules[0]", "Int9Weight"});
}

TEST_F(Cli, RulesTellWhichTakesWhatAndWhyNot) {
  write("rules.json",
        R"([{"module_path": "linear2", "weight_qtype": "int4"}, {"module_path": "conv.*", "weight_qtype": "int8"}])");
  const Ran ran = run("rules " + kPerceptron + " --rules rules.json");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("linear1  (dot_general in module 'linear1')  no rule takes it"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("✓ rule 0"), std::string::npos) << ran.out;
  EXPECT_NE(ran.err.find("rule 1 takes no op"), std::string::npos) << ran.err;
}

TEST_F(Cli, InspectCountsParametersAndMultiplyAccumulates) {
  const Ran ran = run("inspect " + kPerceptron + " --json");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("\"parameters\": 2128"), std::string::npos) << ran.out;  // 16*64 + 64 + 64*16 + 16
  EXPECT_NE(ran.out.find("\"macs\": 16384"), std::string::npos) << ran.out;       // 8 * 2 * 1024
}

TEST_F(Cli, JitEqualsReferenceOnTheCommandLine) {
  for (const std::string& rules : {std::string(" "), kInt8}) {
    const std::string input = rules + "--input $E/perceptron/sample.npz ";
    const Ran ran = shell("$Q run " + kPerceptron + input + "--via jit -o a.npy && $Q run " + kPerceptron + input +
                          "--via reference -o b.npy && cmp a.npy b.npy");
    EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  }
}

TEST_F(Cli, CompiledSourcesPassTheirSelfTest) {
  const Ran ran = shell("$Q compile " + kPerceptron + kInt8 +
                        "-o out && g++ -std=c++11 -O1 $($Q targets host --gcc-flags) -Iout "
                        "out/*.cpp -o main && ./main");
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_NE(ran.out.find("the self-test passes"), std::string::npos) << ran.out;
}

TEST_F(Cli, TheArenaMayBeInSeveralMemories) {
  const Ran ran = shell(
      "$Q compile $E/digits/digits.json --target generic --pool fast=8K,slow=32K -o out && "
      "grep -q 'void\\* fast, void\\* slow' out/digits.h && "
      "g++ -std=c++11 -O1 -Wall -Wextra -Werror -Iout out/*.cpp -o main && ./main");
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_NE(ran.out.find("the self-test passes"), std::string::npos) << ran.out;
  EXPECT_EQ(shell("$Q compile $E/digits/digits.json --pool fast=1K -o small").code, 1) << "it does not fit";
}

TEST_F(Cli, CalibratedStatisticsStandInForTheData) {
  const Ran ran = shell("$Q calibrate " + kPerceptron + kInt8 + "-o s.json && $Q compile " + kPerceptron + kInt8 +
                        "-o a && $Q compile " + kPerceptron +
                        " --rules $E/perceptron/int8.json --statistics s.json -o b && "
                        "grep -v '^//' a/perceptron.cpp > 1 && grep -v '^//' b/perceptron.cpp > 2 && cmp 1 2");
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
}

TEST_F(Cli, QuantizedGraphIsAModelAgain) {
  const Ran ran = shell("$Q quantize " + kPerceptron + kInt8 +
                        "-o q.qir && $Q run q.qir --input $E/perceptron/sample.npz -o a.npy && "
                        "$Q run " +
                        kPerceptron + kInt8 + "--input $E/perceptron/sample.npz -o b.npy && cmp a.npy b.npy");
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
}

TEST_F(Cli, PassesAreDumpedAsReadableGraphs) {
  const Ran ran = shell("$Q compile " + kPerceptron + kInt8 +
                        "-o out --dump-passes dumps && for f in dumps/*.qir; do $Q inspect $f "
                        "|| exit 1; done");
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_GE(entries(folder_ / "dumps").size(), 3u);
}

TEST_F(Cli, FailureLeavesTheOutputFolderAsItWas) {
  // A folder stands where a file must go: nothing else may have changed.
  shell("mkdir -p out/perceptron.h && echo mine > out/main.cpp");
  expect_error("compile " + kPerceptron + " -o out", 1, {"perceptron.h", "is a folder where a file must go"});
  EXPECT_EQ(entries(folder_ / "out"), (std::vector<std::string>{"main.cpp", "perceptron.h"}));
  EXPECT_EQ(read_text(folder_ / "out/main.cpp"), "mine\n");
  write("file", "mine");
  expect_error("compile " + kPerceptron + " -o file", 1, {"file", "is a file"});
  expect_error("compile " + kPerceptron + " -o file/deeper", 1, {"file/deeper"});
  expect_error("compile " + kPerceptron + " -o /proc/out", 1, {"/proc/out"});
  expect_error("run " + kPerceptron + " -o absent/x.npy", 1, {"absent/x.npy"});
  EXPECT_EQ(read_text(folder_ / "file"), "mine");
  EXPECT_EQ(entries(folder_), (std::vector<std::string>{".err", ".out", "cache", "file", "out"}));
}

TEST_F(Cli, ReadOnlyFolderIsRefused) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  shell("mkdir out && chmod a-w out");
  expect_error("compile " + kPerceptron + " -o out", 1, {"out", "cannot be written to"});
}

TEST_F(Cli, FileLimitLeavesNothingHalfWritten) {
  const Ran ran =
      shell("ulimit -f 32; $Q compile " + kPerceptron + " -o out");  // blocks; the runtime header has 95 KiB
  EXPECT_EQ(ran.code, 1) << ran.err;
  EXPECT_NE(ran.err.find("qlathe: error: "), std::string::npos) << ran.err;
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(Cli, FullDeviceIsAnError) {
  expect_error("calibrate " + kPerceptron + kInt8 + "-o /dev/full", 1, {"/dev/full"});
  const Ran ran = shell("$Q targets > /dev/full");
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("standard output cannot be written"), std::string::npos) << ran.err;
}

TEST_F(Cli, BenchReportsLayersAsJson) {
  const Ran ran = run("bench " + kPerceptron + kInt8 + "--json -m 50");
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const char* key :
       {"\"min_s\": ", "\"median_s\": ", "\"dot_peak_gops\": ", "\"of_peak\": ", "\"name\": \"linear1\""})
    EXPECT_NE(ran.out.find(key), std::string::npos) << key << " is not in " << ran.out;
}

}  // namespace
