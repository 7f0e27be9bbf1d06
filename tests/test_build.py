"""What make builds, and what it builds again after a change."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import LLVM, Project, copy_project, edit_file, steps

ARGUMENTS = ("APP=apps/tiny", "VARIANTS=o2-pgo o2-thin")
APP = "apps/tiny"


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Path]:
    """The tiny app, verified in o2, o2-pgo and o2-thin, and a copy of it."""
    made = copy_project(tmp_path_factory.mktemp("build") / "pgolab")
    made.app()
    made.ok("verify", *ARGUMENTS, "LAYOUTS=2")
    return made, made.save()


@pytest.fixture
def built(verified: tuple[Project, Path]) -> Project:
    """The same, to change."""
    project, saved = verified
    project.restore(saved)
    return project


def verify(project: Project) -> list[str]:
    """What a further `make verify` does."""
    return steps(project.ok("verify", *ARGUMENTS, "LAYOUTS=2"))


def relinked_and_verified(*variants: str) -> list[str]:
    return [f"{verb} tiny/{v}" for v in variants for verb in ("LD", "LAYOUTS", "VERIFY")]


def test_a_second_build_does_nothing(built: Project) -> None:
    assert verify(built) == []
    assert "Nothing to be done" in built.ok("build", *ARGUMENTS)


def test_a_changed_source_compiles_that_file_alone_and_trains_again(built: Project) -> None:
    edit_file(built.root / APP / "step.c", "< 250", "< 200")
    assert verify(built) == sorted(
        [f"CC tiny/{v}/step.o" for v in ("o2", "o2-thin", "o2-pgo", "pgo-train")]
        + ["CC tiny/o2-pgo/main.o", "LD tiny/pgo-train", "TRAIN tiny/pgo"]
        + relinked_and_verified("o2", "o2-pgo", "o2-thin")
    )


def test_a_changed_comment_trains_again_but_keeps_the_profile(built: Project) -> None:
    edit_file(built.root / APP / "main.c", "sums steps", "adds up steps")
    assert "CC tiny/o2-pgo/step.o" not in verify(built)


def test_a_changed_header_compiles_all_that_include_it(built: Project) -> None:
    edit_file(built.root / APP / "step.h", "FACTOR 3", "FACTOR 4")
    done = verify(built)
    assert {"CC tiny/o2/step.o", "CC tiny/o2/main.o"} <= set(done)


def test_a_removed_header_does_not_stop_make(built: Project) -> None:
    app = built.root / APP
    declared = "unsigned step(unsigned *state);"
    edit_file(app / "step.c", '#include "step.h"', f"{declared}\n#define FACTOR 3")
    edit_file(app / "main.c", '#include "step.h"', declared)
    (app / "step.h").unlink()
    assert "CC tiny/o2/step.o" in verify(built)


def test_a_changed_compiler_flag_compiles_everything(built: Project) -> None:
    edit_file(built.root / APP / "app.mk", "-std=c11", "-std=c11 -fno-strict-aliasing")
    compiled = [s for s in verify(built) if s.startswith("CC ")]
    assert len(compiled) == 2 * len(("o2", "o2-pgo", "o2-thin", "pgo-train"))


def test_a_changed_linker_flag_only_links_and_trains(built: Project) -> None:
    edit_file(built.root / APP / "app.mk", "app.cflags", "app.ldflags := -Wl,-O2\napp.cflags")
    assert verify(built) == sorted(
        ["LD tiny/pgo-train", "TRAIN tiny/pgo", *relinked_and_verified("o2", "o2-pgo", "o2-thin")]
    )


def test_a_changed_eval_workload_is_only_verified(built: Project) -> None:
    edit_file(built.root / APP / "app.mk", "eval.steps.work = 20000", "eval.steps.work = 20001")
    assert [s for s in verify(built) if not s.startswith("INPUTS")] == [
        "VERIFY tiny/o2", "VERIFY tiny/o2-pgo", "VERIFY tiny/o2-thin"
    ]  # fmt: skip


def test_changed_training_data_gives_a_new_profile_to_the_variants_that_use_it(
    built: Project,
) -> None:
    before = (built.root / "profiles/tiny/pgo.profdata").read_bytes()
    edit_file(built.root / APP / "train.txt", "1", "2")
    done = verify(built)
    assert (built.root / "profiles/tiny/pgo.profdata").read_bytes() != before
    assert [s for s in done if s.startswith(("CC", "LD", "TRAIN"))] == [
        "CC tiny/o2-pgo/main.o", "CC tiny/o2-pgo/step.o", "LD tiny/o2-pgo", "TRAIN tiny/pgo"
    ]  # fmt: skip


def test_training_that_gives_the_same_profile_rebuilds_nothing(built: Project) -> None:
    later = time.time() + 2
    os.utime(built.root / APP / "train.txt", (later, later))
    done = verify(built)
    assert "TRAIN tiny/pgo" in done
    assert not [s for s in done if s.startswith(("CC", "LD"))]


def test_a_lost_profile_is_taken_again(built: Project) -> None:
    (built.root / "profiles/tiny/pgo.profdata").unlink()
    assert "TRAIN tiny/pgo" in verify(built)


def test_another_compiler_builds_everything_again(built: Project, tmp_path: Path) -> None:
    llvm = llvm_copy(tmp_path, "[ \"$1\" = --version ] && echo another && exit\n")
    done = steps(built.ok("build", *ARGUMENTS, f"CLANG={llvm}/clang"))
    assert len([s for s in done if s.startswith("CC ")]) == 8


def llvm_copy(tmp_path: Path, start: str) -> Path:
    """A directory of LLVM's tools in which clang is a script: start, then the real $clang."""
    llvm = tmp_path / "llvm"
    llvm.mkdir()
    for tool in LLVM.iterdir():
        if tool.name != "clang":
            (llvm / tool.name).symlink_to(tool)
    (llvm / "clang").write_text(f'#!/bin/sh\nclang={LLVM}/clang\n{start}exec $clang "$@"\n')
    (llvm / "clang").chmod(0o755)
    return llvm


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_build_goes_on(project: Project, tmp_path: Path, sent: int) -> None:
    slow = llvm_copy(tmp_path, "case $* in *-c*) sleep 0.3;; esac\n")
    command = ["make", "verify", *ARGUMENTS, "LAYOUTS=2", f"CLANG={slow}/clang"]
    for delay in (0.5, 1.0, 1.6, 2.4):
        with subprocess.Popen(
            command, cwd=project.root, start_new_session=True, stderr=subprocess.DEVNULL
        ) as make:
            time.sleep(delay)
            os.killpg(make.pid, sent)
    project.ok(*command[1:])
    assert verify_with(project, command) == []
    left = [p for p in (project.root / "build").rglob("*.tmp") if "kept" not in p.parts]
    assert not [p for p in left if p.with_suffix("").name in ("tiny", "main.o", "step.o")]


def test_a_build_killed_as_the_compiler_ends_goes_on(project: Project, tmp_path: Path) -> None:
    once = tmp_path / "killed"
    slow = llvm_copy(
        tmp_path,
        f'case $* in *-c*) [ -e {once} ] || {{ touch {once}; $clang "$@"; kill -9 0; }};; esac\n',
    )
    command = ["make", "build", *ARGUMENTS, f"CLANG={slow}/clang"]
    killed = subprocess.run(command, cwd=project.root, start_new_session=True, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    project.ok(*command[1:])
    assert verify_with(project, command) == []


def verify_with(project: Project, command: list[str]) -> list[str]:
    return steps(project.ok(*command[1:]))


def test_v_1_shows_the_commands(project: Project) -> None:
    assert re.search(r"clang -std=c11 .*-O2 .*-c main.c", project.ok("build", *ARGUMENTS, "V=1"))


def test_binaries_do_not_depend_on_where_the_tree_lies(tmp_path: Path) -> None:
    binaries = []
    for name in ("here", "quite/far away"):
        one = copy_project(tmp_path / name)
        one.app()
        one.ok("build", "APP=apps/tiny", "VARIANTS=o2 o2-pgo o2-pgo-thin o2-pgo-full")
        built = sorted((one.root / "build" / "tiny").glob("o2*/tiny"))
        binaries.append([p.read_bytes() for p in built])
    assert len(binaries[0]) == 4
    assert binaries[0] == binaries[1]


def test_relinked_layouts_hold_the_same_code_as_the_plain_link(built: Project) -> None:
    plain = (built.root / "build/tiny/o2-thin/tiny").read_bytes()
    other = (built.root / "build/tiny/o2-thin/layouts/1/tiny").read_bytes()
    assert plain != other
    assert functions(built.root / "build/tiny/o2-thin/tiny") == functions(
        built.root / "build/tiny/o2-thin/layouts/1/tiny"
    )


def test_a_linker_that_knows_no_layouts_is_said(project: Project, tmp_path: Path) -> None:
    complaint = "ld.lld: error: unknown argument '--randomize-section-padding=1'"
    llvm = llvm_copy(tmp_path, f'case $* in *padding*) echo "{complaint}" >&2; exit 1;; esac\n')
    command = ("verify", "APP=apps/tiny", "VARIANTS=o3", f"CLANG={llvm}/clang")
    assert "too old to link a program in other layouts" in project.error(*command, "LAYOUTS=2")
    project.ok(*command, "LAYOUTS=1")


def functions(binary: Path) -> list[tuple[str, str]]:
    """Sizes of a binary's own functions by name."""
    nm = subprocess.run(
        ["nm", "--print-size", str(binary)], capture_output=True, text=True, check=True
    )
    rows = (line.split() for line in nm.stdout.splitlines())
    return sorted((r[3], r[1]) for r in rows if len(r) == 4 and r[2] in "tT")
