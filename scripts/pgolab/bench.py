"""One app on the bench: timing blocks of its variants."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pgolab import files, instructions, machine, metrics, schedule, workload
from pgolab.hyperfine import Hyperfine, Timing
from pgolab.manifest import Manifest, Workload
from pgolab.record import COPY, Metric, Sample
from pgolab.settings import Settings

TARGET_RUN_S = 0.040  # the standard error of a block hardly depends on a run's length
SHORTEST_RUN_S = 0.010  # start-up dilutes what is shorter
FIRST_BLOCKS = 13  # the warm-up and the twelve before the first look
MOST_SCALE = 10**9
FEWEST_LAYOUTS = 4  # that a stage of a comparison is content with, unless fewer are wanted
LONG_FACTOR = 8  # start-up weighs eight times less: does the ratio hold?


class Bench:
    """One app on the bench: its binaries under names of one length, its workloads and scales."""

    def __init__(
        self,
        app: Manifest,
        inputs: Path,
        variants: dict[str, list[Path]],
        settings: Settings,
        where: Path,
        spare: bool = False,
    ) -> None:
        """variants: the binaries of each, one per layout; where: a directory to work in.

        spare: half of the layouts are kept for fresh_layouts, where that leaves enough of them.
        """
        self.app = app
        self.workloads = app.of_kind("eval")
        self.settings = settings
        self.staged = min(len(binaries) for binaries in variants.values())
        self.layouts = self.staged
        if spare:
            half = self.staged // 2
            enough = half >= min(FEWEST_LAYOUTS, settings.layouts)
            self.layouts = min(half if enough else self.staged, settings.layouts)
        self.first_layout = 0
        self.variants = list(variants)
        self.arms = schedule.arms(self.variants, settings.baseline, COPY)
        files.empty_directory(where)
        self.work = workload.scratch(where / "work", app, inputs)
        self.names = self._stage({**variants, COPY: variants[settings.baseline]}, where / "bin")
        self.scales = {one.name: 1 for one in self.workloads}
        self.with_metrics: set[str] = set()
        self.hyperfine = Hyperfine(self.work, None, settings.aslr)

    def _stage(self, variants: dict[str, list[Path]], bins: Path) -> dict[tuple[str, int], str]:
        """Copies each binary to bin/NNN/APP; a name's length moves a program's stack.

        Its shared libraries stay in the directory `lib` beside it.
        """
        names: dict[tuple[str, int], str] = {}
        for variant, binaries in variants.items():
            for layout in range(self.staged):
                place = bins / f"{len(names):03}"
                place.mkdir(parents=True)
                shutil.copy2(binaries[layout], place / self.app.name)
                libraries = binaries[layout].parent / "lib"
                if libraries.is_dir():
                    (place / "lib").symlink_to(libraries.resolve())
                names[variant, layout] = f"../bin/{place.name}/{self.app.name}"
        return names

    def command(self, one: Workload, variant: str, layout: int = 0, factor: int = 1) -> list[str]:
        name, scale = self.names[variant, layout], self.scales[one.name] * factor
        return [*one.launcher(self.work), *one.command(name, scale, self.work)]

    def instructions(self, one: Workload, variant: str, timeout: float) -> int:
        """Counts the instructions of layout 0 at scale 1."""
        name = self.names[variant, 0]
        workload.aside(one.setup_for(name), self.work, timeout, f"the set-up of '{one.label}'")
        command = one.command(name, where=self.work)
        counted = instructions.count(command, self.work, one.label, one.launcher(self.work))
        workload.aside(list(one.cleanup), self.work, timeout, f"the clean-up of '{one.label}'")
        return counted

    def _once(
        self,
        one: Workload,
        variants: Sequence[str],
        layout: int = 0,
        factor: int = 1,
        with_metrics: bool = False,
    ) -> list[Timing]:
        """Times these variants on one workload, one after the other."""
        commands = [self.command(one, v, layout, factor) for v in variants]
        setups = [one.setup_for(self.names[v, layout]) for v in variants] if one.setup else []
        return self.hyperfine.once(commands, with_metrics, setups, one.cleanup)

    def scales_from(self, app: dict[str, Any]) -> None:
        """Takes what choose_scales found from an app of run.json."""
        for one in self.workloads:
            known = app["workloads"][one.name]
            self.scales[one.name] = known["scale"]
            if known["metrics"]:
                self.with_metrics.add(one.name)
        self.hyperfine = Hyperfine(self.work, app["pinned_cpu"], self.settings.aslr)

    def choose_scales(self) -> list[str]:
        """Sets each workload's scale; returns advice on those that cannot be timed well."""
        advice = []
        parallel = 0.0
        for one in self.workloads:
            wall_s, cpus = self._try(one)
            parallel = max(parallel, cpus)
            if one.scalable:
                wall_s = self._scale(one, wall_s)
            elif wall_s < SHORTEST_RUN_S:
                advice.append(
                    f"'{one.label}' takes {wall_s * 1e3:.1f} ms, mostly start-up: give it more"
                    " work, best by $(SCALE) in its command"
                )
            all_runs_s = wall_s * FIRST_BLOCKS * len(self.arms) * len(self.workloads)
            if all_runs_s > self.settings.budget_s:
                advice.append(
                    f"'{one.label}' takes {wall_s:.2g} s, too long for 12 blocks in the budget:"
                    f" give it less work, or allow BUDGET={all_runs_s:.0f}s"
                )
        cpus_here = sorted(os.sched_getaffinity(0))
        if len(cpus_here) > 1 and parallel < 1.2:
            self.hyperfine = Hyperfine(self.work, cpus_here[-1], self.settings.aslr)
        return advice

    def _try(self, one: Workload) -> tuple[float, float]:
        """Median wall seconds of a baseline run, and how many CPUs it keeps busy."""
        timings = self._once(one, [self.settings.baseline] * 4, with_metrics=True)[1:]
        if metrics.read(self.work, 0, one.label):
            self.with_metrics.add(one.name)
        wall_s = float(np.median([t.wall_s for t in timings]))
        return wall_s, max((t.user_s + t.sys_s) / t.wall_s for t in timings)

    def _scale(self, one: Workload, first_s: float) -> float:
        """Finds the scale at which a baseline run lasts about TARGET_RUN_S; its wall seconds."""
        scale, wall_s = 1, first_s
        for _ in range(4):
            if wall_s > 0.8 * TARGET_RUN_S or scale >= MOST_SCALE:
                break
            own_s = (wall_s - first_s) / (scale - 1) if scale > 1 else wall_s
            wanted = scale + (TARGET_RUN_S - wall_s) / max(own_s, wall_s / (10 * scale))
            scale = min(MOST_SCALE, max(scale + 1, round(wanted)))
            self.scales[one.name] = scale
            wall_s, _ = self._try(one)
        return wall_s

    def fresh_layouts(self) -> bool:
        """Takes layouts that no block had before; False when there are not as many."""
        if self.staged < 2 * self.layouts:
            return False
        self.first_layout = self.layouts
        return True

    def _layout(self, number: int) -> int:
        return self.first_layout + number % self.layouts

    def block(self, number: int, rows: list[np.ndarray]) -> tuple[list[Sample], list[Metric]]:
        """Times one block: every arm on every workload, in these orders."""
        layout = self._layout(number)
        load = os.getloadavg()[0]
        before, start = machine.Usage.now(), time.monotonic()
        timed, noted = [], []
        for one, order in zip(self.workloads, rows):
            arms = [self.arms[i] for i in order]
            timed.append(self._once(one, arms, layout, 1, one.name in self.with_metrics))
            for position, arm in enumerate(order):
                for name, value, better in metrics.read(self.work, position, one.label):
                    place = (self.app.name, one.name, self.arms[arm], number, position)
                    noted.append(Metric(*place, name, value, better))
        block_s, after = time.monotonic() - start, machine.Usage.now()
        samples = [
            Sample(
                self.app.name,
                one.name,
                self.arms[arm],
                layout,
                number,
                position,
                *(t.wall_s, t.user_s, t.sys_s, t.max_rss_bytes),
                block_s,
                after.steal_since(before),
                after.foreign_since(before),
                load,
            )
            for one, order, timings in zip(self.workloads, rows, timed)
            for position, (arm, t) in enumerate(zip(order, timings))
        ]
        return samples, noted

    def long_ratio(self, variant: str, number: int) -> float:
        """ln of a variant's time over the baseline's at a longer scale, once on each workload.

        The mean over the scalable workloads, which has to exist; number chooses order and layout.
        """
        pair = [variant, self.settings.baseline][:: 1 if number % 2 else -1]
        ratios = []
        for one in (w for w in self.workloads if w.scalable):
            layout = self._layout(number)
            wall_s = dict(zip(pair, (t.wall_s for t in self._once(one, pair, layout, LONG_FACTOR))))
            ratios.append(np.log(wall_s[variant] / wall_s[self.settings.baseline]))
        return float(np.mean(ratios))
