"""Which figures a run has, and the numbers in them."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import numpy as np

from pgolab import judge, plots, words
from pgolab.plots import Plot
from pgolab.record import COPY, Sample

AA_NAME = f"{COPY} (baseline's copy)"
Dots = dict[str, list[tuple[int, float, bool]]]


def dots_of(samples: Iterable[Sample], app: str, baseline: str) -> Dots:
    """Per variant and block, the warm-up aside: its speedup, and whether the block counts.

    The speedup of a block is the geometric mean over workloads and over the baseline's runs.
    """
    logs: dict[int, dict[str, dict[str, list[float]]]] = {}
    counts: dict[int, bool] = {}
    for s in samples:
        if s.app == app and s.block > 0:
            block = logs.setdefault(s.block, defaultdict(lambda: defaultdict(list)))
            block[s.variant][s.workload].append(math.log(s.wall_s))
            counts[s.block] = judge.quiet(s)
    found: Dots = defaultdict(list)
    for number, block in sorted(logs.items()):
        base = {w: float(np.mean(runs)) for w, runs in block[baseline].items()}
        for variant, runs in block.items():
            if variant != baseline:
                d = [float(np.mean(own)) - base[w] for w, own in runs.items()]
                found[variant].append((number, math.exp(-sum(d) / len(d)), counts[number]))
    return found


def of_app(
    name: str, app: dict[str, Any], summary: dict[str, Any], samples: Iterable[Sample]
) -> list[Plot]:
    """The figures of one app; none where there is nothing to see."""
    base = summary["baseline"]
    if "instructions" in app or app["noisy"] or len(app["variants"]) < 2:
        return []
    file, title = quote(name, safe=""), plots.short(name)
    variants = app["variants"]
    verdicts = {v: r["verdict"] for v, r in variants.items()}
    made = [
        plots.forest(
            f"{file}-speedup", f"{title}: speedup over {base}",
            {AA_NAME: app["aa"]} | variants, words.delta(summary), AA_NAME,
        )
    ]  # fmt: skip
    best = words.best_variant(app, base)
    assert best is not None  # there are at least two variants
    lanes = {}
    for workload, result in variants[best]["workloads"].items():
        before = words.performance(variants[base]["workloads"][workload])
        after = words.performance(result)
        lanes[workload] = (result["speedup"], before, after, result["verdict"])
    made.append(plots.before_after(
        f"{file}-throughput", f"{title}: {base} and {best} per workload", lanes, best
    ))  # fmt: skip
    workloads = list(variants[base]["workloads"])
    cells = {
        (w, v): r["workloads"][w] for w in workloads for v, r in variants.items() if v != base
    }
    if len(workloads) > 1 and len(variants) > 2:
        made.append(plots.heat_map(
            f"{file}-workloads", f"{title}: speedup per workload", workloads,
            [v for v in variants if v != base], cells,
        ))  # fmt: skip
    for cost, what, unit, costs in (
        ("build", "build time", "CPU seconds of the build, training included",
         {v: sum(words.building_s(r["costs"])) for v, r in variants.items()}),
        ("size", "size", "kB of machine code",
         {v: r["costs"]["text_bytes"] / 1e3 for v, r in variants.items()}),
    ):  # fmt: skip
        points = {v: (costs[v], float(r["speedup"])) for v, r in variants.items()}
        made.append(plots.trade_off(
            f"{file}-{cost}", f"{title}: speedup against {what}", points, verdicts, unit
        ))  # fmt: skip
    estimates = {COPY: app["aa"]["speedup"]} | {v: r["speedup"] for v, r in variants.items()}
    dots = dots_of(samples, name, base)
    made.append(plots.every_block(
        f"{file}-blocks", f"{title}: every block",
        {v: dots[v] for v in (COPY, *variants) if v in dots}, estimates,
        verdicts | {COPY: "baseline"},
    ))  # fmt: skip
    return made


def of_all(summary: dict[str, Any]) -> list[Plot]:
    """The figures over all apps; none for one app."""
    base, apps = summary["baseline"], summary["apps"]
    judged = {n: a for n, a in apps.items() if "precision" in a}
    if len(judged) < 2 or not summary["geomean"]:
        return []
    variants = list(summary["geomean"])
    cells = {
        (n, v): a["variants"][v] for n, a in judged.items() for v in variants if v in a["variants"]
    }
    return [
        plots.forest(
            "all-speedup", f"Geometric mean over {len(judged)} apps", summary["geomean"],
            words.delta(summary), "",
        ),
        plots.heat_map("all-apps", f"Speedup over {base}", list(judged), variants, cells),
    ]  # fmt: skip
