"""Who may include whom: the table of rooms, checked on every #include line and on what a room links."""

import re

from sources import Problem, is_cpp, is_own, read_lines

OPS_HEADERS = "frontend/ops/*.h"  # headers of ops, wherever only they and not the room are allowed: .cpp files never are

# Room -> what it may include beside itself. The longest matching path is a file's room.
ROOMS = {
    "runtime": [],
    "frontend/ir": [],
    "frontend/numerics": ["frontend/ir"],
    "frontend/ops": ["frontend/ir", "frontend/numerics"],
    "frontend/reference": ["frontend/ir", "frontend/ops", "frontend/numerics"],
    # What a format computes with integers are multipliers and tables of its own rounding.
    "frontend/formats": ["frontend/ir", OPS_HEADERS, "frontend/numerics"],
    "frontend/rules": ["frontend/ir", OPS_HEADERS, "frontend/numerics", "frontend/formats/json_reader.h", "frontend/formats/json_writer.h", "frontend/formats/single_steps.h"],
    # Constants are folded by the reference itself: there is no second meaning.
    "frontend/passes": ["frontend/ir", OPS_HEADERS, "frontend/numerics", "frontend/reference"],
    "schedule": ["frontend/ir", OPS_HEADERS, "frontend/numerics"],
    "codegen": ["schedule", "frontend/ir"],
    "api": ["runtime", "frontend", "schedule", "codegen"],
    "cli": ["api"],
    "templates": ["*"],
    "examples": ["*"],
    "tests": ["*"],
    "bench": ["*"],
}

# Libraries with few homes: pattern of the include -> (name, rooms or folders that may include it).
EVERYWHERE_ROOMS = ["examples", "tests", "bench"]
LIBRARIES = [
    (re.compile(r"^Halide(\w*)\.h$"), "Halide", ["schedule", "codegen"] + EVERYWHERE_ROOMS),
    (re.compile(r"^(llvm|llvm-c|lld)/"), "LLVM", ["codegen/native"] + EVERYWHERE_ROOMS),
    (re.compile(r"^cxxopts\.hpp$"), "cxxopts", ["cli"] + EVERYWHERE_ROOMS),
    (re.compile(r"^(gtest|gmock)/"), "GoogleTest", ["tests"]),
    (re.compile(r"^benchmark/"), "Google Benchmark", ["bench"]),
]

# What runtime/ may include: headers of C and of instruction sets, as it must compile anywhere as freestanding C++11.
_RUNTIME_ALLOWED = re.compile(r"^(\w+\.h|c(stdint|stddef|string|math|limits|float))$")
_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
_LINKS_COMPILER = re.compile(r"\b(Halide::\w+|qlathe_llvm|LLVM\w*)\b")


def strip_comments_and_raw_strings(text):
    """Blanks block comments and raw strings, which may hold include lines of emitted code, and keeps the lines' numbers."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^()\\ \n]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)

    def blank(match):
        found = match.group(0)
        return "\n" * found.count("\n") if found.startswith(("/*", "R")) else found

    return pattern.sub(blank, text)


def room_of(path):
    """The room that a path lies in, or None."""
    rooms = [room for room in ROOMS if path.startswith(room + "/")]
    return max(rooms, key=len, default=None)


def includes(lines):
    """Yields (line number, '<' or '"', path) of each include that the compiler would see."""
    for number, line in enumerate(strip_comments_and_raw_strings("\n".join(lines)).split("\n"), 1):
        match = _INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def _allows(allowed, included):
    if allowed == "*":
        return True
    if allowed == OPS_HEADERS:
        return included.startswith("frontend/ops/") and included.endswith(".h")
    return included == allowed or included.startswith(allowed + "/")


def _check_include(path, room, bracket, included, files):
    """Returns (text, remedy) or None."""
    for pattern, name, homes in LIBRARIES:
        if pattern.match(included):
            if not any(path.startswith(home + "/") for home in homes):
                return f"{room}/ must not include {name} ({included})", f"{name} belongs to: {', '.join(homes)}"
            return None
    if bracket == "<":
        if room == "runtime" and not _RUNTIME_ALLOWED.match(included):
            return f"runtime/ is freestanding C++11 and must not include <{included}>", "use C headers such as <stdint.h>, or do without"
        return None
    if included.endswith((".cpp", ".c")) and room not in EVERYWHERE_ROOMS:
        return f"includes a source file: {included}", "put what is shared into a header"
    if room == "templates":
        return None
    target = room_of(included)
    if target is None:
        # The runtime and programs around emitted code include files that lie beside them.
        if room == "runtime" or room in EVERYWHERE_ROOMS:
            return None
        return f'"{included}" does not name a room', 'write includes from the root of the repository: "frontend/ir/graph.h"'
    if files is not None and included not in files and room not in EVERYWHERE_ROOMS and not included.endswith(".inc"):
        return f'"{included}" does not exist', "correct the path (files made at build time end in .inc)"
    if target == room or any(_allows(allowed, included) for allowed in ROOMS[room]):
        return None
    allowed = ", ".join(ROOMS[room]) or "nothing"
    return f"no arrow from {room}/ to {target}/ ({included})", f"beside itself {room}/ may include: {allowed}"


def check(root, files):
    problems = []
    known = set(files)
    for path in files:
        room = room_of(path)
        if is_cpp(path) and room:
            for number, bracket, included in includes(read_lines(root, path)):
                found = _check_include(path, room, bracket, included, known)
                if found:
                    problems.append(Problem(path, number, *found))
        elif is_cpp(path) and is_own(path):
            problems.append(Problem(path, 1, "C++ outside of every room", f"the rooms are: {', '.join(ROOMS)}"))
        if path.startswith(("frontend/", "cli/", "api/")) and path.endswith("CMakeLists.txt"):
            problems += _check_links(root, path)
    return problems


def _check_links(root, path):
    """frontend/ builds without Halide and LLVM; api/ and cli/ reach them through codegen alone."""
    room = path.split("/")[0]
    problems = []
    for number, line in enumerate(read_lines(root, path), 1):
        match = _LINKS_COMPILER.search(line.split("#")[0])
        if match:
            text = f"{room}/ must not link {match.group(1)}"
            problems.append(Problem(path, number, text, "only schedule/ and codegen/ link Halide, only codegen/native LLVM"))
    return problems
