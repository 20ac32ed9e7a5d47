"""Pooling, reductions, concatenation."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from casegen.cases import op
from casegen.model import LIMITS

ANY = ("int8", "uint8", "int16", "float32")


def pool(name, kinds):
    @op(name)
    def make(g):
        kind = g.cycle(kinds)
        padding = g.cycle((schema.Padding.SAME, schema.Padding.VALID))
        kh, kw = g.pick([(1, 1), (2, 2), (3, 3), (2, 3), (5, 1), (4, 6)])
        h, w = kh + g.int(0, 5), kw + g.int(0, 5)
        if g.chance(0.2):
            kh, kw = h, w
        q = g.quant(kind)
        x = g.m.input(kind, [g.pick([1, 1, 2]), h, w, g.pick([1, 3, 8, 17])], **q)
        y = g.m.tensor(kind, None, **q)
        g.m.op(name, [x], [y], "Pool2DOptions", padding=padding, strideH=g.int(1, 3), strideW=g.int(1, 3), filterHeight=kh,
               filterWidth=kw, fusedActivationFunction=g.pick([0, 0, 1, 2, 3]))
        return g.done(y)

    return make


pool("AVERAGE_POOL_2D", ANY)
pool("MAX_POOL_2D", ANY)
pool("L2_POOL_2D", ("float32", ))


def reduction(name, kinds, keeps_scale=False):
    @op(name)
    def make(g):
        kind = g.cycle(kinds)
        rank = g.pick([1, 2, 3, 4, 4, 4])
        shape = g.shape(rank, 1, 7, 600)
        form = g.pick(["one", "some", "all", "hw", "negative"])
        axes = [g.int(0, rank - 1)]
        if form == "some":
            axes = sorted(int(a) for a in g.rng.choice(rank, g.int(1, rank), replace=False))
        elif form == "all":
            axes = list(range(rank))
        elif form == "hw" and rank == 4:
            axes = [1, 2]
        elif form == "negative":
            axes = [-1] if rank < 3 else [-1, 0]
        q = g.quant(kind)
        count = np.prod([shape[a] for a in axes])
        qo = dict(q)
        if kind in LIMITS and not keeps_scale and g.chance(0.7):
            growth = np.sqrt(count) if name == "SUM" else 1 / np.sqrt(count) if name == "MEAN" else 1
            qo = g.quant(kind, q["scale"] * LIMITS[kind][1] * growth * g.pick([1, 1.5, g.log(0.1, 5)]))
        x = g.m.input(kind, shape, **q)
        y = g.m.tensor(kind, None, **qo)
        axis = g.m.ints(axes) if len(axes) > 1 or g.chance(0.7) else g.m.const("int32", np.int32(axes[0]))
        g.m.op(name, [x, axis], [y], "ReducerOptions", keepDims=g.chance(0.5))
        if name == "SUM" and kind == "int16":
            g.without("litert-ref", "litert-ref takes the tensors for uint8 and leaves half of the output unset")
        span = None
        if name == "REDUCE_PROD" and not kind.startswith("float"):
            span = (-4, 4) if kind not in LIMITS else None
        if name == "REDUCE_PROD" and kind == "float32":
            span = (-1.5, 1.5)
        return g.done(y, ranges={0: span} if span else {})

    return make


reduction("MEAN", ANY + ("int32", "int64"))
reduction("SUM", ANY + ("int32", "int64"))
reduction("REDUCE_MAX", ANY + ("int32", "int64"), keeps_scale=True)
reduction("REDUCE_MIN", ANY + ("int32", "int64"), keeps_scale=True)
reduction("REDUCE_PROD", ("int8", "int16", "float32", "int32", "int64"))
reduction("REDUCE_ANY", ("bool", ))
reduction("REDUCE_ALL", ("bool", ))


@op("CONCATENATION")
def concatenation(g):
    kind = g.cycle(("int8", "uint8", "int16", "float32", "uint8 rescaled", "int32", "int64", "bool"))
    rank = g.int(1, 4)
    axis = g.int(0, rank - 1)
    shape = g.shape(rank, 1, 5, 200)
    n = g.pick([1, 2, 2, 3, 5])
    rescaled = " " in kind
    kind = kind.split()[0]
    q = g.quant(kind)
    inputs = []
    for i in range(n):
        shape[axis] = g.int(1, 5)
        qi = g.quant(kind) if rescaled else dict(q)
        if i and g.chance(0.25):
            inputs.append(g.m.const(kind, g.values(kind, shape), **qi))
        else:
            inputs.append(g.m.input(kind, list(shape), **qi))
    y = g.m.tensor(kind, None, **q)
    g.m.op("CONCATENATION", inputs, [y], "ConcatenationOptions", axis=axis - (rank if g.chance(0.3) else 0),
           fusedActivationFunction=0)
    return g.done(y)
