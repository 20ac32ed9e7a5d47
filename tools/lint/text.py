"""Sizes, whitespace, header guards, and words that do not belong in the project's files."""

import re

from sources import Problem, is_cpp, is_own, is_text, read_lines

MAX_LINES = 600

_SIZED = (".cpp", ".h", ".c", ".py", ".sh", ".md", ".cmake")
_BARE_TODO = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(\w[^)]*\): *\w)(?!: *\w)")
_MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(?:work|root|home)/[\w.-]+")
_REGISTRY_HOST = re.compile(r"\b(?:pypi\.org|pythonhosted\.org|deb\.debian\.org|crates\.io|npmjs\.(?:org|com))\b")


def _guarded(path, lines):
    """The runtime and the C ABI go into other people's trees, where files are copied and joined: they have classic guards."""
    if "#pragma once" in lines:
        return True
    for before, line in zip(lines, lines[1:]):
        if before.startswith("#ifndef ") and line == "#define " + before.split()[1]:
            return path.startswith("runtime/") or path.endswith("_c.h")
    return False


def check(root, files):
    problems = []
    for path in files:
        if not is_text(path):
            continue
        lines = read_lines(root, path)
        count = len(lines) - 1 if lines[-1] == "" else len(lines)
        if count > MAX_LINES and (path.endswith(_SIZED) or path == "dev"):
            problems.append(Problem(path, MAX_LINES + 1, f"{count} lines, the limit is {MAX_LINES}", "split the file by subject"))
        if is_cpp(path) and path.endswith(".h") and not _guarded(path, lines):
            problems.append(Problem(path, 1, "header without #pragma once", "begin it with a line '#pragma once'"))
        problems += _check_lines(path, lines)
        if lines[-1] != "":
            problems.append(Problem(path, len(lines), "no newline at the end of the file", "add one"))
        elif len(lines) > 2 and lines[-2] == "":
            problems.append(Problem(path, len(lines) - 1, "empty lines at the end of the file", "remove them"))
    return problems


def _check_lines(path, lines):
    problems = []
    for number, line in enumerate(lines, 1):
        if line.endswith("\r"):
            problems.append(Problem(path, number, "carriage return at the end of the line", "save the file with Unix line ends"))
            break  # every line has it
        if line != line.rstrip():
            problems.append(Problem(path, number, "trailing whitespace", "remove it"))
        if "\t" in line:
            problems.append(Problem(path, number, "tab", "use spaces"))
        match = _BARE_TODO.search(line)
        if match and is_own(path) and not path.startswith("tools/lint/"):
            problems.append(Problem(path, number, f"{match.group(1)} without text", "say what is to be done: 'TODO: ...'"))
        match = _MACHINE_PATH.search(line)
        if match:
            problems.append(Problem(path, number, f"path of one machine: {match.group(0)}", "use a relative path"))
        match = _REGISTRY_HOST.search(line)
        if match and not path.startswith("tools/lint/"):
            problems.append(Problem(path, number, f"name of a package host: {match.group(0)}", "name the package instead"))
    return problems
