#include "codegen/cpp/names.h"

#include "frontend/ir/result.h"

namespace qlathe {

std::string Names::fresh(const std::string& base) {
  // A number that canonical names carry is counted on: t_2 becomes t_3, not t_2_2.
  std::string name = base, stem = base;
  const size_t digits = base.find_last_not_of("0123456789");
  if (digits != std::string::npos && digits > 0 && digits + 1 < base.size() && base[digits] == '_') stem.resize(digits);
  for (int i = 2; !visible_.insert(name).second; ++i)
    name = stem + "_" + std::to_string(i);
  blocks_.back().push_back(name);
  return name;
}

std::string Names::declare(const std::string& ir_name) {
  std::string name = fresh(ir_name);
  cpp_names_[ir_name].push_back(name);
  return name;
}

void Names::undeclare(const std::string& ir_name) { cpp_names_[ir_name].pop_back(); }

const std::string& Names::cpp(const std::string& ir_name) const {
  auto found = cpp_names_.find(ir_name);
  QL_CHECK(found != cpp_names_.end() && !found->second.empty(), "name without declaration: " + ir_name);
  return found->second.back();
}

void Names::close_block() {
  for (const std::string& name : blocks_.back())
    visible_.erase(name);
  blocks_.pop_back();
}

}  // namespace qlathe
