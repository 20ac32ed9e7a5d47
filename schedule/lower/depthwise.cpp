// depthwise: every channel with its own window. This file has the general form (any types, windows, multiplier): a tile
// of columns x channels in registers, one tap after the other. depthwise_dot.cpp has the fast one for 8-bit operands.
#include <algorithm>
#include <cstring>
#include <limits>

#include "schedule/halide_algebra.h"
#include "schedule/lower/depthwise_shape.h"
#include "schedule/lower/requantize_kernel.h"

namespace qlathe {

using Halide::cast;
using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

namespace {

int32_t i32(int64_t value) { return static_cast<int32_t>(value); }

}  // namespace

DepthwiseKernel::DepthwiseKernel(const LoweringContext& c)
    : context(c), attrs(c.node.as<DepthwiseAttrs>()), operands(c), out_shape(c.out().shape()) {
  spatial = attrs.windows.size();
  channels = c.in(kLhs).shape().back();
  multiplier = c.in(kRhs).shape().back();
  for (const Window& w : attrs.windows)
    taps *= w.kernel;
  lhs_strides = row_major_strides(c.in(kLhs).shape());
}

int64_t DepthwiseKernel::rows() const { return element_count(out_shape) / n(); }

FlightValue DepthwiseKernel::operand(size_t input, const std::string& parameter, const std::vector<Expr>& at) {
  const Shape& shape = context.in(input).shape();
  std::vector<int64_t> extents(out_shape.size() - shape.size(), 1);
  extents.insert(extents.end(), shape.begin(), shape.end());
  return operands.at(context.node.inputs[input], parameter, extents, out_shape, at);
}

Result<Expr> DepthwiseKernel::epilogue(const Expr& accumulator, double added_bound,
                                       const std::vector<PointwiseStep>& steps, const std::vector<Expr>& at) {
  const double bound = product_bound(context.in(kLhs).type.type, context.has(kLhsZeroPoint), context.in(kRhs).type.type,
                                     context.has(kRhsZeroPoint), taps, added_bound, attrs.accumulator);
  FlightValue value = {accumulator, attrs.accumulator, bound};
  const OperandAt operand_at = [&](size_t input, const std::string& name) { return operand(input, name, at); };
  if (context.has(kLhsScale) || context.has(kRhsScale))
    value = scale_product(context, value, attrs.scale_order, operand_at);
  return finish_product(context, value, steps, operand_at, [&](size_t input, const Expr& index) {
    return operands.table(context.node.inputs[input], index);
  });
}

Result<NodeLowering> DepthwiseKernel::finish(Func out, std::vector<KernelDim> dims, const std::string& row_loop,
                                             int64_t row_extent, const std::string& form, const std::string& tile,
                                             Halide::Internal::Stmt body) {
  const ValueType out_type = context.out().type.type;
  auto pipeline = std::make_shared<KernelPipeline>();
  pipeline->name = form + "_" + name(context.in(kLhs).type.type) + "_" + name(context.in(kRhs).type.type) + "_" + tile;
  pipeline->inputs = operands.inputs();
  pipeline->outputs = {{std::move(out), std::move(dims), storage_bytes(out_type)}};
  pipeline->body = std::move(body);
  pipeline->unrolled = std::move(unrolled);
  pipeline->row_loop = row_loop;
  pipeline->row_extent = row_loop.empty() ? 1 : i32(row_extent);
  LoweredCall call;
  call.operands = operands.operands();
  call.operands.push_back(KernelOperand::of(context.node.outputs[0]));
  call.macs = element_count(out_shape) * taps;
  call.min_rows_per_task = i32(std::max<int64_t>(1, 50000 * row_extent / std::max<int64_t>(1, call.macs)));
  call.description = form + " " + to_string(context.in(kLhs).shape()) + " * " + to_string(context.in(kRhs).shape()) +
                     " -> " + to_string(out_shape) + ", tile " + tile;
  call.key = form + "|" + context.target.name + "|" + to_string(context.in(kLhs).shape()) + "*" +
             to_string(context.in(kRhs).shape()) + ";" + tile + ";";
  for (const Window& w : attrs.windows)
    call.key += std::to_string(w.kernel) + "/" + std::to_string(w.stride) + "/" + std::to_string(w.dilation) + ",";
  for (size_t slot = 0; slot < kContractionExtra; slot++)
    call.key += context.has(slot) ? std::string(name(context.in(slot).type.type)) + "," : "-,";
  call.key += std::string(name(attrs.accumulator)) + std::to_string(static_cast<int>(attrs.scale_order)) + "|" +
              operands.key() + "|" + epilogue_key + "|" + name(out_type);
  if (!note.empty()) call.notes.push_back(note);
  call.pipeline = std::move(pipeline);
  lowering.calls.push_back(std::move(call));
  return std::move(lowering);
}

namespace {

constexpr int64_t kUnrolledTaps = 5;

/// Columns of a tile of a scalar kernel: what costs the least loads and multiplications, a last tile that overlaps its
/// neighbour counted. Sums and a row's weights stay in registers.
int64_t scalar_columns(const DepthwiseKernel& k, int64_t columns) {
  const Window& x = k.attrs.windows.back();
  const bool shared = x.kernel <= kUnrolledTaps && x.stride < x.kernel && x.dilation == 1;
  int64_t best = 1, least = std::numeric_limits<int64_t>::max();
  for (int64_t tile = 1; tile <= std::min<int64_t>(5, columns); tile++) {
    const int64_t loads = x.kernel + (shared ? (tile - 1) * x.stride + x.kernel : tile * x.kernel);
    const int64_t rows = k.taps / x.kernel, cost = rows * (loads + tile * x.kernel + 5) + tile * 16;
    const int64_t all = (columns + tile - 1) / tile * cost;
    if (all >= least) continue;
    best = tile;
    least = all;
  }
  return best;
}

Result<NodeLowering> lower_general(const LoweringContext& c) {
  DepthwiseKernel k(c);
  const bool float_sum = k.attrs.accumulator == ValueType::kF32;
  const Halide::Type type =
      float_sum ? Halide::Float(32) : Halide::Int(k.attrs.accumulator == ValueType::kI64 ? 64 : 32);
  const ValueType lhs_type = c.in(kLhs).type.type, rhs_type = c.in(kRhs).type.type;
  Halide::ImageParam lhs = k.operands.tensor(c.node.inputs[kLhs], "lhs");
  Halide::ImageParam rhs = k.operands.tensor(c.node.inputs[kRhs], "weights");

  static const char* const kNames[4][3] = {{}, {"x"}, {"y", "x"}, {"z", "y", "x"}};
  static const char* const kWindowNames[4][3] = {{}, {"kx"}, {"ky", "kx"}, {"kz", "ky", "kx"}};
  if (k.spatial < 1 || k.spatial > 3)
    return Status::unsupported(c.place(), "depthwise with " + std::to_string(k.spatial) + " spatial axes");
  Var n("n"), image("i");
  std::vector<Var> axes;  // outermost first
  for (size_t s = 0; s < k.spatial; s++)
    axes.emplace_back(kNames[k.spatial][s]);
  std::vector<Var> vars = {n};
  vars.insert(vars.end(), axes.rbegin(), axes.rend());
  vars.push_back(image);
  std::vector<Expr> at = {image};
  for (const Var& axis : axes)
    at.push_back(axis);
  at.push_back(n);

  Halide::Region region;
  for (size_t s = k.spatial; s-- > 0;)
    region.push_back({0, i32(k.attrs.windows[s].kernel)});
  RDom r(region, "r");
  const auto tap_of = [&](size_t s) { return r[static_cast<int>(k.spatial - 1 - s)]; };
  Expr position = image * i32(k.lhs_strides[0]), tap = 0;
  for (size_t s = 0; s < k.spatial; s++) {
    const Window& w = k.attrs.windows[s];
    position += (axes[s] * i32(w.stride) + tap_of(s) * i32(w.dilation)) * i32(k.lhs_strides[s + 1]);
    tap = tap * i32(w.kernel) + tap_of(s);
  }
  const Expr channel = k.multiplier == 1 ? Expr(n) : n / i32(k.multiplier);
  const auto element = [&](ValueType from, const Expr& stored, size_t zero_slot, const char* name) {
    Expr value = float_sum ? to_float(load_value(from, stored)).expr : cast(type, stored);
    if (!c.has(zero_slot)) return value;
    return value - cast(type, k.operand(zero_slot, name, at).expr);
  };
  // Scalar kernels too start their sums at the zero point's term and end them in a proven formula.
  DepthwiseSums sums;
  std::optional<RequantChoice> choice;
  Halide::ImageParam initial;
  const bool integers = !c.target.vectorize && depthwise_sums_apply(c);
  if (integers) {
    sums = depthwise_sums(k);
    choice = sums.choose(k);
    PackedConstant constant{c.node.origin.name + ".initial", ValueType::kI32, {k.n()}, {}, "[c]"};
    constant.bytes.resize(sums.start.size() * 4);
    std::memcpy(constant.bytes.data(), sums.start.data(), constant.bytes.size());
    k.lowering.constants.push_back(constant);
    initial = k.operands.constant(constant, 0, "initial");
  }
  const Expr a = integers ? cast(type, lhs(position + channel))
                          : element(lhs_type, lhs(position + channel), kLhsZeroPoint, "lhs_zero_point");
  const Expr w = element(rhs_type, rhs(tap * i32(k.n()) + n), kRhsZeroPoint, "rhs_zero_point");
  Func sum("acc"), out("out");
  std::vector<Expr> here(vars.begin(), vars.end());
  sum(vars) = integers ? initial(n) : Halide::Internal::make_zero(type);
  sum(here) = float_sum ? HalideAlgebra::fma(a, w, sum(here)) : sum(here) + a * w;
  if (choice) {
    const RequantKernel requant(*choice, c.out().type.type, c.node.origin.name, false, k.operands, k.lowering);
    k.epilogue_key = requant.key();
    out(vars) = requant.apply(sum(here), n);
  } else {
    const std::vector<PointwiseStep>& steps = integers ? sums.steps : k.attrs.steps;
    QL_ASSIGN(const Expr result, k.epilogue(sum(here), sums.added, steps, at));
    out(vars) = result;
    k.epilogue_key = steps_key(steps);
  }
  if (integers) k.epilogue_key += "|initial";

  // Tile: columns x channels.
  const Var x = axes.back(), xo("xo"), xi("xi"), np("np"), nj("nj"), v("v"), lane("c");
  const int64_t columns = k.out_shape[k.spatial];
  const bool vectors = c.target.vectorize;
  int64_t lanes = vectors ? c.target.lanes(k.attrs.accumulator == ValueType::kI64 ? 64 : 32) : 1;
  while (lanes > k.n())
    lanes /= 2;
  const int64_t tile = vectors ? std::min<int64_t>(4, columns) : scalar_columns(k, columns);
  // Scalars: as many sums as stay in registers, columns first, which share a weight.
  const int64_t width = vectors ? std::min<int64_t>(2, k.n() / lanes) * lanes
                                : std::clamp<int64_t>(c.target.max_accumulators / tile, 1, k.n());
  const auto tail = [](bool exact) { return exact ? TailStrategy::RoundUp : TailStrategy::ShiftInwards; };
  out.split(n, np, nj, i32(width), tail(k.n() % width == 0));
  out.split(x, xo, xi, i32(tile), tail(columns % tile == 0));
  std::vector<Halide::VarOrRVar> order;
  if (vectors) {
    out.split(nj, v, lane, i32(lanes), TailStrategy::RoundUp).vectorize(lane);
    order = {lane, v, xi, xo, np};
  } else {
    order = {nj, xi, xo, np};
  }
  std::vector<Var> outer(axes.rbegin() + 1, axes.rend());
  outer.push_back(image);
  for (const Var& var : outer)
    order.push_back(var);
  out.reorder(order);
  Var fused = outer[0];
  for (size_t i = 1; i < outer.size(); i++) {
    Var next(i + 1 == outer.size() ? "row" : "f");
    out.fuse(fused, outer[i], next);
    fused = next;
  }
  sum.compute_at(out, xo);
  auto update = sum.update();
  for (size_t s = 0; s < k.spatial; s++)
    update.rename(RVar(tap_of(s).name()), RVar(kWindowNames[k.spatial][s]));
  if (vectors) {
    sum.split(n, v, lane, i32(lanes), TailStrategy::RoundUp).vectorize(lane).reorder({lane, v, x});
    update.split(n, v, lane, i32(lanes));
    order = {lane, v, x};
  } else {
    sum.reorder({n, x});
    order = {n, x};
  }
  for (size_t s = k.spatial; s-- > 0;)
    order.push_back(RVar(kWindowNames[k.spatial][s]));
  update.reorder(order);
  if (vectors) update.vectorize(lane);

  std::vector<KernelDim> dims;
  // Neighbouring columns read the same elements: with the taps of a row unrolled, once.
  if (!vectors && k.attrs.windows.back().kernel <= kUnrolledTaps)
    k.unrolled = {{sum.name(), kWindowNames[k.spatial][k.spatial - 1]}};
  int64_t stride = 1;
  for (size_t d = k.out_shape.size(); d-- > 0;) {
    dims.push_back({i32(k.out_shape[d]), i32(stride), 0});
    stride *= k.out_shape[d];
  }
  int64_t row_extent = 1;
  for (size_t d = 0; d < k.spatial; d++)
    row_extent *= k.out_shape[d];
  return k.finish(out, dims, fused.name(), row_extent, "depthwise",
                  std::to_string(tile) + "x" + std::to_string(width / lanes) + "x" + std::to_string(lanes));
}

Result<NodeLowering> lower_depthwise(const LoweringContext& context) {
  try {
    return depthwise_dot_applies(context) ? lower_depthwise_dot(context) : lower_general(context);
  } catch (const Halide::Error& error) {
    return Status::internal(std::string("depthwise '") + context.node.origin.name + "': " + error.what());
  }
}

const LoweringRegistry::Add add_depthwise("depthwise", lower_depthwise);

}  // namespace
}  // namespace qlathe
