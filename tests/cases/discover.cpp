#include "tests/cases/discover.h"

#include <algorithm>
#include <fstream>
#include <set>

namespace qlathe::cases {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// Discarded where the file is no JSON.
ordered_json read(const fs::path& file) {
  std::ifstream in(file);
  return ordered_json::parse(in, nullptr, false);
}

bool has_model(const fs::path& folder) {
  return fs::exists(folder / "model.tflite") || fs::exists(folder / "model.onnx");
}

void add_golden(const fs::path& folder, std::vector<CaseRef>& out) {
  const ordered_json json = read(folder / "case.json");
  const std::string kind = json.is_object() && json.contains("kind") && json["kind"].is_string() ? json["kind"] : "";
  std::vector<std::string> parts;
  if (const CaseKind* handler = find_kind(kind)) {
    try {
      parts = handler->parts(json);
    } catch (const nlohmann::json::exception&) {
      // A damaged file stays one case, which fails when it is read.
    }
  }
  if (parts.empty()) parts.emplace_back();
  for (const std::string& part : parts)
    out.push_back({folder, kind, part, nullptr});
}

void add_listed(const fs::path& folder, std::vector<CaseRef>& out) {
  const ordered_json json = read(folder / "cases.json");
  if (!json.is_object() || !json.contains("cases") || !json["cases"].is_object()) {
    out.push_back({folder, "", "", nullptr});
    return;
  }
  for (const auto& [name, about] : json["cases"].items())
    out.push_back({folder / name, "model", "", about});
}

void walk(const fs::path& folder, std::set<fs::path>& seen, std::vector<CaseRef>& out) {
  // Links may lead back to where they are.
  std::error_code code;
  if (!seen.insert(fs::canonical(folder, code)).second) return;
  if (fs::exists(folder / "case.json")) return add_golden(folder, out);
  if (fs::exists(folder / "cases.json")) return add_listed(folder, out);
  if (fs::exists(folder / "about.json") && has_model(folder)) {
    out.push_back({folder, "model", "", read(folder / "about.json")});
    return;
  }
  std::vector<fs::path> below;
  for (const auto& entry : fs::directory_iterator(folder, code))
    if (entry.is_directory(code)) below.push_back(entry.path());
  std::sort(below.begin(), below.end());
  for (const fs::path& path : below)
    walk(path, seen, out);
}

}  // namespace

Result<std::vector<CaseRef>> find_cases(const fs::path& given) {
  fs::path folder = given.lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  if (!fs::is_directory(folder)) {
    return Status::user({given.string(), "", ""}, "is not a folder", "give folders of reference cases");
  }
  std::vector<CaseRef> out;
  const fs::path list = fs::absolute(folder).parent_path() / "cases.json";
  const bool own = fs::exists(folder / "case.json") || fs::exists(folder / "cases.json");
  if (!own && fs::exists(list)) {
    const ordered_json json = read(list);
    const std::string name = fs::absolute(folder).lexically_normal().filename().string();
    if (json.is_object() && json.contains("cases") && json["cases"].contains(name)) {
      out.push_back({folder, "model", "", json["cases"][name]});
      return out;
    }
  }
  std::set<fs::path> seen;
  walk(folder, seen, out);
  if (out.empty()) {
    return Status::user({given.string(), "", ""}, "has no case in it",
                        "a case is a folder with a case.json, an entry of a cases.json, or an about.json with a model");
  }
  return out;
}

}  // namespace qlathe::cases
