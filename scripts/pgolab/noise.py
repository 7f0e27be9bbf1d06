"""How noisy this machine is: a command timed against itself for a few seconds."""

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pgolab import stats
from pgolab.hyperfine import Hyperfine

# About 40 ms of a shell counting, as long as a timed run is.
COMMAND = ["sh", "-c", "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"]
FEWEST_PAIRS = 8


@dataclass(frozen=True)
class Noise:
    """pair_sd: standard deviation of one paired ln ratio; pair_s: what a pair of runs takes."""

    pair_sd: float
    pair_s: float

    def seconds_for(self, half_width: float) -> float:
        """How long two programs have to be compared for an interval of this half-width (ln)."""
        return (2.0 * self.pair_sd / half_width) ** 2 * self.pair_s


def measure(seconds: float) -> Noise:
    """Times pairs of the same command; at least FEWEST_PAIRS of them."""
    ratios: list[float] = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as where:
        hyperfine = Hyperfine(Path(where))
        while len(ratios) < FEWEST_PAIRS or time.monotonic() - begun < seconds:
            first, second = hyperfine.once([COMMAND, COMMAND])
            ratios.append(math.log(second.wall_s / first.wall_s))
    spent = time.monotonic() - begun
    return Noise(stats.estimate(ratios).se * math.sqrt(len(ratios)), spent / len(ratios))
