"""A judged run on the terminal, in 80 columns."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pgolab import words

WIDTH = 80
GAP = 2  # columns between two of a table
COLOURS = {"faster": "green", "slower": "red", "same": "blue", "inconclusive": "yellow"}


def console() -> Console:
    """Prints text as it is, markup or not."""
    return Console(width=WIDTH, highlight=False, markup=False, emoji=False)


Column = list[str | Text]  # the header, then a cell per row


def tables(first: Column, columns: list[Column], left: frozenset[str] = frozenset()) -> list[Table]:
    """Columns as as many tables as it takes, each of which starts with the first column and fits.

    left: headers of the columns that are not aligned to the right.
    """
    groups: list[list[Column]] = []
    room = 0
    for column in columns:
        width = max(map(len, column)) + GAP
        if not groups or width > room:
            groups.append([first])
            room = WIDTH - max(map(len, first))
        groups[-1].append(column)
        room -= width
    made = []
    for group in groups:
        one = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1), show_edge=False)
        for column in group:
            to_left = column is first or str(column[0]) in left
            one.add_column(column[0], justify="left" if to_left else "right", no_wrap=True)
        for row in zip(*(column[1:] for column in group)):
            one.add_row(*row)
        made.append(one)
    return made


def speedups(app: dict[str, Any]) -> list[Table]:
    """Speedups with verdicts, spread between layouts, text size, CPU time of the build.

    The build of a variant with a profile is given as its own plus that of the training. After a
    race, with its long names, they are one figure, and the spread is left out.
    """
    raced = bool(app.get("race"))
    headers = ("speedup", "verdict", *([] if raced else ["layouts"]), "text", "build")
    columns: list[Column] = [[header] for header in headers]
    for result in app["variants"].values():
        own, training = words.building_s(result["costs"])
        spread = result.get("layout_spread")
        cells: Column = [
            words.times(result),
            Text(words.verdict(result), COLOURS.get(words.verdict(result), "")),
            *([] if raced else [words.percent(spread["sd"]) if spread else ""]),
            words.quantity(result["costs"]["text_bytes"], "B"),
            f"{own + training:.1f} s" if raced
            else f"{own:.1f}" + (f"+{training:.1f} s" if training else " s"),
        ]  # fmt: skip
        for column, cell in zip(columns, cells):
            column.append(cell)
    return tables(["variant", *app["variants"]], columns, frozenset(["verdict"]))


def instructions(app: dict[str, Any]) -> list[Table]:
    """Instructions of each variant relative to the baseline, over all workloads and on each."""
    counted = app["instructions"]
    columns: list[Column] = [["all", *(f"{r['ratio']:.4f}" for r in counted.values())]]
    for name in next(iter(counted.values()))["workloads"]:
        ratios = (r["workloads"][name]["ratio"] for r in counted.values())
        columns.append([name, *(f"{ratio:.4f}" for ratio in ratios)])
    return tables(["variant", *counted], columns)


def workloads(app: dict[str, Any]) -> list[Table]:
    """Throughput of each variant on each eval workload."""
    variants = app["variants"]
    columns: list[Column] = [
        [name, *(words.performance(r["workloads"][name]) for r in variants.values())]
        for name in next(iter(variants.values()))["workloads"]
    ]
    return tables(["variant", *variants], columns)


def show(
    name: str, app: dict[str, Any], facts: dict[str, Any], summary: dict[str, Any], to: Console
) -> None:
    """Prints one app's part of the report; facts: the app's part of run.json."""
    to.print()
    for line in words.comparison(summary):
        to.print(line)
    if "compare" in summary:
        to.print()
    if "instructions" in app:
        to.print(f"{name}: instructions relative to {summary['baseline']}\n")
        for one in instructions(app):
            to.print(one, "")
        for line in words.notes(app, facts):
            to.print(f"note: {line}")
        to.print(words.ABOUT_INSTRUCTIONS)
        return
    if app["noisy"]:
        to.print(f"{name}: {words.too_noisy(app)}")
        return
    to.print(f"{name}: {words.conditions(app)}\n")
    for one in (*speedups(app), *workloads(app)):
        to.print(one, "")
    for line in words.notes(app, facts):
        to.print(f"note: {line}")
    to.print(words.sentence(name, app, summary))
    for line in words.recommendation(app):
        to.print(line)
