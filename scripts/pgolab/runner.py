"""Timing blocks until the intervals are narrow enough."""

import math
import time
from collections.abc import Callable

import numpy as np

from pgolab import judge, lock, machine, schedule, stats
from pgolab.bench import Bench
from pgolab.progress import Progress
from pgolab.record import Metric, Sample

Write = Callable[[list[Sample], list[Metric]], None]


def time_blocks(
    bench: Bench, rng: np.random.Generator, end: float, lock_path: str, write: Write
) -> list[Sample]:
    """Times blocks until the widest interval is narrow enough or the time (monotonic) ends.

    Looks after 12 blocks that count and then every 4, at the width alone; gives up halfway when
    the machine is too noisy. Each block is handed to
    write as soon as it is complete. Returns all samples.
    """
    samples: list[Sample] = []
    orders = [schedule.orders(len(bench.arms), rng) for _ in bench.workloads]
    target = math.log1p(bench.settings.precision)
    number, look, half_width = 0, stats.next_look(0), None
    halfway = (time.monotonic() + end) / 2
    show = Progress(bench.app.name, end - time.monotonic(), bench.settings.precision)
    with show as progress, machine.off(bench.hyperfine.cpu):
        while True:
            with lock.alone(lock_path):
                block, noted = bench.block(number, [next(rows) for rows in orders])
            write(block, noted)
            samples += block
            number += 1
            blocks = judge.blocks_of(samples, bench.app.name)
            at_look = blocks.count == look
            if at_look:
                look = stats.next_look(look)
                family = list(blocks.family(bench.settings.baseline).values())
                half_width = max(e.half_width(stats.family_alpha(family)) for e in family)
                if stats.precise_enough(family, target):
                    return samples
            progress.show(number - 1, half_width, at_look)
            now = time.monotonic()
            if now >= end and number > 2 or now >= halfway and blocks.noisy:
                return samples
