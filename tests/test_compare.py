"""Comparing revisions, compilers and runs: what is built, what is said, and how the gate ends."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import analyse
import numpy as np
import pytest
from conftest import ROOT, Project, copy_project, edit_file
from test_analyse import Made, one, write
from test_build import llvm_copy
from test_race import FakeBench, chosen
from test_schemas import load, schema

from pgolab import judge, record, runner, stats, terminal, two_runs, words
from pgolab.progress import Progress
from pgolab.record import Journal, Sample

COUNT = ("METRIC=instructions",)
TIME = ("BUDGET=40s", "PRECISION=25%", "LAYOUTS=4")
FASTER, SLOWER = "j < 10000", "j < 30000"


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(root: Path, what: str) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", what)


def gate(project: Project, *arguments: str, status: int) -> list[str]:
    """Runs scripts/gate, which has to end so; the lines of its standard output."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "PGOLAB"))}
    done = subprocess.run(
        ["scripts/gate", *arguments], cwd=project.root, env=own, capture_output=True, text=True
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines() or done.stderr.splitlines()


def latest(project: Project, name: str = "run") -> dict[str, Any]:
    return load(project.root / "results/latest" / f"{name}.json")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in a git repository; nothing that runs beside it disturbs a block of it.

    The tag `slow` has a tiny app that does half as much work again as `main` does.
    """
    made = copy_project(tmp_path_factory.mktemp("compare") / "pgolab")
    made.app(path="sample-apps")
    for limit in ("MOST_STEAL = 0.05", "MOST_FOREIGN = 0.10"):
        edit_file(made.root / "scripts/pgolab/judge.py", limit, limit.split(" = ")[0] + " = 99.0")
    shutil.copy(ROOT / ".gitignore", made.root)
    git(made.root, "init", "--quiet", "--initial-branch=main")
    commit(made.root, "one")
    edit_file(made.root / "sample-apps/tiny/main.c", "j < 20000", SLOWER)
    commit(made.root, "slower")
    git(made.root, "tag", "slow")
    git(made.root, "reset", "--quiet", "--hard", "HEAD~1")
    return made


@pytest.fixture
def tree(shared: Project) -> Path:
    """The shared project's working tree, which is as in `main` afterwards."""
    git(shared.root, "checkout", "--quiet", ".")
    return shared.root / "sample-apps/tiny"


@pytest.mark.alone
def test_a_regression_is_confirmed_in_blocks_and_layouts_of_its_own(
    shared: Project, tree: Path
) -> None:
    said = gate(shared, "APP=tiny", "BASE=HEAD", "NEW=slow", *TIME, status=1)
    assert max(map(len, said[:-1])) <= 80
    assert re.fullmatch(
        r"gate: regression: new is 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\] times as fast as base, and was"
        r" 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\] in the blocks before",
        said[-1],
    )
    run, summary = latest(shared), latest(shared, "summary")
    schema("run").validate(run)
    schema("summary").validate(summary)
    second = run["apps"]["tiny"]["gate"]
    assert second["fresh_layouts"]
    rows = record.read_rows(shared.root / "results/latest/samples.csv", Sample)
    stages = [[s for s in rows if (s.block >= second["confirmed_from"]) == late] for late in (0, 1)]
    first, last = ({s.layout for s in stage} for stage in stages)
    assert first and last and not first & last
    found = summary["gate"]
    assert [stage["verdict"] for stage in found["stages"]] == ["slower", "slower"]
    figure = summary["apps"]["tiny"]["variants"]["new"]
    assert figure["speedup"] == found["stages"][1]["speedup"]
    commits = [git(shared.root, "rev-parse", name) for name in ("main", "slow")]
    assert [run["compare"][side]["commit"] for side in ("base", "new")] == commits
    assert [run["compare"][side]["revision"] for side in ("base", "new")] == ["HEAD", "slow"]
    html = (shared.root / "results/latest/report.html").read_text()
    assert "new: slow, " in html and f"NEW={commits[1]}" in html
    assert "base: HEAD, " in (shared.root / "results/latest/summary.md").read_text()
    assert "make recipe" not in "\n".join(said)


def test_the_working_tree_is_the_default_and_sides_that_are_alike_have_the_same_bytes(
    shared: Project, tree: Path
) -> None:
    said = gate(shared, "APP=tiny", "VARIANT=o2-pgo-thin", "BASE=HEAD", *COUNT, status=0)
    assert said[-1] == "gate: passed: new takes 1.0000 times the instructions of base"
    run = latest(shared)
    schema("run").validate(run)
    schema("summary").validate(latest(shared, "summary"))
    base, new = run["apps"]["tiny"]["variants"].values()
    assert base["sha256"] == new["sha256"]
    assert (base["profiles"], new["profiles"]) == (["base/pgo"], ["new/pgo"])


@pytest.mark.parametrize("work, status, said", [
    (SLOWER, 1, r"gate: regression: new takes 1\.[234]\d{3} times the instructions of base"),
    (FASTER, 0, r"gate: passed: new takes 0\.[567]\d{3} times the instructions of base"),
])  # fmt: skip
def test_counting_instructions_trips_a_wire(
    shared: Project, tree: Path, work: str, status: int, said: str
) -> None:
    edit_file(tree / "main.c", "j < 20000", work)
    assert re.fullmatch(said, gate(shared, "APP=tiny", "BASE=HEAD", *COUNT, status=status)[-1])
    assert latest(shared)["compare"]["new"]["commit"].endswith("-dirty")
    assert words.side(latest(shared), "new").endswith(", with changes")


def test_the_workloads_are_those_of_new_and_what_differs_is_noted(
    shared: Project, tree: Path
) -> None:
    (tree / "eval.txt").write_text("6\n")
    more = "eval.more = $(BIN) 1 $(app.dir)/eval.txt\n"
    edit_file(tree / "app.mk", "eval.steps =", f"{more}eval.steps =")
    said = " ".join(gate(shared, "APP=tiny", "BASE=HEAD", *COUNT, status=0))
    assert "base has no workload 'eval.more': it is timed on that of new" in said
    assert "'app/eval.txt' of eval.steps is that of new; base has another" in said
    assert "base does not do on" not in said  # both print the same on the same input
    edit_file(tree / "step.h", "FACTOR 3", "FACTOR 5")
    said = " ".join(gate(shared, "APP=tiny", "BASE=HEAD", *COUNT, status=0))
    assert "base does not do on 'eval.steps' what new does: standard output differs" in said


def test_a_base_that_fails_on_the_workloads_of_new_is_an_error(shared: Project, tree: Path) -> None:
    edit_file(tree / "main.c", "argc != 3", "argc < 3")
    edit_file(tree / "app.mk", "eval.txt\n", "eval.txt more\n")
    said = shared.error("compare", "APP=tiny", "BASE=HEAD", *COUNT)
    assert said.startswith("pgolab: 'eval.steps' of tiny ended with status 2 with base\n")
    assert "hint: both sides run the eval workloads of new" in said


def test_compilers_are_compared_in_the_working_tree(
    shared: Project, tree: Path, tmp_path: Path
) -> None:
    other = llvm_copy(tmp_path, 'case $1 in --version) echo "clang version 98"; exit;; esac\n')
    said = gate(shared, "APP=tiny", f"CLANG={other}/clang", *COUNT, status=0)
    assert re.search(r"^new: working tree, .*, built by clang version 98$", "\n".join(said), re.M)
    assert said[-1] == "gate: passed: new takes 1.0000 times the instructions of base"


def test_a_tree_is_taken_from_its_own_repository_and_the_manifest_as_it_is(
    shared: Project, tree: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("main.c", "step.c", "step.h"):
        shutil.copy(tree / name, source)
    git(source, "init", "--quiet")
    commit(source, "one")
    edit_file(source / "main.c", "j < 20000", SLOWER)
    app = tmp_path / "app"
    app.mkdir()
    for name in ("eval.txt", "train.txt"):
        shutil.copy(tree / name, app)
    (app / "app.mk").write_text(f"""
app.about := tiny, with a build of its own
app.tree := {source}
app.build := $(CC) $(CFLAGS) *.c -o tiny
app.binary := tiny
train.one = $(BIN) 1 $(app.dir)/train.txt
eval.one = $(BIN) 1 $(app.dir)/eval.txt
""")
    said = gate(shared, f"APP={app}", "BASE=HEAD", *COUNT, status=1)
    assert said[-1].startswith("gate: regression: new takes 1.")


@pytest.mark.parametrize("arguments, message, hint", [
    ((), "'make compare' needs an app", "APP=parser"),
    (("APP=tiny",), "'make compare' needs BASE", "a revision or, with NEW=, a run"),
    (("APP=tiny", "BASE=gone"), "there is no revision 'gone' in '", "git fetch --unshallow"),
    (("APP=tiny", "BASE=HEAD", "NEW=gone"), "there is no revision 'gone'", "git log"),
    (("APP=later", "BASE=HEAD"), "there is no 'sample-apps/later/app.mk' in the revision 'HEAD'",
     "name a revision that has the app"),
    (("APP=outside", "BASE=HEAD"), "no app named 'outside'", "the valid ones are: later tiny"),
    (("APP=tiny", "BASE=HEAD", "VARIANTS=o3"), "'make compare' compares builds of one VARIANT",
     "VARIANT=o2-pgo-thin"),
    (("APP=tiny", "BASE=HEAD", "VARIANT=o2-tin"), "no technique 'tin'", "did you mean 'thin'?"),
    (("APP=tiny", "NEW=HEAD", "CLANG=clang"), "NEW is 'HEAD', and there is no BASE", "CLANG="),
    (("APP=tiny", "BASE=HEAD", "BUDGET=much"), "BUDGET is 'much'", "a time such as"),
    (("BASE=results/a",), "NEW is missing, and 'results/a' is a run", "two runs"),
    (("BASE=results/a", "NEW=results/b"), "there is no run in 'results/a'", "results/<run-id>"),
    (("BASE=HEAD", "NEW=results/a"), "BASE is the revision 'HEAD', and 'results/a' is a run",
     "two revisions"),
])  # fmt: skip
def test_what_cannot_be_compared_is_said_in_one_line(
    shared: Project, tree: Path, arguments: tuple[str, ...], message: str, hint: str
) -> None:
    later = tree.parent / "later"
    if not later.exists():
        shutil.copytree(tree, later)
    said = gate(shared, *arguments, *COUNT, status=2)
    shutil.rmtree(later)
    assert said[0].startswith(f"pgolab: {message}"), said
    assert said[1].startswith("hint: ") and hint in said[1]


def test_a_side_that_cannot_be_built_is_named(shared: Project, tree: Path) -> None:
    edit_file(tree / "main.c", "return 0;", "return nothing;")
    done = shared.make("compare", "APP=tiny", "BASE=HEAD", *COUNT)
    assert done.returncode != 0
    assert "pgolab: new, 'working tree' (" in done.stderr
    assert "cannot be built and verified\nhint: see above" in done.stderr


def test_a_comparison_that_was_killed_goes_on(shared: Project, tree: Path) -> None:
    edit_file(tree / "main.c", "j < 20000", "j < 20001")
    command = ["make", "compare", "APP=tiny", "BASE=HEAD", "BUDGET=4s", "PRECISION=0.01%",
               "LAYOUTS=1"]  # fmt: skip
    with subprocess.Popen(
        command, cwd=shared.root, start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as make:  # fmt: skip
        def blocks() -> int:
            found = (shared.root / "results").glob(".*/samples.csv")
            return sum(len(path.read_text().splitlines()) for path in found)

        deadline = time.monotonic() + 60
        while blocks() < 9 and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(make.pid, signal.SIGKILL)
    other = shared.make("compare", "APP=tiny", "BASE=slow", *command[4:])
    assert "going on with" not in other.stderr  # another comparison of the same app
    again = shared.make(*command[1:])
    assert again.returncode == 0, again.stderr
    assert "going on with results/." in again.stderr
    assert latest(shared)["resumed"]


# Two stages, with times that are made up.


class Sides(FakeBench):
    """Base and new, with layouts of which the second half is spare."""

    def __init__(self, truth: Callable[[int], float], noise: float = 0.003) -> None:
        super().__init__(replace(chosen(race=False), baseline="base"), {"base": 0, "new": 0}, noise)
        self.staged, self.layouts, self.first_layout = 8, 4, 0
        self.at = truth

    def block(self, number: int, rows: list[Any]) -> Any:
        self.truth = {"o2": 0.0, "base": 0.0, "new": self.at(number)}
        samples, metrics = super().block(number, rows)
        return [replace(s, layout=self._layout(number)) for s in samples], metrics


def staged(
    path: Path, made: Sides, journal: Journal | None = None
) -> tuple[list[Sample], dict[str, Any] | None]:
    with Progress(["app"], 0.01) as progress:
        return runner.time_stages(made, [5], 60.0, "/tmp", progress, journal, 0.0, 0.005)


def gate_of(path: Path, samples: list[Sample], second: dict[str, Any] | None) -> dict[str, Any]:
    """What analysis makes of a comparison with these samples."""
    write(path, Made(one(o3=1.1)))
    run = load(path / "run.json")
    facts = run["apps"].popitem()[1]
    binary = facts["variants"]["o2"]
    facts |= {"variants": {"base": binary, "new": binary}, "workloads": {
        w: {"command": ["x"], "scale": 1, "work": None} for w in ("one", "two")
    }}  # fmt: skip
    facts |= {"gate": second} if second else {}
    side = {"revision": "main", "commit": None, "compiler": "clang"}
    run["settings"]["baseline"] = "base"
    run |= {"apps": {"app": facts}, "compare": {
        "app": "app", "variant": "o2", "baseline": "o2", "base": side, "new": side,
    }}  # fmt: skip
    (path / "run.json").write_text(json.dumps(run))
    with_rows = record.Writer(path / "samples.csv", Sample)
    with_rows.add(samples)
    with_rows.close()
    analyse.main([str(path)])
    return load(path / "summary.json")


@pytest.mark.parametrize("truth, status, stages", [
    (lambda number: 0.03, "regression", ["slower", "slower"]),
    (lambda number: -0.03, "passed", ["faster"]),
    (lambda number: 0.0, "passed", ["same"]),
    (lambda number: 0.03 if number < 13 else 0.0, "passed", ["slower", "same"]),
])  # fmt: skip
def test_only_what_two_stages_say_is_a_regression(
    tmp_path: Path, truth: Callable[[int], float], status: str, stages: list[str]
) -> None:
    summary = gate_of(tmp_path / "run", *staged(tmp_path, Sides(truth)))
    assert summary["gate"]["status"] == status
    assert [s["verdict"] for s in summary["gate"]["stages"]] == stages
    assert words.gate(summary).startswith(f"gate: {status}: new is ")


def test_a_killed_second_stage_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = staged(tmp_path, Sides(lambda number: 0.03))
    for at in (5, 14, 20):
        where = tmp_path / str(at)
        where.mkdir()
        killed = Sides(lambda number: 0.03)
        killed.kill_at = at
        with pytest.raises(KeyboardInterrupt):
            staged(where, killed, Journal(where))
        again = staged(where, Sides(lambda number: 0.03), Journal(where))
        assert again[1] == whole[1]
        assert [(s.variant, s.block, s.position, s.layout) for s in again[0]] == [
            (s.variant, s.block, s.position, s.layout) for s in whole[0]
        ]


def test_a_machine_that_is_too_noisy_decides_nothing(tmp_path: Path) -> None:
    samples, second = staged(tmp_path, Sides(lambda number: 0.03))
    assert second
    first = second["confirmed_from"]
    late = [replace(s, foreign_s=9.0) if s.block >= first else s for s in samples]
    summary = gate_of(tmp_path / "run", late, second)
    assert summary["gate"]["status"] == "undecided"
    assert "was too noisy to see anything; new is 0.97" in words.gate(summary)


def test_layouts_of_luck_are_not_confirmed(tmp_path: Path) -> None:
    """Each layout of identical builds has a speed of its own: one stage alone is misled by that."""
    rng = np.random.default_rng(3)
    suspected = confirmed = 0
    for _ in range(60):
        luck = rng.normal(0, 0.01, 8)
        made = Sides(lambda number: 0.0)
        made.at = lambda number: float(luck[made._layout(number)])
        samples, second = staged(tmp_path, made)
        if second:
            suspected += 1
            blocks = judge.blocks_of(samples, "app", second["confirmed_from"])
            found = blocks.estimate("new", "base")
            confirmed += judge.verdict_of(found, stats.ALPHA, 0.005) == "slower"
    assert suspected > 0
    assert confirmed == 0


# Two runs.


def run_with(where: Path, name: str, speedups: Made) -> str:
    shutil.rmtree(where / "results" / name, ignore_errors=True)
    write(where / "results" / name, speedups)
    return f"results/{name}"


@pytest.mark.parametrize("first, second, status, said", [
    (one(o3=1.1, o2_pgo=1.2), one(o3=1.1, o2_pgo=1.1), 1, "those of base: app o2-pgo 0.917"),
    (one(o3=1.1, o2_pgo=1.2), one(o3=1.1, o2_pgo=1.3), 0, "none of 2 speedups became smaller"),
    (one(o3=1.1, o2_pgo=1.2), one(o2_pgo=1.2), 0, "none of 1 speedup became smaller"),
    (one(o3=1.1), one(o2_pgo=1.2), 2, "have no variant of an app in common"),
])  # fmt: skip
def test_two_runs_are_compared_by_their_speedups(
    shared: Project, first: Any, second: Any, status: int, said: str
) -> None:
    base = run_with(shared.root, "first", Made(first, noise=1e-3))
    new = run_with(shared.root, "second", Made(second, noise=1e-3))
    lines = gate(shared, f"BASE={base}", f"NEW={new}", status=status)
    assert said in (lines[-1] if status < 2 else lines[0])
    assert status == 2 or max(map(len, lines[:-1])) <= 80


def test_what_makes_two_runs_less_comparable_is_noted(shared: Project) -> None:
    base = run_with(shared.root, "first", Made(one(o3=1.1)))
    new = run_with(shared.root, "second", Made(one(o3=1.1), settings={"aslr": False}))
    path = shared.root / new / "run.json"
    run = load(path)
    run["machine"]["processor"] = "another"
    run["apps"]["app"]["variants"]["o2"]["sha256"] = "1"
    path.write_text(json.dumps(run))
    said = " ".join(gate(shared, f"BASE={base}", f"NEW={new}", status=0))
    for note in ("the machines differ in processor", "differ in aslr: True and False",
                 "the baseline of app is another program"):  # fmt: skip
        assert note in said


def test_noise_in_all_that_two_runs_share_leaves_it_undecided(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "first", Made(one(o3=1.1)))
    write(tmp_path / "second", Made(one(o3=1.1), disturbed=frozenset(range(25))))
    base, new = (two_runs.load(tmp_path / name) for name in ("first", "second"))
    assert two_runs.compare(base, new, 0.005, terminal.console()) == "undecided"
    assert "note: app was too noisy to compare\n" in capsys.readouterr().out


def test_the_family_of_two_runs_has_the_units_of_all_groups() -> None:
    rng = np.random.default_rng(1)
    sizes = ((12, 2), (20, 3))
    groups = [[stats.estimate(rng.normal(0, 1, n)) for _ in range(k)] for n, k in sizes]
    family = stats.one_family(groups)
    assert {len(e.influence) for e in family} == {32}
    assert stats.ALPHA / 5 < stats.family_alpha(family) < stats.ALPHA / 4
    assert [e.mean for e in family] == [e.mean for group in groups for e in group]


def test_a_difference_of_estimates_has_the_error_of_both() -> None:
    rng = np.random.default_rng(1)
    a, b = (stats.estimate(rng.normal(m, 1, 40)) for m in (3.0, 1.0))
    found = stats.difference(a, b)
    assert found.mean == pytest.approx(a.mean - b.mean)
    assert found.se == pytest.approx(float(np.hypot(a.se, b.se)))
    assert found.df > max(a.df, b.df)
    assert len(found.influence) == len(a.influence) + len(b.influence)
