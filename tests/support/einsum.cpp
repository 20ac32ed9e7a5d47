#include "tests/support/einsum.h"

#include <algorithm>
#include <string>
#include <vector>

#include "frontend/ir/suggest.h"

namespace qlathe {
namespace {

bool is_index(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

Status error(std::string_view equation, const std::string& message) {
  return Status::user({"", "", "equation"}, "einsum " + in_quotes(equation) + " " + message);
}

/// Indices of an operand of `rank` axes; "..." stands for as many as are missing, counted from the last: codes 1, 2,
/// ... so that the last axis of every ellipsis is the same index.
Result<std::string> indices_of(std::string_view equation, std::string_view text, size_t rank) {
  const size_t dots = text.find("...");
  std::string letters(text);
  size_t covered = 0;
  if (dots != std::string_view::npos) {
    letters.erase(dots, 3);
    if (letters.size() > rank)
      return error(equation, "has too many indices for an operand of rank " + std::to_string(rank));
    covered = rank - letters.size();
  }
  if (!std::all_of(letters.begin(), letters.end(), is_index))
    return error(equation, "has a character that is no index");
  if (letters.size() + covered != rank) {
    return error(equation,
                 "names " + std::to_string(letters.size()) + " axes of an operand of rank " + std::to_string(rank));
  }
  std::string out = letters;
  for (size_t i = 0; i < covered; ++i)
    out.insert(out.begin() + static_cast<int64_t>(dots + i), static_cast<char>(covered - i));
  for (size_t i = 0; i < out.size(); ++i) {
    if (out.find(out[i], i + 1) != std::string::npos) return error(equation, "repeats an index within one operand");
  }
  return out;
}

}  // namespace

Result<DotGeneralAttrs> parse_einsum(std::string_view equation, std::pair<size_t, size_t> ranks) {
  std::string text;
  for (char c : equation) {
    if (c != ' ') text += c;
  }
  const size_t arrow = text.find("->");
  const std::string inputs = text.substr(0, arrow);
  const size_t comma = inputs.find(',');
  if (comma == std::string::npos || inputs.find(',', comma + 1) != std::string::npos) {
    return error(equation, "has " + std::to_string(std::count(inputs.begin(), inputs.end(), ',') + 1) +
                               " operands; two are supported");
  }
  QL_ASSIGN(const std::string lhs, indices_of(equation, inputs.substr(0, comma), ranks.first));
  QL_ASSIGN(const std::string rhs, indices_of(equation, inputs.substr(comma + 1), ranks.second));
  const auto in = [](const std::string& list, char c) { return list.find(c) != std::string::npos; };

  std::string out;
  size_t ellipsis = 0;
  for (char c : lhs + rhs)
    ellipsis = std::max<size_t>(ellipsis, is_index(c) ? 0 : static_cast<size_t>(c));
  const auto add_ellipsis = [&] {
    for (size_t i = ellipsis; i > 0; --i)
      out += static_cast<char>(i);
  };
  if (arrow == std::string::npos) {
    add_ellipsis();
    std::string once;
    for (char c : lhs + rhs) {
      if (is_index(c) && in(lhs, c) != in(rhs, c)) once += c;
    }
    std::sort(once.begin(), once.end());
    out += once;
  } else {
    const std::string wanted = text.substr(arrow + 2);
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (wanted.compare(i, 3, "...") == 0) {
        add_ellipsis();
        i += 2;
      } else if (!is_index(wanted[i]) || in(out, wanted[i])) {
        return error(equation, "has a result that is no list of different indices");
      } else if (!in(lhs, wanted[i]) && !in(rhs, wanted[i])) {
        return error(equation, "has the index " + in_quotes(std::string(1, wanted[i])) + " in the result only");
      } else {
        out += wanted[i];
      }
    }
  }

  DotGeneralAttrs attrs;
  std::string natural;  // batch, free of lhs, free of rhs
  const auto axis_in = [](const std::string& list, char c) { return static_cast<int64_t>(list.find(c)); };
  for (char c : lhs) {
    if (!in(rhs, c)) continue;
    (in(out, c) ? attrs.lhs_batch : attrs.lhs_contracting).push_back(axis_in(lhs, c));
    (in(out, c) ? attrs.rhs_batch : attrs.rhs_contracting).push_back(axis_in(rhs, c));
    if (in(out, c)) natural += c;
  }
  for (const std::string* operand : {&lhs, &rhs}) {
    const std::string& other = operand == &lhs ? rhs : lhs;
    for (char c : *operand) {
      if (in(other, c)) continue;
      if (!in(out, c)) return error(equation, "sums over an index of one operand alone, which is not supported");
      natural += c;
    }
  }
  if (natural.size() != out.size()) return error(equation, "leaves indices out of the result");
  if (natural != out) {
    for (char c : out)
      attrs.output_permutation.push_back(axis_in(natural, c));
  }
  return attrs;
}

}  // namespace qlathe
