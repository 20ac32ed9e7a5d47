// Networks in strips of rows: the same bits with less memory.
#include "api/row_streaming.h"

#include <gtest/gtest.h>

#include "api/pipeline.h"
#include "codegen/native/jit_executor.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/reduction.h"
#include "frontend/reference/reference_executor.h"
#include "schedule/strips/stream_rows.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace qlathe {
namespace {

using testing::Random;

/// int8 networks of one image.
class Network {
 public:
  explicit Network(Shape image, uint64_t seed = 1) : random_(seed) {
    graph_.name = "net";
    last_ = graph_.add_input("x", {ValueType::kI8, std::move(image)});
  }

  TensorId last() const { return last_; }
  const Shape& shape() const { return graph_[last_].shape(); }
  Random& random() { return random_; }

  struct Conv {
    int64_t channels = 8, kernel = 3, stride = 1, dilation = 1, pad_lo = 1, pad_hi = 1;
    bool depthwise = false;
  };
  void conv(const Conv& c) {
    const int64_t from = shape().back(), to = c.depthwise ? from : c.channels;
    const TensorId rhs = graph_.add_constant(
        "w", testing::random_tensor(random_, ValueType::kI8, {c.kernel, c.kernel, c.depthwise ? 1 : from, to}));
    auto attrs = std::make_shared<ConvAttrs>();
    attrs->strides = {c.stride, c.stride};
    attrs->kernel_dilation = {c.dilation, c.dilation};
    attrs->input_dilation = {1, 1};
    attrs->pad_lo = {c.pad_lo, c.pad_lo};
    attrs->pad_hi = {c.pad_hi, c.pad_hi};
    attrs->groups = c.depthwise ? from : 1;
    attrs->accumulator = ValueType::kI32;
    attrs->steps = {shift(), cast(ValueType::kI8)};
    add("conv", {last_, rhs}, attrs);
  }
  void pool(PoolKind kind) {
    auto attrs = std::make_shared<PoolAttrs>();
    attrs->kind = kind;
    attrs->windows = {{3, 2, 1}, {3, 2, 1}};
    attrs->pad_lo = attrs->pad_hi = {1, 1};
    if (kind == PoolKind::kSum) attrs->steps = {shift(), cast(ValueType::kI8)};
    add("pool", {last_}, attrs);
  }
  /// The larger of it and an earlier tensor of the same shape.
  void join(TensorId other) {
    auto widened = std::make_shared<PointwiseAttrs>();
    widened->steps = {cast(ValueType::kI32)};
    const TensorId last = last_;
    add("pointwise", {other}, widened);
    const TensorId wide = last_;
    auto attrs = std::make_shared<PointwiseAttrs>();
    PointwiseStep larger;
    larger.op = "max";
    larger.type = ValueType::kI32;
    larger.operands = {1};
    attrs->steps = {cast(ValueType::kI32), larger, cast(ValueType::kI8)};
    add("pointwise", {last, wide}, attrs);
  }

  Graph finish() {
    graph_.outputs = {last_};
    const auto canonical = canonical_graph(graph_);
    EXPECT_TRUE(canonical.ok()) << canonical.status().text();
    return canonical.ok() ? *canonical : Graph{};
  }

 private:
  static PointwiseStep shift() {
    PointwiseStep step;
    step.op = "shift_right";
    step.type = ValueType::kI32;
    step.shift_right = 8;
    step.rounding = Rounding::kHalfUp;
    return step;
  }
  static PointwiseStep cast(ValueType type) {
    PointwiseStep step;
    step.op = "cast";
    step.type = type;
    return step;
  }
  void add(const char* op, std::vector<TensorId> inputs, std::shared_ptr<const OpAttrs> attrs) {
    const auto added =
        graph_.add(op, std::move(inputs), std::move(attrs), {op + std::to_string(graph_.nodes.size()), "", "", ""});
    ASSERT_TRUE(added.ok()) << added.status().text();
    last_ = *added;
  }

  Random random_;
  Graph graph_;
  TensorId last_;
};

std::vector<HostTensor> run(Executor&& executor, const Graph& graph, const std::vector<HostTensor>& inputs) {
  const auto executable = executor.prepare(graph);
  EXPECT_TRUE(executable.ok()) << executable.status().text();
  if (!executable.ok()) return {};
  const auto outputs = (*executable)->run(inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status().text();
  return outputs.ok() ? *outputs : std::vector<HostTensor>{};
}

void expect_same_bits(const Graph& strips, const Graph& whole, bool native) {
  Random random(5);
  const std::vector<HostTensor> inputs = testing::random_inputs(random, whole);
  const std::vector<HostTensor> expected = run(ReferenceExecutor(), whole, inputs);
  EXPECT_TRUE(testing::same_bits(run(ReferenceExecutor(), strips, inputs), expected)) << "by reference";
  if (!native) return;
  EXPECT_TRUE(testing::same_bits(run(JitExecutor(), strips, inputs), expected)) << "by JIT";
}

/// An inverted residual: wide between two narrow tensors.
void inverted_residual(Network& net, int64_t width, int64_t channels, int64_t stride) {
  const TensorId from = net.last();
  const Shape shape = net.shape();
  net.conv({.channels = width, .kernel = 1, .pad_lo = 0, .pad_hi = 0});
  net.conv({.stride = stride, .depthwise = true});
  net.conv({.channels = channels, .kernel = 1, .pad_lo = 0, .pad_hi = 0});
  if (net.shape() == shape) net.join(from);
}

TEST(RowStreaming, InvertedResidualsTakeLessMemoryAndGiveTheSameBits) {
  Network net({1, 24, 20, 3});
  net.conv({.channels = 8, .stride = 2});
  inverted_residual(net, 48, 8, 1);
  inverted_residual(net, 48, 12, 2);
  const Graph whole = net.finish();
  const auto streamed = stream_rows(whole);
  ASSERT_TRUE(streamed.ok()) << streamed.status().text();
  ASSERT_FALSE(streamed->chains.empty());
  EXPECT_LT(2 * live_peak_bytes(streamed->graph), live_peak_bytes(whole));
  EXPECT_GT(streamed->macs, streamed->macs_before) << "rows that two strips need are computed twice";
  expect_same_bits(streamed->graph, whole, true);
}

TEST(RowStreaming, RandomNetworksGiveTheSameBits) {
  int in_strips = 0;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    Network net({1, 17 + static_cast<int64_t>(seed % 9), 9, 4}, seed);
    Random& random = net.random();
    for (int layer = 0; layer < 6; layer++) {
      const TensorId before = net.last();
      const Shape shape = net.shape();
      if (shape[1] < 6 || shape[2] < 6) break;
      if (random.chance(0.2)) {
        net.pool(random.chance(0.5) ? PoolKind::kMax : PoolKind::kSum);
      } else {
        net.conv({.channels = random.integer(3, 20),
                  .kernel = random.integer(1, 3),
                  .stride = random.chance(0.2) ? 2 : 1,
                  .dilation = random.integer(1, 2),
                  .pad_lo = random.integer(0, 2),
                  .pad_hi = random.integer(0, 2),
                  .depthwise = random.chance(0.4)});
      }
      if (net.shape() == shape) net.join(before);
    }
    const Graph whole = net.finish();
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto streamed = stream_rows(whole);
    ASSERT_TRUE(streamed.ok()) << streamed.status().text();
    if (streamed->chains.empty()) continue;
    in_strips++;
    EXPECT_LE(live_peak_bytes(streamed->graph), live_peak_bytes(whole));
    expect_same_bits(streamed->graph, whole, seed % 15 == 0);
    if (HasFailure()) return;
  }
  EXPECT_GT(in_strips, 30) << "networks that strips help";
}

TEST(RowStreaming, OnlyAsFarAsTheLimitAsks) {
  Network net({1, 24, 20, 3});
  net.conv({.channels = 8});
  inverted_residual(net, 48, 8, 1);
  const Graph whole = net.finish();
  const Target& target = *TargetRegistry::find("generic");
  const auto plan = [&](RowStreaming streaming, std::optional<int64_t> ram) {
    auto planned = plan_rows(whole, target, streaming, ram, 1);
    EXPECT_TRUE(planned.ok()) << planned.status().text();
    return std::move(planned).value();
  };
  const PlannedGraph plain = plan(RowStreaming::kNever, 1000), roomy = plan(RowStreaming::kToFit, 1 << 20);
  EXPECT_TRUE(plain.notes.empty()) << "never is never";
  EXPECT_TRUE(roomy.notes.empty()) << "it fits as it is";
  const PlannedGraph least = plan(RowStreaming::kAlways, {});
  ASSERT_FALSE(least.notes.empty());
  const int64_t between = (plain.program.arena_bytes + least.program.arena_bytes) / 2;
  const PlannedGraph fit = plan(RowStreaming::kToFit, between);
  EXPECT_LE(fit.program.arena_bytes, between);
  EXPECT_LE(fit.program.calls.size(), least.program.calls.size());
}

TEST(RowStreaming, WhatHasNoRowsToCutStaysAsItIs) {
  Network net({1, 1, 1, 64});
  net.conv({.channels = 32, .kernel = 1, .pad_lo = 0, .pad_hi = 0});
  net.conv({.channels = 64, .kernel = 1, .pad_lo = 0, .pad_hi = 0});
  const Graph whole = net.finish();
  const auto streamed = stream_rows(whole);
  ASSERT_TRUE(streamed.ok()) << streamed.status().text();
  EXPECT_TRUE(streamed->chains.empty());
  EXPECT_EQ(streamed->graph.nodes.size(), whole.nodes.size());
}

}  // namespace
}  // namespace qlathe
