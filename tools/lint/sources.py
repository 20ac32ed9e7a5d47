"""The files that lint looks at, and what a problem is."""

import collections
import os
import subprocess

Problem = collections.namedtuple("Problem", "path line text remedy")

# Committed outputs and inputs of tests: their form is somebody else's.
_FOREIGN_FOLDERS = {"goldens", "golden", "corpus", "data", "third_party"}


def list_files(root):
    """Paths, relative to root, of all files that git tracks or would track, in order."""
    command = ["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode("utf-8", "surrogateescape")
    paths = sorted(set(filter(None, listed.split("\0"))))
    return [path for path in paths if os.path.isfile(os.path.join(root, path))]


def is_own(path):
    """True unless the file's form is not ours to decide."""
    return not _FOREIGN_FOLDERS & set(path.split("/")[:-1])


def is_cpp(path):
    """C and C++ that we wrote. Templates have holes that no C++ tool understands."""
    return path.endswith((".cpp", ".h", ".c")) and is_own(path) and not path.startswith("templates/")


def is_text(path):
    name = os.path.basename(path)
    suffixes = (".cpp", ".h", ".c", ".py", ".sh", ".md", ".cmake", ".txt", ".json", ".in", ".tpl")
    return is_own(path) and (path.endswith(suffixes) or path in ("dev", ".ci/run") or name in (".clang-format", ".gitignore"))


def is_shell(path):
    return is_own(path) and (path.endswith(".sh") or path in ("dev", ".ci/run"))


def is_python(path):
    return is_own(path) and path.endswith(".py")


def read_lines(root, path):
    """The file's lines, without line ends. Bytes that are not UTF-8 become U+FFFD."""
    with open(os.path.join(root, path), encoding="utf-8", errors="replace", newline="") as text:
        return text.read().split("\n")
