"""Operators that move elements: their types are anything, their values stay."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from casegen.cases import op
from casegen.model import LIMITS, type_of

ANY = ("int8", "float32", "uint8", "int16", "int32", "int64", "bool")


def moved(g, name, kind, shape, extra, options=None, outputs=1, extra_first=False, **fields):
    """One input, `extra` inputs after (or before) it, outputs of the input's quantization."""
    q = g.quant(kind)
    x = g.m.input(kind, shape, **q)
    y = [g.m.tensor(kind, None, **q) for _ in range(outputs)]
    g.m.op(name, list(extra) + [x] if extra_first else [x] + list(extra), y, options, **fields)
    return g.done(y)


@op("RESHAPE")
def reshape(g):
    kind = g.cycle(ANY)
    shape = g.shape(g.int(1, 4))
    flat = int(np.prod(shape))
    divisor = g.pick([d for d in range(1, flat + 1) if flat % d == 0])
    new = g.pick([[flat], [divisor, flat // divisor], [-1, divisor], [1, divisor, 1, flat // divisor], shape[::-1]])
    return moved(g, "RESHAPE", kind, shape, [g.m.ints(new)] if g.chance(0.8) else [], "ReshapeOptions", newShape=new)


@op("SQUEEZE")
def squeeze(g):
    kind = g.cycle(ANY)
    shape = g.pick([[1, 3, 1, 4], [2, 1, 5], [1, 1, 7, 1], [1, 4, 1], [3, 1, 1, 2]])
    ones = [i for i, d in enumerate(shape) if d == 1]
    dims = g.pick([[], ones, ones[:1], [ones[0] - len(shape)]])
    return moved(g, "SQUEEZE", kind, shape, [], "SqueezeOptions", squeezeDims=dims)


@op("EXPAND_DIMS")
def expand_dims(g):
    kind = g.cycle(ANY)
    shape = g.shape(g.int(1, 3))
    return moved(g, "EXPAND_DIMS", kind, shape, [g.m.ints([g.int(-len(shape) - 1, len(shape))])], "ExpandDimsOptions")


@op("TRANSPOSE")
def transpose(g):
    kind = g.cycle(ANY)
    rank = g.pick([2, 3, 4, 4, 5, 6])
    return moved(g, "TRANSPOSE", kind, g.shape(rank, 1, 5), [g.m.ints(g.rng.permutation(rank))], "TransposeOptions")


def paddings(g, rank, most=3):
    return np.asarray([[g.int(0, most), g.int(0, most)] if g.chance(0.7) else [0, 0] for _ in range(rank)])


@op("PAD")
def pad(g):
    kind = g.cycle(ANY)
    rank = g.pick([1, 2, 3, 4, 4, 5])
    p = paddings(g, rank)
    table = g.m.ints(p) if g.chance(0.8) else g.m.const("int64", p)
    return moved(g, "PAD", kind, g.shape(rank, 1, 4, 200), [table], "PadOptions")


@op("PADV2")
def padv2(g):
    kind = g.cycle(ANY[:-1])
    rank = g.pick([1, 2, 3, 4, 4, 5])
    q = g.quant(kind)
    x = g.m.input(kind, g.shape(rank, 1, 4, 200), **q)
    value = g.m.const(kind, g.values(kind, [g.pick([1, 1])]), **q)
    y = g.m.tensor(kind, None, **q)
    g.m.op("PADV2", [x, g.m.ints(paddings(g, rank)), value], [y], "PadV2Options")
    return g.done(y)


@op("MIRROR_PAD")
def mirror_pad(g):
    kind = g.cycle(("int8", "float32", "uint8", "int16", "int32", "int64"))
    rank = g.pick([1, 2, 3, 4])
    shape = g.shape(rank, 2, 6, 300)
    symmetric = g.chance(0.5)
    p = [[g.int(0, d - (0 if symmetric else 1)), g.int(0, d - (0 if symmetric else 1))] for d in shape]
    return moved(g, "MIRROR_PAD", kind, shape, [g.m.ints(p)], "MirrorPadOptions",
                 mode=schema.MirrorPadMode.SYMMETRIC if symmetric else schema.MirrorPadMode.REFLECT)


@op("SLICE")
def slice_op(g):
    kind = g.cycle(ANY)
    shape = g.shape(g.pick([1, 2, 3, 4, 5]), 1, 6, 400)
    begin = [g.int(0, d - 1) for d in shape]
    size = [-1 if g.chance(0.3) else g.int(1, d - b) for d, b in zip(shape, begin)]
    if g.chance(0.2):
        return moved(g, "SLICE", kind, shape, [g.m.const("int64", begin), g.m.const("int64", size)], "SliceOptions")
    return moved(g, "SLICE", kind, shape, [g.m.ints(begin), g.m.ints(size)], "SliceOptions")


@op("STRIDED_SLICE")
def strided_slice(g):
    kind = g.cycle(ANY)
    shape = g.shape(g.pick([1, 2, 3, 4, 4]), 2, 7, 500)
    rank = len(shape)
    begin, end, stride, masks = [], [], [], dict(beginMask=0, endMask=0, shrinkAxisMask=0, ellipsisMask=0, newAxisMask=0)
    for i, d in enumerate(shape):
        s = g.pick([1, 1, 2, 3, -1, -2])
        b = g.int(0, d - 1)
        if s > 0:
            e = g.int(b + 1, d + 1)
        else:
            e = g.int(-1, b - 1) if b > 0 else -1
            if e == -1:
                e = -d - 1
        begin.append(b - d if g.chance(0.2) else b)
        end.append(e)
        stride.append(s)
        if g.chance(0.2):
            masks["beginMask"] |= 1 << i
        if g.chance(0.2):
            masks["endMask"] |= 1 << i
        if g.chance(0.15):
            masks["shrinkAxisMask"] |= 1 << i
            stride[-1] = 1
            begin[-1], end[-1] = b, b + 1
            masks["beginMask"] &= ~(1 << i)
            masks["endMask"] &= ~(1 << i)
    if rank == 4 and g.chance(0.15):
        masks = dict(masks, beginMask=0, endMask=0, shrinkAxisMask=0, ellipsisMask=2)
        begin, end, stride = [0, 0, 1], [1, 0, shape[3]], [1, 1, 1]
    elif rank == 3 and g.chance(0.2):
        masks = dict(masks, beginMask=0, endMask=0, shrinkAxisMask=0, newAxisMask=2)
        begin, end, stride = [0, 0, 1], [shape[0], 1, shape[1]], [1, 1, 1]
    return moved(g, "STRIDED_SLICE", kind, shape, [g.m.ints(begin), g.m.ints(end), g.m.ints(stride)],
                 "StridedSliceOptions", offset=False, **masks)


@op("SPLIT")
def split(g):
    kind = g.cycle(ANY[:-1])
    rank, n = g.int(1, 4), g.int(1, 4)
    axis = g.int(0, rank - 1)
    shape = g.shape(rank, 1, 5, 120)
    shape[axis] = n * g.int(1, 3)
    number = g.m.const("int32", np.int32(axis - (rank if g.chance(0.3) else 0)))
    return moved(g, "SPLIT", kind, shape, [number], "SplitOptions", outputs=n, extra_first=True, numSplits=n)


@op("SPLIT_V")
def split_v(g):
    kind = g.cycle(ANY[:-1])
    rank, n = g.int(1, 4), g.int(1, 4)
    axis = g.int(0, rank - 1)
    shape = g.shape(rank, 1, 5, 120)
    sizes = [g.int(1, 4) for _ in range(n)]
    shape[axis] = sum(sizes)
    if g.chance(0.3):
        sizes[g.int(0, n - 1)] = -1
    extra = [g.m.ints(sizes), g.m.const("int32", np.int32(axis - (rank if g.chance(0.3) else 0)))]
    return moved(g, "SPLIT_V", kind, shape, extra, "SplitVOptions", outputs=n, numSplits=n)


@op("PACK")
def pack(g):
    kind = g.cycle(ANY[:-1])
    shape = g.shape(g.int(1, 3), 1, 5, 60)
    n = g.int(1, 4)
    q = g.quant(kind)
    inputs = [g.m.input(kind, shape, **q) for _ in range(n)]
    y = g.m.tensor(kind, None, **q)
    g.m.op("PACK", inputs, [y], "PackOptions", valuesCount=n, axis=g.int(-len(shape) - 1, len(shape)))
    return g.done(y)


@op("UNPACK")
def unpack(g):
    kind = g.cycle(("int8", "float32", "uint8", "int16", "int32", "bool"))
    rank = g.int(2, 4)
    shape = g.shape(rank, 1, 5, 200)
    axis = g.int(-rank, rank - 1)
    n = shape[axis]
    return moved(g, "UNPACK", kind, shape, [], "UnpackOptions", outputs=n, num=n, axis=axis)


@op("GATHER")
def gather(g):
    kind = g.cycle(ANY)
    shape = g.shape(g.int(1, 4), 2, 6, 300)
    rank = len(shape)
    batch = 1 if rank > 2 and g.chance(0.25) else 0
    axis = g.int(batch, rank - 1)
    count = shape[:batch] + g.pick([[3], [1], [2, 2], []] if not batch else [[3], [2, 2]])
    indices = g.rng.integers(0, shape[axis], count)
    extra = g.m.const(g.pick(["int32", "int32", "int64"]), indices)
    return moved(g, "GATHER", kind, shape, [extra], "GatherOptions", axis=axis - (rank if g.chance(0.2) else 0), batchDims=batch)


@op("GATHER_ND")
def gather_nd(g):
    kind = g.cycle(("int8", "float32", "uint8", "int16", "int32", "int64"))
    shape = g.shape(g.int(1, 4), 2, 5, 300)
    depth = g.int(1, len(shape))
    lead = g.pick([[3], [2, 2], [1]])
    indices = np.stack([g.rng.integers(0, d, lead) for d in shape[:depth]], -1)
    return moved(g, "GATHER_ND", kind, shape, [g.m.ints(indices)], "GatherNdOptions")


@op("SCATTER_ND")
def scatter_nd(g):
    kind = g.cycle(("float32", "int32", "int8", "uint8", "int64"))
    shape = g.shape(g.int(1, 3), 2, 6, 200)
    depth = g.int(1, len(shape))
    n = g.int(1, 5)
    indices = np.stack([g.rng.integers(0, d, [n]) for d in shape[:depth]], -1)
    q = g.quant(kind)
    updates = g.m.input(kind, [n] + shape[depth:], **q)
    y = g.m.tensor(kind, None, **q)
    g.m.op("SCATTER_ND", [g.m.ints(indices), updates, g.m.ints(shape)], [y], "ScatterNdOptions")
    return g.done(y, ranges={0: (-20, 20)} if kind == "int8" else {0: (0, 40)} if kind == "uint8" else {})


def blocks(name, options):
    @op(name)
    def make(g):
        kind = g.cycle(("int8", "float32", "uint8", "int32", "int64", "int16")[:5])
        b = g.int(1, 3)
        if name == "SPACE_TO_DEPTH":
            shape = [g.int(1, 2), b * g.int(1, 3), b * g.int(1, 3), g.int(1, 4)]
        else:
            shape = [g.int(1, 2), g.int(1, 4), g.int(1, 4), b * b * g.int(1, 3)]
        return moved(g, name, kind, shape, [], options, blockSize=b)

    return make


blocks("SPACE_TO_DEPTH", "SpaceToDepthOptions")
blocks("DEPTH_TO_SPACE", "DepthToSpaceOptions")


@op("SPACE_TO_BATCH_ND")
def space_to_batch(g):
    kind = g.cycle(("int8", "float32", "uint8", "int32", "int16", "int64"))
    spatial = g.pick([1, 2, 2])
    block = [g.int(1, 3) for _ in range(spatial)]
    sizes, pads = [], []
    for b in block:
        before, after, size = g.int(0, 2), g.int(0, 2), g.int(1, 5)
        after += -(before + after + size) % b
        sizes.append(size)
        pads.append([before, after])
    shape = [g.int(1, 2)] + sizes + [g.int(1, 4)]
    return moved(g, "SPACE_TO_BATCH_ND", kind, shape, [g.m.ints(block), g.m.ints(pads)], "SpaceToBatchNDOptions")


@op("BATCH_TO_SPACE_ND")
def batch_to_space(g):
    kind = g.cycle(("int8", "float32", "uint8", "int32", "int16", "int64"))
    spatial = g.pick([1, 2, 2])
    block = [g.int(1, 3) for _ in range(spatial)]
    sizes = [g.int(1, 4) for _ in range(spatial)]
    crops = []
    for b, s in zip(block, sizes):
        first = g.int(0, min(2, b * s - 1))
        crops.append([first, g.int(0, min(2, b * s - 1 - first))])
    shape = [int(np.prod(block)) * g.int(1, 2)] + sizes + [g.int(1, 4)]
    return moved(g, "BATCH_TO_SPACE_ND", kind, shape, [g.m.ints(block), g.m.ints(crops)], "BatchToSpaceNDOptions")


@op("TILE")
def tile(g):
    kind = g.cycle(("int8", "float32", "uint8", "int32", "int64", "bool"))
    shape = g.shape(g.int(1, 4), 1, 4, 60)
    return moved(g, "TILE", kind, shape, [g.m.ints([g.int(1, 3) for _ in shape])], "TileOptions")


@op("BROADCAST_TO")
def broadcast_to(g):
    kind = g.cycle(("int8", "float32", "uint8", "int32", "int16", "int64", "bool"))
    full = g.shape(g.int(1, 4), 1, 5, 300)
    shape = [d if g.chance(0.6) else 1 for d in full][g.int(0, len(full) - 1):]
    return moved(g, "BROADCAST_TO", kind, shape, [g.m.ints(full)], "BroadcastToOptions")


@op("REVERSE_V2")
def reverse_v2(g):
    kind = g.cycle(("float32", "uint8", "int16", "int32", "int64", "bool", "int8"))
    shape = g.shape(g.int(1, 4))
    axes = [g.int(-len(shape), len(shape) - 1)]
    return moved(g, "REVERSE_V2", kind, shape, [g.m.ints(axes)], "ReverseV2Options")


@op("REVERSE_SEQUENCE")
def reverse_sequence(g):
    kind = g.cycle(("float32", "uint8", "int16", "int32", "int64"))
    shape = g.shape(g.int(2, 4), 1, 5)
    batch = g.int(0, 1)
    seq = 1 - batch
    lengths = g.m.const("int32", g.rng.integers(1, shape[seq] + 1, [shape[batch]]))
    return moved(g, "REVERSE_SEQUENCE", kind, shape, [lengths], "ReverseSequenceOptions", seqDim=seq, batchDim=batch)


@op("SHAPE")
def shape_op(g):
    kind = g.cycle(("float32", "int8", "int32"))
    x = g.input(kind, g.shape(g.int(1, 5), 1, 4))
    out = g.pick(["int32", "int64"])
    y = g.m.tensor(out, None)
    g.m.op("SHAPE", [x], [y], "ShapeOptions", outType=type_of(out))
    return g.done(y)


@op("RANK")
def rank_op(g):
    x = g.input(g.cycle(("float32", "int8", "int32")), g.shape(g.int(1, 5), 1, 4))
    y = g.m.tensor("int32", None)
    g.m.op("RANK", [x], [y], "RankOptions")
    return g.done(y)


@op("FILL")
def fill(g):
    kind = g.cycle(("float32", "int32", "int64", "bool", "int8", "int16"))
    q = g.quant(kind)
    value = g.m.input(kind, [], **q)
    y = g.m.tensor(kind, None, **q)
    g.m.op("FILL", [g.m.const(g.pick(["int32", "int64"]), g.shape(g.int(1, 4), 1, 4)), value], [y], "FillOptions")
    return g.done(y)


@op("RANGE")
def range_op(g):
    kind = g.cycle(("int32", "float32"))
    start, delta = g.int(-5, 5), g.pick([1, 2, 3, -1, -2])
    limit = start + delta * g.int(1, 9) + g.pick([0, 1 if delta > 0 else -1])
    scalars = [g.m.const(kind, np.asarray(v * (0.5 if kind == "float32" else 1))) for v in (start, limit, delta)]
    r = g.m.tensor(kind, None)
    g.m.op("RANGE", scalars, [r], "RangeOptions")
    x = g.m.input(kind, [1])
    y = g.m.tensor(kind, None)
    g.m.op("ADD", [r, x], [y], "AddOptions", fusedActivationFunction=0)
    return g.done(y)


@op("ONE_HOT")
def one_hot(g):
    kind = g.cycle(("float32", "int32", "int64", "int8", "uint8", "bool"))
    shape = g.shape(g.int(1, 3), 1, 5, 40)
    depth = g.int(1, 6)
    x = g.m.input(g.pick(["int32", "int64"]), shape)
    on, off = (True, False) if kind == "bool" else (g.pick([1, 3]), g.pick([0, 2]))
    scalars = [g.m.const(kind, np.asarray(v)) for v in (on, off)]
    y = g.m.tensor(kind, None)
    g.m.op("ONE_HOT", [x, g.m.const("int32", np.int32(depth))] + scalars, [y], "OneHotOptions", axis=g.int(-1, len(shape)))
    return g.done(y, ranges={0: (-1, depth)})


@op("TOPK_V2")
def topk(g):
    kind = g.cycle(("float32", "int8", "uint8", "int32", "int64", "int16"))
    shape = g.shape(g.int(1, 3), 1, 9)
    k = g.int(1, shape[-1])
    q = g.quant(kind)
    x = g.m.input(kind, shape, **q)
    y, index = g.m.tensor(kind, None, **q), g.m.tensor("int32", None)
    g.m.op("TOPK_V2", [x, g.m.const("int32", np.int32(k))], [y, index], "TopKV2Options")
    return g.done([y, index])


def arg(name, options):
    @op(name)
    def make(g):
        kind = g.cycle(("float32", "int8", "uint8", "int32", "bool")[:4])
        shape = g.shape(g.int(1, 4), 1, 7)
        x = g.input(kind, shape)
        out = g.pick(["int32", "int64"])
        y = g.m.tensor(out, None)
        g.m.op(name, [x, g.m.const("int32", np.int32(g.int(-len(shape), len(shape) - 1)))], [y], options, outputType=type_of(out))
        span = (LIMITS[kind][0], LIMITS[kind][0] + 9) if kind in LIMITS and g.chance(0.5) else None  # with ties
        return g.done(y, ranges={0: span} if span else {})

    return make


arg("ARG_MAX", "ArgMaxOptions")
arg("ARG_MIN", "ArgMinOptions")


@op("EMBEDDING_LOOKUP")
def embedding_lookup(g):
    kind = g.cycle(("float32", "int8", "hybrid int8", "hybrid int4"))
    rows, width = g.int(2, 9), 2 * g.int(1, 5)
    if kind == "float32":
        table, q = g.m.const("float32", g.values("float32", [rows, width])), {}
    elif kind == "int8":
        q = g.quant("int8")
        table = g.m.const("int8", g.values("int8", [rows, width]), **q)
    else:
        q = {}
        per_row = g.chance(0.5)
        scale = np.exp(g.rng.uniform(-6, -2, rows if per_row else 1))
        weights = "int4" if "int4" in kind else "int8"
        values = g.rng.integers(-7, 8, [rows, width]) if weights == "int4" else g.values("int8", [rows, width])
        table = g.m.const(weights, values, scale=scale, zero=0)
    index = g.m.input("int32", [g.int(1, 5)])
    y = g.m.tensor("int8" if kind == "int8" else "float32", None, **q)
    g.m.op("EMBEDDING_LOOKUP", [index, table], [y])
    label = {"int8": "full-integer int8", "float32": "float32"}.get(
        kind, "dynamic-range (float activations, %s weights)" % kind.split()[-1])
    return g.done(y, label=label, ranges={0: (0, rows - 1)})
