#include "schedule/target.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "schedule/device.h"

namespace qlathe {
namespace {

std::map<std::string, Target>& registry() {
  static std::map<std::string, Target> targets;
  return targets;
}

std::set<std::string> read_cpu_flags() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    return {std::istream_iterator<std::string>(words), {}};
  }
  return {};
}

}  // namespace

TargetRegistry::Add::Add(Target target) {
  const std::string name = target.name;
  QL_CHECK(registry().emplace(name, std::move(target)).second, name);
}

const Target* TargetRegistry::find(const std::string& name) {
  const auto it = registry().find(name);
  return it == registry().end() ? nullptr : &it->second;
}

Result<const Target*> TargetRegistry::get(const std::string& name) {
  if (name == "host") return &host_target();
  if (const Target* found = find(name)) return found;
  std::string known = "host";
  for (const auto& entry : registry())
    known += ", " + entry.first;
  return Status::user({"", "", "--target"}, "unknown target '" + name + "'", "use one of " + known);
}

std::vector<const Target*> TargetRegistry::all() {
  std::vector<const Target*> out;
  for (const auto& entry : registry())
    out.push_back(&entry.second);
  return out;
}

bool host_can_run(const Target& target) {
  static const std::set<std::string> flags = read_cpu_flags();
#if defined(__x86_64__)
  if (target.name.starts_with("arm") || target.name.starts_with("cortex") || target.name.starts_with("riscv"))
    return false;
#elif defined(__aarch64__)
  if (target.name.starts_with("x86") || target.name.starts_with("cortex") || target.name.starts_with("riscv") ||
      has_device(target))
    return false;
#endif
  return std::all_of(target.cpu_flags.begin(), target.cpu_flags.end(),
                     [](const std::string& flag) { return flags.count(flag) > 0; });
}

const Target& host_target() {
  static const Target* best = [] {
    const Target* found = nullptr;
    for (const auto& entry : registry()) {
      const Target& t = entry.second;
      if (!t.object || has_device(t) || !host_can_run(t)) continue;
      if (found == nullptr || t.vector_bits * std::max(t.dot.k, 1) > found->vector_bits * std::max(found->dot.k, 1))
        found = &t;
    }
    QL_CHECK(found != nullptr, "no registered target runs on this machine");
    return found;
  }();
  return *best;
}

}  // namespace qlathe
