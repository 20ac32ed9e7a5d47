// Emitted C++ for a named target: a program or firmware for each graph, run on whatever runs the target's code here.
// Its outputs must also be the reference's, bit for bit.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "frontend/reference/reference_executor.h"
#include "tests/cases/lower_case.h"
#include "tests/cases/result.h"
#include "tests/cases/via.h"
#include "tests/support/machine.h"

namespace qlathe::cases {
namespace {

namespace fs = std::filesystem;

/// The program around the model: reads the inputs of every run, writes the outputs. C, where void* becomes any pointer.
std::string program_text(const Program& program, const std::string& id, size_t runs, bool sequence) {
  std::string buffers, reads, arguments, writes, capitals = id;
  for (char& c : capitals)
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const auto buffer = [&](const std::string& name, int64_t bytes) {
    buffers += fmt::format("static unsigned char {}[{} + 1] __attribute__((aligned(64)));\n", name, bytes);
    arguments += fmt::format("(void*){}, ", name);
  };
  for (size_t i = 0; i < program.inputs.size(); i++) {
    buffer(fmt::format("in{}", i), program.inputs[i].bytes);
    reads += fmt::format("    if (!case_read(in{}, {})) return 3;\n", i, program.inputs[i].bytes);
  }
  for (size_t i = 0; i < program.outputs.size(); i++) {
    buffer(fmt::format("out{}", i), program.outputs[i].bytes);
    writes += fmt::format("    if (!case_write(out{}, {})) return 5;\n", i, program.outputs[i].bytes);
  }
  std::string reset;
  if (program.state_bytes > 0) {
    buffer("state", program.state_bytes);
    reset = fmt::format("    if (run == 0 || !{}) {}_reset(state);\n", sequence ? 1 : 0, id);
  }
  return fmt::format(
      "#include <stdbool.h>\n#include \"case_io.h\"\n#include \"{0}.h\"\n"
      "{2}static unsigned char arena[{1}_ARENA_BYTES + 1] __attribute__((aligned(64)));\n"
      "int main(void) {{\n  if (!case_open(\"{0}.in\", \"{0}.out\")) return 3;\n"
      "  for (int run = 0; run < {3}; run++) {{\n{4}{5}    if ({0}_run({6}arena) != 0) return 4;\n{7}  }}\n"
      "  return case_close() ? 0 : 5;\n}}\n",
      id, capitals, buffers, runs, reads, reset, arguments, writes);
}

const char* program_suffix(bool sequence) { return sequence ? "_steps" : "_single"; }

/// The first element that differs, or ""; NaNs of any bits are equal.
std::string difference(const HostTensor& got, const HostTensor& want) {
  if (got.byte_size() == want.byte_size() && std::memcmp(got.bytes(), want.bytes(), got.byte_size()) == 0) return "";
  for (int64_t i = 0; i < want.size(); i++) {
    const size_t at = static_cast<size_t>(i);
    if (want.type() == ValueType::kF32) {
      const float a = got.as<float>()[at], b = want.as<float>()[at];
      if (std::memcmp(&a, &b, 4) != 0 && !(std::isnan(a) && std::isnan(b)))
        return fmt::format("element {}: {} instead of {}", i, a, b);
      continue;
    }
    const size_t width = got.byte_size() / static_cast<size_t>(std::max<int64_t>(want.size(), 1));
    if (std::memcmp(got.bytes() + at * width, want.bytes() + at * width, width) != 0)
      return fmt::format("element {}", i);
  }
  return "";
}

class TargetVia : public Via {
 public:
  TargetVia(const Target& target, testing::Machine machine, fs::path folder)
      : target_(target), machine_(std::move(machine)), folder_(std::move(folder)) {}
  Executor& calibration() override { return reference_; }
  bool builds() const override { return true; }

  Status emit(const Graph& graph, const Runs& inputs, const std::string& id) override {
    QL_ASSIGN(const LoweredCase lowered, lower_case(graph, inputs.at(0), id, target_));
    QL_ASSIGN(const auto files, emit_cpp(lowered.program, lowered.kernels, lowered.options));
    for (const EmittedFile& file : files)
      if (file.name == id + ".h" || file.name == id + ".cpp" || file.name == "qlathe_runtime.h")
        write(file.name, file.bytes);
    // When the states are set up depends on what `run` is told.
    for (const bool sequence : {false, true})
      write(id + program_suffix(sequence) + ".c", program_text(lowered.program, id, inputs.size(), sequence));
    return {};
  }

  void build(const std::vector<std::string>& ids, int jobs) override {
    if (!machine_.files.empty()) {
      const std::string files = QLATHE_SOURCE_DIR "/tests/cases/firmware/" + machine_.files;
      (void)command(machine_.gxx + " -O2 -c " + files + " -o case_io.o", "case_io");
    }
    constexpr size_t kAtOnce = 4;
    run_in_children((ids.size() + kAtOnce - 1) / kAtOnce, jobs, {3600, 0},
                    [&](size_t group) {
                      std::string sources;
                      for (size_t i = group * kAtOnce; i < std::min(ids.size(), (group + 1) * kAtOnce); i++)
                        sources += ids[i] + ".cpp ";
                      (void)command(machine_.gxx + " -O2 -I. -c " + sources, "group" + std::to_string(group));
                      return std::string();
                    },
                    [](size_t, const ChildOutcome&) {});
  }

  Result<Runs> run(const Graph& graph, const Runs& inputs, bool sequence, const std::string& id) override {
    if (!fs::exists(folder_ / (id + ".cpp")))
      QL_RETURN_IF_ERROR(emit(graph, inputs, id));  // says why it was not emitted
    if (!fs::exists(folder_ / (id + ".o")))
      QL_RETURN_IF_ERROR(command(machine_.gxx + " -O2 -I. -c " + id + ".cpp", id));
    const std::string source = id + program_suffix(sequence);
    QL_RETURN_IF_ERROR(command(machine_.gcc + " -I. -I" QLATHE_SOURCE_DIR "/tests/cases/firmware -c " + source +
                                   ".c && " + machine_.gxx + " " + source + ".o " + id + ".o " +
                                   (machine_.files.empty() ? "" : "case_io.o ") + machine_.link + " -o " + id + ".elf",
                               id));
    std::ofstream in(folder_ / (id + ".in"), std::ios::binary);
    for (const auto& tensors : inputs) {
      for (const HostTensor& tensor : tensors)
        in.write(reinterpret_cast<const char*>(tensor.bytes()), static_cast<std::streamsize>(tensor.byte_size()));
    }
    in.close();
    QL_RETURN_IF_ERROR(command(machine_.before + "./" + id + ".elf", id));
    QL_ASSIGN(const Runs want, run_all(reference_, graph, inputs, sequence));
    return read_outputs(want, id);
  }

 private:
  void write(const std::string& file, const std::string& bytes) const {
    std::ofstream(folder_ / file, std::ios::binary) << bytes;
  }

  Status command(const std::string& text, const std::string& id) const {
    const std::string log = id + ".log";
    const int status = std::system(fmt::format("cd '{}' && ({}) > {} 2>&1", folder_.string(), text, log).c_str());
    if (status == 0) return {};
    std::ifstream in(folder_ / log);
    std::string output((std::istreambuf_iterator<char>(in)), {});
    return Status::user({}, fmt::format("status {} of: {}: {}", WEXITSTATUS(status), text, output.substr(0, 2000)));
  }

  Result<Runs> read_outputs(const Runs& want, const std::string& id) const {
    std::ifstream in(folder_ / (id + ".out"), std::ios::binary);
    Runs all;
    for (size_t run = 0; run < want.size(); run++) {
      all.emplace_back();
      for (size_t i = 0; i < want[run].size(); i++) {
        HostTensor& out = all.back().emplace_back(want[run][i].type(), want[run][i].shape());
        in.read(reinterpret_cast<char*>(out.bytes()), static_cast<std::streamsize>(out.byte_size()));
        if (!in) return Status::user({}, "the program wrote too little");
        if (const std::string where = difference(out, want[run][i]); !where.empty())
          return Status::user({}, fmt::format("run {} output {} is not the reference's: {}", run, i, where));
      }
    }
    return all;
  }

  const Target& target_;
  testing::Machine machine_;
  fs::path folder_;
  ReferenceExecutor reference_;
};

}  // namespace

Result<std::unique_ptr<Via>> make_target_via(const std::string& name, const fs::path& folder) {
  QL_ASSIGN(const Target* target, TargetRegistry::get(name));
  QL_ASSIGN(testing::Machine machine, testing::machine_for(*target));
  return std::unique_ptr<Via>(std::make_unique<TargetVia>(*target, std::move(machine), folder));
}

}  // namespace qlathe::cases
