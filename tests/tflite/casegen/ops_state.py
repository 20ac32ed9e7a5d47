"""Operators with state: recurrent layers and variables, over several steps."""

import numpy as np

from casegen.cases import op

NONE, RELU, RELU_N1_TO_1, RELU6, TANH = range(5)
HYBRID = "dynamic-range (float activations, int8 weights), per-tensor weights"


def steps(g):
    return g.pick([3, 4, 6])


def weights(g, kind, shape, largest=0.7):
    """Float, or int8 with its scale."""
    if kind == "float32":
        return g.m.const("float32", g.rng.uniform(-largest, largest, shape))
    return g.m.const("int8", g.rng.integers(-127, 128, shape), scale=g.log(0.2, 1) * largest / 127, zero=0)


def scale_of(g, index):
    return float(g.m.graph.tensors[index].quantization.scale[0])


@op("SVDF")
def svdf(g):
    style = g.cycle(("int8", "float32", "hybrid"))
    batch, n_in, units, rank, memory = g.pick([1, 1, 2]), g.int(2, 9), g.int(1, 6), g.pick([1, 1, 2]), g.int(2, 6)
    filters = units * rank
    activation = RELU if style == "int8" else g.pick([NONE, RELU, RELU6])
    if style == "int8":
        s_in, s_wf, s_state = g.scale("int8"), g.log(0.2, 1) / 127, g.log(2, 30) / 32767
        s_wt = g.log(0.2, 1) / 32767 if g.chance(0.6) else g.log(0.2, 1) / 127
        kind_time = "int16"
        x = g.input("int8", [batch, n_in], scale=s_in, zero=g.zero("int8"))
        wf = g.m.const("int8", g.rng.integers(-127, 128, [filters, n_in]), scale=s_wf, zero=0)
        largest = 32767 if s_wt < 1e-4 else 127
        wt = g.m.const(kind_time, g.rng.integers(-largest, largest + 1, [filters, memory]), scale=s_wt, zero=0)
        bias = g.m.const("int32", g.rng.integers(-(2**20), 2**20, [units]), scale=s_state * s_wt, zero=0)
        state = g.m.tensor("int16", [batch, memory * filters], s_state, 0, variable=True)
        y = g.output("int8", g.log(1, 10))
        label = "full-integer int8, per-tensor weights"
    else:
        kind = "int8" if style == "hybrid" else "float32"
        x = g.input("float32", [batch, n_in])
        wf, wt = weights(g, kind, [filters, n_in]), weights(g, kind, [filters, memory])
        bias = g.m.const("float32", g.rng.standard_normal(units))
        state = g.m.tensor("float32", [batch, memory * filters], variable=True)
        y = g.output("float32")
        label = HYBRID if style == "hybrid" else "float32"
    if style != "int8" and g.chance(0.2):
        bias = -1
    g.m.op("SVDF", [x, wf, wt, bias, state], [y], "SVDFOptions", rank=rank, fusedActivationFunction=activation,
           asymmetricQuantizeInputs=style == "hybrid" and g.chance(0.5))
    return g.done(y, label=label, steps=steps(g))


def rnn(name, sequence):
    @op(name)
    def make(g):
        style = g.cycle(("float32", "hybrid"))
        kind = "int8" if style == "hybrid" else "float32"
        batch, time, n_in, units = g.pick([1, 2]), g.int(1, 4), g.int(1, 7), g.int(1, 6)
        major = g.chance(0.5)
        shape = ([time, batch, n_in] if major else [batch, time, n_in]) if sequence else [batch, n_in]
        x = g.input("float32", shape)
        w, r = weights(g, kind, [units, n_in]), weights(g, kind, [units, units])
        bias = g.m.const("float32", g.rng.standard_normal(units))
        state = g.m.tensor("float32", [batch, units], variable=True)
        y = g.output("float32")
        fields = dict(fusedActivationFunction=g.pick([NONE, RELU, RELU6, TANH]),
                      asymmetricQuantizeInputs=style == "hybrid" and g.chance(0.5))
        if sequence:
            fields["timeMajor"] = major
        g.m.op(name, [x, w, r, bias, state], [y], "SequenceRNNOptions" if sequence else "RNNOptions", **fields)
        return g.done(y, label=HYBRID if kind == "int8" else "float32", steps=steps(g))

    return make


rnn("UNIDIRECTIONAL_SEQUENCE_RNN", True)
rnn("RNN", False)


class Lstm:
    """The 24 inputs of the recurrent operators. Absent ones are -1."""

    def __init__(self, g, style, n_in, cells, outs, batch):
        self.g, self.style = g, style
        self.cifg = g.chance(0.25) and style != "int16"
        self.peephole = g.chance(0.25)
        self.projection = outs != cells
        if style == "int8" and self.projection:
            self.peephole = False  # LiteRT's integer kernel takes the wrong number of elements
        self.norm = g.chance(0.25)
        kind = "float32" if style == "float32" else "int8"
        self.kind = kind
        self.inputs = [-1] * 24
        gates = range(1 if self.cifg else 0, 4)
        for gate in gates:
            self.inputs[1 + gate] = weights(g, kind, [cells, n_in])
            self.inputs[5 + gate] = weights(g, kind, [cells, outs])
        if self.peephole:
            for i in range(1 if self.cifg else 0, 3):
                self.inputs[9 + i] = self.peephole_weights(cells)
        self.batch, self.cells, self.outs, self.gates = batch, cells, outs, gates

    def peephole_weights(self, cells):
        g = self.g
        if self.style == "int8":
            return g.m.const("int16", g.rng.integers(-32767, 32768, [cells]), scale=g.log(0.1, 0.8) / 32767, zero=0)
        return weights(g, self.kind, [cells])

    def float_rest(self):
        g = self.g
        for gate in self.gates:
            self.inputs[12 + gate] = g.m.const("float32", g.rng.standard_normal(self.cells))
            if self.norm:
                self.inputs[20 + gate] = g.m.const("float32", g.rng.uniform(0.2, 1.5, self.cells))
        if self.projection:
            self.inputs[16] = weights(g, self.kind, [self.outs, self.cells])
            if g.chance(0.5):
                self.inputs[17] = g.m.const("float32", g.rng.standard_normal(self.outs))
        self.inputs[18] = g.m.tensor("float32", [self.batch, self.outs], variable=True)
        self.inputs[19] = g.m.tensor("float32", [self.batch, self.cells], variable=True)

    def integer_rest(self, scale_in, q_out, cell_log2, hidden):
        g = self.g
        for gate in self.gates:
            scale = scale_in * scale_of(g, self.inputs[1 + gate])
            # TFLite Micro, which alone takes int16, reads these as int64.
            kind = "int64" if self.style == "int16" else "int32"
            self.inputs[12 + gate] = g.m.const(kind, g.rng.integers(-4000, 4000, [self.cells]), scale=scale, zero=0)
            if self.norm:
                s = g.log(0.3, 1.5) / 32767
                self.inputs[20 + gate] = g.m.const("int16", g.rng.integers(2000, 32768, [self.cells]), scale=s, zero=0)
                bias = g.rng.integers(-(2**20), 2**20, [self.cells])
                self.inputs[12 + gate] = g.m.const("int32", bias, scale=s / 1024, zero=0)
        if self.projection:
            self.inputs[16] = weights(g, "int8", [self.outs, self.cells])
            s = hidden["scale"] * scale_of(g, self.inputs[16])
            self.inputs[17] = g.m.const("int32", g.rng.integers(-3000, 3000, [self.outs]), scale=s, zero=0)
        self.inputs[18] = g.m.tensor(self.style, [self.batch, self.outs], variable=True, **q_out)
        self.inputs[19] = g.m.tensor("int16", [self.batch, self.cells], 2.0**cell_log2, 0, variable=True)


def lstm(name, sequence, styles):
    @op(name)
    def make(g):
        style = g.cycle(styles)
        batch, time, n_in, cells = g.pick([1, 1, 2]), g.int(1, 4), g.int(1, 6), g.int(1, 6)
        outs = g.int(1, 5) if g.chance(0.35) and style != "int16" else cells
        major = g.chance(0.5)
        shape = ([time, batch, n_in] if major else [batch, time, n_in]) if sequence else [batch, n_in]
        layer = Lstm(g, style, n_in, cells, outs, batch)
        intermediates = None
        fields = dict(fusedActivationFunction=TANH, cellClip=g.pick([0.0, 0.0, 2.0]),
                      projClip=g.pick([0.0, 0.8]) if layer.projection else 0.0)
        if style in ("int8", "int16"):
            scale_in = g.scale(style, g.log(1, 4))
            x = g.input(style, shape, scale=scale_in, zero=g.zero(style))
            q_out = dict(scale=1 / (128 if style == "int8" else 32768), zero=g.int(-10, 10) if style == "int8" else 0)
            hidden = dict(scale=1 / 127, zero=g.int(-8, 8)) if layer.projection and style == "int8" else dict(q_out)
            layer.integer_rest(scale_in, q_out, g.pick([-11, -12, -10]), hidden)
            intermediates = [g.m.tensor("int16", [0], 2.0**-12 if not layer.norm else g.log(4, 12) / 32767, 0) for _ in range(4)]
            intermediates.append(g.m.tensor(style, [0], **hidden))
            y = g.m.tensor(style, shape[:-1] + [outs], **q_out)
            label = "full-integer int8, per-tensor weights" if style == "int8" else "int16 activations, per-tensor weights"
        else:
            x = g.input("float32", shape)
            layer.float_rest()
            y = g.output("float32")
            label = HYBRID if style == "hybrid" else "float32"
            fields["asymmetricQuantizeInputs"] = style == "hybrid" and g.chance(0.5)
        layer.inputs[0] = x
        if not layer.norm:
            layer.inputs = layer.inputs[:20] if g.chance(0.5) and style != "int16" else layer.inputs
        if sequence:
            fields["timeMajor"] = major
        g.m.op(name, layer.inputs, [y], "UnidirectionalSequenceLSTMOptions" if sequence else "LSTMOptions",
               intermediates=intermediates, **fields)
        return g.done(y, label=label, steps=steps(g))

    return make


lstm("UNIDIRECTIONAL_SEQUENCE_LSTM", True, ("float32", "int8", "hybrid", "int16"))
lstm("LSTM", False, ("float32", "int8", "hybrid"))


@op("VARIABLES")
def variables(g):
    """A running sum, or a line of the last inputs, in a variable that CALL_ONCE sets."""
    kind = g.cycle(("float32", "int8", "int16", "int32"))
    form = g.cycle(("sum", "line"))
    q = g.quant(kind)
    shape = [1, g.int(2, 8)]
    whole = [1, shape[1] * 3] if form == "line" else shape
    handle = dict(container="", sharedName="state")
    x = g.m.input(kind, shape, **q)
    r = g.m.tensor("resource", [])
    old, new = g.m.tensor(kind, whole, **q), g.m.tensor(kind, whole, **q)
    y = g.m.tensor(kind, whole, **q)
    g.m.op("CALL_ONCE", [], [], "CallOnceOptions", initSubgraphIndex=1)
    g.m.op("VAR_HANDLE", [], [r], "VarHandleOptions", **handle)
    g.m.op("READ_VARIABLE", [r], [old], "ReadVariableOptions")
    if form == "sum":
        g.m.op("ADD", [old, x], [new], "AddOptions", fusedActivationFunction=0, potScaleInt16=False)
    else:
        rest = g.m.tensor(kind, [1, shape[1] * 2], **q)
        g.m.op("SLICE", [old, g.m.ints([0, shape[1]]), g.m.ints([-1, -1])], [rest], "SliceOptions")
        g.m.op("CONCATENATION", [rest, x], [new], "ConcatenationOptions", axis=1, fusedActivationFunction=0)
    g.m.op("ASSIGN_VARIABLE", [r, new], [], "AssignVariableOptions")
    if g.chance(0.5):
        g.m.op("READ_VARIABLE", [r], [y], "ReadVariableOptions")
    else:
        y = new
    g.m.outputs(y)
    g.done(y, steps=steps(g))
    g.m.subgraph("init")
    start = g.m.const(kind, np.full(whole, q.get("zero", 0)) if g.chance(0.5) else g.values(kind, whole), **q)
    r = g.m.tensor("resource", [])
    g.m.op("VAR_HANDLE", [], [r], "VarHandleOptions", **handle)
    g.m.op("ASSIGN_VARIABLE", [r, start], [], "AssignVariableOptions")
    return g
