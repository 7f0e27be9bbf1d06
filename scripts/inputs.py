"""Make the inputs of an app's workloads and check that train and eval do not share any.

Runs the manifest's generate command into a fresh directory, then replaces the files that changed.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from pgolab import errors, files, manifest, units, workload
from pgolab.errors import Failure
from pgolab.manifest import Manifest, Workload


def generate(app: Manifest, inputs: Path, timeout: float) -> None:
    """Runs the generate command; inputs then holds what it made and nothing else."""
    fresh = files.empty_directory(inputs.with_name("inputs.new"))
    where = workload.scratch(inputs.with_name("generate"), app, fresh)
    outcome = workload.run(list(app.generate), where, timeout, f"app.generate of {app.name}")
    if outcome.status != 0:
        raise Failure(
            f"app.generate of '{app.name}' {workload.describe(outcome.status)}",
            f"it is the command: {' '.join(app.generate)}",
            workload.tail(outcome.stdout, outcome.stderr),
        )
    made = sorted(p.relative_to(fresh) for p in fresh.rglob("*") if p.is_file())
    if not made:
        raise Failure(f"app.generate of '{app.name}' made no file", "it writes to $(app.inputs)")
    inputs.mkdir(exist_ok=True)
    for old in sorted(inputs.rglob("*")):
        if old.is_file() and old.relative_to(inputs) not in made:
            old.unlink()
    for name in made:
        mode = (fresh / name).stat().st_mode
        files.replace_if_changed(fresh / name, inputs / name)
        os.chmod(inputs / name, mode)


def data_files(one: Workload, where: Path) -> set[Path]:
    """The files that a workload reads as data: neither its program nor a script."""
    found: set[Path] = set()
    words = (*one.words[1:], one.stdin, *one.environment, *one.setup[1:])
    for word in (part for word in words for part in word.split("=")):
        path = where / word
        if word.startswith(("app/", "inputs/")) and path.exists():
            members = path.rglob("*") if path.is_dir() else [path]
            found |= {p for p in members if p.is_file() and not os.access(p, os.X_OK)}
    return found


def check_overlap(app: Manifest, where: Path) -> None:
    """Failure when an eval workload is a train workload or reads the same data as one."""
    trained: dict[str, tuple[Workload, Path]] = {}
    for one in app.of_kind("train"):
        for path in data_files(one, where):
            trained[files.sha256(path)] = one, path
    hint = "evaluate on other data than trained on, or say app.overlap := yes"
    for one in app.of_kind("eval"):
        for other in app.of_kind("train"):
            if (one.words, one.stdin) == (other.words, other.stdin):
                raise Failure(f"'{one.label}' and '{other.label}' are the same command", hint)
        for path in sorted(data_files(one, where)):
            if files.sha256(path) in trained:
                other, same = trained[files.sha256(path)]
                raise Failure(
                    f"'{one.label}' reads what '{other.label}' trains on: "
                    f"'{path.relative_to(where)}'"
                    + ("" if same == path else f" has the bytes of '{same.relative_to(where)}'"),
                    hint,
                )


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--sums", type=Path, required=True, help="lists each input's SHA-256")
    parser.add_argument("--timeout", required=True)
    args = parser.parse_args(argv)
    app = manifest.load(args.manifest)
    args.inputs.mkdir(parents=True, exist_ok=True)
    if app.generate:
        generate(app, args.inputs, units.seconds("TIMEOUT", args.timeout))
    if not app.overlap:
        check_overlap(app, workload.scratch(args.inputs.with_name("generate"), app, args.inputs))
    made = sorted(p for p in args.inputs.rglob("*") if p.is_file())
    lines = [f"{files.sha256(p)}  {p.relative_to(args.inputs)}\n" for p in made]
    fresh = args.sums.with_name(f"{args.sums.name}.new")
    files.write_text(fresh, "".join(lines))
    files.replace_if_changed(fresh, args.sums)
    return 0


if __name__ == "__main__":
    errors.run(main)
