#pragma once
// What a reader of a model file and the passes on the way in owe to any bytes: an error, or a graph that verify()
// accepts.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "frontend/passes/pass_manager.h"

namespace qlathe {

inline void expect_sound(const Graph& graph) {
  const Status broken = verify(graph);
  if (broken.ok()) return;
  std::fprintf(stderr, "%s\n", broken.text().c_str());
  std::abort();
}

inline int expect_sound_import(Result<Graph> graph) {
  if (!graph.ok()) return 0;
  expect_sound(*graph);
  // Passes compute constants; a hostile shape would only cost time.
  int64_t elements = 0;
  for (const Tensor& tensor : graph->tensors)
    elements += element_count(tensor.shape());
  if (elements > 1 << 16) return 0;
  const auto passed = run_passes(*std::move(graph), import_passes());
  if (passed.ok()) {
    expect_sound(*passed);
    return 0;
  }
  for (const Diagnostic& d : passed.status().diagnostics()) {
    if (d.kind != Diagnostic::Kind::kInternal) continue;
    std::fprintf(stderr, "%s\n", d.text().c_str());
    std::abort();
  }
  return 0;
}

}  // namespace qlathe
