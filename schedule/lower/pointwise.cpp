// pointwise: one kernel over the result's elements. Axes along which every operand is either complete or broadcast
// alike are merged, so that the vectorized axis is as long as it can be.
#include "frontend/ops/pointwise.h"

#include <set>

#include "schedule/lower/byte_formula.h"
#include "schedule/lower/byte_table.h"
#include "schedule/lower/iteration.h"
#include "schedule/lower/operands.h"
#include "schedule/lower/rows.h"

namespace qlathe {
namespace {

using Halide::cast;
using Halide::Expr;

/// `a` and `b` are bytes; int32 holds every intermediate result.
Expr apply_formula(const ByteFormula& f, ValueType out, const Expr& a, const Expr& b) {
  Expr y;
  if (f.kind == ByteFormula::Kind::kProduct) {
    const Expr t = (cast<int32_t>(a) - f.first) * (cast<int32_t>(b) - f.second);
    const auto f32 = [](float x) {
      return Halide::Internal::FloatImm::make(Halide::Float(32), static_cast<double>(x));
    };
    const Expr bias = select(t < 0, f32(-f.bias), f32(f.bias));
    y = cast<int32_t>(Halide::round(Halide::Internal::Call::make(
        Halide::Float(32), "llvm.fma.f32", {cast<float>(t), f32(f.factor), bias}, Halide::Internal::Call::PureExtern)));
    y = y + f.zero_point;
  } else {
    Expr t = cast<int32_t>(a) * f.first;
    if (f.other >= 0) t = t + cast<int32_t>(b) * f.second;
    t = t + f.addend;
    if (f.kind == ByteFormula::Kind::kHalfAway) t = t + (t >> 31) + (1 << (f.shift - 1));
    y = (t >> f.shift) + f.zero_point;
  }
  return cast(storage_type(out), Halide::clamp(y, f.lo, f.hi));
}

Result<NodeLowering> lower_pointwise(const LoweringContext& context) {
  const auto& attrs = context.node.as<PointwiseAttrs>();
  const Tensor& out = context.out();
  const size_t rank = out.shape().size();
  std::vector<Shape> shapes;
  for (size_t i = 0; i < context.node.inputs.size(); i++)
    shapes.push_back(padded_shape(context.in(i).shape(), rank));
  // Tables are not broadcast: they must not keep axes apart.
  for (const PointwiseStep& step : attrs.steps) {
    if (reads_table(step)) shapes[static_cast<size_t>(step.operands[0])] = out.shape();
  }
  const IterationSpace space = iteration_space(out.shape(), shapes);
  const Shape& extents = space.extents;

  KernelBindings bindings(context);
  const Shape& x_extents = space.operands[0];
  Halide::ImageParam x = bindings.tensor(context.node.inputs[0], "x", x_extents);
  std::string note;
  const std::optional<ByteFormula> formula = choose_byte_formula(context, note);
  NodeLowering lowering;
  Halide::ImageParam table;
  if (!formula) {
    if (auto values = choose_byte_table(context, note)) {
      table = bindings.constant(*values, 0, "table");
      lowering.constants.push_back(std::move(*values));
    }
  }
  // With a formula or a table the constants are in it.
  std::vector<PointwiseStep> read = attrs.steps;
  if (formula || table.defined()) {
    read.clear();
  }
  if (formula) {
    if (formula->other >= 0) read = {PointwiseStep{.op = "add", .operands = {formula->other}}};
  }
  const StepBindings steps(context, bindings, read, extents,
                           [&](int64_t input) { return space.operands[static_cast<size_t>(input)]; });

  const std::vector<Halide::Var> vars = axis_vars(extents.size());
  std::vector<Halide::Expr> x_index;
  for (size_t g = extents.size(); g-- > 0;)
    x_index.push_back(broadcast_index(vars[g], extents[g], x_extents[g]));

  const StepOperands at = steps.at(as_expressions(vars));
  Halide::Expr stored;
  if (formula) {
    stored =
        apply_formula(*formula, out.type.type, x(x_index), formula->other < 0 ? Expr() : at.at(formula->other).expr);
  } else if (table.defined()) {
    const int least = context.in(0).type.type == ValueType::kI8 ? -128 : 0;
    stored = table(cast<int32_t>(x(x_index)) - least);
  } else {
    QL_ASSIGN(const FlightValue value, apply_steps(load_value(context.in(0).type.type, x(x_index)), attrs.steps, at));
    stored = store_value(value);
  }
  Halide::Func result("out");
  result(innermost_first(vars)) = stored;

  auto pipeline = std::make_shared<KernelPipeline>();
  std::string steps_name;
  for (const PointwiseStep& step : attrs.steps)
    steps_name += "_" + step.op;
  pipeline->name = steps_name.size() > 40 || steps_name.empty() ? "pointwise" : "map" + steps_name;
  LoweredCall call;
  const int lanes = context.target.vectorize ? context.target.lanes(widest_bits(stored)) : 1;
  const bool exact = schedule_rows(result, vars, extents, lanes, *pipeline, call);
  pipeline->inputs = bindings.inputs();
  pipeline->outputs = {{result, dense_dims(innermost_first_extents(extents)), storage_bytes(out.type.type)}};

  call.operands = bindings.operands();
  call.operands.push_back(KernelOperand::of(context.node.outputs[0]));
  if (exact) {
    int in_place = 0;
    // Operands of the result's extents are read once, at the element that is computed; tables anywhere.
    std::set<TensorId> tables;
    for (const PointwiseStep& step : attrs.steps) {
      if (reads_table(step)) tables.insert(context.node.inputs[static_cast<size_t>(step.operands[0])]);
    }
    for (size_t i = 0; i + 1 < call.operands.size() && i < 31; i++) {
      const TensorId id = call.operands[i].tensor;
      if (call.operands[i].kind != KernelOperand::Kind::kTensor || tables.count(id)) continue;
      const TensorType& type = context.graph[id].type;
      if (storage_bytes(type.type) != storage_bytes(out.type.type)) continue;
      if (element_count(type.shape) == element_count(out.shape())) in_place |= 1 << i;
    }
    if (in_place != 0) {
      pipeline->in_place = true;
      call.in_place_of = in_place;
    }
  }
  call.key = "pointwise|" + context.target.name + "|" + name(context.in(0).type.type) + "[" + to_string(x_extents) +
             "]->" + name(out.type.type) + "[" + to_string(out.shape()) + "]" + steps.key() + "|" +
             (formula           ? formula->key()
              : table.defined() ? "table"
                                : steps_key(attrs.steps));
  if (!note.empty()) call.notes.push_back(note);
  call.description =
      "pointwise " + to_string(out.shape()) + " " + name(context.in(0).type.type) + " -> " + name(out.type.type);
  call.pipeline = std::move(pipeline);
  lowering.calls.push_back(std::move(call));
  return lowering;
}

const LoweringRegistry::Add add_pointwise("pointwise", lower_pointwise);

}  // namespace
}  // namespace qlathe
