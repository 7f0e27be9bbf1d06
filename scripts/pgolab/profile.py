"""Profiles of Clang's instrumentation, by way of llvm-profdata."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pgolab import tool

# A function in LLVM's text form: name, hash, counters; a local function's name is `file;name`.
_RECORD = re.compile(
    r"^(.+)\n# Func Hash:\n\d+\n# Num Counters:\n\d+\n# Counter Values:\n((?:\d+\n)+)", re.MULTILINE
)
_REFUSED = re.compile(r"^warning: (.+\.profraw): (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Merged:
    """What merging raw profiles gave: how many were read, and of those dropped: why."""

    read: int
    dropped: tuple[str, ...]


def merge_raw(profdata: Path, raw: Sequence[Path], merged: Path) -> Merged:
    """Merges raw profiles, none of them empty, into merged; those that cannot be read are left out.

    When none can be read there is no merged.
    """
    done = subprocess.run(
        [profdata, "merge", "--failure-mode=all", "-o", merged, *raw],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode == 0:
        refused = dict(_REFUSED.findall(done.stderr))
    else:
        refused = dict.fromkeys(map(str, raw), done.stderr.strip().split("\n")[-1])
    dropped = tuple(f"{Path(name).name}: {why}" for name, why in sorted(refused.items()))
    return Merged(len(raw) - len(dropped), dropped)


def counts(profdata: Path, profile: Path, context_sensitive: bool = False) -> dict[str, int]:
    """The sum of its counters for each function of an indexed profile."""
    kind = ["--showcs"] if context_sensitive else []
    text = tool.output([profdata, "show", "--all-functions", "--text", *kind, profile])
    sums: dict[str, int] = {}
    for name, values in _RECORD.findall(text):
        sums[name] = sums.get(name, 0) + sum(map(int, values.split()))
    return sums


def overlap(profdata: Path, one: Path, other: Path, context_sensitive: bool = False) -> float:
    """How much of their counts two profiles have in common, 0 to 1.

    Of context-sensitive ones by function, as what llvm-profdata says of them can exceed 1.
    """
    if context_sensitive:
        first, second = counts(profdata, one, True), counts(profdata, other, True)
        totals = sum(first.values()), sum(second.values())
        if not all(totals):
            return 0.0
        both = first.keys() & second.keys()
        return sum(min(first[n] / totals[0], second[n] / totals[1]) for n in both)
    text = tool.output([profdata, "overlap", one, other])
    found = re.search(r"Edge profile overlap: ([0-9.]+)%", text)
    return float(found[1]) / 100 if found else 0.0


def plain(name: str) -> str:
    """A function's name as people know it: without the file of a local one."""
    return name.rpartition(";")[2]
