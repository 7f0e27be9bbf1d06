"""Run the train workloads on a binary that BOLT instrumented and merge what they recorded.

Each workload counts equally, or by its weight, however long it ran. Where BOLT had to leave out
functions, callgrind counts what share of the instructions is theirs. The profile keeps its time
stamp when training gives the same bytes again.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pgolab import bolt, callgrind, errors, files, manifest, tool, training, units


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--binary", type=Path, required=True, help="linked with --emit-relocs")
    parser.add_argument("--llvm-bin", type=Path, required=True)
    parser.add_argument("--timeout", required=True)
    parser.add_argument("--profile", type=Path, required=True, help="the merged .fdata to make")
    args = parser.parse_args(argv)
    timeout = units.seconds("TIMEOUT", args.timeout)
    app = manifest.load(args.manifest, ("train",))
    workloads = training.workloads_of(app)
    raw = files.empty_directory(args.binary.parent / "raw")
    program = args.llvm_bin / "llvm-bolt"
    binary, log = bolt.instrument(program, args.binary, raw)
    bolt.instrument_libraries(program, args.binary, raw)
    runs = [bolt.record(app, one, binary, args.inputs, timeout) for one in workloads]
    totals = [bolt.total(counts) for _, counts, _ in runs]
    weights = training.merge_weights(workloads, totals)
    sums: Counter[tuple[str, str]] = Counter()
    for (_, counts, _), weight in zip(runs, weights):
        for key, count in counts.items():
            sums[key] += count * weight
    shares: dict[str, float] = {}  # of the instructions, by function that BOLT left out
    left_out = bolt.skipped(log)
    for one in workloads if left_out else ():
        by_name = callgrind.functions(app, one, args.binary, args.inputs, timeout, args.llvm_bin)
        part = one.weight / sum(w.weight for w in workloads) / by_name.total()
        for name in left_out:
            shares[name] = shares.get(name, 0.0) + by_name[name] * part
    by_share = sorted(shares, key=lambda name: (-shares[name], name))
    merged = raw / "merged.fdata"
    bolt.write(merged, sums)
    facts = {
        "sha256": files.sha256(merged),
        "tool": tool.output([program, "--version"]).strip().splitlines()[0].strip(),
        "skipped": {name: round(shares[name], 5) for name in by_share},
        "workloads": {
            one.name: training.noted(
                one, weight, raw_profiles, total, outcome.wall_s, outcome.cpu_s
            )
            for one, weight, total, (outcome, _, raw_profiles) in zip(
                workloads, weights, totals, runs
            )
        },
    }
    files.write_text(args.profile.with_suffix(".json"), json.dumps(facts, indent=2) + "\n")
    files.replace_if_changed(merged, args.profile)
    return 0


if __name__ == "__main__":
    errors.run(main)
