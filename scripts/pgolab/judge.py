"""From a run's samples to estimates: which blocks count, and what each variant's are."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from pgolab import race, stats
from pgolab.record import COPY, Sample
from pgolab.stats import Array, Estimate

# A block is dropped, whatever it measured, when others took this share of the time it lasted: of a
# CPU by the hypervisor, or by programs that are not pgolab's (beyond what clock ticks can resolve).
MOST_STEAL = 0.05
MOST_FOREIGN = 0.10
TICKS_S = 0.03
FEWEST_QUIET = 0.5  # share of blocks; below it the machine is too noisy to say anything


def quiet(sample: Sample) -> bool:
    """Whether the block of this sample had the machine to itself."""
    return (
        sample.steal_s <= MOST_STEAL * sample.block_s + TICKS_S
        and sample.foreign_s <= MOST_FOREIGN * sample.block_s + TICKS_S
    )


def least_effect(settings: dict[str, Any]) -> float:
    """The smallest difference that counts, in ln units, by the settings of a run."""
    return math.log1p(max(settings["min_effect"], settings["aa_floor"] or 0.0))


def verdict_of(estimate: Estimate, alpha: float, delta: float) -> str:
    """The verdict on one estimate at a level; delta in ln units."""
    return stats.verdict(
        estimate.mean, estimate.interval(alpha), estimate.interval(2 * alpha), delta
    )


@dataclass(frozen=True)
class Blocks:
    """The blocks of one app that count.

    values: per variant, shape (blocks, runs, workloads): seconds, or another positive quantity;
    layouts: shape (blocks,); dropped: how many blocks do not count, the warm-up not among them.
    """

    workloads: list[str]
    values: dict[str, Array]
    layouts: Array
    dropped: int

    @property
    def count(self) -> int:
        return len(self.layouts)

    @property
    def noisy(self) -> bool:
        """Whether so many blocks were disturbed that the rest says nothing either."""
        return self.count < FEWEST_QUIET * (self.count + self.dropped)

    def differences(self, variant: str, baseline: str) -> Array:
        """ln ratios to the baseline, shape (blocks, baseline runs, workloads)."""
        return stats.log_ratios(self.values[variant][:, 0], self.values[baseline])

    def ratios(self, variants: Iterable[str], baseline: str) -> Array:
        """ln ratios to the baseline over all workloads, shape (blocks, baseline runs, variants)."""
        each = [stats.over_workloads(self.differences(v, baseline)) for v in variants]
        return np.stack(each, axis=-1)

    def estimate(self, variant: str, baseline: str, workload: int | None = None) -> Estimate:
        """A variant against the baseline, over all workloads or on one of them."""
        d = self.differences(variant, baseline)
        chosen = stats.over_workloads(d) if workload is None else d[:, :, workload]
        return stats.estimate(chosen, self.layouts)

    def family(self, baseline: str) -> dict[str, Estimate]:
        """The estimates that a run's headline consists of: one for each variant."""
        names = [v for v in self.values if v not in (baseline, COPY)]
        return {v: self.estimate(v, baseline) for v in names}


def blocks_of(
    samples: Iterable[Sample], app: str, first: int = 1, last: int | None = None
) -> Blocks:
    """Groups an app's samples of the blocks from first to last (None: the end).

    The warm-up block and disturbed ones do not count, nor do variants that a block lacks.
    """
    end = math.inf if last is None else last
    own = [s for s in samples if s.app == app and max(1, first) <= s.block <= end]
    own.sort(key=lambda s: s.block)
    grouped = [list(block) for _, block in groupby(own, lambda s: s.block)]
    kept = [block for block in grouped if quiet(block[0])]
    workloads = list(dict.fromkeys(s.workload for s in own))
    times: dict[tuple[str, str], list[float]] = {}
    blocks_with: dict[str, set[int]] = {}
    for block in kept:
        for s in block:
            times.setdefault((s.variant, s.workload), []).append(s.wall_s)
            blocks_with.setdefault(s.variant, set()).add(s.block)
    values = {}
    for variant in dict.fromkeys(s.variant for s in own):
        if len(blocks_with.get(variant, ())) == len(kept):
            each = [times.get((variant, w), []) for w in workloads]
            shaped = np.array(each, float).reshape(len(workloads), len(kept), -1 if kept else 0)
            values[variant] = shaped.transpose(1, 2, 0)
    layouts = np.array([block[0].layout for block in kept])
    return Blocks(workloads, values, layouts, len(grouped) - len(kept))


def views_of(
    samples: list[Sample], name: str, app: dict[str, Any], baseline: str
) -> dict[str, Blocks]:
    """For each variant of an app of run.json the blocks that its figures come from.

    They differ in a race only. The baseline's are those of the winner.
    """
    spans = {v: race.span(app, v) for v in app["variants"]}
    blocks = {span: blocks_of(samples, name, *span) for span in set(spans.values())}
    views = {v: blocks[span] for v, span in spans.items()}
    for winner in race.finalists(app)[:1]:
        views[baseline] = views[winner]
    return views


def levels_of(app: dict[str, Any], views: dict[str, Blocks], baseline: str) -> dict[str, float]:
    """The level of each variant's interval: those that share their blocks hold together.

    That of one that a race dropped holds whenever it was dropped: it has the level of the race.
    """
    others = [v for v in app["variants"] if v != baseline]
    gone = {v: at for v, at in race.dropped(app).items() if v not in race.finalists(app)}
    levels = {v: stats.race_level(at["look"], len(others)) for v, at in gone.items()}
    families: dict[tuple[int, int | None], list[str]] = {}
    for variant in others:
        if variant not in gone:
            families.setdefault(race.span(app, variant), []).append(variant)
    for family in families.values():
        alpha = stats.family_alpha([views[v].estimate(v, baseline) for v in family])
        levels |= dict.fromkeys(family, alpha)
    return levels
