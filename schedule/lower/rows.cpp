#include "schedule/lower/rows.h"

#include <algorithm>

#include "schedule/lower/iteration.h"

namespace qlathe {
namespace {

/// Rows that keep a few threads busy; more axes are fused into the row loop until there are as many.
constexpr int64_t kEnoughRows = 32;

// Expressions share what they use several times, so each node is visited once.
class WidestBits : public Halide::Internal::IRGraphVisitor {
 public:
  int bits = 8;

 private:
  using IRGraphVisitor::visit;
  void note(const Halide::Type& type) { bits = std::max(bits, type.bits()); }
  void visit(const Halide::Internal::Call* op) override {
    note(op->type);
    const bool element =
        op->call_type == Halide::Internal::Call::Halide || op->call_type == Halide::Internal::Call::Image;
    if (!element) IRGraphVisitor::visit(op);
  }
  template <class Binary>
  void binary(const Binary* op) {
    note(op->a.type());
    IRGraphVisitor::visit(op);
  }
  void visit(const Halide::Internal::Cast* op) override {
    note(op->type);
    IRGraphVisitor::visit(op);
  }
  void visit(const Halide::Internal::Reinterpret* op) override {
    note(op->type);
    IRGraphVisitor::visit(op);
  }
  void visit(const Halide::Internal::Add* op) override { binary(op); }
  void visit(const Halide::Internal::Sub* op) override { binary(op); }
  void visit(const Halide::Internal::Mul* op) override { binary(op); }
};

int32_t rows_per_task(int64_t rows, int64_t elements) {
  return static_cast<int32_t>(std::max<int64_t>(1, kElementsPerTask * rows / std::max<int64_t>(1, elements)));
}

}  // namespace

std::vector<Halide::Var> axis_vars(size_t count) {
  std::vector<Halide::Var> vars;
  for (size_t i = 0; i < count; i++)
    vars.emplace_back(std::string(1, static_cast<char>('i' + i)));
  return vars;
}

std::vector<Halide::Expr> as_expressions(const std::vector<Halide::Var>& vars) { return {vars.begin(), vars.end()}; }

std::vector<int32_t> innermost_first_extents(const Shape& extents) {
  std::vector<int32_t> out;
  for (size_t d = extents.size(); d-- > 0;)
    out.push_back(static_cast<int32_t>(extents[d]));
  if (out.empty()) out.push_back(1);
  return out;
}

bool schedule_rows(Halide::Func out, const std::vector<Halide::Var>& vars, const Shape& extents, int lanes,
                   KernelPipeline& pipeline, LoweredCall& call) {
  const int64_t inner = extents.back(), elements = element_count(extents);
  lanes = vector_lanes(lanes, inner);
  const Halide::Var row("row"), within("w"), vector("v");
  Halide::Var innermost = vars.back();
  int64_t rows = 1;
  // Outer axes, fused until there are enough rows.
  size_t fused = 0;
  Halide::Var outer = row;
  if (extents.size() > 1) {
    outer = vars[0];
    rows = extents[0];
    for (fused = 1; fused + 1 < extents.size() && rows < kEnoughRows; fused++) {
      out.fuse(vars[fused], outer, row);
      outer = row;
      rows *= extents[fused];
    }
  }
  // A long last axis is cut into rows too.
  const int64_t length = rows < kEnoughRows && elements > kElementsPerTask && fused + 1 >= extents.size()
                             ? row_length(inner, lanes, 4096)
                             : 0;
  if (length > 0 && length < inner) {
    const Halide::Var chunk("chunk");
    out.split(innermost, extents.size() > 1 ? chunk : row, within, static_cast<int32_t>(length),
              Halide::TailStrategy::RoundUp);
    innermost = within;
    if (extents.size() > 1) {
      const Halide::Var all("rows");
      out.fuse(chunk, outer, all);
      outer = all;
    }
    rows *= inner / length;
  }
  const bool exact = (length > 0 ? length : inner) % lanes == 0;
  if (lanes > 1) {
    out.split(innermost, innermost, vector, lanes,
              exact ? Halide::TailStrategy::RoundUp : Halide::TailStrategy::ShiftInwards)
        .vectorize(vector);
  }
  if (extents.size() > 1 || rows > 1) {
    pipeline.row_loop = outer.name();
    pipeline.row_extent = static_cast<int32_t>(rows);
  }
  call.min_rows_per_task = rows_per_task(rows, elements);
  return exact;
}

int widest_bits(const Halide::Expr& e) {
  WidestBits visitor;
  e.accept(&visitor);
  return visitor.bits;
}

}  // namespace qlathe
