#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/ops/pointwise.h"
#include "tests/contraction/run_lowered.h"
#include "tests/support/random_tensor.h"

namespace qlathe::testing {

template <class A>
std::shared_ptr<const OpAttrs> share(A attrs) {
  return std::make_shared<A>(std::move(attrs));
}

struct CaseOperand {
  std::optional<HostTensor> value;  ///< nullopt: absent
  bool constant = false;
};

/// A node of these operands. Fails the test where the op refuses them.
NodeCase node_case(std::string label, const std::string& op, std::shared_ptr<const OpAttrs> attrs,
                   const std::vector<CaseOperand>& operands);

/// Any bit pattern that the type allows: integers over their range with both ends, floats with NaN, infinities, zeros
/// of both signs, subnormals.
HostTensor wild_tensor(Random& random, ValueType type, const Shape& shape);
/// Numbers of about [-4, 4), now and then zeros and halves; codes and integers over their range.
HostTensor tame_tensor(Random& random, ValueType type, const Shape& shape);

PointwiseStep step(std::string op, std::vector<int64_t> operands = {}, ValueType type = ValueType::kF32);

/// The cases give on the target, by every runner of the program, what the reference gives: every bit, NaN equal to NaN
/// of any payload.
void expect_reference(const std::vector<NodeCase>& cases, const std::string& target);

/// The same kernels printed as C++ and compiled with the target's flags.
Result<std::vector<LoadedNode>> load_printed(const std::vector<NodeCase>& cases, const Target& target);

class LoweringOn : public ::testing::TestWithParam<const char*> {};

}  // namespace qlathe::testing
