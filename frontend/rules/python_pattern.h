#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/ir/result.h"

namespace qlathe {

/// A pattern of Python's `re` in the syntax of PCRE2.
struct TranslatedPattern {
  std::string text;
  std::vector<size_t> origin;  ///< position in the Python pattern of every byte of `text`, and of its end
  bool ascii = false;          ///< the flag (?a): \w, \d, \s, \b know ASCII only
};

/// Error: a form that Python has not, or one that is not supported here.
Result<TranslatedPattern> translate_python_pattern(std::string_view pattern);

}  // namespace qlathe
