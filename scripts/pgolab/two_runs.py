"""What two runs found about the same variants: two independent estimates of each speedup."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from pgolab import judge, race, record, stats, terminal, words
from pgolab.errors import Failure
from pgolab.record import Sample
from pgolab.stats import Estimate

ALIKE = ("precision", "min_effect", "layouts", "aslr")  # settings that make runs comparable


@dataclass(frozen=True)
class Run:
    """A run: where it is, its run.json, its samples."""

    path: Path
    facts: dict[str, Any]
    samples: list[Sample]

    @property
    def baseline(self) -> str:
        return str(self.facts["settings"]["baseline"])

    def estimates(self, app: str) -> dict[str, tuple[Estimate, tuple[int, int | None]]] | None:
        """Each variant against the baseline, with the blocks of it; None where it was too noisy.

        What a race dropped is left out: its figure is from the blocks that dropped it.
        """
        known = self.facts["apps"][app]
        blocks = judge.blocks_of(self.samples, app)
        if blocks.noisy or blocks.count < 2 or race.undecided(known):
            return None
        views = judge.views_of(self.samples, app, known, self.baseline)
        gone = race.dropped(known).keys() - set(race.finalists(known))
        return {
            v: (views[v].estimate(v, self.baseline), race.span(known, v))
            for v in known["variants"]
            if v != self.baseline and v not in gone
        }


@dataclass(frozen=True)
class Pair:
    """A variant of an app in both runs; change: new over base, in ln units of time."""

    app: str
    variant: str
    base: Estimate
    new: Estimate
    change: Estimate


def load(path: Path) -> Run:
    """A run with times of its own; Failure for others."""
    facts = record.read_run(path)
    if "compare" in facts:
        what = f"'{path}' compares two builds itself"
        raise Failure(what, "its gate is in summary.json; give runs of `make report` or the like")
    if facts["settings"]["metric"] != "time":
        what = f"'{path}' counted instructions"
        raise Failure(what, "two runs are compared by time; revisions can be by instructions")
    samples = record.read_rows(path / "samples.csv", Sample)
    record.check_samples(path / "samples.csv", samples, facts)
    return Run(path, facts, samples)


def pairs(base: Run, new: Run) -> tuple[list[list[Pair]], list[str]]:
    """What both runs have, in groups that share their blocks; apps that were too noisy.

    Failure when there is nothing.
    """
    groups: dict[Any, list[Pair]] = {}
    noisy, shared = [], False
    for app in base.facts["apps"]:
        if app not in new.facts["apps"]:
            continue
        first, second = base.estimates(app), new.estimates(app)
        both = [v for v in base.facts["apps"][app]["variants"] if v in new.facts["apps"][app][
            "variants"] and v not in (base.baseline, new.baseline)]  # fmt: skip
        shared = shared or bool(both)
        if first is None or second is None:
            noisy.append(app)
            continue
        for variant in both:
            if variant in first and variant in second:
                (old, old_span), (own, own_span) = first[variant], second[variant]
                pair = Pair(app, variant, old, own, stats.difference(own, old))
                groups.setdefault((app, old_span, own_span), []).append(pair)
    if not shared:
        raise Failure(
            f"'{base.path}' and '{new.path}' have no variant of an app in common",
            "beside their baselines they have to share one: `make history` shows what runs have",
        )
    return list(groups.values()), noisy


def differences(base: Run, new: Run) -> list[str]:
    """What makes the two runs less comparable."""
    said = []
    machines = (base.facts["machine"], new.facts["machine"])
    for key in machines[0].keys() | machines[1].keys():
        first, second = (m.get(key) for m in machines)
        if first != second:
            said.append(f"the machines differ in {key}: {first} and {second}")
    for key in ALIKE:
        first, second = (r.facts["settings"][key] for r in (base, new))
        if first != second:
            said.append(f"the runs differ in {key}: {first} and {second}")
    if base.baseline != new.baseline:
        said.append(f"the baselines differ: {base.baseline} and {new.baseline}")
    for app in base.facts["apps"]:
        if app in new.facts["apps"]:
            said += differences_of(app, base, new)
    return sorted(said)


def differences_of(app: str, base: Run, new: Run) -> list[str]:
    """Of one app: its workloads and its baseline."""
    first, second = (r.facts["apps"][app] for r in (base, new))
    said = []
    commands = [{w: f["command"] for w, f in a["workloads"].items()} for a in (first, second)]
    if commands[0] != commands[1]:
        said.append(f"the eval workloads of {app} differ")
    binaries = (a["variants"][r.baseline]["sha256"] for a, r in ((first, base), (second, new)))
    if base.baseline == new.baseline and len(set(binaries)) > 1:
        said.append(
            f"the baseline of {app} is another program: what made it faster or slower too is not"
            " seen in speedups"
        )
    return said


def compare(base: Run, new: Run, min_effect: float, to: Console) -> str:
    """Prints the table; the status of the gate: passed, regression or undecided."""
    groups, noisy = pairs(base, new)
    floors = [r.facts["settings"]["aa_floor"] or 0.0 for r in (base, new)]
    delta = math.log1p(max(min_effect, *floors))
    family = stats.one_family([[p.change for p in group] for group in groups])
    alpha = stats.family_alpha(family) if family else stats.ALPHA
    all_pairs = [pair for group in groups for pair in group]
    verdicts = [judge.verdict_of(pair.change, alpha, delta) for pair in all_pairs]
    for name, run in (("base", base), ("new", new)):
        commit = (run.facts["git_commit"] or "")[:12]
        to.print(f"{name}: {', '.join(filter(None, [str(run.path), commit]))}")
    if all_pairs:
        show(all_pairs, verdicts, alpha, to)
    for line in [*(f"{app} was too noisy to compare" for app in noisy), *differences(base, new)]:
        to.print(f"note: {line}")
    return sentence(all_pairs, verdicts, alpha, to)


def ratio(pair: Pair, alpha: float) -> str:
    """'0.987 [0.975, 0.999]': the speedup in new over that in base."""
    change = {"speedup": pair.change.speedup(), "interval": pair.change.speedup_interval(alpha)}
    return words.times(change)


def show(found: list[Pair], verdicts: list[str], alpha: float, to: Console) -> None:
    """Prints a row for each pair."""
    rows = [
        [f"{p.base.speedup():.3f}", f"{p.new.speedup():.3f}", ratio(p, alpha), verdict]
        for p, verdict in zip(found, verdicts)
    ]
    columns: list[terminal.Column] = [
        list(cells) for cells in zip(["base", "new", "new/base", "verdict"], *rows)
    ]
    first: terminal.Column = ["speedup of", *(f"{p.app} {p.variant}" for p in found)]
    to.print()
    for table in terminal.tables(first, columns, frozenset(["verdict"])):
        to.print(table, "")


def sentence(found: list[Pair], verdicts: list[str], alpha: float, to: Console) -> str:
    """Prints what it comes to, as the last line; the status."""
    slower = [p for p, verdict in zip(found, verdicts) if verdict == "slower"]
    if not found:
        status, said = "undecided", "the machines were too noisy to see anything"
    elif slower:
        status = "regression"
        said = ", ".join(f"{p.app} {p.variant} {ratio(p, alpha)}" for p in slower)
        said = f"speedups of new over those of base: {said}"
    else:
        status, said = "passed", f"none of {words.plural(len(found), 'speedup')} became smaller"
    to.print(f"gate: {status}: {said}", soft_wrap=True)
    return status
