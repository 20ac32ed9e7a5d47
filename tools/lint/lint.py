"""All lint rules over the whole tree; every problem listed at once with its place and remedy."""

import os
import subprocess
import sys

import arrows
import format as formatting
import scripts
import text
from sources import list_files

CHECKS = [("formatting", formatting), ("arrows", arrows), ("text", text), ("scripts", scripts)]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    # Rules that do not catch what they should are worth nothing: their own tests come first.
    tests = subprocess.run([sys.executable, "-B", os.path.join(here, "test_lint.py")], stderr=subprocess.PIPE, text=True, check=False)
    if tests.returncode != 0:
        print(tests.stderr)
        print("lint: the rules' own tests failed (tools/lint/test_lint.py)")
        return 1
    files = list_files(root)
    total = 0
    for name, module in CHECKS:
        problems = module.check(root, files)
        for problem in problems:
            print(f"{problem.path}:{problem.line}: {name}: {problem.text}\n    remedy: {problem.remedy}")
        total += len(problems)
    print(f"lint: {len(files)} files, {total} problem{'' if total == 1 else 's'}")
    return 1 if total else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
