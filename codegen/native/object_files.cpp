#include "codegen/native/object_files.h"

#include <llvm/Object/ArchiveWriter.h>
#include <llvm/Support/MemoryBuffer.h>

#include <filesystem>
#include <fstream>

#include "codegen/cpp/emit_files.h"
#include "codegen/halide/object.h"
#include "codegen/native/driver.h"
#include "codegen/native/run_program.h"
#include "schedule/device.h"

namespace qlathe {

/// codegen/native/gpu, compiled alone (codegen/CMakeLists.txt).
extern const unsigned char kDeviceDriver[];
extern const unsigned long kDeviceDriverBytes;

namespace {

namespace fs = std::filesystem;

std::string to_text(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

Result<std::string> link_shared(const std::vector<EmittedFile>& objects, const Program& program,
                                const std::string& name) {
  const TemporaryFolder folder;
  if (folder.path().empty())
    return Status::user({"", "", "TMPDIR"}, "no temporary folder can be made", "set TMPDIR to a writable folder");
  const std::string linker = program.target->cross_triple.empty() ? "cc" : program.target->cross_triple + "-gcc";
  const fs::path out = folder.path() / name;
  // No build id and no search paths: the same program gives the same bytes.
  std::vector<std::string> words = {linker, "-shared",   "-nostdlib", "-Wl,--build-id=none", "-Wl,-soname," + name,
                                    "-o",   out.string()};
  for (const EmittedFile& object : objects) {
    const fs::path path = folder.path() / object.name;
    std::ofstream(path, std::ios::binary) << object.bytes;
    words.push_back(path.string());
  }
  if (has_device(*program.target)) words.insert(words.end(), {"-Wl,-Bsymbolic", "-lc", "-ldl"});
  const int status = run_program(words);
  if (status != 0) {
    return Status::user({"", "", "--emit shared"},
                        status < 0 || status == 127
                            ? "the linker driver '" + linker + "' is not installed"
                            : "'" + linker + "' failed with exit status " + std::to_string(status),
                        "install it, or use --emit static and link the archive yourself");
  }
  return read_whole(out);
}

Result<std::string> make_archive(const std::vector<EmittedFile>& objects) {
  std::vector<llvm::NewArchiveMember> members;
  for (const EmittedFile& object : objects) {
    members.emplace_back(llvm::MemoryBufferRef(object.bytes, object.name));
  }
  auto buffer = llvm::writeArchiveToBuffer(members, llvm::SymtabWritingMode::NormalSymtab, llvm::object::Archive::K_GNU,
                                           /*Deterministic=*/true, /*Thin=*/false);
  if (!buffer) return Status::internal("LLVM cannot write the archive: " + llvm::toString(buffer.takeError()));
  return (*buffer)->getBuffer().str();
}

/// The LLVM triple of a Halide target string, as far as drivers need it.
std::string triple_of(const Target& target) {
  if (!target.cross_triple.empty()) return target.cross_triple;
  return "x86_64-pc-linux-gnu";
}

}  // namespace

Result<std::vector<EmittedFile>> emit_objects(const Program& program, const std::vector<LoweredKernel>& kernels,
                                              const EmitOptions& options, ObjectKind kind) {
  if (!program.target->object) {
    return Status::unsupported({"", "", "--target"},
                               "target " + program.target->name +
                                   " is reached through C++ only (its instructions have no form in the "
                                   "object path)",
                               "use --emit cpp");
  }
  const EmitNames names = make_names(program);
  std::vector<LoweredKernel> renamed;
  std::vector<NativeKernel> natives;
  for (const LoweredKernel& kernel : kernels) {
    NativeKernel native;
    native.symbol = names.model + "_kernel_" + kernel.name();
    if (has_device(*program.target)) {
      QL_ASSIGN(native, native_device_kernel(kernel.renamed(native.symbol)));
      natives.push_back(std::move(native));
      continue;
    }
    native.scratch_bytes = kernel.scratch_bytes();
    for (const KernelParameter& p : kernel.parameters()) {
      if (p.role == ParameterRole::kInput || p.role == ParameterRole::kOutput) native.pointers++;
    }
    renamed.push_back(kernel.renamed(native.symbol));
    natives.push_back(std::move(native));
  }
  std::vector<EmittedFile> objects;
  QL_ASSIGN(const std::vector<uint8_t> driver,
            compile_driver(program, natives, {names.model, triple_of(*program.target), ConstantLinkage::kEmbedded}));
  objects.push_back({names.model + ".o", to_text(driver)});
  if (has_device(*program.target))
    objects.push_back({"qlathe_gpu_driver.o", {reinterpret_cast<const char*>(kDeviceDriver), kDeviceDriverBytes}});
  if (!renamed.empty()) {
    QL_ASSIGN(const std::vector<uint8_t> code, compile_object(renamed, names.model + "_kernels"));
    objects.push_back({names.model + "_kernels.o", to_text(code)});
  }

  EmitOptions inline_weights = options;
  inline_weights.weights = WeightPlacement::kInline;
  std::vector<EmittedFile> files = {{names.model + ".h", emit_header(program, kernels, inline_weights, names)},
                                    {names.model + "_self_test.cpp", emit_self_test(program, inline_weights, names)},
                                    {"main.cpp", emit_main(program, inline_weights, names)}};
  switch (kind) {
    case ObjectKind::kObject:
      files.insert(files.end(), objects.begin(), objects.end());
      break;
    case ObjectKind::kStatic: {
      QL_ASSIGN(std::string archive, make_archive(objects));
      files.push_back({"lib" + names.model + ".a", std::move(archive)});
      break;
    }
    case ObjectKind::kShared: {
      const std::string name = "lib" + names.model + ".so";
      QL_ASSIGN(std::string library, link_shared(objects, program, name));
      files.push_back({name, std::move(library)});
      break;
    }
  }
  return files;
}

}  // namespace qlathe
