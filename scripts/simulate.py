"""Simulates the whole measuring rule on made-up noise of which the truth is known.

Each replication measures variants against a baseline as a run does: randomly ordered blocks,
trimmed means of paired log ratios, layouts, autocorrelation, simultaneous intervals for a family,
and a stop as soon as each half-width meets the target or the blocks run out. Reported per
noise model and layout spread: how often an interval excludes 0 although nothing differs (false
positives; for the family: any of its intervals), how often it holds the true effect, how often a
true effect is called, and the mean number of blocks.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pgolab import stats

Array = stats.Array
Rng = np.random.Generator


def gaussian(rng: Rng, blocks: int, runs: int, columns: int) -> Array:
    """Independent noise of 2.1 % a run: paired differences of 3 %."""
    return rng.normal(0, 0.021, (blocks, runs, columns))


def spikes(rng: Rng, blocks: int, runs: int, columns: int) -> Array:
    """Every tenth run is longer by 30 % on average, exponentially distributed."""
    shape = (blocks, runs, columns)
    return gaussian(rng, *shape) + (rng.random(shape) < 0.1) * rng.exponential(0.3, shape)


def heavy(rng: Rng, blocks: int, runs: int, columns: int) -> Array:
    """Student's t with 3 degrees of freedom, scaled to the Gaussian's quartiles."""
    return 0.0185 * rng.standard_t(3, (blocks, runs, columns))


def bursts(rng: Rng, blocks: int, runs: int, columns: int) -> Array:
    """A neighbour slows 30 % of the runs by 25 %, in bursts (lag-1 autocorrelation 0.89)."""
    total = blocks * runs
    on = np.empty((total, columns), bool)
    on[0] = rng.random(columns) < 0.3
    change, level = rng.random((total, columns)) >= 0.89, rng.random((total, columns)) < 0.3
    for i in range(1, total):
        on[i] = np.where(change[i], level[i], on[i - 1])
    noise = rng.normal(0, 0.014, on.shape) + on * rng.normal(0.25, 0.05, on.shape)
    return _shuffled(rng, noise.reshape(blocks, runs, columns))


def drift(rng: Rng, blocks: int, runs: int, columns: int) -> Array:
    """The machine slows or quickens by up to 20 % in 100 blocks, each run of a block is 0.3 %
    slower than the one before, and each variant has a wave of its own, 0.2 % high, 100 blocks long.
    """
    slope = rng.uniform(-0.002, 0.002, columns)
    time = np.arange(blocks * runs).reshape(blocks, runs, 1) / runs
    trend = slope * time + 0.003 * np.arange(runs)[:, None]
    phase = rng.random((runs, columns)) + np.arange(blocks)[:, None, None] / 100
    return (_shuffled(rng, gaussian(rng, blocks, runs, columns) + trend)
            + 0.002 * np.sin(2 * math.pi * phase))


def autocorrelated(rng: Rng, blocks: int, runs: int, columns: int) -> Array:
    """Successive runs correlate by 0.64, as 130 ms runs of identical binaries were seen to."""
    noise = _ar(rng, 0.64, 0.028, (blocks * runs, columns))
    return _shuffled(rng, noise.reshape(blocks, runs, columns))


def persistent(rng: Rng, blocks: int, runs: int, columns: int) -> Array:
    """The differences of successive blocks correlate by 0.3, more than was ever measured (0.02)."""
    return _ar(rng, 0.3, 0.021, (blocks, runs * columns)).reshape(blocks, runs, columns)


def _ar(rng: Rng, r: float, sd: float, shape: tuple[int, int]) -> Array:
    noise = rng.normal(0, sd, shape)
    for i in range(1, len(noise)):
        noise[i] = r * noise[i - 1] + math.sqrt(1 - r * r) * noise[i]
    return noise


def _shuffled(rng: Rng, times: Array) -> Array:
    """From the order in time to the variants, which run in a random order in each block."""
    order = rng.random(times.shape).argsort(axis=1)
    return np.take_along_axis(times, order, axis=1)


Noise = Callable[[Rng, int, int, int], Array]
# Each returns ln times of shape (blocks, runs, columns), the runs of a block in a fixed order of
# variants, for as many replications as there are columns.
NOISES: dict[str, Noise] = {f.__name__: f for f in (
    gaussian, spikes, heavy, bursts, drift, autocorrelated, persistent)}


def differences(rng: Rng, noise: Noise, variants: int, columns: int, blocks: int,
                layout_sd: float | None, layouts: int) -> Array:
    """ln ratios to the baseline, shape (blocks, runs, variants, columns), of a true effect of 0.

    sqrt(variants) baseline runs a block, all of one layout, as in a real run.
    """
    baselines = round(math.sqrt(variants))
    times = noise(rng, blocks, variants + baselines, columns)
    if layout_sd:
        effect = rng.normal(0, layout_sd, (layouts, variants + 1, columns))
        effect = effect[np.arange(blocks) % layouts]
        times[:, :variants] += effect[:, :variants]
        times[:, variants:] += effect[:, variants:]
    return times[:, None, :variants] - times[:, variants:, None]


def measure(d: Array, layouts: Array | None, target: float) -> tuple[Array, Array, Array, Array]:
    """Applies the rule to d of shape (blocks, runs, variants, columns).

    Returns mean and half-width of shape (variants, columns), the level of the interval and
    the blocks used, of shape (columns,).
    """
    total, runs, variants, columns = d.shape
    mean, half = np.empty((2, variants, columns))
    level, used = np.full(columns, stats.ALPHA), np.full(columns, total)
    active = np.arange(columns)
    look = 0
    while len(active):
        look = min(stats.next_look(look), total)
        columns_d = d[:look, :, :, active].reshape(look, runs, -1)
        results = stats.trimmed_mean(columns_d, None if layouts is None else layouts[:look])
        m, se, df, influence = (x.reshape(*x.shape[:-1], variants, -1) for x in results)
        plain = stats.stdtrit(df, 1 - stats.ALPHA / 2) * se
        done = np.full(len(active), look == total) | (plain.max(axis=0) <= target)
        for i in np.flatnonzero(done):
            alpha = stats.ALPHA
            if variants > 1:
                alpha = stats.family_alpha([
                    stats.Estimate(m[v, i], se[v, i], df[v, i], look, influence[:, v, i])
                    for v in range(variants)])
            width = stats.stdtrit(df[:, i], 1 - alpha / 2) * se[:, i]
            done[i] = look == total or width.max() <= target
            if done[i]:
                c = active[i]
                mean[:, c], half[:, c], level[c], used[c] = m[:, i], width, alpha, look
        active = active[~done]
    return mean, half, level, used


def condition(noise: Noise, layout_sd: float | None, args: argparse.Namespace) -> dict[str, object]:
    """All figures of one noise model and layout spread (None: a single layout)."""
    layouts = None if layout_sd is None else np.arange(args.blocks) % args.layouts
    row: dict[str, object] = {"noise": noise.__name__, "layout_sd": layout_sd}
    for effect in (0.0, *args.effects):
        rng = np.random.default_rng([args.seed, round(1e6 * effect)])
        d = effect + differences(rng, noise, 1, args.replications, args.blocks, layout_sd,
                                 args.layouts)
        mean, half, _, used = measure(d, layouts, args.target)
        covered = float((abs(mean - effect) <= half).mean())
        if effect == 0:
            row |= {"false_positives": 1 - covered, "blocks": float(used.mean()),
                    "met": float((half <= args.target).mean()), "bias": float(mean.mean())}
        else:
            called = (abs(mean) > half) & (abs(mean) >= args.delta) & (mean * effect > 0)
            row |= {f"coverage_{effect:g}": covered, f"called_{effect:g}": float(called.mean())}
    if args.family > 1 and args.family_replications:
        rng = np.random.default_rng([args.seed, args.family])
        d = differences(rng, noise, args.family, args.family_replications, args.blocks, layout_sd,
                        args.layouts)
        mean, half, level, used = measure(d, layouts, args.target)
        row |= {"family_false_positives": float((abs(mean) > half).any(axis=0).mean()),
                "family_blocks": float(used.mean()), "family_alpha": float(level.mean())}
    return row


def table(rows: list[dict[str, object]]) -> str:
    """The rows as aligned text; rates in per cent."""
    def cell(key: str, value: object) -> str:
        if isinstance(value, float):
            return f"{value:.0f}" if key.endswith("blocks") else f"{100 * value:.2f}"
        return "-" if value is None else str(value)

    lines = [list(rows[0])] + [[cell(key, value) for key, value in row.items()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(text.rjust(width) for text, width in zip(line, widths))
                     for line in lines)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--noise", nargs="+", choices=NOISES, default=list(NOISES),
                        help="noise models (default: all)")
    parser.add_argument("--layout-sd", nargs="*", type=float, default=[0, 0.005, 0.014],
                        help="spreads between layouts in ln units, beside a single layout "
                             "(default: 0 0.005 0.014)")
    parser.add_argument("--layouts", type=int, default=16, help="layouts (default: 16)")
    parser.add_argument("--effects", nargs="*", type=float, default=[0.01, 0.02],
                        help="true effects in ln units, beside none (default: 0.01 0.02)")
    parser.add_argument("--delta", type=float, default=0.005,
                        help="least effect that is called, in ln units (default: 0.005)")
    parser.add_argument("--target", type=float, default=0.01,
                        help="half-width at which to stop, in ln units (default: 0.01)")
    parser.add_argument("--blocks", type=int, default=120,
                        help="blocks after which the budget ends (default: 120)")
    parser.add_argument("--replications", type=int, default=2000,
                        help="runs simulated for one variant (default: 2000)")
    parser.add_argument("--family", type=int, default=8,
                        help="variants in the family (default: 8)")
    parser.add_argument("--family-replications", type=int, default=200,
                        help="runs simulated for the family (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="of the noise (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    args = parser.parse_args(argv)
    rows = [condition(NOISES[name], layout_sd, args)
            for name in args.noise for layout_sd in (None, *args.layout_sd)]
    print(table(rows))
    if args.json:
        settings = {key: value for key, value in vars(args).items() if key != "json"}
        partial = args.json.with_name(args.json.name + ".tmp")
        partial.write_text(json.dumps({"settings": settings, "rows": rows}, indent=1) + "\n")
        partial.replace(args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
