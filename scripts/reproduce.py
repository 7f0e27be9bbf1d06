"""Build what a run measured once more, and measure it again: the same binaries and verdicts?

Prints where binaries differ, a table for each app, and one sentence. Status 1 unless all binaries
are identical and all verdicts agree.
"""

import json
import os
import shutil
import subprocess
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import analyse
from rich.console import Console

from pgolab import agreement, contents, errors, facts, files, judge, layouts, machine, record
from pgolab import stats, terminal, tool, workspace
from pgolab.agreement import Judged
from pgolab.errors import Failure
from pgolab.record import Content, Sample

PLACES = Path("build/reproduce")
# The settings that may be other ones than those of the run; the rest is what the run says.
OWN = (
    "BUDGET", "PRECISION", "LAYOUTS", "TIMEOUT", "JOBS", "MIN_PROFILE_MATCH", "PROFILE",
    "SAMPLE_PROFILE", "TECHNIQUES", "CLANG", "PYTHON", "V",
)  # fmt: skip
PATHS = ("PROFILE", "SAMPLE_PROFILE", "TECHNIQUES")
PROGRAMS = ("CLANG", "PYTHON")  # a path, or a name that is looked for
FEW = 6  # names that are listed before "and … more"


def given(pairs: Sequence[str]) -> dict[str, str]:
    """Settings NAME=VALUE; paths are made absolute, as they are used elsewhere."""
    found = dict(pair.split("=", 1) for pair in pairs)
    for name, value in found.items():
        if name not in OWN:
            raise Failure(
                f"'make reproduce' takes no {name}",
                f"the run says what is measured; what can be set is: {' '.join(OWN)}",
            )
        if name in PATHS or (name in PROGRAMS and "/" in value):
            found[name] = " ".join(os.path.abspath(word) for word in value.split())
    return found


def check_profiles(run: dict[str, Any], settings: dict[str, str]) -> None:
    """Failure unless the profiles that were given for the run are given again, and no others."""
    needed = {}
    for app, of_app in run["apps"].items():
        for name, profile in of_app["profiles"].items():
            taken = profile.get("taken_from")
            if taken not in (None, f"profiles/{app}/{name}.proftext"):
                setting = "SAMPLE_PROFILE" if "sample" in name.split("-") else "PROFILE"
                needed[setting] = taken
    for setting in ("PROFILE", "SAMPLE_PROFILE"):
        if setting in needed and setting not in settings:
            raise Failure(
                f"the run was made with {setting}='{needed[setting]}'",
                f"give that profile again: make reproduce RUN=results/{run['run']} {setting}=…",
            )
        if setting in settings and setting not in needed:
            hint = "the run was made without it: it took its profiles by training"
            raise Failure(f"{setting} is '{settings[setting]}'", hint)


def sources_of(run: dict[str, Any], where: Path) -> tuple[Path, str]:
    """The copy of this repository that has the run's sources, made in where; its name in words."""
    commit = run["git_commit"]
    if not commit:
        return Path(), "the working tree, as the run does not say its commit"
    if commit.endswith("-dirty"):
        return Path(), "the working tree, as that of the run had changes in no commit"
    try:
        repository = workspace.repository_of(Path())
        workspace.commit_of(repository, commit)
        known = repository.samefile(".")
    except Failure:
        known = False
    if not known:
        return Path(), f"the working tree, as the run's commit {commit[:12]} is not known here"
    exported = workspace.export(repository, commit, where / f"source-{commit[:12]}")
    return exported, f"commit {commit[:12]}, that of the run"


def app_paths(run: dict[str, Any], source: Path, place: Path) -> tuple[list[str], list[str]]:
    """The paths of the run's apps as seen from the place, and notes on those not in source."""
    paths, notes = [], []
    for name, app in run["apps"].items():
        directory = Path(app["directory"])
        bases = [base for base in (source, Path()) if (base / directory / "app.mk").is_file()]
        if not bases:
            hint = "the app lay there when it was measured: put it back"
            raise Failure(f"there is no '{directory / 'app.mk'}'", hint)
        if directory.parts[0] == "sample-apps" and bases[0] == source:
            paths.append(str(directory))
            continue
        path = bases[0] / directory
        paths.append(os.path.relpath(path.parent.resolve() / path.name, place.resolve()))
        if source != Path() and (bases[0] != source or directory.is_absolute()):
            notes.append(f"{name} is not in the commit: '{directory}' is taken as it is now")
    return paths, notes


def changes_since(run: dict[str, Any], clang: Path) -> list[str]:
    """What was another one then, and may be why something differs."""
    version = tool.output([clang, "--version"]).split("\n")[0]
    here = machine.facts()
    pairs = {
        "the compiler": (run["toolchain"].get("clang_version"), version),
        "pgolab": (run["git_commit"], facts.git_commit()),
        "the processor": (run["machine"].get("processor"), here["processor"]),
    }
    return [
        f"{name} was '{then}' and is '{now}'"
        for name, (then, now) in pairs.items()
        if then and then != now
    ]


def prepare(place: Path, source: Path) -> None:
    """Makes the place; what was built there of other sources goes, as Make would see no change."""
    linked, wanted = place / "sample-apps", (source / "sample-apps").resolve()
    if linked.is_symlink() and linked.readlink() != wanted:
        shutil.rmtree(place / "build", ignore_errors=True)
    workspace.prepare(place, source)


def decimal(value: float) -> str:
    """A number as settings have it, without an exponent."""
    return f"{value:.9f}".rstrip("0").rstrip(".")


def settings_of(run: dict[str, Any], paths: list[str]) -> dict[str, str]:
    """The settings with which the run was made."""
    was = run["settings"]
    variants = [v for app in run["apps"].values() for v in app["variants"]]
    return {
        "APPS": " ".join(paths),
        "VARIANTS": " ".join(dict.fromkeys(variants)),
        "BASELINE": was["baseline"],
        "METRIC": was["metric"],
        "RACE": "yes" if was.get("race") else "no",
        "ASLR": "yes" if was["aslr"] else "no",
        "PRECISION": decimal(was["precision"]),
        "MIN_EFFECT": decimal(was["min_effect"]),
        "BUDGET": f"{decimal(was['budget_s'])}s",
        "LAYOUTS": str(was["layouts"]),
    }


def again(goal: str, place: Path, settings: dict[str, str], stdout: int | None = None) -> None:
    """Runs make in the place; Failure when it fails."""
    if workspace.make(place, goal, settings, stdout=stdout) != 0:
        raise Failure(
            f"'make {goal}' failed in '{place}'",
            "what it says is above; techniques of your own need TECHNIQUES= again",
        )


def few(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def resized(name: str, then: int | None, now: int | None) -> str:
    if then is None or now is None:
        return f"{name} (only {'now' if then is None else 'then'})"
    return f"{name} {then} → {now} bytes"


def located(what: str, then: list[Content], now: list[Content]) -> list[str]:
    """Which of the sections, or functions, differ: in size, or where none does, in their bytes."""
    found = contents.difference(then, now)
    if found.resized:
        text = f"{what}: " + few([resized(*one) for one in found.resized])
    else:
        text = f"{what} with other bytes: " + few(found.rewritten) if found.rewritten else ""
    return textwrap.wrap(
        text, terminal.WIDTH, initial_indent="  ", subsequent_indent="    ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def where_it_differs(then: list[Content], now: list[Content]) -> list[str]:
    """Lines that say where two builds of a binary differ."""
    if not then:
        return ["  where is not known: the run has no contents.csv, as an older pgolab made it"]
    parts = [([c for c in rows if not c.function], [c for c in rows if c.function])
             for rows in (then, now)]  # fmt: skip
    (then_sections, then_functions), (now_sections, now_functions) = parts
    lines = located("sections", then_sections, now_sections)
    if not lines:
        return ["  in no section: in the headers, or between sections"]
    return lines + (
        located("functions", then_functions, now_functions) or ["  functions: all the same"]
    )


def compare_binaries(
    run: dict[str, Any], noted: list[Content], place: Path, llvm_bin: Path, to: Console
) -> dict[tuple[str, str], bool]:
    """Whether the binary of each app and variant is identical; prints where one is not."""
    identical = {}
    for app, of_app in run["apps"].items():
        for variant, was in of_app["variants"].items():
            binary = place / "build" / app / variant / app
            same = files.sha256(binary) == was["sha256"]
            pairs = list(zip(was["layouts"], map(files.sha256, layouts.of(binary))))
            relinked = sum(then != now for then, now in pairs[1:])
            identical[app, variant] = same and not relinked
            if not same:
                to.print(f"{app} {variant} differs")
                then = [c for c in noted if (c.app, c.variant) == (app, variant)]
                now = contents.of_binary(app, variant, binary, llvm_bin)
                to.print(*where_it_differs(then, now), sep="\n", soft_wrap=True)
            elif relinked:
                to.print(f"{app} {variant} differs in {relinked} of {len(pairs) - 1} relinks alone")
            for name in was["profiles"] if not identical[app, variant] else []:
                path = place / "profiles" / app / f"{name}.json"
                now_is = json.loads(path.read_text(encoding="utf-8"))["sha256"]
                if now_is != of_app["profiles"][name]["sha256"]:
                    to.print(f"  its profile '{name}' is another one than then")
    return identical


def judged(directory: Path) -> dict[str, Judged]:
    """The apps of a run, judged from its samples."""
    run = record.read_run(directory)
    samples = record.read_rows(directory / "samples.csv", Sample)
    record.check_samples(directory / "samples.csv", samples, run)
    found = {}
    for name, app in run["apps"].items():
        summary, _ = analyse.analyse_app(samples, [], run, name)
        estimates = {}
        baseline = run["settings"]["baseline"]
        if not summary.get("noisy", True):
            views = judge.views_of(samples, name, app, baseline)
            estimates = {
                v: views[v].estimate(v, baseline) for v in app["variants"] if v != baseline
            }
        found[name] = Judged(summary, estimates)
    return found


def compare_verdicts(
    run: dict[str, Any],
    then: dict[str, Judged],
    now: dict[str, Judged],
    identical: dict[tuple[str, str], bool],
    to: Console,
) -> list[str]:
    """Prints a table for each app; the answers of agreement.py for all verdicts of the run."""
    was = run["settings"]
    delta = judge.least_effect(was)
    alpha = stats.ALPHA / max(1, len(identical) - len(run["apps"]))
    answers = []
    for name, app in run["apps"].items():
        both = then[name], now[name]
        rows, notes = [], []
        for variant in app["variants"]:
            cells = ["baseline", "baseline", ""]
            if variant != was["baseline"]:
                answer = agreement.of_variant(*both, variant, alpha, delta)
                cells = [*(judged.words(variant) for judged in both), answer]
                answers.append(answer)
                apart = agreement.sizes_differ(*both, variant, alpha, delta)
                if apart and answer == agreement.YES:
                    notes.append(f"note: the two speedups of {variant} differ by more than noise")
            rows.append(["identical" if identical[name, variant] else "differs", *cells])
        headers = ["bytes", "then", "now", "agree"]
        columns: list[terminal.Column] = [[*column] for column in zip(headers, *rows)]
        to.print(f"\n{name}\n")
        for table in terminal.tables(["variant", *app["variants"]], columns, frozenset(headers)):
            to.print(table, "")
        for note in notes:
            to.print(note)
    return answers


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--run", required=True, help="results/RUN-ID")
    parser.add_argument("--clang", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], help="NAME=VALUE, of the user's")
    args = parser.parse_args(argv)
    if not args.run:
        raise Failure("'make reproduce' needs a run", "make reproduce RUN=results/<run-id>")
    directory = Path(args.run).resolve()
    run = record.read_run(directory)
    if "compare" in run:
        what = f"'{args.run}' compares two builds of one variant"
        raise Failure(what, "compare them once more: its report.html has the command")
    then = judged(directory)
    own = given(args.set)
    check_profiles(run, own)
    noted = directory / "contents.csv"
    contents_then = record.read_rows(noted, Content) if noted.is_file() else []
    place = PLACES / directory.name
    source, said = sources_of(run, place)
    paths, notes = app_paths(run, source, place)
    to = terminal.console()
    to.print(f"sources: {said}")
    for note in [*notes, *changes_since(run, args.clang)]:
        to.print(f"note: {note}")
    prepare(place, source)
    settings = settings_of(run, paths) | own
    again("verify", place, settings)
    identical = compare_binaries(run, contents_then, place, args.clang.parent, to)
    again("measure", place, settings, subprocess.DEVNULL)
    measured = (place / "results/latest").resolve()
    answers = compare_verdicts(run, then, judged(measured), identical, to)
    to.print(f"measured: {os.path.relpath(measured)}", soft_wrap=True)
    count, same = len(identical), sum(identical.values())
    found = f"All {count} binaries are identical"
    if same < count:
        found = f"{count - same} of {count} binaries differ"
    what = "count" if run["settings"]["metric"] == "instructions" else "verdict"
    to.print(f"{found}, and {agreement.in_words(answers, what)}.")
    good = {agreement.YES, agreement.NOTHING}
    return 0 if same == count and good.issuperset(answers) else 1


if __name__ == "__main__":
    errors.run(main)
