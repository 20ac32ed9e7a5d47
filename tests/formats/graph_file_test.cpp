#include "frontend/formats/graph_file.h"

#include <fstream>

#include "frontend/ir/text.h"
#include "tests/formats/array_samples.h"

namespace qlathe {
namespace {

using testing::TemporaryFolder;

TEST(GraphFile, KeepsLargeConstantsOfEveryTypeBesideTheText) {
  TemporaryFolder folder;
  Graph g;
  for (const ValueTypeInfo& row : value_types()) {
    HostTensor t(row.type, {40});
    const HostTensor sample = testing::sample_tensor(row.type);
    for (size_t i = 0; i < t.byte_size(); ++i)
      t.bytes()[i] = sample.bytes()[i % sample.byte_size()];
    g.add_constant(std::string("m/") + row.name, t);
  }
  ASSERT_TRUE(save_graph(folder / "g.qlir", g).ok());
  auto back = load_graph(folder / "g.qlir");
  ASSERT_TRUE(back.ok()) << back.status().text();
  EXPECT_EQ(print_graph(*back).text, print_graph(g).text);
  for (const Tensor& t : g.tensors)
    EXPECT_EQ(*(*back)[back->find(t.name)].data, *t.data) << t.name;
}

TEST(GraphFile, NamesTheMissingArrayFile) {
  TemporaryFolder folder;
  EXPECT_EQ(load_graph_text(folder / "g.qlir", "qlathe_graph 1 \"g\" arrays \"w.npz\" const %c: int8[20] = array")
                .status()
                .text(),
            (folder / "w.npz") + ": c: there is no such file");
  EXPECT_EQ(load_graph_text("g", "qlathe_graph 1 \"g\" const %c: int8[20] = array").status().text(),
            "g:1:26: c: stands in another file, which the text does not name; add a line arrays \"file.npz\" below the "
            "first");
}

TEST(GraphFile, ReadsTheDocumentedExample) {
  std::ifstream in(QLATHE_SOURCE_DIR "/docs/spec.md");
  std::string text;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line == "```") inside = false;
    if (line.starts_with("qlathe_graph 1")) inside = true;
    if (inside) text += line + "\n";
  }
  TemporaryFolder folder;
  ASSERT_TRUE(
      write_npz(folder / "perceptron.qlir.npz", {{"linear1/kernel", HostTensor(ValueType::kF32, {16, 64})}}).ok());
  auto graph = load_graph_text(folder / "perceptron.qlir", text);
  ASSERT_TRUE(graph.ok()) << graph.status().text() << text;
  EXPECT_EQ(graph->nodes.size(), 2u);
  EXPECT_EQ(graph->nodes[0].origin.module_path, "linear1");
}

}  // namespace
}  // namespace qlathe
