"""scripts/setup, with the package manager played by small scripts; scripts/python; suggest.py."""
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
CORE = ["clang-{}", "lld-{}", "llvm-{}", "libclang-rt-{}-dev"]
BOLT = ["bolt-{}", "libbolt-{}-dev"]
LINTERS = ["clang-format-{}", "clang-tidy-{}"]
OTHERS = """make libc6-dev libc6-dbg g++ hyperfine valgrind time python3 python3-numpy python3-scipy
    python3-matplotlib python3-jinja2 python3-rich""".split()
FOR_TESTS = """shellcheck flake8 mypy yamllint chromium cmake ninja-build meson autoconf automake
    libtool libtool-bin ccache python3-pytest python3-pytest-xdist python3-hypothesis
    python3-jsonschema python3-yaml""".split()

FAKES = {
    "id": 'cat "$FAKE/uid"',
    "sleep": ":",
    "apt-cache": 'cat "$FAKE/known"',
    "dpkg-query": 'sed "s/^/installed /" "$FAKE/installed"',
    "dpkg": 'echo "dpkg $*" >>"$FAKE/calls"',
    # `fail-update` and `fail-install` hold what the next calls say, a line each, before they fail.
    "apt-get": """
        echo "apt-get $*" >>"$FAKE/calls"
        case $* in *update*) what=update ;; *) what=install ;; esac
        if [ -s "$FAKE/fail-$what" ]; then
            head -n 1 "$FAKE/fail-$what" >&2
            sed -i 1d "$FAKE/fail-$what"
            exit 100
        fi
        case $what in
        update) cat "$FAKE/released" >>"$FAKE/known" ;;
        install) while [ "$1" != install ]; do shift; done; shift
            printf '%s\\n' "$@" >>"$FAKE/installed" ;;
        esac""",
}


def llvm(version: int, patterns: Iterable[str] = (*CORE, *BOLT)) -> list[str]:
    return [pattern.format(version) for pattern in patterns]


class Machine:
    """A Debian as far as scripts/setup can see: what is known, installed and about to fail."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name, script in FAKES.items():
            (path / name).write_text(f"#!/bin/sh\n{script}\n")
            (path / name).chmod(0o755)
        released = [*llvm(22), *llvm(22, LINTERS), *OTHERS, *FOR_TESTS]
        self.has(uid=["0"], known=[], installed=[], released=released, calls=[])

    def has(self, **files: Iterable[str]) -> None:
        for name, lines in files.items():
            text = "".join(f"{line}\n" for line in lines)
            (self.path / name.replace("_", "-")).write_text(text)

    def setup(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "FAKE": str(self.path), "PATH": f"{self.path}:/usr/bin:/bin"}
        return subprocess.run([SCRIPTS / "setup", *arguments], env=env, capture_output=True,
                              text=True)

    def installed(self) -> set[str]:
        return set((self.path / "installed").read_text().split())

    def calls(self) -> list[str]:
        return (self.path / "calls").read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_fresh_machine_gets_what_make_pgo_needs_and_is_told_before(machine: Machine) -> None:
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert machine.installed() == {*llvm(22), *OTHERS}
    assert "pgolab: installing clang-22 lld-22 " in done.stdout
    assert all("--no-install-recommends" in call for call in machine.calls() if "install" in call)


def test_the_tests_need_more(machine: Machine) -> None:
    machine.setup()
    done = machine.setup("--tests")
    assert done.returncode == 0, done.stderr
    assert machine.installed() == {*llvm(22), *llvm(22, LINTERS), *OTHERS, *FOR_TESTS}
    assert "pgolab: installing clang-format-22 clang-tidy-22 shellcheck " in done.stdout


@pytest.mark.parametrize("arguments", [[], ["--tests"]], ids=str)
def test_a_second_run_calls_no_package_manager(machine: Machine, arguments: list[str]) -> None:
    machine.setup(*arguments)
    machine.has(calls=[])
    assert machine.setup(*arguments).returncode == 0
    assert machine.calls() == []


@pytest.mark.parametrize("arguments", [["--test"], ["tests"], ["--tests", "x"], [""]], ids=str)
def test_other_arguments_are_refused(machine: Machine, arguments: list[str]) -> None:
    done = machine.setup(*arguments)
    assert done.returncode != 0
    assert f"pgolab: no such arguments: '{' '.join(arguments)}'\nhint: " in done.stderr
    assert machine.calls() == []


@pytest.mark.parametrize("released, taken", [
    ([*llvm(14), *llvm(19), *llvm(22), *llvm(23)], llvm(22)),
    ([*llvm(9), *llvm(14), *llvm(19)], llvm(19)),
    ([*llvm(19), *llvm(20, CORE)], llvm(19)),
    ([*llvm(15, CORE), *llvm(16, CORE), *llvm(17, CORE[:3])], llvm(16, CORE)),
], ids=["22 before a newer one", "the newest without 22", "BOLT before a newer one", "no BOLT"])
def test_the_best_llvm_of_a_release_is_taken(machine: Machine, released: list[str],
                                             taken: list[str]) -> None:
    machine.has(released=released + OTHERS)
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert machine.installed() == {*taken, *OTHERS}


def test_another_llvm_than_22_is_announced(machine: Machine) -> None:
    machine.has(released=llvm(19) + OTHERS)
    said = "no LLVM 22 (for Debian 12 it is in bookworm-security): taking LLVM 19, the newest"
    assert said in machine.setup().stdout


def test_what_a_release_lacks_is_named(machine: Machine) -> None:
    machine.has(released=llvm(16, CORE) + OTHERS)
    assert "left out: bolt-16 libbolt-16-dev \n" in machine.setup().stdout


def test_only_what_is_missing_is_installed(machine: Machine) -> None:
    machine.has(installed=[name for name in llvm(22) + OTHERS if name != "hyperfine"],
                known=llvm(22))
    machine.setup()
    assert machine.calls()[-1].endswith(" install hyperfine")


@pytest.mark.parametrize("arguments", [[], ["--tests"]], ids=str)
def test_an_ordinary_user_gets_the_command_and_no_call(
    machine: Machine, arguments: list[str]
) -> None:
    machine.has(uid=["1000"])
    done = machine.setup(*arguments)
    assert done.returncode != 0
    assert f"hint: sudo {' '.join([f'{SCRIPTS}/setup', *arguments])}\n" in done.stderr
    assert "apt-get install --no-install-recommends clang-22 lld-22" in done.stderr
    assert machine.calls() == []


def test_an_ordinary_user_with_everything_installed_succeeds(machine: Machine) -> None:
    machine.has(uid=["1000"], known=llvm(22), installed=llvm(22) + OTHERS)
    assert machine.setup().returncode == 0


def test_a_release_without_llvm_is_refused_with_a_hint(machine: Machine) -> None:
    machine.has(released=OTHERS)
    done = machine.setup()
    assert done.returncode != 0
    assert "pgolab: this release has no LLVM" in done.stderr and "\nhint: " in done.stderr
    assert machine.installed() == set()


def test_another_process_that_refreshes_the_lists_is_waited_for(machine: Machine) -> None:
    machine.has(fail_update=["E: Could not get lock /var/lib/apt/lists/lock"] * 2)
    assert machine.setup().returncode == 0
    assert sum("update" in call for call in machine.calls()) == 3


def test_a_broken_source_does_not_stop_what_the_others_have(machine: Machine) -> None:
    machine.has(fail_update=["E: a repository is not signed"], known=llvm(22) + OTHERS)
    done = machine.setup()
    assert done.returncode == 0 and "is not signed" in done.stderr
    assert machine.installed() == {*llvm(22), *OTHERS}


def test_a_half_finished_installation_is_finished_first(machine: Machine) -> None:
    machine.has(fail_install=["E: dpkg was interrupted, you must run 'dpkg --configure -a'"])
    assert machine.setup().returncode == 0
    assert machine.calls()[-2] == "dpkg --configure -a"
    assert "--fix-broken" in machine.calls()[-1]


def test_an_installation_that_fails_twice_ends_in_two_lines(machine: Machine) -> None:
    machine.has(fail_install=["E: no space"] * 2)
    done = machine.setup()
    assert done.returncode != 0
    assert [line.split(":")[0] for line in done.stderr.splitlines()[-2:]] == ["pgolab", "hint"]


def test_a_system_without_apt_is_told_what_to_install(tmp_path: Path) -> None:
    for name in ("sh", "dirname", "make", "git"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    done = subprocess.run([SCRIPTS / "setup"], env={"PATH": str(tmp_path)}, capture_output=True,
                          text=True)
    assert done.returncode != 0
    assert "no 'apt-get' here, and not on PATH: clang ld.lld " in done.stderr
    assert " make " not in done.stderr.splitlines()[0]


def fake_python(path: Path, script: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "python3").write_text(f"#!/bin/sh\n{script}\n")
    (path / "python3").chmod(0o755)
    return path / "python3"


def run_python(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPTS / "python", *arguments], env={**os.environ, **env},
                          capture_output=True, text=True, input="from the caller")


def test_the_chosen_python_has_the_modules_and_keeps_standard_input() -> None:
    done = run_python("-c", "import sys, scipy, rich; print(sys.stdin.read(), sys.argv[1:])", "a b")
    assert done.stdout == "from the caller ['a b']\n", done.stderr


def test_a_python_of_the_user_is_the_one_that_runs(tmp_path: Path) -> None:
    python = fake_python(tmp_path, f"echo mine >&2; exec {sys.executable} \"$@\"")
    assert run_python("-c", "", PGOLAB_PYTHON=str(python)).stderr == "mine\n"


@pytest.mark.parametrize("script, why", [
    ('echo "lacks scipy" >&2; exit 1', "lacks scipy"),
    ("exit 1", "does not run"),
])
def test_a_python_of_the_user_is_never_replaced(tmp_path: Path, script: str, why: str) -> None:
    python = fake_python(tmp_path, script)
    done = run_python("-c", "print(1)", PGOLAB_PYTHON=str(python))
    assert done.returncode != 0 and done.stdout == ""
    assert f"'{python}' {why}\nhint: " in done.stderr


def test_a_python_that_is_not_there_is_named() -> None:
    assert "'/no/python' is not there" in run_python(PGOLAB_PYTHON="/no/python").stderr


def test_modules_are_really_looked_for(tmp_path: Path) -> None:
    python = fake_python(tmp_path, f'exec {sys.executable} -S "$@"')
    done = run_python(PGOLAB_PYTHON=str(python))
    assert "lacks numpy, scipy, matplotlib, jinja2, rich" in done.stderr


@pytest.mark.parametrize("arguments, said", [
    (["parsr", "gzip", "parser"], "parser\n"),
    (["VARIENTS", "VARIANTS", "VARIANT"], "VARIANTS\n"),
    (["--version", "o2"], ""),
    (["xyz", "o2", "thin"], ""),
    (["xyz"], ""),
])
def test_the_nearest_name_is_suggested_or_none(arguments: list[str], said: str) -> None:
    assert run_python(str(SCRIPTS / "suggest.py"), *arguments).stdout == said
