// Loop and Scan of a number of steps that is known while compiling, step by step.
#include <onnx.pb.h>

#include <algorithm>

#include "frontend/formats/onnx/node.h"

namespace qlathe {
namespace {

/// Every step becomes nodes of its own.
constexpr int64_t kMaxSteps = 256;

/// Results of the steps as one tensor with them along `axis`.
TensorId stacked(OnnxNode& node, const std::vector<TensorId>& steps, int64_t axis) {
  if (steps.empty()) node.unsupported("body", "no step is run, which leaves results without a shape");
  std::vector<TensorId> parts;
  for (TensorId t : steps) {
    Shape shape = node.shape(t);
    const int64_t at = node.axis(axis, static_cast<int64_t>(shape.size()) + 1, "scan_output_axes");
    shape.insert(shape.begin() + at, 1);
    parts.push_back(node.reshape(t, shape));
  }
  return node.concat(parts, node.axis(axis, node.rank(steps[0]) + 1, "scan_output_axes"));
}

std::vector<TensorId> run_body(OnnxNode& node, const onnx::GraphProto& body, const std::vector<TensorId>& operands,
                               size_t results) {
  const std::vector<TensorId> out = node.inline_graph(body, operands);
  if (out.size() != results)
    node.problem("body", "has " + std::to_string(out.size()) + " results, expected " + std::to_string(results));
  for (TensorId t : out) {
    if (!t.valid()) throw ImportProblem{};  // noted where it arose
  }
  return out;
}

bool known_condition(OnnxNode& node, TensorId t) {
  const HostTensor* value = node.data(t);
  if (value == nullptr || value->size() != 1)
    node.unsupported("cond", "depends on data; the number of steps must be known while compiling",
                     "export the model with a fixed number of steps");
  return value->int_at(0) != 0;
}

void check_steps_left(OnnxNode& node, int64_t done) {
  if (done >= kMaxSteps)
    node.unsupported("M", "runs more than " + std::to_string(kMaxSteps) + " steps, which are unrolled",
                     "export the step itself, with its states as inputs and outputs");
}

void read_loop(OnnxNode& node) {
  const auto* body = node.graph("body");
  if (body == nullptr) node.problem("body", "is missing");
  int64_t most = INT64_MAX;
  if (node.has(0)) {
    const auto count = node.constant_integers(0, "M");
    if (count.size() != 1) node.problem("M", "is not one number");
    most = count[0];
  }
  bool goes_on = !node.has(1) || known_condition(node, node.in(1));
  std::vector<TensorId> carried;
  for (size_t i = 2; i < node.input_count(); i++)
    carried.push_back(node.in(i));
  const auto results = static_cast<size_t>(body->output_size());
  if (results < carried.size() + 1) node.problem("body", "has fewer results than the loop carries values");
  std::vector<std::vector<TensorId>> scanned(results - carried.size() - 1);
  HostTensor yes(ValueType::kBool, {});
  yes.bytes()[0] = 1;
  const TensorId condition = node.constant(std::move(yes), "true");
  for (int64_t step = 0; goes_on && step < most; step++) {
    check_steps_left(node, step);
    std::vector<TensorId> operands = {node.scalar(ValueType::kI64, static_cast<double>(step)), condition};
    operands.insert(operands.end(), carried.begin(), carried.end());
    const std::vector<TensorId> out = run_body(node, *body, operands, results);
    for (size_t i = 0; i < carried.size(); i++)
      carried[i] = out[1 + i];
    for (size_t i = 0; i < scanned.size(); i++)
      scanned[i].push_back(out[1 + carried.size() + i]);
    if (step + 1 < most) goes_on = known_condition(node, out[0]);
  }
  for (TensorId t : carried)
    node.result(t);
  for (size_t i = 0; i < scanned.size(); i++)
    node.result(node.wants_output(static_cast<int>(carried.size() + i)) ? stacked(node, scanned[i], 0) : condition);
}

void read_scan(OnnxNode& node) {
  const auto* body = node.graph("body");
  if (body == nullptr) node.problem("body", "is missing");
  if (node.opset < 9) node.unsupported("", "of opset 8 is not supported", "convert the model to opset 9 or later");
  const auto inputs = static_cast<size_t>(std::max<int64_t>(node.integer("num_scan_inputs", 0), 0));
  if (inputs < 1 || inputs > node.input_count()) node.problem("num_scan_inputs", "does not fit the operands");
  const size_t states = node.input_count() - inputs, results = static_cast<size_t>(body->output_size());
  if (results < states) node.problem("body", "has fewer results than there are states");
  const size_t outputs = results - states;
  const auto listed = [&](const char* name, size_t count) {
    auto out = node.integers(name, std::vector<int64_t>(count, 0));
    if (out.size() != count) node.problem(name, "has another length than there are scanned tensors");
    return out;
  };
  const auto in_axes = listed("scan_input_axes", inputs), in_back = listed("scan_input_directions", inputs);
  const auto out_axes = listed("scan_output_axes", outputs), out_back = listed("scan_output_directions", outputs);
  std::vector<TensorId> carried, scanned;
  for (size_t i = 0; i < node.input_count(); i++)
    (i < states ? carried : scanned).push_back(node.in(i));
  int64_t steps = -1;
  std::vector<int64_t> axes;
  for (size_t i = 0; i < inputs; i++) {
    axes.push_back(node.axis(in_axes[i], node.rank(scanned[i]), "scan_input_axes"));
    const int64_t n = node.shape(scanned[i])[static_cast<size_t>(axes[i])];
    if (steps >= 0 && n != steps) node.problem("input", "the scanned tensors differ in length");
    steps = n;
  }
  std::vector<std::vector<TensorId>> made(outputs);
  for (int64_t step = 0; step < steps; step++) {
    check_steps_left(node, step);
    std::vector<TensorId> operands = carried;
    for (size_t i = 0; i < inputs; i++) {
      Shape rest = node.shape(scanned[i]);
      rest.erase(rest.begin() + axes[i]);
      const int64_t at = in_back[i] != 0 ? steps - 1 - step : step;
      operands.push_back(node.reshape(node.slice_axis(scanned[i], axes[i], at, 1), rest));
    }
    const std::vector<TensorId> out = run_body(node, *body, operands, results);
    std::copy_n(out.begin(), states, carried.begin());
    for (size_t i = 0; i < outputs; i++)
      made[i].insert(out_back[i] != 0 ? made[i].begin() : made[i].end(), out[states + i]);
  }
  for (TensorId t : carried)
    node.result(t);
  for (size_t i = 0; i < outputs; i++)
    node.result(stacked(node, made[i], out_axes[i]));
}

const OnnxOps::Add kOps({{"Loop", read_loop}, {"Scan", read_scan}});

}  // namespace
}  // namespace qlathe
