#include "api/code_figures.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "api/library_stack.h"
#include "codegen/native/run_program.h"
#include "frontend/formats/atomic_write.h"

namespace qlathe {
namespace {

/// Functions with their frames and calls, from the .ci files of g++ -fcallgraph-info=su.
class CallGraph {
 public:
  /// The reason why a line says no fixed frame, or "".
  std::string read(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("node:")) {
        const std::string title = field(line, "title"), label = field(line, "label");
        const size_t bytes = label.rfind(" bytes (");
        if (bytes == std::string::npos) continue;  // a function of another file
        const size_t start = label.rfind("\\n", bytes);
        frames_[title] = std::stoll(label.substr(start == std::string::npos ? 0 : start + 2));
        if (label.compare(bytes, 15, " bytes (static)") != 0 && label.find("dynamic,bounded") == std::string::npos)
          return "the stack frame of " + title + " has no fixed size";
      } else if (line.starts_with("edge:")) {
        calls_[field(line, "sourcename")].insert(field(line, "targetname"));
      }
    }
    return "";
  }

  bool knows(const std::string& function) const { return frames_.count(function) > 0; }

  /// A function of the compiler's library.
  void add(const std::string& function, int64_t bytes) { frames_.emplace(function, bytes); }

  /// Bytes of the deepest chain of calls; functions without a known frame go to `outside`.
  int64_t depth(const std::string& function, std::set<std::string>& outside) {
    const auto frame = frames_.find(function);
    if (frame == frames_.end()) {
      outside.insert(function);
      return 0;
    }
    const auto known = depths_.find(function);
    if (known != depths_.end()) return known->second;
    depths_[function] = frame->second;  // emitted code has no recursion
    int64_t deepest = 0;
    for (const std::string& callee : calls_[function])
      deepest = std::max(deepest, depth(callee, outside));
    return depths_[function] = frame->second + deepest;
  }

 private:
  static std::string field(const std::string& line, const std::string& key) {
    const size_t at = line.find(key + ": \"");
    if (at == std::string::npos) return "";
    const size_t start = at + key.size() + 3;
    return line.substr(start, line.find('"', start) - start);
  }

  std::map<std::string, int64_t> frames_, depths_;
  std::map<std::string, std::set<std::string>> calls_;
};

/// "g++ (Debian 12.2.0-14) 12.2.0" as "g++ 12.2.0".
std::string version_of(const std::string& compiler, const std::filesystem::path& folder) {
  const std::string out = (folder / "version").string();
  if (run_program({compiler, "-dumpfullversion"}, out) != 0) return "";
  std::string text = read_whole(out);
  text.erase(std::remove(text.begin(), text.end(), '\n'), text.end());
  return compiler + " " + text;
}

/// Stack of the functions of libgcc that the objects in `folder` call: arithmetic that the processor lacks.
std::map<std::string, int64_t> library_bounds(const std::filesystem::path& folder, const Target& target,
                                              const std::vector<std::string>& sources, const std::string& entry) {
  const std::string linked = (folder / "linked").string(), code = (folder / "code").string(),
                    names = (folder / "names").string();
  std::vector<std::string> words = {gcc_of(target)};
  words.insert(words.end(), target.gcc_flags.begin(), target.gcc_flags.end());
  words.insert(words.end(), {"-nostdlib", "-Wl,--unresolved-symbols=ignore-all", "-Wl,-e," + entry, "-o", linked});
  for (const std::string& source : sources)
    words.push_back((folder / (source.substr(0, source.size() - 4) + ".o")).string());
  words.emplace_back("-lgcc");
  if (run_program(words, code) != 0 || run_program({target.cross_triple + "-objdump", "-d", linked}, code) != 0 ||
      run_program({target.cross_triple + "-nm", linked}, names) != 0)
    return {};
  return thumb_stack_bounds(read_whole(code), read_whole(names));
}

}  // namespace

std::string gcc_of(const Target& target) { return target.cross_triple.empty() ? "g++" : target.cross_triple + "-g++"; }

Result<std::optional<CodeFigures>> measure_code(const std::vector<EmittedFile>& files, const std::string& model,
                                                const Target& target) {
  const TemporaryFolder folder;
  if (folder.path().empty())
    return Status::user({"", "", "TMPDIR"}, "no temporary folder can be made", "set TMPDIR to a writable folder");
  const std::string compiler = gcc_of(target), version = version_of(compiler, folder.path());
  if (version.empty()) return std::optional<CodeFigures>();
  CodeFigures figures;
  figures.compiler = version + " -O2 -ffunction-sections -fdata-sections";
  // Sections as firmware has them: they change frames by some bytes.
  std::vector<std::string> flags = {"-std=c++11",      "-O2",       "-ffunction-sections", "-fdata-sections",
                                    "-fno-exceptions", "-fno-rtti", "-fcallgraph-info=su"};
  for (const std::string& flag : target.gcc_flags) {
    flags.push_back(flag);
    figures.compiler += " " + flag;
  }
  std::vector<std::string> sources;
  for (const EmittedFile& file : files) {
    QL_RETURN_IF_ERROR(write_file((folder.path() / file.name).string(), file.bytes));
    if (file.name == model + ".cpp" || file.name == model + "_weights.cpp") sources.push_back(file.name);
  }
  CallGraph graph;
  const std::string log = (folder.path() / "log").string();
  for (const std::string& source : sources) {
    const std::string stem = source.substr(0, source.size() - 4), object = (folder.path() / (stem + ".o")).string();
    std::vector<std::string> words = {compiler, "-I" + folder.path().string()};
    words.insert(words.end(), flags.begin(), flags.end());
    words.insert(words.end(), {"-c", (folder.path() / source).string(), "-o", object});
    if (run_program(words, log) != 0) {
      return Status::user({"", "", "--measure"}, compiler + " does not compile " + source + ": " + read_whole(log),
                          "install a newer compiler, or leave the measurement out");
    }
    const std::string prefix = target.cross_triple.empty() ? "" : target.cross_triple + "-";
    if (run_program({prefix + "size", "-A", "-d", object}, log) != 0)
      return Status::user({"", "", "--measure"}, prefix + "size cannot be run", "install the target's binutils");
    std::istringstream lines(read_whole(log));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words_of(line);
      std::string section;
      int64_t bytes = 0;
      if (!(words_of >> section >> bytes)) continue;
      if (section.starts_with(".text")) figures.code_bytes += bytes;
      if (section.starts_with(".rodata") || section.starts_with(".ARM.ex")) figures.constant_bytes += bytes;
      QL_CHECK(bytes == 0 || !(section.starts_with(".data") || section.starts_with(".bss")),
               source + " has writable data in " + section);
    }
    if (const std::string problem = graph.read(read_whole(folder.path() / (stem + ".ci"))); !problem.empty())
      return Status::user({"", "", "--measure"}, problem, "leave the measurement out");
  }
  const std::string entry = model + "_run";
  if (target.cross_triple == "arm-none-eabi") {
    for (const auto& [function, bytes] : library_bounds(folder.path(), target, sources, entry))
      graph.add(function, bytes);
  }
  QL_CHECK(graph.knows(entry), "the compiler reported no frame of " + entry);
  std::set<std::string> outside;
  figures.stack_bytes = graph.depth(entry, outside);
  figures.outside.assign(outside.begin(), outside.end());
  return std::optional<CodeFigures>(std::move(figures));
}

}  // namespace qlathe
