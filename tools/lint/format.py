"""C++ formatting by clang-format 14. Run as a program: format.py --fix [files] rewrites them."""

import concurrent.futures
import os
import re
import subprocess
import sys

from sources import Problem, is_cpp, list_files

CLANG_FORMAT = "clang-format-14"
_PER_RUN = 16


def _batches(paths):
    return [paths[i : i + _PER_RUN] for i in range(0, len(paths), _PER_RUN)]


def _run_all(root, arguments, paths):
    """Runs clang-format over all paths on all cores; returns what it printed."""

    def run(batch):
        command = [CLANG_FORMAT, "--style=file", *arguments, *batch]
        done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.stdout, done.returncode

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(run, _batches(paths)))
    return "".join(text for text, _ in results), max((code for _, code in results), default=0)


def check(root, files):
    printed, code = _run_all(root, ["--dry-run", "--Werror", "--ferror-limit=0"], [path for path in files if is_cpp(path)])
    first, count = {}, {}
    for path, line in re.findall(r"^(.+?):(\d+):\d+: error: code should be clang-formatted", printed, re.M):
        first.setdefault(path, int(line))
        count[path] = count.get(path, 0) + 1
    if code != 0 and not first:
        return [Problem(".clang-format", 1, f"{CLANG_FORMAT} failed: {printed.strip()}", "./dev setup")]
    return [
        Problem(path, line, f"not formatted by {CLANG_FORMAT} ({count[path]} places)", f"./dev format {path}")
        for path, line in sorted(first.items())
    ]


def main(arguments):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if not arguments or arguments[0] != "--fix":
        print("usage: format.py --fix [files]", file=sys.stderr)
        return 2
    named = [os.path.relpath(os.path.abspath(path), root) for path in arguments[1:]]
    unknown = [path for path in named if not os.path.isfile(os.path.join(root, path))]
    if unknown:
        print(f"format: no such file: {', '.join(unknown)}", file=sys.stderr)
        return 2
    paths = named or [path for path in list_files(root) if is_cpp(path)]
    printed, code = _run_all(root, ["-i"], paths)
    print(printed, end="")
    print(f"format: {len(paths)} files")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
