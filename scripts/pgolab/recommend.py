"""What a race ends in: which variants to choose from its figures."""

from typing import Any

from pgolab import race
from pgolab.judge import Blocks

Results = dict[str, dict[str, Any]]  # of summary.json: by variant, with speedup, verdict and costs


def build_s(costs: dict[str, Any]) -> float:
    """CPU seconds to build a variant and to take its profiles."""
    training = costs.get("train_build_cpu_s", 0.0) + costs.get("train_wall_s", 0.0)
    return round(costs["build_cpu_s"] + training, 3)


def pareto(results: Results) -> list[dict[str, Any]]:
    """The variants than which no other is at least as fast, as quickly built and as small.

    Fastest first, with these three; point estimates, so neighbours may differ by noise alone.
    """
    points = {
        v: (-r["speedup"], build_s(r["costs"]), r["costs"]["text_bytes"])
        for v, r in results.items()
    }
    best = {
        v: own
        for v, own in points.items()
        if not any(o != own and all(a <= b for a, b in zip(o, own)) for o in points.values())
    }
    return [
        {"variant": v, "speedup": -speed, "build_cpu_s": cpu_s, "text_bytes": text}
        for v, (speed, cpu_s, text) in sorted(best.items(), key=lambda item: item[1])
    ]


def clearly_slower(view: Blocks, variant: str, other: str) -> bool:
    """Whether the interval of two variants' ratio, in the same blocks, excludes 1."""
    return view.estimate(variant, other).interval()[0] > 0


def of_app(
    results: Results, app: dict[str, Any], views: dict[str, Blocks], baseline: str
) -> dict[str, Any]:
    """The recommendation in summary.json.

    fastest: the winner, or the runner-up where the last blocks show it to be faster; the baseline
    where that is not slower than any. within_noise: those that are not known to be slower.
    cheapest: of these the one that is built most quickly, its training included.
    """
    finalists = race.finalists(app) or tuple(v for v in results if v != baseline)
    fastest, *others = finalists
    for other in others:
        if clearly_slower(views[fastest], fastest, other):
            fastest, others = other, [fastest]
    gone = race.dropped(app)
    left = [v for v in results if v not in (*finalists, *gone, baseline)]
    alike = [v for v in others if not clearly_slower(views[fastest], v, fastest)]
    alike += [v for v in left if not clearly_slower(views[v], v, fastest)]
    if results[fastest]["verdict"] == "slower":
        fastest, alike = baseline, []
    elif results[fastest]["verdict"] != "faster":
        alike.append(baseline)
    within = [v for v in results if v in (fastest, *alike)]
    return {
        "fastest": fastest,
        "cheapest": min(within, key=lambda v: build_s(results[v]["costs"])),
        "within_noise": within,
        "pareto": pareto(results),
    }
