"""Runs models in the runtimes whose outputs are the reference. Each run has a process of its own: a runtime that
aborts on a model must not end the generator."""

import os
import pickle
import signal

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

try:
    from tflite_micro.python.tflite_micro import runtime as micro
except ImportError:
    micro = None

RESOLVERS = {
    "litert-ref": OpResolverType.BUILTIN_REF,
    "litert-xnnpack": OpResolverType.AUTO,
    "plain": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
}
NAMES = ("litert-ref", "litert-xnnpack", "tflm")


def versions():
    from importlib.metadata import version

    lite = "ai-edge-litert " + version("ai-edge-litert")
    out = {
        "litert-ref": lite + ", OpResolverType.BUILTIN_REF",
        "litert-xnnpack": lite + ", default resolver (XNNPACK)",
    }
    if micro:
        out["tflm"] = "tflite-micro " + version("tflite_micro")
    return out


def _litert(resolver, model, steps, want_shapes):
    it = Interpreter(model_content=model, experimental_op_resolver_type=resolver, num_threads=1)
    it.allocate_tensors()
    ins, outs = it.get_input_details(), it.get_output_details()
    results = []
    for inputs in steps:
        for detail, value in zip(ins, inputs):
            it.set_tensor(detail["index"], value)
        it.invoke()
        results.append([np.array(it.get_tensor(d["index"])) for d in outs])
    if want_shapes:
        return {d["index"]: [int(n) for n in d["shape"]] for d in it.get_tensor_details()}
    return results


def _micro(model, steps, outputs):
    it = micro.Interpreter.from_bytes(model, arena_size=4 << 20)
    results = []
    for inputs in steps:
        for i, value in enumerate(inputs):
            it.set_input(value, i)
        it.invoke()
        results.append([np.array(it.get_output(i)) for i in range(outputs)])
    return results


def _work(name, model, sets, outputs, want_shapes):
    if name == "tflm":
        return [_micro(model, steps, outputs) for steps in sets]
    return [_litert(RESOLVERS[name], model, steps, want_shapes) for steps in sets]


def run(name, model, sets, outputs, want_shapes=False, seconds=30):
    """Of each set, of each step, the outputs; or a text that says why not. Every set starts from a fresh model."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read)
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            signal.alarm(seconds)
            try:
                result = _work(name, model, sets, outputs, want_shapes)
            except Exception as error:  # pylint: disable=broad-except
                result = type(error).__name__ + ": " + str(error)
            with os.fdopen(write, "wb") as pipe:
                pickle.dump(result, pipe)
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        raw = pipe.read()
    _, status = os.waitpid(child, 0)
    if not raw or status:
        return "crashed: signal %d" % (status & 127)
    return pickle.loads(raw)
