#include "codegen/cpp/emit_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <sstream>

#include "codegen/cpp/literals.h"
#include "codegen/cpp/text_template.h"
#include "codegen/cpp/wrap.h"
#include "codegen/halide/device_code.h"
#include "codegen/halide/lower_program.h"
#include "schedule/device.h"

namespace qlathe {
namespace {

bool binary_weights(const Program& program, const EmitOptions& options) {
  return options.weights == WeightPlacement::kBinary && !program.constants.empty();
}

std::string io_line(const ProgramIo& io, const std::string& name) {
  return fmt::format("//   {:<10} {} {}{}", name, qlathe::name(io.type.type), shape_text(io.type.shape),
                     io.quantization.empty() ? "" : ", " + io.quantization);
}

std::string numpy_shape(const Shape& shape) {
  if (shape.size() == 1) return fmt::format("({},)", shape[0]);
  return fmt::format("({})", fmt::join(shape, ", "));
}

std::vector<uint8_t> bytes_of(const HostTensor& tensor) {
  return {tensor.bytes(), tensor.bytes() + tensor.byte_size()};
}

std::string returns(const EmitOptions& options) {
  const std::string refused = "// Returns 0, or 1 when a pointer is null or the arena is not aligned";
  if (!options.several_forms) return refused + " (nothing has been computed then).";
  return refused + ", or 2 when the processor has the\n// instructions of no form (nothing has been computed then).";
}

std::string self_test_declaration(const Program& program, const EmitOptions& options, const EmitNames& names) {
  if (!options.part_of.empty()) return "";
  return fmt::format(
      "\n// Runs the model on stored inputs and compares with stored outputs, bit for bit.\n"
      "// Returns 0 when they are equal, else 1 + the index of the first output that differs.\n"
      "int {}_self_test({});",
      names.model, binary_weights(program, options) ? "const void* weights" : "void");
}

/// C++ does not know arrays of no elements.
int64_t elements(const ProgramIo& io) { return std::max<int64_t>(element_count(io.type.shape), 1); }

/// For outputs with NaN, whose bits are not promised.
constexpr const char* kSameFloats = R"(
// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): either order is right
bool same_floats(const float* a, const float* b, size_t elements) {
  for (size_t i = 0; i < elements; i++) {
    if (a[i] != a[i] && b[i] != b[i]) continue;
    if (!same_bytes(a + i, b + i, sizeof(float))) return false;
  }
  return true;
})";

bool holds_nan(const HostTensor& tensor) {
  if (tensor.type() != ValueType::kF32) return false;
  const auto values = tensor.as<float>();
  return std::any_of(values.begin(), values.end(), [](float value) { return std::isnan(value); });
}

}  // namespace

int64_t arena_total(const Program& program, const std::vector<LoweredKernel>& kernels) {
  return program.arena_bytes + scratch_bytes(program, kernels);
}

std::string title(const Program& program, const EmitOptions& options) {
  const std::string model = options.part_of.empty() ? program.name : options.part_of;
  return "network \"" + comment_text(model) + "\" for " +
         (options.targets.empty() ? program.target->name : options.targets);
}

std::vector<EmitPool> pools_of(const Program& program, int64_t scratch, const EmitNames& names) {
  std::vector<EmitPool> pools;
  if (has_device(*program.target))
    return {{"arena", names.prefix + "_ARENA_BYTES", "base", 0, kDeviceArenaBytes, 0, -1}};
  if (program.pools.empty()) {
    pools.push_back({"arena", names.prefix + "_ARENA_BYTES", "base", 0, program.arena_bytes, 0, -1});
  }
  for (const ArenaPool& pool : program.pools) {
    const std::string name = names.pools[pools.size()];
    pools.push_back(
        {name, names.prefix + "_" + upper(name) + "_BYTES", name + "_base", pool.offset, pool.bytes, pool.limit, -1});
  }
  if (scratch == 0) return pools;
  const int64_t alignment = program.arena_alignment;
  const auto end = [&](const EmitPool& pool) { return (pool.bytes + alignment - 1) / alignment * alignment; };
  auto home = std::find_if(pools.begin(), pools.end(),
                           [&](const EmitPool& pool) { return pool.limit == 0 || end(pool) + scratch <= pool.limit; });
  if (home == pools.end()) home = pools.end() - 1;
  home->scratch = end(*home);
  home->bytes = home->scratch + scratch;
  return pools;
}

std::string run_parameters(const Program& program, const EmitNames& names, const EmitOptions& options) {
  std::vector<std::string> parameters;
  for (size_t i = 0; i < program.inputs.size(); i++) {
    parameters.push_back(fmt::format("const {}* {}", cpp_type(program.inputs[i].type.type), names.inputs[i]));
  }
  for (size_t i = 0; i < program.outputs.size(); i++) {
    parameters.push_back(fmt::format("{}* {}", cpp_type(program.outputs[i].type.type), names.outputs[i]));
  }
  if (program.state_bytes > 0) parameters.emplace_back("void* state");
  if (binary_weights(program, options)) parameters.emplace_back("const void* weights");
  for (const EmitPool& pool : pools_of(program, 0, names))
    parameters.push_back("void* " + pool.name);
  return fmt::format("{}", fmt::join(parameters, ", "));
}

std::string emit_header(const Program& program, const std::vector<LoweredKernel>& kernels, const EmitOptions& options,
                        const EmitNames& names) {
  std::string run;
  for (size_t i = 0; i < program.inputs.size(); i++)
    run += io_line(program.inputs[i], names.inputs[i]) + "\n";
  for (size_t i = 0; i < program.outputs.size(); i++)
    run += io_line(program.outputs[i], names.outputs[i]) + "\n";
  if (program.state_bytes > 0) {
    run += fmt::format("//   {:<10} {}_STATE_BYTES bytes, set up by {}_reset\n", "state", names.prefix, names.model);
  }
  if (binary_weights(program, options)) {
    run += fmt::format(
        "//   {0:<10} the contents of {1}_weights.bin, aligned to 64 bytes; {1}_weights_data of {1}_weights.S, say\n",
        "weights", names.model);
  }
  const std::vector<EmitPool> pools = pools_of(program, scratch_bytes(program, kernels), names);
  const bool device = has_device(*program.target);
  for (const EmitPool& pool : pools) {
    run += fmt::format("//   {:<10} {} bytes, aligned to {}_ARENA_ALIGNMENT; {}{}", pool.name, pool.macro, names.prefix,
                       device ? "all zero before the first run" : "need not be kept between runs",
                       &pool == &pools.back() ? "" : "\n");
  }
  if (device)
    run += fmt::format(
        "\n// The first run finds a device, compiles the kernels and copies the weights there: the arena holds them "
        "until\n// {}_close. Returns 2 when the device fails; {}_error says how.",
        names.model, names.model);
  std::string reset;
  if (program.state_bytes > 0) {
    reset = fmt::format("\n// Sets the state to its initial values.\nvoid {}_reset(void* state);\n", names.model);
  }
  if (binary_weights(program, options)) {
    reset += fmt::format(
        "\n// The weights where {0}_weights.S is part of the program.\nextern const unsigned char "
        "{0}_weights_data[];\n",
        names.model);
  }
  if (options.several_forms) {
    reset += fmt::format(
        "\n// The instruction set whose form runs on this processor (\"{}\"), empty where none does.\n"
        "const char* {}_form(void);\n",
        program.target->name, names.model);
  }
  if (device) {
    reset += fmt::format(
        "\n// Why the last run in this arena returned 2.\nconst char* {0}_error(const void* arena);\n"
        "\n// Gives back what the arena holds on the device; it is zero again.\nvoid {0}_close(void* arena);\n",
        names.model);
  }
  // Comments of the sizes stand in one column.
  std::vector<std::array<std::string, 3>> sizes;
  for (const EmitPool& pool : pools) {
    sizes.push_back({pool.macro.substr(names.prefix.size() + 1), std::to_string(pool.bytes),
                     "working memory of one run, see " + names.model + "_run"});
  }
  sizes.insert(sizes.end(),
               {{"ARENA_ALIGNMENT", std::to_string(program.arena_alignment), "of the working memory, in bytes"},
                {"STATE_BYTES", std::to_string(program.state_bytes), "memory that is kept from run to run"},
                {"WEIGHT_BYTES", std::to_string(weight_bytes(program)),
                 options.weights == WeightPlacement::kInline ? "read-only constants"
                                                             : "read-only constants, see the weights file"}});
  if (options.figures) {
    const CodeFigures& f = *options.figures;
    sizes.push_back({"CODE_BYTES", std::to_string(f.code_bytes), "machine code, by " + comment_text(f.compiler)});
    sizes.push_back({"CONSTANT_BYTES", std::to_string(f.constant_bytes), "read-only data, weights included"});
    sizes.push_back({"STACK_BYTES", std::to_string(f.stack_bytes),
                     f.outside.empty()
                         ? "of " + names.model + "_run"
                         : fmt::format("of {}_run, without {}", names.model, fmt::join(f.outside, ", "))});
  }
  std::string defines;
  for (const auto& [suffix, value, comment] : sizes) {
    const std::string definition = fmt::format("#define {}_{} {}", names.prefix, suffix, value);
    defines +=
        fmt::format("{}{:<{}}  // {}", defines.empty() ? "" : "\n", definition, names.prefix.size() + 32, comment);
  }
  std::string declaration =
      wrap_code(fmt::format("int {}_run({});", names.model, run_parameters(program, names, options)), "");
  declaration.pop_back();
  return fill_template("model.h.in", {{"model", names.model},
                                      {"PREFIX", names.prefix},
                                      {"title", title(program, options)},
                                      {"provenance", comment_lines(options.provenance)},
                                      {"sizes", defines},
                                      {"run_comment", run},
                                      {"run_declaration", declaration},
                                      {"reset_declaration", reset},
                                      {"returns", returns(options)},
                                      {"self_test", self_test_declaration(program, options, names)}});
}

std::string emit_self_test(const Program& program, const EmitOptions& options, const EmitNames& names) {
  std::string vectors, body, same_floats;
  for (size_t i = 0; i < program.outputs.size(); i++) {
    vectors += fmt::format("{} out_{}[{}];\n", cpp_type(program.outputs[i].type.type), i, elements(program.outputs[i]));
  }
  if (program.state_bytes > 0) body += fmt::format("  {}_reset(state);\n", names.model);
  for (size_t g = 0; g < options.golden.size(); g++) {
    const GoldenVectors& golden = options.golden[g];
    std::vector<std::string> arguments;
    for (size_t i = 0; i < program.inputs.size(); i++) {
      vectors += fmt::format("\n// {}\nconst {} in_{}_{}[{}] = {};\n", comment_text(program.inputs[i].name),
                             cpp_type(program.inputs[i].type.type), g, i, elements(program.inputs[i]),
                             array_initializer(golden.inputs[i].type(), bytes_of(golden.inputs[i])));
      arguments.push_back(fmt::format("in_{}_{}", g, i));
    }
    for (size_t i = 0; i < program.outputs.size(); i++) {
      vectors += fmt::format("\n// {}\nconst {} expected_{}_{}[{}] = {};\n", comment_text(program.outputs[i].name),
                             cpp_type(program.outputs[i].type.type), g, i, elements(program.outputs[i]),
                             array_initializer(golden.outputs[i].type(), bytes_of(golden.outputs[i])));
      arguments.push_back(fmt::format("out_{}", i));
    }
    if (program.state_bytes > 0) arguments.emplace_back("state");
    if (binary_weights(program, options)) arguments.emplace_back("weights");
    for (const EmitPool& pool : pools_of(program, 0, names))
      arguments.push_back(pool.name);
    if (g == 0) body += fmt::format("#if defined({}_CHECK)\n  {}_check_calls(1);\n#endif\n", names.prefix, names.model);
    body += fmt::format("  if ({}_run({}) != 0) return 1;\n", names.model, fmt::join(arguments, ", "));
    if (g == 0)
      body += fmt::format(
          "#if defined({0}_CHECK)\n  {1}_check_calls(0);\n  if ({1}_first_difference() >= 0) return 1;\n#endif\n",
          names.prefix, names.model);
    for (size_t i = 0; i < program.outputs.size(); i++) {
      if (holds_nan(golden.outputs[i])) {
        same_floats = kSameFloats;
        body += fmt::format("  if (!same_floats(out_{0}, expected_{1}_{0}, {2})) return {3};\n", i, g,
                            golden.outputs[i].size(), i + 1);
        continue;
      }
      body += fmt::format("  if (!same_bytes(out_{0}, expected_{1}_{0}, {2})) return {3};\n", i, g,
                          program.outputs[i].bytes, i + 1);
    }
  }
  const std::string state =
      program.state_bytes > 0 ? fmt::format("alignas(64) unsigned char state[{}_STATE_BYTES];\n", names.prefix) : "";
  std::string arenas;
  for (const EmitPool& pool : pools_of(program, 0, names)) {
    arenas +=
        fmt::format("alignas({}_ARENA_ALIGNMENT) unsigned char {}[{} + 1];\n", names.prefix, pool.name, pool.macro);
  }
  arenas.pop_back();
  return fill_template("self_test.cpp.in",
                       {{"model", names.model},
                        {"PREFIX", names.prefix},
                        {"provenance", comment_lines(options.provenance)},
                        {"limits_include", limits_include(vectors)},
                        {"same_floats", same_floats},
                        {"vectors", vectors},
                        {"arena_buffers", arenas},
                        {"state_buffer", state},
                        {"self_test_parameters", binary_weights(program, options) ? "const void* weights" : "void"},
                        {"body", body}});
}

uint32_t result_checksum(const uint8_t* bytes, size_t count) {
  uint32_t sum = 2166136261u;
  for (size_t i = 0; i < count; i++)
    sum = (sum ^ bytes[i]) * 16777619u;
  return sum;
}

std::string emit_trace(const Program& program, const EmitOptions& options, const EmitNames& names) {
  std::string calls;
  for (size_t i = 0; i < program.calls.size(); i++) {
    const bool known = i < options.checksums.size() && options.checksums[i].has_value();
    const uint32_t sum = known ? *options.checksums[i] : 0;
    std::string name = comment_text(program.calls[i].origin.name);
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '"' || c == '\\'; }, '_');
    calls += fmt::format("{}    {{\"{}\", {:#010x}u, {}}},", calls.empty() ? "" : "\n", name, sum, known ? 1 : 0);
  }
  return fill_template("trace.h.in", {{"model", names.model},
                                      {"PREFIX", names.prefix},
                                      {"count", std::to_string(program.calls.size())},
                                      {"calls", calls}});
}

std::string emit_main(const Program& program, const EmitOptions& options, const EmitNames& names) {
  const bool binary = binary_weights(program, options);
  const int first = binary ? 2 : 1;
  std::string usage, body, call;
  int argument = first;
  for (size_t i = 0; i < program.inputs.size(); i++, argument++) {
    const ProgramIo& io = program.inputs[i];
    usage += (usage.empty() ? "" : " ") + names.inputs[i] + ".npy";
    body += fmt::format("  std::vector<{}> {}({});\n", cpp_type(io.type.type), names.inputs[i], elements(io));
    body += fmt::format("  if (!read_npy(argv[{}], \"{}\", \"{}\", {}, {}.data())) return 1;\n", argument,
                        numpy_descr(io.type.type), numpy_shape(io.type.shape), io.bytes, names.inputs[i]);
    call += names.inputs[i] + ".data(), ";
  }
  const int first_output = argument;
  for (size_t i = 0; i < program.outputs.size(); i++, argument++) {
    const ProgramIo& io = program.outputs[i];
    usage += " " + names.outputs[i] + ".npy";
    body += fmt::format("  std::vector<{}> {}({});\n", cpp_type(io.type.type), names.outputs[i], elements(io));
    call += names.outputs[i] + ".data(), ";
  }
  std::vector<std::string> memories;
  for (const EmitPool& pool : pools_of(program, 0, names)) {
    body += fmt::format("  Aligned {}({});\n", pool.name, pool.macro);
    memories.push_back(pool.name + ".data()");
  }
  if (program.state_bytes > 0) {
    body += fmt::format("  Aligned state({0}_STATE_BYTES);\n  {1}_reset(state.data());\n", names.prefix, names.model);
    call += "state.data(), ";
  }
  if (binary) call += "weights.data(), ";
  const std::string complaint = has_device(*program.target)
                                    ? fmt::format("\"%s\\n\", {}_error({})", names.model, memories.front())
                                    : fmt::format("\"{}_run refused its arguments\\n\"", names.model);
  body += fmt::format("  if ({}_run({}{}) != 0) {{\n    fprintf(stderr, {});\n    return 1;\n  }}\n", names.model, call,
                      fmt::join(memories, ", "), complaint);
  for (size_t i = 0; i < program.outputs.size(); i++) {
    const ProgramIo& io = program.outputs[i];
    body += fmt::format("  if (!write_npy(argv[{}], \"{}\", \"{}\", {}, {}.data())) return 1;\n",
                        first_output + static_cast<int>(i), numpy_descr(io.type.type), numpy_shape(io.type.shape),
                        io.bytes, names.outputs[i]);
  }
  body += "  return 0;";
  std::string reader, setup;
  if (binary) {
    int64_t total = 0;
    for (const PackedConstant& c : program.constants)
      total += (static_cast<int64_t>(c.bytes.size()) + 63) / 64 * 64;
    usage = usage.empty() ? usage : usage;
    setup = fmt::format(
        "  if (argc < 2) {{\n    fprintf(stderr, \"usage: %s {0}_weights.bin [inputs and outputs]\\n\", argv[0]);\n    "
        "return 2;\n  }}\n"
        "  Aligned weights({1});\n  FILE* const file = fopen(argv[1], \"rb\");\n"
        "  const bool read = file != nullptr && fread(weights.data(), 1, {1}, file) == {1};\n"
        "  if (file != nullptr) fclose(file);\n  if (!read) {{\n    fprintf(stderr, \"%s: not the weights of {0}\\n\", "
        "argv[1]);\n    return 1;\n  }}",
        names.model, total);
    usage = names.model + "_weights.bin " + usage;
  }
  return fill_template("main.cpp.in", {{"model", names.model},
                                       {"PREFIX", names.prefix},
                                       {"usage", usage},
                                       {"weights_reader", reader},
                                       {"weights_setup", setup},
                                       {"weights_argument", binary ? "weights.data()" : ""},
                                       {"first_argument", std::to_string(first)},
                                       {"argument_count", std::to_string(argument)},
                                       {"main_body", body}});
}

std::string emit_build_file(const Program& program, const EmitOptions& options, const EmitNames& names) {
  std::string sources = fmt::format(" {0}.cpp {0}_self_test.cpp", names.model);
  if (options.weights == WeightPlacement::kSeparate) sources += fmt::format(" {}_weights.cpp", names.model);
  const auto flags = [](const std::vector<std::string>& extra) {
    return extra.empty() ? std::string("-O2") : fmt::format("-O2 {}", fmt::join(extra, " "));
  };
  return fill_template("CMakeLists.txt.in", {{"model", names.model},
                                             {"title", title(program, options)},
                                             {"target", program.target->name},
                                             {"library_sources", sources},
                                             {"gcc_flags", flags(program.target->gcc_flags)},
                                             {"clang_flags", flags(program.target->clang_flags)}});
}

namespace {

/// Replaces `#include "…"` of runtime files by their text, each file once; `#pragma once` lines vanish.
void append_runtime(const std::string& path, std::set<std::string>& seen, std::string& out) {
  if (!seen.insert(path).second) return;
  const auto& files = embedded_runtime();
  const auto file = std::find_if(files.begin(), files.end(), [&](const auto& f) { return f.first == path; });
  QL_CHECK(file != files.end(), "runtime file " + path);
  std::istringstream lines(file->second);
  for (std::string line; std::getline(lines, line);) {
    if (line == "#pragma once") continue;
    const size_t quote = line.find('"');
    if (line.starts_with("#include \"") && quote != std::string::npos) {
      std::string wanted = line.substr(quote + 1, line.rfind('"') - quote - 1);
      const std::string folder = path.find('/') == std::string::npos ? "" : path.substr(0, path.rfind('/') + 1);
      const bool beside =
          std::any_of(files.begin(), files.end(), [&](const auto& f) { return f.first == folder + wanted; });
      append_runtime(beside ? folder + wanted : wanted, seen, out);
      continue;
    }
    out += line + "\n";
  }
}

}  // namespace

std::string amalgamated_runtime() {
  std::set<std::string> seen;
  std::string body;
  append_runtime("qlathe_runtime.h", seen, body);
  return "#ifndef QLATHE_RUNTIME_H_\n#define QLATHE_RUNTIME_H_\n\n" + body + "\n#endif  // QLATHE_RUNTIME_H_\n";
}

}  // namespace qlathe
