#pragma once

#include <string>

namespace qlathe {

/// A statement in lines of at most 120 columns, each with a newline: broken after the comma or operator that is nested
/// least, the last one of those; lines after the first have four more columns of indentation.
std::string wrap_code(const std::string& text, const std::string& indent);

/// Text in comment lines of at most 120 columns, each with a newline; `first` and `rest` are what lines begin with.
std::string wrap_comment(const std::string& text, const std::string& first, const std::string& rest);

}  // namespace qlathe
