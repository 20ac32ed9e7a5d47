#include "frontend/ir/result.h"

#include <algorithm>

#include "frontend/ir/suggest.h"

namespace qlathe {

std::string Diagnostic::text() const {
  std::string out;
  for (const std::string* part : {&place.file, &place.node, &place.field}) {
    if (!part->empty()) out += printable(*part) + ": ";  // names come from files that anyone may have made
  }
  if (kind == Kind::kInternal) out += "internal error: ";
  if (kind == Kind::kUnsupported) out += "unsupported: ";
  out += message;
  if (!remedy.empty()) out += "; " + remedy;
  return out;
}

Status Status::user(Place place, std::string message, std::string remedy) {
  return Status(Diagnostic{Diagnostic::Kind::kUser, std::move(place), std::move(message), std::move(remedy)});
}

Status Status::unsupported(Place place, std::string message, std::string remedy) {
  return Status(Diagnostic{Diagnostic::Kind::kUnsupported, std::move(place), std::move(message), std::move(remedy)});
}

Status Status::internal(std::string message) {
  return Status(Diagnostic{Diagnostic::Kind::kInternal, {}, std::move(message), "please report it with the model"});
}

void Status::merge(const Status& other) {
  for (const Diagnostic& d : other.diagnostics_)
    add(d);
}

Status& Status::at(const Place& outer) {
  for (Diagnostic& d : diagnostics_) {
    if (d.place.file.empty()) d.place.file = outer.file;
    if (d.place.node.empty()) d.place.node = outer.node;
    if (d.place.field.empty()) d.place.field = outer.field;
  }
  return *this;
}

bool Status::only_unsupported() const {
  return !ok() && std::all_of(diagnostics_.begin(), diagnostics_.end(),
                              [](const Diagnostic& d) { return d.kind == Diagnostic::Kind::kUnsupported; });
}

std::string Status::text() const {
  std::string out;
  for (const Diagnostic& d : diagnostics_) {
    if (!out.empty()) out += "\n";
    out += d.text();
  }
  return out;
}

void internal_error(const char* file, int line, const char* condition, const std::string& values) {
  throw InternalError(std::string(file) + ":" + std::to_string(line) + ": " + condition + " (" + values + ")");
}

}  // namespace qlathe
