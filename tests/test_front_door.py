"""The command line: what make refuses and how, and what it offers."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Project, copy_project
from test_build import llvm_copy

TINY = "APP=apps/tiny"
SHARE = "it is a percentage such as 1% or 0.5%"
TIME = "it is a time such as 60s, 15m or 1h"
WHOLE = "it is a whole number from 1 on"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with apps/tiny and sample-apps/tiny in which nothing is ever built."""
    made = copy_project(tmp_path_factory.mktemp("door") / "pgolab")
    made.app()
    made.app(path="sample-apps")
    return made


def refused(project: Project, *arguments: str, **environment: str) -> tuple[str, str]:
    """Runs make, which has to fail before it builds anything; its message and its hint."""
    lines = project.error(*arguments, **environment).splitlines()
    messages = [line for line in lines if line.startswith("pgolab: ")]
    hints = [line for line in lines if line.startswith("hint: ")]
    assert len(messages) == len(hints) == 1, lines
    assert not (project.root / "build").exists()
    return messages[0].removeprefix("pgolab: "), hints[0].removeprefix("hint: ")


@pytest.mark.parametrize("arguments, message, hint", [
    (["pgo", "APP=tinny"], "no app named 'tinny'", "did you mean 'tiny'?"),
    (["pgo", "APP=zebra"], "no app named 'zebra'", "the valid ones are: tiny"),
    (["matrix", "APPS=tiny tinny"], "no app named 'tinny'", "did you mean 'tiny'?"),
    (["pgo", "APP=apps/nowhere"], "there is no 'apps/nowhere/app.mk'", "path of a directory"),
    (["pgo", "APP=pipeline/"], "there is no 'pipeline/app.mk'", "path of a directory"),
    (["pgo"], "'make pgo' needs an app", "APP=parser"),
    (["report"], "'make report' needs an app", "APP=parser"),
    (["report", "RUN=results/none"], "there is no run in 'results/none'", "results/<run-id>"),
    (["report", "RUN=no 'run'"], "there is no run in 'no 'run''", "results/<run-id>"),
    (["pgo", "lto", TINY], "'make pgo lto' asks for several things", "one of them"),
    (["build", "verify", TINY], "'make build verify' asks for several things", "one of them"),
    (["buidl", TINY], "no target 'buidl'", "did you mean 'build'?"),
    (["zebra"], "no target 'zebra'", "the valid ones are: build"),
    (["build", TINY, "VARIANT=o2"], "'make build' takes no VARIANT", "did you mean 'VARIANTS'?"),
    (["help", "PRECISON=2%"], "unknown setting 'PRECISON'", "did you mean 'PRECISION'?"),
    (["build", TINY, "app=x"], "unknown setting 'app'", "did you mean 'APP'?"),
    (["pgo", TINY, "VARIANTS=o3"], "'make pgo' chooses its variants itself", "report VARIANTS="),
])  # fmt: skip
def test_what_does_not_exist_is_refused_with_what_does(
    door: Project, arguments: list[str], message: str, hint: str
) -> None:
    said = refused(door, *arguments)
    assert message in said[0]
    assert hint in said[1]


@pytest.mark.parametrize("variant, message, nearest", [
    ("o2-pgoo", "no technique 'pgoo' in the variant 'o2-pgoo'", "pgo"),
    ("o2-thn", "no technique 'thn'", "thin"),
    ("O2", "no technique 'O2'", "o2"),
    ("pgo", "the variant 'pgo' has no optimization level", "o2-pgo"),
    ("thin-pgo", "the variant 'thin-pgo' has no optimization level", "o2-pgo-thin"),
    ("o2-o3", "more than one level technique: o2 o3", "o2"),
    ("o3-thin-full", "more than one link technique: thin full", "o3-thin"),
    ("o2-pgo-pgo", "more than one profile technique: pgo pgo", "o2-pgo"),
    ("o2-thin-pgo", "the variant 'o2-thin-pgo' is not in the order", "o2-pgo-thin"),
    ("full-pgo-o3", "the variant 'full-pgo-o3' is not in the order", "o3-pgo-full"),
    ("o2--pgo", "the variant 'o2--pgo'", "o2-pgo"),
    ("o2-", "the variant 'o2-'", "o2"),
    ("o2-slower1", "no technique 'slower1'", ""),
])  # fmt: skip
@pytest.mark.parametrize("setting", ["VARIANTS", "BASELINE"])
def test_a_variant_that_makes_no_sense_is_refused_with_the_nearest_that_does(
    door: Project, setting: str, variant: str, message: str, nearest: str
) -> None:
    said = refused(door, "build", TINY, f"{setting}={variant}")
    assert message in said[0]
    assert said[1] == f"did you mean '{nearest}'?" or not nearest


@pytest.mark.parametrize("setting, hint", [
    *((f"PRECISION={x}", SHARE) for x in ("x", "0", "100%", "-1%", "", "1 %", "nan", "1e-3", "%")),
    *((f"MIN_EFFECT={x}", SHARE) for x in ("0%", "1", "half")),
    *((f"BUDGET={x}", TIME) for x in ("60", "0s", "1 m", "-5s", "5d", "", "1h30m")),
    *((f"TIMEOUT={x}", TIME) for x in ("10", "forever", "0ms")),
    *((f"LAYOUTS={x}", WHOLE) for x in ("0", "1.5", "-4", "many", "")),
    *((f"JOBS={x}", WHOLE) for x in ("0", "x", "2 3", "-1")),
    *((f"ASLR={x}", "it can be yes or no") for x in ("maybe", "1", "")),
    *((f"METRIC={x}", "it can be time or instructions") for x in ("speed", "")),
    *((f"LTO={x}", "it can be thin or full") for x in ("foo", "thin full", "Thin")),
    *((f"BASELINE={x}", "it is the name of one variant") for x in ("", "o2 o3")),
])  # fmt: skip
def test_a_setting_that_makes_no_sense_is_refused_before_anything_is_built(
    door: Project, setting: str, hint: str
) -> None:
    name, value = setting.split("=")
    assert refused(door, "pgo", TINY, setting) == (f"{name} is '{value}'", hint)


@pytest.mark.parametrize("arguments", [
    ["report", "VARIANTS=o2"],
    ["measure", "VARIANTS=o3 o3", "BASELINE=o3"],
    ["pgo", "BASELINE=o2-pgo"],
], ids=" ".join)  # fmt: skip
def test_a_comparison_needs_something_to_compare_with(door: Project, arguments: list[str]) -> None:
    assert "there is nothing to compare with" in refused(door, TINY, *arguments)[0]


def test_a_variant_that_is_named_twice_is_built_once(project: Project) -> None:
    done = project.make("build", TINY, "VARIANTS=o3 o2 o3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("LD ") == 2


@pytest.mark.parametrize("line, message", [
    ("PRECISON = 2%", "unknown setting 'PRECISON'"),
    ("  BUGDET ?= 1m", "unknown setting 'BUGDET'"),
    ("LAYOUTS := 0", "LAYOUTS is '0'"),
    ("ASLR=perhaps", "ASLR is 'perhaps'"),
])  # fmt: skip
def test_local_mk_is_checked_as_the_command_line_is(
    project: Project, line: str, message: str
) -> None:
    (project.root / "local.mk").write_text(f"# mine\n{line}\n")
    assert message in refused(project, "pgo", TINY)[0]


def test_local_mk_sets_what_the_command_line_does_not(project: Project) -> None:
    (project.root / "local.mk").write_text("APP = apps/tiny\nVARIANTS := o3\n")
    assert "tiny/o3/main.o" in project.ok("build")
    assert "tiny/o1/main.o" in project.ok("build", "VARIANTS=o1")


# What stands on a command line is expanded by Make, so a $ has to be doubled there.
@pytest.mark.parametrize("name", [
    "two words", "a'b", 'a"b', "a`b", "a$$b", "a#b", "a%b", "a\\b", "a:b", "a;b", "a(b", "a)b",
    "a,b", "a&b", "a*b", "a|b", "a<b", "a=b", "a!b",
])  # fmt: skip
def test_an_app_whose_path_make_cannot_handle_is_refused(door: Project, name: str) -> None:
    message, hint = refused(door, "build", f"APP=apps/{name}")
    assert f"'apps/{name.replace('$$', '$')}'" in message
    assert "move" in hint


@pytest.mark.parametrize("name", ["a-b", "a.b", "a_b", "a+b", "a@b", "ä", "2"])
def test_an_app_whose_path_make_can_handle_is_built(project: Project, name: str) -> None:
    project.app(name)
    project.ok("build", f"APP=apps/{name}", "VARIANTS=o2-thin")
    assert (project.root / "build" / name / "o2-thin" / name).is_file()


@pytest.mark.parametrize("name", ["two words", """o'clock ("a" & b, c=d;e)"""])
def test_a_clone_works_in_a_directory_of_any_name(
    new_project: Callable[[str], Project], name: str
) -> None:
    clone = new_project(name)
    clone.app()
    output = clone.ok("pgo", TINY, "LTO=thin", "BUDGET=1s", "LAYOUTS=2")
    assert re.search(r"^report: results/\S+/report\.html$", output, re.MULTILINE)
    again = ("verify", TINY, "VARIANTS=o2-thin o2-pgo o2-pgo-thin", "LAYOUTS=2", "BUDGET=1s")
    assert "Nothing to be done" in clone.ok(*again)


@pytest.mark.parametrize("name", ["a$b", "a#b", "100%"])
def test_a_clone_in_a_directory_that_make_cannot_handle_is_refused(
    new_project: Callable[[str], Project], name: str
) -> None:
    clone = new_project(name)
    clone.app()
    message, hint = refused(clone, "build", TINY)
    assert f"/{name}' has a " in message
    assert "move it" in hint


def path_without(tool: str, place: Path) -> str:
    """A PATH on which everything is that is on this one, but for one program."""
    place.mkdir()
    for directory in os.environ["PATH"].split(":"):
        for program in Path(directory).glob("*"):
            if program.name != tool and not (place / program.name).is_symlink():
                (place / program.name).symlink_to(program)
    return str(place)


@pytest.mark.parametrize("tool", ["hyperfine", "flock", "setarch", "taskset", "time"])
def test_a_missing_tool_is_said_before_anything_is_built(
    project: Project, tmp_path: Path, tool: str
) -> None:
    message, hint = refused(project, "pgo", TINY, PATH=path_without(tool, tmp_path / "bin"))
    assert message == f"'{tool}' is not installed"
    assert "./scripts/setup" in hint


@pytest.mark.parametrize("clang", ["nonexistent", "/nonexistent/clang", "./clang"])
def test_a_compiler_that_is_not_there_is_said_before_anything_is_built(
    door: Project, clang: str
) -> None:
    message, hint = refused(door, "build", TINY, f"CLANG={clang}")
    assert message == f"there is no '{clang}'"
    assert "CLANG=" in hint


@pytest.mark.parametrize("tool", ["llvm-profdata", "ld.lld", "llvm-size"])
def test_an_llvm_that_lacks_a_tool_is_refused(project: Project, tmp_path: Path, tool: str) -> None:
    llvm = llvm_copy(tmp_path, "")
    (llvm / tool).unlink()
    message, hint = refused(project, "build", TINY, f"CLANG={llvm}/clang")
    assert message == f"'{tool}' is missing in {llvm}"
    assert "one directory" in hint


def test_a_python_that_is_not_there_is_said(door: Project) -> None:
    assert "no Python 3.11 or newer" in refused(door, "verify", TINY, "PYTHON=/none/python3")[0]


def test_help_is_the_default_and_shows_every_target_and_setting(door: Project) -> None:
    output = door.ok()
    assert output == door.ok("help")
    makefile = (door.root / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    assert targets >= {"help", "list", "pgo", "lto", "matrix", "clean"}
    shown = re.findall(r"^  ([a-z-]+) +\S", output, re.MULTILINE)
    assert sorted(shown) == sorted(targets)
    settings = re.findall(r"^([A-Z_]+) := ?(.*)$", makefile, re.MULTILINE)
    for name, default in [("PRECISION", "1%"), ("BUDGET", "60s"), ("LAYOUTS", "16")]:
        assert (name, default) in settings
    for name in {name for name, _ in settings}:
        assert re.search(rf"^  {name}=\S* +\S", output, re.MULTILINE), name


def test_list_shows_apps_with_their_workloads_and_techniques_with_their_help(
    door: Project,
) -> None:
    output = door.ok("list")
    assert re.search(r"^  tiny +linear congruential steps$", output, re.MULTILINE)
    assert "train: one two" in output
    assert re.search(r"eval: +steps", output)
    for file in (door.root / "pipeline/techniques").glob("*.mk"):
        assert re.search(rf"^  {file.stem} +\S", output, re.MULTILINE), file


def test_a_new_technique_is_one_file(project: Project) -> None:
    (project.root / "pipeline/techniques/o0.mk").write_text(
        "technique.o0.group := level\ntechnique.o0.help := none\ntechnique.o0.cflags := -O0\n"
    )
    assert "o0 " in project.ok("list")
    project.ok("build", TINY, "VARIANTS=o0-thin")
    assert (project.root / "build/tiny/o0-thin/tiny").is_file()


def test_clean_keeps_results_and_profiles(project: Project) -> None:
    project.ok("train", TINY)
    (project.root / "results/kept").mkdir()
    project.ok("clean")
    assert not (project.root / "build").exists()
    assert (project.root / "results/kept").is_dir()
    assert (project.root / "profiles/tiny/pgo.profdata").is_file()


def test_make_says_what_it_did_and_not_how(project: Project) -> None:
    output = project.ok("build", TINY, "VARIANTS=o3")
    lines = [line for line in output.splitlines() if not re.match(r"  [A-Z]+ +\S+$", line)]
    assert lines == []
    shutil.rmtree(project.root / "build")
    assert "clang" in project.ok("build", TINY, "VARIANTS=o3", "V=1")
