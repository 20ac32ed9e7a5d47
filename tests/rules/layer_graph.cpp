#include "tests/rules/layer_graph.h"

#include <stdexcept>

#include "frontend/ops/contraction.h"
#include "frontend/ops/movement.h"
#include "frontend/ops/reduction.h"

namespace qlathe::testing {

HostTensor transposed(const HostTensor& x, const std::vector<size_t>& permutation) {
  Shape shape;
  for (size_t axis : permutation)
    shape.push_back(x.shape()[axis]);
  HostTensor out(x.type(), shape);
  const auto strides = row_major_strides(x.shape());
  const auto out_strides = row_major_strides(shape);
  const auto width = static_cast<size_t>(storage_bytes(x.type()));
  for (int64_t i = 0; i < out.size(); i++) {
    int64_t from = 0;
    for (size_t axis = 0; axis < shape.size(); axis++)
      from += i / out_strides[axis] % shape[axis] * strides[permutation[axis]];
    std::memcpy(out.bytes() + static_cast<size_t>(i) * width, x.bytes() + static_cast<size_t>(from) * width, width);
  }
  return out;
}

void LayerGraph::add(const std::string& op, std::vector<TensorId> inputs, std::shared_ptr<const OpAttrs> attrs,
                     Origin origin) {
  auto result = graph.add(op, std::move(inputs), std::move(attrs), std::move(origin));
  if (!result.ok()) throw std::runtime_error(result.status().text());
  at_ = *result;
}

void LayerGraph::bias(const std::string& name, const HostTensor* values) {
  if (!values) return;
  const TensorId constant = graph.add_constant(name + ".bias", *values);
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = {PointwiseStep{.op = "add", .operands = {1}}};
  add("pointwise", {at_, constant}, attrs, {name + "_bias", name, "", ""});
}

LayerGraph& LayerGraph::linear(const std::string& name, const HostTensor& weight, const HostTensor* values) {
  const TensorId kernel = graph.add_constant(name + ".kernel", transposed(weight, {1, 0}));
  auto attrs = std::make_shared<DotGeneralAttrs>();
  attrs->lhs_contracting = {1};
  attrs->rhs_contracting = {0};
  add("dot_general", {at_, kernel}, attrs, {name, name, "dot_general", ""});
  bias(name, values);
  return *this;
}

LayerGraph& LayerGraph::conv(const std::string& name, const HostTensor& weight, const HostTensor* values) {
  const TensorId kernel = graph.add_constant(name + ".kernel", transposed(weight, {2, 3, 1, 0}));
  auto attrs = std::make_shared<ConvAttrs>();
  attrs->strides = attrs->kernel_dilation = attrs->input_dilation = {1, 1};
  attrs->pad_lo = attrs->pad_hi = {0, 0};
  add("conv", {at_, kernel}, attrs, {name, name, "conv_general_dilated", ""});
  bias(name, values);
  return *this;
}

LayerGraph& LayerGraph::activation(const std::string& name, const std::string& step) {
  auto attrs = std::make_shared<PointwiseAttrs>();
  attrs->steps = {PointwiseStep{.op = step}};
  add("pointwise", {at_}, attrs, {name, "", "", ""});
  return *this;
}

LayerGraph& LayerGraph::max_pool(const std::string& name, int64_t size) {
  auto attrs = std::make_shared<PoolAttrs>();
  attrs->windows = {{size, size, 1}, {size, size, 1}};
  add("pool", {at_}, attrs, {name, "", "", ""});
  return *this;
}

LayerGraph& LayerGraph::flatten(const std::string& name) {
  auto order = std::make_shared<TransposeAttrs>();
  order->permutation = {0, 3, 1, 2};
  add("transpose", {at_}, order, {name + "_order", "", "", ""});
  const Shape shape = graph[at_].shape();
  auto attrs = std::make_shared<ReshapeAttrs>();
  attrs->shape = {shape[0], shape[1] * shape[2] * shape[3]};
  add("reshape", {at_}, attrs, {name, "", "", ""});
  return *this;
}

Graph LayerGraph::finish() {
  graph.outputs = {at_};
  return graph;
}

}  // namespace qlathe::testing
