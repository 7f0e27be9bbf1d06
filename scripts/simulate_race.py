"""Simulates races on made-up noise of which the truth is known, beside runs that drop nothing.

Each replication measures the same variants twice, on noise of its own: as a run does, all variants
until each half-width meets the target or the budget ends; and as a race, with half that budget.
Reported per noise model, layout spread and set of variants: how often the race drops the best
variant, how much slower
than the best its winner is, how often its winner is as fast as that of the full run to within 0.5
and 1 %, the timings that it takes as a share of those of the full run, and of the winner's reported
figure how often its interval holds the truth and how far it is off on average; and how far off the
figure is that chose the winner.
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import simulate
from pgolab import errors, files, stats
from pgolab.runner import RACE_SHARE, RACE_WIDTH
from simulate import Array, Noise, Rng

# ln times against the baseline. `alike`: nothing differs, the hardest case for the best. `few` and
# `many` are what `make matrix` and `make tune` have: groups that differ by percents, and within
# them variants that hardly do.
SETS: dict[str, list[float]] = {
    "alike": [0.0] * 8,
    "few": [0.0, -0.07, -0.06, -0.13, -0.25, -0.26, -0.24, -0.27],
    "many": [0.005, 0.1, 0.0, 0.06, -0.07, -0.06, -0.13, -0.25, -0.26, -0.12, -0.24, -0.25, -0.27]
    + [-0.24, -0.265, -0.25, -0.255, -0.15, -0.17, -0.25],
}
BASELINES, COPIES = 2, 1  # timings of a block of a race beside the variants


@dataclass(frozen=True)
class Raced:
    """One race: which variant won, whether the best was lost, how many timings it took.

    chosen_by: the winner's figure when it was chosen; mean, half_width: its reported one (ln).
    """

    winner: int
    lost_best: bool
    timings: int
    chosen_by: float
    mean: float
    half_width: float


def noisy(
    rng: Rng,
    noise: Noise,
    truth: Array,
    baselines: int,
    blocks: int,
    sd: float | None,
    layouts: int,
) -> Array:
    """ln ratios to the baseline of one run, shape (blocks, runs, variants)."""
    variants = len(truth)
    times = noise(rng, blocks, variants + baselines, 1)[:, :, 0]
    times[:, :variants] += truth
    if sd:
        effect = rng.normal(0, sd, (layouts, variants + 1))[np.arange(blocks) % layouts]
        times[:, :variants] += effect[:, :variants]
        times[:, variants:] += effect[:, variants:]
    return times[:, None, :variants] - times[:, variants:, None]


def race(d: Array, layouts: Array | None, best: int, target: float, most_timings: float) -> Raced:
    """A race on d of shape (blocks, runs, variants), as runner.py holds it."""
    total, _, variants = d.shape

    def of(first: int, last: int) -> Array | None:
        return None if layouts is None else layouts[first:last]

    left, means = list(range(variants)), np.empty(variants)
    blocks, looks, timings = 0, 0, 0
    while len(left) > 1 and timings < RACE_SHARE * most_timings and blocks < total // 2:
        look = stats.next_look(blocks)
        timings += (look - blocks) * (len(left) + BASELINES + COPIES)
        blocks, looks = look, looks + 1
        means[left] = stats.trimmed_mean(d[:blocks][:, :, left], of(0, blocks))[0]
        found = stats.race_look(d[:blocks][:, :, left], of(0, blocks), looks, variants)
        left = [v for v, behind in zip(left, found.behind) if not behind]
        if found.width <= RACE_WIDTH * target:
            break
    winner = min(left, key=lambda v: float(means[v]))
    rivals = [v for v in left if v != winner] or [v for v in range(variants) if v != winner]
    pair = [winner, min(rivals, key=lambda v: float(means[v]))]
    first, look = blocks, 0
    while True:
        look = min(stats.next_look(look), total - first)
        mine = of(first, first + look)
        family = [stats.estimate(d[first:first + look, :, v], mine) for v in pair]
        width = max(e.half_width(stats.family_alpha(family)) for e in family)
        spent = timings + look * (len(pair) + BASELINES + COPIES)
        if width <= target or spent >= most_timings or first + look == total:
            break
    own = family[0]
    half_width = own.half_width(stats.family_alpha(family))
    return Raced(winner, best not in left, spent, float(means[winner]), own.mean, half_width)


def condition(
    name: str, noise: Noise, sd: float | None, args: argparse.Namespace
) -> dict[str, object]:
    """All figures of one set of variants, noise model and layout spread (None: one layout)."""
    truth = np.array(SETS[name])
    variants, best = len(truth), int(truth.argmin())
    baselines = round(math.sqrt(variants))
    per_block = variants + baselines + COPIES
    layouts = None if sd is None else np.arange(2 * args.blocks) % args.layouts
    of_full = None if layouts is None else layouts[:args.blocks]
    races, full_winners, full_timings = [], [], []
    rng = np.random.default_rng([args.seed, variants])
    for _ in range(args.replications):
        shape = sd, args.layouts
        d = noisy(rng, noise, truth, baselines, args.blocks, *shape)
        mean, _, _, used = simulate.measure(d[..., None], of_full, args.target)
        full_winners.append(int(mean[:, 0].argmin()))
        full_timings.append(int(used[0]) * per_block)
        d = noisy(rng, noise, truth, BASELINES, 2 * args.blocks, *shape)
        most_timings = args.budget * args.blocks * per_block
        races.append(race(d, layouts, best, args.target, most_timings))
    won = truth[[r.winner for r in races]]
    apart = abs(won - truth[full_winners])
    off = np.array([r.mean for r in races]) - won
    return {
        "variants": name,
        "noise": noise.__name__,
        "layout_sd": sd,
        "lost_best": float(np.mean([r.lost_best for r in races])),
        "slower_than_best": float((won - truth[best]).mean()),
        "full_slower": float((truth[full_winners] - truth[best]).mean()),
        "same_0.5": float((apart <= 0.005 + 1e-9).mean()),
        "same_1": float((apart <= 0.01 + 1e-9).mean()),
        "timings": sum(r.timings for r in races) / sum(full_timings),
        "covered": float((abs(off) <= [r.half_width for r in races]).mean()),
        "off": float(off.mean()),
        "off_when_chosen": float((np.array([r.chosen_by for r in races]) - won).mean()),
    }


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--variants", nargs="+", choices=SETS, default=list(SETS))
    realistic = [name for name in simulate.NOISES if name != "persistent"]
    parser.add_argument("--noise", nargs="+", choices=simulate.NOISES, default=realistic)
    parser.add_argument("--layout-sd", nargs="*", type=float, default=[0.005, 0.014],
                        help="spreads between layouts in ln units, beside a single layout")
    parser.add_argument("--layouts", type=int, default=16)
    parser.add_argument("--target", type=float, default=0.01, help="half-width, in ln units")
    parser.add_argument("--blocks", type=int, default=160, help="that the budget allows a full run")
    parser.add_argument("--budget", type=float, default=0.5, help="of a race, as a share of that")
    parser.add_argument("--replications", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    args = parser.parse_args(argv)
    rows = [condition(name, simulate.NOISES[noise], sd, args) for name in args.variants
            for noise in args.noise for sd in (None, *args.layout_sd)]
    print(simulate.table(rows))
    if args.json:
        chosen = {key: value for key, value in vars(args).items() if key != "json"}
        text = json.dumps({"settings": chosen, "rows": rows}, indent=1)
        files.write_text(args.json, text + "\n")
    return 0


if __name__ == "__main__":
    errors.run(main)
