#include "tests/cases/case_kind.h"

#include <map>

namespace qlathe::cases {
namespace {

std::map<std::string, std::unique_ptr<CaseKind>>& kinds() {
  static std::map<std::string, std::unique_ptr<CaseKind>> all;
  return all;
}

}  // namespace

const CaseKind* find_kind(const std::string& kind) {
  const auto found = kinds().find(kind);
  return found == kinds().end() ? nullptr : found->second.get();
}

Registered::Registered(std::string kind, std::unique_ptr<CaseKind> handler) {
  kinds()[std::move(kind)] = std::move(handler);
}

}  // namespace qlathe::cases
