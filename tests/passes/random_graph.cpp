#include "tests/passes/random_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "frontend/ops/contraction.h"
#include "frontend/ops/dot_general_axes.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/reduction.h"
#include "frontend/passes/pass_manager.h"
#include "frontend/reference/reference_executor.h"
#include "tests/support/compare.h"

namespace qlathe::testing {
namespace {

std::vector<int64_t> divisors(int64_t n) {
  std::vector<int64_t> out;
  for (int64_t d = 1; d <= n; d++) {
    if (n % d == 0) out.push_back(d);
  }
  return out;
}

std::vector<int64_t> shuffled(Random& random, int64_t n) {
  std::vector<int64_t> out(static_cast<size_t>(n));
  std::iota(out.begin(), out.end(), 0);
  for (size_t i = out.size(); i > 1; i--)
    std::swap(out[i - 1], out[static_cast<size_t>(random.integer(0, static_cast<int64_t>(i) - 1))]);
  return out;
}

template <class T>
std::shared_ptr<const OpAttrs> share(const T& attrs) {
  return std::make_shared<T>(attrs);
}

}  // namespace

TensorId GraphGrower::add(const std::string& op, std::vector<TensorId> inputs, std::shared_ptr<const OpAttrs> attrs) {
  auto result = graph.add(op, std::move(inputs), std::move(attrs), {.name = next_name(op)});
  QL_CHECK(result.ok(), result.status().text());
  return *result;
}

TensorId GraphGrower::source(HostTensor data, double constant) {
  if (random.chance(constant)) return graph.add_constant(next_name("c"), std::move(data));
  return graph.add_input(next_name("x"), {data.type(), data.shape()});
}

TensorId GraphGrower::source(ValueType type, const Shape& shape, double constant) {
  return source(random_tensor(random, type, shape), constant);
}

template <class ExtentsOf>
GraphGrower::Operands GraphGrower::product_operands(const Shape& lhs, const Shape& rhs, bool needs_scale,
                                                    ExtentsOf&& extents) {
  const bool to_float = random.chance(0.5);
  const std::vector<ValueType> integers{ValueType::kI8, ValueType::kU8, ValueType::kI4, ValueType::kI16};
  std::vector<ValueType> types = integers;
  if (to_float) types = {ValueType::kF32, ValueType::kBF16, ValueType::kI8, ValueType::kF8E4M3, ValueType::kNF4};
  Operands out{to_float ? ValueType::kF32 : random.chance(0.8) ? ValueType::kI32 : ValueType::kI64, {}};
  const ValueType lhs_type = random.pick(types), rhs_type = random.pick(types);
  out.inputs = {source(lhs_type, lhs), source(rhs_type, rhs, 0.7), kNone, kNone, kNone, kNone};
  for (size_t slot : {kLhsZeroPoint, kRhsZeroPoint}) {
    const ValueType of = slot == kLhsZeroPoint ? lhs_type : rhs_type;
    if (!is_integer(of) || random.chance(0.5)) continue;
    const ValueType type = random.chance(0.5) ? of : ValueType::kI32;
    out.inputs[slot] = source(random_integers(random, type, extents(slot), info(of).min, info(of).max), 0.5);
  }
  for (size_t slot : {kLhsScale, kRhsScale}) {
    if (!needs_scale && random.chance(0.5)) continue;
    out.inputs[slot] = source(random.chance(0.8) ? ValueType::kF32 : ValueType::kBF16, extents(slot), 0.5);
  }
  return out;
}

Shape GraphGrower::operand_shape(const Shape& result) {
  Shape shape;
  for (int64_t extent : result)
    shape.push_back(random.chance(0.4) ? extent : random.chance(0.7) ? 1 : random.pick(divisors(extent)));
  const auto drop = random.integer(0, static_cast<int64_t>(shape.size()));
  if (random.chance(0.3)) shape.erase(shape.begin(), shape.begin() + drop);
  return shape;
}

template <class Step>
void GraphGrower::random_steps(std::vector<Step>& steps, std::vector<TensorId>& inputs, const Shape& result, int most) {
  const auto operand = [&] {
    inputs.push_back(source(ValueType::kF32, operand_shape(result), 0.5));
    return static_cast<int64_t>(inputs.size()) - 1;
  };
  const auto count = random.integer(0, most);
  for (int64_t i = 0; i < count; i++) {
    Step& step = steps.emplace_back();
    step.op =
        random.pick(std::vector<std::string>{"add", "sub", "mul", "max", "fma", "relu", "neg", "sigmoid", "clamp"});
    step.swapped = random.chance(0.3);
    step.lo = -1;
    step.hi = 2;
    if (step.op == "fma") step.operands = {operand(), operand()};
    if (step.op == "add" || step.op == "sub" || step.op == "mul" || step.op == "max") step.operands = {operand()};
  }
}

TensorId GraphGrower::dot_general() {
  DotGeneralAttrs attrs;
  // Axis kinds: b batch, m free of lhs, n free of rhs, c contracted.
  const auto extent = [&] { return random.pick(std::vector<int64_t>{1, 2, 3, 4, 6}); };
  const auto list = [&](int64_t least, int64_t most) {
    std::vector<int64_t> out(static_cast<size_t>(random.integer(least, most)));
    for (int64_t& e : out)
      e = extent();
    return out;
  };
  const auto b = list(0, 2), m = list(0, 2), n = list(0, 2), c = list(1, 2);
  const auto place = [&](const std::vector<int64_t>& free, Shape& shape, std::vector<int64_t>& batch,
                         std::vector<int64_t>& contracting) {
    const auto rank = static_cast<int64_t>(b.size() + free.size() + c.size());
    const auto order = shuffled(random, rank);
    shape.assign(static_cast<size_t>(rank), 1);
    size_t next = 0;
    for (int64_t e : b) {
      batch.push_back(order[next]);
      shape[static_cast<size_t>(order[next++])] = e;
    }
    for (int64_t e : c) {
      contracting.push_back(order[next]);
      shape[static_cast<size_t>(order[next++])] = e;
    }
    for (int64_t e : free)
      shape[static_cast<size_t>(order[next++])] = e;
  };
  Shape lhs, rhs;
  place(m, lhs, attrs.lhs_batch, attrs.lhs_contracting);
  place(n, rhs, attrs.rhs_batch, attrs.rhs_contracting);
  std::vector<int64_t> tiles;
  bool tiled = false;
  for (int64_t e : c) {
    tiles.push_back(random.chance(0.7) ? 1 : random.pick(divisors(e)));
    tiled = tiled || tiles.back() > 1;
  }
  const auto extents = [&](size_t slot) {
    const bool of_lhs = slot % 2 == 0;
    const Shape& full = of_lhs ? lhs : rhs;
    const auto& contracting = of_lhs ? attrs.lhs_contracting : attrs.rhs_contracting;
    Shape out;
    for (size_t d = 0; d < full.size(); d++)
      out.push_back(random.chance(0.4) ? 1 : random.pick(divisors(full[d])));
    for (size_t i = 0; i < contracting.size(); i++)
      out[static_cast<size_t>(contracting[i])] = random.chance(0.5) ? 1 : tiles[i];
    return out;
  };
  Operands operands = product_operands(lhs, rhs, tiled, extents);
  attrs.accumulator = operands.accumulator;
  attrs.scale_order = random.chance(0.5) ? ScaleOrder::kLhsFirst : ScaleOrder::kRhsFirst;
  attrs.sum_order = random.chance(0.7) ? SumOrder::kSequential : SumOrder::kInterleaved16;
  const auto rank = static_cast<int64_t>(b.size() + m.size() + n.size());
  if (random.chance(0.6)) attrs.output_permutation = shuffled(random, rank);
  const bool float_value =
      attrs.accumulator == ValueType::kF32 || operands.inputs[kLhsScale].valid() || operands.inputs[kRhsScale].valid();
  if (float_value && random.chance(0.5)) {
    const Shape result = dot_general_shape(attrs, DotGeneralAxes(attrs, lhs.size(), rhs.size()), lhs, rhs);
    Shape permuted = result;
    for (size_t i = 0; i < attrs.output_permutation.size(); i++)
      permuted[i] = result[static_cast<size_t>(attrs.output_permutation[i])];
    random_steps(attrs.steps, operands.inputs, permuted, 3);
  }
  return add("dot_general", operands.inputs, share(attrs));
}

TensorId GraphGrower::conv() {
  ConvAttrs attrs;
  const auto d = static_cast<size_t>(random.integer(1, 3));
  attrs.groups = random.integer(1, 3);
  const int64_t per_group = random.integer(1, 3), columns = random.integer(1, 3);
  Shape lhs{random.integer(1, 2)}, rhs;
  for (size_t s = 0; s < d; s++) {
    rhs.push_back(random.integer(1, 3));
    attrs.strides.push_back(random.integer(1, 2));
    attrs.kernel_dilation.push_back(random.integer(1, 2));
    attrs.input_dilation.push_back(random.chance(0.7) ? 1 : 2);
    attrs.pad_lo.push_back(random.chance(0.4) ? 0 : random.integer(-1, 2));
    attrs.pad_hi.push_back(random.chance(0.4) ? 0 : random.integer(-1, 2));
    lhs.push_back(random.integer(7, 9));
  }
  lhs.push_back(attrs.groups * per_group);
  rhs.push_back(per_group);
  rhs.push_back(attrs.groups * columns);
  const auto extents = [&](size_t slot) {
    Shape out(d + 2, 1);
    if (slot % 2 == 0)
      out.front() = random.pick(divisors(lhs.front()));
    else
      out.back() = random.pick(divisors(rhs.back()));
    return out;
  };
  Operands operands = product_operands(lhs, rhs, false, extents);
  attrs.accumulator = operands.accumulator;
  attrs.scale_order = random.chance(0.5) ? ScaleOrder::kLhsFirst : ScaleOrder::kRhsFirst;
  return pointwise(to_float(add("conv", operands.inputs, share(attrs))));
}

TensorId GraphGrower::to_float(TensorId x) {
  if (graph[x].type.type == ValueType::kF32) return x;
  PointwiseAttrs attrs;
  attrs.steps.emplace_back();
  attrs.steps[0].op = "cast";
  return add("pointwise", {x}, share(attrs));
}

TensorId GraphGrower::pointwise(TensorId x) {
  PointwiseAttrs attrs;
  std::vector<TensorId> inputs{x};
  random_steps(attrs.steps, inputs, shape_of(x), 3);
  if (random.chance(0.1) && !attrs.steps.empty() && !attrs.steps[0].operands.empty()) attrs.steps[0].operands[0] = 0;
  return add("pointwise", inputs, share(attrs));
}

TensorId GraphGrower::other(TensorId x) {
  const Shape shape = shape_of(x);
  const auto rank = static_cast<int64_t>(shape.size());
  switch (random.integer(0, 10)) {
    case 0: {
      ReshapeAttrs attrs;
      int64_t rest = element_count(shape);
      for (int i = 0; i < 3; i++) {
        attrs.shape.push_back(random.pick(divisors(rest)));
        rest /= attrs.shape.back();
      }
      attrs.shape.push_back(rest);
      return add("reshape", {x}, share(attrs));
    }
    case 1: {
      TransposeAttrs attrs;
      attrs.permutation = shuffled(random, rank);
      return add("transpose", {x}, share(attrs));
    }
    case 2: {
      SliceAttrs attrs;
      for (int64_t e : shape) {
        attrs.start.push_back(random.integer(0, (e - 1) / 2));
        attrs.size.push_back(random.chance(0.5) ? e - attrs.start.back() : 1);
      }
      return add("slice", {x}, share(attrs));
    }
    case 3: {
      PadAttrs attrs;
      for (size_t i = 0; i < shape.size(); i++) {
        attrs.lo.push_back(random.chance(0.6) ? 0 : 1);
        attrs.hi.push_back(random.chance(0.6) ? 0 : 1);
      }
      return add("pad", {x}, share(attrs));
    }
    case 4: {
      if (rank == 0) return x;
      ConcatAttrs attrs;
      attrs.axis = random.integer(0, rank - 1);
      return add("concat", random.chance(0.5) ? std::vector<TensorId>{x} : std::vector<TensorId>{x, x}, share(attrs));
    }
    case 5: {
      BroadcastAttrs attrs;
      attrs.shape = shape;
      if (random.chance(0.5)) attrs.shape.insert(attrs.shape.begin(), 2);
      return add("broadcast", {x}, share(attrs));
    }
    case 6: {
      if (rank == 0) return x;
      GatherAttrs attrs;
      attrs.axis = random.integer(0, rank - 1);
      return add("gather", {x, source(random_integers(random, ValueType::kI32, {2}, -3, 3), 0.5)}, share(attrs));
    }
    case 7: {
      ReduceAttrs attrs;
      for (int64_t axis = 0; axis < rank; axis++) {
        if (random.chance(0.3)) attrs.axes.push_back(axis);
      }
      attrs.kind = random.pick(std::vector<ReduceKind>{ReduceKind::kSum, ReduceKind::kMax, ReduceKind::kSumSquares});
      attrs.keep_dims = random.chance(0.5);
      return add("reduce", {x}, share(attrs));
    }
    case 8: {
      if (rank < 3) return x;
      PoolAttrs attrs;
      attrs.kind = random.chance(0.5) ? PoolKind::kMax : PoolKind::kSum;
      for (int64_t s = 0; s < rank - 2; s++)
        attrs.windows.push_back({std::min<int64_t>(shape[static_cast<size_t>(1 + s)], 2), random.integer(1, 2), 1});
      return add("pool", {x}, share(attrs));
    }
    case 9:
      return rank == 0 ? x : add("softmax", {x}, share(SoftmaxAttrs{}));
    default:
      return rank == 0 ? x : add("layer_norm", {x}, share(LayerNormAttrs{}));
  }
}

Graph expect_same_bits(const Graph& graph, const std::vector<std::string>& passes, uint64_t seed) {
  Random random(seed);
  const std::vector<HostTensor> inputs = random_inputs(random, graph);
  const auto before = run_reference(graph, inputs);
  EXPECT_TRUE(before.ok()) << before.status().text();
  const auto after_graph = run_passes(graph, passes);
  if (!after_graph.ok()) {
    ADD_FAILURE() << after_graph.status().text();
    return {};
  }
  const auto after = run_reference(*after_graph, inputs);
  EXPECT_TRUE(after.ok()) << after.status().text();
  if (before.ok() && after.ok()) {
    EXPECT_TRUE(same_bits(*after, *before));
  }
  for (size_t i = 0; i < graph.outputs.size(); i++)
    EXPECT_EQ((*after_graph)[after_graph->outputs[i]].name, graph[graph.outputs[i]].name);
  return *after_graph;
}

int count_ops(const Graph& graph, const std::string& op) {
  return static_cast<int>(
      std::count_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) { return node.op == op; }));
}

}  // namespace qlathe::testing
