"""Show a judged run: tables per app, and what they mean in one sentence."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgolab import errors, record
from pgolab.errors import Failure

WIDTH = 80
GAP = 3  # columns between two of a table
PREFIXES = {"G": 1e9, "M": 1e6, "k": 1e3}
COLOURS = {"faster": "green", "slower": "red", "same": "blue", "inconclusive": "yellow"}
WORDS = {
    "o1": "-O1", "o2": "-O2", "o3": "-O3", "os": "-Os",
    "pgo": "PGO", "thin": "ThinLTO", "full": "full LTO",
}  # fmt: skip


def in_words(variant: str, baseline: str) -> str:
    """'PGO with ThinLTO': what a variant adds to the baseline."""
    added = [t for t in variant.split("-") if t not in baseline.split("-")]
    return " with ".join(WORDS.get(t, t) for t in added) or variant


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def times(result: dict[str, Any]) -> str:
    """'1.183 [1.174, 1.192]'."""
    if "interval" not in result:
        return f"{result['speedup']:.3f}"
    low, high = result["interval"]
    return f"{result['speedup']:.3f} [{low:.3f}, {high:.3f}]"


def three_digits(value: float) -> str:
    """A number to three digits, without an exponent."""
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{decimals}f}"


def quantity(value: float, unit: str) -> str:
    """'8.57 G products/s', '17.4 kB': three digits, with a prefix where the number is long."""
    prefix = next((p for p, size in PREFIXES.items() if value >= 9.995 * size), "")
    space = " " if prefix and len(unit) > 1 else ""
    return f"{three_digits(value / PREFIXES.get(prefix, 1))} {prefix}{space}{unit}"


def conditions(name: str, app: dict[str, Any]) -> str:
    """How the app was measured."""
    precision, dropped = app["precision"], app["dropped_blocks"]
    count = len(next(iter(app["variants"].values()))["workloads"])
    parts = [
        f"{name}: {plural(count, 'eval workload')}",
        f"{app['blocks']} blocks" + (f" ({dropped} dropped)" if dropped else ""),
        f"±{percent(precision['reached'])} (target {percent(precision['target'])}"
        + ("" if precision["met"] else ", not met: the budget ended") + ")",
        f"{app['layouts']} layouts" if app["layouts"] > 1 else "single layout",
        f"A/A {times(app['aa'])}",
    ]
    return ", ".join(parts)


def table(*headers: str) -> Table:
    """An empty table with a left column and right ones."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1), show_edge=False)
    for number, header in enumerate(headers):
        made.add_column(header, justify="right" if number else "left", no_wrap=True)
    return made


def speedups(app: dict[str, Any]) -> Table:
    """Speedups with verdicts, spread between layouts, text size, CPU time of the build.

    The build of a variant with a profile is given as its own plus that of the training.
    """
    made = table("variant", "speedup", "verdict", "layouts", "text", "build")
    made.columns[2].justify = "left"
    for variant, result in app["variants"].items():
        costs = result["costs"]
        training = costs.get("train_build_cpu_s", 0.0) + costs.get("train_wall_s", 0.0)
        spread = result.get("layout_spread")
        made.add_row(
            variant,
            times(result),
            Text(result["verdict"], COLOURS.get(result["verdict"], "")),
            percent(spread["sd"]) if spread else "",
            quantity(costs["text_bytes"], "B"),
            f"{costs['build_cpu_s']:.1f}" + (f"+{training:.1f} s" if training else " s"),
        )
    return made


def instructions(app: dict[str, Any]) -> Table:
    """Instructions of each variant relative to the baseline, over all workloads and on each."""
    names = list(next(iter(app["instructions"].values()))["workloads"])
    made = table("variant", "all", *names)
    for variant, result in app["instructions"].items():
        cells = [result["ratio"], *(result["workloads"][w]["ratio"] for w in names)]
        made.add_row(variant, *(f"{ratio:.4f}" for ratio in cells))
    return made


def workload_cell(result: dict[str, Any]) -> str:
    """Throughput, or the time where the work is not known."""
    if "throughput" in result:
        return quantity(result["throughput"]["value"], result["throughput"]["unit"])
    return f"{result['median_s'] * 1e3:.3g} ms"


def workloads(app: dict[str, Any]) -> list[Table]:
    """Throughput per eval workload, as many workloads a table as fit beside each other."""
    variants = app["variants"]
    first = ["variant", *variants]
    groups: list[list[list[str]]] = []
    left = 0
    for name in next(iter(variants.values()))["workloads"]:
        cells = [name, *(workload_cell(result["workloads"][name]) for result in variants.values())]
        width = max(map(len, cells)) + GAP
        if not groups or width > left:
            groups.append([first])
            left = WIDTH - max(map(len, first))
        groups[-1].append(cells)
        left -= width
    tables = []
    for group in groups:
        header, *rows = zip(*group)
        tables.append(table(*header))
        for row in rows:
            tables[-1].add_row(*row)
    return tables


def notes(app: dict[str, Any]) -> list[str]:
    """What a reader should know before believing the table."""
    found = list(app["advice"])
    costs = [r["costs"] for r in app["variants"].values()]
    links = sum(c["relink_cpu_s"] for c in costs)
    training = max(c.get("train_build_cpu_s", 0.0) for c in costs)
    building = links + training + sum(c["build_cpu_s"] for c in costs)
    if app["layouts"] > 1:
        found.append(
            f"linking {app['layouts']} layouts of each variant took {links:.1f} s of CPU time,"
            f" {links / building:.0%} of all building; under `layouts` is the standard deviation"
            " of the ratio between them"
        )
    long = app["long_runs"]
    if long and not long["holds"]:
        short = app["variants"][long["variant"]]
        found.append(
            f"in runs {long['factor']} times as long {long['variant']} is {times(long)},"
            f" not {times(short)}: start-up or caches play a part in the shorter ones"
        )
    return found


def sentence(name: str, app: dict[str, Any], summary: dict[str, Any]) -> str:
    """What the table means."""
    base = summary["baseline"]
    others = {v: r for v, r in app["variants"].items() if v != base}
    if not others:
        return f"There is nothing but {base} to compare."
    best = max(others, key=lambda v: float(others[v]["speedup"]))
    words, result = in_words(best, base), others[best]
    if result["verdict"] == "faster":
        return (
            f"{words} makes {name} {result['speedup']:.2f} times as fast on workloads it was not"
            " trained on."
        )
    if all(r["verdict"] == "same" for r in others.values()):
        delta = percent(max(summary["min_effect"], summary["aa_floor"] or 0.0))
        return f"No variant changes the speed of {name} by more than {delta}."
    if all(r["verdict"] == "slower" for r in others.values()):
        return f"Every variant makes {name} slower than {base}."
    found = f"No variant is detectably faster than {base}."
    if any(r["verdict"] == "inconclusive" for r in others.values()):
        delta = max(summary["min_effect"], summary["aa_floor"] or 0.0)
        more = f"PRECISION={50 * delta:.2g}%" if app["precision"]["met"] else "BUDGET=5m"
        found += f" What is inconclusive needs more time: {more}."
    return found


def show(name: str, app: dict[str, Any], summary: dict[str, Any], console: Console) -> None:
    """Prints one app's part of the report."""
    console.print()
    if "instructions" in app:
        console.print(f"{name}: instructions relative to {summary['baseline']}\n")
        console.print(instructions(app), "")
        console.print(
            "Fewer instructions are not always less time: this shows what code generation did, and"
            " is no verdict on PGO or layout."
        )
        return
    if app["noisy"]:
        all_blocks = app["blocks"] + app["dropped_blocks"]
        console.print(
            f"{name}: this machine was too noisy to say anything: other programs or the hypervisor"
            f" disturbed {app['dropped_blocks']} of {all_blocks} blocks. 'make doctor' says more."
        )
        return
    console.print(conditions(name, app), "\n")
    for one in (speedups(app), *workloads(app)):
        console.print(one, "")
    for line in notes(app):
        console.print(f"note: {line}")
    console.print(sentence(name, app, summary))


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("run", type=Path, help="results/RUN-ID, analysed")
    args = parser.parse_args(argv)
    record.read_run(args.run)
    path = args.run / "summary.json"
    if not path.is_file():
        raise Failure(f"'{args.run}' has no summary.json", f"make report RUN={args.run}")
    summary = json.loads(path.read_text(encoding="utf-8"))
    console = Console(width=WIDTH, highlight=False, markup=False, emoji=False)
    for name, app in summary["apps"].items():
        show(name, app, summary, console)
    console.print(f"results: {args.run}/ (summary.json, samples.csv, run.json)")
    return 0


if __name__ == "__main__":
    errors.run(main)
