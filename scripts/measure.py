"""Time the verified variants of apps against each other and keep every raw time.

Each block times all variants of an app once, in a random order balanced over positions, with
the next layout of each; blocks go on until the intervals are narrow enough or the budget ends.
Prints the directory of the run.
"""

import json
import secrets
import shutil
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from pgolab import errors, facts, files, instructions, judge, layouts, lock, manifest, record
from pgolab import runner, settings
from pgolab.bench import LONG_FACTOR, Bench
from pgolab.record import COPY, Metric, Sample

LONG_SHARE = 0.1  # of the budget, for the check at a longer scale
LONG_LEAST, LONG_MOST = 3, 12  # pairs of runs in it
WORDS = (
    "amber birch cedar coral delta ember fjord grove heron iris jade kestrel larch maple nectar "
    "olive pearl quartz raven slate thyme umber violet willow xenon yarrow zephyr"
).split()


def check_long_runs(
    bench: Bench, samples: list[Sample], lock_path: str
) -> dict[str, Any] | None:
    """Times the variant that differs most at a longer scale, to see whether its ratio holds.

    Uses the share of the budget that time_blocks left, and no less than LONG_LEAST pairs. None
    where there is nothing to check.
    """
    blocks = judge.blocks_of(samples, bench.app.name)
    if blocks.count < 2 or not any(w.scalable for w in bench.workloads):
        return None
    family = blocks.family(bench.settings.baseline)
    if not family:
        return None
    variant = max(family, key=lambda v: abs(family[v].mean))
    begun = time.monotonic()
    ratios: list[float] = []
    share = LONG_SHARE * bench.settings.budget_s
    while len(ratios) < LONG_LEAST or (
        len(ratios) < LONG_MOST and time.monotonic() - begun < share * (1 - 1 / len(ratios))
    ):
        with lock.alone(lock_path):
            ratios.append(round(bench.long_ratio(variant, len(ratios)), 6))
    return {"variant": variant, "factor": LONG_FACTOR, "ln_ratios": ratios}


def time_app(
    bench: Bench, rng: np.random.Generator, lock_path: str, write: runner.Write
) -> dict[str, Any]:
    """Chooses scales, times blocks and checks longer runs, within the budget."""
    budget_s, start = bench.settings.budget_s, time.monotonic()
    with lock.alone(lock_path):
        advice = bench.choose_scales()
    end = start + (1 - LONG_SHARE) * budget_s
    samples = runner.time_blocks(bench, rng, end, lock_path, write)
    return {
        "advice": advice,
        "long_runs": check_long_runs(bench, samples, lock_path),
        "measuring_s": round(time.monotonic() - start, 3),
    }


def count_app(bench: Bench) -> dict[str, Any]:
    """Counts the instructions of layout 0 of each variant on each workload, at scale 1."""
    return {
        "instructions": {
            variant: {
                one.name: instructions.count(bench.command(one, variant), bench.work, one.label)
                for one in bench.workloads
            }
            for variant in dict.fromkeys(bench.arms)
            if variant != COPY
        },
        "instructions_by": instructions.version(),
    }


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    settings.add_to(parser)
    parser.add_argument("--check", action="store_true", help="only say whether these make sense")
    parser.add_argument("--apps", nargs="+", default=[])
    parser.add_argument("--variants", nargs="+", default=[])
    parser.add_argument("--clang", type=Path)
    parser.add_argument("--lock", help="the file or directory that builds lock together")
    args = parser.parse_args(argv)
    chosen = settings.parse(args)
    if args.check:
        return 0
    seed = secrets.randbits(32)
    rng = np.random.default_rng(seed)
    name = f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.choice(WORDS)}"
    partial = files.work_directory(Path("results"), name)
    run = facts.of_run(name, seed, chosen, args.clang)
    samples_file = record.Writer(partial / "samples.csv", Sample)
    metrics_file = record.Writer(partial / "metrics.csv", Metric)

    def write(samples: list[Sample], metrics: list[Metric]) -> None:
        samples_file.add(samples)
        metrics_file.add(metrics)

    for app_name in args.apps:
        where = Path("build") / app_name
        app = manifest.load(where / "manifest")
        binaries = {v: where / v / app_name for v in args.variants}
        staged = {v: layouts.of(binary) for v, binary in binaries.items()}
        bench = Bench(app, where / "inputs", staged, chosen, partial / "bench")
        if chosen.metric == "instructions":
            found = count_app(bench)
        else:
            found = time_app(bench, rng, args.lock, write)
        run["apps"][app_name] = facts.of_app(bench, binaries, args.clang) | found
        shutil.rmtree(partial / "bench")
    samples_file.close()
    metrics_file.close()
    files.write_text(partial / "run.json", json.dumps(run, indent=1) + "\n")
    final = partial.with_name(name)
    partial.rename(final)
    files.link(Path("results/latest"), name)
    print(final)
    return 0


if __name__ == "__main__":
    errors.run(main)
