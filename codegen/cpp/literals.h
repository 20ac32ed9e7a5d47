#pragma once
#include <string>
#include <vector>

#include "frontend/ir/value_type.h"

namespace qlathe {

/// C++ element type of a stored ValueType: "int8_t", "float", "uint16_t" for bfloat16, …
const char* cpp_type(ValueType type);
/// numpy's descr of the stored elements: "<f4", "|i1", …
std::string numpy_descr(ValueType type);
/// The elements as a brace-enclosed initializer, wrapped at 120 columns, indented by two spaces. Floats have nine
/// digits, enough to read the same bits back.
std::string array_initializer(ValueType type, const std::vector<uint8_t>& bytes);
/// The same bytes as numbers of 64 bits, the first byte lowest, zeros behind the last: compilers take the time that
/// they take by numbers, and here there are an eighth of them.
std::string word_initializer(const std::vector<uint8_t>& bytes);
/// A name for a comment of its line: no control characters, nothing that continues a line.
std::string comment_text(const std::string& text);
/// A name as a C identifier: letters, digits and underscores, not a keyword, not starting with a digit, at most 100
/// characters.
std::string identifier(const std::string& text);
/// "conv1.weights" -> "kConv1Weights".
std::string constant_name(const std::string& text);
/// "hello_world" -> "HELLO_WORLD".
std::string upper(const std::string& text);

}  // namespace qlathe
