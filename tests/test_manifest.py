"""What an app's manifest may say, what is refused in it, and where an app may lie."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Project, edit_file, steps

from pgolab import manifest, units
from pgolab.errors import Failure

TINY = "APP=apps/tiny"
VERIFY = ("verify", TINY, "VARIANTS=o3", "LAYOUTS=1")


@pytest.fixture
def app(shared: Project) -> Path:
    """A fresh tiny app in the shared project, built into a fresh directory."""
    shutil.rmtree(shared.root / "apps", ignore_errors=True)
    shutil.rmtree(shared.root / "build", ignore_errors=True)
    return shared.app()


def edit(app: Path, old: str, new: str, file: str = "app.mk") -> None:
    edit_file(app / file, old, new)


def message(project: Project, *arguments: str) -> tuple[str, str]:
    """make's refusal: its message and its hint."""
    lines = project.error(*arguments).splitlines()
    found = [line for line in lines if line.startswith(("pgolab: ", "hint: "))]
    assert len(found) == 2, lines
    return found[0].removeprefix("pgolab: "), found[1].removeprefix("hint: ")


@pytest.mark.parametrize("old, new, wrong, hint", [
    ("app.sources", "app.sorces", "unknown key 'app.sorces'", "did you mean 'app.sources'?"),
    ("app.cflags", "CFLAGS", "unknown key 'CFLAGS'", "did you mean 'app.cflags'?"),
    ("app.cflags", "cflags", "unknown key 'cflags'", "did you mean 'app.cflags'?"),
    ("two.weight", "two.wieght", "unknown key 'train.two.wieght'", "'train.two.weight'?"),
    ("two.weight", "two.work", "unknown key 'train.two.work'", "did you mean 'train.two."),
    ("steps.work", "steps.wrok", "unknown key 'eval.steps.wrok'", "'eval.steps.work'?"),
    ("steps.work", "steps.weight", "unknown key 'eval.steps.weight'", "did you mean 'eval.steps."),
    ("steps.work", "steps.work.unit", "unknown key 'eval.steps.work.unit'", ""),
    ("app.about ", "# ", "'app.about' is missing", "docs/manifest.md"),
    ("app.sources", "# ", "'app.sources' is missing", "docs/manifest.md"),
    ("linear congruential steps", "", "'app.about' is missing", "docs/manifest.md"),
    ("$(wildcard $(app.dir)/*.c)", "$(app.dir)/absent.c", "'apps/tiny/absent.c' of tiny does not",
     "app.sources"),
    ("$(wildcard $(app.dir)/*.c)", "absent.c", "'absent.c' of tiny is not a C file in apps/tiny/",
     "app.dir"),
    ("$(wildcard $(app.dir)/*.c)", "/etc/passwd", "'/etc/passwd' of tiny is not a C file", ""),
    ("$(wildcard $(app.dir)/*.c)", "$(app.dir)/step.h", "step.h' of tiny is not a C file", ""),
    ("train.two =", "train.two = #", "'train.two' in apps/tiny/app.mk has no command", "$(BIN)"),
    ("train.two =", "# ", "'train.two' in apps/tiny/app.mk has no command", "train.two = $(BIN)"),
    ("eval.steps", "train.steps", "unknown key 'train.steps.work'", ""),
    ("eval.steps = $(BIN)", "eval.steps = ./other", "'eval.steps' does not run the app", "$(BIN)"),
    ("eval.steps = ", "eval.steps = '", "'eval.steps' cannot be split", "quote as in a shell"),
    ("train.one = ", "train.one = \"", "'train.one' cannot be split", "quote as in a shell"),
    ("weight = 3", "weight = -3", "train.two.weight is '-3'", "positive number"),
    ("weight = 3", "weight = 0", "train.two.weight is '0'", "positive number"),
    ("weight = 3", "weight = nan", "train.two.weight is 'nan'", "positive number"),
    ("weight = 3", "weight = much", "train.two.weight is 'much'", "positive number"),
    ("20000 steps", "20000", "eval.steps.work is '20000'", "with its unit"),
    ("20000 steps", "many steps", "eval.steps.work is 'many steps'", "with its unit"),
    ("20000 steps", "0 steps", "eval.steps.work is '0 steps'", "with its unit"),
    ("app.cflags", "app.overlap := maybe\napp.cflags", "app.overlap is 'maybe'", "yes or no"),
    ("app.cflags", "define app.ldflags\na\nb\nendef\napp.cflags", "more than one line", "one line"),
])  # fmt: skip
def test_a_manifest_that_makes_no_sense_is_refused(
    shared: Project, app: Path, old: str, new: str, wrong: str, hint: str
) -> None:
    edit(app, old, new)
    said = message(shared, *VERIFY)
    assert wrong in said[0]
    assert hint in said[1]


def test_an_app_needs_an_eval_workload(shared: Project, app: Path) -> None:
    edit(app, "eval.steps.work", "# ")
    edit(app, "eval.steps", "train.steps")
    said = message(shared, *VERIFY)
    assert said[0] == "tiny has no eval workload in apps/tiny/app.mk"
    assert "eval.NAME = $(BIN)" in said[1]


def test_an_app_needs_a_train_workload_only_for_a_profile(shared: Project, app: Path) -> None:
    edit(app, "train.two.weight", "# ")
    edit(app, "train.one", "# ")
    edit(app, "train.two", "# ")
    shared.ok(*VERIFY)
    assert "tiny has no train workload" in message(shared, "build", TINY, "VARIANTS=o2-pgo")[0]


@pytest.mark.parametrize("file, old, new, shared_data", [
    ("app.mk", "$(SCALE) $(app.dir)/eval.txt", "2 $(app.dir)/train.txt", "'app/train.txt'"),
    ("eval.txt", "5", "77", "'app/eval.txt' has the bytes of 'app/train2.txt'"),
    ("app.mk", "eval.steps = ", "train.three = $(BIN) 1 $(app.dir)/eval.txt\neval.steps = ",
     "'app/eval.txt'"),
])  # fmt: skip
def test_evaluating_on_data_that_was_trained_on_is_an_error_unless_allowed(
    shared: Project, app: Path, file: str, old: str, new: str, shared_data: str
) -> None:
    edit(app, old, new, file)
    said = message(shared, "build", TINY, "VARIANTS=o2-pgo")
    assert "'eval.steps' reads what 'train." in said[0]
    assert said[0].endswith(shared_data)
    assert "app.overlap := yes" in said[1]
    edit(app, "app.cflags", "app.overlap := yes\napp.cflags")
    shared.ok("build", TINY, "VARIANTS=o2-pgo")


def test_a_directory_counts_as_the_data_in_it(shared: Project, app: Path) -> None:
    (app / "data/deep").mkdir(parents=True)
    shutil.copy(app / "train.txt", app / "data/deep/other.txt")
    edit(app, "$(app.dir)/eval.txt", "$(app.dir)/data")
    assert message(shared, *VERIFY)[0].endswith(
        "'app/data/deep/other.txt' has the bytes of 'app/train.txt'"
    )


def test_evaluating_the_command_that_was_trained_is_an_error(shared: Project, app: Path) -> None:
    edit(app, "eval.steps = ", "eval.same = $(BIN) 7\ntrain.same = $(BIN)  7\neval.steps = ")
    assert message(shared, *VERIFY)[0] == "'eval.same' and 'train.same' are the same command"


def test_a_workload_may_be_expanded_at_once(shared: Project, app: Path) -> None:
    text = (app / "app.mk").read_text()
    shared.ok(*VERIFY)
    written = shared.root / "build/tiny/manifest"
    deferred = sorted(p.read_text() for p in written.iterdir())
    (app / "app.mk").write_text(text.replace(" = ", " := "))
    shared.ok(*VERIFY)
    assert deferred == sorted(p.read_text() for p in written.iterdir())


def test_variables_of_make_and_of_the_project_are_no_keys(shared: Project, app: Path) -> None:
    edit(app, "app.about", "data = $(app.dir)\napp.about")
    assert "unknown key 'data'" in message(shared, *VERIFY)[0]


@pytest.mark.parametrize("how", ["./apps/tiny", "apps/tiny/", "apps//tiny", "apps/../apps/tiny"])
def test_an_app_may_be_named_by_any_path_that_leads_to_it(
    shared: Project, app: Path, how: str
) -> None:
    shared.ok("verify", f"APP={how}", "VARIANTS=o2-pgo", "LAYOUTS=1")
    assert (shared.root / "build/tiny/o2-pgo/tiny").is_file()


def test_an_app_by_its_absolute_path_is_the_same_app(shared: Project, app: Path) -> None:
    shared.ok("verify", TINY, "VARIANTS=o2-pgo", "LAYOUTS=1")
    binary = shared.root / "build/tiny/o2-pgo/tiny"
    relative = binary.read_bytes()
    shared.ok("verify", f"APP={app}", "VARIANTS=o2-pgo", "LAYOUTS=1")
    assert binary.read_bytes() == relative
    done = shared.ok("verify", f"APP={app}", "VARIANTS=o2-pgo", "LAYOUTS=1")
    assert steps(done) == []


def test_an_app_may_lie_outside_the_project(
    new_project: Callable[[str], Project], tmp_path: Path, shared: Project, app: Path
) -> None:
    project = new_project("pgolab")
    shutil.copytree(app, tmp_path / "elsewhere" / "tiny")
    project.ok("verify", "APP=../elsewhere/tiny", "VARIANTS=o2-pgo", "LAYOUTS=1")
    assert (project.root / "profiles/tiny/pgo.profdata").is_file()
    assert len(list((tmp_path / "elsewhere" / "tiny").iterdir())) == len(list(app.iterdir()))


def test_a_second_app_of_the_same_name_does_not_mix_with_the_first(project: Project) -> None:
    other = project.app(path="other")
    edit(other, "FACTOR 3", "FACTOR 5", "step.h")
    (other / "train.txt").write_text("4711\n")
    binary, profile = (
        project.root / p for p in ("build/tiny/o2-pgo/tiny", "profiles/tiny/pgo.profdata")
    )
    made = []
    for path in ("apps/tiny", "other/tiny", "apps/tiny"):
        project.ok("verify", f"APP={path}", "VARIANTS=o2-pgo", "LAYOUTS=1")
        made.append((binary.read_bytes(), profile.read_bytes()))
    assert made[0] == made[2]
    assert made[0][0] != made[1][0]
    assert made[0][1] != made[1][1]


def test_two_apps_of_one_name_cannot_be_measured_together(project: Project) -> None:
    project.app(path="other")
    assert message(project, "matrix", "APPS=apps/tiny other/tiny")[0].startswith("there are two")


GENERATE = """import sys
from pathlib import Path
(Path(sys.argv[1]) / "deep").mkdir(parents=True, exist_ok=True)
(Path(sys.argv[1]) / "deep" / "eval.txt").write_text("42\\n")
"""


def generating(app: Path, script: str, command: str = "$(PYTHON) $(app.dir)/make.py $(app.inputs)"
               ) -> None:
    """Lets the app's eval input come from a script."""
    (app / "make.py").write_text(script)
    edit(app, "app.cflags", f"app.generate = {command}\napp.cflags")
    edit(app, "$(app.dir)/eval.txt", "$(app.inputs)/deep/eval.txt")


def test_generated_inputs_are_made_once_and_again_when_the_script_changes(
    shared: Project, app: Path
) -> None:
    generating(app, GENERATE)
    made = shared.root / "build/tiny/inputs/deep/eval.txt"
    assert "INPUTS tiny" in steps(shared.ok(*VERIFY))
    assert made.read_text() == "42\n"
    assert steps(shared.ok(*VERIFY)) == []
    edit(app, "42", "43", "make.py")
    assert {"INPUTS tiny", "VERIFY tiny/o3"} <= set(steps(shared.ok(*VERIFY)))
    assert made.read_text() == "43\n"
    edit(app, "eval.txt", "other.txt", "make.py")
    assert shared.make(*VERIFY).returncode != 0
    assert not made.exists()


def test_the_inputs_are_listed_with_their_hashes(shared: Project, app: Path) -> None:
    generating(app, GENERATE)
    shared.ok(*VERIFY)
    sums = (shared.root / "build/tiny/inputs.sums").read_text().split()
    assert sums == [
        "084c799cd551dd1d8d5c5f9a5d593b2e931f5e36122ee5c793c1d08a19839cc0", "deep/eval.txt"
    ]  # fmt: skip


@pytest.mark.parametrize("script, command, wrong, detail", [
    ("print('the disk is on fire')\nraise SystemExit(3)", None,
     "app.generate of 'tiny' ended with status 3", "the disk is on fire"),
    ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", None,
     "app.generate of 'tiny' was killed by SIGSEGV", ""),
    ("pass", None, "app.generate of 'tiny' made no file", "$(app.inputs)"),
    ("pass", "$(app.dir)/absent $(app.inputs)", "app.generate of tiny cannot start", "app/absent"),
    ("pass", "$(PYTHON) $(app.dir)/absent.py", "'tiny' ended with status 2", "absent.py"),
    ("import time\ntime.sleep(60)", None, "app.generate of tiny took longer than 1 second",
     "TIMEOUT="),
])  # fmt: skip
def test_inputs_that_cannot_be_made_are_an_error_that_says_why(
    shared: Project, app: Path, script: str, command: str | None, wrong: str, detail: str
) -> None:
    if command:
        generating(app, script, command)
    else:
        generating(app, script)
    said = shared.error(*VERIFY, "TIMEOUT=1s")
    assert wrong in said.splitlines()[0]
    assert detail in said


def lines(directory: Path, **texts: str) -> Path:
    """build/APP/manifest as Make writes it."""
    base = "name = tiny\ndir = apps/tiny\nabout = steps\n"
    for part in ("app", "train", "eval"):
        text = (base if part == "app" else "") + texts.get(part, "")
        (directory / part).write_text(text)
    return directory


def test_a_manifest_is_read_as_make_wrote_it(tmp_path: Path) -> None:
    loaded = manifest.load(lines(
        tmp_path,
        app="generate = @PYTHON@ app/make.py inputs\noverlap = yes\n",
        train="two.command = @BIN@ -x 'a b' \"c\\\"d\" = @SCALE@\ntwo.weight = 2.5\n"
        "a.command = @BIN@\n",
        eval="e.command = app/run @BIN@\ne.work = 2.1 MB\ne.output = x.txt 'y z'\n",
    ))  # fmt: skip
    assert (loaded.name, loaded.directory, loaded.overlap) == ("tiny", Path("apps/tiny"), True)
    assert loaded.generate == (sys.executable, "app/make.py", "inputs")
    first, two = loaded.of_kind("train")
    assert (first.name, first.weight, first.scalable) == ("a", 1.0, False)
    assert two.weight == 2.5
    assert two.command("./b", 7) == ["./b", "-x", "a b", 'c"d', "=", "7"]
    (one,) = loaded.of_kind("eval")
    assert one.label == "eval.e"
    assert (one.work, one.outputs) == ((2.1, "MB"), ("x.txt", "y z"))


def test_a_manifest_of_one_kind_has_no_other_workloads(tmp_path: Path) -> None:
    made = lines(tmp_path, train="a.command = @BIN@\n", eval="e.command = no binary\n")
    assert [w.label for w in manifest.load(made, ("train",)).workloads] == ["train.a"]


@pytest.mark.parametrize("parse, text, value", [
    (units.fraction, "1%", 0.01), (units.fraction, "0.5%", 0.005), (units.fraction, ".25", 0.25),
    (units.fraction, "0.01", 0.01), (units.fraction, "99.9%", 0.999),
    (units.seconds, "60s", 60.0), (units.seconds, "15m", 900.0), (units.seconds, "1.5h", 5400.0),
    (units.seconds, "250ms", 0.25), (units.seconds, ".5s", 0.5),
    (units.count, "1", 1), (units.count, "16", 16), (units.count, "999999", 999999),
    (units.work, "2.1 MB", (2.1, "MB")), (units.work, "400000 requests", (400000.0, "requests")),
    (units.work, "3  steps of 2", (3.0, "steps of 2")),
])  # fmt: skip
def test_a_value_with_its_unit_becomes_a_number(
    parse: Callable[[str, str], object], text: str, value: object
) -> None:
    assert parse("X", text) == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize("parse, texts", [
    (units.fraction, ["", "%", "0", "0%", "1", "100%", "-1%", "1e-2", "1 %", "inf", "1,5%"]),
    (units.seconds, ["", "60", "0s", "-1s", "1d", "1 s", "s", "infs", "1m30s", "60s\n"]),
    (units.count, ["", "0", "-1", "1.0", "01", "1e3", "1000000", "x", "١", "1\n"]),
    (units.work, ["", "2.1", "MB", "2.1MB", "-2 MB", "0 MB", "x MB"]),
])  # fmt: skip
def test_a_value_that_makes_no_sense_names_the_setting(
    parse: Callable[[str, str], object], texts: list[str]
) -> None:
    for text in texts:
        with pytest.raises(Failure) as raised:
            parse("SETTING", text)
        assert raised.value.message == f"SETTING is '{text}'"


def test_facts_of_a_run_name_the_workloads_command(shared: Project, app: Path) -> None:
    shared.ok(*VERIFY)
    run = Path(shared.ok("measure", TINY, "VARIANTS=o3", "LAYOUTS=1", "BUDGET=1s").split()[-1])
    facts = json.loads((shared.root / run / "run.json").read_text())
    assert facts["apps"]["tiny"]["workloads"]["steps"]["command"] == [
        "@BIN@", "@SCALE@", "app/eval.txt"
    ]  # fmt: skip
