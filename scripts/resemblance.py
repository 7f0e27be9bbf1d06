"""Say how far the train workloads resemble the eval workloads, and what they leave out.

Runs the eval workloads on the instrumented build, apart from the profile, which never sees them,
and compares what both count: the overlap of the two profiles, and the functions that are hot in
eval and cold in train.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pgolab import errors, files, manifest, profile, tool, training, units
from pgolab.errors import Failure
from train import train

HOT = 0.01  # of all that eval counts: a function worth naming
COLD = 0.1  # of its share in eval: less than that in train is missing
UNLIKE = 0.5  # less overlap than this is pointed out
MOST_NAMED = 5


def shares(counts: dict[str, int]) -> dict[str, float]:
    """Each function's part of all counts: about its part of what is executed."""
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()} if total else {}


def left_out(trained: dict[str, float], evaluated: dict[str, float]) -> dict[str, list[float]]:
    """Functions that are hot in eval and cold in train: their shares in eval and in train."""
    found = {
        name: [round(share, 4), round(trained.get(name, 0.0), 4)]
        for name, share in evaluated.items()
        if share >= HOT and trained.get(name, 0.0) < COLD * share
    }
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def advice(resemblance: float, missing: dict[str, list[float]]) -> list[str]:
    """What a reader should do about the train workloads, if anything."""
    said = []
    if missing:
        total = sum(share for share, _ in missing.values())
        named = [f"{profile.plain(name)} ({share:.0%})" for name, (share, _) in missing.items()]
        more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        said.append(
            f"{total:.0%} of what the eval workloads execute is hardly trained:"
            f" {', '.join(named[:MOST_NAMED])}{more}; add a train workload that runs it"
        )
    if resemblance < UNLIKE:
        said.append(
            f"the train workloads resemble the eval workloads by {resemblance:.0%} only (overlap of"
            " their profiles): train what you evaluate, on other data"
        )
    return said


def evaluate(args: argparse.Namespace, raw: Path) -> Path:
    """The merged profile of the eval workloads, each counting equally."""
    app = manifest.load(args.manifest, ("eval",))
    trained = [train(app, one, args, raw) for one in app.workloads]
    merged = raw / "merged.profdata"
    weights = training.merge_weights(list(app.workloads), [t.total_count for t in trained])
    inputs = [f"--weighted-input={w},{t.profile}" for w, t in zip(weights, trained)]
    tool.output([args.profdata, "merge", "-o", merged, *inputs])
    return merged


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--binary", type=Path, required=True, help="the instrumented build")
    parser.add_argument("--profile", type=Path, required=True, help="of the train workloads")
    parser.add_argument("--llvm-bin", type=Path, required=True)
    parser.add_argument("--timeout", required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    args.profdata = args.llvm_bin / "llvm-profdata"
    args.timeout = units.seconds("TIMEOUT", args.timeout)
    args.first_profile = None
    raw = files.empty_directory(args.binary.parent / "raw-eval")
    try:
        evaluated = evaluate(args, raw)
    except Failure as failure:
        # Advice must not end what would go on without it: verifying says more about a bad workload.
        print(f"note: no advice on workloads: {failure.message}", file=sys.stderr)
        found: dict[str, Any] = {"overlap": None, "left_out": {}, "advice": []}
    else:
        resemblance = profile.overlap(args.profdata, args.profile, evaluated)
        of = [shares(profile.counts(args.profdata, p)) for p in (args.profile, evaluated)]
        missing = left_out(*of)
        said = advice(resemblance, missing)
        found = {"overlap": round(resemblance, 4), "left_out": missing, "advice": said}
    files.write_text(args.output, json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    errors.run(main)
