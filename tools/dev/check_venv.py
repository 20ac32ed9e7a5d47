"""Exits 0 when the running interpreter's environment holds every version that a requirements file pins."""

import importlib.metadata
import re
import sys


def main(path):
    wrong = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            pin = re.match(r"([A-Za-z0-9_.-]+)==(\S+)", line)
            if not pin:
                continue
            name, wanted = pin.groups()
            try:
                found = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                found = "missing"
            if found != wanted:
                wrong.append(f"{name} is {found}, wanted {wanted}")
    for text in wrong:
        print(text, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
