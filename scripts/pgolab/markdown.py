"""A run as GitHub-flavoured Markdown, for the summary page of a CI job."""

import re
from collections.abc import Sequence
from typing import Any

from pgolab import words
from pgolab.plots import plain


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, in a table too."""
    return re.sub(r"([\\`*_\[\]<>&#|~$])", r"\\\1", plain(text))


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table: the first column to the left, the others to the right."""
    lines = [list(headers), ["---", *["---:"] * (len(headers) - 1)], *rows]
    return [*("| " + " | ".join(line) + " |" for line in lines), ""]


def verdict(result: dict[str, Any]) -> str:
    return f"{words.MARKS[result['verdict']]} {words.verdict(result)}"


def of_app(
    name: str, app: dict[str, Any], facts: dict[str, Any], summary: dict[str, Any]
) -> list[str]:
    lines = [f"## {escaped(name)}", ""]
    lines += [*(f"- {escaped(said)}" for said in words.comparison(summary)), ""]
    if "instructions" in app:
        counted = app["instructions"]
        names = list(next(iter(counted.values()))["workloads"])
        rows = [
            [escaped(v), f"{r['ratio']:.4f}"]
            + [f"{r['workloads'][w]['ratio']:.4f}" for w in names]
            for v, r in counted.items()
        ]
        lines += [f"Instructions relative to {escaped(summary['baseline'])}", ""]
        return lines + table(["variant", "all", *map(escaped, names)], rows)
    if app["noisy"]:
        return [*lines, escaped(f"{name}: {words.too_noisy(app)}"), ""]
    lines += [f"**{escaped(words.sentence(name, app, summary, with_interval=True))}**", ""]
    names = list(next(iter(app["variants"].values()))["workloads"])
    rows = [["A/A", words.times(app["aa"]), verdict(app["aa"]), *[""] * (2 + len(names))]]
    for variant, result in app["variants"].items():
        own, training = words.building_s(result["costs"])
        rows.append([
            escaped(variant), words.times(result), verdict(result),
            words.quantity(result["costs"]["text_bytes"], "B"),
            f"{own:.1f}" + (f"+{training:.1f} s" if training else " s"),
            *(escaped(words.performance(result["workloads"][w])) for w in names),
        ])  # fmt: skip
    lines += table(["variant", "speedup", "verdict", "text", "build", *map(escaped, names)], rows)
    lines += [escaped(words.capital(words.conditions(app))) + ".", ""]
    notes = [*words.notes(app, facts), *words.recommendation(app)]
    return lines + [f"- {escaped(note)}" for note in notes] + [""]


def render(run: dict[str, Any], summary: dict[str, Any]) -> str:
    """The summary of a run."""
    apps = summary["apps"]
    lines = [f"# pgolab: {escaped(summary['run'])}", ""]
    if len(apps) > 1 and summary["geomean"]:
        rows = [[escaped(v), words.times(r), verdict(r)] for v, r in summary["geomean"].items()]
        lines += [f"Geometric mean over {len(apps)} apps, 95 % intervals", ""]
        lines += table(["variant", "speedup", "verdict"], rows)
    for name, app in apps.items():
        lines += of_app(name, app, run["apps"][name], summary)
    machine, tools = run["machine"].get("processor", ""), run["toolchain"].get("clang_version", "")
    lines += [escaped(" · ".join(filter(None, (machine, tools)))), ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"
