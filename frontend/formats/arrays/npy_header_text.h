#pragma once
#include <string>
#include <string_view>

#include "frontend/ir/tensor.h"

namespace qlathe {

/// The three entries of the Python dictionary in an .npy header.
struct NpyHeaderText {
  std::string descr;        // "<f4"; empty where structured
  bool structured = false;  // descr is a list of fields
  bool fortran_order = false;
  Shape shape;
};

/// Parses e.g. "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", any order of the keys, padding behind it.
Result<NpyHeaderText> parse_npy_header_text(std::string_view text);

}  // namespace qlathe
