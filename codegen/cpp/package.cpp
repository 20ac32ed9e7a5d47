#include "codegen/cpp/package.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "codegen/cpp/emit_files.h"
#include "codegen/cpp/literals.h"
#include "codegen/cpp/text_template.h"

namespace qlathe {
namespace {

class Package {
 public:
  Package(std::vector<EmittedFile> files, const PackageInfo& info) : files_(std::move(files)), info_(info) {
    for (const EmittedFile& file : files_) {
      if (file.name.ends_with(".cpp") && file.name != "main.cpp") sources_.push_back(file.name);
    }
    const std::vector<std::string>& flags = info.target->gcc_flags;
    values_ = {{"model", info.model},
               {"PREFIX", upper(info.model)},
               {"target", info.target->name},
               {"version", info.version},
               {"flags", fmt::format("{}", fmt::join(flags, " "))},
               {"provenance", commented("# ")}};
  }

  /// Sources and headers into `folder` ("src/"); main.cpp and the plain CMakeLists.txt stay out.
  void take_sources(const std::string& folder) {
    for (const EmittedFile& file : files_) {
      if (file.name == "main.cpp" || file.name == "CMakeLists.txt") continue;
      out_.push_back({folder + file.name, file.bytes});
    }
  }
  void take(const std::string& name) { out_.push_back({name, content(name)}); }
  void add(const std::string& name, const std::string& from, const std::vector<std::string>& keys) {
    std::map<std::string, std::string> used;
    for (const std::string& key : keys)
      used[key] = values_.at(key);
    out_.push_back({name, fill_template(from, used)});
  }
  void set(const std::string& key, std::string value) { values_[key] = std::move(value); }

  /// "src/a.cpp src/b.cpp"
  std::string source_list(const std::string& folder, const std::string& between = " ") const {
    std::string out;
    for (const std::string& source : sources_)
      out += (out.empty() ? "" : between) + folder + source;
    return out;
  }

  const std::string& content(const std::string& name) const {
    const auto file = std::find_if(files_.begin(), files_.end(), [&](const EmittedFile& f) { return f.name == name; });
    QL_CHECK(file != files_.end(), name);
    return file->bytes;
  }
  const std::vector<std::string>& sources() const { return sources_; }
  std::vector<EmittedFile> finish() { return std::move(out_); }

 private:
  std::string commented(const std::string& mark) const {
    std::string out;
    for (const std::string& line : info_.provenance)
      out += (out.empty() ? "" : "\n") + mark + comment_text(line);
    return out;
  }

  std::vector<EmittedFile> files_, out_;
  const PackageInfo& info_;
  std::vector<std::string> sources_;
  std::map<std::string, std::string> values_;
};

/// Lines of `text` without includes of files that are part of the package already.
std::string without_own_includes(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("#include \"")) out += line + "\n";
  }
  return out;
}

}  // namespace

const std::vector<std::string>& package_names() {
  static const std::vector<std::string> names = {"cmake", "arduino", "zephyr", "esp-idf", "single-header", "android"};
  return names;
}

Result<std::vector<EmittedFile>> make_package(PackageKind kind, std::vector<EmittedFile> files,
                                              const PackageInfo& info) {
  if (kind == PackageKind::kFlat) return files;
  Package package(std::move(files), info);
  switch (kind) {
    case PackageKind::kCmake:
      package.take_sources("");
      package.take("main.cpp");
      package.set("sources", package.source_list(""));
      package.add("CMakeLists.txt", "package_cmake.txt.in",
                  {"model", "target", "version", "flags", "provenance", "sources"});
      package.add(info.model + "-config.cmake", "package_config.cmake.in", {"model"});
      break;
    case PackageKind::kArduino:
      package.take_sources("src/");
      package.add("library.properties", "package_arduino.properties.in", {"model", "version", "target"});
      package.add("examples/SelfTest/SelfTest.ino", "package_arduino.ino.in", {"model", "PREFIX"});
      break;
    case PackageKind::kZephyr:
      package.take_sources("src/");
      package.set("sources", package.source_list("../src/", "\n    "));
      package.add("zephyr/module.yml", "package_zephyr_module.yml.in", {"model"});
      package.add("zephyr/Kconfig", "package_zephyr_kconfig.in", {"model", "PREFIX"});
      package.add("zephyr/CMakeLists.txt", "package_zephyr.txt.in", {"model", "PREFIX", "provenance", "sources"});
      break;
    case PackageKind::kEspIdf:
      package.take_sources("src/");
      package.set("sources", package.source_list("src/", "\" \""));
      package.add("CMakeLists.txt", "package_esp_idf.txt.in", {"provenance", "sources"});
      package.add("idf_component.yml", "package_esp_idf.yml.in", {"model", "version"});
      break;
    case PackageKind::kSingleHeader: {
      std::string body = package.content("qlathe_runtime.h");
      for (const std::string& source : package.sources()) {
        const std::string header = source.substr(0, source.size() - 4) + ".h";
        if (source.ends_with("_weights.cpp")) body += without_own_includes(package.content(header));
      }
      // The hooks of calls are empty there: their file is not part of it.
      for (const std::string& source : package.sources())
        body += without_own_includes(package.content(source));
      package.set("header", package.content(info.model + ".h"));
      package.set("body", body);
      package.add(info.model + ".hpp", "package_single_header.hpp.in", {"model", "PREFIX", "header", "body"});
      break;
    }
    case PackageKind::kAndroid: {
      const bool arm = info.target->cross_triple == "aarch64-linux-gnu";
      const bool x86 = info.target->cross_triple.empty() && info.target->vectorize;
      if (!arm && !x86 && info.target->vectorize)
        return Status::user({"", "", "--package android"}, "Android has no ABI for target " + info.target->name,
                            "use an arm64, an x86-64 or the generic target");
      if (!info.target->cross_triple.empty() && !arm)
        return Status::user({"", "", "--package android"}, "Android has no ABI for target " + info.target->name,
                            "use an arm64, an x86-64 or the generic target");
      package.take_sources("src/main/cpp/");
      package.set("abis", arm ? "arm64-v8a" : x86 ? "x86_64" : "arm64-v8a armeabi-v7a x86_64 x86");
      package.set("sources", package.source_list(""));
      package.set("flags", fmt::format("{}", fmt::join(info.target->clang_flags, " ")));
      package.add("src/main/cpp/CMakeLists.txt", "package_android.txt.in",
                  {"model", "target", "flags", "provenance", "sources", "abis"});
      break;
    }
    case PackageKind::kFlat:
      break;
  }
  return package.finish();
}

}  // namespace qlathe
