#include <algorithm>
#include <numeric>

#include "codegen/cpp/expressions.h"
#include "codegen/cpp/types.h"
#include "codegen/halide/affine.h"

namespace qlathe {

using namespace Halide::Internal;
using Halide::Expr;

namespace {

// Loops from outside to inside, whatever is no loop variable last.
int depth_of(const Names& names, const Expr& atom) {
  const Variable* variable = atom.as<Variable>();
  if (variable == nullptr) return 1000;
  auto loop = names.loops.find(variable->name);
  return loop == names.loops.end() ? 500 : loop->second.depth;
}

struct Bounds {
  int64_t min = 0, max = 0;
};

std::optional<Bounds> bounds_of(const Names& names, const AffineForm& form) {
  Bounds bounds{form.constant, form.constant};
  for (const auto& term : form.terms) {
    const Variable* variable = term.atom.as<Variable>();
    if (variable == nullptr) return std::nullopt;
    auto loop = names.loops.find(variable->name);
    if (loop == names.loops.end() || !loop->second.min || !loop->second.max) return std::nullopt;
    int64_t a = *loop->second.min * term.coefficient, b = *loop->second.max * term.coefficient;
    bounds.min += std::min(a, b);
    bounds.max += std::max(a, b);
  }
  return bounds;
}

}  // namespace

// "(y + ky) * 3712 + xo * 256 + 4": equal coefficients in one group, large ones first.
std::string Expressions::affine(const Expr& index, int64_t divisor) {
  AffineForm form = affine_form(index);
  for (auto& term : form.terms) {
    if (term.coefficient % divisor != 0) throw CannotPrint("an access that is not aligned to its array");
    term.coefficient /= divisor;
  }
  if (form.constant % divisor != 0) throw CannotPrint("an access that is not aligned to its array");
  form.constant /= divisor;
  return affine_text(form);
}

std::string Expressions::affine_text(const AffineForm& form) {
  std::vector<AffineForm::Term> terms = form.terms;
  std::stable_sort(terms.begin(), terms.end(), [&](const auto& a, const auto& b) {
    int64_t ca = std::abs(a.coefficient), cb = std::abs(b.coefficient);
    if (ca != cb) return ca > cb;
    if (a.coefficient != b.coefficient) return a.coefficient > b.coefficient;
    return depth_of(names_, a.atom) < depth_of(names_, b.atom);
  });
  std::string text;
  for (size_t i = 0; i < terms.size();) {
    size_t end = i;
    while (end < terms.size() && terms[end].coefficient == terms[i].coefficient)
      ++end;
    int64_t coefficient = terms[i].coefficient;
    bool group = end - i > 1, factor = std::abs(coefficient) != 1;
    std::string sum;
    for (size_t t = i; t < end; ++t) {
      Text atom = print(terms[t].atom);
      sum += (t > i ? " + " : "") + atom.at(group || !factor ? Text::kSum + 1 : Text::kProduct + 1);
    }
    if (group && (factor || coefficient < 0)) sum = "(" + sum + ")";
    if (factor) sum += " * " + std::to_string(std::abs(coefficient));
    if (text.empty()) {
      text = coefficient < 0 ? "-" + sum : sum;
    } else {
      text += (coefficient < 0 ? " - " : " + ") + sum;
    }
    i = end;
  }
  if (form.constant != 0 || text.empty()) {
    if (text.empty()) return std::to_string(form.constant);
    text += (form.constant < 0 ? " - " : " + ") + std::to_string(std::abs(form.constant));
  }
  return text;
}

std::string Expressions::address(const std::string& buffer, const Expr& index) {
  std::string offset = affine(index, 1);
  const std::string& name = names_.cpp(buffer);
  if (offset == "0") return name;
  if (offset[0] == '-') return name + " - " + offset.substr(1);
  return name + " + " + offset;
}

std::string Expressions::place(const std::string& buffer, const Expr& index) {
  const BufferInfo& info = names_.buffers.at(buffer);
  const std::string& name = names_.cpp(buffer);
  if (info.extents.empty()) return name + "[" + affine(index, 1) + "]";

  AffineForm form = affine_form(index);
  for (auto& term : form.terms)
    term.coefficient /= info.lanes;
  form.constant /= info.lanes;
  return subscripted(name, info, form);
}

// Every subscript takes the terms its stride divides, if the rest stays below the stride.
std::string Expressions::subscripted(const std::string& name, const BufferInfo& info, AffineForm form) {
  std::vector<AffineForm> subscripts;
  for (size_t d = 0; d < info.extents.size(); ++d) {
    AffineForm subscript, rest;
    int64_t stride = info.strides[d];
    for (const auto& term : form.terms) {
      if (term.coefficient % stride == 0) {
        subscript.add(term.atom, term.coefficient / stride);
      } else {
        rest.add(term.atom, term.coefficient);
      }
    }
    subscript.constant = form.constant / stride;
    rest.constant = form.constant % stride;
    auto bounds = bounds_of(names_, subscript), rest_bounds = bounds_of(names_, rest);
    bool inside = bounds && bounds->min >= 0 && bounds->max < info.extents[d] && rest_bounds && rest_bounds->min >= 0 &&
                  rest_bounds->max < stride;
    if (!inside) {
      throw CannotPrint("an access of '" + name + "' that does not follow its dimensions");
    }
    subscripts.push_back(subscript);
    form = rest;
  }
  std::string text = name;
  for (const AffineForm& subscript : subscripts)
    text += "[" + affine_text(subscript) + "]";
  return text;
}

std::optional<Expressions::VectorLane> Expressions::vector_lane(const std::string& name, const BufferInfo& info,
                                                                const Expr& index) {
  const AffineForm form = affine_form(index);
  AffineForm vector, lane;
  for (const auto& term : form.terms) {
    if (term.coefficient % info.lanes == 0) {
      vector.add(term.atom, term.coefficient / info.lanes);
    } else if (term.coefficient % 4 == 0) {
      lane.add(term.atom, term.coefficient / 4);
    } else {
      return std::nullopt;
    }
  }
  if (form.constant < 0 || form.constant % 4 != 0) return std::nullopt;
  vector.constant = form.constant / info.lanes;
  lane.constant = form.constant % info.lanes / 4;
  auto bounds = bounds_of(names_, lane);
  if (!bounds || bounds->min < 0 || bounds->max >= info.lanes / 4) return std::nullopt;
  return VectorLane{subscripted(name, info, vector), affine_text(lane)};
}

bool Expressions::follows_dimensions(const BufferInfo& info, const Expr& index, int lanes) {
  Names trial_names = names_;
  trial_names.buffers["trial"] = info;
  trial_names.declare("trial");
  try {
    Expressions trial(trial_names, scalar_only_);
    if (lanes < info.lanes) return trial.vector_lane("trial", info, index).has_value();
    trial.place("trial", index);
    return true;
  } catch (const CannotPrint&) {
    return false;
  }
}

}  // namespace qlathe
