"""Time the verified variants of apps against each other and keep every raw time.

Each block times all variants of an app once, in a random order balanced over positions, with
the next layout of each; blocks go on until the intervals are narrow enough or the budget ends.
A run of the same work that was interrupted goes on where it was. Prints the run's directory.
"""

import argparse
import json
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pgolab import contents, errors, facts, files, instructions, judge, lock, record, runner
from pgolab import settings, text_pages, unfinished, units
from pgolab.bench import LONG_FACTOR, Bench
from pgolab.manifest import Workload
from pgolab.progress import Progress
from pgolab.record import COPY, Content, Journal, Sample
from pgolab.settings import Settings
from pgolab.subject import Subject

LONG_SHARE = 0.1  # of the budget, for the check at a longer scale
LONG_LEAST, LONG_MOST = 3, 12  # pairs of runs in it
WORDS = (
    "amber birch cedar coral delta ember fjord grove heron iris jade kestrel larch maple nectar "
    "olive pearl quartz raven slate thyme umber violet willow xenon yarrow zephyr"
).split()


def check_long_runs(
    bench: Bench, samples: list[Sample], first: int, lock_path: str
) -> dict[str, Any] | None:
    """Times the variant that differs most at a longer scale, to see whether its ratio holds.

    first: the block from which on they count. Uses the share of the budget that time_blocks left,
    and no less than LONG_LEAST pairs. None where there is nothing to check.
    """
    blocks = judge.blocks_of(samples, bench.app.name, first)
    if blocks.count < 2 or not any(w.scalable for w in bench.workloads):
        return None
    family = blocks.family(bench.settings.baseline)
    if not family:
        return None
    variant = max(family, key=lambda v: abs(family[v].mean))
    begun = time.monotonic()
    ratios: list[float] = []
    share = LONG_SHARE * bench.settings.budget_s
    while len(ratios) < LONG_LEAST or (
        len(ratios) < LONG_MOST and time.monotonic() - begun < share * (1 - 1 / len(ratios))
    ):
        with lock.alone(lock_path):
            ratios.append(round(bench.long_ratio(variant, len(ratios)), 6))
    return {"variant": variant, "factor": LONG_FACTOR, "ln_ratios": ratios}


def time_app(
    bench: Bench,
    facts_of_app: dict[str, Any],
    seed: Sequence[int],
    lock_path: str,
    progress: Progress,
    journal: Journal,
    delta: float | None,
) -> dict[str, Any]:
    """Times blocks and checks longer runs, within what choosing scales left of the budget.

    delta: the slowdown (ln) of one side of a comparison that is to be confirmed; None elsewhere.
    """
    scaling_s = facts_of_app["scaling_s"]
    budget_s = (1 - LONG_SHARE) * bench.settings.budget_s
    how = (bench, seed, budget_s, lock_path, progress, journal, scaling_s)
    key = "race" if delta is None else "gate"
    samples, more = (
        runner.time_blocks(*how) if delta is None else runner.time_stages(*how, delta)
    )
    progress.say(bench.app.name, "checking longer runs")
    first, begun = more.get("confirmed_from", 1) if more else 1, time.monotonic()
    long_runs = check_long_runs(bench, samples, first, lock_path)
    blocks_s = sum({s.block: s.block_s for s in samples}.values())
    spent_s = scaling_s + blocks_s + time.monotonic() - begun
    found = {"long_runs": long_runs, "measuring_s": round(spent_s, 3)}
    return found | ({key: more} if more else {})


def scaled(bench: Bench, lock_path: str) -> dict[str, Any]:
    """Chooses scales; the advice and the seconds that it took."""
    with lock.alone(lock_path):
        begun = time.monotonic()
        advice = bench.choose_scales()
    return {"advice": advice, "scaling_s": round(time.monotonic() - begun, 3)}


def count_app(bench: Bench, timeout: float) -> dict[str, Any]:
    """Counts the instructions of layout 0 of each variant on each workload, at scale 1."""
    return {
        "instructions": {
            variant: {
                one.name: bench.instructions(one, variant, timeout) for one in bench.workloads
            }
            for variant in dict.fromkeys(bench.arms)
            if variant != COPY
        },
        "instructions_by": instructions.version(),
    }


def with_advice(app: dict[str, Any]) -> dict[str, Any]:
    """An app's facts, their advice with that on its train workloads."""
    found = [(p["resemblance"] or {}).get("advice", []) for p in app["profiles"].values()]
    said = dict.fromkeys([*app.get("advice", []), *(line for lines in found for line in lines)])
    return app | {"advice": list(said)}


def count_pages(bench: Bench, llvm_bin: Path) -> dict[str, Any]:
    """Pages of code that each variant touches on each workload at scale 1, where that is asked.

    It is when one of them orders its functions for start-up.
    """
    if not any("startup" in variant.split("-") for variant in bench.variants):
        return {}
    return {
        "text_pages": {
            variant: {one.name: pages_of(bench, one, variant, llvm_bin) for one in bench.workloads}
            for variant in bench.variants
        }
    }


def pages_of(bench: Bench, one: Workload, variant: str, llvm_bin: Path) -> int | None:
    """None for a workload whose command does not begin with the program, or not with it alone."""
    name = bench.names[variant, 0]
    command = one.command(name, 1)
    if command[0] != name or one.setup or one.launcher(bench.work):
        return None
    return text_pages.touched(bench.work / name, command[1:], bench.work, llvm_bin, one.label)


def start(
    args: argparse.Namespace, chosen: Settings, work: str, sides: dict[str, Any] | None
) -> tuple[Path, dict[str, Any]]:
    """The hidden directory of this work and its run.json: an unfinished one, or a new one."""
    results = Path("results")
    results.mkdir(exist_ok=True)
    left = unfinished.claim(results, work)
    if left:
        run = record.read_run(left)
        run["resumed"].append(f"{datetime.now():%Y-%m-%d %H:%M:%S}")
        return left, run
    name = f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.choice(WORDS)}"
    run = facts.of_run(name, work, secrets.randbits(32), chosen, args.clang)
    run |= {"compare": sides} if sides else {}
    return files.work_directory(results, name), run


def note_contents(subjects: Sequence[Subject], path: Path, llvm_bin: Path) -> None:
    """Writes what the binaries consist of, layout 0 of each variant."""
    each = (
        contents.of_binary(one.name, variant, binary, llvm_bin)
        for one in subjects
        for variant, binary in one.binaries.items()
    )
    record.write_rows(path, Content, (row for rows in each for row in rows))


def measure(
    args: argparse.Namespace,
    chosen: Settings,
    subjects: Sequence[Subject],
    where: Path,
    run: dict[str, Any],
) -> None:
    """Measures what is not yet there of each app, and writes run.json anew after each step."""

    def save() -> None:
        files.write_text(where / "run.json", json.dumps(run, indent=1) + "\n")

    journal = Journal(where)
    if run["resumed"]:
        there = ", ".join(f"{journal.blocks(app)} blocks of {app}" for app in run["apps"])
        text = f"  going on with {where}: {there or 'no blocks'} are there"
        print(text, file=sys.stderr, flush=True)
    save()
    if not (where / "contents.csv").exists():
        note_contents(subjects, where / "contents.csv", args.clang.parent)
    with Progress([one.name for one in subjects], chosen.precision) as progress:
        for number, one in enumerate(subjects):
            name = one.name
            app = run["apps"].get(name, {})
            if "measuring_s" in app or "instructions" in app:
                progress.say(name, "done")
                continue
            progress.say(name, "choosing scales")
            at = where / unfinished.BENCH
            bench = Bench(one.manifest, one.inputs, one.layouts(), chosen, at, one.sides)
            if chosen.metric == "instructions":
                found = count_app(bench, units.seconds("TIMEOUT", args.timeout))
                app = facts.of_app(bench, one, args.clang, args.baseline)
            else:
                if app:
                    bench.scales_from(app)
                else:
                    chose = scaled(bench, args.lock)
                    app = facts.of_app(bench, one, args.clang, args.baseline)
                    app = with_advice(app | chose)
                    run["apps"][name] = app
                    save()
                seed = [run["seed"], number]
                delta = judge.least_effect(run["settings"]) if one.sides else None
                found = time_app(bench, app, seed, args.lock, progress, journal, delta)
                found |= count_pages(bench, args.clang.parent)
            run["apps"][name] = app | found | {"notes": args.note}
            save()
            shutil.rmtree(where / unfinished.BENCH)
            progress.say(name, "done")
    journal.close()


def run_of(
    args: argparse.Namespace,
    chosen: Settings,
    subjects: Sequence[Subject],
    sides: dict[str, Any] | None = None,
) -> Path:
    """Measures these subjects, or goes on where that was interrupted; the run's directory.

    sides: what run.json says of those that are compared.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    work = unfinished.identity(chosen, subjects, sides)
    final = unfinished.unreported(Path("results"), work) if args.unreported else None
    if final:
        print(f"  going on with {final}: all blocks are there", file=sys.stderr)
    else:
        where, run = start(args, chosen, work, sides)
        measure(args, chosen, subjects, where, run)
        final = where.with_name(run["run"])
        where.rename(final)
    files.link(Path("results/latest"), final.name)
    return final


def add_to(parser: argparse.ArgumentParser) -> None:
    """Declares what run_of reads."""
    settings.add_to(parser)
    parser.add_argument("--clang", type=Path)
    parser.add_argument("--note", action="append", default=[], help="what a reader should know")
    parser.add_argument("--lock", help="the file or directory that builds lock together")
    parser.add_argument("--unreported", action="store_true", help="a run without report will do")


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    add_to(parser)
    parser.add_argument("--check", action="store_true", help="only say whether these make sense")
    parser.add_argument("--apps", nargs="+", default=[])
    parser.add_argument("--variants", nargs="+", default=[])
    args = parser.parse_args(argv)
    chosen = settings.parse(args)
    if args.check:
        return 0
    print(run_of(args, chosen, [Subject.here(name, args.variants) for name in args.apps]))
    return 0


if __name__ == "__main__":
    errors.run(main)
