#include "tests/codegen/runner.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "codegen/cpp/printer.h"
#include "codegen/halide/object.h"

namespace qlathe::testing {

namespace fs = std::filesystem;

namespace {

void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

bool is_pointer(const KernelParameter& p) {
  return p.role == ParameterRole::kInput || p.role == ParameterRole::kOutput || p.role == ParameterRole::kScratch;
}

// extern "C" void NAME_entry(buffers, scalars, begin, end): the same for printed and object kernels.
std::string entry_text(const LoweredKernel& kernel, bool object) {
  std::string declared, passed;
  int buffers = 0, scalars = 0;
  for (const KernelParameter& p : kernel.parameters()) {
    std::string comma = passed.empty() ? "" : ", ";
    if (is_pointer(p)) {
      declared += comma + "void*";
      passed += comma + (object ? "" : "static_cast<" + p.type + "*>(") + "b[" + std::to_string(buffers++) + "]" +
                (object ? "" : ")");
    } else {
      declared += comma + "int";
      passed += comma + (p.role == ParameterRole::kRowBegin ? "row_begin"
                         : p.role == ParameterRole::kRowEnd ? "row_end"
                                                            : "s[" + std::to_string(scalars++) + "]");
    }
  }
  std::string text;
  if (object) text += "extern \"C\" int " + kernel.name() + "(" + declared + ");\n";
  text += "extern \"C\" void " + kernel.name() + "_entry(void* const* b, const int* s, int row_begin, int row_end) {\n";
  text += "  static_cast<void>(s);\n  " + kernel.name() + "(" + passed + ");\n}\n";
  return text;
}

std::unique_ptr<LoadedKernels> load(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    ADD_FAILURE() << dlerror();
    return nullptr;
  }
  return std::make_unique<LoadedKernels>(handle, library);
}

int execute(const std::string& command, const std::string& log) {
  return std::system((command + " >" + log + " 2>&1").c_str());
}

}  // namespace

LoadedKernels::Entry LoadedKernels::entry(const std::string& kernel) const {
  if (handle_ == nullptr) {
    const auto found = emulated_.find(kernel);
    return found == emulated_.end() ? Entry() : found->second;
  }
  using Function = void (*)(void* const*, const int32_t*, int32_t, int32_t);
  const auto function = reinterpret_cast<Function>(dlsym(handle_, (kernel + "_entry").c_str()));
  return function == nullptr ? Entry() : Entry(function);
}

LoadedKernels::~LoadedKernels() {
  if (handle_ != nullptr) dlclose(handle_);
}

const std::string& scratch_folder() {
  struct Folder {
    std::string path;
    Folder() {
      std::string pattern = (fs::temp_directory_path() / "qlathe-codegen-XXXXXX").string();
      path = mkdtemp(pattern.data());
    }
    ~Folder() {
      std::error_code ignored;
      if (std::getenv("QLATHE_KEEP") == nullptr) fs::remove_all(path, ignored);
    }
  };
  static const Folder folder;
  return folder.path;
}

std::string printed_unit(const std::vector<LoweredKernel>& kernels, bool scalar_only) {
  std::string text = "#include \"qlathe_runtime.h\"\n\nnamespace qlathe_rt {\nnamespace unit {\nnamespace {\n\n",
              entries;
  for (const LoweredKernel& kernel : kernels) {
    auto printed = print_kernel(kernel, {.scalar_only = scalar_only});
    EXPECT_TRUE(printed.ok()) << printed.status().text() << kernel.text();
    if (!printed.ok()) continue;
    text += *printed + "\n";
    entries += entry_text(kernel, false);
  }
  return text + "}\n\n" + entries + "}\n}\n";
}

std::unique_ptr<LoadedKernels> compile_printed(const std::vector<LoweredKernel>& kernels, const std::string& compiler,
                                               const std::string& unit, bool scalar_only) {
  std::string base = scratch_folder() + "/" + unit;
  write(base + ".cpp", printed_unit(kernels, scalar_only));
  std::string command =
      compiler +
      " -std=c++11 -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wpedantic -Werror -fPIC -shared"
      " -I" QLATHE_SOURCE_DIR "/runtime -o " +
      base + ".so " + base + ".cpp";
  if (execute(command, base + ".log") != 0) {
    ADD_FAILURE() << command << "\n" << read(base + ".log").substr(0, 4000);
    return nullptr;
  }
  return load(base + ".so");
}

namespace {

// A main for printed kernels: `program KERNEL row_begin row_end FILE`, where FILE has the scalars and the buffers, each
// with its size in front, and gets the buffers back.
std::string emulated_main(const std::vector<LoweredKernel>& kernels) {
  std::string text =
      "\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
      "static void take(FILE* file, void* to, size_t bytes) {\n"
      "  if (fread(to, 1, bytes, file) != bytes) exit(3);\n}\n"
      "int main(int, char** argv) {\n"
      "  FILE* file = fopen(argv[4], \"rb\");\n  if (file == nullptr) return 2;\n"
      "  int scalars[16], count = 0;\n  long long sizes[32];\n  void* buffers[32];\n"
      "  take(file, &count, 4);\n  take(file, scalars, 4 * static_cast<size_t>(count));\n  take(file, &count, 4);\n"
      "  for (int i = 0; i < count; i++) {\n    take(file, &sizes[i], 8);\n"
      "    buffers[i] = aligned_alloc(64, static_cast<size_t>(sizes[i] / 64 + 1) * 64);\n"
      "    take(file, buffers[i], static_cast<size_t>(sizes[i]));\n  }\n  fclose(file);\n"
      "  const int row_begin = atoi(argv[2]), row_end = atoi(argv[3]);\n";
  for (const LoweredKernel& kernel : kernels) {
    text += "  if (strcmp(argv[1], \"" + kernel.name() + "\") == 0) qlathe_rt::unit::" + kernel.name() +
            "_entry(buffers, scalars, row_begin, row_end);\n";
  }
  return text +
         "  file = fopen(argv[4], \"wb\");\n  for (int i = 0; i < count; i++)\n"
         "    fwrite(buffers[i], 1, static_cast<size_t>(sizes[i]), file);\n  return fclose(file);\n}\n";
}

void run_emulated(const std::string& command, const std::string& file, const LoweredKernel& kernel,
                  void* const* buffers, const int32_t* scalars, int32_t row_begin, int32_t row_end) {
  std::vector<int64_t> sizes;
  int32_t scalar_count = 0;
  for (const KernelParameter& p : kernel.parameters()) {
    if (is_pointer(p)) sizes.push_back(p.bytes);
    if (p.role == ParameterRole::kScalar) ++scalar_count;
  }
  std::string bytes;
  const auto append = [&](const void* from, size_t count) { bytes.append(static_cast<const char*>(from), count); };
  append(&scalar_count, 4);
  append(scalars, 4 * static_cast<size_t>(scalar_count));
  const auto count = static_cast<int32_t>(sizes.size());
  append(&count, 4);
  for (size_t i = 0; i < sizes.size(); ++i) {
    append(&sizes[i], 8);
    append(buffers[i], static_cast<size_t>(sizes[i]));
  }
  write(file, bytes);
  const std::string words =
      command + " " + kernel.name() + " " + std::to_string(row_begin) + " " + std::to_string(row_end) + " " + file;
  EXPECT_EQ(execute(words, file + ".log"), 0) << words << "\n" << read(file + ".log").substr(0, 2000);
  const std::string results = read(file);
  size_t at = 0;
  for (size_t i = 0; i < sizes.size() && at + static_cast<size_t>(sizes[i]) <= results.size(); ++i) {
    std::memcpy(buffers[i], results.data() + at, static_cast<size_t>(sizes[i]));
    at += static_cast<size_t>(sizes[i]);
  }
}

}  // namespace

std::unique_ptr<LoadedKernels> compile_printed_for(const std::string& emulator,
                                                   const std::vector<LoweredKernel>& kernels,
                                                   const std::string& compiler, const std::string& unit) {
  const std::string base = scratch_folder() + "/" + unit;
  write(base + ".cpp", printed_unit(kernels, false) + emulated_main(kernels));
  const std::string command =
      compiler + " -std=c++11 -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wpedantic -Werror -static -I" +
      QLATHE_SOURCE_DIR "/runtime -o " + base + " " + base + ".cpp";
  if (execute(command, base + ".log") != 0) {
    ADD_FAILURE() << command << "\n" << read(base + ".log").substr(0, 4000);
    return nullptr;
  }
  std::map<std::string, LoadedKernels::Entry> entries;
  for (const LoweredKernel& kernel : kernels) {
    entries[kernel.name()] = [=](void* const* buffers, const int32_t* scalars, int32_t row_begin, int32_t row_end) {
      run_emulated(emulator + " " + base, base + ".bin", kernel, buffers, scalars, row_begin, row_end);
    };
  }
  return std::make_unique<LoadedKernels>(std::move(entries), base);
}

std::unique_ptr<LoadedKernels> link_object(const std::vector<LoweredKernel>& kernels, const std::string& unit) {
  auto object = compile_object(kernels, unit);
  if (!object.ok()) {
    ADD_FAILURE() << object.status().text();
    return nullptr;
  }
  std::string base = scratch_folder() + "/" + unit;
  write(base + ".o", std::string(object->begin(), object->end()));
  std::string entries;
  for (const LoweredKernel& kernel : kernels)
    entries += entry_text(kernel, true);
  write(base + ".cpp", entries);
  std::string command = "c++ -std=c++11 -fPIC -shared -o " + base + ".so " + base + ".cpp " + base + ".o";
  if (execute(command, base + ".log") != 0) {
    ADD_FAILURE() << command << "\n" << read(base + ".log").substr(0, 4000);
    return nullptr;
  }
  return load(base + ".so");
}

namespace {

// Half of the values from the extremes.
int64_t any_integer(std::mt19937_64& random, int bits, bool is_signed) {
  uint64_t mask = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  uint64_t value = random();
  if (random() % 2 == 0) {
    uint64_t top = uint64_t{1} << (bits - 1);
    const uint64_t extremes[] = {0, 1, top - 1, top, mask, top + 1, mask - 1};
    value = extremes[random() % 7];
  }
  static_cast<void>(is_signed);
  return static_cast<int64_t>(value & mask);
}

template <class T>
void put(std::vector<uint8_t>& bytes, size_t index, T value) {
  std::memcpy(bytes.data() + index * sizeof(T), &value, sizeof(T));
}

void fill(std::vector<uint8_t>& bytes, const KernelParameter& p, Fill kind, std::mt19937_64& random) {
  const std::string& type = p.type;
  int bits = std::stoi(type.substr(1));
  size_t count = bytes.size() / static_cast<size_t>(bits / 8);
  for (size_t i = 0; i < count; ++i) {
    if (type[0] == 'f') {
      double value = static_cast<double>(static_cast<int64_t>(random() % 401) - 200) * 0.25;
      if (kind == Fill::kScale)
        value = std::ldexp(1.0 + static_cast<double>(random() % 8192) / 8192.0, -10 - static_cast<int>(random() % 5));
      if (kind == Fill::kBits) {
        uint32_t pattern = static_cast<uint32_t>(random());
        if ((pattern >> 23 & 255) == 255) pattern ^= 1u << 30;
        // Products of three stay finite.
        pattern = (pattern & 0x807fffffu) | ((96 + (pattern >> 23 & 63)) << 23);
        float single;
        std::memcpy(&single, &pattern, 4);
        value = static_cast<double>(single);
      }
      bits == 64 ? put(bytes, i, value) : put(bytes, i, static_cast<float>(value));
      continue;
    }
    bool is_signed = type[0] == 'i';
    int64_t value = any_integer(random, bits, is_signed);
    if (kind == Fill::kSmall) value = static_cast<int64_t>(random() % 201) - (is_signed ? 100 : 0);
    if (kind == Fill::kIndex) value = static_cast<int64_t>(random() % 64);
    if (kind == Fill::kBits) value &= 0xbfff;  // as float16 and as bfloat16: finite
    switch (bits) {
      case 8:
        put(bytes, i, static_cast<uint8_t>(value));
        break;
      case 16:
        put(bytes, i, static_cast<uint16_t>(value));
        break;
      case 32:
        put(bytes, i, static_cast<uint32_t>(value));
        break;
      default:
        put(bytes, i, static_cast<uint64_t>(value));
        break;
    }
  }
}

constexpr size_t kGuard = 256;
constexpr uint8_t kGuardByte = 0xa5;

}  // namespace

Outputs run(LoadedKernels::Entry entry, const LoweredKernel& kernel, const TestKernel& test, uint64_t seed, int parts) {
  std::mt19937_64 random(seed);
  std::vector<std::vector<uint8_t>> storage;
  std::vector<void*> pointers;
  for (const KernelParameter& p : kernel.parameters()) {
    if (!is_pointer(p)) continue;
    std::vector<uint8_t> bytes(static_cast<size_t>(p.bytes), p.role == ParameterRole::kInput ? 0 : kGuardByte);
    auto kind = test.fills.find(p.name);
    if (p.role == ParameterRole::kInput) fill(bytes, p, kind == test.fills.end() ? Fill::kAny : kind->second, random);
    std::vector<uint8_t> guarded(2 * kGuard + 64 + bytes.size(), kGuardByte);
    size_t at = kGuard + 64 - (reinterpret_cast<uintptr_t>(guarded.data()) + kGuard) % 64;
    std::memcpy(guarded.data() + at, bytes.data(), bytes.size());
    storage.push_back(std::move(guarded));
    pointers.push_back(storage.back().data() + at);
  }
  int rows = kernel.row_extent();
  for (int part = parts - 1; part >= 0; --part)
    entry(pointers.data(), test.scalars.data(), rows * part / parts, rows * (part + 1) / parts);

  Outputs outputs;
  size_t index = 0;
  for (const KernelParameter& p : kernel.parameters()) {
    if (!is_pointer(p)) continue;
    const std::vector<uint8_t>& guarded = storage[index];
    const uint8_t* begin = static_cast<const uint8_t*>(pointers[index]);
    if (p.role == ParameterRole::kOutput) outputs.buffers.emplace_back(begin, begin + p.bytes);
    for (size_t i = 0; i < guarded.size(); ++i) {
      const uint8_t* byte = guarded.data() + i;
      if ((byte < begin || byte >= begin + p.bytes) && *byte != kGuardByte) outputs.intact = false;
    }
    ++index;
  }
  return outputs;
}

void expect_same_results(const LoadedKernels& expected, const LoadedKernels& actual,
                         const std::vector<LoweredKernel>& kernels, const TestKernels& tests, uint64_t seeds) {
  for (size_t k = 0; k < kernels.size(); ++k) {
    auto a = expected.entry(kernels[k].name()), b = actual.entry(kernels[k].name());
    ASSERT_TRUE(a != nullptr && b != nullptr) << kernels[k].name();
    bool same = true;
    for (uint64_t seed = 1; seed <= seeds && same; ++seed) {
      Outputs want = run(a, kernels[k], tests[k], seed, 1);
      Outputs got = run(b, kernels[k], tests[k], seed, 1 + static_cast<int>(seed % 3));
      EXPECT_TRUE(want.intact) << kernels[k].name() << ": the object writes outside its buffers";
      EXPECT_TRUE(got.intact) << kernels[k].name() << ": the printed kernel writes outside its buffers";
      for (size_t o = 0; o < want.buffers.size(); ++o) {
        size_t differing = 0, first = 0;
        for (size_t i = want.buffers[o].size(); i-- > 0;) {
          if (want.buffers[o][i] != got.buffers[o][i]) {
            ++differing;
            first = i;
          }
        }
        EXPECT_EQ(differing, 0u) << kernels[k].name() << ", seed " << seed << ", output " << o << ": first byte "
                                 << first << " of " << want.buffers[o].size() << " is " << int{got.buffers[o][first]}
                                 << ", not " << int{want.buffers[o][first]};
        same = same && differing == 0;
      }
    }
  }
}

std::vector<LoweredKernel> lower_all(TestKernels& tests, const std::string& halide_target) {
  std::vector<LoweredKernel> kernels;
  TestKernels kept;
  for (TestKernel& test : tests) {
    auto lowered = lower_kernel(test.pipeline, halide_target);
    EXPECT_TRUE(lowered.ok()) << lowered.status().text();
    if (!lowered.ok()) continue;
    kernels.push_back(*lowered);
    kept.push_back(test);
  }
  tests = kept;
  return kernels;
}

bool host_has(const std::string& cpu_flag) {
  static const std::string info = read("/proc/cpuinfo");
  return info.find(" " + cpu_flag + " ") != std::string::npos;
}

bool compiler_exists(const std::string& compiler) {
  return std::system((compiler + " --version >/dev/null 2>&1").c_str()) == 0;
}

}  // namespace qlathe::testing
