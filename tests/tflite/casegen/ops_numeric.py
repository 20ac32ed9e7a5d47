"""Interpolation, normalization, running sums, detection."""

import numpy as np
from flatbuffers import flexbuffers

from casegen.cases import op


ANY = ("int8", "uint8", "int16", "float32")


def resize(name, options, kinds):
    @op(name)
    def make(g):
        kind = g.cycle(kinds)
        align, half = g.cycle(((False, False), (True, False), (False, True)))
        shape = [g.pick([1, 1, 2]), g.int(1, 6), g.int(1, 6), g.pick([1, 3, 8])]
        size = g.pick([[shape[1] * 2, shape[2] * 2], [g.int(1, 9), g.int(1, 9)], [shape[1] * 3, shape[2]],
                       [max(1, shape[1] // 2), max(1, shape[2] // 2)]])
        q = g.quant(kind)
        x = g.m.input(kind, shape, **q)
        y = g.m.tensor(kind, None, **q)
        g.m.op(name, [x, g.m.ints(size)], [y], options, alignCorners=align, halfPixelCenters=half)
        return g.done(y)

    return make


resize("RESIZE_BILINEAR", "ResizeBilinearOptions", ANY)
resize("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions", ANY)


@op("L2_NORMALIZATION")
def l2_normalization(g):
    kind = g.cycle(("int8", "uint8", "float32"))
    x = g.input(kind, g.shape(g.pick([2, 4]), 1, 9, 400))
    q = {"int8": dict(scale=1 / 128, zero=0), "uint8": dict(scale=1 / 128, zero=128)}.get(kind, {})
    y = g.m.tensor(kind, None, **q)
    g.m.op("L2_NORMALIZATION", [x], [y], "L2NormOptions", fusedActivationFunction=0)
    return g.done(y)


@op("LOCAL_RESPONSE_NORMALIZATION")
def lrn(g):
    x = g.input("float32", g.shape(4, 1, 7, 400))
    y = g.m.tensor("float32", None)
    g.m.op("LOCAL_RESPONSE_NORMALIZATION", [x], [y], "LocalResponseNormalizationOptions", radius=g.int(1, 4),
           bias=g.log(0.5, 3), alpha=g.log(0.01, 2), beta=g.pick([0.5, 0.75, 1.0]))
    return g.done(y)


@op("CUMSUM")
def cumsum(g):
    kind = g.cycle(("float32", "int32", "int64"))
    shape = g.shape(g.int(1, 4))
    x = g.input(kind, shape)
    y = g.output(kind)
    g.m.op("CUMSUM", [x, g.m.const("int32", np.int32(g.int(-len(shape), len(shape) - 1)))], [y], "CumsumOptions",
           exclusive=g.chance(0.4), reverse=g.chance(0.4))
    return g.done(y)


@op("DYNAMIC_UPDATE_SLICE")
def dynamic_update_slice(g):
    kind = g.cycle(("float32", "int8", "int32", "int64", "bool"))
    shape = g.shape(g.int(1, 4), 1, 6, 300)
    small = [g.int(1, d) for d in shape]
    q = g.quant(kind)
    x, u = g.m.input(kind, shape, **q), g.m.input(kind, small, **q)
    start = g.m.input("int32", [len(shape)])
    y = g.m.tensor(kind, None, **q)
    g.m.op("DYNAMIC_UPDATE_SLICE", [x, u, start], [y], "DynamicUpdateSliceOptions")
    return g.done(y, ranges={2: (-1, 4)})


@op("DETECTION_POSTPROCESS")
def detection(g):
    kind = g.cycle(("float32", "uint8"))
    boxes, classes = g.int(6, 20), g.int(1, 4)
    background = g.int(0, 1)
    top = g.int(2, 6)
    regular = g.chance(0.3)
    settings = dict(max_detections=top, max_classes_per_detection=1, num_classes=classes, nms_score_threshold=0.0,
                    nms_iou_threshold=0.5, y_scale=10.0, x_scale=10.0, h_scale=5.0, w_scale=5.0, use_regular_nms=regular,
                    detections_per_class=100)
    q_box = dict(scale=0.06, zero=128) if kind == "uint8" else {}
    q_score = dict(scale=1 / 256, zero=0) if kind == "uint8" else {}
    encoded = g.m.input(kind, [1, boxes, 4], **q_box)
    scores = g.m.input(kind, [1, boxes, classes + background], **q_score)
    centers = g.rng.uniform(0.1, 0.9, [boxes, 2])
    anchors = np.concatenate([centers, g.rng.uniform(0.1, 0.5, [boxes, 2])], 1)
    if kind == "uint8":
        anchors = g.m.const("uint8", np.clip(np.rint(anchors * 255), 0, 255), scale=1 / 255, zero=0)
    else:
        anchors = g.m.const("float32", anchors)
    outs = [g.m.tensor("float32", [1, top, 4]), g.m.tensor("float32", [1, top]), g.m.tensor("float32", [1, top]),
            g.m.tensor("float32", [1])]
    g.m.op("TFLite_Detection_PostProcess", [encoded, scores, anchors], outs, custom=bytes(flexbuffers.Dumps(settings)))

    def values(rng, shape, mode):
        return rng.uniform(-2, 2, shape)

    def distinct(rng, shape, mode):
        return rng.permutation(np.linspace(0.01, 0.99, int(np.prod(shape)))).reshape(shape)

    return g.done(outs, ranges={0: values, 1: distinct} if kind == "float32" else {})


def whole_numbers(name, options):
    @op(name)
    def make(g):
        kind = g.cycle(("int32", "int8", "uint8", "int16"))
        shape = g.shape(g.int(1, 4), 1, 6, 300)
        other = [d if g.chance(0.7) else 1 for d in shape]
        x = g.input(kind, shape)
        by = g.input(kind, other)
        y = g.output(kind)
        g.m.op(name, [x, by], [y], options)
        shifts = {1: (0 if kind == "uint8" else -2, 40)}
        return g.done(y, ranges=shifts if name == "RIGHT_SHIFT" else None)

    return make


whole_numbers("BITWISE_XOR", "BitwiseXorOptions")
whole_numbers("RIGHT_SHIFT", "RightShiftOptions")


@op("MATRIX_DIAG")
def matrix_diag(g):
    kind = g.cycle(("float32", "int8", "int32", "uint8", "int16", "int64"))
    x = g.input(kind, g.shape(g.int(1, 3), 1, 6, 60))
    y = g.output(kind)
    g.m.op("MATRIX_DIAG", [x], [y], "MatrixDiagOptions")
    return g.done(y)


@op("MATRIX_SET_DIAG")
def matrix_set_diag(g):
    kind = g.cycle(("float32", "int8", "int32", "uint8", "int16", "int64"))
    shape = g.shape(g.int(2, 4), 1, 6, 200)
    x = g.input(kind, shape)
    diagonal = g.input(kind, shape[:-2] + [min(shape[-2:])])
    y = g.output(kind)
    g.m.op("MATRIX_SET_DIAG", [x, diagonal], [y], "MatrixSetDiagOptions")
    return g.done(y)


@op("BROADCAST_ARGS")
def broadcast_args(g):
    """The shape of a sum, to which one operand is broadcast."""
    shape = g.shape(g.int(1, 4), 1, 5, 200)
    small = [d if g.chance(0.6) else 1 for d in shape][g.int(0, len(shape) - 1):]
    x = g.input("float32", small)
    extents = g.m.tensor("int32", [len(small)])
    g.m.op("SHAPE", [x], [extents], "ShapeOptions", outType=2)
    both = g.m.tensor("int32", [len(shape)])
    g.m.op("BROADCAST_ARGS", [extents, g.m.ints(shape)], [both])
    y = g.m.tensor("float32", shape)
    g.m.op("BROADCAST_TO", [x, both], [y], "BroadcastToOptions")
    return g.done(y)
