// Einsum: operands are joined two by two, each pair as a dot_general.
#include <algorithm>
#include <cctype>
#include <map>

#include "frontend/formats/onnx/node.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

/// An operand and the index of each of its axes.
struct Term {
  TensorId x;
  std::string indices;
};

bool names(const std::string& indices, char c) { return indices.find(c) != std::string::npos; }

/// Letters for the axes of the ellipsis, the same for every operand, counted from the last axis.
std::string ellipsis_letters(const std::string& equation, size_t count) {
  std::string out;
  for (char c = 'A'; out.size() < count && c <= 'z'; c++) {
    if (std::isalpha(static_cast<unsigned char>(c)) && !names(equation, c)) out.insert(out.begin(), c);
  }
  return out;
}

/// "...ij" with its ellipsis spelled out by the last `count` of the letters.
std::string spelled(const std::string& term, const std::string& letters, size_t count) {
  const size_t at = term.find("...");
  return at == std::string::npos ? term
                                 : term.substr(0, at) + letters.substr(letters.size() - count) + term.substr(at + 3);
}

/// An index that an operand has twice stays once: the diagonal.
void take_diagonals(OnnxNode& node, Term& t) {
  for (size_t i = 0; i < t.indices.size(); i++) {
    const size_t j = t.indices.find(t.indices[i], i + 1);
    if (j == std::string::npos) continue;
    const Shape s = node.shape(t.x);
    if (s[i] != s[j]) node.problem("equation", "axes of one index have different extents");
    std::vector<int64_t> order;
    Shape rest;
    std::string indices;
    for (size_t d = 0; d < s.size(); d++) {
      if (d == i || d == j) continue;
      order.push_back(static_cast<int64_t>(d));
      rest.push_back(s[d]);
      indices += t.indices[d];
    }
    order.push_back(static_cast<int64_t>(i));
    order.push_back(static_cast<int64_t>(j));
    rest.push_back(s[i] * s[i]);
    const TensorId flat = node.reshape(node.transpose(t.x, order), rest);
    std::vector<int64_t> start(rest.size(), 0), step(rest.size(), 1);
    step.back() = s[i] + 1;
    rest.back() = s[i];
    t = {node.slice(flat, start, rest, step), indices + t.indices[i]};
    i = static_cast<size_t>(-1);  // from the start: further ones may be there
  }
}

/// Sums over the indices that nothing else reads.
void sum_alone(OnnxNode& node, Term& t, const std::string& others) {
  std::vector<int64_t> alone;
  std::string kept;
  for (size_t d = 0; d < t.indices.size(); d++) {
    if (names(others, t.indices[d]))
      kept += t.indices[d];
    else
      alone.push_back(static_cast<int64_t>(d));
  }
  if (alone.empty()) return;
  auto attrs = std::make_shared<ReduceAttrs>();
  attrs->axes = alone;
  attrs->sum_order = onnx_sum_order(alone, node.rank(t.x));
  t = {node.add("reduce", {t.x}, attrs), kept};
}

/// The product of two terms, over the indices of both that `others` does not name.
Term join(OnnxNode& node, Term a, Term b, const std::string& others) {
  sum_alone(node, a, b.indices + others);
  sum_alone(node, b, a.indices + others);
  auto attrs = std::make_shared<DotGeneralAttrs>();
  std::string batch, free;
  for (size_t i = 0; i < a.indices.size(); i++) {
    const size_t j = b.indices.find(a.indices[i]);
    if (j == std::string::npos) {
      free += a.indices[i];
    } else if (names(others, a.indices[i])) {
      batch += a.indices[i];
      attrs->lhs_batch.push_back(static_cast<int64_t>(i));
      attrs->rhs_batch.push_back(static_cast<int64_t>(j));
    } else {
      attrs->lhs_contracting.push_back(static_cast<int64_t>(i));
      attrs->rhs_contracting.push_back(static_cast<int64_t>(j));
    }
  }
  for (char c : b.indices) {
    if (!names(a.indices, c)) free += c;
  }
  return {node.add("dot_general", {a.x, b.x}, attrs), batch + free};
}

/// The operands with their indices; axes of extent 1 that are longer elsewhere are left out.
std::vector<Term> read_terms(OnnxNode& node, const std::vector<std::string>& parts, const std::string& letters) {
  std::vector<Term> terms;
  std::map<char, int64_t> extents;
  for (size_t i = 0; i < parts.size(); i++) {
    const TensorId given = node.in(i);
    const TensorId x = node.type(given).type == ValueType::kF64 ? node.cast(given, ValueType::kF32) : given;
    const bool open = parts[i].find("...") != std::string::npos;
    const size_t named = parts[i].size() - (open ? 3 : 0), rank = node.shape(x).size();
    if (open ? rank < named : rank != named)
      node.problem("equation", "'" + parts[i] + "' does not name the axes of " + to_string(node.shape(x)));
    terms.push_back({x, spelled(parts[i], letters, rank - named)});
    for (size_t d = 0; d < rank; d++) {
      int64_t& extent = extents.try_emplace(terms[i].indices[d], 1).first->second;
      const int64_t here = node.shape(x)[d];
      if (here != 1 && extent != 1 && here != extent)
        node.problem("equation", std::string("the index '") + terms[i].indices[d] + "' has two extents");
      if (here != 1) extent = here;
    }
  }
  for (Term& t : terms) {
    Shape kept;
    std::string indices;
    for (size_t d = 0; d < t.indices.size(); d++) {
      const int64_t here = node.shape(t.x)[d];
      if (here == 1 && extents[t.indices[d]] != 1) continue;
      kept.push_back(here);
      indices += t.indices[d];
    }
    if (indices.size() < t.indices.size()) t = {node.reshape(t.x, kept), indices};
    take_diagonals(node, t);
  }
  return terms;
}

void read_einsum(OnnxNode& node) {
  std::string equation = node.string("equation", "");
  std::erase(equation, ' ');
  const size_t arrow = equation.find("->");
  const std::string left = equation.substr(0, arrow);
  std::vector<std::string> parts(1);
  for (char c : left) {
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  if (parts.size() != node.input_count())
    node.problem("equation", "'" + equation + "' has " + std::to_string(parts.size()) + " operands, the node " +
                                 std::to_string(node.input_count()));
  size_t widest = 0;
  for (size_t i = 0; i < parts.size(); i++) {
    for (char c : parts[i]) {
      if (c != '.' && !std::isalpha(static_cast<unsigned char>(c)))
        node.problem("equation", "'" + equation + "' holds '" + c + "'");
    }
    const bool open = parts[i].find("...") != std::string::npos;
    if (std::count(parts[i].begin(), parts[i].end(), '.') != (open ? 3 : 0))
      node.problem("equation", "'" + equation + "' holds a point that is no ellipsis");
    const size_t named = parts[i].size() - (open ? 3 : 0), rank = node.shape(node.in(i)).size();
    if (open && rank > named) widest = std::max(widest, rank - named);
  }
  const std::string letters = ellipsis_letters(equation, widest);
  if (letters.size() < widest) node.unsupported("equation", "'" + equation + "' has too many indices");
  std::string out;
  if (arrow != std::string::npos) {
    out = spelled(equation.substr(arrow + 2), letters, widest);
  } else {
    // Implicit: the ellipsis, then the indices that stand once, by the alphabet.
    std::string all = left;
    std::erase_if(all, [](char c) { return c == ',' || c == '.'; });
    std::sort(all.begin(), all.end());
    out = letters;
    for (char c : all) {
      if (std::count(all.begin(), all.end(), c) == 1) out += c;
    }
  }
  std::vector<Term> terms = read_terms(node, parts, letters);
  Term y = terms[0];
  if (terms.size() == 1) sum_alone(node, y, out);
  for (size_t i = 1; i < terms.size(); i++) {
    std::string others = out;
    for (size_t k = i + 1; k < terms.size(); k++)
      others += terms[k].indices;
    y = join(node, y, terms[i], others);
  }
  std::vector<int64_t> permutation;
  for (char c : out) {
    const size_t at = y.indices.find(c);
    if (at == std::string::npos) node.problem("equation", std::string("the index '") + c + "' is in no operand");
    permutation.push_back(static_cast<int64_t>(at));
  }
  if (permutation.size() != y.indices.size())
    node.problem("equation", "'" + equation + "' names a result's axis twice");
  const ValueType type = node.type(terms[0].x).type;
  node.result(node.cast(node.transpose(y.x, permutation), type));
}

const OnnxOps::Add kOps({{"Einsum", read_einsum}});

}  // namespace
}  // namespace qlathe
