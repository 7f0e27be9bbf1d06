"""Fixtures: a private copy of the project to run make in, and a tiny app to run it on."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

TINY = ROOT / "tests" / "fixtures" / "tiny"
TICK = 0.02  # seconds; time stamps of files are no finer than a few milliseconds


# nohup, and a shell in the background, start tests with signals ignored. The programs that tests
# start would inherit that, and wait for ever for a signal; a handler they do not inherit.
for number in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


def newest_llvm() -> Path:
    """The directory of LLVM's tools that pgolab takes when it is not told another."""
    installed = sorted(Path("/usr/lib").glob("llvm-[0-9][0-9]/bin"))
    preferred = Path("/usr/lib/llvm-22/bin")
    return preferred if preferred in installed else installed[-1]


LLVM = newest_llvm()


@dataclass(frozen=True)
class Project:
    """A copy of the project, without anything built, in a directory of its own."""

    root: Path

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs make there; environment adds variables."""
        foreign = ("MAKE", "MFLAGS", "PGOLAB")
        own = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        return subprocess.run(
            ["make", *arguments],
            cwd=self.root,
            env=own | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def ok(self, *arguments: str, **environment: str) -> str:
        """Runs make, which has to succeed; its standard output."""
        done = self.make(*arguments, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def error(self, *arguments: str, **environment: str) -> str:
        """Runs make, which has to fail; its standard error, of pgolab's form."""
        done = self.make(*arguments, **environment)
        assert done.returncode != 0, done.stdout
        lines = done.stderr.splitlines()
        assert lines[0].startswith("pgolab: "), done.stderr
        assert any(line.startswith("hint: ") for line in lines), done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def save(self) -> Path:
        """A copy of everything as it is, time stamps too, for restore()."""
        saved = self.root.with_name("saved")
        shutil.copytree(self.root, saved, symlinks=True)
        return saved

    def restore(self, saved: Path) -> None:
        """Makes everything as it was, in the same place."""
        shutil.rmtree(self.root)
        shutil.copytree(saved, self.root, symlinks=True)

    def app(self, name: str = "tiny", path: str = "apps") -> Path:
        """A copy of the tiny app; give it to make as APP=apps/NAME."""
        target = self.root / path / name
        shutil.copytree(TINY, target)
        return target


def copy_project(target: Path, lock: Path | None = None) -> Project:
    """The parts of the project that a build needs; lock: where its lock is, target's parent."""
    target.mkdir(parents=True)
    for name in ("Makefile", "pipeline", "scripts"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target / name)
    # Tests that run at once would wait for each other at the lock of the machine.
    toolchain = target / "pipeline/toolchain.mk"
    own = re.subn(r"(?m)^lock := .*$", f"lock := {lock or target.parent}", toolchain.read_text())
    assert own[1] == 1
    toolchain.write_text(own[0])
    (target / "sample-apps").mkdir()
    (target / "results").mkdir()
    return Project(target)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy of the project with the tiny app in apps/tiny."""
    made = copy_project(tmp_path / "pgolab")
    made.app()
    return made


@pytest.fixture
def new_project(tmp_path: Path) -> Callable[[str], Project]:
    """Makes a copy of the project in a directory of the given name."""
    return lambda name: copy_project(tmp_path / name, tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project that the tests of a file share."""
    return copy_project(tmp_path_factory.mktemp("shared") / "pgolab")


@pytest.fixture
def app(shared: Project) -> Path:
    """A fresh tiny app in the shared project, with nothing built or trained."""
    for name in ("apps", "build", "profiles"):
        shutil.rmtree(shared.root / name, ignore_errors=True)
    return shared.app()


def edit_file(path: Path, old: str, new: str) -> None:
    """Replaces text in a file, and makes sure that its time stamp changes."""
    text = path.read_text()
    assert old in text
    time.sleep(TICK)
    path.write_text(text.replace(old, new))


def counters(profile: Path, function: str) -> list[int]:
    """The counters of a function in a profile."""
    text = subprocess.run(
        [LLVM / "llvm-profdata", "show", f"--function={function}", "--counts", profile],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = re.search(r"Block counts: \[([^]]*)\]", text)
    assert found, text
    return [int(x) for x in found[1].split(",")]


def steps(output: str) -> list[str]:
    """What make said it did: 'CC tiny/o2/main.o' and the like, sorted."""
    lines = (line.split() for line in output.splitlines())
    return sorted(f"{w[0]} {w[1]}" for w in lines if len(w) == 2 and w[0].isupper())
