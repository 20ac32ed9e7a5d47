#include <cctype>
#include <map>

#include "codegen/halide/statement_passes.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

bool all_digits(const std::string& text, size_t from) {
  if (from >= text.size()) return false;
  for (size_t i = from; i < text.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(text[i])) == 0) return false;
  }
  return true;
}

// Bindings are renamed in the order of the statement, a name may be used again once its scope has ended.
class CanonicalizeNames : public IRMutator {
 public:
  explicit CanonicalizeNames(const std::vector<std::pair<std::string, std::string>>& parameters) {
    for (const auto& [from, to] : parameters) {
      names_[from].push_back(to);
      used_.insert(to);
    }
  }

 private:
  using IRMutator::visit;

  std::map<std::string, std::vector<std::string>> names_;
  std::set<std::string> used_;

  std::string bind(const std::string& from) {
    std::string base = base_name(from), to = base;
    for (int i = 2; used_.count(to) != 0; ++i)
      to = base + "_" + std::to_string(i);
    used_.insert(to);
    names_[from].push_back(to);
    return to;
  }

  void unbind(const std::string& from) {
    used_.erase(names_[from].back());
    names_[from].pop_back();
  }

  const std::string& lookup(const std::string& from) {
    auto found = names_.find(from);
    QL_CHECK(found != names_.end() && !found->second.empty(), "unbound name " + from);
    return found->second.back();
  }

  Expr visit(const Variable* op) override { return Variable::make(op->type, lookup(op->name)); }

  Expr visit(const Load* op) override {
    return Load::make(op->type, lookup(op->name), mutate(op->index), op->image, op->param, mutate(op->predicate),
                      op->alignment);
  }

  Stmt visit(const Store* op) override {
    return Store::make(lookup(op->name), mutate(op->value), mutate(op->index), op->param, mutate(op->predicate),
                       op->alignment);
  }

  template <class Node, class Made>
  Made visit_let(const Node* op) {
    Expr value = mutate(op->value);
    std::string name = bind(op->name);
    Made body = mutate(op->body);
    unbind(op->name);
    return Node::make(name, value, body);
  }
  Expr visit(const Let* op) override { return visit_let<Let, Expr>(op); }
  Stmt visit(const LetStmt* op) override { return visit_let<LetStmt, Stmt>(op); }

  Stmt visit(const For* op) override {
    Expr min = mutate(op->min), extent = mutate(op->extent);
    std::string name = bind(op->name);
    Stmt body = mutate(op->body);
    unbind(op->name);
    return For::make(name, min, extent, op->for_type, op->partition_policy, op->device_api, body);
  }

  Stmt visit(const Allocate* op) override {
    std::vector<Expr> extents;
    for (const Expr& extent : op->extents)
      extents.push_back(mutate(extent));
    std::string name = bind(op->name);
    Stmt body = mutate(op->body);
    unbind(op->name);
    return Allocate::make(name, op->type, op->memory_type, extents, op->condition, body, Expr(), "", op->padding);
  }

  Stmt visit(const Free* op) override { return Free::make(lookup(op->name)); }
};

}  // namespace

std::string base_name(const std::string& halide_name) {
  std::string name = halide_name;
  const std::string rebased = ".rebased";
  if (name.ends_with(rebased)) name.resize(name.size() - rebased.size());
  while (true) {
    size_t cut = name.find_last_of(".$");
    if (cut == std::string::npos) break;
    bool counter = name[cut] == '$' && all_digits(name, cut + 1);
    name = counter || cut + 1 == name.size() ? name.substr(0, cut) : name.substr(cut + 1);
  }
  if (name.size() > 1 && name[0] == 't' && all_digits(name, 1)) name = "t";
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') c = '_';
  }
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0 || name[0] == '_') name = "v" + name;
  if (is_reserved_name(name)) name += "_";
  return name;
}

Stmt canonicalize_names(const Stmt& body, const std::vector<std::pair<std::string, std::string>>& parameters) {
  return CanonicalizeNames(parameters).mutate(body);
}

}  // namespace qlathe
