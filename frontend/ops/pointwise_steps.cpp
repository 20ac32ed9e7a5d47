#include "frontend/ops/pointwise_steps.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "frontend/ir/suggest.h"
#include "frontend/ops/checks.h"
#include "frontend/ops/tiled_broadcast.h"

namespace qlathe {
namespace {

std::map<std::string, StepDef>& registry() {
  static std::map<std::string, StepDef> steps;
  return steps;
}

std::string step_field(size_t index, const char* field) { return "steps[" + std::to_string(index) + "]." + field; }

Status check_operands(const InferContext& ctx, const PointwiseStep& step, const StepDef& def, size_t index,
                      const Shape& result, size_t first_operand) {
  const auto count = static_cast<int>(step.operands.size());
  if (count < def.min_operands || count > def.max_operands) {
    std::string expected = std::to_string(def.min_operands);
    if (def.max_operands != def.min_operands) expected += " to " + std::to_string(def.max_operands);
    return ctx.error(step_field(index, "operands"),
                     "step '" + step.op + "' has " + std::to_string(count) + " operands, expected " + expected);
  }
  for (size_t k = 0; k < step.operands.size(); k++) {
    const int64_t operand = step.operands[k];
    if (operand < static_cast<int64_t>(first_operand) || operand >= static_cast<int64_t>(ctx.node.inputs.size()) ||
        !ctx.has(static_cast<size_t>(operand))) {
      return ctx.error(step_field(index, "operands"),
                       "input " + std::to_string(operand) + " is not an operand of the steps (the node has " +
                           std::to_string(ctx.node.inputs.size()) + " inputs, steps may use those from " +
                           std::to_string(first_operand) + " on)");
    }
    const TensorType& type = ctx.in(static_cast<size_t>(operand));
    if (type.type == ValueType::kF64) {
      return ctx.error(step_field(index, "operands"), "input " + std::to_string(operand) + " is float64",
                       "convert it to float32");
    }
    if (def.table != 0 && k == 0) {
      if (type.shape != Shape{def.table}) {
        return ctx.error(step_field(index, "operands"),
                         "a table has the shape " + std::to_string(def.table) + ", not " + to_string(type.shape));
      }
    } else if (!broadcasts_to(type.shape, result)) {
      return ctx.error(step_field(index, "operands"),
                       "input " + std::to_string(operand) + " of shape " + to_string(type.shape) +
                           " does not broadcast to the result " + to_string(result),
                       "extents must divide the result's, aligned at the last axis");
    }
  }
  return {};
}

/// Runs the steps of a node over chunks of its result.
class StepRunner {
 public:
  StepRunner(const std::vector<PointwiseStep>& steps, const std::vector<const HostTensor*>& inputs,
             const HostTensor& from, HostTensor& to)
      : from_(from), from_index_(from.shape(), to.shape()), to_(to) {
    ValueType type = from.type();
    for (const PointwiseStep& step : steps) {
      Bound bound{StepRegistry::find(step.op), {step, type, {}, nullptr, 0, 0}, {}, {}};
      QL_CHECK(bound.def != nullptr && bound.def->apply != nullptr, step.op);
      for (size_t k = 0; k < step.operands.size(); k++) {
        const HostTensor* operand = inputs[static_cast<size_t>(step.operands[k])];
        bound.args.operands.push_back(operand->type());
        const bool whole = bound.def->table != 0 && k == 0;
        if (whole) bound.args.table = operand;
        bound.operands.push_back(whole ? nullptr : operand);
        bound.index.emplace_back(whole ? Shape{} : operand->shape(), whole ? Shape{} : to.shape());
      }
      if (is_integer(step.type)) cut_range(bound.args);
      type = step.type;
      steps_.push_back(std::move(bound));
    }
  }

  void run() {
    constexpr size_t kChunk = 1024;
    std::vector<int64_t> at(kChunk);
    std::vector<Value> v(kChunk), loaded(kChunk), operands(4 * kChunk);
    for (int64_t begin = 0; begin < to_.size(); begin += static_cast<int64_t>(kChunk)) {
      const size_t n = std::min(kChunk, static_cast<size_t>(to_.size() - begin));
      from_index_.fill(begin, {at.data(), n});
      load_values(from_, at.data(), n, v.data());
      for (const Bound& step : steps_) {
        const size_t count = step.operands.size();
        for (size_t k = 0; k < count; k++) {
          if (step.operands[k] == nullptr) continue;
          step.index[k].fill(begin, {at.data(), n});
          load_values(*step.operands[k], at.data(), n, loaded.data());
          for (size_t i = 0; i < n; i++)
            operands[i * count + k] = loaded[i];
        }
        for (size_t i = 0; i < n; i++)
          v[i] = step.def->apply(step.args, v[i], &operands[i * count]);
      }
      store_values(v.data(), n, begin, to_);
    }
  }

 private:
  struct Bound {
    const StepDef* def;
    StepArgs args;
    std::vector<const HostTensor*> operands;  // null for a table
    std::vector<BroadcastIndex> index;
  };
  static void cut_range(StepArgs& args) {
    const ValueTypeInfo& type = info(args.step.type);
    const double lo = std::ceil(args.step.lo), hi = std::floor(args.step.hi);
    args.lo = lo <= static_cast<double>(type.min) ? type.min : static_cast<int64_t>(lo);
    args.hi = hi >= static_cast<double>(type.max) ? type.max : static_cast<int64_t>(hi);
  }

  const HostTensor& from_;
  BroadcastIndex from_index_;
  HostTensor& to_;
  std::vector<Bound> steps_;
};

}  // namespace

const StepDef* StepRegistry::find(const std::string& name) {
  const auto it = registry().find(name);
  return it == registry().end() ? nullptr : &it->second;
}

std::vector<std::string> StepRegistry::names() {
  std::vector<std::string> out;
  for (const auto& entry : registry())
    out.push_back(entry.first);
  return out;
}

StepRegistry::Add::Add(StepDef def) {
  const std::string name = def.name;
  QL_CHECK(def.max_operands <= 4, name);
  const bool added = registry().emplace(name, std::move(def)).second;
  QL_CHECK(added, "step '" + name + "' is registered twice");
}

StepRegistry::Add::Add(const std::vector<StepDef>& defs) {
  for (const StepDef& def : defs)
    Add{def};
}

bool follows_steps(const std::vector<PointwiseStep>& steps, size_t operand) {
  return std::none_of(steps.begin(), steps.end(), [&](const PointwiseStep& step) {
    const StepDef* def = StepRegistry::find(step.op);
    return def != nullptr && def->table != 0 && step.operands[0] == static_cast<int64_t>(operand);
  });
}

Result<ValueType> check_steps(const InferContext& ctx, const std::vector<PointwiseStep>& steps, ValueType initial,
                              const Shape& result, size_t first_operand) {
  ValueType type = initial;
  for (size_t index = 0; index < steps.size(); index++) {
    const PointwiseStep& step = steps[index];
    const StepDef* def = StepRegistry::find(step.op);
    if (def == nullptr) {
      return ctx.error(step_field(index, "op"), "unknown step " + in_quotes(step.op),
                       did_you_mean(step.op, StepRegistry::names()));
    }
    QL_RETURN_IF_ERROR(check_operands(ctx, step, *def, index, result, first_operand));
    if (type == ValueType::kF64 || step.type == ValueType::kF64) {
      return ctx.error(step_field(index, "type"), "float64 is not computed with", "convert to float32");
    }
    StepTypes types{step, type, {}};
    for (int64_t operand : step.operands)
      types.operands.push_back(ctx.in(static_cast<size_t>(operand)).type);
    if (std::string wrong = def->check(types); !wrong.empty()) {
      return ctx.error(step_field(index, "type"), "step '" + step.op + "' " + wrong);
    }
    const bool integer = is_integer(step.type);
    const double lo = integer ? std::max(std::ceil(step.lo), static_cast<double>(info(step.type).min)) : step.lo;
    const double hi = integer ? std::min(std::floor(step.hi), static_cast<double>(info(step.type).max)) : step.hi;
    if (!(lo <= hi)) {  // NaN too
      return ctx.error(step_field(index, "lo"),
                       "no " + std::string(name(step.type)) + " lies in [lo, hi] of step '" + step.op + "'");
    }
    type = step.type;
  }
  return type;
}

std::vector<size_t> broadcast_operands(const std::vector<PointwiseStep>& steps) {
  std::set<size_t> used;
  for (const PointwiseStep& step : steps) {
    const StepDef* def = StepRegistry::find(step.op);
    for (size_t k = 0; k < step.operands.size(); k++) {
      if (step.operands[k] >= 0 && !(def != nullptr && def->table != 0 && k == 0))
        used.insert(static_cast<size_t>(step.operands[k]));
    }
  }
  return {used.begin(), used.end()};
}

void run_steps(const std::vector<PointwiseStep>& steps, const std::vector<const HostTensor*>& inputs,
               const HostTensor& from, HostTensor& to) {
  StepRunner(steps, inputs, from, to).run();
}

}  // namespace qlathe
