"""Run the train workloads on an instrumented binary and merge what they recorded.

Each workload counts equally, or by its weight, however long it ran. The profile keeps its time
stamp when training gives the same bytes again, so that nothing is rebuilt.
"""

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pgolab import errors, files, manifest, timing, tool, training, units
from pgolab.errors import Failure
from pgolab.manifest import Manifest, Workload


@dataclass(frozen=True)
class Trained:
    """What one workload gave: its merged profile, the sum of its counters, its cost."""

    workload: Workload
    profile: Path
    raw_profiles: int
    total_count: int
    wall_s: float
    cpu_s: float


def total_count(profdata: Path, profile: Path, context_sensitive: bool) -> int:
    """The sum of all counters of a profile, as llvm-profdata tells it."""
    kind = ["--showcs"] if context_sensitive else []
    text = tool.output([profdata, "show", "--detailed-summary", *kind, profile])
    match = re.search(r"^Total count: (\d+)$", text, re.MULTILINE)
    if not match:
        raise Failure(f"'{profdata} show' printed no total count", "is it from LLVM 14 or newer?")
    return int(match[1])


def train(app: Manifest, one: Workload, args: argparse.Namespace, raw: Path) -> Trained:
    """Runs one workload; Failure when it fails or records nothing."""
    own = files.empty_directory(raw / one.name)
    environment = {"LLVM_PROFILE_FILE": f"{own.resolve()}/%m_%p.profraw"}
    outcome = training.run(app, one, args.binary, args.inputs, args.timeout, environment)
    recorded = sorted(p for p in own.glob("*.profraw") if p.stat().st_size)
    if not recorded:
        raise training.nothing_recorded(app, one, outcome)
    merged = raw / f"{one.name}.profdata"
    tool.output([args.profdata, "merge", "-o", merged, *recorded])
    count = total_count(args.profdata, merged, bool(args.first_profile))
    if count == 0:
        raise Failure(
            f"'{one.label}' of {app.name} wrote a raw profile with all counters zero",
            "does it run the program's own code? the command needs $(BIN)",
            training.said(outcome),
        )
    return Trained(one, merged, len(recorded), count, outcome.wall_s, outcome.cpu_s)


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
    facts = {
        "sha256": files.sha256(merged),
        "tool": tool.output([args.profdata, "--version"]).split("\n")[0].strip(),
        "workloads": {
            t.workload.name: {
                "weight": t.workload.weight,
                "merge_weight": weight,
                "raw_profiles": t.raw_profiles,
                "total_count": t.total_count,
                "wall_s": round(t.wall_s, 3),
                "cpu_s": round(t.cpu_s, 3),
            }
            for t, weight in zip(trained, weights)
        },
    }
    files.write_text(args.profile.with_suffix(".json"), json.dumps(facts, indent=2) + "\n")
    files.replace_if_changed(merged, args.profile)
    return 0


if __name__ == "__main__":
    errors.run(main)
