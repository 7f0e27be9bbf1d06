"""Timing blocks until the intervals are narrow enough, of all variants or as a race.

All that is decided on the way depends on the blocks alone and on how long they took: with the
blocks of an interrupted run to start from, the same is decided again, and it goes on behind them.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pgolab import judge, lock, machine, schedule, stats
from pgolab.bench import Bench
from pgolab.judge import Blocks
from pgolab.progress import Progress, Show
from pgolab.record import COPY, Journal, Sample

RACE_SHARE = 0.6  # of the budget, at most; the rest measures winner and runner-up again
RACE_WIDTH = 1.5  # of the target: narrower, a race costs more than it still improves the choice


class Timer:
    """Times block after block of one app; takes those that a journal has already from there.

    spent_s is the time that choosing scales and the blocks have taken: waiting for other runs
    and interruptions do not count.
    """

    def __init__(
        self,
        bench: Bench,
        seed: Sequence[int],
        lock_path: str,
        journal: Journal | None,
        spent_s: float,
    ) -> None:
        self.samples: list[Sample] = []
        self.number = 0
        self.counting = 0  # blocks that count, from `first` on
        self.first = 1
        self.spent_s = spent_s
        self._bench = bench
        self._seed = seed
        self._lock_path = lock_path
        self._journal = journal
        self.choose(bench.arms)

    def choose(self, arms: list[str]) -> None:
        """What the blocks from now on time."""
        rng = np.random.default_rng([*self._seed, self.number])
        self._bench.arms = arms
        self._orders = [schedule.orders(len(arms), rng) for _ in self._bench.workloads]

    def start_anew(self) -> None:
        """Only the blocks from now on count."""
        self.first, self.counting = self.number, 0

    def next(self) -> None:
        rows = [next(orders) for orders in self._orders]
        timings = len(self._bench.arms) * len(self._bench.workloads)
        journal, app = self._journal, self._bench.app.name
        block = journal.take(app, self.number, timings) if journal else None
        if block is None:
            with lock.alone(self._lock_path):
                block = self._bench.block(self.number, rows)
            if journal:
                journal.add(*block)
        self.samples += block[0]
        self.spent_s += block[0][0].block_s
        self.counting += self.number >= self.first and judge.quiet(block[0][0])
        self.number += 1

    @property
    def noisy(self) -> bool:
        """Whether so many blocks were disturbed that the rest says nothing either."""
        return self.counting < judge.FEWEST_QUIET * (self.number - self.first)

    def blocks(self) -> Blocks:
        return judge.blocks_of(self.samples, self._bench.app.name, self.first)


def time_blocks(
    bench: Bench,
    seed: Sequence[int],
    budget_s: float,
    lock_path: str,
    progress: Progress,
    journal: Journal | None = None,
    spent_s: float = 0.0,
) -> tuple[list[Sample], dict[str, Any] | None]:
    """Times blocks until the widest interval is narrow enough or budget_s are spent.

    Looks after 12 blocks that count and then every 4; gives up halfway when the machine is too
    noisy. Each block goes to the journal as soon as it is complete, and those that the journal has
    are not timed again. spent_s of the budget are gone already.
    Returns all samples and, of a race, what run.json says of it.
    """
    others = [v for v in bench.variants if v != bench.settings.baseline]
    racing = bench.settings.race and len(others) > 1
    bench.arms = schedule.arms(bench.variants, bench.settings.baseline, COPY, racing)
    timer = Timer(bench, seed, lock_path, journal, spent_s)
    race = None
    show = progress.of(bench.app.name, budget_s)
    with machine.off(bench.hyperfine.cpu):
        if racing:
            race = _race(timer, bench, others, RACE_SHARE * budget_s, show)
            if "winner" not in race:
                return timer.samples, race
            finalists = [race["winner"], race["runner_up"]]
            timer.choose(schedule.arms(finalists, bench.settings.baseline, COPY, racing))
            timer.start_anew()
        _until_precise(timer, bench, budget_s, show)
    return timer.samples, race


def time_stages(
    bench: Bench,
    seed: Sequence[int],
    budget_s: float,
    lock_path: str,
    progress: Progress,
    journal: Journal | None,
    spent_s: float,
    delta: float,
) -> tuple[list[Sample], dict[str, Any] | None]:
    """Times the one variant beside the baseline and, where it is slower by delta (ln), once more.

    The second stage has as large a budget, other orders and, where there are any, other layouts;
    its blocks had no part in starting it. The rest is as in time_blocks. Returns all samples and,
    of a second stage, what run.json says of it.
    """
    (variant,) = (v for v in bench.variants if v != bench.settings.baseline)
    bench.arms = schedule.arms(bench.variants, bench.settings.baseline, COPY)
    timer = Timer(bench, seed, lock_path, journal, spent_s)
    with machine.off(bench.hyperfine.cpu):
        _until_precise(timer, bench, budget_s, progress.of(bench.app.name, budget_s))
        if timer.noisy or timer.counting < 2:
            return timer.samples, None
        found = timer.blocks().estimate(variant, bench.settings.baseline)
        if judge.verdict_of(found, stats.ALPHA, delta) != "slower":
            return timer.samples, None
        stage = {"confirmed_from": timer.number, "fresh_layouts": bench.fresh_layouts()}
        timer.choose(bench.arms)
        timer.start_anew()
        end_s = timer.spent_s + budget_s
        show = progress.of(bench.app.name, end_s)
        _until_precise(timer, bench, end_s, show, f", confirming that {variant} is slower")
    return timer.samples, stage


def _until_precise(
    timer: Timer, bench: Bench, budget_s: float, show: Show, more: str = ""
) -> None:
    """Times blocks until all variants' intervals are narrow enough; the width alone decides."""
    target = math.log1p(bench.settings.precision)
    look, half_width = stats.next_look(0), None
    halfway = (timer.spent_s + budget_s) / 2
    while True:
        timer.next()
        at_look = timer.counting == look
        if at_look:
            look = stats.next_look(look)
            family = list(timer.blocks().family(bench.settings.baseline).values())
            half_width = max(e.half_width(stats.family_alpha(family)) for e in family)
            if stats.precise_enough(family, target):
                return
        show(timer.number - 1, timer.spent_s, half_width, at_look, more)
        enough_s = halfway if timer.noisy else budget_s
        if timer.spent_s >= enough_s and timer.number - timer.first >= 2:
            return


def _race(
    timer: Timer, bench: Bench, others: list[str], budget_s: float, show: Show
) -> dict[str, Any]:
    """Times blocks of what is left of others until one is, or they are known to be alike.

    Returns what race.py describes; without a winner when the machine is too noisy.
    """
    baseline, target = bench.settings.baseline, math.log1p(bench.settings.precision)
    left: list[str] = list(others)
    dropped: dict[str, dict[str, int]] = {}
    look, looks, width = stats.next_look(0), 0, None
    while len(left) > 1:
        timer.next()
        at_look = timer.counting == look
        if at_look:
            look, looks = stats.next_look(look), looks + 1
            blocks = timer.blocks()
            d = blocks.ratios(left, baseline)
            found = stats.race_look(d, blocks.layouts, looks, len(others))
            behind = [v for v, is_behind in zip(left, found.behind) if is_behind]
            width = found.width
            if behind:
                dropped |= {v: {"block": timer.number - 1, "look": looks} for v in behind}
                left = [v for v in left if v not in dropped]
                timer.choose(schedule.arms([baseline, *left], baseline, COPY, racing=True))
            if width <= RACE_WIDTH * target:
                break
        race_is_at = f", {len(left)} of {len(others)} variants left"
        show(timer.number - 1, timer.spent_s, width, at_look, race_is_at)
        if timer.spent_s >= budget_s and timer.number - timer.first >= 2:
            break
    if timer.noisy or timer.counting < 2:
        return {"dropped": dropped}
    last = {v: dropped[v]["block"] if v in dropped else None for v in others}
    spans = {end: judge.blocks_of(timer.samples, bench.app.name, 1, end) for end in last.values()}
    means = {v: spans[end].estimate(v, baseline).mean for v, end in last.items()}
    winner = min(left, key=lambda v: means[v])
    rivals = [v for v in left if v != winner] or [v for v in others if v != winner]
    return {
        "winner": winner,
        "runner_up": min(rivals, key=lambda v: means[v]),
        "confirmed_from": timer.number,
        "dropped": dropped,
    }
