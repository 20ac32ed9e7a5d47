"""Weights that are stored in another form: sparse, in blocks, quantized and widened."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from casegen.cases import op

NONE, RELU = 0, 1


def sparse_rows(g, values, block):
    """A matrix as its nonzero elements, or blocks of 1 x `block`, row by row: what is stored, and how it is described."""
    rows, columns = values.shape
    stored, segments, indices = [], [0], []
    for row in values.reshape(rows, columns // block, block):
        for index, part in enumerate(row):
            if part.any():
                stored.extend(part)
                indices.append(index)
        segments.append(len(indices))
    narrow = schema.SparseIndexVector.Uint8Vector

    def dimension(size=0, sparse=False):
        d = schema.DimensionMetadataT()
        d.format = schema.DimensionType.SPARSE_CSR if sparse else schema.DimensionType.DENSE
        d.denseSize = size
        if sparse:
            kind, vector = (narrow, schema.Uint8VectorT) if g.chance(0.5) else (schema.SparseIndexVector.Int32Vector, schema.Int32VectorT)
            d.arraySegmentsType = d.arrayIndicesType = kind
            d.arraySegments, d.arrayIndices = vector(), vector()
            d.arraySegments.values, d.arrayIndices.values = segments, indices
        return d

    sparsity = schema.SparsityParametersT()
    sparsity.dimMetadata = [dimension(rows), dimension(sparse=True)]
    sparsity.traversalOrder = [0, 1]
    if block > 1:
        sparsity.traversalOrder = [0, 1, 2]
        sparsity.blockMap = [1]
        sparsity.dimMetadata.append(dimension(block))
    return np.asarray(stored), sparsity


@op("DENSIFY")
def densify(g):
    kind = g.cycle(("float32", "int8", "float16"))
    block = g.pick([1, 4])
    rows, columns = g.int(2, 8), 4 * g.int(1, 4)
    mask = g.rng.random([rows, columns // block, 1]) < 0.4
    mask[0, 0] = True
    full = g.values(kind if kind != "int8" else "int8", [rows, columns]).reshape(rows, columns // block, block)
    full = np.where(mask, np.where(full == 0, np.ones_like(full), full), 0).reshape(rows, columns)
    stored, sparsity = sparse_rows(g, full, block)
    q = dict(scale=g.log(0.002, 0.02), zero=0) if kind == "int8" else {}
    w = g.m.const(kind, stored, **q)
    g.m.graph.tensors[w].shape = [rows, columns]
    g.m.graph.tensors[w].sparsity = sparsity
    dense = g.m.tensor(kind, [rows, columns], **q)
    g.m.op("DENSIFY", [w], [dense], "DensifyOptions")
    if kind == "float16":
        wide = g.m.tensor("float32", [rows, columns])
        g.m.op("DEQUANTIZE", [dense], [wide], "DequantizeOptions")
        dense = wide
    x = g.input("float32" if kind != "int8" else "int8", [g.int(1, 3), columns])
    y = g.output("float32" if kind != "int8" else "int8")
    g.m.op("FULLY_CONNECTED", [x, dense, -1], [y], "FullyConnectedOptions", fusedActivationFunction=NONE)
    return g.done(y, label={"int8": "full-integer int8, per-tensor weights", "float16": "float16 weights"}.get(kind, "float32"))


@op("WEIGHT_ONLY")
def weight_only(g):
    """Constants of 8 or 4 bits, widened by a DEQUANTIZE before a float product."""
    kind = g.cycle(("int8", "int4", "uint8"))
    per_channel = kind != "uint8" and g.cycle((True, False))
    units, depth = g.int(2, 7), 2 * g.int(2, 12)
    lo, hi = {"int8": (-127, 127), "int4": (-7, 7), "uint8": (0, 255)}[kind]
    scales = np.exp(g.rng.uniform(-1, 0.5, units if per_channel else 1)) / (hi - lo)
    zero = g.int(0, 255) if kind == "uint8" else 0
    w = g.m.const(kind, g.rng.integers(lo, hi + 1, [units, depth]), scales, zero, 0)
    wide = g.m.tensor("float32", [units, depth])
    g.m.op("DEQUANTIZE", [w], [wide], "DequantizeOptions")
    x = g.input("float32", [g.int(1, 4), depth])
    bias = g.m.const("float32", g.rng.standard_normal(units))
    y = g.output("float32")
    g.m.op("FULLY_CONNECTED", [x, wide, bias], [y], "FullyConnectedOptions", fusedActivationFunction=g.pick([NONE, RELU]))
    return g.done(y, label="float32, %s weights" % kind)


@op("BLOCKWISE")
def blockwise(g):
    """A product by 4-bit weights with a scale for each block of a row."""
    units, block, blocks = g.int(2, 8), 32, g.int(1, 3)
    depth = block * blocks
    scales = g.m.const("float16", np.exp(g.rng.uniform(-5, -3, [units, blocks])))
    w = g.m.const("int4", g.rng.integers(-7, 8, [units, depth]))
    details = schema.BlockwiseQuantizationT()
    details.scales, details.zeroPoints, details.blockSize = scales, -1, block
    q = schema.QuantizationParametersT()
    q.detailsType, q.details = schema.QuantizationDetails.BlockwiseQuantization, details
    g.m.graph.tensors[w].quantization = q
    x = g.input("float32", [g.int(1, 4), depth])
    bias = g.m.const("float32", g.rng.standard_normal(units)) if g.chance(0.5) else -1
    y = g.output("float32")
    g.m.op("FULLY_CONNECTED", [x, w, bias], [y], "FullyConnectedOptions", fusedActivationFunction=NONE)
    g.without("litert-ref", "litert-ref does not look at the blocks' scales")
    return g.done(y, label="dynamic-range (float activations, int4 weights), blockwise weights")
