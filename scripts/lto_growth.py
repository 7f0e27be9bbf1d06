"""Find out what thin and full LTO cost as a program grows.

Generates programs of several sizes, whose functions call each other across files, and builds each
without LTO, with ThinLTO and with full LTO: from nothing, and again after a change in one file, for
which ThinLTO keeps its cache. The builds of one size take turns. Prints a table, and draws a plot
when it is told where.
"""

import os
import random
import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pgolab import errors, lock, terminal, tool, units
from pgolab.terminal import Column

FUNCTIONS = 10  # in each file
MODES: dict[str, list[str]] = {"no LTO": [], "ThinLTO": ["-flto=thin"], "full LTO": ["-flto=full"]}
STYLES = {"no LTO": ("o", ":"), "ThinLTO": ("s", "-"), "full LTO": ("^", "--")}


@dataclass(frozen=True)
class Cost:
    """What one build took: seconds on the clock, CPU seconds, peak memory of one process."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


def body(rng: random.Random, number: int, files: int) -> str:
    """One function: a loop with a switch that calls two later functions, one of them far away."""
    total = files * FUNCTIONS
    near = min(number + rng.randrange(1, 6), total - 1)
    far = rng.randrange(number, total)
    calls = [call for call in (near, far) if call != number]
    cases = "".join(
        f"        case {i}: sum += f{call}(x + {rng.randrange(99)}u, n / 4u); break;\n"
        for i, call in enumerate(calls)
    )
    steps = "".join(
        f"        sum = (sum << {rng.randrange(1, 31)}) ^ (sum >> {rng.randrange(1, 31)})"
        f" ^ (i * {rng.randrange(999)}u);\n"
        f"        if (sum % {rng.randrange(3, 99)}u == 0u) sum -= x;\n"
        for _ in range(8)
    )
    return (
        f"unsigned f{number}(unsigned x, unsigned n) {{\n"
        f"    unsigned sum = x * {rng.randrange(3, 999)}u;\n"
        "    for (unsigned i = 0; i < n; i++) {\n"
        f"{steps}"
        "        switch (sum % 5u) {\n"
        f"{cases}"
        f"        default: sum += x % {rng.randrange(3, 999)}u;\n"
        "        }\n"
        "    }\n"
        "    return sum;\n"
        "}\n"
    )


def generate(where: Path, files: int) -> list[str]:
    """Writes a program of so many files; their names without suffix.

    main can call every function by way of a table in each file, so that no link removes any.
    """
    rng = random.Random(files)
    kind = "(unsigned x, unsigned n)"
    declared = "".join(f"unsigned f{i}{kind};\n" for i in range(files * FUNCTIONS))
    parts = "".join(f"unsigned part{i}{kind};\n" for i in range(files))
    (where / "all.h").write_text(declared + parts)
    names = [f"part{i}" for i in range(files)]
    for i, name in enumerate(names):
        numbers = range(i * FUNCTIONS, (i + 1) * FUNCTIONS)
        own = ", ".join(f"f{number}" for number in numbers)
        (where / f"{name}.c").write_text(
            '#include "all.h"\n\n'
            + "\n".join(body(rng, number, files) for number in numbers)
            + f"\nstatic unsigned (*const own[]){kind} = {{{own}}};\n\n"
            f"unsigned {name}{kind} {{ return own[x % {FUNCTIONS}u](x, n); }}\n"
        )
    calls = "".join(f"    sum += part{i}((unsigned)argc, 64u);\n" for i in range(files))
    (where / "main.c").write_text(
        '#include <stdio.h>\n#include "all.h"\n\n'
        f'int main(int argc, char **argv) {{\n    unsigned sum = argv != 0;\n{calls}'
        '    return printf("%u\\n", sum) < 0;\n}\n'
    )
    return [*names, "main"]


def build(clang: Path, where: Path, names: Sequence[str], flags: Sequence[str], jobs: int) -> Cost:
    """Compiles these files and links all, in parallel."""

    def timed(label: str, *command: str) -> None:
        note = f"{label}.cost"
        tool.output(["time", "-q", "-o", note, "-f", "%e %U %S %M", str(clang), *command], where)
        costs.append([float(x) for x in (where / note).read_text().split()])

    costs: list[list[float]] = []
    start = os.times().elapsed
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda n: timed(n, "-O2", *flags, "-c", f"{n}.c", "-o", f"{n}.o"), names))
    objects = sorted(p.name for p in where.glob("*.o"))
    cache = ["-Wl,--thinlto-cache-dir=cache"] if "-flto=thin" in flags else []
    timed("link", "-O2", *flags, "-fuse-ld=lld", *cache, *objects, "-o", "program")
    used = np.array(costs)
    wall_s = os.times().elapsed - start
    return Cost(wall_s, float(used[:, 1:3].sum()), int(used[:, 3].max()) * 1024)


def change(path: Path, round_number: int) -> None:
    """A change of one function, another each time."""
    text = path.read_text()
    path.write_text(re.sub(r"x \* \d+u", f"x * {round_number + 1000}u", text, count=1))


def measure(
    clang: Path, sizes: Sequence[int], rounds: int, jobs: int, held: str
) -> dict[tuple[int, str, str], Cost]:
    """The median costs by size, mode, and 'from nothing' or 'one file changed'."""
    found: dict[tuple[int, str, str], list[Cost]] = {}
    for size in sizes:
        for number in range(rounds):
            for mode, flags in MODES.items():
                with tempfile.TemporaryDirectory() as name, lock.alone(held):
                    where = Path(name)
                    names = generate(where, size)
                    first = build(clang, where, names, flags, jobs)
                    changed = names[len(names) // 2]
                    change(where / f"{changed}.c", number)
                    second = build(clang, where, [changed], flags, jobs)
                found.setdefault((size, mode, "from nothing"), []).append(first)
                found.setdefault((size, mode, "one file changed"), []).append(second)
    return {
        key: Cost(
            float(np.median([c.wall_s for c in costs])),
            float(np.median([c.cpu_s for c in costs])),
            int(np.median([c.peak_bytes for c in costs])),
        )
        for key, costs in found.items()
    }


def draw(costs: dict[tuple[int, str, str], Cost], sizes: Sequence[int], path: Path) -> None:
    """A plot of wall seconds and of memory against the number of files."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "pgolab"
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(9.6, 3.2), layout="constrained")
    for mode, (marker, line) in STYLES.items():
        for panel, kind in zip(panels, ("from nothing", "one file changed")):
            walls = [costs[size, mode, kind].wall_s for size in sizes]
            panel.plot(sizes, walls, marker=marker, linestyle=line, label=mode)
            panel.set(title=f"build {kind}" if kind == "from nothing" else kind, ylabel="seconds")
        peaks = [costs[size, mode, "from nothing"].peak_bytes / 1e6 for size in sizes]
        panels[2].plot(sizes, peaks, marker=marker, linestyle=line, label=mode)
    panels[2].set(title="largest process", ylabel="MB")
    for panel in panels:
        panel.set(xlabel="files", ylim=(0, None))
    panels[0].legend()
    figure.savefig(path, metadata={"Date": None})


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--clang", type=Path, required=True)
    parser.add_argument("--lock", default="/run/lock", help="what builds and timed blocks lock")
    parser.add_argument("--sizes", default="30,100,300", help="numbers of files")
    parser.add_argument("--rounds", default="3")
    parser.add_argument("--plot", type=Path, help="an SVG file to draw")
    args = parser.parse_args(argv)
    sizes = [units.count("--sizes", text) for text in args.sizes.split(",")]
    jobs = os.cpu_count() or 1
    costs = measure(args.clang, sizes, units.count("--rounds", args.rounds), jobs, args.lock)
    rows = [["files", "from nothing", "CPU", "memory", "one changed", "CPU", "memory"]]
    for size in sizes:
        for mode in MODES:
            pair = [costs[size, mode, kind] for kind in ("from nothing", "one file changed")]
            cells = [f"{c.wall_s:.2f} s|{c.cpu_s:.2f} s|{c.peak_bytes / 1e6:.0f} MB" for c in pair]
            rows.append([f"{size}, {mode}", *"|".join(cells).split("|")])
    first, *others = (Column(cells) for cells in zip(*rows))
    terminal.console().print(*terminal.tables(first, others))
    if args.plot:
        draw(costs, sizes, args.plot)
    return 0


if __name__ == "__main__":
    errors.run(main)
