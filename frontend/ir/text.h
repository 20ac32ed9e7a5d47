#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "frontend/ir/graph.h"

namespace qlathe {

/// A graph as text (docs/spec.md, "The text form"), with the constants that are too large to stand in it.
struct GraphText {
  std::string text;
  std::map<std::string, std::shared_ptr<const HostTensor>> arrays;  ///< by the constant's name
};

struct PrintOptions {
  int64_t max_inline = 16;  ///< constants of more elements go to `arrays`
  std::string array_file;   ///< the file that will hold them, written into the text; may be empty
};

/// Every type, quantization, attribute and origin; attributes equal to their default are left out. Tensors that nothing
/// defines are left out unless a quantization refers to them. print(parse(print(g))) is print(g).
GraphText print_graph(const Graph& graph, const PrintOptions& options = {});

/// Gives the values of a constant that stands in another file. `array_file` is what the text names (may be empty).
using ArrayLookup =
    std::function<Result<HostTensor>(const std::string& array_file, const std::string& name, const TensorType& type)>;

/// The graph of a text. `file` is for messages, which give line and column and what was expected. A syntax error ends
/// the reading; everything else (unknown ops and attributes, wrong types) is reported all at once. The result has
/// passed verify().
Result<Graph> parse_graph(const std::string& file, std::string_view text, const ArrayLookup& lookup);

/// The first words of every text, with the version of the form.
inline constexpr std::string_view kGraphTextHeader = "qlathe_graph 1";

}  // namespace qlathe
