#include "api/layer_error.h"

#include <gtest/gtest.h>

#include <cmath>

#include "api/native_executor.h"
#include "frontend/ops/contraction.h"
#include "frontend/ops/pointwise.h"

namespace qlathe {
namespace {

/// x [1, 4] times [4, 2]; with `step` the input is first rounded to multiples of it.
Graph product(float step) {
  Graph graph;
  TensorId x = graph.add_input("x", {ValueType::kF32, {1, 4}});
  if (step > 0) {
    auto rounded = std::make_shared<PointwiseAttrs>();
    rounded->steps = {{.op = "mul", .operands = {1}}, {.op = "round"}, {.op = "mul", .operands = {2}}};
    const TensorId up = graph.add_constant("up", HostTensor::scalar(1 / step)),
                   down = graph.add_constant("down", HostTensor::scalar(step));
    x = *graph.add("pointwise", {x, up, down}, rounded, {.name = "rounded"});
  }
  const TensorId w = graph.add_constant("w", HostTensor::of<float>(ValueType::kF32, {4, 2}, {1, 2, 3, 4, 5, 6, 7, 8}));
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_contracting = {1};
  attrs->rhs_contracting = {0};
  graph.outputs = {*graph.add("dot_general", {x, w}, attrs, {.name = "y", .rule_op = "dot_general"})};
  return graph;
}

Result<std::vector<LayerError>> measure(const Graph& a, const Graph& b) {
  const CalibrationBatches batches = {{HostTensor::of<float>(ValueType::kF32, {1, 4}, {0.3f, -0.7f, 0.11f, 0.95f})}};
  return measure_layers(a, b, batches, *reference_executor());
}

TEST(LayerError, EqualModelsHaveNoNoise) {
  const auto layers = measure(product(0), product(0));
  ASSERT_TRUE(layers.ok()) << layers.status().text();
  ASSERT_EQ(layers->size(), 1u);
  EXPECT_EQ(layers->at(0).layer, "y");
  EXPECT_TRUE(std::isinf(layers->at(0).sqnr_db));
  EXPECT_EQ(layers->at(0).difference, 0);
}

TEST(LayerError, IsTheRatioOfThePowersInDecibel) {
  // Rounded to halves: 0.5, -0.5, 0, 1 in place of 0.3, -0.7, 0.11, 0.95.
  const auto layers = measure(product(0), product(0.5f));
  ASSERT_TRUE(layers.ok()) << layers.status().text();
  const double y[] = {0.3 - 2.1 + 0.55 + 6.65, 0.6 - 2.8 + 0.66 + 7.6}, q[] = {0.5 - 1.5 + 7, 1 - 2 + 8};
  double signal = 0, noise = 0;
  for (int i = 0; i < 2; i++) {
    signal += y[i] * y[i];
    noise += (y[i] - q[i]) * (y[i] - q[i]);
  }
  EXPECT_NEAR(layers->at(0).sqnr_db, 10 * std::log10(signal / noise), 1e-4);
  EXPECT_NEAR(layers->at(0).largest, y[1], 1e-5);
}

}  // namespace
}  // namespace qlathe
