"""From a run's samples to estimates: which blocks count, and what each variant's are."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from pgolab import stats
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

    def estimate(self, variant: str, baseline: str, workload: int | None = None) -> Estimate:
        """A variant against the baseline, over all workloads or on one of them."""
        d = self.differences(variant, baseline)
        chosen = stats.over_workloads(d) if workload is None else d[:, :, workload]
        return stats.estimate(chosen, self.layouts)

    def family(self, baseline: str) -> dict[str, Estimate]:
        """The estimates that a run's headline consists of: one for each variant."""
        names = [v for v in self.values if v not in (baseline, COPY)]
        return {v: self.estimate(v, baseline) for v in names}


def blocks_of(samples: Iterable[Sample], app: str) -> Blocks:
    """Groups an app's samples; the warm-up block and disturbed ones do not count."""
    own = [s for s in samples if s.app == app and s.block > 0]
    own.sort(key=lambda s: s.block)
    grouped = [list(block) for _, block in groupby(own, lambda s: s.block)]
    kept = [block for block in grouped if quiet(block[0])]
    workloads = list(dict.fromkeys(s.workload for s in own))
    variants = list(dict.fromkeys(s.variant for s in own))
    values = {}
    for variant in variants:
        times = [
            [s.wall_s for s in block if (s.variant, s.workload) == (variant, w)]
            for block in kept
            for w in workloads
        ]
        shaped = np.array(times, float).reshape(len(kept), len(workloads), -1 if kept else 0)
        values[variant] = shaped.transpose(0, 2, 1)
    layouts = np.array([block[0].layout for block in kept])
    return Blocks(workloads, values, layouts, len(grouped) - len(kept))
