#include "tests/cases/result.h"

#include <fmt/format.h>

namespace qlathe::cases {
namespace {

constexpr const char* kNames[] = {"pass", "differs", "unsupported", "n/a"};

std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos;)
    text.replace(at, 1, " | ");
  return text;
}

}  // namespace

std::string CaseResult::line(bool all) const {
  std::string out = fmt::format("{:<11} {}", kNames[static_cast<int>(outcome)], name);
  if (!reason.empty()) out += "  " + one_line(reason);
  if (outcome == Outcome::kPass) out += fmt::format("  ({} compared)", findings.compared);
  const auto& differences = findings.differences;
  for (size_t i = 0; i < differences.size() && (all || i == 0); i++)
    out += (all ? "\n              " : "  ") + one_line(differences[i].line());
  if (!all && differences.size() > 1) out += fmt::format("; and {} more (--all shows them)", differences.size() - 1);
  for (const std::string& note : findings.notes)
    out += all ? "\n              note: " + one_line(note) : "";
  return out;
}

nlohmann::ordered_json CaseResult::to_json() const {
  nlohmann::ordered_json json = {{"name", name},
                                 {"kind", kind},
                                 {"outcome", kNames[static_cast<int>(outcome)]},
                                 {"reason", reason},
                                 {"compared", findings.compared},
                                 {"seconds", seconds},
                                 {"notes", findings.notes},
                                 {"differences", nlohmann::ordered_json::array()}};
  for (const Difference& d : findings.differences) {
    json["differences"].push_back({{"array", d.array},
                                   {"text", d.text},
                                   {"differing", d.differing},
                                   {"size", d.size},
                                   {"index", d.index},
                                   {"got", fmt::format("{:.17g}", d.got)},
                                   {"expected", fmt::format("{:.17g}", d.expected)}});
  }
  return json;
}

CaseResult CaseResult::from_json(const nlohmann::ordered_json& json) {
  CaseResult out;
  out.name = json.at("name");
  out.kind = json.at("kind");
  for (int i = 0; i < 4; i++)
    if (json.at("outcome") == kNames[i]) out.outcome = static_cast<Outcome>(i);
  out.reason = json.at("reason");
  out.findings.compared = json.at("compared");
  out.seconds = json.at("seconds");
  out.findings.notes = json.at("notes").get<std::vector<std::string>>();
  for (const auto& d : json.at("differences")) {
    out.findings.differences.push_back({d.at("array"), d.at("text"), d.at("differing"), d.at("size"), d.at("index"),
                                        std::stod(d.at("got").get<std::string>()),
                                        std::stod(d.at("expected").get<std::string>())});
  }
  return out;
}

void Totals::add(Outcome outcome) {
  int* counts[] = {&passed, &failed, &unsupported, &not_applicable};
  ++*counts[static_cast<int>(outcome)];
}

std::string Totals::line() const {
  return fmt::format("passed {} of {}, failed {}, unsupported {}", passed, all(), failed, unsupported);
}

}  // namespace qlathe::cases
