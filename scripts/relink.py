"""Link a variant again in other layouts.

Layout N is the link with `--randomize-section-padding=N`: the same code, each function at another
place. The first relink is timed; there are fewer layouts, though at least 4, where all of them
would take more than a tenth of the measuring budget.
"""

import json
import os
import resource
import shlex
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pgolab import errors, files, layouts, timing, tool, units
from pgolab.errors import Failure

LEAST = 4
SHARE_OF_BUDGET = 0.1
UNKNOWN = "unknown argument '--randomize-section-padding"  # what lld 19 says


@dataclass(frozen=True)
class Recipe:
    """How a layout is made: the link command, run where the objects are, and what is done then."""

    link: list[str]
    objects: Path
    post: list[str]

    def make(self, binary: Path, number: int) -> None:
        """Makes layout number of a variant."""
        made = layouts.path(binary, number).resolve()
        made.parent.mkdir(parents=True)
        linked = made.with_name(f"{made.name}.linked") if self.post else made
        padding = f"-Wl,--randomize-section-padding={number}"
        with timing.busy("compilers"):
            try:
                tool.output([*self.link, padding, "-o", linked], self.objects)
            except Failure as failure:
                if not any(UNKNOWN in line for line in failure.detail):
                    raise
                raise Failure(
                    "this LLVM's linker is too old to link a program in other layouts",
                    "take LLVM 20 or newer (Debian 12 has 22 in bookworm-security), or LAYOUTS=1",
                    failure.detail,
                ) from None
            if self.post:
                tool.output([*self.post, "--input", linked, "--output", made])
                linked.unlink()


def affordable(wanted: int, one_s: float, budget_s: float) -> int:
    """How many layouts to make when a relink takes one_s and all may take budget_s."""
    return max(min(wanted, LEAST), min(wanted, 1 + int(budget_s / one_s)))


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--layouts", required=True, help="as many as this, layout 0 included")
    parser.add_argument("--budget", required=True, help="for measuring the app")
    parser.add_argument("--variants", type=int, required=True, help="that share the budget")
    parser.add_argument("--objects", type=Path, required=True, help="where the link command runs")
    parser.add_argument("--link", required=True, help="the link command")
    parser.add_argument("--post", default="", help="makes the binary of the linked one")
    args = parser.parse_args(argv)
    wanted = units.count("LAYOUTS", args.layouts)
    share = SHARE_OF_BUDGET * units.seconds("BUDGET", args.budget) / args.variants
    recipe = Recipe(shlex.split(args.link), args.objects, shlex.split(args.post))
    directory = args.binary.parent / "layouts"
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir()
    start = time.monotonic()
    number = 1
    if wanted > 1:
        recipe.make(args.binary, 1)
        workers = os.cpu_count() or 1
        number = affordable(wanted, (time.monotonic() - start) / workers, share)
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda n: recipe.make(args.binary, n), range(2, number)))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    facts = {
        "layouts": number,
        "wanted": wanted,
        "wall_s": round(time.monotonic() - start, 3),
        "cpu_s": round(used.ru_utime + used.ru_stime, 3),
    }
    if number < wanted:
        files.write_text(directory / "limited", args.budget + "\n")
    files.write_text(directory / "linked.json", json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    errors.run(main)
