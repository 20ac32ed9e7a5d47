#!/usr/bin/env python3
"""Writes TFLite cases with the outputs of LiteRT and TFLite Micro. See README.md."""

import argparse
import json
import os
import pathlib
import shutil
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from casegen import cases  # noqa: E402
from casegen import ops_all  # noqa: E402,F401


def earlier(out, chosen, keep):
    """The cases of an earlier run that stay, if only some operators are made again; folders of the others go."""
    if not (out / "cases.json").exists():
        return {}
    old = json.loads((out / "cases.json").read_text())["cases"]
    stay = {}
    for name, entry in old.items():
        if keep and name.rsplit("_", 1)[0].upper() not in chosen:
            stay[name] = entry
        else:
            shutil.rmtree(out / name, ignore_errors=True)
    return stay


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--ops", default="", help="comma-separated; default: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=12, help="variants of each operator")
    parser.add_argument("--sets", type=int, default=3, help="input sets of each case, up to 3")
    parser.add_argument("--most-bytes", type=int, default=24000, help="larger cases are left out")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    chosen = args.ops.split(",") if args.ops else list(cases.OPERATORS)
    unknown = [name for name in chosen if name not in cases.OPERATORS]
    if unknown:
        sys.exit("no generator for %s; there are: %s" % (", ".join(unknown), ", ".join(cases.OPERATORS)))
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    entries, left_out = earlier(out, chosen, bool(args.ops)), 0
    for op in chosen:
        for index in range(args.count):
            gen = cases.Gen(op, index, args.seed)
            name = "%s_%03d" % (op.lower(), index)
            if cases.OPERATORS[op](gen) is None:
                continue
            said = cases.write_case(gen, out, name, args.sets, args.most_bytes)
            if isinstance(said, str):
                print("%s: not written: %s" % (name, said[:300].replace("\n", " ")), file=sys.stderr)
                left_out += 1
                continue
            if args.verbose:
                apart = [{k: [e.get("max_abs", "shape") for e in v] for k, v in s["agreement"].items()} for s in said["sets"]]
                print(name, said["quantization"], apart, said.get("runtimes_that_refuse", ""))
            entries[name] = said
    cases.write_list(out, entries)
    print("%d cases in %s, %d not written" % (len(entries), out, left_out))


if __name__ == "__main__":
    main()
