"""ONNX models with their inputs, run by ONNX Runtime as they are written, and cut where their tensors are integers."""

import copy
import json
import pathlib
import re
import subprocess

import numpy as np
import onnx
import onnxruntime
from onnx import helper

# Operators whose results are integers of a quantized network, and those that give what they get.
QUANTIZING = {"QuantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger", "QGemm"}
MOVING = {"Clip", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Max", "Min", "Pad", "Relu", "Reshape",
          "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"}


def read(path):
    """The model with its Constant nodes as initializers, its functions inlined, and its nodes in the order that they run."""
    model = onnx.load(str(path))
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    kept, waiting = [], list(model.graph.node)
    made = {t.name for t in model.graph.initializer} | {i.name for i in model.graph.input} | {""}
    ordered = []
    while waiting:
        ready = [n for n in waiting if made.issuperset(n.input)] or waiting
        for node in ready:
            made.update(node.output)
        ordered += ready
        waiting = [n for n in waiting if n not in ready] if len(ready) < len(waiting) else []
    for node in ordered:
        value = next((a for a in node.attribute if a.name == "value"), None)
        if node.op_type == "Constant" and value is not None:
            tensor = copy.deepcopy(value.t)
            tensor.name = node.output[0]
            model.graph.initializer.append(tensor)
        else:
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model


def graph_inputs(model):
    constants = {t.name for t in model.graph.initializer}
    return [i for i in model.graph.input if i.name not in constants]


def inputs_beside(path, model, seed=0):
    """The first set of inputs that lies beside the model; without any, random ones."""
    folder = pathlib.Path(path).parent
    wanted = graph_inputs(model)
    files = sorted(folder.glob("inputs_0_*.npy"), key=lambda p: int(re.findall(r"\d+", p.stem)[-1])) or sorted(folder.glob("input.npy"))
    steps = 1
    if (folder / "about.json").exists():
        steps = json.loads((folder / "about.json").read_text())["sets"][0].get("steps", 1)
    if len(files) == len(wanted):
        arrays = [np.load(f) for f in files]
        return {i.name: array[0] if steps > 1 else array for i, array in zip(wanted, arrays)}
    random = np.random.default_rng(seed)
    out = {}
    for i in wanted:
        shape = [d.dim_value or 1 for d in i.type.tensor_type.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type)
        if dtype.kind == "f":
            out[i.name] = random.normal(size=shape).astype(dtype)
        else:
            limits = np.iinfo(dtype)
            out[i.name] = random.integers(max(limits.min, -128), min(limits.max, 255), size=shape, endpoint=True).astype(dtype)
    return out


def bind(model, feeds):
    """Fixes the shapes of the inputs to those of the arrays; what the file says of others may be wrong then."""
    for i in graph_inputs(model):
        shape = feeds[i.name].shape
        del i.type.tensor_type.shape.dim[:]
        for extent in shape:
            i.type.tensor_type.shape.dim.add().dim_value = extent
    for o in model.graph.output:
        o.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]


def run_ort(model, feeds, outputs=None):
    """Every asked tensor by name, each node computed by itself."""
    model = copy.deepcopy(model)
    names = outputs or [o.name for o in model.graph.output]
    there = {o.name for o in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in there)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, feeds)))


def integer_tensors(model):
    """Tensors that the quantized network hands from layer to layer, in order of their nodes."""
    dynamic = {i.name for i in graph_inputs(model)}
    readers = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    integers = []
    for node in model.graph.node:
        if not dynamic.intersection(node.input):
            continue
        dynamic.update(node.output)
        quantizing = node.op_type in QUANTIZING or node.op_type.startswith("QLinear")
        if node.op_type == "QGemm" and len(node.input) < 9:
            quantizing = False
        if quantizing or (node.op_type in MOVING and node.input[0] in integers):
            integers.extend(name for name in node.output if name)
    # What Clip narrows is one quantization with it.
    results = {o.name for o in model.graph.output}
    clipped = {name for name in integers if [n.op_type for n in readers.get(name, [])] == ["Clip"] and name not in results}
    return [name for name in integers if name not in clipped]


def cut(model, tensors, values):
    """The model in pieces: every tensor is an input, and the node that makes it gives TENSOR + '@layer'."""
    out = copy.deepcopy(model)
    tensors = set(tensors)
    for node in out.graph.node:
        for i, name in enumerate(node.output):
            if name in tensors:
                node.output[i] = name + "@layer"
    made = {name for node in out.graph.node for name in node.output}
    inputs = []
    for name in sorted(tensors):
        kind = helper.np_dtype_to_tensor_dtype(values[name].dtype)
        inputs.append(helper.make_tensor_value_info(name, kind, values[name].shape))
        out.graph.output.append(helper.make_tensor_value_info(name + "@layer", kind, None))
    read_ = {name for node in out.graph.node for name in node.input}
    out.graph.input.extend(i for i in inputs if i.name in read_)
    outputs = [o for o in out.graph.output if o.name in made]
    del out.graph.output[:]
    out.graph.output.extend(outputs)
    return out


def run_qlathe(program, model, feeds, folder, via="reference", options=()):
    """The outputs of a model, or of the file of one, by their names. Files go to the folder."""
    if isinstance(model, onnx.ModelProto):
        onnx.save(model, folder / "model.onnx")
        model = folder / "model.onnx"
    np.savez(folder / "in.npz", **feeds)
    command = [program, "run", model, *options, "--input", folder / "in.npz", "--via", via, "-o", folder / "out.npz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr or done.stdout)
    with np.load(folder / "out.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}
