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

/// All kernels of the cases in one shared object for the target; each is run in two parts of its rows, the later first,
/// on memory that ends at a guard page, and gives what the reference gives: every bit, NaN equal to NaN of any payload.
void expect_reference(const std::vector<NodeCase>& cases, const std::string& target);

/// The same kernels printed as C++ and compiled with the target's flags.
Result<std::vector<LoadedNode>> load_printed(const std::vector<NodeCase>& cases, const Target& target);

class LoweringOn : public ::testing::TestWithParam<const char*> {};

}  // namespace qlathe::testing
