"""Run the train workloads on a probed binary and make a sample profile of what they did.

With hardware branch records, perf samples them. Without, BOLT's instrumentation counts every
branch, and the counts are handed to llvm-profgen as if they had been sampled. Each workload counts
equally, or by its weight. The profile keeps its time stamp when training gives the same bytes.
"""

import argparse
import json
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgolab import bolt, branches, errors, files, manifest, timing, tool, training, units
from pgolab.errors import Failure
from pgolab.manifest import Manifest, Workload

PERF = ["perf", "record", "-q", "-b", "-e", "cycles:u"]


@dataclass(frozen=True)
class Trained:
    """What one workload gave: its profile, how many processes ran, samples, cost."""

    workload: Workload
    profile: Path
    raw_profiles: int
    total_count: int
    wall_s: float
    cpu_s: float


def collector() -> str:
    """'perf' where it can record branches, else 'bolt'."""
    try:
        done = subprocess.run([*PERF, "-o", "/dev/null", "--", "true"], capture_output=True)
    except FileNotFoundError:
        return "bolt"
    return "perf" if done.returncode == 0 else "bolt"


def functions(args: argparse.Namespace, profile: Path) -> list[dict[str, Any]]:
    """A sample profile's functions, with their name, head and total."""
    program = args.llvm_bin / "llvm-profdata"
    shown = tool.output([program, "show", "--sample", "--show-format=json", profile])
    listed: list[dict[str, Any]] = json.loads(shown)
    return listed


def profgen(args: argparse.Namespace, profile: Path, *options: str) -> None:
    with timing.busy("compilers"):
        tool.output(
            [args.llvm_bin / "llvm-profgen", f"--binary={args.binary}", "--format=extbinary",
             f"--output={profile}", *options]
        )  # fmt: skip


def by_bolt(
    app: Manifest, one: Workload, args: argparse.Namespace, raw: Path, code: branches.Code
) -> Trained:
    """Counts every branch of one workload; checks that they are attributed to where they belong."""
    binary = raw / "instrumented"
    outcome, counts, runs = bolt.record(app, one, binary, args.inputs, args.timeout)
    text, profile = raw / f"{one.name}.unsymbolized", raw / f"{one.name}.prof"
    files.write_text(text, branches.unsymbolized(counts, code))
    profgen(args, profile, f"--unsymbolized-profile={text}", "--use-offset=0")
    heads = sum(f["head"] for f in functions(args, profile) if f["name"] == "main")
    if not 1 <= heads <= runs:
        raise Failure(
            f"the sample profile of '{one.label}' of {app.name} counts {heads} calls of main in "
            f"{runs} processes", "is the binary linked with -no-pie and without another's main?",
        )  # fmt: skip
    return Trained(one, profile, runs, bolt.total(counts), outcome.wall_s, outcome.cpu_s)


def by_perf(app: Manifest, one: Workload, args: argparse.Namespace, raw: Path) -> Trained:
    """Samples the branches of one workload."""
    own = files.empty_directory(raw / one.name)
    wrapper = own / "run"
    words = shlex.join([*PERF, "-o"])
    wrapper.write_text(
        f'#!/bin/sh\nexec {words} {shlex.quote(str(own.resolve()))}/$$.perf -- '
        f'{shlex.quote(str(args.binary.resolve()))} "$@"\n', encoding="utf-8",
    )  # fmt: skip
    wrapper.chmod(0o755)
    outcome = training.run(app, one, wrapper, args.inputs, args.timeout)
    recorded = sorted(own.glob("*.perf"))
    profiles = []
    for data in recorded:
        profiles.append(data.with_suffix(".prof"))
        profgen(args, profiles[-1], f"--perfdata={data}")
    if not profiles:
        raise training.nothing_recorded(app, one, outcome)
    merged = raw / f"{one.name}.prof"
    merge(args, merged, [str(p) for p in profiles])
    total = sum(f["total"] for f in functions(args, merged))
    if not total:
        raise training.nothing_recorded(app, one, outcome)
    return Trained(one, merged, len(recorded), total, outcome.wall_s, outcome.cpu_s)


def merge(args: argparse.Namespace, merged: Path, inputs: list[str]) -> None:
    """Adds sample profiles."""
    program = args.llvm_bin / "llvm-profdata"
    tool.output([program, "merge", "--sample", "--extbinary", "-o", merged, *inputs])


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--binary", type=Path, required=True, help="with pseudo probes, not PIE")
    parser.add_argument("--llvm-bin", type=Path, required=True)
    parser.add_argument("--timeout", required=True)
    parser.add_argument("--profile", type=Path, required=True, help="the sample profile to make")
    args = parser.parse_args(argv)
    args.timeout = units.seconds("TIMEOUT", args.timeout)
    app = manifest.load(args.manifest, ("train",))
    workloads = training.workloads_of(app)
    raw = files.empty_directory(args.binary.parent / "raw")
    collected_by = collector()
    if collected_by == "bolt":
        bolt.instrument(args.llvm_bin / "llvm-bolt", args.binary, raw)
        code = branches.load(args.binary, args.llvm_bin)
        trained = [by_bolt(app, one, args, raw, code) for one in workloads]
    else:
        trained = [by_perf(app, one, args, raw) for one in workloads]
    weights = training.merge_weights(workloads, [t.total_count for t in trained])
    merged = raw / "merged.prof"
    inputs = [f"--weighted-input={w},{t.profile}" for w, t in zip(weights, trained)]
    merge(args, merged, inputs)
    facts = {
        "sha256": files.sha256(merged),
        "tool": tool.output([args.llvm_bin / "llvm-profgen", "--version"]).strip().split("\n")[0],
        "collected_by": collected_by,
        "workloads": {
            t.workload.name: training.noted(
                t.workload, weight, t.raw_profiles, t.total_count, t.wall_s, t.cpu_s
            )
            for t, weight in zip(trained, weights)
        },
    }
    files.write_text(args.profile.with_suffix(".json"), json.dumps(facts, indent=2) + "\n")
    files.replace_if_changed(merged, args.profile)
    return 0


if __name__ == "__main__":
    errors.run(main)
