#include "tests/lowering/lowering_cases.h"

#include <cmath>
#include <cstring>

#include "frontend/reference/reference_executor.h"
#include "schedule/target.h"
#include "tests/support/compare.h"

namespace qlathe::testing {
namespace {

/// NaNs of any payload made the same.
HostTensor with_one_nan(HostTensor t) {
  if (is_code(t.type()) || !is_float(t.type())) return t;
  for (int64_t i = 0; i < t.size(); i++) {
    if (!std::isnan(real_at(t, i))) continue;
    if (t.type() == ValueType::kF32)
      t.as<float>()[static_cast<size_t>(i)] = std::nanf("");
    else
      t.as<uint16_t>()[static_cast<size_t>(i)] = 0x7fff;
  }
  return t;
}

}  // namespace

NodeCase node_case(std::string label, const std::string& op, std::shared_ptr<const OpAttrs> attrs,
                   const std::vector<CaseOperand>& operands) {
  NodeCase out;
  out.label = std::move(label);
  std::vector<TensorId> ids;
  for (const CaseOperand& operand : operands) {
    if (!operand.value) {
      ids.push_back(kNone);
    } else if (operand.constant) {
      ids.push_back(out.graph.add_constant("c", *operand.value));
    } else {
      ids.push_back(out.graph.add_input("x", {operand.value->type(), operand.value->shape()}));
      out.inputs.push_back(*operand.value);
    }
  }
  const auto id = out.graph.add(op, ids, std::move(attrs), {"n", "", "", ""});
  QL_CHECK(id.ok(), out.label + ": " + id.status().text());
  out.graph.outputs = {*id};
  return out;
}

HostTensor wild_tensor(Random& random, ValueType type, const Shape& shape) {
  HostTensor out = random_tensor(random, type, shape, 4.f);
  const auto any = [&](const std::vector<uint32_t>& special) {
    return random.chance(0.5) ? random.pick(special) : static_cast<uint32_t>(random.integer(0, 0xffffffff));
  };
  for (int64_t i = 0; i < out.size(); i++) {
    const auto at = static_cast<size_t>(i);
    if (!random.chance(0.4)) continue;
    if (is_integer(type)) {
      out.set_int(i, random.chance(0.5) ? info(type).min : info(type).max);
    } else if (type == ValueType::kF32) {
      const uint32_t bits = any({0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 1, 0x80000001,
                                 0x3f000000, 0xbf000000, 0x3fc00000, 0x4f000000, 0xcf000000, 0x4b000001, 0x4a800001});
      std::memcpy(&out.as<float>()[at], &bits, 4);
    } else if (type == ValueType::kBF16) {
      out.as<uint16_t>()[at] =
          static_cast<uint16_t>(any({0, 0x8000, 0x7f80, 0xff80, 0x7fc0, 0xffc0, 1, 0x8001, 0x3f00}));
    } else if (type == ValueType::kF16) {
      out.as<uint16_t>()[at] =
          static_cast<uint16_t>(any({0, 0x8000, 0x7c00, 0xfc00, 0x7e00, 0xfe00, 1, 0x8001, 0x3800, 0x7bff}));
    } else if (type == ValueType::kF8E4M3 || type == ValueType::kF8E5M2) {
      out.bytes()[at] = static_cast<uint8_t>(random.integer(0, 255));
    }
  }
  return out;
}

HostTensor tame_tensor(Random& random, ValueType type, const Shape& shape) {
  HostTensor out = random_tensor(random, type, shape, 4.f);
  if (type != ValueType::kF32) return out;
  for (float& x : out.as<float>()) {
    if (random.chance(0.1)) x = std::nearbyint(x * 2) / 2;
  }
  return out;
}

PointwiseStep step(std::string op, std::vector<int64_t> operands, ValueType type) {
  PointwiseStep s;
  s.op = std::move(op);
  s.operands = std::move(operands);
  s.type = type;
  return s;
}

void expect_reference(const std::vector<NodeCase>& given, const std::string& target_name) {
  const Target* target = TargetRegistry::find(target_name);
  ASSERT_NE(target, nullptr);
  if (!host_can_run(*target)) GTEST_SKIP() << "this machine does not run " << target_name;
  const std::vector<NodeCase> cases = chosen_cases(given);
  std::vector<HostTensor> expected;
  for (const NodeCase& c : cases) {
    auto results = run_reference(c.graph, c.inputs);
    ASSERT_TRUE(results.ok()) << results.status().text();
    expected.push_back(with_one_nan(std::move((*results)[0])));
  }
  for (const CaseRunner& runner : case_runners()) {
    const auto results = runner.run(cases, *target);
    ASSERT_TRUE(results.ok()) << results.status().text();
    for (size_t i = 0; i < cases.size(); i++) {
      EXPECT_TRUE(same_bits(with_one_nan((*results)[i]), expected[i]))
          << cases[i].label << " on " << target_name << " " << runner.what;
    }
  }
}

}  // namespace qlathe::testing
