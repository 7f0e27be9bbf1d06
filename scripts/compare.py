"""Is one build of an app slower than another, of another revision or by another compiler?

Builds and verifies both sides, times them in the same blocks, and measures again in fresh blocks
where the new one is slower. Or compares what two runs found. Ends with 0 when no regression was
confirmed, with 1 when one was, with 2 when that could not be found out.
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import analyse
import measure
import report
import verify

from pgolab import errors, files, settings, sides, terminal, two_runs, units, words
from pgolab.errors import Failure
from pgolab.manifest import Workload
from pgolab.settings import Settings
from pgolab.sides import App, Side
from pgolab.subject import Subject

PASSED, REGRESSION = 0, 1
FILES = ("PROFILE", "SAMPLE_PROFILE")  # settings that a side has to find from where it is


def is_run(given: str) -> bool:
    """Whether BASE or NEW names a run; else it is a revision."""
    return given.startswith("results/") or (Path(given) / "run.json").is_file()


def both(args: argparse.Namespace) -> tuple[Side, Side]:
    """The two sides, without anything built."""
    app = App(args.app, Path(args.tree) if args.tree else None)
    if args.other_clang:
        if args.new:
            raise Failure(
                f"NEW is '{args.new}', and there is no BASE",
                "with CLANG= alone both sides are the working tree; give BASE= for revisions",
            )
        return sides.working_tree("base", app), sides.of_compiler("new", app, str(args.clang))
    base = sides.of_revision("base", app, args.base)
    new = sides.of_revision("new", app, args.new) if args.new else sides.working_tree("new", app)
    return replace(base, clang=str(args.clang)), replace(new, clang=str(args.clang))


def inputs_of(one: Workload) -> list[str]:
    """The files of the app and its generated inputs that a workload names."""
    named = [*one.words, *one.environment, *one.setup, one.stdin]
    parts = [part for word in named for part in word.split("=")]
    return [part for part in dict.fromkeys(parts) if part.startswith(("app/", "inputs/"))]


def file_of(side: Side, named: str) -> Path:
    """What `app/…` or `inputs/…` in a command stands for."""
    kind, _, inner = named.partition("/")
    return (side.build / "inputs" if kind == "inputs" else side.manifest.directory) / inner


def same_file(base: Side, new: Side, named: str) -> bool:
    """Whether both have the same file, or none; of directories nothing is known."""
    first, second = file_of(base, named), file_of(new, named)
    if not (first.is_file() and second.is_file()):
        return first.exists() == second.exists()
    return files.sha256(first) == files.sha256(second)


def differences(base: Side, new: Side, variant: str, args: argparse.Namespace) -> list[str]:
    """What a reader should know of the eval workloads, which are those of new for both sides.

    Failure when base fails on one of them. What it prints may differ: it is a note.
    """
    own = {one.name: one for one in base.manifest.of_kind("eval")}
    said = []
    how = argparse.Namespace(
        binary=base.binary(variant), inputs=new.build / "inputs", variant="base",
        timeout=units.seconds("TIMEOUT", args.timeout),
    )  # fmt: skip
    for one in new.manifest.of_kind("eval"):
        if one.name not in own:
            said.append(f"base has no workload '{one.label}': it is timed on that of new")
        elif replace(own[one.name], work=one.work) != one:
            said.append(f"'{one.label}' is another command in base: it is timed on that of new")
        changed = [named for named in inputs_of(one) if not same_file(base, new, named)]
        said += [f"'{named}' of {one.label} is that of new; base has another" for named in changed]
        try:
            seen, _ = verify.observe(new.manifest, one, how.binary, how)
        except Failure as failure:
            raise Failure(
                failure.message,
                "both sides run the eval workloads of new: base has to be able to",
                failure.detail,
            ) from None
        printed = new.build / args.baseline / "outputs"
        for number, (name, data) in enumerate(seen.items()):
            if data != (printed / f"{one.label}.{number}").read_bytes():
                said.append(f"base does not do on '{one.label}' what new does: {name} differs")
    gone = sorted(own.keys() - {one.name for one in new.manifest.of_kind("eval")})
    return said + [f"new has no workload 'eval.{name}': it is not timed" for name in gone]


def compare_sides(args: argparse.Namespace, chosen: Settings) -> int:
    """Builds, times and judges both sides; the status."""
    base, new = both(args)
    given = dict(setting.split("=", 1) for setting in args.setting)
    given |= {name: os.path.abspath(given[name]) for name in FILES if name in given}
    if chosen.layouts > 1:  # a second stage takes as many layouts again, and as long
        given |= {"LAYOUTS": str(2 * chosen.layouts), "BUDGET": f"{2 * chosen.budget_s:f}s"}
    for side in (base, new):
        side.verify(args.variant, given)
    args.note += differences(base, new, args.variant, args)
    facts = {
        "app": args.app,
        "variant": args.variant,
        "baseline": args.baseline,
        "base": base.facts(args.variant),
        "new": new.facts(args.variant),
    }
    binaries = {side.name: side.binary(args.variant) for side in (base, new)}
    subject = Subject(new.build, binaries, sides=True)
    run = measure.run_of(args, replace(chosen, baseline="base"), [subject], facts)
    analyse.main([str(run)])
    report.main([str(run)])
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    print(words.gate(summary))
    return REGRESSION if summary["gate"]["status"] == "regression" else PASSED


def compare_runs(args: argparse.Namespace, chosen: Settings) -> int:
    """Compares what two runs found; the status."""
    for name, given in (("BASE", args.base), ("NEW", args.new)):
        if not is_run(given):
            what = f"{name} is the revision '{given}'" if given else f"{name} is missing"
            other = args.base if name == "NEW" else args.new
            raise Failure(f"{what}, and '{other}' is a run", "give two runs, or two revisions")
    base, new = (two_runs.load(Path(given)) for given in (args.base, args.new))
    status = two_runs.compare(base, new, chosen.min_effect, terminal.console())
    return REGRESSION if status == "regression" else PASSED


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    measure.add_to(parser)
    parser.add_argument("--base", required=True, help="a revision or a run")
    parser.add_argument("--new", required=True, help="a revision or a run; '': the working tree")
    parser.add_argument("--app", required=True, help="APP, as it was given")
    parser.add_argument("--tree", required=True, help="its app.tree, if it has one")
    parser.add_argument("--variant", required=True)
    parser.add_argument("--other-clang", action="store_true", help="--clang is for new alone")
    parser.add_argument("--with", dest="setting", action="append", default=[], help="NAME=VALUE")
    args = parser.parse_args(argv)
    chosen = settings.parse(args)
    if is_run(args.base) or is_run(args.new):
        return compare_runs(args, chosen)
    return compare_sides(args, chosen)


if __name__ == "__main__":
    errors.run(main)
