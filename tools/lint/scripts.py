"""Python and shell files: that they parse, and that those to be run are executable."""

import os
import subprocess

from sources import Problem, is_python, is_shell, read_lines


def check(root, files):
    problems = []
    for path in files:
        if is_python(path):
            problems += _check_python(root, path)
        elif is_shell(path):
            problems += _check_shell(root, path)
    return problems


def _check_python(root, path):
    try:
        # Compiling from text leaves no __pycache__ behind.
        compile("\n".join(read_lines(root, path)), path, "exec")
    except (SyntaxError, ValueError) as error:
        return [Problem(path, getattr(error, "lineno", None) or 1, f"does not compile: {error}", "mend the Python")]
    return []


def _check_shell(root, path):
    full = os.path.join(root, path)
    problems = []
    lines = read_lines(root, path)
    run = subprocess.run(["bash", "-n", full], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode != 0:
        # "FILE: line N: message"
        first = run.stdout.strip().split("\n")[0].replace(full + ": ", "")
        number = first.split(":")[0].replace("line ", "")
        problems.append(Problem(path, int(number) if number.isdigit() else 1, f"bash: {first}", "mend the script"))
    if lines[0].startswith("#!"):
        if not os.access(full, os.X_OK):
            problems.append(Problem(path, 1, "has a '#!' line but is not executable", f"chmod +x {path}"))
        if not any(line.startswith("set -") and "e" in line and "u" in line for line in lines):
            problems.append(Problem(path, 1, "does not stop at errors", "begin with 'set -euo pipefail'"))
    return problems
