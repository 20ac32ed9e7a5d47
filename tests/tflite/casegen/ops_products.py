"""Convolutions and matrix products in every style of weights."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from casegen.cases import op
from casegen.model import LIMITS, type_of

STYLES = ("int8 per-channel", "int8 per-tensor", "uint8", "int16", "float32", "hybrid per-channel", "hybrid per-tensor",
          "float16", "int4", "hybrid int4")
LABELS = {
    "int8 per-channel": "full-integer int8, per-channel weights",
    "int8 per-tensor": "full-integer int8, per-tensor weights",
    "uint8": "full-integer uint8, per-tensor weights",
    "int16": "int16 activations, per-channel weights",
    "int16 per-tensor": "int16 activations, per-tensor weights",
    "float32": "float32",
    "hybrid per-channel": "dynamic-range (float activations, int8 weights), per-channel weights",
    "hybrid per-tensor": "dynamic-range (float activations, int8 weights), per-tensor weights",
    "float16": "float16 weights",
    "int4": "full-integer int8, int4 weights",
    "int4 per-tensor": "full-integer int8, int4 weights",
    "hybrid int4": "dynamic-range (float activations, int4 weights), per-channel weights",
    "hybrid int4 per-tensor": "dynamic-range (float activations, int4 weights), per-tensor weights",
}
NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)


def activation_kind(style):
    if style.startswith("int16"):
        return "int16"
    if style.startswith(("int8", "int4")):
        return "int8"
    return "uint8" if style == "uint8" else "float32"


class Product:
    """Input, weights, bias and output of one product, with scales that fit each other."""

    def __init__(self, g, style, depth, channels):
        self.g, self.style = g, style
        self.kind = activation_kind(style)
        self.depth, self.channels = depth, channels
        self.full = self.kind != "float32"
        self.scale_in = g.scale(self.kind)
        g.label = LABELS[style]

    def input(self, shape):
        g = self.g
        if not self.full:
            return g.input("float32", shape)
        self.zero_in = g.zero(self.kind)
        return g.input(self.kind, shape, scale=self.scale_in, zero=self.zero_in)

    def weights(self, shape, axis):
        """`axis` counts the channels that have scales of their own."""
        g, style = self.g, self.style
        if style in ("float32", "float16"):
            values = (g.rng.standard_normal(shape) * 0.4).astype(np.float32)
            self.scale_w = np.ones(1)
            if style == "float32":
                return g.m.const("float32", values)
            half = g.m.const("float16", values.astype(np.float16))
            out = g.m.tensor("float32", shape)
            g.m.op("DEQUANTIZE", [half], [out], "DequantizeOptions")
            return out
        kind = "int4" if "int4" in style else "uint8" if style == "uint8" else "int8"
        per_channel = "per-tensor" not in style and style != "uint8"
        count = shape[axis] if per_channel else 1
        largest = 7 if kind == "int4" else 127
        scales = np.float32(np.exp(g.rng.uniform(np.log(0.1), np.log(1.5), count)) / largest)
        if per_channel and count > 2 and g.chance(0.3):
            scales[int(g.rng.integers(count))] *= np.float32(g.pick([1e-4, 30.0]))
        self.scale_w = scales.astype(np.float32)
        lo, hi = (-7, 7) if kind == "int4" else (0, 255) if kind == "uint8" else (-127, 127)
        values = g.rng.integers(lo, hi + 1, shape)
        if g.chance(0.15):
            values = g.rng.choice([lo, hi], shape)
        zero = int(g.rng.integers(0, 256)) if kind == "uint8" else 0
        return g.m.const(kind, values, self.scale_w, zero, axis if per_channel else 0)

    def bias(self, always=False, only64=False):
        """-1: none. `bias_type`: what the operator's options say of it, which the kernels of int16 go by."""
        g = self.g
        wide = only64 or g.chance(0.6)
        self.bias_type = {}
        if self.style.startswith("int16"):
            self.bias_type = {"quantizedBiasType": type_of("int64" if wide else "int32")}
        if not always and g.chance(0.15):
            return -1
        n = self.channels
        if not self.full:
            return g.m.const("float32", g.rng.standard_normal(n).astype(np.float32))
        kind = "int64" if self.style.startswith("int16") and wide else "int32"
        spread = 60 * np.sqrt(self.depth) * (8000 if self.kind == "int16" else 60)
        if kind == "int64" and g.chance(0.2):
            spread *= 1e3
        values = np.clip(np.rint(g.rng.standard_normal(n) * spread), -(2**31), 2**31 - 1)
        scales = np.broadcast_to(self.scale_in * self.scale_w, self.scale_w.shape).astype(np.float32)
        return g.m.const(kind, values, scales, 0, 0)

    def output(self):
        g = self.g
        if not self.full:
            return g.output("float32")
        spread = self.scale_in * float(np.median(self.scale_w)) * np.sqrt(self.depth)
        spread *= (4 if "int4" in self.style else 73) * (18900 if self.kind == "int16" else 73)
        factor = g.pick([1, 1, 1, g.log(0.5, 2), g.log(0.02, 50)])
        largest = spread * 2.5 * factor
        if g.chance(0.12):  # a multiplier above one
            largest = self.scale_in * float(np.max(self.scale_w)) * LIMITS[self.kind][1] / g.log(1.0, 60)
        if g.chance(0.2):
            largest = 6.0
        return g.output(self.kind, scale=g.scale(self.kind, largest), zero=g.zero(self.kind))


def activation(g, style):
    if style.startswith("int16"):
        return g.pick([NONE, RELU, RELU6])
    return g.pick([NONE, NONE, RELU, RELU6, RELU_N1_TO_1])


def window(g, most_dilation=3):
    kh, kw = g.pick([(1, 1), (3, 3), (2, 2), (1, 3), (3, 1), (5, 2), (3, 3)])
    dh, dw = (1, 1) if g.chance(0.65) else (g.int(1, most_dilation), g.int(1, most_dilation))
    sh, sw = (1, 1) if g.chance(0.45) else (g.int(1, 3), g.int(1, 3))
    h = (kh - 1) * dh + 1 + g.int(0, 5)
    w = (kw - 1) * dw + 1 + g.int(0, 5)
    return kh, kw, sh, sw, dh, dw, h, w


@op("CONV_2D")
def conv(g):
    style = g.cycle(STYLES)
    padding = g.cycle((schema.Padding.SAME, schema.Padding.VALID))
    kh, kw, sh, sw, dh, dw, h, w = window(g)
    groups = 2 if style in ("int8 per-channel", "float32", "int16") and g.chance(0.2) else 1
    cin, cout = g.int(1, 9), g.pick([1, 3, 5, 8, 17])
    if groups > 1:
        cin, cout = cin + 1 & ~1, 6
    depth = cin // groups
    p = Product(g, style, kh * kw * depth, cout)
    x = p.input([g.pick([1, 1, 2]), h, w, cin])
    weights = p.weights([cout, kh, kw, depth], 0)
    bias = p.bias(always=style != "float32")
    y = p.output()
    g.m.op("CONV_2D", [x, weights, bias] if bias >= 0 else [x, weights], [y], "Conv2DOptions", padding=padding,
           strideH=sh, strideW=sw, dilationHFactor=dh, dilationWFactor=dw,
           fusedActivationFunction=activation(g, style), **p.bias_type)
    return g.done(y)


@op("DEPTHWISE_CONV_2D")
def depthwise(g):
    style = g.cycle(STYLES[:6] + ("float16", "int4"))
    padding = g.cycle((schema.Padding.SAME, schema.Padding.VALID))
    multiplier = g.pick([1, 1, 2, 3, 8])
    kh, kw, sh, sw, dh, dw, h, w = window(g)
    cin = 1 if g.chance(0.15) else g.pick([2, 3, 4, 8, 11] if multiplier < 8 else [2, 3])
    p = Product(g, style, kh * kw, cin * multiplier)
    x = p.input([g.pick([1, 1, 2]), h, w, cin])
    weights = p.weights([1, kh, kw, cin * multiplier], 3)
    bias = p.bias(always="hybrid" in style or style == "float16", only64=True)
    y = p.output()
    g.m.op("DEPTHWISE_CONV_2D", [x, weights, bias] if bias >= 0 else [x, weights], [y], "DepthwiseConv2DOptions",
           padding=padding, strideH=sh, strideW=sh if g.chance(0.7) else sw, depthMultiplier=multiplier,
           dilationHFactor=dh, dilationWFactor=dw, fusedActivationFunction=activation(g, style))
    return g.done(y)


@op("TRANSPOSE_CONV")
def transpose_conv(g):
    style = g.cycle(STYLES[:6] + ("float16", ))
    padding = g.cycle((schema.Padding.SAME, schema.Padding.VALID))
    kh, kw = g.pick([(1, 1), (2, 2), (3, 3), (4, 3), (2, 5)])
    sh, sw = g.pick([(1, 1), (2, 2), (1, 2), (3, 2)])
    h, w, cin, cout = g.int(1, 5), g.int(1, 5), g.int(1, 7), g.pick([1, 3, 6, 9])
    batch = g.pick([1, 1, 2])
    if padding == schema.Padding.SAME:
        out = [batch, h * sh - (g.int(0, sh - 1) if g.chance(0.3) else 0), w * sw, cout]
    else:
        out = [batch, (h - 1) * sh + kh, (w - 1) * sw + kw, cout]
    p = Product(g, style, max(1, kh * kw * cin // (sh * sw)), cout)
    x = p.input([batch, h, w, cin])
    weights = p.weights([cout, kh, kw, cin], 0)
    bias = p.bias()
    y = p.output()
    g.m.op("TRANSPOSE_CONV", [g.m.ints(out), weights, x] + ([bias] if bias >= 0 else []), [y], "TransposeConvOptions",
           padding=padding, strideH=sh, strideW=sw,
           fusedActivationFunction=g.pick([NONE, NONE, RELU, RELU6]), **p.bias_type)
    if bias >= 0 and p.bias_type.get("quantizedBiasType") == type_of("int32"):
        g.without("tflm", "tflm reads the bias as int64")
    return g.done(y)


@op("FULLY_CONNECTED")
def fully_connected(g):
    style = g.cycle(STYLES[:3] + ("int16", "int16 per-tensor") + STYLES[4:] + ("int4 per-tensor", "hybrid int4 per-tensor"))
    rank = g.pick([2, 2, 2, 3, 4])
    depth, units = g.pick([1, 3, 8, 16, 33, 64]), g.pick([1, 2, 5, 8, 17])
    if "int4" in style:
        depth = depth + 1 & ~1
    p = Product(g, style, depth, units)
    lead = g.shape(rank - 1, 1, 4)
    keep = g.chance(0.5)
    x = p.input(lead + [depth])
    if g.chance(0.1) and p.full and style != "uint8" and "int4" not in style and style.startswith("int8"):
        # Weights that are an input of the model.
        p.scale_w = np.float32([g.log(0.1, 1.5) / 127])
        g.label = LABELS["int8 per-tensor"]
        weights = g.input("int8", [units, depth], scale=p.scale_w, zero=0)
    else:
        weights = p.weights([units, depth], 0)
    bias = p.bias()
    y = p.output()
    asymmetric = "hybrid" in style and g.chance(0.5)
    g.m.op("FULLY_CONNECTED", [x, weights, bias], [y], "FullyConnectedOptions", keepNumDims=keep,
           fusedActivationFunction=activation(g, style), asymmetricQuantizeInputs=asymmetric,
           **p.bias_type)
    return g.done(y)


@op("BATCH_MATMUL")
def batch_matmul(g):
    style = g.cycle(("int8 per-tensor", "int16 per-tensor", "float32", "hybrid per-tensor", "int8 constant",
                     "float32 constant"))
    adj_x, adj_y = g.cycle((False, True)), g.chance(0.5)
    m, k, n = g.int(1, 6), g.pick([1, 3, 8, 19, 32]), g.int(1, 7)
    rank = g.pick([2, 3, 3, 4])
    lead = g.shape(rank - 2, 1, 3)
    other = list(lead)
    if lead and g.chance(0.4):
        other[0] = 1
    if len(lead) > 1 and g.chance(0.3):
        other = other[1:]
    x_shape = lead + ([k, m] if adj_x else [m, k])
    y_shape = other + ([n, k] if adj_y else [k, n])
    p = Product(g, style.replace("int8 constant", "int8 per-tensor").replace(" constant", ""), k, n)
    x = p.input(x_shape)
    asymmetric = False
    if style == "hybrid per-tensor":
        p.scale_w = np.float32([g.log(0.1, 1.5) / 127])
        y = g.m.const("int8", g.rng.integers(-127, 128, y_shape), p.scale_w)
        asymmetric = g.chance(0.5)
    elif style.endswith("constant"):
        p.scale_w = np.float32([g.log(0.1, 1.5) / 127])
        kind = "int8" if p.full else "float32"
        q = dict(scale=p.scale_w, zero=g.pick([0, 0, g.zero("int8")])) if p.full else {}
        y = g.m.const(kind, g.values(kind, y_shape), **q)
    elif p.full:
        p.scale_w = np.float32([g.scale(p.kind)])
        y = g.input(p.kind, y_shape, scale=p.scale_w, zero=g.zero(p.kind))
        p.scale_w = p.scale_w * (258 if p.kind == "int16" else 1)
    else:
        y = g.input("float32", y_shape)
    z = p.output()
    g.m.op("BATCH_MATMUL", [x, y], [z], "BatchMatMulOptions", adjX=adj_x, adjY=adj_y, asymmetricQuantizeInputs=asymmetric)
    return g.done(z)


@op("CONV_3D")
def conv_3d(g):
    padding = g.cycle((schema.Padding.SAME, schema.Padding.VALID))
    kd, kh, kw = g.int(1, 3), g.int(1, 3), g.int(1, 3)
    dilation = g.pick([1, 1, 2])
    shape = [1] + [(k - 1) * dilation + 1 + g.int(0, 2) for k in (kd, kh, kw)] + [g.int(1, 3)]
    p = Product(g, "float32", 1, g.int(1, 4))
    x = p.input(shape)
    weights = p.weights([kd, kh, kw, shape[-1], p.channels], 4)
    bias = p.bias()
    y = p.output()
    g.m.op("CONV_3D", [x, weights] + ([bias] if bias >= 0 else []), [y], "Conv3DOptions", padding=padding,
           strideD=g.int(1, 2), strideH=g.int(1, 2), strideW=g.int(1, 2), dilationDFactor=dilation,
           dilationHFactor=dilation, dilationWFactor=dilation,
           fusedActivationFunction=g.pick([NONE, RELU, RELU6]))
    return g.done(y)
