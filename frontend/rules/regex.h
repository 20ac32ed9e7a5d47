#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "frontend/ir/result.h"

namespace qlathe {

/// A pattern of Python's `re` (3.11), matched as `re.fullmatch` does, on PCRE2.
///
/// Python's own forms are translated: \Z, \v, \uXXXX, \UXXXXXXXX, {,n}, octal escapes, `[` inside a class, (?P<n>…),
/// (?P=n), (?P>…) being none of them. What PCRE2 has and Python has not is refused, as Python refuses it: unknown
/// escapes, recursion, verbs, callouts, branch reset, (?<n>…), flags in the middle. Not supported: \N{…}, (?a:…).
/// One difference stays: alternatives of a look-behind may differ in length.
class Regex {
 public:
  /// Errors: not a pattern, with the position in it; more than 10000 bytes.
  static Result<Regex> compile(std::string_view pattern);

  /// Whether the whole subject matches. Error: the search was given up after about a million steps (a pattern whose
  /// cost grows exponentially), or the subject is not UTF-8.
  Result<bool> full_match(std::string_view subject) const;

  const std::string& pattern() const { return pattern_; }

 private:
  std::string pattern_;
  std::shared_ptr<const void> code_;  // pcre2_code, shared because copies of a rule use the same one
};

}  // namespace qlathe
