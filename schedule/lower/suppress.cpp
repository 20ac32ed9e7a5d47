// suppress: a box that stays removes those after it that it overlaps. Which boxes do is known only in turn, so the
// loops are stated by hand: the inner one runs for boxes that stay alone.
#include "frontend/ops/indexing.h"
#include "schedule/lower/operands.h"
#include "schedule/lower/rows.h"

namespace qlathe {
namespace {

using namespace Halide::Internal;
using Halide::Expr;

const Halide::Type kF32 = Halide::Float(32), kU8 = Halide::UInt(8);

Expr number(double x) { return make_const(kF32, x); }
Expr load(const Halide::Type& type, const std::string& name, const Expr& index) {
  return Load::make(type, name, index, Halide::Buffer<>(), {}, const_true(), ModulusRemainder());
}
Stmt store(const std::string& name, const Expr& value, const Expr& index) {
  return Store::make(name, value, index, {}, const_true(), ModulusRemainder());
}
/// Single roundings, which no compiler may fuse.
Expr strict(Call::IntrinsicOp op, const Expr& a, const Expr& b) {
  return Call::make(kF32, op, {a, b}, Call::PureIntrinsic);
}
Expr mul(const Expr& a, const Expr& b) { return strict(Call::strict_mul, a, b); }
Expr add(const Expr& a, const Expr& b) { return strict(Call::strict_add, a, b); }
Expr sub(const Expr& a, const Expr& b) { return strict(Call::strict_sub, a, b); }
Expr above(const Expr& a, const Expr& b) {
  return Call::make(Halide::Bool(), Call::strict_lt, {b, a}, Call::PureIntrinsic);
}
Expr smaller(const Expr& a, const Expr& b) { return Select::make(above(b, a), a, b); }
Expr larger(const Expr& a, const Expr& b) { return Select::make(above(a, b), a, b); }

/// Corners and area of a box, as variables of names that start with `prefix`.
class Box {
 public:
  Box(const std::string& boxes, const Expr& first, bool center, const std::string& prefix) {
    const auto part = [&](int i) { return load(kF32, boxes, first + i); };
    if (center) {
      const Expr x = define(prefix + "cx", part(0)), y = define(prefix + "cy", part(1));
      const Expr w = define(prefix + "hw", mul(part(2), number(0.5))),
                 h = define(prefix + "hh", mul(part(3), number(0.5)));
      y0 = define(prefix + "y0", sub(y, h)), x0 = define(prefix + "x0", sub(x, w));
      y1 = define(prefix + "y1", add(y, h)), x1 = define(prefix + "x1", add(x, w));
    } else {
      const Expr ya = define(prefix + "ya", part(0)), xa = define(prefix + "xa", part(1));
      const Expr yb = define(prefix + "yb", part(2)), xb = define(prefix + "xb", part(3));
      y0 = define(prefix + "y0", smaller(ya, yb)), x0 = define(prefix + "x0", smaller(xa, xb));
      y1 = define(prefix + "y1", larger(ya, yb)), x1 = define(prefix + "x1", larger(xa, xb));
    }
    const Expr height = define(prefix + "dy", sub(y1, y0)), width = define(prefix + "dx", sub(x1, x0));
    area = define(prefix + "area", mul(height, width));
  }
  Stmt around(Stmt body) const {
    for (size_t i = lets_.size(); i-- > 0;)
      body = LetStmt::make(lets_[i].first, lets_[i].second, body);
    return body;
  }
  Expr define(const std::string& name, const Expr& value) {
    lets_.emplace_back(name, value);
    return Variable::make(value.type(), name);
  }
  Expr y0, x0, y1, x1, area;

 private:
  std::vector<std::pair<std::string, Expr>> lets_;
};

Stmt loop(const std::string& name, const Expr& from, const Expr& extent, const Stmt& body) {
  return For::make(name, from, extent, ForType::Serial, Halide::Partition::Never, Halide::DeviceAPI::None, body);
}

Result<NodeLowering> lower_suppress(const LoweringContext& context) {
  const auto& attrs = context.node.as<SuppressAttrs>();
  const Shape& shape = context.out().shape();
  const auto rows = static_cast<int32_t>(shape[0]), n = static_cast<int32_t>(shape[1]);
  KernelBindings bindings(context);
  const std::string boxes = bindings.tensor(context.node.inputs[0], "boxes", context.in(0).shape()).name();
  const std::string candidates = bindings.tensor(context.node.inputs[1], "candidates", shape).name();
  Halide::Func out("stays");
  const Halide::Var i_var("i"), row_var("row");
  out(i_var, row_var) = Halide::cast<uint8_t>(0);
  const std::string stays = out.name(), row_name = stays + ".s0.row";

  const Expr row = Variable::make(Halide::Int(32), row_name), first = row * n;
  const Expr c = Variable::make(Halide::Int(32), "c"), i = Variable::make(Halide::Int(32), "i"),
             j = Variable::make(Halide::Int(32), "j");
  const Box a(boxes, (first + i) * 4, attrs.center, "a_");
  Box b(boxes, (first + j) * 4, attrs.center, "b_");
  const Expr height = b.define("height", sub(smaller(a.y1, b.y1), larger(a.y0, b.y0)));
  const Expr width = b.define("width", sub(smaller(a.x1, b.x1), larger(a.x0, b.x0)));
  const Expr both = b.define("both", mul(height, width));
  const Expr ratio = b.define("ratio", strict(Call::strict_div, both, sub(add(a.area, b.area), both)));
  const Expr overlap = above(height, number(0)) && above(width, number(0)) && above(a.area, number(0)) &&
                       above(b.area, number(0)) &&
                       above(ratio, number(static_cast<double>(static_cast<float>(attrs.iou))));
  const Stmt remove = store(stays, Select::make(overlap, make_zero(kU8), load(kU8, stays, first + j)), first + j);
  const Stmt inner = a.around(loop("j", i + 1, n - 1 - i, b.around(remove)));
  const Expr alive = load(kU8, stays, first + i) != make_zero(kU8);
  const Stmt start =
      loop("c", 0, n,
           store(stays, Select::make(load(kU8, candidates, first + c) != make_zero(kU8), make_one(kU8), make_zero(kU8)),
                 first + c));
  const Stmt body = Block::make(start, loop("i", 0, n, IfThenElse::make(alive, inner)));

  auto pipeline = std::make_shared<KernelPipeline>();
  pipeline->body =
      For::make(row_name, 0, rows, ForType::Serial, Halide::Partition::Never, Halide::DeviceAPI::None, body);
  pipeline->row_loop = "row";
  pipeline->row_extent = rows;
  pipeline->name = "suppress_boxes";
  pipeline->inputs = bindings.inputs();
  pipeline->outputs = {{out, dense_dims(innermost_first_extents(shape)), 1}};
  LoweredCall call;
  call.operands = bindings.operands();
  call.operands.push_back(KernelOperand::of(context.node.outputs[0]));
  call.key = "suppress|" + context.target.name + "|" + to_string(shape) + "|" + std::to_string(attrs.iou) +
             (attrs.center ? " center" : "");
  call.description = "suppress boxes " + to_string(shape) + " by overlaps above " + std::to_string(attrs.iou);
  call.pipeline = std::move(pipeline);
  NodeLowering lowering;
  lowering.calls.push_back(std::move(call));
  return lowering;
}

const LoweringRegistry::Add add_suppress("suppress", lower_suppress);

}  // namespace
}  // namespace qlathe
