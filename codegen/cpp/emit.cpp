#include "codegen/cpp/emit.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "codegen/cpp/emit_files.h"
#include "codegen/cpp/literals.h"
#include "codegen/cpp/printer.h"
#include "codegen/cpp/text_template.h"
#include "codegen/cpp/wrap.h"
#include "codegen/halide/lower_program.h"

namespace qlathe {

int64_t weight_bytes(const Program& program) {
  int64_t bytes = 0;
  for (const PackedConstant& constant : program.constants)
    bytes += static_cast<int64_t>(constant.bytes.size());
  return bytes;
}

std::string limits_include(const std::string& text) {
  return text.find("std::numeric_limits") == std::string::npos ? "" : "#include <limits>";
}

std::string comment_lines(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines)
    out += (out.empty() ? "" : "\n") + ("//   " + comment_text(line));
  return out;
}

std::string shape_text(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

namespace {

/// The .bin file: every constant at a multiple of 64 bytes.
std::vector<int64_t> binary_offsets(const Program& program, int64_t& total) {
  std::vector<int64_t> offsets;
  total = 0;
  for (const PackedConstant& constant : program.constants) {
    offsets.push_back(total);
    total += (static_cast<int64_t>(constant.bytes.size()) + 63) / 64 * 64;
  }
  return offsets;
}

/// Large arrays of bytes are written as words (word_initializer): 5 MB of weights compile in two seconds instead of
/// eleven.
bool in_words(const PackedConstant& constant) {
  constexpr size_t kLarge = size_t{64} << 10;
  return storage_bytes(constant.type) == 1 && constant.bytes.size() >= kLarge;
}

/// "// conv1, weights: int8 [1, 8, 3, 3, 2, 1], packed [c/2][ky][k/1][2][1]"; axes of one element in front say nothing.
std::string constant_comment(const PackedConstant& constant, const std::string& role) {
  const bool packed = !constant.layout.empty() && constant.layout != "row-major";
  Shape shape = constant.shape;
  while (!packed && shape.size() > 1 && shape[0] == 1)
    shape.erase(shape.begin());
  return fmt::format("// {}: {} {}{}{}\n", comment_text(role.empty() ? constant.name : role), name(constant.type),
                     shape_text(shape), packed ? ", packed " + constant.layout : "",
                     in_words(constant) ? ", eight to a word, the first lowest" : "");
}

/// A pointer to a type of stdint.h as one to the runtime's type of the same size: they differ where int32_t is long.
std::string as_runtime(const std::string& pointer, const char* constness, const std::string& type) {
  return type == "i32" || type == "u32" ? fmt::format("reinterpret_cast<{}{}*>({})", constness, type, pointer)
                                        : pointer;
}

std::string runtime_type(ValueType type) {
  const std::string name = cpp_type(type);
  return name == "int32_t" ? "i32" : name == "uint32_t" ? "u32" : name;
}

/// "int8_t kConv1Weights[144]". `own`: inside the model's own file, by the runtime's names, for int32_t need not be
/// int.
std::string constant_array(const PackedConstant& constant, const std::string& name, bool own) {
  if (in_words(constant)) return fmt::format("uint64_t {}[{}]", name, (constant.bytes.size() + 7) / 8);
  return fmt::format("{} {}[{}]", own ? runtime_type(constant.type) : cpp_type(constant.type), name,
                     constant.bytes.size() / static_cast<size_t>(storage_bytes(constant.type)));
}

std::string constant_definition(const PackedConstant& constant, const std::string& name, const std::string& comment,
                                const char* linkage, int64_t alignment) {
  return comment + fmt::format("alignas({}) {}const {} = {};\n\n", alignment, linkage,
                               constant_array(constant, name, *linkage == 0),
                               in_words(constant) ? word_initializer(constant.bytes)
                                                  : array_initializer(constant.type, constant.bytes));
}

std::string caller_name(const ProgramCall& call) {
  return call.origin.name.empty() ? "(internal)" : comment_text(call.origin.name);
}

/// "requantize: 4 of 4 blocks: fp32 fma" of a note that goes on with the proof.
std::string first_words(const std::string& note) {
  size_t end = std::min(note.find("; "), note.size());
  for (size_t colon = note.find(": "), i = 0; colon < end; colon = note.find(": ", colon + 1), i++) {
    if (i == 2) end = colon;
  }
  return note.substr(0, end);
}

class ModelSource {
 public:
  ModelSource(const Program& program, const std::vector<LoweredKernel>& kernels, const EmitOptions& options,
              const EmitNames& names)
      : program_(program),
        kernels_(kernels),
        options_(options),
        names_(names),
        pools_(pools_of(program, scratch_bytes(program, kernels), names)) {}

  Result<std::string> text() {
    QL_ASSIGN(const std::string kernels, kernel_section());
    const bool separate = options_.weights == WeightPlacement::kSeparate;
    const std::string weights = weight_section(), numbers = number_section();
    return fill_template("model.cpp.in", {{"model", names_.model},
                                          {"PREFIX", names_.prefix},
                                          {"limits_include", limits_include(numbers + kernels)},
                                          {"title", title(program_, options_)},
                                          {"provenance", comment_lines(options_.provenance)},
                                          {"contents", contents()},
                                          {"requantizations", requantizations()},
                                          {"weights_include",
                                           separate ? fmt::format("#include \"{}_weights.h\"\n\n", names_.model) : ""},
                                          {"weights", weights},
                                          {"numbers", numbers},
                                          {"kernels", kernels},
                                          {"offsets", offset_section()},
                                          {"entry_points", entry_points()}});
  }

 private:
  std::string contents() const {
    return fmt::format(
        "// {} constants, {} kernels, {} calls, {} bytes of arena. In this order: constants, kernels, places in the "
        "arena,\n"
        "// {}_run, formulas of requantizations, numbers.",
        program_.constants.size(), program_.kernels.size(), program_.calls.size(), arena_total(program_, kernels_),
        names_.model);
  }

  std::string heading(const std::string& text) const {
    return fmt::format("// ---- {} {:-<{}}\n", text, "", 110 - text.size());
  }

  /// What kernels are given; arrays inside this file are defined at its end, behind what is to be read.
  std::string weight_section() {
    if (program_.constants.empty()) return "";
    std::string out = heading("Constants");
    switch (options_.weights) {
      case WeightPlacement::kInline:
        out += "// The numbers stand at the end of the file.\n" + byte_order();
        for (size_t i = 0; i < program_.constants.size(); i++) {
          const PackedConstant& c = program_.constants[i];
          out += constant_comment(c, names_.constant_roles[i]) +
                 fmt::format("extern const {};\n", constant_array(c, names_.constants[i], true));
        }
        return out + "\n";
      case WeightPlacement::kSeparate:
        return out + byte_order() + fmt::format("using namespace {}_constants;\n\n", names_.model);
      case WeightPlacement::kBinary: {
        int64_t total = 0;
        const std::vector<int64_t> offsets = binary_offsets(program_, total);
        out += fmt::format("// Offsets in {}_weights.bin, {} bytes in all.\n", names_.model, total);
        for (size_t i = 0; i < offsets.size(); i++) {
          out += constant_comment(program_.constants[i], names_.constant_roles[i]) +
                 fmt::format("const size_t {} = {};\n", names_.constants[i], offsets[i]);
        }
        return out + "\n";
      }
    }
    return out;
  }

  /// Words have the bytes in one order.
  std::string byte_order() const {
    if (std::none_of(program_.constants.begin(), program_.constants.end(), in_words)) return "";
    return "#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__\n"
           "#error words of bytes are for little-endian processors: compile the model with --weights binary\n"
           "#endif\n";
  }

  /// Behind the entry points.
  std::string number_section() {
    if (options_.weights != WeightPlacement::kInline || program_.constants.empty()) return "";
    std::string out = "\n" + heading("Numbers") + "namespace {\n\n";
    for (size_t i = 0; i < program_.constants.size(); i++) {
      out += constant_definition(program_.constants[i], names_.constants[i], "", "", program_.arena_alignment);
    }
    return out + "}  // namespace\n";
  }

  Result<std::string> kernel_section() {
    std::string out =
        heading("Kernels") +
        "// A kernel computes rows [row_begin, row_end) of its result; rows may be computed in any order.\n"
        "// NOLINTBEGIN(bugprone-easily-swappable-parameters): nobody writes these calls\n\n";
    PrintOptions print;
    print.scalar_only = !program_.target->vectorize;
    Status problems;
    for (size_t k = 0; k < kernels_.size(); k++) {
      out += wrap_comment(comment_text(program_.kernels[k].description), "// ", "//   ");
      std::vector<std::string> callers;
      for (const ProgramCall& call : program_.calls) {
        if (call.kernel == static_cast<int>(k))
          callers.push_back(call.origin.name.empty() ? "?" : comment_text(call.origin.name));
      }
      std::string line = "// called by";
      for (const std::string& caller : callers) {
        if (line.size() + caller.size() > 110) {
          out += line + "\n";
          line = "//  ";
        }
        line += " " + caller;
      }
      out += line + "\n";
      Result<std::string> printed = print_kernel(kernels_[k], print);
      if (!printed.ok()) {
        problems.merge(printed.status().at({"", program_.kernels[k].name, ""}));
        continue;
      }
      out += *printed;
      if (!out.ends_with("\n\n")) out += out.ends_with("\n") ? "\n" : "\n\n";
    }
    if (!problems.ok()) return problems;
    return out;
  }

  /// The pool that an offset of the program's arena is in.
  const EmitPool& pool_at(int64_t offset) const {
    size_t p = 0;
    while (p + 1 < pools_.size() && pools_[p + 1].offset <= offset)
      p++;
    return pools_[p];
  }

  std::string offset_section() const {
    std::string out;
    for (const EmitNames::ArenaPlace& place : names_.arena) {
      const EmitPool& pool = pool_at(place.offset);
      const std::string definition = fmt::format("const size_t {} = {};", place.name, place.offset - pool.offset);
      out += fmt::format("{:<56}  // {} bytes{}, {}\n", definition, place.bytes,
                         pools_.size() > 1 ? " of " + pool.name : "",
                         place.first_call == place.last_call
                             ? fmt::format("call {}", place.first_call + 1)
                             : fmt::format("calls {} to {}", place.first_call + 1, place.last_call + 1));
    }
    for (const EmitPool& pool : pools_) {
      if (pool.scratch >= 0) out += fmt::format("const size_t kOffsetScratch = {};\n", pool.scratch);
    }
    return out;
  }

  /// The pointer that call `index` hands to parameter `i` of its kernel.
  std::string argument(size_t index, size_t i, const KernelParameter& parameter, bool writable) const {
    const BufferRef& ref = program_.calls[index].buffers[i];
    const std::string type = parameter.type;
    const char* constness = writable ? "" : "const ";
    const auto shifted = [&](const std::string& base, const std::string& offset) {
      return fmt::format("reinterpret_cast<{}{}*>({} + {})", constness, type, base, offset);
    };
    switch (ref.space) {
      case BufferRef::Space::kInput:
        if (ref.offset == 0) return as_runtime(names_.inputs[static_cast<size_t>(ref.index)], constness, type);
        return shifted(
            fmt::format("reinterpret_cast<const unsigned char*>({})", names_.inputs[static_cast<size_t>(ref.index)]),
            std::to_string(ref.offset));
      case BufferRef::Space::kOutput:
        if (ref.offset == 0) return as_runtime(names_.outputs[static_cast<size_t>(ref.index)], constness, type);
        return shifted(
            fmt::format("reinterpret_cast<unsigned char*>({})", names_.outputs[static_cast<size_t>(ref.index)]),
            std::to_string(ref.offset));
      case BufferRef::Space::kConstant: {
        const std::string& name = names_.constants[static_cast<size_t>(ref.index)];
        const std::string offset = ref.offset == 0 ? "" : " + " + std::to_string(ref.offset);
        if (options_.weights == WeightPlacement::kBinary) return shifted("weight_base", name + offset);
        if (!offset.empty())
          return fmt::format("reinterpret_cast<const {}*>(reinterpret_cast<const unsigned char*>({}){})", type, name,
                             offset);
        if (in_words(program_.constants[static_cast<size_t>(ref.index)]))
          return fmt::format("reinterpret_cast<const {}*>({})", type, name);
        return options_.weights == WeightPlacement::kSeparate ? as_runtime(name, constness, type) : name;
      }
      case BufferRef::Space::kArena:
        return shifted(pool_at(ref.offset).base, names_.arena_places.at({index, i}));
      case BufferRef::Space::kState:
        return shifted("state_base", std::to_string(ref.offset));
    }
    return "";
  }

  std::string scratch_base() const {
    const auto home =
        std::find_if(pools_.begin(), pools_.end(), [](const EmitPool& pool) { return pool.scratch >= 0; });
    QL_CHECK(home != pools_.end(), "no pool for scratch");
    return home->base;
  }

  std::string call_text(size_t index) const {
    const ProgramCall& call = program_.calls[index];
    const LoweredKernel& kernel = kernels_[static_cast<size_t>(call.kernel)];
    std::vector<std::string> arguments;
    size_t buffer = 0;
    for (const KernelParameter& p : kernel.parameters()) {
      switch (p.role) {
        case ParameterRole::kInput:
          arguments.push_back(argument(index, buffer++, p, false));
          break;
        case ParameterRole::kOutput:
          arguments.push_back(argument(index, buffer++, p, true));
          break;
        case ParameterRole::kScratch:
          arguments.push_back(scratch_base() + " + kOffsetScratch");
          break;
        case ParameterRole::kScalar:
          QL_CHECK(false, kernel.name() + " has a scalar parameter");
          break;
        case ParameterRole::kRowBegin:
          arguments.push_back("0");
          break;
        case ParameterRole::kRowEnd:
          arguments.push_back(std::to_string(call.rows));
          break;
      }
    }
    return wrap_code(fmt::format("{}({});", kernel.name(), fmt::join(arguments, ", ")), "  ");
  }

  /// The hook behind a call: its result, for checksums and counters.
  std::string after_text(const ProgramCall& call, size_t index) const {
    const auto& parameters = kernels_[static_cast<size_t>(call.kernel)].parameters();
    size_t buffer = 0;
    const KernelParameter* result = nullptr;
    for (const KernelParameter& p : parameters) {
      if (p.role == ParameterRole::kInput || p.role == ParameterRole::kOutput) buffer++;
      if (p.role == ParameterRole::kOutput) result = &p;
    }
    QL_CHECK(result != nullptr && buffer == call.buffers.size(), call.description);
    return wrap_code(fmt::format("{}_AFTER({}, {}, {});", names_.prefix, index,
                                 argument(index, buffer - 1, *result, true), result->bytes),
                     "  ");
  }

  /// What was proven about the requantization of each call that has one.
  std::string requantizations() const {
    std::string out;
    for (const ProgramCall& call : program_.calls) {
      for (const std::string& note : call.notes)
        out += wrap_comment(caller_name(call) + ": " + comment_text(note), "// ", "//   ");
    }
    return out.empty() ? "" : "\n" + heading("Formulas of requantizations, and why they were chosen") + out;
  }

  std::string entry_points() const {
    const bool binary = options_.weights == WeightPlacement::kBinary && !program_.constants.empty();
    std::string out = wrap_code(
        fmt::format("extern \"C\" int {}_run({}) {{", names_.model, run_parameters(program_, names_, options_)), "");
    std::vector<std::string> checks, unused;
    // A tensor without elements may well have no place.
    const auto check = [&](const std::vector<ProgramIo>& tensors, const std::vector<std::string>& names) {
      for (size_t i = 0; i < tensors.size(); i++) {
        const bool empty = element_count(tensors[i].type.shape) == 0;
        (empty ? unused : checks).push_back(empty ? names[i] : names[i] + " == nullptr");
      }
    };
    check(program_.inputs, names_.inputs);
    check(program_.outputs, names_.outputs);
    if (program_.state_bytes > 0) checks.push_back("state == nullptr");
    if (binary) checks.push_back("weights == nullptr");
    for (const EmitPool& pool : pools_) {
      if (pool.bytes > 0) checks.push_back(pool.name + " == nullptr");
    }
    if (!checks.empty()) out += wrap_code(fmt::format("if ({}) return 1;", fmt::join(checks, " || ")), "  ");
    for (const std::string& name : unused)
      out += fmt::format("  (void){};\n", name);
    for (const EmitPool& pool : pools_) {
      if (pool.bytes == 0) {
        out += fmt::format("  (void){};\n", pool.name);
        continue;
      }
      out += fmt::format("  if (reinterpret_cast<uintptr_t>({}) % {}_ARENA_ALIGNMENT != 0) return 1;\n", pool.name,
                         names_.prefix);
      out += fmt::format("  unsigned char* const {} = static_cast<unsigned char*>({});\n", pool.base, pool.name);
    }
    if (program_.state_bytes > 0) out += "  unsigned char* const state_base = static_cast<unsigned char*>(state);\n";
    if (binary) out += "  const unsigned char* const weight_base = static_cast<const unsigned char*>(weights);\n";
    out += fmt::format("  {}_BEGIN();\n\n", names_.prefix);
    for (size_t index = 0; index < program_.calls.size(); index++) {
      const ProgramCall& call = program_.calls[index];
      out += wrap_comment(fmt::format("{}. {}: {}", index + 1, caller_name(call), comment_text(call.description)),
                          "  // ", "  //   ");
      for (const std::string& note : call.notes)
        out += "  //   " + first_words(comment_text(note)) + "\n";
      out += call_text(index) + after_text(call, index);
    }
    out += "  return 0;\n}\n";
    if (program_.state_bytes > 0) out += reset_function();
    return out;
  }

  std::string reset_function() const {
    std::string out = fmt::format("\nextern \"C\" void {}_reset(void* state) {{\n", names_.model);
    out += "  unsigned char* const state_base = static_cast<unsigned char*>(state);\n";
    for (const ProgramState& s : program_.states) {
      const bool zero = std::all_of(s.initial.begin(), s.initial.end(), [](uint8_t b) { return b == 0; });
      out += fmt::format("  // {}: {} {}\n", comment_text(s.name), name(s.type.type), shape_text(s.type.shape));
      if (zero) {
        out += fmt::format("  for (size_t i = 0; i < {}; i++) state_base[{} + i] = 0;\n", s.bytes, s.offset);
      } else {
        out += fmt::format("  static const unsigned char initial_{}[{}] = {};\n", s.offset, s.bytes,
                           array_initializer(ValueType::kU8, s.initial));
        out += fmt::format("  for (size_t i = 0; i < {}; i++) state_base[{} + i] = initial_{}[i];\n", s.bytes, s.offset,
                           s.offset);
      }
    }
    return out + "}\n";
  }

  const Program& program_;
  const std::vector<LoweredKernel>& kernels_;
  const EmitOptions& options_;
  const EmitNames& names_;
  const std::vector<EmitPool> pools_;
};

}  // namespace

Result<std::vector<EmittedFile>> emit_cpp(const Program& program, const std::vector<LoweredKernel>& kernels,
                                          const EmitOptions& options) {
  QL_CHECK(kernels.size() == program.kernels.size(), program.name);
  QL_CHECK(!options.golden.empty(), "a self-test needs golden vectors");
  const EmitNames names = make_names(program, kernels);
  std::vector<EmittedFile> files;
  QL_ASSIGN(std::string source, ModelSource(program, kernels, options, names).text());
  files.push_back({names.model + ".h", emit_header(program, kernels, options, names)});
  files.push_back({names.model + ".cpp", std::move(source)});
  if (options.weights == WeightPlacement::kSeparate) {
    std::string declarations, definitions;
    for (size_t i = 0; i < program.constants.size(); i++) {
      const PackedConstant& c = program.constants[i];
      declarations += constant_comment(c, names.constant_roles[i]) +
                      fmt::format("extern const {};\n", constant_array(c, names.constants[i], false));
      definitions += constant_definition(c, names.constants[i], constant_comment(c, names.constant_roles[i]), "extern ",
                                         program.arena_alignment);
    }
    files.push_back({names.model + "_weights.h", fill_template("weights.h.in", {{"model", names.model},
                                                                                {"PREFIX", names.prefix},
                                                                                {"declarations", declarations}})});
    files.push_back({names.model + "_weights.cpp",
                     fill_template("weights.cpp.in", {{"model", names.model},
                                                      {"provenance", comment_lines(options.provenance)},
                                                      {"limits_include", limits_include(definitions)},
                                                      {"definitions", definitions}})});
  } else if (options.weights == WeightPlacement::kBinary) {
    int64_t total = 0;
    const std::vector<int64_t> offsets = binary_offsets(program, total);
    std::string bytes(static_cast<size_t>(total), '\0');
    for (size_t i = 0; i < offsets.size(); i++) {
      std::copy(program.constants[i].bytes.begin(), program.constants[i].bytes.end(), bytes.begin() + offsets[i]);
    }
    files.push_back({names.model + "_weights.bin", std::move(bytes)});
    if (!program.constants.empty())
      files.push_back({names.model + "_weights.S", fill_template("weights.S.in", {{"model", names.model}})});
  }
  files.push_back({names.model + "_self_test.cpp", emit_self_test(program, options, names)});
  files.push_back({names.model + "_trace.h", emit_trace(program, options, names)});
  files.push_back({"main.cpp", emit_main(program, options, names)});
  files.push_back({"CMakeLists.txt", emit_build_file(program, options, names)});
  files.push_back({"qlathe_runtime.h", amalgamated_runtime()});
  return files;
}

}  // namespace qlathe
