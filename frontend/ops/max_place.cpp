#include "frontend/ops/checks.h"
#include "frontend/ops/indexing.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const auto& attrs = ctx.node.as<MaxPlaceAttrs>();
  const TensorType &x = ctx.in(0), &m = ctx.in(1);
  const size_t d = attrs.windows.size();
  QL_RETURN_IF_ERROR(check_rank(ctx, 0, d + 2, "[images, spatial.., channels]"));
  QL_RETURN_IF_ERROR(check_rank(ctx, 1, d + 2, "[images, spatial.., channels]"));
  if (!attrs.pad_lo.empty()) QL_RETURN_IF_ERROR(check_length(ctx, "pad_lo", attrs.pad_lo.size(), d));
  QL_RETURN_IF_ERROR(check_length(ctx, "weights", attrs.weights.size(), d));
  if (x.type != m.type || (x.type != ValueType::kF32 && !is_integer(x.type)))
    return ctx.error("m",
                     "is " + to_string(m) + " of x " + to_string(x) + "; both are float32, or integers of one type");
  if (x.shape[0] != m.shape[0] || x.shape.back() != m.shape.back())
    return ctx.error("m", "of shape " + qlathe::to_string(m.shape) + " has not x's images and channels");
  for (const Window& w : attrs.windows) {
    if (w.kernel < 1 || w.stride < 1 || w.dilation < 1) return ctx.error("windows", "have extents below 1");
  }
  return std::vector<TensorType>{{ValueType::kI32, m.shape}};
}

class Places {
 public:
  explicit Places(const EvalContext& ctx)
      : attrs_(ctx.node.as<MaxPlaceAttrs>()), x_(*ctx.inputs[0]), m_(*ctx.inputs[1]), out_(*ctx.outputs[0]) {}

  void run() {
    const auto strides = row_major_strides(m_.shape());
    const auto own = row_major_strides(x_.shape());
    for (int64_t o = 0; o < out_.size(); o++) {
      position_.clear();
      for (size_t s = 0; s < attrs_.windows.size(); s++)
        position_.push_back(o / strides[1 + s] % m_.shape()[1 + s]);
      const int64_t base = o / strides[0] * own[0] + o % m_.shape().back();
      int32_t place = 0;
      search(0, o, base, 0, own, place);
      out_.set_int(o, place);
    }
  }

 private:
  /// True once the element is found.
  bool search(size_t axis, int64_t o, int64_t at, int64_t place, const std::vector<int64_t>& own, int32_t& found) {
    if (axis == attrs_.windows.size()) {
      if (!equal(at, o)) return false;
      found = static_cast<int32_t>(place);
      return true;
    }
    const Window& w = attrs_.windows[axis];
    for (int64_t k = 0; k < w.kernel; k++) {
      const int64_t p = position_[axis] * w.stride + k * w.dilation - (attrs_.pad_lo.empty() ? 0 : attrs_.pad_lo[axis]);
      if (p < 0 || p >= x_.shape()[1 + axis]) continue;
      if (search(axis + 1, o, at + p * own[1 + axis], place + p * attrs_.weights[axis], own, found)) return true;
    }
    return false;
  }
  bool equal(int64_t at, int64_t o) const {
    if (x_.type() != ValueType::kF32) return x_.int_at(at) == m_.int_at(o);
    return x_.as<float>()[static_cast<size_t>(at)] == m_.as<float>()[static_cast<size_t>(o)];
  }

  const MaxPlaceAttrs& attrs_;
  const HostTensor &x_, &m_;
  HostTensor& out_;
  std::vector<int64_t> position_;
};

const OpRegistry::Add kMaxPlace({.name = "max_place",
                                 .summary = "where the maxima of windows stand",
                                 .operands = {"x", "m"},
                                 .required = 2,
                                 .make_attrs = [] { return std::make_shared<MaxPlaceAttrs>(); },
                                 .infer = infer,
                                 .evaluate = [](const EvalContext& ctx) { Places(ctx).run(); }});

}  // namespace
}  // namespace qlathe
