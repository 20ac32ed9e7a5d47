#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace qlathe {

/// Damerau-Levenshtein distance (insert, delete, replace, swap of neighbours), upper and lower case being equal.
/// Strings of more than 80 characters count as unlike anything (the distance is then their longer length).
int edit_distance(std::string_view a, std::string_view b);

/// The nearest of `known` if it is near enough to be a slip of the pen (a third of the length), else "".
/// Of equally near ones, the first.
std::string nearest(std::string_view given, const std::vector<std::string>& known);

/// A remedy for an unknown name: "did you mean 'strides'?", or "known are: a, b, c" where nothing is near.
std::string did_you_mean(std::string_view given, const std::vector<std::string>& known);

/// `text` fit for a terminal: control characters and bytes that are not UTF-8 as \xNN, cut after `max_shown`
/// characters.
std::string printable(std::string_view text, size_t max_shown = 1000);

/// printable() between single quotes, cut after 120 characters.
std::string in_quotes(std::string_view text);

}  // namespace qlathe
