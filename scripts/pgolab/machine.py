"""Facts about the machine, and what else ran on it."""

import os
import platform
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def read(path: str) -> str | None:
    """The text of a small file of the kernel, or None where there is none."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def facts() -> dict[str, Any]:
    """What tells this machine from others: processor, kernel, memory, CPUs, randomization."""
    info = read("/proc/cpuinfo") or ""
    model = next((x.split(": ")[1] for x in info.splitlines() if x.startswith("model name")), "")
    return {
        "processor": model or platform.processor(),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "randomize_va_space": read("/proc/sys/kernel/randomize_va_space"),
    }


@contextmanager
def off(cpu: int | None) -> Iterator[None]:
    """Keeps this process off a CPU, which timed processes have to themselves."""
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, allowed - {cpu})
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@dataclass(frozen=True)
class Usage:
    """CPU seconds since boot: of all processes, of pgolab's own, and stolen by the hypervisor."""

    all_s: float
    own_s: float
    steal_s: float

    @staticmethod
    def now() -> "Usage":
        tick = os.sysconf("SC_CLK_TCK")
        fields = [int(x) / tick for x in (read("/proc/stat") or "cpu 0 0 0 0 0 0 0 0").split()[1:9]]
        user, nice, system, _, _, irq, softirq, steal = fields
        used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        own = sum(u.ru_utime + u.ru_stime for u in used)
        return Usage(user + nice + system + irq + softirq, own, steal)

    def foreign_since(self, start: "Usage") -> float:
        """CPU seconds that others used since start; exact to a few clock ticks."""
        return max(0.0, self.all_s - start.all_s - (self.own_s - start.own_s))

    def steal_since(self, start: "Usage") -> float:
        return self.steal_s - start.steal_s
