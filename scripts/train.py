"""Run the train workloads on an instrumented binary and merge what they recorded.

Each workload counts equally, or by its weight, however long it ran. The profile keeps its time
stamp when training gives the same bytes again, so that nothing is rebuilt.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgolab import errors, files, manifest, profile, timing, tool, training, units
from pgolab.errors import Failure
from pgolab.manifest import Manifest, Workload

# What runtime/profile_flush.c notes of a process.
WRITTEN, OF_USE, LOST_CHILD = b"w", b"f", b"l"
HOTTEST = 10  # functions that are kept by name; three of them are shown


@dataclass(frozen=True)
class Trained:
    """What one workload gave: its merged profile, the sum of its counters, its cost.

    dropped are the raw profiles that could not be read; lost counts processes without one;
    flushed: without runtime/profile_flush.c some would have been lost.
    """

    workload: Workload
    profile: Path
    raw_profiles: int
    dropped: tuple[str, ...]
    lost: int
    flushed: bool
    total_count: int
    wall_s: float
    cpu_s: float


def train(app: Manifest, one: Workload, args: argparse.Namespace, raw: Path) -> Trained:
    """Runs one workload; Failure when it fails or records nothing."""
    own = files.empty_directory(raw / one.name)
    processes = files.empty_directory(own / "processes")
    environment = {
        "LLVM_PROFILE_FILE": f"{own.resolve()}/%m_%p.profraw",
        "PGOLAB_PROCESSES": str(processes.resolve()),
    }
    outcome = training.run(app, one, args.binary, args.inputs, args.timeout, environment)
    # That of a process that did not write its profile is empty.
    recorded = sorted(path for path in own.glob("*.profraw") if path.stat().st_size)
    if not recorded:
        raise training.nothing_recorded(app, one, outcome)
    merged = raw / f"{one.name}.profdata"
    got = profile.merge_raw(args.profdata, recorded, merged)
    if not got.read:
        raise Failure(
            f"'{one.label}' of {app.name} wrote no raw profile that can be read",
            "was it killed, or the disk full? is another program's LLVM runtime newer?",
            got.dropped[:3],
        )
    count = sum(profile.counts(args.profdata, merged, bool(args.first_profile)).values())
    if count == 0:
        raise Failure(
            f"'{one.label}' of {app.name} wrote a raw profile with all counters zero",
            "does it run the program's own code? the command needs $(BIN)",
            training.said(outcome),
        )
    notes = [path.read_bytes() for path in processes.iterdir()]
    lost = sum((not note.startswith(WRITTEN)) + (LOST_CHILD in note) for note in notes)
    flushed = any(OF_USE in note for note in notes)
    return Trained(
        one, merged, got.read, got.dropped, lost, flushed, count, outcome.wall_s, outcome.cpu_s
    )


def hottest(sums: dict[str, int]) -> list[dict[str, Any]]:
    """The functions with the largest shares of all counts."""
    total = sum(sums.values())
    first = sorted(sums, key=lambda name: (-sums[name], name))[:HOTTEST]
    return [
        {"function": profile.plain(name), "share": round(sums[name] / total, 4)}
        for name in first
        if sums[name]
    ]


def overlap_with(args: argparse.Namespace, merged: Path) -> float | None:
    """What the profile that is there has in common with the new one; None when there is none."""
    if not args.profile.is_file():
        return None
    return round(
        profile.overlap(args.profdata, args.profile, merged, bool(args.first_profile)), 4
    )


def show(args: argparse.Namespace, trained: list[Trained], facts: dict[str, Any]) -> None:
    """Prints the health of the profile in a few lines."""
    label = f"{args.profile.parent.name}/{args.profile.stem}"
    functions = facts["functions"]
    total = functions["with_counts"] + functions["without_counts"]
    names = ", ".join(f"{h['function']} {h['share']:.0%}" for h in facts["hottest"][:3])
    line = f"{label}: {functions['with_counts']} of {total} functions ran, most in {names}"
    if facts["overlap_with_previous"] is not None:
        line += f"; {facts['overlap_with_previous']:.1%} as before"
    print(line)
    for one in trained:
        where = f"pgolab: '{one.workload.label}':"
        if one.dropped:
            first, number = one.dropped[0], len(one.dropped)
            several = "raw profile" if number == 1 else "raw profiles"
            print(f"{where} {number} {several} dropped: {first}", file=sys.stderr)
        if one.lost:
            several = "process" if one.lost == 1 else "processes"
            print(
                f"{where} {one.lost} {several} left no profile: still running, crashed, killed by"
                " SIGKILL, or forked after becoming another user",
                file=sys.stderr,
            )


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--binary", type=Path, required=True, help="the instrumented build")
    parser.add_argument("--llvm-bin", type=Path, required=True)
    parser.add_argument("--timeout", required=True)
    parser.add_argument("--profile", type=Path, required=True, help="the merged profile to make")
    parser.add_argument("--first-profile", type=Path, help="goes into the merged one as it is")
    args = parser.parse_args(argv)
    args.profdata = args.llvm_bin / "llvm-profdata"
    args.timeout = units.seconds("TIMEOUT", args.timeout)
    app = manifest.load(args.manifest, ("train",))
    raw = files.empty_directory(args.binary.parent / "raw")
    trained = [train(app, one, args, raw) for one in training.workloads_of(app)]
    weights = training.merge_weights(
        [t.workload for t in trained], [t.total_count for t in trained]
    )
    merged = raw / "merged.profdata"
    inputs = [f"--weighted-input={w},{t.profile}" for w, t in zip(weights, trained)]
    if args.first_profile:
        inputs.append(str(args.first_profile))
    with timing.busy("compilers"):
        tool.output([args.profdata, "merge", "-o", merged, *inputs])
    sums = profile.counts(args.profdata, merged, bool(args.first_profile))
    facts = {
        "sha256": files.sha256(merged),
        "tool": tool.output([args.profdata, "--version"]).split("\n")[0].strip(),
        "sources_sha256": manifest.taken_from(args.manifest),
        "workloads": {
            t.workload.name: training.noted(
                t.workload, weight, t.raw_profiles, t.total_count, t.wall_s, t.cpu_s
            )
            for t, weight in zip(trained, weights)
        },
        "functions": {
            "with_counts": sum(1 for s in sums.values() if s),
            "without_counts": sum(1 for s in sums.values() if not s),
        },
        "hottest": hottest(sums),
        "raw_profiles": {
            "read": sum(t.raw_profiles for t in trained),
            "dropped": sum(len(t.dropped) for t in trained),
            "lost": sum(t.lost for t in trained),
        },
        "flushed": any(t.flushed for t in trained),
        "overlap_with_previous": overlap_with(args, merged),
    }
    show(args, trained, facts)
    files.write_text(args.profile.with_suffix(".json"), json.dumps(facts, indent=2) + "\n")
    files.replace_if_changed(merged, args.profile)
    return 0


if __name__ == "__main__":
    errors.run(main)
