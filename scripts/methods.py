"""Compare ways of timing on this machine, with a program against itself: the truth is 1.0.

`lengths` records interleaved runs of several lengths, on any CPU and on a fixed one, and tells how
long each way would take to know a ratio to within 0.5 %, by wall and by CPU time and with several
estimators. `hyperfine` sets plain `hyperfine A B` beside randomized blocks: how often each claims a
difference, and how far off it is after how much time. `layouts` times all layouts of some variants
of an app against each other: how far the same code differs, and what a single layout would claim.
"""

import json
import math
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats as scipy_stats

from pgolab import errors, files, judge, layouts, lock, manifest, runner, schedule, stats
from pgolab.bench import Bench
from pgolab.errors import Failure
from pgolab.hyperfine import Hyperfine
from pgolab.manifest import Manifest
from pgolab.progress import Progress
from pgolab.settings import Settings
from pgolab.stats import Array

LENGTHS_S = (0.005, 0.010, 0.020, 0.040, 0.080, 0.160)
TARGET = 0.005
WINDOW = 24  # blocks that an estimator is given


def hodges_lehmann(x: Array) -> float:
    """Median of the means of all pairs (Hodges & Lehmann 1963)."""
    first, second = np.triu_indices(len(x))
    return float(np.median((x[first] + x[second]) / 2))


ESTIMATORS: dict[str, Callable[[Array], float]] = {
    "trimmed 20 %": lambda x: stats.estimate(x).mean,
    "trimmed 10 %": lambda x: float(scipy_stats.trim_mean(x, 0.1)),
    "median": lambda x: float(np.median(x)),
    "Hodges-Lehmann": hodges_lehmann,
    "mean": lambda x: float(np.mean(x)),
}


def scale_for(program: str, seconds: float, where: Path) -> int:
    """The scale at which the program runs about so long."""
    runs = [t.wall_s for t in Hyperfine(where).once([[program, "1"]] * 5 + [[program, "500"]] * 5)]
    start_s, long_s = np.median(runs[:5]), np.median(runs[5:])
    return max(1, round(float(1 + (seconds - start_s) / ((long_s - start_s) / 499))))


def pairs(
    program: str, scale: int, seconds: float, where: Path, cpu: int | None
) -> tuple[Array, Array, float]:
    """Wall and CPU seconds of blocks of two runs, each (blocks, 2), and what a block took."""
    wall: list[list[float]] = []
    used: list[list[float]] = []
    hyperfine, begun = Hyperfine(where, cpu), time.monotonic()
    while len(wall) < 2 or time.monotonic() - begun < seconds:
        timings = hyperfine.once([[program, str(scale)]] * 2)
        wall.append([t.wall_s for t in timings])
        used.append([t.user_s + t.sys_s for t in timings])
    return np.array(wall), np.array(used), (time.monotonic() - begun) / len(wall)


def windows(d: Array, size: int) -> Array:
    """d cut into consecutive windows, shape (windows, size)."""
    return d[: len(d) // size * size].reshape(-1, size)


def seconds_to_target(sd: float, block_s: float) -> float:
    """How long until the 95 % interval of a mean with this block deviation is ±TARGET."""
    return (2 * sd / TARGET) ** 2 * block_s


def lengths(program: str, seconds: float, where: Path) -> dict[str, Any]:
    """One row per run length and pinning."""
    rows = []
    last = sorted(os.sched_getaffinity(0))[-1]
    for length_s in LENGTHS_S:
        scale = scale_for(program, length_s, where)
        for cpu in (None, last):
            wall, used, block_s = pairs(program, scale, seconds, where, cpu)
            signs = np.where(np.arange(len(wall)) % 2, 1, -1)  # which of the two is called A
            row: dict[str, Any] = {"run_ms": round(float(np.median(wall)) * 1e3, 1)}
            row |= {"pinned": cpu is not None, "blocks": len(wall), "block_s": round(block_s, 4)}
            for name, times in (("wall", wall), ("cpu", used)):
                d = np.log(times[:, 1] / times[:, 0])
                estimate = stats.estimate(d * signs)
                sd = estimate.se * math.sqrt(len(d))
                row |= {
                    f"{name}_sd": round(sd, 5),
                    f"{name}_s": round(seconds_to_target(sd, block_s), 1),
                    f"{name}_second_slower": [round(x, 5) for x in stats.estimate(d).interval()],
                }
            d = np.log(wall[:, 1] / wall[:, 0]) * signs
            if len(d) >= 8 * WINDOW:
                errors_by = {
                    name: float(np.std([estimator(w) for w in windows(d, WINDOW)]))
                    for name, estimator in ESTIMATORS.items()
                }
                row["relative_error"] = {
                    name: round(e / errors_by["trimmed 20 %"], 2) for name, e in errors_by.items()
                }
            rows.append(row)
            print(json.dumps(row), flush=True)
    return {"lengths": rows}


def plain(program: str, scale: int, runs: int, where: Path) -> dict[str, float]:
    """One `hyperfine A B`: ln of the ratio of means, Welch's p, and seconds taken."""
    commands = [f"./a {scale}", f"./b {scale}"]
    for name in ("a", "b"):
        (where / name).unlink(missing_ok=True)
        (where / name).symlink_to(program)
    begun = time.monotonic()
    options = ["-N", "-w3", f"-r{runs}", "--style=none", "--export-json=plain.json"]
    subprocess.run(
        ["hyperfine", *options, *commands],
        cwd=where,
        capture_output=True,
        check=True,
    )
    took = time.monotonic() - begun
    a, b = (r["times"] for r in json.loads((where / "plain.json").read_text())["results"])
    p = float(scipy_stats.ttest_ind(a, b, equal_var=False).pvalue)
    return {"ln_ratio": math.log(np.mean(b) / np.mean(a)), "p": p, "wall_s": took}


def blocks(
    program: str, scale: int, seconds: float, where: Path, cpu: int | None
) -> tuple[Array, float]:
    """ln ratios of A to two runs of A, as pgolab times two variants: (blocks, 2), s per block."""
    rng = np.random.default_rng(1)
    orders = schedule.orders(3, rng)
    hyperfine, begun, rows = Hyperfine(where, cpu), time.monotonic(), []
    while time.monotonic() - begun < seconds:
        order = next(orders)
        timings = hyperfine.once([[program, str(scale)]] * 3)
        times = dict(zip(order, (t.wall_s for t in timings)))
        rows.append([math.log(times[2] / times[0]), math.log(times[2] / times[1])])
    return np.array(rows), (time.monotonic() - begun) / len(rows)


def off(estimates: Sequence[float]) -> float:
    """The error that 95 % of estimates of zero stay below."""
    return round(float(np.quantile(np.abs(estimates), 0.95)), 5)


def against_hyperfine(
    program: str, seconds: float, most_repetitions: int, where: Path
) -> dict[str, Any]:
    """Plain hyperfine with more and more runs, and windows of more and more blocks."""
    scale = scale_for(program, 0.040, where)
    rows = []
    for runs, share in ((10, 1), (40, 1), (160, 5)):
        repetitions = max(1, most_repetitions // share)
        done = [plain(program, scale, runs, where) for _ in range(repetitions)]
        claims = sum(d["p"] < 0.05 for d in done)
        rows.append({
            "method": f"hyperfine -N -w3 -r{runs} A B",
            "wall_s": round(float(np.mean([d["wall_s"] for d in done])), 2),
            "repetitions": len(done),
            "claims": claims,
            "claims_interval": stats.binomial_interval(claims, len(done)),
            "off_by_95": off([d["ln_ratio"] for d in done]),
        })  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    d, block_s = blocks(program, scale, seconds, where, sorted(os.sched_getaffinity(0))[-1])
    for size in (12, 24, 48, 96, 192):
        found = [stats.estimate(d[i:i + size]) for i in range(0, len(d) - size + 1, size)]
        if len(found) < 8:
            break
        claims = sum(abs(e.mean) > e.half_width() for e in found)
        rows.append({
            "method": f"pgolab, {size} blocks",
            "wall_s": round(size * block_s, 2),
            "repetitions": len(found),
            "claims": claims,
            "claims_interval": stats.binomial_interval(claims, len(found)),
            "off_by_95": off([e.mean for e in found]),
            "half_width": round(float(np.median([e.half_width() for e in found])), 5),
        })  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    return {"methods": rows}


def compare_layouts(
    app: Manifest, binaries: list[Path], seconds: float, where: Path, lock_path: str
) -> dict[str, Any]:
    """All layouts of one variant in the same blocks, each against layout 0: the plain link."""
    chosen = Settings("0", 0.0001, seconds, 0.005, 1, "time", True)
    each = {str(number): [binary] for number, binary in enumerate(binaries)}
    bench = Bench(app, Path("build") / app.name / "inputs", each, chosen, where)
    bench.choose_scales()
    with Progress([app.name], chosen.precision) as progress:
        samples, _ = runner.time_blocks(bench, [1], seconds, lock_path, progress)
    blocks = judge.blocks_of(samples, app.name)
    if blocks.noisy or blocks.count < 2:
        raise Failure("this machine is too noisy to say anything", "stop what else runs on it")
    ln_s = np.stack([np.log(blocks.values[name]).mean(axis=(1, 2)) for name in each], axis=1)
    against_all = ln_s - ln_s.mean(axis=1, keepdims=True)
    found = [stats.estimate(column) for column in against_all.T]
    means = np.array([e.mean for e in found])
    noise = float(np.mean([e.se**2 for e in found]))
    single = blocks.family("0")
    claims = [n for n, e in single.items() if abs(e.mean) > max(e.half_width(), 0.005)]
    extreme = max(single, key=lambda name: abs(single[name].mean))
    return {
        "blocks": blocks.count,
        "dropped": blocks.dropped,
        "layouts": len(binaries),
        "sd": round(math.sqrt(max(0.0, float(means.var(ddof=1)) - noise)), 6),
        "range": round(float(np.ptp(means)), 6),
        "noise_se": round(math.sqrt(noise), 6),
        "claims_of_single_layouts": len(claims),
        "extreme": {"layout": int(extreme), "interval": single[extreme].speedup_interval()},
        "halves": halves(means),
    }


def halves(means: Array) -> dict[str, Any]:
    """Half of the layouts against the other half, the layout being the unit."""
    first, second = means[0::2], means[1::2]
    t = scipy_stats.ttest_ind(first, second)
    ln_ratio = float(first.mean() - second.mean())
    return {"ln_ratio": round(ln_ratio, 6), "p": round(float(t.pvalue), 4)}


def layout_spread(names: list[str], seconds: float, where: Path, lock_path: str) -> dict[str, Any]:
    """compare_layouts for each APP/VARIANT, which have to be verified."""
    found = {}
    for name in names:
        app_name, variant = name.split("/")
        app = manifest.load(Path("build") / app_name / "manifest")
        binaries = layouts.of(Path("build") / name / app_name)
        found[name] = {"variant": variant} | compare_layouts(
            app, binaries, seconds, where / "bench", lock_path
        )
        print(json.dumps({name: found[name]}), flush=True)
    return {"layouts": found}


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("experiment", choices=("lengths", "hyperfine", "layouts"))
    parser.add_argument("variants", nargs="*", metavar="APP/VARIANT", help="for layouts")
    parser.add_argument("--program", type=Path, default=Path("build/calibration/o2/calibration"))
    parser.add_argument("--seconds", type=float, default=20.0, help="a row, or a method")
    parser.add_argument("--repetitions", type=int, default=40, help="of plain hyperfine")
    parser.add_argument("--lock", default="/run/lock")
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args(argv)
    where = files.empty_directory(args.json.with_suffix(".work"))
    program = str(args.program.resolve())
    if args.experiment == "layouts":
        result = layout_spread(args.variants, args.seconds, where, args.lock)
    elif args.experiment == "lengths":
        with lock.alone(args.lock):
            result = lengths(program, args.seconds, where)
    else:
        with lock.alone(args.lock):
            result = against_hyperfine(program, args.seconds, args.repetitions, where)
    files.write_text(args.json, json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    errors.run(main)
