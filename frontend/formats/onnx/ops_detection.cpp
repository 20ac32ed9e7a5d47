// NonMaxSuppression: how many boxes it selects depends on the data, so the result is a buffer for the most there can
// be, rows of -1 after the selected ones, and a count.
#include <algorithm>

#include "frontend/formats/onnx/places.h"
#include "frontend/ops/indexing.h"
#include "frontend/ops/movement.h"

namespace qlathe {
namespace {

HostTensor numbers(const Shape& shape, int64_t divide, int64_t modulo) {
  HostTensor out(ValueType::kI32, shape);
  for (int64_t i = 0; i < out.size(); i++)
    out.set_int(i, i / divide % modulo);
  return out;
}

void read_non_max_suppression(OnnxNode& node) {
  const TensorId boxes = node.cast(node.in(0), ValueType::kF32), scores = node.cast(node.in(1), ValueType::kF32);
  const Shape b = node.shape(boxes), s = node.shape(scores);
  if (b.size() != 3 || s.size() != 3 || b[2] != 4 || b[0] != s[0] || b[1] != s[2])
    node.problem("boxes",
                 to_string(b) + " and scores " + to_string(s) + " are not [N, boxes, 4] and [N, classes, boxes]");
  const int64_t images = s[0], classes = s[1], n = s[2];
  const int64_t asked = node.has(2) ? node.constant_integers(2, "max_output_boxes_per_class").at(0) : 0;
  const int64_t most = std::clamp<int64_t>(asked, 0, n), rows = images * classes, all = rows * most;
  if (all == 0) return node.result(node.constant(HostTensor(ValueType::kI64, {0, 3})));
  if (rows * n > 1 << 28) node.unsupported("scores", to_string(s) + " are too many");
  auto overlap = std::make_shared<SuppressAttrs>();
  overlap->iou = node.has(3) ? node.constant_number(3, "iou_threshold") : 0;
  overlap->center = node.integer("center_point_box", 0) != 0;
  const auto integer = [&](int64_t v) { return node.scalar(ValueType::kI32, static_cast<double>(v)); };

  // Each class of an image is a row, sorted by falling scores.
  auto descending = std::make_shared<SortPlacesAttrs>();
  descending->descending = true;
  const TensorId flat_scores = node.reshape(scores, {rows, n});
  const TensorId places = node.add("sort_places", {flat_scores}, descending);
  const TensorId sorted_scores = onnx_first_places(node, flat_scores, places, n);
  const TensorId order = onnx_first_places(node, node.constant(numbers({rows, n}, 1, n), "index"), places, n);
  const TensorId image_start = node.constant(numbers({rows, 1}, classes, images), "image");
  const TensorId box_at = node.binary("add", node.binary("mul", image_start, integer(n)), order);
  const TensorId sorted_boxes = node.gather(node.reshape(boxes, {images * n, 4}), box_at, 0);
  HostTensor yes(ValueType::kBool, {rows, n});
  std::fill(yes.bytes(), yes.bytes() + yes.byte_size(), uint8_t{1});
  const TensorId candidates =
      node.has(4) ? node.compare("greater", sorted_scores,
                                 node.scalar(static_cast<float>(node.constant_number(4, "score_threshold"))))
                  : node.constant(std::move(yes), "all");
  const TensorId stays = node.add("suppress", {sorted_boxes, candidates}, overlap);

  // The first `most` of each row, one row after the other without gaps.
  const TensorId ones = node.cast(stays, ValueType::kI32);
  auto along = std::make_shared<CumsumAttrs>();
  along->axis = 1;
  const TensorId in_row = node.add("cumsum", {ones}, along);
  const TensorId selected = node.binary("and", stays, node.compare("less_equal", in_row, integer(most)));
  auto over_all = std::make_shared<CumsumAttrs>();
  over_all->axis = 0;
  const TensorId running =
      node.add("cumsum", {node.reshape(node.cast(selected, ValueType::kI32), {rows * n})}, over_all);
  const TensorId place =
      node.select(node.reshape(selected, {rows * n}), node.binary("sub", running, integer(1)), integer(-1));
  const auto column = [&](TensorId t) { return node.reshape(t, {rows * n, 1}); };
  const TensorId triples = node.concat({node.constant(numbers({rows * n, 1}, n * classes, images), "image"),
                                        node.constant(numbers({rows * n, 1}, n, classes), "class"), column(order)},
                                       1);
  HostTensor none(ValueType::kI32, {all, 3});
  for (int64_t i = 0; i < none.size(); i++)
    none.set_int(i, -1);
  const TensorId result =
      node.add("scatter", {node.constant(std::move(none), "none"), place, triples}, std::make_shared<ScatterAttrs>());
  node.result(node.cast(result, ValueType::kI64));
  node.count_of_result(node.cast(node.slice_axis(running, 0, rows * n - 1, 1), ValueType::kI64));
}

const OnnxOps::Add kOps({{"NonMaxSuppression", read_non_max_suppression}});

}  // namespace
}  // namespace qlathe
