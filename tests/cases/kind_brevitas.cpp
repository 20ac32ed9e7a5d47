// brevitas_act and brevitas_weight: Brevitas' quantizers of activations, calibrated, and of weights, whose scales are
// found while compiling; the quantized tensor and its values come from a graph.
#include "frontend/ops/pointwise.h"
#include "frontend/rules/brevitas_quantize.h"
#include "frontend/rules/node_builder.h"
#include "tests/cases/case_kind.h"
#include "tests/numerics/brevitas_case.h"

namespace qlathe::cases {
namespace {

using brevitas::Activation;
using brevitas::Number;
using brevitas::Quantizer;
using brevitas::RoundMode;
using testing::GoldenCase;

/// `got` with one element per element of a tensor of `shape`, where the case stores scales so.
HostTensor expanded(const HostTensor& got, const HostTensor& want, const Shape& shape, const Shape& tile) {
  if (got.size() == want.size() || element_count(shape) != want.size() || tile.size() != shape.size()) return got;
  HostTensor out(got.type(), want.shape());
  const auto width = static_cast<size_t>(storage_bytes(got.type()));
  for (int64_t i = 0; i < out.size(); i++) {
    int64_t at = 0, stride = 1, rest = i;
    for (size_t d = shape.size(); d-- > 0;) {
      at += rest % shape[d] / tile[d] * stride;
      stride *= (shape[d] + tile[d] - 1) / tile[d];
      rest /= shape[d];
    }
    std::memcpy(out.bytes() + static_cast<size_t>(i) * width, got.bytes() + static_cast<size_t>(at) * width, width);
  }
  return out;
}

Allowance allowance_for(const GoldenCase& golden, const std::string& key) {
  const Tolerance tolerance(golden.json.at("tolerance"));
  if (key == "scale") return tolerance.scale(Source::kWeight);
  return key == "output" ? tolerance.output() : Allowance{};
}

void compare(Findings& findings, const GoldenCase& golden, const std::string& key, const HostTensor& got) {
  if (golden.has(key)) findings.compare(key, got, golden.array(key), allowance_for(golden, key));
}

const char* step_of(Activation activation) {
  switch (activation) {
    case Activation::kIdentity:
      return "";
    case Activation::kRelu:
      return "relu";
    case Activation::kTanh:
      return "tanh";
    case Activation::kSigmoid:
      return "sigmoid";
    case Activation::kHardSwish:
      return "hard_swish";
  }
  return "";
}

/// Rounds float32 in one of Brevitas' modes.
Result<TensorId> add_rounding(NodeBuilder& builder, TensorId t, RoundMode mode) {
  const auto one = [&](const char* suffix, TensorId x, const char* op) {
    return builder.pointwise(suffix, x, Chain().step(op, ValueType::kF32));
  };
  if (mode == RoundMode::kRound) return one(".rounded", t, "round");
  if (mode == RoundMode::kFloor) return one(".rounded", t, "floor");
  if (mode == RoundMode::kCeil) return one(".rounded", t, "ceil");
  TensorId below, above;
  if (mode == RoundMode::kDpu) {
    // Half to even, but up where t is below 0.
    QL_ASSIGN(above, one(".even", t, "round"));
    QL_ASSIGN(const TensorId up, one(".up", t, "ceil"));
    QL_ASSIGN(const TensorId floor, one(".floor", t, "floor"));
    Chain half;
    half.step("sub", ValueType::kF32, {floor}).step("equal", ValueType::kBool, {builder.scalar(0.5f)});
    half.step("select", ValueType::kF32, {up, above});
    QL_ASSIGN(below, builder.pointwise(".below", t, half));
  } else {
    QL_ASSIGN(below, one(".below", t, "ceil"));
    QL_ASSIGN(above, one(".above", t, "floor"));
  }
  Chain chain;
  chain.step("less", ValueType::kBool, {builder.scalar(0)}).step("select", ValueType::kF32, {below, above});
  return builder.pointwise(".rounded", t, chain);
}

/// As the library computes it, in float32 throughout, which keeps the sign of zeros: integers have no -0.
/// `zero` is float32.
Result<TensorId> add_fake_quantize(NodeBuilder& builder, TensorId x, TensorId scale, TensorId zero,
                                   const Quantizer& q) {
  Chain in, out;
  in.step("div", ValueType::kF32, {scale}).step("add", ValueType::kF32, {zero});
  QL_ASSIGN(const TensorId t, builder.pointwise(".float_scaled", x, in));
  QL_ASSIGN(const TensorId rounded, add_rounding(builder, t, q.rounding));
  // The library's clamp leaves a -0 at a bound of 0.
  out.step("max", ValueType::kF32, {builder.scalar(static_cast<float>(q.min_int()))});
  out.last().swapped = true;
  out.step("min", ValueType::kF32, {builder.scalar(static_cast<float>(q.max_int()))});
  out.last().swapped = true;
  out.step("sub", ValueType::kF32, {zero}).step("mul", ValueType::kF32, {scale});
  return builder.pointwise(".float_dequantized", rounded, out);
}

/// The integers' way back to float: `want` with +0 for each -0, which integers do not have.
HostTensor without_negative_zero(HostTensor want) {
  for (float& value : want.as<float>())
    if (value == 0) value = 0;
  return want;
}

class BrevitasAct : public CaseKind {
 public:
  Result<Prepared> prepare(const CaseRef& ref, Executor& executor) const override {
    const auto golden = GoldenCase::open(ref.folder);
    QL_ASSIGN(const Activation activation,
              brevitas::parse_activation_layer(golden.json.at("layer").get<std::string>()));
    BrevitasTarget target;
    target.rule.act = brevitas::cases::act_quantizer(golden);
    target.rule.weight.number = target.rule.bias.number = Number::kFloat;
    const HostTensor input = golden.array("input");
    Graph graph;
    graph.name = "activation";
    const TensorId x = graph.add_input("x", {input.type(), input.shape()});
    graph.outputs = {x};
    if (activation != Activation::kIdentity) {
      NodeBuilder builder(graph, Origin{"act", "", "", ""});
      QL_ASSIGN(const TensorId y, builder.pointwise("", x, Chain().step(step_of(activation), ValueType::kF32)));
      graph.outputs = {y};
    }
    const auto wanted =
        activation == Activation::kIdentity ? BrevitasSite::Kind::kInput : BrevitasSite::Kind::kActivation;
    for (const BrevitasSite& site : brevitas_sites(graph))
      if (site.kind == wanted) target.site = site;
    if (target.site.op.empty()) return Status::internal("the activation is no place that a rule can take");
    CalibrationBatches batches;
    while (golden.has("calib" + std::to_string(batches.size())))
      batches.push_back({golden.array("calib" + std::to_string(batches.size()))});
    QL_ASSIGN(BrevitasResult result, quantize_brevitas(graph, {target}, batches, executor));

    Prepared out;
    out.findings.expect(result.activations.size() == 1, "activations", "not one");
    compare(out.findings, golden, "scale", HostTensor::scalar(result.activations.at(0).scale));
    compare(out.findings, golden, "zero_point", HostTensor::scalar(result.activations[0].zero_point));
    Job job;
    job.graph = std::move(result.graph);
    const int last = job.graph.producer(job.graph.outputs.at(0));
    if (last < 0) return Status::internal("the activation was not quantized");
    job.graph.outputs.push_back(job.graph.nodes[static_cast<size_t>(last)].inputs[0]);
    job.runs = {{input}};
    if (target.rule.act.number == Number::kInt) {
      const TensorId activated = activation == Activation::kIdentity ? job.graph.inputs[0] : job.graph.find("act");
      if (!activated.valid()) return Status::internal("the activation has another name");
      NodeBuilder builder(job.graph, Origin{"emulated", "", "", ""});
      QL_ASSIGN(const TensorId emulated,
                add_fake_quantize(builder, activated, builder.scalar(result.activations[0].scale),
                                  builder.scalar(result.activations[0].zero_point), target.rule.act));
      job.graph.outputs.push_back(emulated);
    }
    job.check = [golden, minifloat = target.rule.act.number == Number::kMinifloat](
                    size_t, const std::vector<HostTensor>& outputs, Findings& findings) {
      // Minifloats: `output_int` holds mantissas, which no tensor of the graph does.
      if (!minifloat) compare(findings, golden, "output_int", outputs.at(1));
      compare(findings, golden, "output", outputs.size() > 2 ? outputs[2] : outputs.at(0));
      if (outputs.size() < 3) return;
      const HostTensor want = without_negative_zero(golden.array("output"));
      findings.compare("output of the integers", outputs[0], want, allowance_for(golden, "output"));
    };
    out.jobs.push_back(std::move(job));
    return out;
  }
};

/// x / scale + zero point, rounded as Brevitas' modes do, as steps or nodes; then stored values and back.
class WeightGraph {
 public:
  WeightGraph(const Quantizer& q, const brevitas::Quantized& quantized, const Shape& shape)
      : q_(q), quantized_(quantized), shape_(shape), builder_(graph_, Origin{"w", "", "", ""}) {
    graph_.name = "weight";
  }

  /// Outputs: stored values, the dequantized ones, and for integers those that the library computes in float.
  Result<Graph> build(ValueType stored) {
    const TensorId x = graph_.add_input("x", {ValueType::kF32, shape_});
    const TensorId scale = graph_.add_constant("scale", parameter(quantized_.scale));
    const TensorId zero_float = graph_.add_constant("zero_point_float", parameter(quantized_.zero_point));
    const bool has_zero = q_.zero_point != brevitas::ZeroPoint::kZero;
    const TensorId zero = has_zero ? zero_float : kNone;
    QL_ASSIGN(const TensorId values, quantize(x, scale, zero, stored));
    Chain back;
    back.step("cast", ValueType::kF32);
    if (has_zero) back.step("sub", ValueType::kF32, {zero});
    back.step("mul", ValueType::kF32, {scale});
    QL_ASSIGN(const TensorId dequantized, builder_.pointwise(".dequantized", values, back));
    graph_.outputs = {values, dequantized};
    if (q_.number == Number::kInt) {
      QL_ASSIGN(const TensorId emulated, add_fake_quantize(builder_, x, scale, zero_float, q_));
      graph_.outputs.push_back(emulated);
    }
    return std::move(graph_);
  }

 private:
  /// Of the weight's rank, one extent per axis.
  HostTensor parameter(const HostTensor& p) const { return p.size() == 1 ? p.reshaped(Shape(shape_.size(), 1)) : p; }

  Result<TensorId> quantize(TensorId x, TensorId scale, TensorId zero, ValueType stored) {
    if (q_.number == Number::kBinary) {
      const TensorId nought = builder_.scalar(0), one = builder_.scalar(1), minus = builder_.scalar(-1);
      Chain chain;
      chain.step("greater_equal", ValueType::kBool, {nought}).step("select", ValueType::kF32, {one, minus});
      return builder_.pointwise(".values", x, chain.step("cast", stored));
    }
    Chain chain;
    chain.step("div", ValueType::kF32, {scale});
    if (zero.valid()) chain.step("add", ValueType::kF32, {zero});
    if (q_.number == Number::kMinifloat) return builder_.pointwise(".values", x, chain.step("cast", stored));
    if (q_.rounding == RoundMode::kDpu) {
      return Status::unsupported({"", q_.name, "rounding"}, "dpu rounding of a weight as nodes of a graph");
    }
    chain.step("cast", stored);
    chain.last().lo = static_cast<double>(q_.min_int());
    chain.last().hi = static_cast<double>(q_.max_int());
    chain.last().rounding = q_.rounding == RoundMode::kFloor         ? Rounding::kFloor
                            : q_.rounding == RoundMode::kCeil        ? Rounding::kCeil
                            : q_.rounding == RoundMode::kRoundToZero ? Rounding::kToZero
                                                                     : Rounding::kHalfEven;
    return builder_.pointwise(".values", x, chain);
  }

  const Quantizer& q_;
  const brevitas::Quantized& quantized_;
  Shape shape_;
  Graph graph_;
  NodeBuilder builder_;
};

class BrevitasWeight : public CaseKind {
 public:
  Result<Prepared> prepare(const CaseRef& ref, Executor&) const override {
    const auto golden = GoldenCase::open(ref.folder);
    const Quantizer q = brevitas::cases::weight_quantizer(golden);
    const HostTensor weight = golden.array("weight");
    QL_ASSIGN(const brevitas::Quantized quantized, brevitas::quantize_weight(weight, q));
    Prepared out;
    const auto direct = [&](const char* key, const HostTensor& got) {
      if (!golden.has(key)) return;
      compare(out.findings, golden, key, expanded(got, golden.array(key), weight.shape(), quantized.tile));
    };
    direct("scale", quantized.scale);
    direct("zero_point", quantized.zero_point);
    direct("int", quantized.integers);
    direct("dequantized", quantized.dequantized);

    Job job;
    const auto stored = brevitas::storage_type(q);
    bool divides = true;
    for (size_t d = 0; d < quantized.tile.size(); d++)
      divides &= weight.shape()[d] % quantized.tile[d] == 0;
    if (!stored.ok() || !divides) {
      // Such a weight is compiled as the float constant of its values: the constant, times one.
      NodeBuilder builder(job.graph, Origin{"w", "", "", ""});
      job.graph.name = "weight";
      const TensorId x = job.graph.add_input("x", {ValueType::kF32, weight.shape()});
      const TensorId constant = builder.constant("dequantized", quantized.dequantized);
      QL_ASSIGN(const TensorId y,
                builder.pointwise(".dequantized", x, Chain().step("mul", ValueType::kF32, {constant})));
      job.graph.outputs = {y};
      HostTensor ones(ValueType::kF32, weight.shape());
      for (float& value : ones.as<float>())
        value = 1.0f;
      job.runs = {{std::move(ones)}};
      job.check = [golden](size_t, const std::vector<HostTensor>& outputs, Findings& findings) {
        compare(findings, golden, "dequantized", outputs.at(0));
      };
      out.findings.notes.push_back(stored.ok() ? "groups do not divide an axis: compiled as a float constant"
                                               : "no storage type: compiled as a float constant");
    } else {
      QL_ASSIGN(job.graph, WeightGraph(q, quantized, weight.shape()).build(*stored));
      QL_ASSIGN(const HostTensor codes, brevitas::stored_values(quantized, q));
      job.runs = {{weight}};
      job.check = [golden, codes, minifloat = q.number == Number::kMinifloat](
                      size_t, const std::vector<HostTensor>& outputs, Findings& findings) {
        // Minifloats: `int` holds mantissas; the codes that stand for them were compared with it by their values.
        if (minifloat) findings.compare("stored", outputs.at(0), codes);
        if (!minifloat) compare(findings, golden, "int", outputs.at(0));
        const HostTensor want = golden.array("dequantized");
        findings.compare("dequantized", outputs.back(), want);
        if (outputs.size() > 2) findings.compare("dequantized integers", outputs[1], without_negative_zero(want));
      };
    }
    out.jobs.push_back(std::move(job));
    return out;
  }
};

const Registered act("brevitas_act", std::make_unique<BrevitasAct>());
const Registered weight("brevitas_weight", std::make_unique<BrevitasWeight>());

}  // namespace
}  // namespace qlathe::cases
