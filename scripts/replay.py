"""Link a program of somebody's source tree again, as its build did.

Takes link.json of that build, then further arguments of the link, among them -o.
"""

import json
import os
import sys
from pathlib import Path


def main(argv: list[str]) -> None:
    noted = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    words = argv[1:]
    output = words.index("-o") + 1
    words[output] = os.path.abspath(words[output])
    os.chdir(noted["where"])
    os.execv(noted["command"][0], [*noted["command"], *words])


if __name__ == "__main__":
    main(sys.argv[1:])
