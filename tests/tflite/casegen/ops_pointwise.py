"""Operators that work element by element, with one operand or with two that broadcast."""

import numpy as np

from casegen.cases import op
from casegen.model import LIMITS

QUANTIZED = ("int8", "uint8", "int16")


def broadcast_shapes(g):
    """Two shapes of one of the usual forms."""
    rank = g.pick([1, 2, 3, 4, 4, 4, 5])
    shape = g.shape(rank, 1, 5, 300)
    form = g.pick(["same", "same", "scalar", "channel", "ones", "lower", "both"])
    other = list(shape)
    if form == "scalar":
        other = g.pick([[], [1]])
    elif form == "channel":
        other = [1] * (rank - 1) + shape[-1:]
    elif form == "ones":
        other = [d if g.chance(0.5) else 1 for d in shape]
    elif form == "lower":
        other = shape[g.int(0, rank - 1):]
    elif form == "both":
        mask = [g.int(0, 2) for _ in shape]
        return [1 if m == 0 else d for d, m in zip(shape, mask)], [1 if m == 1 else d for d, m in zip(shape, mask)]
    return (shape, other) if g.chance(0.7) else (other, shape)


def second(g, kind, shape, q, values=None):
    """An input of the model, or a constant."""
    if g.chance(0.3):
        return g.m.const(kind, g.values(kind, shape) if values is None else values(g.rng, shape, "random"), **q)
    return g.m.input(kind, shape, **q)


def binary(name, kinds, options=None, fused=False, scales="free", spans=None):
    @op(name)
    def make(g):
        kind = g.cycle(kinds)
        a, b = broadcast_shapes(g)
        qa, qb, qo = ({}, {}, {})
        if kind in QUANTIZED:
            qa, qb = g.quant(kind), g.quant(kind)
            if g.chance(0.2):
                qb = dict(qa)
            if g.chance(0.15):
                qb["scale"] = float(np.float32(qa["scale"] * g.pick([1e-3, 0.02, 40.0])))
            largest = (qa["scale"] + qb["scale"]) * LIMITS[kind][1] * (0.5 if kind == "uint8" else 1)
            if name in ("MUL", "SQUARED_DIFFERENCE"):
                largest = largest**2 / 4
            if name == "DIV":
                largest = g.log(0.5, 20)
            qo = g.quant(kind, largest * g.pick([1, 1, g.log(0.05, 2)]))
            if scales == "same":
                qb, qo = dict(qa), dict(qa)
            if kind == "int16" and name in ("ADD", "SUB") and g.chance(0.3):
                qa["scale"], qb["scale"], qo["scale"] = 2.0**g.int(-16, -11), 2.0**g.int(-16, -11), 2.0**g.int(-15, -10)
                if g.chance(0.5):
                    qb["scale"] = qo["scale"]
                else:
                    qa["scale"] = qo["scale"]
        span = (spans or {}).get(kind)
        x = g.m.input(kind, a, **qa)
        y = second(g, kind, b, qb, span[1] if span else None)
        z = g.m.tensor(kind, None, **qo)
        fields = {}
        if fused:
            fields["fusedActivationFunction"] = g.pick([0, 0, 1, 2, 3] if kind in ("float32", "int8", "uint8") else [0, 1, 3])
            if kind in ("int32", "int64"):
                fields["fusedActivationFunction"] = g.pick([0, 0, 1])
            if name in ("ADD", "SUB"):
                fields["potScaleInt16"] = False
        order = [x, y] if g.chance(0.8) else [y, x]
        if span and order[0] == y:
            order = [x, y]
        g.m.op(name, order, [z], options, **fields)
        ranges = {}
        if span:
            ranges = {0: span[0], 1: span[1]}
        return g.done(z, ranges=ranges)

    return make


NUMBERS = QUANTIZED + ("float32", "int32", "int64")
binary("ADD", NUMBERS, "AddOptions", fused=True)
binary("SUB", NUMBERS, "SubOptions", fused=True)
binary("MUL", NUMBERS, "MulOptions", fused=True)


def not_zero(lo, hi):
    def values(rng, shape, mode):
        if mode in ("low", "high"):
            return np.full(shape, hi)
        v = rng.uniform(lo, hi, shape) if isinstance(lo, float) else rng.integers(lo, hi + 1, shape)
        return np.where(np.abs(v) < 1, hi, v)

    return values


def off_zero(g, kind, zero):
    """Quantized divisors that are not zero."""

    def values(rng, shape, mode):
        lo, hi = LIMITS[kind]
        v = rng.integers(lo, hi + 1, shape)
        if mode == "mixed":
            v = rng.choice([lo, hi, zero + 1 if zero < hi else zero - 1], shape)
        if mode == "low":
            v = np.full(shape, lo)
        if mode == "high":
            v = np.full(shape, hi)
        return np.where(v == zero, hi if zero != hi else lo, v)

    del g
    return values


@op("DIV")
def div(g):
    kind = g.cycle(("uint8", "float32", "int32", "int8"))
    a, b = broadcast_shapes(g)
    ranges = {}
    if kind in LIMITS:
        qa, qb, qo = g.quant(kind), g.quant(kind), g.quant(kind, g.log(0.5, 20))
        values = off_zero(g, kind, qb["zero"])
    else:
        qa, qb, qo = {}, {}, {}
        values = not_zero(-3.0, 3.0) if kind == "float32" else not_zero(-30, 30)
    x = g.m.input(kind, a, **qa)
    y = second(g, kind, b, qb, values)
    z = g.m.tensor(kind, None, **qo)
    ranges[1] = values
    g.m.op("DIV", [x, y], [z], "DivOptions", fusedActivationFunction=g.pick([0, 0, 1, 3]))
    return g.done(z, ranges=ranges)


binary("SQUARED_DIFFERENCE", ("int8", "float32", "int32"), "SquaredDifferenceOptions")
binary("MAXIMUM", ("int8", "uint8", "int16", "float32", "int32", "int64"), "MaximumMinimumOptions", scales="same")
binary("MINIMUM", ("int8", "uint8", "int16", "float32", "int32", "int64"), "MaximumMinimumOptions", scales="same")


def powers(base_lo, base_hi, lo, hi, whole):
    def base(rng, shape, mode):
        return rng.integers(base_lo, base_hi + 1, shape) if whole else rng.uniform(base_lo, base_hi, shape)

    def exponent(rng, shape, mode):
        return rng.integers(lo, hi + 1, shape) if whole else rng.uniform(lo, hi, shape)

    return base, exponent


binary("POW", ("float32", "int32"), "PowOptions", spans={
    "float32": powers(0.05, 4.0, -3.0, 3.0, False), "int32": powers(-5, 5, 0, 5, True)})


def divisors(lo, hi):
    return lambda rng, shape, mode: rng.integers(-200, 201, shape), not_zero(lo, hi)


FLOATS = (lambda rng, shape, mode: rng.uniform(-20, 20, shape), not_zero(-5.0, 5.0))
binary("FLOOR_DIV", ("float32", "int32", "int8", "int16"), "FloorDivOptions", spans={
    "float32": FLOATS, "int32": divisors(-9, 9),
    "int8": (lambda rng, shape, mode: rng.integers(-128, 128, shape), not_zero(-9, 9)),
    "int16": divisors(-9, 9)})
binary("FLOOR_MOD", ("float32", "int32", "int64", "int8", "int16"), "FloorModOptions", spans={
    "float32": FLOATS, "int32": divisors(-9, 9), "int64": divisors(-9, 9),
    "int8": (lambda rng, shape, mode: rng.integers(-128, 128, shape), not_zero(-9, 9)), "int16": divisors(-9, 9)})


def comparison(name, options, kinds):
    @op(name)
    def make(g):
        kind = g.cycle(kinds)
        a, b = broadcast_shapes(g)
        qa = g.quant(kind)
        qb = dict(qa) if g.chance(0.3) else g.quant(kind)
        x = g.m.input(kind, a, **qa)
        y = second(g, kind, b, qb)
        z = g.m.tensor("bool", None)
        g.m.op(name, [x, y], [z], options)
        span = (-3, 3) if kind in ("int32", "int64") else (lambda rng, shape, mode: rng.integers(-3, 4, shape) / 2.0) \
            if kind == "float32" else None
        return g.done(z, ranges={0: span, 1: span} if span else {})

    return make


COMPARED = ("int8", "uint8", "float32", "int32", "int64")
comparison("EQUAL", "EqualOptions", COMPARED + ("bool", "int16"))
comparison("NOT_EQUAL", "NotEqualOptions", COMPARED + ("bool", ))
comparison("LESS", "LessOptions", COMPARED + ("int16", ))
comparison("LESS_EQUAL", "LessEqualOptions", COMPARED)
comparison("GREATER", "GreaterOptions", COMPARED)
comparison("GREATER_EQUAL", "GreaterEqualOptions", COMPARED)
binary("LOGICAL_AND", ("bool", ), "LogicalAndOptions")
binary("LOGICAL_OR", ("bool", ), "LogicalOrOptions")


@op("LOGICAL_NOT")
def logical_not(g):
    x = g.input("bool", g.shape(g.int(1, 4)))
    y = g.output("bool")
    g.m.op("LOGICAL_NOT", [x], [y], "LogicalNotOptions")
    return g.done(y)


# ---- one operand ---------------------------------------------------------------------------------------------------
def unary(name, kinds, options=None, out=None, span=None, in_range=None, fields=None):
    """`out`: fixed scale and zero point of the output by type, or "same"; `in_range`: what a quantized input stands for."""

    @op(name)
    def make(g):
        kind = g.cycle(kinds)
        shape = g.pick([[1, 256], [256], g.shape(4, 1, 6, 300), g.shape(3, 1, 7, 300), g.shape(2, 1, 16), g.shape(1, 1, 40)])
        qi = g.quant(kind, g.log(*(in_range or (0.3, 30))))
        if out == "same":
            qo = dict(qi)
        elif out and kind in out:
            qo = dict(scale=out[kind][0], zero=out[kind][1])
        else:
            qo = g.quant(kind, g.log(0.3, 30))
        if name in ("RSQRT", "SQRT", "LOG") and kind in ("int8", "int16"):
            qi["zero"] = LIMITS[kind][0] if kind == "int8" else 0
        x = g.m.input(kind, shape, **qi)
        y = g.m.tensor(kind, None, **qo)
        g.m.op(name, [x], [y], options, **(fields(g) if fields else {}))
        ranges = {0: span[kind]} if span and kind in span else {}
        if kind in ("int8", "uint8") and not ranges and np.prod(shape) == 256:
            lo = LIMITS[kind][0]

            def every(rng, shape, mode):
                return np.arange(lo, lo + 256) if mode != "mixed" else rng.permutation(np.arange(lo, lo + 256))

            ranges = {0: every}
        return g.done(y, ranges=ranges)

    return make


ANY = ("int8", "uint8", "int16", "float32")
TO_ONE = {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)}
TO_BOTH = {"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)}
unary("LOGISTIC", ANY, None, TO_ONE)
unary("TANH", ANY, None, TO_BOTH)
unary("HARD_SWISH", ("int8", "uint8", "float32"), "HardSwishOptions", in_range=(1, 20))
unary("RELU", ANY)
unary("RELU6", ANY)
unary("RELU_N1_TO_1", ("float32", "int8", "uint8"))
unary("RELU_0_TO_1", ("float32", "int8", "uint8"))
unary("ELU", ("int8", "float32"))
unary("GELU", ("int8", "uint8", "float32", "int16"), "GeluOptions", fields=lambda g: {"approximate": g.chance(0.5)})
unary("EXP", ("int8", "int16", "float32"), "ExpOptions", in_range=(0.3, 5))
unary("ABS", ("int8", "int16", "float32", "int32"), "AbsOptions")
unary("NEG", ("float32", "int32", "int64"), "NegOptions")
unary("SQUARE", ("float32", ), "SquareOptions")
POSITIVE = {"float32": lambda rng, shape, mode: np.exp(rng.uniform(-8, 8, shape)),
            "int8": lambda rng, shape, mode: rng.integers(-127, 128, shape),
            "int16": lambda rng, shape, mode: rng.integers(1, 32768, shape)}
unary("SQRT", ("float32", "int8", "int16"), None, span=POSITIVE)
unary("RSQRT", ("int8", "int16", "float32"), None, span=POSITIVE)
unary("LOG", ("int8", "int16", "float32"), None, span=POSITIVE)
unary("SIN", ("float32", ), None, span={"float32": (-20.0, 20.0)})
unary("COS", ("float32", ), "CosOptions", span={"float32": (-20.0, 20.0)})
ROUNDED = {"float32": lambda rng, shape, mode: np.where(rng.random(shape) < 0.4, rng.integers(-9, 10, shape) / 2.0,
                                                       rng.uniform(-9, 9, shape))}
unary("FLOOR", ("float32", ), None, span=ROUNDED)
unary("CEIL", ("float32", ), None, span=ROUNDED)
unary("ROUND", ("float32", ), None, span=ROUNDED)
unary("SIGN", ("float32", "int32"), "SignOptions", span={"int32": (-3, 3)})
unary("ZEROS_LIKE", ("float32", "int32", "int64"), "ZerosLikeOptions")


@op("LEAKY_RELU")
def leaky_relu(g):
    kind = g.cycle(ANY)
    x = g.input(kind, g.shape(g.int(1, 4)))
    y = g.output(kind)
    g.m.op("LEAKY_RELU", [x], [y], "LeakyReluOptions", alpha=g.pick([0.2, 0.01, 0.5, 1.3, -0.3, 0.0, g.log(1e-3, 1)]))
    return g.done(y)


@op("PRELU")
def prelu(g):
    kind = g.cycle(("int8", "uint8", "float32", "int16"))
    shape = g.shape(4, 1, 5, 300)
    x = g.input(kind, shape)
    kind_a = "int8" if kind == "int16" else kind
    q = g.quant(kind_a, g.log(0.1, 2))
    a_shape = g.pick([[1, 1, shape[3]], [1, 1, 1], shape[1:], shape[3:]])
    alpha = second(g, kind_a, a_shape, q) if g.chance(0.2) else g.m.const(kind_a, g.values(kind_a, a_shape), **q)
    y = g.output(kind)
    g.m.op("PRELU", [x, alpha], [y])
    return g.done(y)


@op("SOFTMAX")
def softmax(g):
    kind = g.cycle(("int8", "uint8", "int16", "float32", "int8 to int16"))
    shape = g.pick([g.shape(1, 1, 60), g.shape(2, 1, 17), g.shape(3, 1, 9, 400), g.shape(4, 1, 6, 400), [1, 101]])
    x = g.input(kind.split()[0], shape, g.log(0.5, 30))
    out = kind.split()[-1]
    y = g.output(out, **(dict(scale=TO_ONE[out][0], zero=-32768 if " to " in kind else TO_ONE[out][1]) if out in TO_ONE else {}))
    if " to " in kind:
        g.m.graph.tensors[y].quantization.scale = np.float32([1 / 65536])
    g.m.op("SOFTMAX", [x], [y], "SoftmaxOptions", beta=g.pick([1.0, 1.0, 1.0, 0.5, 2.0, g.log(0.1, 4)]))
    return g.done(y)


@op("LOG_SOFTMAX")
def log_softmax(g):
    kind = g.cycle(("int8", "uint8", "float32"))
    shape = g.pick([g.shape(1, 1, 60), g.shape(2, 1, 17), g.shape(3, 1, 9, 400), g.shape(4, 1, 6, 400)])
    x = g.input(kind, shape, g.log(0.5, 30))
    y = g.output(kind, **({"int8": dict(scale=16 / 256, zero=127), "uint8": dict(scale=16 / 256, zero=255)}.get(kind, {})))
    g.m.op("LOG_SOFTMAX", [x], [y], "LogSoftmaxOptions")
    return g.done(y)


@op("ADD_N")
def add_n(g):
    kind = g.cycle(("float32", "int32"))
    shape = g.shape(g.int(1, 4))
    inputs = [g.input(kind, shape) for _ in range(g.int(2, 5))]
    y = g.output(kind)
    g.m.op("ADD_N", inputs, [y], "AddNOptions")
    return g.done(y)


@op("SELECT")
def select(g):
    kind = g.cycle(("float32", "int8", "int32", "uint8", "int16", "int64", "bool"))
    shape = g.shape(g.int(1, 4))
    q = g.quant(kind)
    c = g.input("bool", shape[:1] if g.chance(0.3) else shape)
    x, y = g.m.input(kind, shape, **q), g.m.input(kind, shape, **q)
    z = g.m.tensor(kind, None, **q)
    g.m.op("SELECT", [c, x, y], [z], "SelectOptions")
    return g.done(z)


@op("SELECT_V2")
def select_v2(g):
    kind = g.cycle(("float32", "int8", "int32", "uint8", "int16", "int64", "bool"))
    a, b = broadcast_shapes(g)
    full = list(np.broadcast_shapes(tuple(a), tuple(b)))
    q = g.quant(kind)
    c = g.input("bool", [d if g.chance(0.7) else 1 for d in full])
    x, y = g.m.input(kind, a, **q), second(g, kind, b, q)
    z = g.m.tensor(kind, None, **q)
    g.m.op("SELECT_V2", [c, x, y], [z], "SelectV2Options")
    return g.done(z)


# ---- between types -------------------------------------------------------------------------------------------------
@op("QUANTIZE")
def quantize(g):
    source, target = g.cycle([(a, b) for a in ANY[::-1] for b in ANY[:3] if (a, b) != ("int16", "uint8")] + [("float32", "int8"), ("int32", "int8"),
                                                                           ("int32", "int16")])
    shape = g.shape(g.int(1, 4), 2, 7, 400)
    largest = g.log(0.3, 12)
    q = g.quant(source, largest) if source != "int32" else dict(scale=largest / 2**31, zero=0)
    x = g.m.input(source, shape, **q)
    qo = g.quant(target, largest * g.pick([1, 1, g.log(0.05, 20)]))
    if source == target and g.chance(0.3):
        qo["scale"] = q["scale"]
    if source in LIMITS and target in LIMITS and g.chance(0.2):
        qo["scale"] = float(np.float32(q["scale"] * (256 if target != "int16" and source == "int16" else 1)))
    y = g.m.tensor(target, None, **qo)
    g.m.op("QUANTIZE", [x], [y], "QuantizeOptions")
    ranges = {0: (-(2**31), 2**31 - 1)} if source == "int32" else {}
    if source == "float32":
        step = qo["scale"]

        def values(rng, shape, mode):
            v = rng.uniform(-1.2, 1.2, shape) * largest
            return np.where(rng.random(shape) < 0.4, (np.rint(v / step) + 0.5) * step, v)  # many ties

        ranges = {0: values}
    label = "float32" if source == "float32" else None
    label = "full-integer %s, float32 input" % target if label else None
    return g.done(y, ranges=ranges, label=label)


@op("DEQUANTIZE")
def dequantize(g):
    source = g.cycle(("int8", "uint8", "int16", "float16", "int8 per-channel", "int4"))
    kind = source.split()[0]
    shape = g.shape(g.int(1, 4), 1, 7, 400)
    if kind == "float16":
        half = g.m.const("float16", g.values("float16", shape))
        y = g.m.tensor("float32", shape)
        g.m.op("DEQUANTIZE", [half], [y], "DequantizeOptions")
        x = g.input("float32", shape)
        z = g.output("float32")
        g.m.op("ADD", [x, y], [z], "AddOptions", fusedActivationFunction=0)
        return g.done(z, label="float16 weights")
    if kind == "int4":
        shape[-1] = shape[-1] + 1 & ~1
        w = g.m.const("int4", g.rng.integers(-8, 8, shape), scale=g.log(0.01, 1), zero=0)
        y = g.m.tensor("float32", shape)
        g.m.op("DEQUANTIZE", [w], [y], "DequantizeOptions")
        x = g.input("float32", shape)
        z = g.output("float32")
        g.m.op("ADD", [x, y], [z], "AddOptions", fusedActivationFunction=0)
        return g.done(z, label="float32, int4 weights")
    if "channel" in source:
        axis = g.int(0, len(shape) - 1)
        x = g.m.tensor("int8", shape, np.exp(g.rng.uniform(-6, 0, shape[axis])), 0, axis)
        g.m.graph.inputs.append(x)
    else:
        x = g.input(kind, shape)
    y = g.output("float32")
    g.m.op("DEQUANTIZE", [x], [y], "DequantizeOptions")
    return g.done(y, label="full-integer %s, float32 output" % kind)


@op("CAST")
def cast(g):
    from ai_edge_litert import schema_py_generated as schema

    kinds = ("float32", "int32", "int64", "bool", "int8", "uint8", "int16")
    source, target = g.cycle([(a, b) for a in kinds for b in kinds if a != b][::3])
    x = g.m.input(source, g.shape(g.int(1, 4)))
    y = g.m.tensor(target, None)
    numbers = (getattr(schema.TensorType, source.upper()), getattr(schema.TensorType, target.upper()))
    g.m.op("CAST", [x], [y], "CastOptions", inDataType=numbers[0], outDataType=numbers[1])
    span = (0.0, 100.0) if source == "float32" and target in ("uint8", "int8") else None
    return g.done(y, ranges={0: span} if span else {})
