"""Judge a run: read run.json and samples.csv, write summary.json.

Needs no binaries, so a run can be analysed on another machine, and again later.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pgolab import errors, files, judge, race, recommend, record, stats
from pgolab.judge import Blocks
from pgolab.record import COPY, Metric, Sample
from pgolab.stats import Estimate

SCHEMA = "pgolab.summary/1"


def rounded(values: Sequence[float]) -> list[float]:
    return [round(v, 6) for v in values]


def judged(estimate: Estimate, alpha: float, delta: float) -> dict[str, Any]:
    """Speedup, interval and verdict of one estimate at a level; delta in ln units."""
    return {
        "speedup": round(estimate.speedup(), 6),
        "interval": rounded(estimate.speedup_interval(alpha)),
        "verdict": judge.verdict_of(estimate, alpha, delta),
        "n": estimate.n,
    }


def per_workload(
    blocks: Blocks, variant: str, number: int, baseline: str, app: dict[str, Any], delta: float
) -> dict[str, Any]:
    """One variant on one workload: how fast, and its throughput."""
    name = blocks.workloads[number]
    result: dict[str, Any] = {}
    if variant != baseline:
        estimate = blocks.estimate(variant, baseline, number)
        result |= judged(estimate, stats.ALPHA, delta)
    median_s = float(np.median(blocks.values[variant][:, :, number]))
    result["median_s"] = round(median_s, 6)
    facts = app["workloads"][name]
    if facts["work"]:
        amount, unit = facts["work"]
        # The ratio of two medians is three times as uncertain as the speedup: the baseline's
        # median times the speedup keeps the table consistent.
        base_s = float(np.median(blocks.values[baseline][:, :, number]))
        value = amount * facts["scale"] / base_s * result.get("speedup", 1.0)
        result["throughput"] = {"value": float(f"{value:.4g}"), "unit": f"{unit}/s"}
    return result


def costs(facts: dict[str, Any], app: dict[str, Any]) -> dict[str, Any]:
    """What a variant cost to build, and its sizes."""
    found = {k: v for k, v in facts.items() if k.startswith("build_")}
    found |= {
        "relink_cpu_s": facts["relinks"]["cpu_s"],
        "file_bytes": facts["file_bytes"],
        "text_bytes": record.text_bytes(
            *(one["sections"] for one in (facts, *facts.get("libraries", {}).values()))
        ),
        "hot_text_bytes": facts["hot_text_bytes"],
    }
    profiles = [app["profiles"][name] for name in facts["profiles"]]
    if profiles:
        built = sum(p["instrumented"]["build_cpu_s"] for p in profiles)
        ran = sum(w["wall_s"] for p in profiles for w in p["workloads"].values())
        found |= {"train_build_cpu_s": round(built, 3), "train_wall_s": round(ran, 3)}
    return found


def layout_spread(blocks: Blocks, variant: str, baseline: str) -> dict[str, float] | None:
    """Standard deviation between layouts of a variant's ln time, the baseline's included."""
    if len(set(blocks.layouts)) < 2 or blocks.count < 2 * len(set(blocks.layouts)):
        return None
    d = stats.over_workloads(blocks.differences(variant, baseline))
    spread = stats.layout_spread(d, blocks.layouts)
    return {"sd": round(spread.sd, 6), "low": round(spread.low, 6), "high": round(spread.high, 6)}


def counted(counts: dict[str, dict[str, int]], baseline: str) -> dict[str, Any]:
    """Instructions of each variant as a ratio to the baseline's; no verdict comes from them."""
    found: dict[str, Any] = {}
    for variant, each in counts.items():
        ratios = {w: count / counts[baseline][w] for w, count in each.items()}
        found[variant] = {
            "ratio": round(float(np.exp(np.mean(np.log(list(ratios.values()))))), 6),
            "workloads": {w: {"count": each[w], "ratio": round(ratios[w], 6)} for w in each},
        }
    return {"instructions": found}


def add_metrics(
    variants: dict[str, Any],
    samples: list[Sample],
    metrics: list[Metric],
    app: str,
    facts: dict[str, Any],
    base: str,
    delta: float,
) -> None:
    """Judges what workloads measured themselves exactly as times are judged.

    A metric of which more is better enters by its reciprocal, so that a speedup above 1 is good.
    """
    places = {(s.workload, s.variant, s.block, s.position): s for s in samples if s.app == app}
    own = [m for m in metrics if m.app == app]
    for workload, metric, better in sorted({(m.workload, m.metric, m.better) for m in own}):
        values = [
            replace(
                places[m.workload, m.variant, m.block, m.position],
                wall_s=m.value if better == "lower" else 1 / m.value,
            )
            for m in own
            if (m.workload, m.metric, m.better) == (workload, metric, better)
        ]
        views = judge.views_of(values, app, facts, base)
        for variant, result in variants.items():
            blocks = views[variant]
            seconds = blocks.values[variant]
            median = float(np.median(seconds if better == "lower" else 1 / seconds))
            found: dict[str, Any] = {"median": float(f"{median:.6g}"), "better": better}
            if variant != base:
                found |= judged(blocks.estimate(variant, base), stats.ALPHA, delta)
            result["workloads"][workload].setdefault("metrics", {})[metric] = found


def long_runs(
    app: dict[str, Any], family: dict[str, Estimate], delta: float
) -> dict[str, Any] | None:
    """Whether the speedup of the variant that differs most holds in runs eight times as long."""
    checked = app["long_runs"]
    if not checked:
        return None
    short, long = family[checked["variant"]], stats.estimate(checked["ln_ratios"])
    apart = stats.difference(short, long)
    return {
        "variant": checked["variant"],
        "factor": checked["factor"],
        "speedup": round(long.speedup(), 6),
        "interval": rounded(long.speedup_interval()),
        "holds": abs(apart.mean) <= max(delta, apart.half_width()),
    }


def analyse_app(
    samples: list[Sample], metrics: list[Metric], run: dict[str, Any], name: str
) -> tuple[dict[str, Any], dict[str, Estimate]]:
    """One app's part of the summary, and its estimates for the means over apps."""
    app, settings = run["apps"][name], run["settings"]
    baseline = settings["baseline"]
    delta = judge.least_effect(settings)
    blocks = judge.blocks_of(samples, name)
    summary: dict[str, Any] = {
        "about": app["about"],
        "blocks": blocks.count,
        "dropped_blocks": blocks.dropped,
        "layouts": app["layouts"],
        "variants": {v: {"costs": costs(facts, app)} for v, facts in app["variants"].items()},
    }
    if "instructions" in app:
        summary |= counted(app["instructions"], baseline)
        return summary, {}
    last = judge.blocks_of(samples, name, *race.span(app, baseline)) if "gate" in app else blocks
    noisy = any(b.noisy or b.count < 2 for b in (blocks, last))
    summary["noisy"] = noisy or race.undecided(app)
    if summary["noisy"]:
        return summary, {}
    views = judge.views_of(samples, name, app, baseline)
    family = {v: views[v].estimate(v, baseline) for v in app["variants"] if v != baseline}
    levels = judge.levels_of(app, views, baseline)
    headline = race.finalists(app) or family
    width = max((math.expm1(family[v].half_width(levels[v])) for v in headline), default=0.0)
    target = settings["precision"]
    summary["precision"] = {"target": target, "reached": round(width, 6), "met": width <= target}
    copy = blocks.estimate(COPY, baseline)
    summary["aa"] = judged(copy, stats.ALPHA, delta)
    for variant, result in summary["variants"].items():
        if variant == baseline:
            result |= {"speedup": 1.0, "verdict": "baseline"}
        else:
            result |= judged(family[variant], levels[variant], delta)
            result["layout_spread"] = layout_spread(views[variant], variant, baseline)
        if variant in race.dropped(app) and variant not in race.finalists(app):
            result["dropped_at"] = race.dropped(app)[variant]["block"]
        result["workloads"] = {
            w: per_workload(views[variant], variant, i, baseline, app, delta)
            for i, w in enumerate(blocks.workloads)
        }
    if "text_pages" in app:
        summary["text_pages"] = app["text_pages"]
    if settings.get("race"):
        summary["race"] = app.get("race")
        summary["recommendation"] = recommend.of_app(summary["variants"], app, views, baseline)
    summary["advice"] = app["advice"]
    summary["long_runs"] = long_runs(app, family, delta)
    add_metrics(summary["variants"], samples, metrics, name, app, baseline, delta)
    return summary, {} if race.finalists(app) else family


def stage(blocks: Blocks, delta: float) -> dict[str, Any]:
    """What one stage of a comparison found; no more than its blocks where it was too noisy."""
    found: dict[str, Any] = {"blocks": blocks.count, "dropped_blocks": blocks.dropped}
    if blocks.noisy or blocks.count < 2:
        return found
    return found | judged(blocks.estimate("new", "base"), stats.ALPHA, delta)


def gate(
    samples: list[Sample], name: str, app: dict[str, Any], settings: dict[str, Any],
    summary: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Whether a comparison confirmed a regression; app of run.json, summary of the app.

    By time it takes two stages that both say slower. Instructions are counted, not estimated.
    """
    if "instructions" in app:
        ratio = summary["instructions"]["new"]["ratio"]
        more = ratio > 1 + settings["min_effect"]
        return {"status": "regression" if more else "passed", "instructions": ratio}
    delta = judge.least_effect(settings)
    second = app.get("gate")
    last = second["confirmed_from"] - 1 if second else None
    stages = [stage(judge.blocks_of(samples, name, 1, last), delta)]
    if second:
        stages.append(stage(judge.blocks_of(samples, name, second["confirmed_from"]), delta))
    verdict = stages[-1].get("verdict")
    slower = "regression" if second else "undecided"
    status = {None: "undecided", "slower": slower}.get(verdict, "passed")
    return {"status": status, "stages": stages, **(second or {})}


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("run", type=Path, help="results/RUN-ID")
    args = parser.parse_args(argv)
    run = record.read_run(args.run)
    samples = record.read_rows(args.run / "samples.csv", Sample)
    record.check_samples(args.run / "samples.csv", samples, run)
    metrics = record.read_rows(args.run / "metrics.csv", Metric)
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        "run": run["run"],
        "baseline": run["settings"]["baseline"],
        "min_effect": run["settings"]["min_effect"],
        "aa_floor": run["settings"]["aa_floor"],
        "apps": {},
        "geomean": {},
    }
    families = {}
    for name in run["apps"]:
        summary["apps"][name], families[name] = analyse_app(samples, metrics, run, name)
    complete = [f for f in families.values() if f]
    if complete:
        delta = judge.least_effect(summary)
        order = [v for app in run["apps"].values() for v in app["variants"]]
        shared = [v for v in dict.fromkeys(order) if all(v in f for f in complete)]
        means = {v: stats.over_apps([f[v] for f in complete]) for v in shared}
        alpha = stats.family_alpha(list(means.values())) if means else stats.ALPHA
        summary["geomean"] = {v: judged(e, alpha, delta) for v, e in means.items()}
    if "compare" in run:
        (name,) = run["apps"]
        found = gate(samples, name, run["apps"][name], run["settings"], summary["apps"][name])
        summary |= {"compare": run["compare"], "gate": found}
    files.write_text(args.run / "summary.json", json.dumps(summary, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    errors.run(main)
