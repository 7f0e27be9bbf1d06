"""Timing commands with hyperfine."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pgolab import metrics, timing, tool
from pgolab.errors import Failure


@dataclass(frozen=True)
class Timing:
    """One run of one command; max_rss_bytes is its peak memory."""

    wall_s: float
    user_s: float
    sys_s: float
    max_rss_bytes: int


@dataclass(frozen=True)
class Hyperfine:
    """How commands are timed: in a directory, on one CPU or any, with or without ASLR.

    GNU time starts each command and notes its peak memory, which hyperfine does not.
    """

    where: Path
    cpu: int | None = None
    aslr: bool = True

    def once(
        self,
        commands: Sequence[Sequence[str]],
        with_metrics: bool = False,
        setups: Sequence[Sequence[str]] = (),
        cleanup: Sequence[str] = (),
    ) -> list[Timing]:
        """Times each command once, in the order given, by one call of hyperfine.

        With metrics, $PGOLAB_METRICS names another file for each command. Before each one runs its
        set-up, after each the clean-up, and neither is timed. Failure when a command
        does not end with status 0.
        """
        for old in self.where.glob("metrics.*"):
            old.unlink()
        export, memory = self.where / "hyperfine.json", self.where / "memory"
        memory.unlink(missing_ok=True)
        time = ["time", "-q", "-a", "-o", "memory", "-f", "%M"]
        lines = []
        for number, command in enumerate(commands):
            env = metrics.environment(self.where, number) if with_metrics else []
            lines.append(shlex.join([*time, *env, *command]))
        pin = ["taskset", "--cpu-list", str(self.cpu)] if self.cpu is not None else []
        fixed = [] if self.aslr else ["setarch", "--addr-no-randomize"]
        options = ["-N", "-w0", "-r1", "--style=none", f"--export-json={export.name}"]
        for setup in setups:
            options += ["--prepare", shlex.join(setup)]
        if cleanup:
            options += ["--cleanup", shlex.join(cleanup)]
        with timing.busy("hyperfine"):
            tool.output([*pin, *fixed, "hyperfine", *options, *lines], self.where)
        results = json.loads(export.read_text(encoding="utf-8"))["results"]
        peaks = memory.read_text(encoding="utf-8").split()
        if len(results) != len(lines) or len(peaks) != len(lines):
            raise Failure(
                f"hyperfine timed {len(results)} of {len(lines)} commands",
                f"see {export} and {memory}",
            )
        return [
            Timing(r["times"][0], r["user"], r["system"], int(peak) * 1024)
            for r, peak in zip(results, peaks)
        ]
