"""Writes docs/coverage.md from what the cases runner says of ONNX and TFLite models and operators.

    coverage.py RUNNER SHARED OUT [KEEP]    # or ./dev coverage

RUNNER is the program qlathe-cases, or - for what KEEP holds alone (paths that were not run are left out); SHARED the folder of the reference data,
OUT the file to write. All takes the better part of an hour: what the runner said is kept in the folder KEEP, and a second run with the same program
begins where the first was stopped. Objects of emitted sources are kept too, by what they were compiled from: of a changed program only those of the
sources that changed are compiled again.
"""

import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

PATHS = ("reference", "jit", "object", "cpp")
OPERATOR_PATHS = ("reference", "jit", "cpp")
PROFILES = ("litert-ref", "litert-xnnpack", "tflm")


class Runner:
    """The program, and the reports that it wrote."""

    def __init__(self, program, keep):
        self.program = program
        self.keep = pathlib.Path(keep)
        self.keep.mkdir(parents=True, exist_ok=True)

    def run(self, what, via, folders, *options):
        """The cases' results by their folder's name; nothing where they are not to be run."""
        report = self.keep / f"{what}-{'-'.join([via, *options]).replace('--', '')}.json"
        program = pathlib.Path(self.program)
        if self.program == "-":
            if not report.exists():
                return {}
        elif not report.exists() or report.stat().st_mtime < program.stat().st_mtime:
            partial = report.with_suffix(".part")
            subprocess.run([self.program, "--via", via, "--timeout", "1800", "--json", partial, *options, *map(str, folders)],
                           stdout=subprocess.DEVNULL, check=False, env={**os.environ, "QLATHE_CASES_OBJECTS": str(self.keep / "objects")})
            partial.rename(report)
        return {case["name"]: case for case in json.loads(report.read_text(encoding="utf-8"))["cases"]}


def onnx_folders(shared):
    """Models that are ONNX files, and lists of cases that hold some."""
    models = sorted(p.parent for p in (shared / "models").glob("*/*/model.onnx"))
    lists = sorted(p.parent for p in (shared / "models" / "cases").glob("*/cases.json") if any(p.parent.glob("*/model.onnx")))
    brevitas = sorted(p.parent for p in (shared / "golden" / "brevitas").glob("*/model.onnx"))
    return models, lists, brevitas


def tflite_folders(shared):
    """Models that are TFLite files, and lists of cases that hold some: the shared ones and our own."""
    models = sorted(p.parent for p in (shared / "models").glob("*/*/model.tflite"))
    lists = sorted(p.parent for p in (shared / "models" / "cases").glob("*/cases.json") if any(p.parent.glob("*/model.tflite")))
    return models, lists + [pathlib.Path(__file__).resolve().parent.parent / "tflite" / "cases"]


def tflite(out, runner, shared):
    models, lists = tflite_folders(shared)
    out += ["## TFLite", "",
            "Networks and single operators against the stored outputs of a runtime, read with its numerics (`--numerics`).", ""]
    rows = []
    for profile in PROFILES:
        for label, folders in (("networks", models), ("operators and patterns", lists)):
            results = runner.run(f"tflite-{label.split()[0]}", "reference", folders, "--runtime", profile)
            if results:
                rows.append([label, profile, "reference", *outcomes(results.values())])
    by_jit = {}
    for via in ("jit", "object", "cpp"):
        for label, folders in (("networks", models), ("operators and patterns", lists)):
            results = runner.run(f"tflite-{label.split()[0]}", via, folders)
            if via == "jit":
                by_jit.update(results)
            if results:
                rows.append([label, "litert-ref where it is stored", via, *outcomes(results.values())])
    table(out, ["what", "numerics", "path", "passed", "differs", "unsupported", "n/a"], rows)
    about = {}
    for folder in lists:
        for name, case in json.loads((folder / "cases.json").read_text(encoding="utf-8"))["cases"].items():
            about[f"{folder.name}/{name}"] = case["ops"]
    per_op = collections.defaultdict(list)
    for name, case in by_jit.items():
        path = pathlib.Path(name)
        for op in about.get(f"{path.parent.name}/{path.name}", {}):
            per_op[op].append(case)
    table(out, ["operator (by JIT, cases that hold it)", "passed", "differs", "unsupported", "n/a"],
          [[op, *outcomes(cases)] for op, cases in sorted(per_op.items())])


def table(out, head, rows):
    out.append("| " + " | ".join(head) + " |")
    out.append("|" + "---|" * len(head))
    out.extend("| " + " | ".join(map(str, row)) + " |" for row in rows)
    out.append("")


def outcomes(results):
    counts = collections.Counter(case["outcome"] for case in results)
    return [counts["pass"], counts["differs"], counts["unsupported"], counts["n/a"]]


def main(program, shared, target, keep=None):
    shared = pathlib.Path(shared)
    out = ["# Coverage", "", "Written by `./dev coverage` from what the cases runner says; not by hand.", ""]
    with tempfile.TemporaryDirectory() as temporary:
        runner = Runner(program, keep or temporary)
        nodes = pathlib.Path(temporary) / "nodes"
        subprocess.run([sys.executable, shared / "tools" / "onnx_node_cases.py", "export", nodes], check=True,
                       stdout=subprocess.DEVNULL)
        about = json.loads((nodes / "cases.json").read_text(encoding="utf-8"))["cases"]
        by_path = {via: runner.run("nodes", via, [nodes]) for via in OPERATOR_PATHS}
        out += ["## Operators: the test cases of the onnx package", "",
                "Single operators with inputs that determine shapes bound to the case's values.", ""]
        table(out, ["path", "passed", "differs", "unsupported", "n/a", "of"],
              [[via, *outcomes(results.values()), len(results)] for via, results in by_path.items() if results])
        per_op = collections.defaultdict(list)
        for name, case in by_path["jit"].items():
            ops = about[pathlib.Path(name).name]["ops"]
            per_op[next(iter(ops)) if len(ops) == 1 else "several"].append(case)
        table(out, ["operator (by JIT)", "passed", "differs", "unsupported", "n/a"],
              [[op, *outcomes(cases)] for op, cases in sorted(per_op.items())])
        differing = sorted(pathlib.Path(name).name for name, case in by_path["jit"].items() if case["outcome"] == "differs")
        if differing:
            out += [f"Cases that differ: {', '.join(f'`{name}`' for name in differing)} (see [onnx.md](onnx.md#operators)).", ""]
        models, lists, brevitas = onnx_folders(shared)
        out += ["## Models and patterns", ""]
        rows = []
        for label, folders in (("networks", models), ("patterns and small graphs", lists), ("Brevitas' exports", brevitas)):
            for via in PATHS:
                results = runner.run(f"onnx-{label.split()[0]}", via, folders)
                if results:
                    rows.append([label, via, *outcomes(results.values())])
        table(out, ["what", "path", "passed", "differs", "unsupported", "n/a"], rows)
        tflite(out, runner, shared)
    pathlib.Path(target).write_text("\n".join(out), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
