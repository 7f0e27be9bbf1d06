"""What a team copies: pipeline/pgo.mk, PGO.cmake and pgo.meson, each in a small project."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import LLVM, ROOT, TINY

SOURCES = ("main.c", "lib/step.c")

MAKEFILE = """\
CC = clang
CPPFLAGS = -I.
CFLAGS = -O2 -Wall

tiny: main.o lib/step.o
\t$(CC) -o $@ $^

PGO_PROGRAM := tiny
PGO_SOURCES := main.c lib/step.c
PGO_TRAIN    = $(PGO_BINARY) 1 train.txt && $(PGO_BINARY) 1 'train2.txt' >/dev/null
include pgo.mk
"""

CMAKELISTS = """\
cmake_minimum_required(VERSION 3.20)
project(tiny C)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_SOURCE_DIR}/cmake)
include(PGO)
add_library(step lib/step.c)
target_include_directories(step PUBLIC .)
add_executable(tiny main.c)
target_link_libraries(tiny PRIVATE step)
pgo_train(COMMAND tiny 1 ${CMAKE_CURRENT_SOURCE_DIR}/train.txt
          COMMAND tiny 1 ${CMAKE_CURRENT_SOURCE_DIR}/train2.txt)
"""

MESON_BUILD = """\
project('tiny', 'c')
step = static_library('step', 'lib/step.c', include_directories: '.')
tiny = executable('tiny', 'main.c', link_with: step)
pgo_train = [tiny, '1', files('train.txt')]
subdir('pgo')
"""


class Team:
    """A project of somebody else's, in which commands are run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "lib").mkdir(parents=True)
        for source in ("main.c", "step.h", "train.txt", "train2.txt"):
            shutil.copy2(TINY / source, root)
        # A static function, as those are named by the path of their file in a profile.
        text = (TINY / "step.c").read_text().replace("unsigned step(", "static unsigned inner(")
        text += "unsigned step(unsigned *state) {\n    return inner(state);\n}\n"
        (root / "lib/step.c").write_text(text.replace("static", "__attribute__((noinline)) static"))
        for name in ("pgo.mk", "cmake/PGO.cmake", "pgo/meson.build"):
            (root / name).parent.mkdir(exist_ok=True)
            source = name.replace("pgo/meson.build", "pgo.meson")
            shutil.copy2(ROOT / "pipeline" / Path(source).name, root / name)
        (root / "Makefile").write_text(MAKEFILE)
        (root / "CMakeLists.txt").write_text(CMAKELISTS)
        (root / "meson.build").write_text(MESON_BUILD)

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        own = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        own |= {"PATH": f"{LLVM}:{os.environ['PATH']}", "CC": "clang", **variables}
        return subprocess.run(
            command, cwd=self.root, env=own, capture_output=True, text=True, errors="replace"
        )

    def ok(self, *command: str, **variables: str) -> str:
        done = self.run(*command, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def compiled(self, *command: str) -> list[str]:
        """What a command compiled: 'train/main.o' and the like."""
        return sorted(re.findall(r"-c -o build-pgo/(\S+)", self.ok(*command)))

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        (self.root / name).write_text(text.replace(old, new))


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path / "team")


@pytest.fixture
def made(team: Team) -> Team:
    """A project after `make pgo`."""
    team.ok("make", "pgo")
    return team


def objects(*stages: str) -> list[str]:
    return sorted(f"{stage}/{s.replace('.c', '.o')}" for stage in stages for s in SOURCES)


# ── pgo.mk ────────────────────────────────────────────────────────────────────────────────────


def test_the_makefile_s_own_rules_stay_as_they_are(team: Team) -> None:
    team.ok("make")
    assert (team.root / "tiny").exists() and not (team.root / "build-pgo").exists()


def test_make_pgo_instruments_trains_and_builds_again(team: Team) -> None:
    strict = "CFLAGS=-O2 -Wprofile-instr-unprofiled -Werror"
    output = team.ok("make", "pgo", strict)
    assert output.count("-fprofile-generate") == 3
    assert output.count("-fprofile-use=build-pgo/train.profdata -flto=thin") == 3
    assert team.ok("build-pgo/tiny", "1", "train.txt") == team.ok(
        "build-pgo/train/tiny", "1", "train.txt", LLVM_PROFILE_FILE="/dev/null"
    )
    assert "Nothing to be done" in team.ok("make", "pgo", strict)


def test_cspgo_trains_a_second_time_as_the_program_will_be_built(team: Team) -> None:
    output = team.ok("make", "pgo", "PGO_MODE=cspgo", "PGO_LTO=full")
    assert output.count("-fcs-profile-generate -flto=full") == 3
    assert output.count("-fprofile-use=build-pgo/cstrain.profdata -flto=full") == 3
    shown = team.ok("llvm-profdata", "show", "--showcs", "build-pgo/cstrain.profdata")
    assert int(re.findall(r"Total functions: (\d+)", shown)[0]) > 0
    assert "Nothing to be done" in team.ok("make", "pgo", "PGO_MODE=cspgo", "PGO_LTO=full")


def test_without_lto_no_object_is_bitcode(team: Team) -> None:
    team.ok("make", "pgo", "PGO_LTO=none")
    assert (team.root / "build-pgo/final/main.o").read_bytes()[:4] == b"\x7fELF"


def test_a_changed_source_is_compiled_and_trained_with(made: Team) -> None:
    made.change("main.c", "j < 20000", "j < 10000")
    assert made.compiled("make", "pgo") == sorted(["train/main.o", *objects("final")])


def test_a_changed_header_is_noticed(made: Team) -> None:
    made.change("step.h", "FACTOR 3", "FACTOR 4")
    assert "train/lib/step.o" in made.compiled("make", "pgo")


def test_training_data_that_changes_the_profile_rebuilds(made: Team) -> None:
    made.change("train.txt", "1", "2")
    assert made.compiled("make", "pgo") == objects("final")


def test_training_that_gives_the_same_profile_rebuilds_nothing(made: Team) -> None:
    os.utime(made.root / "train.txt")
    output = made.ok("make", "pgo")
    assert "merge" in output and "-c -o" not in output


def test_another_training_command_trains_again(made: Team) -> None:
    assert made.compiled("make", "pgo", "PGO_TRAIN=$(PGO_BINARY) 2 train.txt") == objects("final")


def test_other_flags_build_everything_again(made: Team) -> None:
    assert made.compiled("make", "pgo", "CFLAGS=-O3") == objects("train", "final")


def test_a_lost_profile_is_taken_again(made: Team) -> None:
    (made.root / "build-pgo/train.profdata").unlink()
    assert made.compiled("make", "pgo") == objects("final")


def test_pgo_clean_leaves_nothing(made: Team) -> None:
    made.ok("make", "pgo-clean")
    assert not (made.root / "build-pgo").exists()


@pytest.mark.parametrize("argument, message", [
    ("PGO_TRAIN=true $(PGO_BINARY)", "PGO_TRAIN recorded no profile"),
    ("PGO_TRAIN=$(PGO_BINARY) 1 absent.txt", "Error 1"),
    ("PGO_TRAIN=./tiny", "PGO_TRAIN has to run $(PGO_BINARY)"),
    ("PGO_SOURCES=", "PGO_SOURCES is not set"),
    ("PGO_SOURCES=../main.c", "the source '../main.c' is not a C file below this directory"),
    ("PGO_MODE=csgo", "PGO_MODE is 'csgo', it can be pgo or cspgo"),
    ("PGO_LTO=fat", "PGO_LTO is 'fat', it can be thin, full or none"),
])  # fmt: skip
def test_what_cannot_work_is_an_error(team: Team, argument: str, message: str) -> None:
    done = team.run("make", "pgo", argument)
    assert done.returncode != 0
    assert message in done.stderr
    assert not (team.root / "build-pgo/tiny").exists()


# ── PGO.cmake ─────────────────────────────────────────────────────────────────────────────────

GENERATORS = pytest.mark.parametrize("generator", ["Ninja", "Unix Makefiles"])
LTO = "-DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON"


def cmake(team: Team, tree: str, generator: str, *options: str, target: str = "all") -> str:
    configured = team.ok("cmake", "-G", generator, "-B", tree, *options)
    return configured + team.ok("cmake", "--build", tree, "-v", "--target", target)


@GENERATORS
def test_cmake_trains_in_one_tree_and_uses_the_profile_in_another(
    team: Team, generator: str
) -> None:
    cmake(team, "train", generator, "-DPGO=generate", target="pgo-train")
    output = cmake(team, "use", generator, "-DPGO=use", LTO)
    assert len(re.findall(r"-flto=thin.* -fprofile-use=\S+ ", output)) >= 3
    assert "Building C" not in team.ok("cmake", "--build", "use")
    with (team.root / "pgo.profdata").open("ab") as file:
        file.write(b"\0" * 8)
    assert team.ok("cmake", "--build", "use").count("Building C") == 2


def test_cmake_takes_a_context_sensitive_profile_with_the_first_in_it(team: Team) -> None:
    cmake(team, "train", "Ninja", "-DPGO=generate", target="pgo-train")
    cmake(team, "cs", "Ninja", "-DPGO=cs-generate", LTO, target="pgo-train")
    for option, least in (("--showcs", 1), ("--all-functions", 3)):
        shown = team.ok("llvm-profdata", "show", option, "pgo.cs.profdata")
        assert int(re.findall(r"Total functions: (\d+)", shown)[0]) >= least


def test_a_profile_that_cmake_took_serves_a_clone_in_another_directory(
    team: Team, tmp_path: Path
) -> None:
    cmake(team, "train", "Ninja", "-DPGO=generate", target="pgo-train")
    clone = Team(tmp_path / "somewhere else")
    shutil.copy2(team.root / "pgo.profdata", clone.root)
    strict = "-DCMAKE_C_FLAGS=-Werror -Wprofile-instr-unprofiled -Wprofile-instr-missing"
    cmake(clone, "use", "Ninja", "-DPGO=use", strict)
    names = clone.ok("llvm-profdata", "show", "--all-functions", "pgo.profdata")
    assert "step.c;inner:" in names and str(tmp_path) not in names


@pytest.mark.parametrize("options, edit, message", [
    (["-DPGO=use"], "", "there is no '"),
    (["-DPGO=yes"], "", "PGO is 'yes', it can be off, generate, cs-generate or use"),
    (["-DPGO=generate", "-DCMAKE_C_COMPILER=gcc"], "", "PGO needs Clang"),
    (["-DPGO=generate"], "COMMAND true", "training recorded no profile"),
    (["-DPGO=generate"], "COMMAND tiny 1 absent.txt", "1"),
])  # fmt: skip
def test_what_cannot_work_is_an_error_of_cmake(
    team: Team, options: list[str], edit: str, message: str
) -> None:
    if edit:
        old = CMAKELISTS[CMAKELISTS.index("pgo_train"):]
        team.change("CMakeLists.txt", old, f"pgo_train({edit})")
    done = team.run("cmake", "-G", "Ninja", "-B", "b", *options)
    if done.returncode == 0:
        done = team.run("cmake", "--build", "b", "--target", "pgo-train")
    assert done.returncode != 0
    assert message in " ".join((done.stdout + done.stderr).split())
    assert not (team.root / "pgo.profdata").exists()


def test_cmake_without_pgo_adds_nothing(team: Team) -> None:
    assert "profile" not in cmake(team, "plain", "Ninja")


# ── pgo.meson ─────────────────────────────────────────────────────────────────────────────────


def meson_commands() -> list[str]:
    """The commands in the file's own head, which are thus known to work."""
    head = (ROOT / "pipeline/pgo.meson").read_text()
    return re.findall(r"^#     (.*meson (?:setup|compile|configure) .*)$", head, re.MULTILINE)


def test_the_commands_in_pgo_meson_train_and_build_again(team: Team) -> None:
    setup, train, use = meson_commands()
    for command in (setup, train, use):
        team.ok("sh", "-c", command)
    compiled = (team.root / "build/build.ninja").read_text()
    assert "-fprofile-use" in compiled and "-flto=thin" in compiled
    team.ok("make")
    assert team.ok("build/tiny", "1", "train.txt") == team.ok("./tiny", "1", "train.txt")
    (team.root / "build/default.profdata").unlink()
    team.change("main.c", "sums steps", "adds up steps")
    assert team.run("meson", "compile", "-C", "build").returncode != 0


def test_meson_training_without_a_profile_is_an_error(team: Team) -> None:
    team.change("meson.build", "[tiny, '1', files('train.txt')]", "['true']")
    setup, train, _ = meson_commands()
    team.ok("sh", "-c", setup)
    done = team.run("sh", "-c", train)
    assert done.returncode != 0
    assert "no profile was recorded" in done.stdout + done.stderr
