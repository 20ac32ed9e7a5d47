// Graphs whose tensors share memory (views of slices and concats, results in place of operands, states that follow each
// other) give the reference's bits.
#include <gtest/gtest.h>

#include "codegen/native/jit_executor.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/pointwise.h"
#include "frontend/reference/reference_executor.h"
#include "schedule/memory/aliases.h"
#include "schedule/program.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace qlathe {
namespace {

using testing::Random;

class Sharing : public ::testing::Test {
 protected:
  Sharing() { x_ = graph_.add_input("x", {ValueType::kF32, {4, 6, 8}}); }

  TensorId map(const std::string& name, const std::string& op, std::vector<TensorId> inputs) {
    auto attrs = std::make_shared<PointwiseAttrs>();
    PointwiseStep step;
    step.op = op;
    for (size_t i = 1; i < inputs.size(); i++)
      step.operands.push_back(static_cast<int64_t>(i));
    step.type = ValueType::kF32;
    if (!op.empty()) attrs->steps = {step};
    return take(graph_.add("pointwise", std::move(inputs), attrs, {name, "", "", ""}));
  }
  TensorId slice(const std::string& name, TensorId from, Shape start, Shape size) {
    auto attrs = std::make_shared<SliceAttrs>();
    attrs->start = std::move(start);
    attrs->size = std::move(size);
    return take(graph_.add("slice", {from}, attrs, {name, "", "", ""}));
  }
  TensorId concat(const std::string& name, std::vector<TensorId> parts, int64_t axis) {
    auto attrs = std::make_shared<ConcatAttrs>();
    attrs->axis = axis;
    return take(graph_.add("concat", std::move(parts), attrs, {name, "", "", ""}));
  }
  TensorId take(Result<TensorId> id) {
    EXPECT_TRUE(id.ok()) << id.status().text();
    return id.ok() ? *id : kNone;
  }

  Program plan(const char* target = "generic") {
    const auto program = plan_program(graph_, *TargetRegistry::find(target));
    EXPECT_TRUE(program.ok()) << program.status().text();
    return program.ok() ? *program : Program{};
  }

  /// Operands of slices and concats that need no copy.
  int copies_saved() { return Aliases(graph_, {}).copies_saved(); }

  /// Two runs, so that states matter.
  void expect_reference() {
    Random random(11);
    const std::vector<HostTensor> inputs = {testing::random_tensor(random, ValueType::kF32, {4, 6, 8}, 3.0f)};
    ReferenceExecutor reference;
    JitExecutor jit;
    const auto expected = reference.prepare(graph_), actual = jit.prepare(graph_);
    ASSERT_TRUE(expected.ok()) << expected.status().text();
    ASSERT_TRUE(actual.ok()) << actual.status().text();
    for (int run = 0; run < 4; run++) {
      const auto want = (*expected)->run(inputs), got = (*actual)->run(inputs);
      ASSERT_TRUE(want.ok()) << want.status().text();
      ASSERT_TRUE(got.ok()) << got.status().text();
      EXPECT_TRUE(testing::same_bits(*got, *want)) << "run " << run;
    }
  }

  Graph graph_;
  TensorId x_;
};

TEST_F(Sharing, PartsOfAConcatAlongTheOutermostAxisAreWrittenInPlace) {
  const TensorId a = map("a", "exp", {x_}), b = map("b", "relu", {x_});
  graph_.outputs = {map("y", "mul", {concat("c", {a, b, a}, 0), concat("d", {b, b, x_}, 0)})};
  // Of c's operands a (once) and b; d takes nothing: b has its place already.
  EXPECT_EQ(copies_saved(), 2);
  expect_reference();
}

TEST_F(Sharing, ConcatAlongAnInnerAxisIsCopied) {
  graph_.outputs = {map("y", "relu", {concat("c", {map("a", "exp", {x_}), map("b", "relu", {x_})}, 2)})};
  EXPECT_EQ(copies_saved(), 0);
  expect_reference();
}

TEST_F(Sharing, ConcatThatIsAnOutputTakesItsPartsDirectly) {
  const TensorId a = map("a", "exp", {x_}), b = map("b", "relu", {a});
  graph_.outputs = {concat("y", {a, b}, 0)};
  const Program program = plan();
  EXPECT_EQ(copies_saved(), 2);
  EXPECT_EQ(program.arena_bytes, 0) << "both parts are in the caller's output";
  EXPECT_EQ(program.calls.size(), 2u);
  expect_reference();
}

TEST_F(Sharing, ConcatsInConcatsAreOneBuffer) {
  const TensorId a = map("a", "exp", {x_}), b = map("b", "relu", {x_}), c = map("c", "abs", {x_});
  graph_.outputs = {map("y", "relu", {concat("outer", {concat("inner", {a, b}, 0), c}, 0)})};
  EXPECT_EQ(copies_saved(), 4);
  expect_reference();
}

TEST_F(Sharing, SlicesThatLieTogetherAreViewsAndOthersAreCopied) {
  const TensorId a = map("a", "exp", {x_});
  const TensorId upper = slice("upper", a, {0, 0, 0}, {2, 6, 8}), lower = slice("lower", a, {2, 0, 0}, {2, 6, 8});
  const TensorId row = slice("row", a, {1, 2, 0}, {1, 3, 8}), column = slice("column", a, {0, 0, 3}, {4, 6, 1});
  graph_.outputs = {map("s", "add", {upper, lower}), map("r", "relu", {row}), map("k", "relu", {column}),
                    slice("out", a, {3, 0, 0}, {1, 6, 8})};
  EXPECT_EQ(copies_saved(), 3) << "upper, lower and row; an output keeps storage of its own";
  expect_reference();
}

TEST_F(Sharing, ResultIsNotInPlaceOfWhatAViewStillReads) {
  const TensorId a = map("a", "exp", {x_}), part = slice("part", a, {1, 0, 0}, {1, 6, 8});
  const TensorId b = map("b", "relu", {a});
  graph_.outputs = {map("y", "add", {b, part})};
  expect_reference();
  // part's first row is the last of a that b's kernel overwrites: with a broadcast operand from within a it may not.
  Graph fresh;
  graph_ = fresh;
  x_ = graph_.add_input("x", {ValueType::kF32, {4, 6, 8}});
  const TensorId c = map("c", "exp", {x_}), first = slice("first", c, {0, 0, 0}, {1, 6, 8});
  graph_.outputs = {map("z", "relu", {map("sum", "add", {c, first})})};
  expect_reference();
}

TEST_F(Sharing, ElementWiseResultTakesThePlaceOfEitherOperand) {
  const TensorId a = map("a", "exp", {x_}), b = map("b", "relu", {x_});
  const TensorId sum = map("sum", "add", {a, b});  // b dies here, a lives on
  graph_.outputs = {map("y", "mul", {map("t", "tanh", {sum}), a})};
  const Program program = plan();
  EXPECT_EQ(program.arena_bytes, 2 * 4 * 6 * 8 * 4);
  expect_reference();
}

TEST_F(Sharing, StatesThatFollowEachOtherAreReadBeforeTheyAreWritten) {
  const auto zero = std::make_shared<const HostTensor>(ValueType::kF32, Shape{4, 6, 8});
  std::vector<TensorId> line;
  for (const char* name : {"s0", "s1", "s2"})
    line.push_back(graph_.add_tensor(name, {ValueType::kF32, {4, 6, 8}}));
  const TensorId moved = map("moved", "add", {x_, line[2]});
  graph_.states = {{line[0], moved, zero}, {line[1], line[0], zero}, {line[2], line[1], zero}};
  graph_.outputs = {map("y", "add", {moved, line[1]})};
  expect_reference();
}

TEST_F(Sharing, ViewsOfAStateAreReadBeforeItIsWritten) {
  const auto zero = std::make_shared<const HostTensor>(ValueType::kF32, Shape{4, 6, 8});
  const TensorId s = graph_.add_tensor("s", {ValueType::kF32, {4, 6, 8}});
  const TensorId newest = slice("newest", x_, {0, 0, 0}, {1, 6, 8});
  const TensorId next = concat("next", {slice("kept", s, {1, 0, 0}, {3, 6, 8}), newest}, 0);
  graph_.states = {{s, next, zero}};
  graph_.outputs = {map("y", "add", {next, slice("oldest", s, {0, 0, 0}, {1, 6, 8})})};
  expect_reference();
}

}  // namespace
}  // namespace qlathe
