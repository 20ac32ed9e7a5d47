"""Small networks: what converters put next to each other."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from casegen.cases import op

SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
NONE, RELU, RELU6 = 0, 1, 3


class Net:
    """Layers after one another in int8; `x` is a tensor with its shape, scale and zero point."""

    def __init__(self, g, shape, kind="int8"):
        self.g, self.kind = g, kind
        q = dict(scale=g.scale(kind, g.log(1, 4)), zero=g.zero(kind))
        index = g.m.input(kind, shape, **q)
        self.input = self.value(index, shape, q)
        if g.chance(0.4):  # as converters mark a batch of any size
            g.m.graph.tensors[index].shapeSignature = [-1] + list(shape[1:])

    def value(self, index, shape, q):
        return {"index": index, "shape": list(shape), "q": q}

    def new(self, shape, q):
        return self.value(self.g.m.tensor(self.kind, shape, **q), shape, q)

    def range(self, largest, activation=NONE):
        g = self.g
        if activation == RELU6 and g.chance(0.7):
            return dict(scale=6 / 255, zero=-128)
        if activation in (RELU, RELU6):
            return dict(scale=float(np.float32(largest / 255)), zero=-128)
        return dict(scale=float(np.float32(largest / 127)), zero=g.int(-20, 20))

    def conv(self, x, channels, kernel=1, stride=1, activation=NONE, padding=SAME, depthwise=False):
        g = self.g
        n, h, w, c = x["shape"]
        if padding == SAME:
            h2, w2 = -(-h // stride), -(-w // stride)
        else:
            h2, w2 = (h - kernel) // stride + 1, (w - kernel) // stride + 1
        channels = c if depthwise else channels
        shape = [1, kernel, kernel, c] if depthwise else [channels, kernel, kernel, c]
        scales = np.float32(np.exp(g.rng.uniform(-1, 0.3, channels)) / 127)
        weights = g.m.const("int8", np.clip(np.rint(g.rng.standard_normal(shape) * 40), -127, 127), scales, 0, 3 if depthwise else 0)
        depth = kernel * kernel * (1 if depthwise else c)
        s_in = x["q"]["scale"]
        bias = g.m.const("int32", np.rint(g.rng.standard_normal(channels) * 1500 * np.sqrt(depth)), s_in * scales, 0, 0)
        largest = s_in * 60 * float(np.median(scales)) * 40 * np.sqrt(depth) * 2.5
        y = self.new([n, h2, w2, channels], self.range(largest, activation))
        fields = dict(padding=padding, strideH=stride, strideW=stride, dilationHFactor=1, dilationWFactor=1,
                      fusedActivationFunction=activation)
        if depthwise:
            g.m.op("DEPTHWISE_CONV_2D", [x["index"], weights, bias], [y["index"]], "DepthwiseConv2DOptions", depthMultiplier=1, **fields)
        else:
            g.m.op("CONV_2D", [x["index"], weights, bias], [y["index"]], "Conv2DOptions", **fields)
        return y

    def add(self, a, b, activation=NONE):
        largest = (a["q"]["scale"] + b["q"]["scale"]) * 127
        y = self.new(a["shape"], self.range(largest, activation))
        self.g.m.op("ADD", [a["index"], b["index"]], [y["index"]], "AddOptions", fusedActivationFunction=activation, potScaleInt16=False)
        return y

    def mul(self, a, b):
        y = self.new(a["shape"], self.range(a["q"]["scale"] * b["q"]["scale"] * 127 * 127 * 0.6))
        self.g.m.op("MUL", [a["index"], b["index"]], [y["index"]], "MulOptions", fusedActivationFunction=0)
        return y

    def unary(self, name, x, q=None, options=None, **fields):
        y = self.new(x["shape"], q or dict(x["q"]))
        self.g.m.op(name, [x["index"]], [y["index"]], options, **fields)
        return y

    def mean(self, x, keep):
        n, _, _, c = x["shape"]
        y = self.new([n, 1, 1, c] if keep else [n, c], dict(scale=float(np.float32(x["q"]["scale"] * 0.5)), zero=x["q"]["zero"]))
        self.g.m.op("MEAN", [x["index"], self.g.m.ints([1, 2])], [y["index"]], "ReducerOptions", keepDims=keep)
        return y

    def dense(self, x, units, activation=NONE):
        g = self.g
        depth = x["shape"][-1]
        s_w = float(np.float32(g.log(0.3, 1.3) / 127))
        weights = g.m.const("int8", g.rng.integers(-127, 128, [units, depth]), s_w, 0)
        bias = g.m.const("int32", g.rng.integers(-9000, 9000, [units]), x["q"]["scale"] * s_w, 0)
        y = self.new(x["shape"][:-1] + [units], self.range(x["q"]["scale"] * s_w * 73 * 73 * np.sqrt(depth) * 2.5, activation))
        g.m.op("FULLY_CONNECTED", [x["index"], weights, bias], [y["index"]], "FullyConnectedOptions",
               fusedActivationFunction=activation, keepNumDims=len(x["shape"]) > 2)
        return y

    def concat(self, parts, axis):
        shape = list(parts[0]["shape"])
        shape[axis] = sum(p["shape"][axis] for p in parts)
        y = self.new(shape, dict(parts[0]["q"]))
        self.g.m.op("CONCATENATION", [p["index"] for p in parts], [y["index"]], "ConcatenationOptions", axis=axis, fusedActivationFunction=0)
        return y

    def requantize(self, x, q):
        return self.unary("QUANTIZE", x, q, "QuantizeOptions")

    def done(self, *values):
        return self.g.done([v["index"] for v in values], label="full-integer int8, per-channel and per-tensor weights")


LOGISTIC = dict(scale=1 / 256, zero=-128)


@op("NET_INVERTED_RESIDUAL")
def inverted_residual(g):
    net = Net(g, [1, g.int(4, 7), g.int(4, 7), g.pick([4, 6, 8])])
    c = net.input["shape"][3]
    wide = net.conv(net.input, c * 3, activation=RELU6)
    deep = net.conv(wide, 0, kernel=3, activation=RELU6, depthwise=True)
    thin = net.conv(deep, c)
    return net.done(net.add(net.input, thin))


@op("NET_RESIDUAL")
def residual(g):
    net = Net(g, [1, 8, 8, 3])
    x = net.conv(net.input, 8, kernel=3, stride=2, activation=RELU)
    for _ in range(g.int(1, 2)):
        y = net.conv(net.conv(x, 8, kernel=3, activation=RELU), 8, kernel=3)
        x = net.add(x, y, activation=RELU)
    pooled = net.mean(x, False)
    scores = net.dense(pooled, 5)
    return net.done(net.unary("SOFTMAX", scores, LOGISTIC, "SoftmaxOptions", beta=1.0))


@op("NET_SQUEEZE_EXCITE")
def squeeze_excite(g):
    net = Net(g, [1, 5, 6, 8])
    x = net.conv(net.input, 8, activation=NONE)
    x = net.unary("HARD_SWISH", x, net.range(4), "HardSwishOptions")
    pooled = net.mean(x, True)
    gate = net.conv(net.conv(pooled, 4, activation=RELU), 8)
    gate = net.unary("LOGISTIC", gate, LOGISTIC)
    return net.done(net.mul(x, gate))


@op("NET_BRANCHES")
def branches(g):
    net = Net(g, [1, 6, 6, 4])
    a = net.conv(net.input, 5, activation=RELU6)
    b = net.conv(net.input, 3, kernel=3, activation=RELU)
    b = net.requantize(b, a["q"])
    c = net.new(net.input["shape"], dict(net.input["q"]))
    g.m.op("MAX_POOL_2D", [net.input["index"]], [c["index"]], "Pool2DOptions", padding=SAME, strideH=1, strideW=1,
           filterHeight=3, filterWidth=3, fusedActivationFunction=0)
    c = net.requantize(c, a["q"])
    y = net.concat([a, b, c], 3)
    return net.done(net.conv(y, 4), y)


@op("NET_ATTENTION")
def attention(g):
    net = Net(g, [1, 6, 8])
    q, k, v = (net.dense(net.input, 8) for _ in range(3))

    def product(a, b, shape, depth, adj):
        y = net.new(shape, net.range(a["q"]["scale"] * b["q"]["scale"] * 73 * 73 * np.sqrt(depth) * 2))
        g.m.op("BATCH_MATMUL", [a["index"], b["index"]], [y["index"]], "BatchMatMulOptions", adjX=False, adjY=adj)
        return y

    scores = net.unary("SOFTMAX", product(q, k, [1, 6, 6], 8, True), LOGISTIC, "SoftmaxOptions", beta=1.0)
    return net.done(net.add(net.input, net.dense(product(scores, v, [1, 6, 8], 6, False), 8)))


@op("NET_REQUANTIZE_CHAIN")
def requantize_chain(g):
    kinds = [g.pick(["int8", "uint8", "int16"]) for _ in range(g.int(2, 5))]
    x = g.m.input("float32", [2, 9])
    last = None
    for kind in kinds:
        if last == "int16" and kind == "uint8":
            kind = "int8"
        y = g.m.tensor(kind, [2, 9], **g.quant(kind, g.log(1, 6)))
        g.m.op("QUANTIZE", [x], [y], "QuantizeOptions")
        x, last = y, kind
    y = g.m.tensor("float32", [2, 9])
    g.m.op("DEQUANTIZE", [x], [y], "DequantizeOptions")
    return g.done(y, label="full-integer int8, float32 input/output")


@op("NET_PAD_CONV")
def pad_conv(g):
    net = Net(g, [1, 7, 7, 3])
    before, after = g.int(0, 2), g.int(0, 2)
    padded = net.new([1, 7 + before + after, 7 + before + after, 3], dict(net.input["q"]))
    pads = g.m.ints([[0, 0], [before, after], [before, after], [0, 0]])
    g.m.op("PAD", [net.input["index"], pads], [padded["index"]], "PadOptions")
    y = net.conv(padded, 6, kernel=3, stride=2, padding=VALID, activation=RELU)
    return net.done(net.conv(y, 0, kernel=3, depthwise=True))


@op("NET_UPSAMPLE")
def upsample(g):
    net = Net(g, [1, 4, 4, 4])
    down = net.conv(net.input, 4, kernel=3, stride=2, activation=RELU)
    up = net.new([1, 4, 4, 4], dict(down["q"]))
    name = g.cycle(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"))
    options = "ResizeBilinearOptions" if "BIL" in name else "ResizeNearestNeighborOptions"
    g.m.op(name, [down["index"], g.m.ints([4, 4])], [up["index"]], options, alignCorners=False, halfPixelCenters=g.chance(0.5))
    same = net.requantize(net.input, down["q"])
    return net.done(net.conv(net.concat([up, same], 3), 3, kernel=3))


@op("NET_OUTPUTS")
def outputs(g):
    """Outputs that are used on, named twice, inputs or constants; an operator whose result nobody takes."""
    net = Net(g, [1, 4, 4, 3])
    a = net.conv(net.input, 4, activation=RELU)
    b = net.conv(a, 4)
    net.conv(b, 2)
    extra = g.cycle(("used", "twice", "input", "constant"))
    g.m.signature("serving_default", {"x": net.input["index"]}, {"y": b["index"]})
    if extra == "used":
        return net.done(b, a)
    if extra == "twice":
        return net.done(b, b)
    if extra == "input":
        return net.done(b, net.input)
    constant = g.m.const("float32", g.rng.standard_normal([2, 3]))
    g.done([b["index"], constant], label="full-integer int8, some float ops")
    return g


@op("NET_FLOAT")
def float_net(g):
    """Float, with weights in float32, float16 or int8 (dynamic range)."""
    style = g.cycle(("float32", "float16", "hybrid"))
    x = g.m.input("float32", [1, 6, 6, 3])

    def weights(shape, axis):
        values = g.rng.standard_normal(shape) * 0.5
        if style == "hybrid":
            return g.m.const("int8", np.clip(np.rint(values * 60), -127, 127), np.full(shape[axis], 1 / 60), 0, axis)
        if style == "float32":
            return g.m.const("float32", values)
        half, whole = g.m.const("float16", values), g.m.tensor("float32", shape)
        g.m.op("DEQUANTIZE", [half], [whole], "DequantizeOptions")
        return whole

    def bias(n):
        return g.m.const("float32", g.rng.standard_normal(n))

    a = g.m.tensor("float32", [1, 3, 3, 6])
    g.m.op("CONV_2D", [x, weights([6, 3, 3, 3], 0), bias(6)], [a], "Conv2DOptions", padding=SAME, strideH=2, strideW=2,
           dilationHFactor=1, dilationWFactor=1, fusedActivationFunction=RELU6)
    b = g.m.tensor("float32", [1, 3, 3, 6])
    g.m.op("DEPTHWISE_CONV_2D", [a, weights([1, 3, 3, 6], 3), bias(6)], [b], "DepthwiseConv2DOptions", padding=SAME, strideH=1,
           strideW=1, depthMultiplier=1, dilationHFactor=1, dilationWFactor=1, fusedActivationFunction=RELU)
    c = g.m.tensor("float32", [1, 54])
    g.m.op("RESHAPE", [b, g.m.ints([1, 54])], [c], "ReshapeOptions", newShape=[1, 54])
    d = g.m.tensor("float32", [1, 5])
    g.m.op("FULLY_CONNECTED", [c, weights([5, 54], 0), bias(5)], [d], "FullyConnectedOptions", fusedActivationFunction=NONE)
    y = g.m.tensor("float32", [1, 5])
    g.m.op("SOFTMAX", [d], [y], "SoftmaxOptions", beta=1.0)
    label = {"hybrid": "dynamic-range (float activations, int8 weights), per-channel weights", "float16": "float16 weights"}
    return g.done(y, label=label.get(style, "float32"))
