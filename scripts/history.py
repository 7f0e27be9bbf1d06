"""Show all runs in results/ as trends: a table on the terminal and results/history.html.

What is compared are speedups, each measured within one run. Machines are kept apart, and so are
baselines: a run of another is another series.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table as RichTable

from pgolab import errors, files, page, plots, record, terminal, words
from pgolab.errors import Failure
from pgolab.page import Cell, Table, number, text
from pgolab.plots import Plot
from pgolab.terminal import Column

SAME_MACHINE = ("processor", "architecture", "cpus", "memory", "governor")


@dataclass(frozen=True)
class Point:
    """What one run found out about a variant of an app."""

    run: str
    result: dict[str, Any]
    clang: str
    commit: str


@dataclass(frozen=True)
class Series:
    """The points of an app's variants on one machine, by time."""

    machine: str
    app: str
    baseline: str
    variants: dict[str, list[Point]]


@dataclass(frozen=True)
class Part:
    """A series on the page."""

    title: str
    plots: list[Plot]
    tables: list[Table]


def machine_of(run: dict[str, Any]) -> str:
    """What tells the machine of a run from others, in words.

    Memory counts in whole GiB, since a kernel takes a little more or less of it for itself.
    """
    facts = dict(run["machine"])
    if facts.get("memory_bytes"):
        facts["memory"] = f"{facts['memory_bytes'] / 2**30:.0f} GiB"
    if facts.get("cpus"):
        facts["cpus"] = words.plural(facts["cpus"], "CPU")
    return ", ".join(str(facts[k]) for k in SAME_MACHINE if facts.get(k)) or "an unknown machine"


def collect(results: Path) -> tuple[list[Series], list[str]]:
    """All series, and which runs are not among them with the reason."""
    found: dict[tuple[str, str, str], dict[str, list[Point]]] = {}
    left_out = []
    for where in sorted(p for p in results.iterdir() if p.is_dir() and not p.is_symlink()):
        if where.name.startswith("."):
            continue
        try:
            run = record.read_run(where)
            summary = json.loads((where / "summary.json").read_text(encoding="utf-8"))
            points = list(points_of(run, summary))
        except FileNotFoundError:
            left_out.append(f"{where.name}: not judged yet: make report RUN={where}")
            continue
        except (Failure, ValueError, KeyError, TypeError) as error:
            left_out.append(f"{where.name}: {error}")
            continue
        if "compare" in run:
            left_out.append(f"{where.name}: compares two builds of its own, not with a baseline")
            continue
        if not points:
            left_out.append(f"{where.name}: without speedups")
        for app, variant, point in points:
            key = (machine_of(run), app, summary["baseline"])
            found.setdefault(key, {}).setdefault(variant, []).append(point)
    return [Series(*key, variants) for key, variants in sorted(found.items())], left_out


def points_of(run: dict[str, Any], summary: dict[str, Any]) -> list[tuple[str, str, Point]]:
    """App, variant and point of each speedup in a run."""
    clang = run["toolchain"].get("clang_version", "")
    return [
        (name, variant, Point(run["run"], result, clang, (run["git_commit"] or "")[:12]))
        for name, app in summary["apps"].items()
        for variant, result in app["variants"].items()
        if "interval" in result
    ]


def moved(points: list[Point]) -> str:
    """How the last run differs from the one before: 'up', 'down', or 'no' where intervals meet."""
    if len(points) < 2:
        return ""
    (low, high), (new_low, new_high) = (p.result["interval"] for p in points[-2:])
    return "up" if new_low > high else "down" if new_high < low else "no"


def part(one: Series, index: int) -> Part:
    """The figure and the tables of a series."""
    plot = plots.trend(
        f"history-{index}", f"{plots.short(one.app)}: speedup over {one.baseline}, run by run",
        {v: [(p.run, p.result) for p in points] for v, points in one.variants.items()},
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for variant, points in one.variants.items():
        for point in points:
            rows.append([
                text(variant), text(point.run),
                number(point.result["speedup"], f"{point.result['speedup']:.3f}"),
                text(words.interval(point.result)), page.verdict(point.result),
                text(point.clang), text(point.commit),
            ])  # fmt: skip
    headers = ["variant", "run", "speedup", "95 % interval", "verdict", "compiler", "commit"]
    return Part(one.app, [plot], [Table(f"{one.app}: every run", headers, rows)])


def show(one: Series) -> list[RichTable]:
    """A series as tables for the terminal."""
    headers = ("runs", "first", "before", "latest", "moved")
    columns: list[Column] = [[header] for header in headers]
    for points in one.variants.values():
        speedups = [f"{p.result['speedup']:.3f}" for p in points]
        before = speedups[-2] if len(points) > 1 else ""
        cells = (str(len(points)), speedups[0], before, words.times(points[-1].result))
        for column, cell in zip(columns, (*cells, moved(points))):
            column.append(cell)
    return terminal.tables([one.app, *one.variants], columns)


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("results", type=Path, help="the directory with the runs")
    args = parser.parse_args(argv)
    series, left_out = collect(args.results)
    if not series and not left_out:
        raise Failure(f"there is no run in '{args.results}'", "make pgo APP=parser makes one")
    with plots.style():
        parts = [part(one, i) for i, one in enumerate(series)]
    machines: dict[str, list[Part]] = {}
    for one, made in zip(series, parts):
        machines.setdefault(one.machine, []).append(made)
    path = args.results / "history.html"
    html = page.render(
        "history.html", title="pgolab: history", machines=machines, left_out=left_out,
        same=", ".join(SAME_MACHINE),
    )  # fmt: skip
    files.write_text(path, html)
    console = terminal.console()
    for machine in machines:
        console.print(f"\n{machine}")
        for one in series:
            if one.machine == machine:
                console.print(f"\nspeedup over {one.baseline}:")
                console.print(*show(one))
    if series:
        console.print(
            "\nmoved: whether the latest interval and the one before lie wholly apart, which those"
            " of the same code do less than once in a hundred times."
        )
    for line in left_out:
        console.print(f"left out: {line}")
    console.print(f"history: {path}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    errors.run(main)
