// TFLite_Detection_PostProcess: boxes from offsets to anchors, then the best ones that overlap no better one. The
// choice is bounded: the best box left is taken as often as there are results, and what overlaps it is dropped.
#include <flatbuffers/flexbuffers.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "frontend/formats/tflite/quantized.h"
#include "frontend/ops/reduction.h"

namespace qlathe {
namespace {

constexpr float kDropped = std::numeric_limits<float>::lowest();
constexpr int64_t kMostDetections = 1000;

struct DetectionOptions {
  int64_t detections = 0, classes_each = 0, per_class = 100, classes = 0;
  bool regular = false;
  float score = 0, overlap = 0;
  float y = 0, x = 0, h = 0, w = 0;
};

DetectionOptions read_options(TfliteNode& node) {
  const auto* bytes = node.proto.custom_options();
  std::vector<uint8_t> seen;
  if (bytes == nullptr || bytes->size() < 3 || !flexbuffers::VerifyBuffer(bytes->data(), bytes->size(), &seen) ||
      !flexbuffers::GetRoot(bytes->data(), bytes->size()).IsMap())
    node.problem("custom_options", "are no map of options", "the file is damaged; convert the model again");
  const flexbuffers::Map map = flexbuffers::GetRoot(bytes->data(), bytes->size()).AsMap();
  DetectionOptions o;
  o.detections = map["max_detections"].AsInt32();
  o.classes_each = map["max_classes_per_detection"].AsInt32();
  if (!map["detections_per_class"].IsNull()) o.per_class = map["detections_per_class"].AsInt32();
  o.regular = !map["use_regular_nms"].IsNull() && map["use_regular_nms"].AsBool();
  o.classes = map["num_classes"].AsInt32();
  o.score = map["nms_score_threshold"].AsFloat();
  o.overlap = map["nms_iou_threshold"].AsFloat();
  o.y = map["y_scale"].AsFloat();
  o.x = map["x_scale"].AsFloat();
  o.h = map["h_scale"].AsFloat();
  o.w = map["w_scale"].AsFloat();
  const auto within = [&](const char* field, int64_t value) {
    if (value < 1 || value > kMostDetections)
      node.problem(field, "is " + std::to_string(value) + ", expected 1 to " + std::to_string(kMostDetections));
  };
  within("max_detections", o.detections);
  within("max_classes_per_detection", o.classes_each);
  within("detections_per_class", o.per_class);
  if (!(o.overlap > 0 && o.overlap <= 1)) node.problem("nms_iou_threshold", "is " + std::to_string(o.overlap));
  for (float scale : {o.y, o.x, o.h, o.w}) {
    if (!(scale > 0) || !std::isfinite(scale)) node.problem("y_scale", "is " + std::to_string(scale));
  }
  return o;
}

/// The unrounded sum of two float32, as the nearest float32 and the rest.
struct Wide {
  TensorId high, low;  ///< low: kNone where it is 0
};

class Detection {
 public:
  explicit Detection(TfliteNode& node) : node_(node), options_(read_options(node)) {
    const Shape encodings = node.in_shape(0), scores = node.in_shape(1), anchors = node.in_shape(2);
    if (encodings.size() != 3 || encodings[0] != 1 || encodings[1] < 1 || encodings[2] < 4)
      node.problem("box_encodings", "have the shape " + to_string(encodings) + ", expected [1, boxes, 4]");
    boxes_ = encodings[1];
    if (scores.size() != 3 || scores[0] != 1 || scores[1] != boxes_ || scores[2] - options_.classes < 0 ||
        scores[2] - options_.classes > 1 || options_.classes < 1)
      node.problem("class_predictions",
                   "have the shape " + to_string(scores) + " for " + std::to_string(options_.classes) + " classes");
    if (anchors.size() != 2 || anchors[0] != boxes_ || anchors[1] != 4)
      node.problem("anchors", "have the shape " + to_string(anchors));
    // A class for the background comes first.
    scores_ =
        node.slice_axis(node.reshape(real(1), {boxes_, scores[2]}), 1, scores[2] - options_.classes, options_.classes);
    decode(encodings[2]);
  }

  void read() {
    if (options_.regular)
      regular();
    else
      fast();
  }

 private:
  TensorId real(size_t slot) {
    const TensorId x = node_.in(slot);
    if (node_.in_type(slot) == ValueType::kF32) return x;
    if (node_.in_type(slot) != ValueType::kU8)
      node_.unsupported("input", std::string("is ") + name(node_.in_type(slot)) + "; float32 and uint8 are supported");
    TfliteSteps steps(node_);
    steps.add("dequantize", ValueType::kF32,
              {node_.scalar(node_.in_scale(slot)), tflite_zero_point(node_, node_.in_zero(slot))});
    return tflite_apply(node_, x, std::move(steps));
  }

  TensorId column(TensorId x, int64_t i) { return node_.reshape(node_.slice_axis(x, 1, i, 1), {boxes_}); }

  TensorId fma(TensorId a, TensorId b, TensorId c) {
    return node_.pointwise(a, {import_step("fma", ValueType::kF32, {1, 2})}, {b, c});
  }

  /// A function of one column of the encodings, in float64: by table where that is uint8.
  Wide encoded(TensorId encodings, int64_t i, double (*function)(double), float scale) {
    const TensorId x = column(encodings, i);
    if (node_.type(x).type == ValueType::kF32) {
      const TensorId ratio = node_.binary("div", x, node_.scalar(scale));
      if (function(0) == 0) return {ratio, kNone};
      return {node_.binary("mul", node_.unary("exp", ratio), node_.scalar(0.5f)), kNone};
    }
    HostTensor high(ValueType::kF32, {256}), low(ValueType::kF32, {256});
    for (int64_t q = 0; q < 256; q++) {
      const float value = (static_cast<float>(q) - static_cast<float>(node_.in_zero(0))) * node_.in_scale(0);
      const double y = function(static_cast<double>(value) / static_cast<double>(scale));
      const auto near = static_cast<float>(y);
      high.as<float>()[static_cast<size_t>(q)] = near;
      low.as<float>()[static_cast<size_t>(q)] = static_cast<float>(y - static_cast<double>(near));
    }
    const PointwiseStep lookup = import_step("lookup", ValueType::kF32, {1});
    return {node_.pointwise(x, {lookup}, {node_.constant(std::move(high), "table")}),
            node_.pointwise(x, {lookup}, {node_.constant(std::move(low), "table")})};
  }

  /// x times y, and what the rounding loses (Dekker's product by a fused multiply-add).
  Wide product(const Wide& x, TensorId y) {
    const TensorId p = node_.binary("mul", x.high, y);
    if (!x.low.valid()) return {p, kNone};
    return {p, fma(x.low, y, fma(x.high, y, node_.unary("neg", p)))};
  }

  /// x + y as float32, rounded once (Knuth's sum).
  TensorId sum(const Wide& x, TensorId y) {
    const TensorId s = node_.binary("add", x.high, y);
    if (!x.low.valid()) return s;
    const TensorId back = node_.binary("sub", s, x.high);
    const TensorId lost =
        node_.binary("add", node_.binary("sub", x.high, node_.binary("sub", s, back)), node_.binary("sub", y, back));
    return node_.binary("add", s, node_.binary("add", lost, x.low));
  }

  TensorId rounded(const Wide& x) { return x.low.valid() ? node_.binary("add", x.high, x.low) : x.high; }

  /// Centers and sizes relative to the anchors become corners. LiteRT computes centers and half sizes in float64.
  void decode(int64_t width) {
    const TensorId encodings = node_.reshape(node_.in(0), {boxes_, width}), anchors = real(2);
    if (node_.in_type(0) != node_.in_type(2)) node_.unsupported("anchors", "have another type than the encodings");
    const auto plain = [](double v) { return v; };
    const auto half = [](double v) { return 0.5 * std::exp(v); };
    const auto axis = [&](int64_t center, int64_t size, float center_scale, float size_scale, TensorId* lo,
                          TensorId* hi) {
      const TensorId extent = column(anchors, size);
      const TensorId middle =
          sum(product(encoded(encodings, center, plain, center_scale), extent), column(anchors, center));
      const TensorId reach = rounded(product(encoded(encodings, size, half, size_scale), extent));
      *lo = node_.binary("sub", middle, reach);
      *hi = node_.binary("add", middle, reach);
    };
    axis(0, 2, options_.y, options_.h, &ymin_, &ymax_);
    axis(1, 3, options_.x, options_.w, &xmin_, &xmax_);
    area_ = node_.binary("mul", node_.binary("sub", ymax_, ymin_), node_.binary("sub", xmax_, xmin_));
    std::vector<TensorId> columns;
    for (TensorId c : {ymin_, xmin_, ymax_, xmax_, area_})
      columns.push_back(node_.reshape(c, {boxes_, 1}));
    corners_ = node_.concat(columns, 1);
  }

  TensorId reduce(TensorId x, ReduceKind kind, int64_t axis, bool keep) {
    auto attrs = std::make_shared<ReduceAttrs>();
    attrs->kind = kind;
    attrs->axes = {axis};
    attrs->keep_dims = keep;
    return node_.add("reduce", {x}, attrs);
  }

  TensorId count_up(int64_t n) {
    HostTensor out(ValueType::kI32, {n});
    for (int64_t i = 0; i < n; i++)
      out.set_int(i, i);
    return node_.constant(std::move(out), "positions");
  }

  struct Best {
    TensorId value;     ///< [rows, 1]
    TensorId position;  ///< [rows, 1], int32: of equals the first
  };

  Best best(TensorId rows, TensorId positions) {
    const TensorId value = reduce(rows, ReduceKind::kMax, 1, true);
    const int64_t n = node_.shape(rows)[1];
    const TensorId at = node_.select(node_.compare("equal", rows, value), positions,
                                     node_.scalar(ValueType::kI32, static_cast<double>(n - 1)));
    return {value, reduce(at, ReduceKind::kMin, 1, true)};
  }

  TensorId drop(TensorId rows, TensorId which) { return node_.select(which, node_.scalar(kDropped), rows); }

  /// The score where it counts.
  TensorId thresholded(TensorId scores) {
    return node_.select(node_.compare("greater_equal", scores, node_.scalar(options_.score)), scores,
                        node_.scalar(kDropped));
  }

  TensorId logical(const char* op, TensorId a, TensorId b) {
    return node_.pointwise(a, {import_step(op, ValueType::kBool, {1})}, {b});
  }

  /// [rows, boxes]: what overlaps the chosen boxes too much.
  TensorId overlapping(TensorId position) {
    const int64_t rows = node_.shape(position)[0];
    const TensorId box = node_.gather(corners_, node_.reshape(position, {rows}), 0);  // [rows, 5]
    const auto of = [&](int64_t i) { return node_.slice_axis(box, 1, i, 1); };
    const TensorId zero = node_.scalar(0.0f);
    const auto shared = [&](TensorId lo, TensorId hi, int64_t i) {
      const TensorId from = node_.binary("max", lo, of(i)), to = node_.binary("min", hi, of(i + 2));
      return node_.binary("max", node_.binary("sub", to, from), zero);
    };
    const TensorId both = node_.binary("mul", shared(ymin_, ymax_, 0), shared(xmin_, xmax_, 1));
    const TensorId either = node_.binary("sub", node_.binary("add", of(4), area_), both);
    const TensorId over = node_.compare("greater", node_.binary("div", both, either), node_.scalar(options_.overlap));
    const TensorId sound = logical("and", node_.compare("greater", area_, zero), node_.compare("greater", of(4), zero));
    return logical("and", over, sound);
  }

  /// For each row of scores [rows, boxes] the best boxes one after the other: values and positions [rows, count].
  Best suppressed(TensorId scores, int64_t count) {
    const TensorId positions = count_up(boxes_);
    std::vector<TensorId> values, chosen;
    for (int64_t i = 0; i < count; i++) {
      const Best one = best(scores, positions);
      values.push_back(one.value);
      chosen.push_back(one.position);
      if (i + 1 == count) break;
      const TensorId itself = node_.compare("equal", positions, one.position);
      scores = drop(scores, logical("or", overlapping(one.position), itself));
    }
    return {node_.concat(values, 1), node_.concat(chosen, 1)};
  }

  /// The best values of each row and where they were: [rows, count].
  Best highest(TensorId rows, int64_t count) {
    const TensorId positions = count_up(node_.shape(rows)[1]);
    std::vector<TensorId> values, chosen;
    for (int64_t i = 0; i < count; i++) {
      const Best one = best(rows, positions);
      values.push_back(one.value);
      chosen.push_back(one.position);
      if (i + 1 < count) rows = drop(rows, node_.compare("equal", positions, one.position));
    }
    return {node_.concat(values, 1), node_.concat(chosen, 1)};
  }

  TensorId padded(TensorId x, int64_t axis, int64_t to) {
    Shape missing = node_.shape(x);
    missing[static_cast<size_t>(axis)] = to - missing[static_cast<size_t>(axis)];
    if (missing[static_cast<size_t>(axis)] <= 0) return x;
    return node_.concat({x, node_.constant(HostTensor(ValueType::kF32, missing), "zeros")}, axis);
  }

  /// found [n] (bool), boxes [n] (int32); classes and scores [n, each] of float32. Every detection has `each` results.
  void results(TensorId found, TensorId boxes, TensorId classes, TensorId scores, int64_t each, int64_t total) {
    const int64_t n = node_.shape(boxes)[0], kept = node_.shape(classes)[1];
    const TensorId zero = node_.scalar(0.0f), flag = node_.reshape(found, {n, 1});
    const TensorId corners = node_.slice_axis(node_.gather(corners_, boxes, 0), 1, 0, 4);
    const TensorId shown = node_.reshape(node_.select(flag, corners, zero), {n, 1, 4});
    const TensorId repeated = kept == 1 ? shown : node_.broadcast(shown, {n, kept, 4});
    const auto flat = [&](TensorId x, Shape tail) {
      Shape shape = {n * each};
      shape.insert(shape.end(), tail.begin(), tail.end());
      const TensorId all = padded(node_.reshape(padded(x, 1, each), shape), 0, total);
      shape[0] = total;
      shape.insert(shape.begin(), 1);
      return node_.reshape(all, shape);
    };
    node_.result(flat(repeated, {4}));
    node_.result(flat(node_.select(flag, classes, zero), {}));
    node_.result(flat(node_.select(flag, scores, zero), {}));
    node_.result(reduce(node_.select(found, node_.scalar(1.0f), zero), ReduceKind::kSum, 0, true));
  }

  TensorId found(TensorId values) { return node_.compare("greater", values, node_.scalar(kDropped)); }

  /// Boxes compete by their best class; a detection names the best classes of its box.
  void fast() {
    const Best top = highest(scores_, std::min(options_.classes_each, options_.classes));
    const TensorId score = node_.reshape(node_.slice_axis(top.value, 1, 0, 1), {1, boxes_});
    const Best chosen = suppressed(thresholded(score), options_.detections);
    const TensorId boxes = node_.reshape(chosen.position, {options_.detections});
    results(node_.reshape(found(chosen.value), {options_.detections}), boxes,
            node_.gather(node_.cast(top.position, ValueType::kF32), boxes, 0), node_.gather(top.value, boxes, 0),
            options_.classes_each, options_.detections * options_.classes_each);
  }

  /// Boxes compete within each class; the best of all classes are the detections.
  void regular() {
    const int64_t each = std::min({options_.per_class, options_.detections, boxes_});
    const int64_t n = options_.detections;
    const Best of_class = suppressed(thresholded(node_.transpose(scores_, {1, 0})), each);
    const Best chosen = highest(node_.reshape(of_class.value, {1, options_.classes * each}), n);
    const TensorId at = node_.reshape(chosen.position, {n});
    HostTensor classes(ValueType::kF32, {options_.classes * each});
    for (int64_t i = 0; i < classes.size(); i++)
      classes.as<float>()[static_cast<size_t>(i)] = static_cast<float>(i / each);
    results(node_.reshape(found(chosen.value), {n}),
            node_.gather(node_.reshape(of_class.position, {options_.classes * each}), at, 0),
            node_.reshape(node_.gather(node_.constant(std::move(classes), "classes"), at, 0), {n, 1}),
            node_.reshape(chosen.value, {n, 1}), 1, n * options_.classes_each);
  }

  TfliteNode& node_;
  const DetectionOptions options_;
  int64_t boxes_ = 0;
  TensorId scores_;                            ///< [boxes, classes]
  TensorId ymin_, xmin_, ymax_, xmax_, area_;  ///< [boxes]
  TensorId corners_;                           ///< [boxes, 5], these five
};

void read_detection(TfliteNode& node) { Detection(node).read(); }

const TfliteOps::Add kOps({{"TFLite_Detection_PostProcess", read_detection}});

}  // namespace
}  // namespace qlathe
