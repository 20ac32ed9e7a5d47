#include "codegen/cpp/text_template.h"

#include <algorithm>
#include <set>

#include "frontend/ir/result.h"

namespace qlathe {
namespace {

const std::string& template_text(const std::string& name) {
  for (const auto& [path, text] : embedded_templates()) {
    if (path == name) return text;
  }
  internal_error(__FILE__, __LINE__, "template exists", name);
}

}  // namespace

std::string fill_template(const std::string& name, const std::map<std::string, std::string>& values) {
  const std::string& text = template_text(name);
  std::set<std::string> used;
  std::string out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    std::string filled;
    bool only_keys = line.find("{{") != std::string::npos;
    size_t at = 0;
    while (at < line.size()) {
      const size_t open = line.find("{{", at);
      const size_t stop = std::min(open, line.size());
      if (line.find_first_not_of(' ', at) < stop) only_keys = false;
      filled += line.substr(at, stop - at);
      if (open == std::string::npos) break;
      const size_t close = line.find("}}", open);
      QL_CHECK(close != std::string::npos, name + ": " + line);
      const std::string key = line.substr(open + 2, close - open - 2);
      const auto value = values.find(key);
      QL_CHECK(value != values.end(), name + ": no value for {{" + key + "}}");
      used.insert(key);
      filled += value->second;
      at = close + 2;
    }
    const bool vanishes = only_keys && filled.find_first_not_of(' ') == std::string::npos;
    if (!vanishes) {
      out += filled;
      if (out.empty() || out.back() != '\n' || line.empty() || !only_keys) out += '\n';
    }
    begin = end + 1;
  }
  for (const auto& entry : values)
    QL_CHECK(used.count(entry.first), name + ": {{" + entry.first + "}} is not used");
  return out;
}

}  // namespace qlathe
