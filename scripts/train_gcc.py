"""Run the train workloads on a binary that GCC instrumented.

GCC's runtime adds the counters of each run to what is there. They are kept as they come, so that a
workload which runs longer counts more: gcov-tool 12, which could weight them, crashes on them.
The profile is a directory of .gcda files; beside it NAME.gcda.sum lists them with their SHA-256.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pgolab import errors, files, manifest, tool, training, units


def snapshot(directory: Path) -> dict[str, str]:
    """The counter files in a directory, by name, with their SHA-256."""
    paths = sorted(directory.rglob("*.gcda"))
    return {str(path.relative_to(directory)): files.sha256(path) for path in paths}


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--binary", type=Path, required=True, help="the instrumented build")
    parser.add_argument("--timeout", required=True)
    parser.add_argument("--profile", type=Path, required=True, help="NAME.gcda.sum")
    args = parser.parse_args(argv)
    timeout = units.seconds("TIMEOUT", args.timeout)
    app = manifest.load(args.manifest, ("train",))
    raw = files.empty_directory(args.binary.parent / "raw")
    found: dict[str, str] = {}
    noted = {}
    for one in training.workloads_of(app):
        environment = {"GCOV_PREFIX": str(raw.resolve())}
        outcome = training.run(app, one, args.binary, args.inputs, timeout, environment)
        before, found = found, snapshot(raw)
        if found == before:
            raise training.nothing_recorded(app, one, outcome)
        noted[one.name] = {"wall_s": round(outcome.wall_s, 3), "cpu_s": round(outcome.cpu_s, 3)}
    sums = "".join(f"{digest}  {name}\n" for name, digest in found.items())
    kept = args.profile.with_suffix("")
    if not args.profile.is_file() or args.profile.read_text(encoding="utf-8") != sums:
        args.profile.unlink(missing_ok=True)
        files.empty_directory(kept).rmdir()
        raw.rename(kept)
    facts = {
        "sha256": hashlib.sha256(sums.encode()).hexdigest(),
        "tool": tool.output(["gcc", "--version"]).split("\n")[0],
        "workloads": noted,
    }
    files.write_text(kept.with_suffix(".json"), json.dumps(facts, indent=2) + "\n")
    if not args.profile.is_file():
        files.write_text(args.profile, sums)
    return 0


if __name__ == "__main__":
    errors.run(main)
