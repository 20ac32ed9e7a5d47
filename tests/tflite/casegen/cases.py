"""Cases: what an operator's generator gets to build them with, and how they are run and written."""

import json
import pathlib
import shutil
import zlib

import numpy as np

from casegen import runtimes
from casegen.model import LIMITS, TYPES, Model

OPERATORS = {}


def op(name):
    """Registers a generator: called with a Gen whose `index` counts the operator's variants."""

    def register(function):
        OPERATORS[name] = function
        return function

    return register


class Gen:
    """Choices of one case: systematic by its index, random by its seed."""

    def __init__(self, name, index, seed):
        self.name, self.index = name, index
        self.rng = np.random.default_rng([seed, zlib.crc32(name.encode()), index])
        self.m = Model()
        self.ranges = {}
        self.label = None
        self.steps = 1
        self.leave_out, self.note = (), None
        self._radix = 1

    # -- choices -------------------------------------------------------------------------------------------------
    def cycle(self, options):
        """The first call takes options in turn, the next ones advance each time the ones before have wrapped."""
        chosen = options[self.index // self._radix % len(options)]
        self._radix *= len(options)
        return chosen

    def pick(self, options):
        return options[int(self.rng.integers(len(options)))]

    def chance(self, p):
        return bool(self.rng.random() < p)

    def int(self, lo, hi):
        return int(self.rng.integers(lo, hi + 1))

    def log(self, lo, hi):
        return float(np.float32(np.exp(self.rng.uniform(np.log(lo), np.log(hi)))))

    def shape(self, rank, lo=1, hi=6, most=600):
        while True:
            shape = [self.int(lo, hi) for _ in range(rank)]
            if np.prod(shape) <= most:
                return shape

    def zero(self, kind):
        if kind not in ("int8", "uint8"):
            return 0
        lo, hi = LIMITS[kind]
        return self.pick([lo, hi, self.int(lo, hi), self.int(lo, hi), (lo + hi + 1) // 2])

    def scale(self, kind, largest=None):
        """So that the type's range stands for about +-largest."""
        if kind not in LIMITS:
            return None
        largest = largest or self.log(0.3, 12)
        return float(np.float32(largest / (32767 if kind == "int16" else 127)))

    # -- tensors -------------------------------------------------------------------------------------------------
    def quant(self, kind, largest=None):
        return dict(scale=self.scale(kind, largest), zero=self.zero(kind)) if kind in LIMITS else {}

    def input(self, kind, shape, largest=None, **q):
        return self.m.input(kind, shape, **(q or self.quant(kind, largest)))

    def output(self, kind, largest=None, **q):
        """The shape is the runtime's."""
        return self.m.tensor(kind, None, **(q or self.quant(kind, largest)))

    def without(self, runtime, why):
        """Does not store what a runtime computes, where that is not defined or plainly wrong."""
        self.leave_out, self.note = self.leave_out + (runtime, ), why

    def done(self, outputs, label=None, ranges=None, steps=1):
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        self.m.outputs(*outputs)
        self.label = label or self.label
        self.ranges = ranges or {}
        self.steps = steps
        return self

    # -- values --------------------------------------------------------------------------------------------------
    def values(self, kind, shape, mode="random", span=None):
        rng = self.rng
        if callable(span):
            return np.asarray(span(rng, shape, mode), TYPES[kind]).reshape(shape)
        if kind == "bool":
            return rng.random(shape) < {"random": 0.5, "mixed": 0.5, "low": 0.0, "high": 1.1}[mode]
        if kind.startswith("float"):
            lo, hi = span or (-4, 4)
            if span is None and mode == "random":
                return (rng.standard_normal(shape) * 2).astype(TYPES[kind])
            if span is None and mode == "mixed":
                return (rng.standard_normal(shape) * np.exp(rng.uniform(-6, 4, shape))).astype(TYPES[kind])
            if mode in ("low", "high"):
                return np.full(shape, lo if mode == "low" else hi, TYPES[kind])
            return rng.uniform(lo, hi, shape).astype(TYPES[kind])
        lo, hi = span or LIMITS.get(kind, (-100, 100))
        if mode == "random":
            return rng.integers(lo, hi + 1, shape).astype(TYPES[kind])
        if mode == "mixed":
            out = rng.choice([lo, hi, lo, hi, (lo + hi + 1) // 2], size=shape)
            return np.asarray(out).astype(TYPES[kind])
        return np.full(shape, lo if mode == "low" else hi, TYPES[kind])

    def sets(self, count):
        """Of each set its kind and the arrays of the inputs, with the axis of the steps where there are some."""
        main = self.m.model.subgraphs[0]
        modes = ["random", "mixed", "low" if self.index % 2 else "high"][:count]
        names = {"random": "seeded random", "mixed": "extremes, mixed", "low": "all lowest", "high": "all highest"}
        if not main.inputs:
            modes = modes[:1]
        out = []
        for mode in modes:
            arrays = []
            for number, index in enumerate(main.inputs):
                about = self.m.about(index)
                lead = [self.steps] if self.steps > 1 else []
                arrays.append(self.values(about["dtype"], lead + about["shape"], mode, self.ranges.get(number)))
            out.append((names[mode], arrays))
        return out


def _steps(arrays, steps):
    if steps == 1:
        return [arrays]
    return [[a[i] for a in arrays] for i in range(steps)]


def shape_from_runtime(gen, arrays):
    """Gives tensors without a shape the one that LiteRT finds."""
    if not gen.m.unshaped:
        return None
    said = None
    for name in ("litert-ref", "plain"):
        said = runtimes.run(name, gen.m.bytes(), [_steps(arrays, gen.steps)[:1]], 0, want_shapes=True)
        if not isinstance(said, str):
            break
    if isinstance(said, str):
        return said
    for subgraph, index in gen.m.unshaped:
        if subgraph == 0:
            gen.m.model.subgraphs[0].tensors[index].shape = said[0][index]
    return None


def _quantization(gen):
    if gen.label:
        return gen.label
    kinds = {gen.m.about(i)["dtype"] for i in gen.m.model.subgraphs[0].inputs}
    kinds |= {gen.m.about(i)["dtype"] for i in gen.m.model.subgraphs[0].outputs if not kinds}
    quantized = any("quant" in gen.m.about(i) for i in gen.m.model.subgraphs[0].inputs)
    if "int16" in kinds and quantized:
        return "int16 activations"
    for kind in ("int8", "uint8"):
        if kind in kinds and quantized:
            return "full-integer " + kind
    return "float32" if "float32" in kinds else "integer, " + ", ".join(sorted(kinds))


def _agreement(results):
    """Of runtimes next to each other: how far apart their outputs are."""
    out = {}
    names = [n for n in runtimes.NAMES if n in results]
    for a, b in zip(names, names[1:]):
        entries = []
        for x, y in zip(results[a], results[b]):
            if x.shape != y.shape:
                entries.append({"shapes": [list(x.shape), list(y.shape)]})
                continue
            x64, y64 = x.astype(np.float64), y.astype(np.float64)
            same = (x64 == y64) | (np.isnan(x64) & np.isnan(y64))
            with np.errstate(all="ignore"):
                apart = np.abs(np.where(same, 0, x64 - y64))
            largest = float(np.nanmax(apart)) if x.size else 0.0
            largest = largest if np.isfinite(largest) else 3.4e38
            entries.append({"max_abs": largest, "differing": round(1 - float(same.mean()), 6) if x.size else 0.0})
        out[a + " / " + b] = entries
    return out


def _store(folder, number, results):
    """Files of each runtime's outputs; the same file where they are the same to the last bit."""
    files, kept = {}, []
    for name in runtimes.NAMES:
        if name not in results:
            continue
        files[name] = []
        for i, array in enumerate(results[name]):
            key = (i, array.dtype.str, array.shape, array.tobytes())
            file = next((f for k, f in kept if k == key), None)
            if file is None:
                file = "outputs_%s_%d_%d.npy" % (name, number, i)
                np.save(folder / file, array)
                kept.append((key, file))
            files[name].append(file)
    return files


def write_case(gen, folder, name, set_count, most_bytes):
    """The entry for cases.json, or a text that says why there is none."""
    sets = gen.sets(set_count)
    error = shape_from_runtime(gen, sets[0][1])
    if error:
        return error
    model = gen.m.bytes()
    outputs = len(gen.m.model.subgraphs[0].outputs)
    stepped = [_steps(arrays, gen.steps) for _, arrays in sets]
    ran, refused = {}, {}
    for runtime in runtimes.NAMES:
        if runtime in gen.leave_out or runtime == "tflm" and not runtimes.micro:
            continue
        said = runtimes.run(runtime, model, stepped, outputs)
        if isinstance(said, str):
            refused[runtime] = said
        else:
            ran[runtime] = said
    if not ran:
        return "; ".join(sorted(set(refused.values())))
    folder = pathlib.Path(folder) / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(model)
    entries = []
    for number, (kind, arrays) in enumerate(sets):
        results = {}
        for runtime, all_sets in ran.items():
            by_step = all_sets[number]
            results[runtime] = [np.stack(o) if gen.steps > 1 else o[0] for o in zip(*by_step)]
        files = []
        for i, array in enumerate(arrays):
            files.append("inputs_%d_%d.npy" % (number, i))
            np.save(folder / files[-1], array)
        entries.append({
            "set": number, "kind": kind, "steps": gen.steps, "inputs": files,
            "outputs": _store(folder, number, results), "agreement": _agreement(results),
        })
    size = sum(file.stat().st_size for file in folder.iterdir())
    if size > most_bytes:
        shutil.rmtree(folder)
        return "%d bytes" % size
    main = gen.m.model.subgraphs[0]
    entry = {
        "ops": gen.m.op_counts(),
        "quantization": _quantization(gen),
        "inputs": [gen.m.about(i) for i in main.inputs],
        "outputs": [gen.m.about(i) for i in main.outputs],
        "variants": {},
        "sets": entries,
    }
    if gen.note:
        entry["note"] = gen.note
    if refused:
        entry["runtimes_that_refuse"] = refused
    return entry


def write_list(out, entries):
    """cases.json, one case a line."""
    about = {
        "license": "of this repository",
        "what": "single operators and small patterns, made by tests/tflite/make_cases.py",
        "runtimes": runtimes.versions(),
    }
    head = json.dumps(about, indent=1)[:-2]
    lines = ",\n".join("  %s: %s" % (json.dumps(name), json.dumps(entry)) for name, entry in entries.items())
    (pathlib.Path(out) / "cases.json").write_text(head + ',\n "cases": {\n' + lines + "\n }\n}\n")
