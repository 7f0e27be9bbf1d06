"""Say where the time of a `make` went: compilers, workloads, hyperfine, and pgolab itself.

pgolab's own share is the time during which none of the others was at work.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from pgolab import errors

Interval = tuple[float, float]


def compilations(build: Path, since: float) -> list[Interval]:
    """When each compilation and link since then ran: its cost file is written as it ends."""
    found = []
    for path in build.rglob("*.cost"):
        end = path.stat().st_mtime
        if end >= since:
            found.append((end - float(path.read_text(encoding="utf-8").split()[0]), end))
    return found


def covered(intervals: list[Interval]) -> float:
    """Seconds that lie in at least one of the intervals."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--since", type=float, required=True, help="seconds since the epoch")
    parser.add_argument("--log", type=Path, required=True, help="what $PGOLAB_TIMING named")
    args = parser.parse_args(argv)
    all_s = time.time() - args.since
    kinds: dict[str, list[Interval]] = {"compilers": compilations(Path("build"), args.since)}
    if args.log.exists():
        for line in args.log.read_text(encoding="utf-8").splitlines():
            kind, start, end = line.split()
            kinds.setdefault(kind, []).append((float(start), float(end)))
        args.log.unlink()
    own_s = all_s - covered([i for intervals in kinds.values() for i in intervals])
    print(f"time: {all_s:.1f} s, of which")
    for kind, intervals in kinds.items():
        seconds = covered(intervals)
        print(f"  {kind:12} {seconds:6.1f} s  {seconds / all_s:6.1%}")
    print(f"  {'pgolab':12} {own_s:6.1f} s  {own_s / all_s:6.1%}")
    return 0


if __name__ == "__main__":
    errors.run(main)
