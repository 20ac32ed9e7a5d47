#include "frontend/formats/graph_file.h"

#include <filesystem>
#include <map>

#include "frontend/formats/arrays/array_file.h"
#include "frontend/formats/atomic_write.h"
#include "frontend/formats/byte_source.h"
#include "frontend/ir/text.h"

namespace qlathe {
namespace {

constexpr uint64_t kMaxText = uint64_t{256} << 20;

}  // namespace

Status save_graph(const std::string& path, const Graph& graph) {
  const std::string array_path = path + ".npz";
  // Both are written before either appears under its name, for a disk may be full at the second.
  const GraphText printed = print_graph(graph, {.array_file = std::filesystem::path(array_path).filename().string()});
  QL_ASSIGN(AtomicFile text, AtomicFile::create(path));
  QL_RETURN_IF_ERROR(text.write(printed.text));
  if (!printed.arrays.empty()) {
    std::map<std::string, HostTensor> arrays;
    for (const auto& [name, data] : printed.arrays)
      arrays.emplace(name, *data);
    QL_RETURN_IF_ERROR(write_npz(array_path, arrays));
  }
  return text.commit();
}

Result<Graph> load_graph(const std::string& path) {
  QL_ASSIGN(const std::string text, read_whole_file(path, kMaxText));
  return load_graph_text(path, text);
}

Result<Graph> load_graph_text(const std::string& path, const std::string& text) {
  std::unique_ptr<ArrayFile> arrays;
  const auto lookup = [&](const std::string& file, const std::string& name,
                          const TensorType& type) -> Result<HostTensor> {
    if (file.empty()) {
      return Status::user({}, "stands in another file, which the text does not name",
                          "add a line arrays \"file.npz\" below the first");
    }
    if (!arrays) {
      const std::filesystem::path beside = std::filesystem::path(path).parent_path() / file;
      QL_ASSIGN(arrays, open_arrays(beside.string()));
    }
    QL_ASSIGN(HostTensor tensor, arrays->read(name));
    return as_value_type(std::move(tensor), type.type);
  };
  return parse_graph(path, text, lookup);
}

}  // namespace qlathe
