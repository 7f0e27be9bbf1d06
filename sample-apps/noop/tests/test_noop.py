"""Tests of noop."""

import os
import pathlib
import shutil
import subprocess

import pytest

APP = pathlib.Path(__file__).resolve().parent.parent
FLAGS = (
    "-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "
    "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
).split()
LINE = b"nothing was done\n"


def find_clang() -> str:
    """$CLANG, or the newest that is installed."""
    if "CLANG" in os.environ:
        return os.environ["CLANG"]
    by_version = sorted(
        pathlib.Path("/usr/lib").glob("llvm-*/bin/clang"),
        key=lambda path: int(path.parts[3].removeprefix("llvm-")),
    )
    found = shutil.which("clang-22") or (str(by_version[-1]) if by_version else None)
    assert found is not None, "no clang: install clang-22 or set CLANG"
    return found


@pytest.fixture(scope="session")
def noop(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The program with sanitizers."""
    output = tmp_path_factory.mktemp("noop") / "noop"
    subprocess.run([find_clang(), *FLAGS, APP / "main.c", "-o", output], check=True)
    return output


@pytest.mark.parametrize("arguments", [[], ["train"], ["eval"], ["--help", "-x", ""]])
def test_it_prints_its_line_whatever_the_arguments(
    noop: pathlib.Path, arguments: list[str]
) -> None:
    done = subprocess.run([noop, *arguments], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, LINE, b"")


def test_it_fails_when_the_line_cannot_be_written(noop: pathlib.Path) -> None:
    with open("/dev/full", "wb") as full:
        assert subprocess.run([noop], stdout=full, check=False).returncode == 1
