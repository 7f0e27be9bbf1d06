"""Runs that are reproduced: what is identical, where it differs, whether verdicts agree."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reproduce
from conftest import LLVM, Project, copy_project
from test_analyse import Made, one, write

from pgolab import agreement, contents, stats, terminal
from pgolab.agreement import Judged
from pgolab.errors import Failure
from pgolab.record import Content
from pgolab.stats import Estimate

IDENTICAL = "All 4 binaries are identical, and all 2 counts agree."


def git(where: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@y"]
    subprocess.run(["git", *identity, *arguments], cwd=where, check=True, capture_output=True)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a run of two apps, one of which is in its repository."""
    made = copy_project(tmp_path_factory.mktemp("then") / "pgolab")
    for app in (made.app(path="sample-apps"), made.app("other")):
        manifest = app / "app.mk"
        manifest.write_text(manifest.read_text().replace("-std=c11", "-std=c11 -gdwarf-4"))
    (made.root / ".gitignore").write_text("__pycache__\n/build\n/results\n/profiles\n/apps\n")
    git(made.root, "init", "-q")
    git(made.root, "add", ".")
    git(made.root, "commit", "-qm", "all")
    made.ok("matrix", "APPS=tiny apps/other", "VARIANTS=o2-pgo-thin", "METRIC=instructions")
    return made


def elsewhere(measured: Project, where: Path) -> Project:
    """A clone of the project with its run and the app that is not in the repository."""
    git(where.parent, "clone", "-q", str(measured.root), str(where))
    shutil.copytree(measured.root / "apps", where / "apps")
    (run,) = (p for p in (measured.root / "results").iterdir() if not p.is_symlink())
    shutil.copytree(run, where / "results/run")
    return Project(where)


@pytest.fixture(scope="module")
def clone(measured: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """That clone, in a directory with a path of another length, where the run was reproduced."""
    made = elsewhere(measured, tmp_path_factory.mktemp("elsewhere") / "a longer name")
    # What is in the working tree now does not matter.
    (made.root / "sample-apps/tiny/step.c").write_text("#error\n")
    return made


def edit(run: Path, **keys: Any) -> None:
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(facts | keys))


def script(project: Project, run: str) -> subprocess.CompletedProcess[str]:
    """Runs the script alone: its status, where that of make is always 2."""
    command = ["scripts/python", "scripts/reproduce.py", f"--run={run}", f"--clang={LLVM}/clang"]
    return subprocess.run(command, cwd=project.root, capture_output=True, text=True)


def test_a_run_is_reproduced_in_another_clone(clone: Project) -> None:
    output = clone.ok("reproduce", "RUN=results/run", "JOBS=1")
    assert output.splitlines()[-1] == IDENTICAL
    assert "sources: commit " in output
    assert "note: other is not in the commit: 'apps/other' is taken as it is now" in output
    assert output.count("identical") == 5 and "differs" not in output
    places = [p.name for p in (clone.root / "results").iterdir()]
    assert places == ["run"]


def test_it_goes_on_after_it_was_killed(measured: Project, tmp_path: Path) -> None:
    killed = elsewhere(measured, tmp_path / "killed")
    for seconds in (0.4, 1.0, 1.5):
        command = ["make", "reproduce", "RUN=results/run"]
        process = subprocess.Popen(
            command, cwd=killed.root, stdout=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = script(killed, "results/run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == IDENTICAL


def test_what_changed_is_named(clone: Project) -> None:
    """A function of one app in the working tree, and a flag of the other."""
    run = clone.root / "results/changed"
    shutil.copytree(clone.root / "results/run", run)
    commit = json.loads((run / "run.json").read_text())["git_commit"]
    edit(run, git_commit=None)
    step = (clone.root / "apps/other/step.c").read_text()
    step = step.replace("return kind * FACTOR", "return kind ^ *state % 7")
    (clone.root / "sample-apps/tiny/step.c").write_text(step)
    manifest = clone.root / "apps/other/app.mk"
    manifest.write_text(manifest.read_text().replace("-std=c11", "-std=c11 -falign-functions=256"))

    done = script(clone, "results/changed")
    assert done.returncode == 1, done.stderr
    assert "sources: the working tree, as the run does not say its commit\n" in done.stdout
    found = re.split(r"\n(?:(?:tiny|other) \S+ differs\n|\n)", done.stdout)
    _, grown, _, aligned, _, *_ = (" ".join(text.split()) for text in found)
    assert re.fullmatch(r"sections: \.text \d+ → .* functions: step \d+ → \d+ bytes", grown)
    assert re.fullmatch(r"sections: \.text .* functions with other bytes: _start, main", aligned)
    assert done.stdout.splitlines()[-1].startswith("4 of 4 binaries differ, and ")

    # With the commit known again its sources are built, although their files are older.
    edit(run, git_commit=commit)
    (run / "contents.csv").unlink()
    done = clone.make("reproduce", "RUN=results/changed")
    assert done.returncode == 2
    unknown = "differs\n  where is not known: the run has no contents.csv"
    assert done.stdout.count(f"\nother o2 {unknown}") == done.stdout.count(unknown) - 1 == 1
    assert done.stdout.splitlines()[-1].startswith("2 of 4 binaries differ, and ")


SIDE = {"revision": "working tree", "commit": None, "compiler": "clang"}


@pytest.mark.parametrize("keys, arguments, message", [
    ({"schema": "pgolab.run/2"}, [], "has the schema 'pgolab.run/2', not 'pgolab.run/1'"),
    ({"compare": {"app": "tiny", "variant": "o2", "baseline": "o2", "base": SIDE, "new": SIDE}}, [],
     "compares two builds of one variant"),
    ({}, ["APP=tiny"], "'make reproduce' takes no APP"),
    ({}, ["PROFILE=x"], "PROFILE is '"),
])  # fmt: skip
def test_what_cannot_be_reproduced_is_refused(
    clone: Project, keys: dict[str, Any], arguments: list[str], message: str
) -> None:
    run = clone.root / "results/refused"
    shutil.copytree(clone.root / "results/run", run, dirs_exist_ok=True)
    edit(run, **keys)
    assert message in clone.error("reproduce", "RUN=results/refused", *arguments)
    assert not (clone.root / "build/reproduce/refused").exists()


def test_the_run_has_to_be_named(clone: Project) -> None:
    assert "'make reproduce' needs a run" in clone.error("reproduce")
    assert "there is no run in" in clone.error("reproduce", "RUN=results/none")


@pytest.mark.parametrize("profile, given, message", [
    ("pgo", "prod.profdata", "the run was made with PROFILE='prod.profdata'"),
    ("nopie-sample", "prod.prof", "the run was made with SAMPLE_PROFILE='prod.prof'"),
])
def test_a_profile_that_was_given_is_asked_for(profile: str, given: str, message: str) -> None:
    run = {"run": "r", "apps": {"a": {"profiles": {profile: {"taken_from": given}}}}}
    with pytest.raises(Failure) as raised:
        reproduce.check_profiles(run, {})
    assert message in raised.value.message
    reproduce.check_profiles(run, {message.split()[-1].split("=")[0]: "it"})
    committed = {"taken_from": f"profiles/a/{profile}.proftext"}
    reproduce.check_profiles({"run": "r", "apps": {"a": {"profiles": {profile: committed}}}}, {})


@pytest.mark.parametrize("commit, said", [
    (None, "as the run does not say its commit"),
    ("1" * 40 + "-dirty", "as that of the run had changes in no commit"),
    ("1" * 40, "as the run's commit 111111111111 is not known here"),
])
def test_without_the_commit_it_is_the_working_tree(
    clone: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: str, said: str
) -> None:
    monkeypatch.chdir(clone.root)
    source, words = reproduce.sources_of({"git_commit": commit}, tmp_path / "source")
    assert source == Path() and words == f"the working tree, {said}"


def part(function: str, size: int, digest: str = "0") -> Content:
    return Content("a", "o2", ".text", function, size, digest)


@pytest.mark.parametrize("now, resized, rewritten", [
    ([part("f", 1), part("g", 2)], [], []),
    ([part("g", 2), part("f", 1)], [], []),
    ([part("f", 1, "1"), part("g", 3)], [("g", 2, 3)], ["f"]),
    ([part("f", 1), part("h", 2)], [("h", None, 2), ("g", 2, None)], []),
    ([part("f", 1), part("g", 2), part("g", 2)], [("g", None, 2)], []),
])  # fmt: skip
def test_differences_are_found_by_name(
    now: list[Content], resized: list[Any], rewritten: list[str]
) -> None:
    found = contents.difference([part("f", 1), part("g", 2)], now)
    assert (found.resized, found.rewritten) == (resized, rewritten)


def test_contents_are_those_of_the_binary(measured: Project) -> None:
    """Padding between functions changes .text, but no function that refers to nothing else."""
    measured.ok("verify", "APP=tiny", "VARIANTS=o2", "LAYOUTS=2")
    built = measured.root / "build/tiny/o2"
    plain, padded = (
        {(c.section, c.function): c for c in contents.of_binary("tiny", "o2", binary, LLVM)}
        for binary in (built / "tiny", built / "layouts/1/tiny")
    )
    text, step, bss = (".text", ""), (".text", "step"), (".bss", "")
    assert {(".text", "main"), (".text", "_start"), (".init", "_init"), bss} <= plain.keys()
    assert plain[text] != padded[text]
    assert plain[step] == padded[step] and 0 < plain[step].bytes < plain[text].bytes


def estimate(mean: float, se: float = 0.001) -> Estimate:
    return Estimate(mean, se, 15.0, 16, np.zeros(16))


def one_judged(verdict: str, mean: float) -> Judged:
    return Judged({"noisy": False, "variants": {"v": {"verdict": verdict}}}, {"v": estimate(mean)})


NOISY = Judged({"noisy": True}, {})


@pytest.mark.parametrize("then, now, answer", [
    (one_judged("faster", -0.2), one_judged("faster", -0.2), "yes"),
    (one_judged("faster", -0.2), one_judged("faster", -0.1), "yes"),
    (one_judged("same", 0.0), one_judged("same", 0.001), "yes"),
    (one_judged("faster", -0.2), one_judged("same", 0.0), "no"),
    (one_judged("faster", -0.2), one_judged("inconclusive", -0.01), "no"),
    (one_judged("inconclusive", -0.01), one_judged("faster", -0.1), "no"),
    (one_judged("faster", -0.006), one_judged("same", -0.004), "open"),
    (one_judged("faster", -0.006), one_judged("inconclusive", -0.004), "open"),
    (one_judged("inconclusive", -0.006), one_judged("inconclusive", -0.004), "–"),
    (one_judged("inconclusive", -0.006), one_judged("faster", -0.007), "–"),
    (one_judged("faster", -0.2), NOISY, "open"),
    (NOISY, one_judged("faster", -0.2), "–"),
])  # fmt: skip
def test_verdicts_agree(then: Judged, now: Judged, answer: str) -> None:
    assert agreement.of_variant(then, now, "v", stats.ALPHA, 0.005) == answer


def test_noise_is_that_of_the_difference() -> None:
    # With the same error in both, that of the difference is sqrt(2) times as large.
    half = estimate(0.0).half_width() * np.sqrt(2)
    assert half > (at := replace(estimate(0.0), df=30.0).half_width() * np.sqrt(2))
    assert agreement.differ(estimate(0.0), estimate(1.001 * at), stats.ALPHA, 1e-6)
    assert not agreement.differ(estimate(0.0), estimate(0.999 * at), stats.ALPHA, 1e-6)
    assert not agreement.differ(estimate(0.0), estimate(0.004, 0.0), stats.ALPHA, 0.005)


@pytest.mark.parametrize("answers, said", [
    (["yes", "yes"], "all 2 verdicts agree"),
    (["yes", "–"], "the verdict agrees, 1 was inconclusive then"),
    (["yes", "no", "open"], "1 of 3 verdicts agree, 1 does not, 1 is open"),
    (["–"], "there was no verdict to agree with"),
])
def test_the_last_line_counts_what_is_open(answers: list[str], said: str) -> None:
    assert agreement.in_words(answers, "verdict") == said


def test_a_table_shows_both_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    then = write(tmp_path / "then", Made(one(o2_pgo=1.2, o3=1.1, o2_thin=1.05)))
    now = write(tmp_path / "now", Made(one(o2_pgo=1.2, o3=1.0, o2_thin=1.08)))
    run = json.loads((then / "run.json").read_text())
    identical = {("app", v): v != "o3" for v in ("o2", "o2-pgo", "o3", "o2-thin")}
    judged = reproduce.judged(then), reproduce.judged(now)
    answers = reproduce.compare_verdicts(run, *judged, identical, terminal.console())
    output = capsys.readouterr().out
    rows = [line.split() for line in output.splitlines()]
    assert "o2-pgo identical 1.200 faster 1.200 faster yes".split() in rows
    assert "o3 differs 1.100 faster 1.000 same no".split() in rows
    assert "note: the two speedups of o2-thin differ by more than noise" in output
    assert answers == ["yes", "no", "yes"]
    assert max(map(len, output.splitlines())) <= terminal.WIDTH
