"""Find out how often this machine and method cry wolf, and the smallest change they see.

Measures one program again and again as `make measure` would, against itself (the same bytes copied,
linked in another layout, built once more) and against itself with 1, 2 and 5 % more work.
"""

import json
import math
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from pgolab import errors, files, floor, judge, layouts, lock, machine, manifest, runner, settings
from pgolab import stats
from pgolab.bench import Bench
from pgolab.errors import Failure
from pgolab.progress import Progress
from pgolab.record import COPY
from pgolab.stats import Estimate

BUILD = Path("build/calibration")
REBUILT, RELINKED = "o2-rebuilt", "o2-relinked"
IDENTICAL = (COPY, RELINKED, REBUILT)
SLOWER = {"o2-slower1": 0.01, "o2-slower2": 0.02, "o2-slower5": 0.05}
FEWEST_SESSIONS = 5
SESSION_S = 60.0  # the longest that one may take, as by default a run may


def staged() -> dict[str, list[Path]]:
    """The binaries of each arm; `relinked` is the baseline with another layout in each block."""
    found = {v: layouts.of(BUILD / v / "calibration") for v in ("o2", REBUILT, *SLOWER)}
    count = len(found["o2"])
    found[RELINKED] = [found["o2"][(i + count // 2) % count] for i in range(count)]
    return found


def session(bench: Bench, seed: Sequence[int], budget_s: float, lock_path: str) -> dict[str, Any]:
    """One run of the whole method: how each arm came out."""
    begun = time.monotonic()
    with Progress([bench.app.name], bench.settings.precision) as progress:
        samples, _ = runner.time_blocks(bench, seed, budget_s, lock_path, progress)
    blocks = judge.blocks_of(samples, bench.app.name)
    if blocks.noisy or blocks.count < 2:
        return {"noisy": True}
    return {
        "noisy": False,
        "blocks": blocks.count,
        "dropped": blocks.dropped,
        "wall_s": round(time.monotonic() - begun, 3),
        "arms": {v: summary_of(blocks.estimate(v, "o2")) for v in (*IDENTICAL, *SLOWER)},
    }


def summary_of(estimate: Estimate) -> dict[str, float]:
    """ln ratio with its standard error; `differs` is 1 for slower, -1 for faster, else 0."""
    low, high = estimate.interval()
    return {
        "ln_ratio": round(estimate.mean, 7),
        "se": round(estimate.se, 7),
        "n": estimate.n,
        "differs": (low > 0) - (high < 0),
    }


def rate(hits: int, trials: int) -> dict[str, Any]:
    """A rate with its 95 % interval."""
    low, high = stats.binomial_interval(hits, trials)
    return {
        "hits": hits,
        "trials": trials,
        "rate": round(hits / trials, 4),
        "interval": [round(low, 4), round(high, 4)],
    }


def result_of(sessions: list[dict[str, Any]]) -> dict[str, Any]:
    """What the sessions say together."""
    good = [s for s in sessions if not s["noisy"]]
    false = {a: rate(sum(s["arms"][a]["differs"] != 0 for s in good), len(good)) for a in IDENTICAL}
    all_hits = sum(f["hits"] for f in false.values())
    found = {a: rate(sum(s["arms"][a]["differs"] == 1 for s in good), len(good)) for a in SLOWER}
    wrong = {a: sum(s["arms"][a]["differs"] == -1 for s in good) for a in SLOWER}
    ratios = {a: [s["arms"][a]["ln_ratio"] for s in good] for a in (*IDENTICAL, *SLOWER)}
    means = {a: stats.estimate(each) for a, each in ratios.items()}
    # What identical binaries may differ by, for all that the sessions say.
    aa_floor = max(abs(bound) for a in IDENTICAL for bound in means[a].interval(0.05))
    # Two variants: three commands a block where a session has one for each arm and the baseline's.
    per_block_s = sum(s["wall_s"] for s in good) / sum(s["blocks"] + s["dropped"] + 1 for s in good)
    commands = len(IDENTICAL) + len(SLOWER) + round(math.sqrt(len(SLOWER) + 2))
    blocks = max(2, int(0.9 * SESSION_S / (per_block_s * 3 / commands)))
    # Copies share their layouts, so their error is that of blocks alone; relinks add the layouts'.
    block_var = float(np.median([s["arms"][COPY]["se"] ** 2 * s["blocks"] for s in good]))
    relinked = [s["arms"][RELINKED] | {"blocks": s["blocks"]} for s in good]
    layout_var = np.median([(r["se"] ** 2 - block_var / r["blocks"]) * r["n"] for r in relinked])
    units = int(np.median([r["n"] for r in relinked]))
    unit_var = max(0.0, float(layout_var)) + block_var * units / blocks
    return {
        "sessions": len(good),
        "noisy_sessions": len(sessions) - len(good),
        "false_positives": false | {"all": rate(all_hits, len(good) * len(IDENTICAL))},
        "found": found,
        "wrong_direction": wrong,
        "slowdown_seen": {a: round(math.expm1(means[a].mean), 5) for a in SLOWER},
        "aa_floor": round(math.expm1(aa_floor), 6),
        "block_sd": round(math.sqrt(block_var), 6),
        "layout_sd": round(math.sqrt(max(0.0, float(layout_var))), 6),
        "budget_s": SESSION_S,
        "smallest_effect": round(
            math.expm1(stats.smallest_effect(math.sqrt(unit_var), max(2, units))), 6
        ),
    }


def percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def show(result: dict[str, Any], console: Console) -> None:
    """Prints what was found out."""
    console.print(f"\n{result['sessions']} sessions, {result['noisy_sessions']} too noisy to count")
    console.print("\nidentical programs called different (5 % are to be expected):")
    names = {COPY: "copied", RELINKED: "other layout", REBUILT: "built again", "all": "together"}
    for arm, found in result["false_positives"].items():
        low, high = (percent(x) for x in found["interval"])
        seen = f"{found['hits']:3} of {found['trials']:<4}"
        console.print(f"  {names[arm]:13} {seen} {percent(found['rate']):>6}  [{low}, {high}]")
    console.print("\nslowdowns found, in the right direction:")
    for arm, size in SLOWER.items():
        found = result["found"][arm]
        console.print(
            f"  {percent(size):5} {found['hits']:3} of {found['trials']:<4} seen as"
            f" {percent(result['slowdown_seen'][arm])}; in the wrong direction"
            f" {result['wrong_direction'][arm]}"
        )
    console.print(
        f"\none pair of blocks differs by {percent(result['block_sd'])}, one pair of layouts by"
        f" {percent(result['layout_sd'])} (standard deviations)"
        f"\nA/A floor: {percent(result['aa_floor'])}; no smaller difference is called faster or"
        f" slower from now on.\nTwo variants in {result['budget_s']:g} s: 80 % of runs find"
        f" {percent(result['smallest_effect'])}.\nkept in {floor.PATH}"
    )


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    settings.add_to(parser)
    parser.add_argument("--clang")
    parser.add_argument("--lock", required=True)
    args = parser.parse_args(argv)
    chosen = settings.parse(args)
    session_s = min(SESSION_S, chosen.budget_s / FEWEST_SESSIONS)
    run_settings = replace(chosen, budget_s=session_s, race=False)
    app = manifest.load(BUILD / "manifest")
    seed = secrets.randbits(32)
    sessions: list[dict[str, Any]] = []
    scales: dict[str, int] = {}
    end = time.monotonic() + chosen.budget_s
    console = Console(width=80, highlight=False, markup=False)
    where = files.work_directory(floor.PATH.parent, "calibration")
    while time.monotonic() < end or len(sessions) < FEWEST_SESSIONS:
        bench = Bench(app, BUILD / "inputs", staged(), run_settings, where)
        with lock.alone(args.lock):
            bench.choose_scales()
        scales = bench.scales
        sessions.append(session(bench, [seed, len(sessions)], session_s, args.lock))
    shutil.rmtree(where)
    if sum(not s["noisy"] for s in sessions) < FEWEST_SESSIONS:
        raise Failure(
            f"{len(sessions)} sessions, nearly all of them disturbed: this machine is too noisy",
            "stop what else runs on it ('make doctor' shows the load), or give more BUDGET=",
        )
    result = {
        "schema": "pgolab.calibration/1",
        "made": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        "seed": seed,
        "scales": scales,
        "machine": machine.facts(),
        **result_of(sessions),
        "each": sessions,
    }
    files.write_text(floor.PATH, json.dumps(result, indent=1) + "\n")
    show(result, console)
    return 0


if __name__ == "__main__":
    errors.run(main)
