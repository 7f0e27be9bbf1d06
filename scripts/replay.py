"""Link a program of somebody's source tree again, as its build did.

Takes link.json of that build, then further arguments of the link, among them -o. The shared
libraries of the tree that the program needs are linked first, into lib/ beside it.
"""

import json
import subprocess
import sys
from pathlib import Path


def main(argv: list[str]) -> int:
    words = argv[1:]
    at = words.index("-o") + 1
    program = Path(words[at]).resolve()
    for link in json.loads(Path(argv[0]).read_text(encoding="utf-8")):
        target = program.parent / "lib" / link["name"] if link["name"] else program
        target.parent.mkdir(exist_ok=True)
        words[at] = str(target)
        status = subprocess.call([*link["command"], *words], cwd=link["where"])
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
