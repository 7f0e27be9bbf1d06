"""Run every workload on all layouts of a variant and compare with what the baseline did.

Exit status, standard output and the files named by eval.NAME.output have to be the same, byte for
byte, after app.normalize. With --record the binary is the baseline itself: it runs twice, has to
agree with itself, and what it printed is kept for the others.
"""

import argparse
import difflib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pgolab import errors, files, layouts, manifest, units, workload
from pgolab.errors import Failure
from pgolab.manifest import Manifest, Workload

DIFF_LINES = 12


def observe(
    app: Manifest, one: Workload, binary: Path, args: argparse.Namespace
) -> tuple[dict[str, bytes], float]:
    """Runs a workload once; its output and its CPU seconds.

    The output by name: 'standard output' and the declared files.
    """
    where = workload.scratch(args.binary.parent / "work", app, args.inputs)
    (where / "verify").symlink_to(binary.resolve())
    environment = {"PGOLAB_METRICS": str((where / "metrics").resolve())}
    outcome = workload.run_one(app, one, "./verify", where, args.timeout, environment)
    if outcome.status != 0:
        raise Failure(
            f"'{one.label}' of {app.name} {workload.describe(outcome.status)} with {args.variant}",
            "a workload has to end with status 0",
            workload.tail(outcome.stdout, outcome.stderr),
        )
    seen = {"standard output": normalized(app, outcome.stdout, where, args.timeout)}
    for name in one.outputs:
        path = where / one.directory / name
        if not path.is_file():
            raise Failure(
                f"'{one.label}' of {app.name} made no file '{name}' with {args.variant}",
                f"{one.label}.output names files relative to the directory where it runs",
            )
        seen[name] = normalized(app, path.read_bytes(), where, args.timeout)
    return seen, outcome.cpu_s


def normalized(app: Manifest, output: bytes, where: Path, timeout: float) -> bytes:
    """An output as app.normalize prints it."""
    if not app.normalize:
        return output
    try:
        done = subprocess.run(
            app.normalize, cwd=where, input=output, capture_output=True, timeout=timeout
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(
            f"app.normalize of {app.name} cannot run: {error}",
            "it is a command that reads an output and prints what is to be compared of it",
        ) from None
    if done.returncode != 0:
        raise Failure(
            f"app.normalize of {app.name} {workload.describe(done.returncode)}",
            f"it is the command: {' '.join(app.normalize)}",
            workload.tail(done.stdout, done.stderr),
        )
    return done.stdout


def difference(expected: bytes, actual: bytes) -> list[str]:
    """The start of a unified diff, or where binary outputs first differ."""
    try:
        old, new = (data.decode("utf-8").splitlines() for data in (expected, actual))
        lines = list(difflib.unified_diff(old, new, "baseline", "variant", lineterm="", n=1))
    except UnicodeDecodeError:
        lines = []
    if lines:
        return [line[:200] for line in lines[:DIFF_LINES]] + ["…"] * (len(lines) > DIFF_LINES)
    # Binary data, or text in which only line endings differ.
    same = next(
        (i for i, (a, b) in enumerate(zip(expected, actual)) if a != b),
        min(len(expected), len(actual)),
    )
    return [f"{len(expected)} and {len(actual)} bytes; the first difference is at byte {same}"]


def compare(what: str, expected: dict[str, bytes], actual: dict[str, bytes], hint: str) -> None:
    """Failure with a diff when two observations differ."""
    for name, data in expected.items():
        if actual[name] != data:
            raise Failure(f"{what}: {name}", hint, difference(data, actual[name]))


def record(app: Manifest, args: argparse.Namespace) -> None:
    """Keeps what the baseline does, if it does the same twice."""
    kept = files.empty_directory(args.outputs.with_suffix(".new"))
    times: dict[str, float] = {}
    for one in app.workloads:
        (first, _), (second, cpu_s) = (observe(app, one, args.binary, args) for _ in range(2))
        if one.kind == "train":
            times[one.name] = cpu_s
        compare(
            f"'{one.label}' of {app.name} gives another output each time",
            first,
            second,
            "make the program deterministic; where it prints times, addresses or seeds, a filter"
            " can take them out, such as: app.normalize = sed -E 's/[0-9.]+ ms//'",
        )
        for number, data in enumerate(first.values()):
            (kept / f"{one.label}.{number}").write_bytes(data)
    files.empty_directory(args.outputs).rmdir()
    kept.rename(args.outputs)
    files.write_text(args.outputs.with_name("train-times.json"), json.dumps(times) + "\n")


def check(app: Manifest, binary: Path, args: argparse.Namespace) -> None:
    """Failure when the binary does not do what the baseline did."""
    for one in app.workloads:
        seen, _ = observe(app, one, binary, args)
        expected = {
            name: (args.outputs / f"{one.label}.{number}").read_bytes()
            for number, name in enumerate(seen)
        }
        compare(
            f"{args.variant} of {app.name} does not do what the baseline does on '{one.label}'",
            expected,
            seen,
            f"it will not be timed; a miscompilation or undefined behaviour: run {binary} yourself",
        )


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--outputs", type=Path, required=True, help="what the baseline printed")
    parser.add_argument("--timeout", required=True)
    parser.add_argument("--record", action="store_true", help="the binary is the baseline")
    args = parser.parse_args(argv)
    args.timeout = units.seconds("TIMEOUT", args.timeout)
    args.variant = args.binary.parent.name
    app = manifest.load(args.manifest)
    if args.record:
        record(app, args)
    for binary in layouts.of(args.binary):
        check(app, binary, args)
    return 0


if __name__ == "__main__":
    errors.run(main)
