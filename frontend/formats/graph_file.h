#pragma once
#include <string>

#include "frontend/ir/graph.h"

namespace qlathe {

/// Saves a graph at any stage in its text form. Constants that are too large for the text go to `path` + ".npz" beside
/// it, which is written first; each file appears whole or not at all.
Status save_graph(const std::string& path, const Graph& graph);

/// Reads what save_graph or a person wrote; the array file's name is relative to the text's folder.
Result<Graph> load_graph(const std::string& path);

/// The same from memory; `path` is for messages and the folder.
Result<Graph> load_graph_text(const std::string& path, const std::string& text);

}  // namespace qlathe
