#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace qlathe {

/// Text of templates/<name> with every {{key}} replaced by its value. A key without a value, or a value without a key,
/// is an internal error: templates and code must agree. A line that holds nothing but keys with empty values
/// disappears.
std::string fill_template(const std::string& name, const std::map<std::string, std::string>& values);

/// Files embedded at build time: path relative to templates/ or runtime/, and text.
const std::vector<std::pair<std::string, std::string>>& embedded_templates();
const std::vector<std::pair<std::string, std::string>>& embedded_runtime();

}  // namespace qlathe
