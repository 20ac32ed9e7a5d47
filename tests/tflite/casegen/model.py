"""Writes TFLite models: tensors with quantization, operators with options, subgraphs."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {
    "float32": np.float32,
    "float16": np.float16,
    "int32": np.int32,
    "uint8": np.uint8,
    "int64": np.int64,
    "bool": np.bool_,
    "int16": np.int16,
    "int8": np.int8,
    "uint32": np.uint32,
    "uint16": np.uint16,
    "int4": np.int8,
    "float64": np.float64,
    "resource": None,
}
LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int4": (-8, 7)}

# The highest version of each operator that both the reference and the default resolver of LiteRT 2.3 register, where
# it is not 1.
VERSIONS = {
    "ABS": 3, "ADD": 5, "ARG_MAX": 2, "ARG_MIN": 2, "AVERAGE_POOL_2D": 3, "BATCH_MATMUL": 4, "BATCH_TO_SPACE_ND": 4,
    "BROADCAST_TO": 3, "CAST": 4, "CONCATENATION": 4, "CONV_2D": 6, "DEPTHWISE_CONV_2D": 6, "DEQUANTIZE": 5, "DIV": 2,
    "EMBEDDING_LOOKUP": 3, "EQUAL": 3, "EXP": 2, "FILL": 4, "FLOOR_DIV": 3, "FLOOR_MOD": 2, "FULLY_CONNECTED": 9,
    "GATHER": 5, "GATHER_ND": 4, "GELU": 2, "GREATER": 2, "GREATER_EQUAL": 2, "L2_NORMALIZATION": 2, "LEAKY_RELU": 2,
    "LESS": 2, "LESS_EQUAL": 2, "LOG": 2, "LOGISTIC": 3, "LOG_SOFTMAX": 2, "LSTM": 4, "MAXIMUM": 3, "MAX_POOL_2D": 3,
    "MEAN": 3, "MINIMUM": 3, "MIRROR_PAD": 3, "MUL": 5, "NOT_EQUAL": 3, "PACK": 4, "PAD": 4, "PADV2": 4,
    "QUANTIZE": 3, "REDUCE_MAX": 3, "REDUCE_MIN": 3, "REDUCE_PROD": 2, "RELU": 3, "RELU6": 3, "RESIZE_BILINEAR": 4,
    "RESIZE_NEAREST_NEIGHBOR": 4, "REVERSE_V2": 3, "RNN": 3, "RSQRT": 2, "SELECT": 3, "SELECT_V2": 2, "SIGN": 2,
    "SLICE": 5, "SOFTMAX": 3, "SPACE_TO_BATCH_ND": 3, "SPACE_TO_DEPTH": 2, "SPLIT": 4, "SPLIT_V": 2, "SQRT": 2,
    "SQUARED_DIFFERENCE": 2, "STRIDED_SLICE": 4, "SUB": 4, "SUM": 2, "SVDF": 4, "TANH": 3, "TILE": 2, "TOPK_V2": 2,
    "TRANSPOSE": 4, "TRANSPOSE_CONV": 4, "UNIDIRECTIONAL_SEQUENCE_LSTM": 3, "UNIDIRECTIONAL_SEQUENCE_RNN": 3,
    "UNPACK": 4,
}


def type_of(name):
    return getattr(schema.TensorType, name.upper())


def pack_int4(values):
    """Two a byte, the earlier one in the low half."""
    flat = values.reshape(-1).astype(np.uint8) & 15
    flat = np.concatenate([flat, np.zeros(len(flat) % 2, np.uint8)])
    return (flat[0::2] | flat[1::2] << 4).astype(np.uint8)


class Model:
    """One subgraph unless `subgraph` starts another. Tensors are known by their indices in their subgraph."""

    def __init__(self):
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = "qlathe test case"
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.model.subgraphs = []
        self.subgraph("main")
        self.unshaped = []
        self.codes = []

    def subgraph(self, name):
        graph = schema.SubGraphT()
        graph.name = name
        graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
        self.model.subgraphs.append(graph)
        self.graph = graph
        return len(self.model.subgraphs) - 1

    def tensor(self, kind, shape=None, scale=None, zero=0, axis=0, name=None, data=None, variable=False):
        """Without a shape: `shape_from` fills it in."""
        t = schema.TensorT()
        t.type = type_of(kind)
        t.name = name or "t%d" % len(self.graph.tensors)
        t.shape = [int(d) for d in shape] if shape is not None else []
        t.buffer = 0
        t.isVariable = variable
        t.hasRank = True
        if data is not None:
            t.shape = list(np.shape(data))
            buffer = schema.BufferT()
            array = np.ascontiguousarray(data, TYPES[kind])
            raw = pack_int4(array) if kind == "int4" else array
            buffer.data = np.frombuffer(raw.tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            t.buffer = len(self.model.buffers) - 1
        elif shape is None:
            self.unshaped.append((len(self.model.subgraphs) - 1, len(self.graph.tensors)))
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            q = schema.QuantizationParametersT()
            q.scale = scales
            q.zeroPoint = np.broadcast_to(np.asarray(zero, np.int64), scales.shape).copy()
            q.quantizedDimension = axis
            t.quantization = q
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def input(self, kind, shape, scale=None, zero=0, name=None):
        index = self.tensor(kind, shape, scale, zero, name=name)
        self.graph.inputs.append(index)
        return index

    def const(self, kind, data, scale=None, zero=0, axis=0, name=None):
        return self.tensor(kind, None, scale, zero, axis, name, data)

    def ints(self, values):
        return self.const("int32", np.asarray(values, np.int32))

    def op(self, code, inputs, outputs, options=None, custom=None, intermediates=None, **fields):
        """`options`: the name of the options' table; default by the fields' presence: none. `custom`: raw bytes."""
        key = code if custom is None else "CUSTOM:" + code
        if key not in self.codes:
            entry = schema.OperatorCodeT()
            number = schema.BuiltinOperator.CUSTOM if custom is not None else getattr(schema.BuiltinOperator, code)
            entry.builtinCode = number
            entry.deprecatedBuiltinCode = min(number, 127)
            entry.version = VERSIONS.get(code, 1)
            if custom is not None:
                entry.customCode = code
            self.model.operatorCodes.append(entry)
            self.codes.append(key)
        op = schema.OperatorT()
        op.opcodeIndex = self.codes.index(key)
        op.inputs = [int(i) for i in inputs]
        op.outputs = [int(i) for i in outputs]
        if intermediates:
            op.intermediates = [int(i) for i in intermediates]
        if custom is not None:
            op.customOptions = np.frombuffer(custom, np.uint8)
        elif options:
            second = hasattr(schema.BuiltinOptions2, options)
            table = getattr(schema, options + "T")()
            for name, value in fields.items():
                assert hasattr(table, name), (options, name)
                setattr(table, name, value)
            if second:
                op.builtinOptions2Type, op.builtinOptions2 = getattr(schema.BuiltinOptions2, options), table
            else:
                op.builtinOptionsType, op.builtinOptions = getattr(schema.BuiltinOptions, options), table
        self.graph.operators.append(op)
        return outputs

    def signature(self, key, inputs, outputs):
        """Names for the subgraph's inputs and outputs."""

        def table(name, index):
            t = schema.TensorMapT()
            t.name, t.tensorIndex = name, index
            return t

        s = schema.SignatureDefT()
        s.signatureKey, s.subgraphIndex = key, len(self.model.subgraphs) - 1
        s.inputs = [table(*pair) for pair in inputs.items()]
        s.outputs = [table(*pair) for pair in outputs.items()]
        self.model.signatureDefs = (self.model.signatureDefs or []) + [s]

    def outputs(self, *indices):
        self.graph.outputs = [int(i) for i in indices]
        return self

    def bytes(self):
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def about(self, number):
        """A tensor of the main subgraph as cases.json describes it."""
        t = self.model.subgraphs[0].tensors[number]
        kind = next(k for k in TYPES if type_of(k) == t.type)
        name = t.name if isinstance(t.name, str) else t.name.decode()
        out = {"name": name, "shape": [int(d) for d in t.shape], "dtype": kind}
        q = t.quantization
        if q is not None and q.scale is not None and len(q.scale):
            out["quant"] = {
                "scales": len(q.scale),
                "axis": int(q.quantizedDimension),
                "scale": [float(s) for s in q.scale[:8]],
                "zero_point": [int(z) for z in q.zeroPoint[:8]],
            }
        return out

    def op_counts(self):
        out = {}
        for graph in self.model.subgraphs:
            for op in graph.operators:
                name = self.codes[op.opcodeIndex]
                out[name] = out.get(name, 0) + 1
        return out
