#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "frontend/ops/pointwise.h"
#include "frontend/reference/reference_executor.h"

namespace qlathe::testing {

using Operands = std::vector<std::optional<HostTensor>>;

template <class A>
std::shared_ptr<const OpAttrs> share(A attrs) {
  return std::make_shared<A>(std::move(attrs));
}

/// A graph of one node named "n" whose operands are graph inputs (absent where nullopt), run by the reference.
inline Result<HostTensor> try_op(const std::string& op, std::shared_ptr<const OpAttrs> attrs,
                                 const Operands& operands) {
  Graph graph;
  graph.name = "test";
  std::vector<TensorId> ids;
  std::vector<HostTensor> inputs;
  for (const std::optional<HostTensor>& operand : operands) {
    if (!operand) {
      ids.push_back(kNone);
      continue;
    }
    ids.push_back(graph.add_input("x", {operand->type(), operand->shape()}));
    inputs.push_back(*operand);
  }
  QL_ASSIGN(const TensorId out, graph.add(op, ids, std::move(attrs), {.name = "n"}));
  graph.outputs = {out};
  QL_ASSIGN(std::vector<HostTensor> results, run_reference(graph, inputs));
  return results.at(0);
}

inline HostTensor run_op(const std::string& op, std::shared_ptr<const OpAttrs> attrs, const Operands& operands) {
  Result<HostTensor> result = try_op(op, std::move(attrs), operands);
  if (!result.ok()) throw std::runtime_error(result.status().text());
  return std::move(result).value();
}

/// The text of the failure, or "no error".
inline std::string error_of(const std::string& op, std::shared_ptr<const OpAttrs> attrs, const Operands& operands) {
  const Result<HostTensor> result = try_op(op, std::move(attrs), operands);
  return result.ok() ? "no error" : result.status().text();
}

inline HostTensor f32(Shape shape, const std::vector<float>& values) {
  return HostTensor::of<float>(ValueType::kF32, std::move(shape), values);
}
inline HostTensor i32(Shape shape, const std::vector<int32_t>& values) {
  return HostTensor::of<int32_t>(ValueType::kI32, std::move(shape), values);
}
inline HostTensor i8(Shape shape, const std::vector<int8_t>& values) {
  return HostTensor::of<int8_t>(ValueType::kI8, std::move(shape), values);
}
inline HostTensor u8(Shape shape, const std::vector<uint8_t>& values) {
  return HostTensor::of<uint8_t>(ValueType::kU8, std::move(shape), values);
}

inline PointwiseStep step(std::string op, std::vector<int64_t> operands = {}, ValueType type = ValueType::kF32) {
  PointwiseStep s;
  s.op = std::move(op);
  s.operands = std::move(operands);
  s.type = type;
  return s;
}

inline std::shared_ptr<const OpAttrs> chain(std::vector<PointwiseStep> steps) {
  PointwiseAttrs attrs;
  attrs.steps = std::move(steps);
  return share(attrs);
}

}  // namespace qlathe::testing
