#include <array>

#include "frontend/ops/checks.h"
#include "frontend/ops/indexing.h"

namespace qlathe {
namespace {

Result<std::vector<TensorType>> infer(const InferContext& ctx) {
  const TensorType &boxes = ctx.in(0), &candidates = ctx.in(1);
  QL_RETURN_IF_ERROR(check_rank(ctx, 0, 3, "[rows, boxes, 4]"));
  if (boxes.type != ValueType::kF32 || boxes.shape[2] != 4)
    return ctx.error("boxes", "are " + to_string(boxes) + ", expected float32 of four numbers a box");
  if (candidates.type != ValueType::kBool || candidates.shape != Shape{boxes.shape[0], boxes.shape[1]})
    return ctx.error("candidates", "are " + to_string(candidates) + ", expected a bool for each box");
  return std::vector<TensorType>{candidates};
}

float min_of(float x, float y) { return x < y ? x : y; }
float max_of(float x, float y) { return x > y ? x : y; }

struct Box {
  float y0, x0, y1, x1, area;
};

Box read(const float* b, bool center) {
  Box out{};
  if (center) {
    const float half_width = b[2] * 0.5f, half_height = b[3] * 0.5f;
    out = {b[1] - half_height, b[0] - half_width, b[1] + half_height, b[0] + half_width, 0};
  } else {
    out = {min_of(b[0], b[2]), min_of(b[1], b[3]), max_of(b[0], b[2]), max_of(b[1], b[3]), 0};
  }
  out.area = (out.y1 - out.y0) * (out.x1 - out.x0);
  return out;
}

bool overlap(const Box& a, const Box& b, float limit) {
  const float height = min_of(a.y1, b.y1) - max_of(a.y0, b.y0), width = min_of(a.x1, b.x1) - max_of(a.x0, b.x0);
  if (!(height > 0) || !(width > 0) || !(a.area > 0) || !(b.area > 0)) return false;
  const float both = height * width;
  const float all = a.area + b.area;
  return both / (all - both) > limit;
}

void evaluate(const EvalContext& ctx) {
  const auto& attrs = ctx.node.as<SuppressAttrs>();
  const float* boxes = ctx.inputs[0]->as<float>().data();
  const uint8_t* candidates = ctx.inputs[1]->bytes();
  uint8_t* stays = ctx.outputs[0]->bytes();
  const int64_t rows = ctx.inputs[0]->shape()[0], n = ctx.inputs[0]->shape()[1];
  for (int64_t r = 0; r < rows; r++, boxes += 4 * n, candidates += n, stays += n) {
    for (int64_t i = 0; i < n; i++) {
      const Box box = read(boxes + 4 * i, attrs.center);
      stays[i] = candidates[i] != 0;
      for (int64_t j = 0; j < i && stays[i]; j++) {
        if (stays[j] && overlap(read(boxes + 4 * j, attrs.center), box, static_cast<float>(attrs.iou))) stays[i] = 0;
      }
    }
  }
}

const OpRegistry::Add kSuppress({.name = "suppress",
                                 .summary = "boxes that no better one overlaps",
                                 .operands = {"boxes", "candidates"},
                                 .required = 2,
                                 .make_attrs = [] { return std::make_shared<SuppressAttrs>(); },
                                 .infer = infer,
                                 .evaluate = evaluate});

}  // namespace
}  // namespace qlathe
