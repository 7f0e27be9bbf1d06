"""How scripts end: status and message, whatever happens in them; and the names they suggest."""
import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from pgolab import errors
from pgolab.names import nearest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


def ended(raised: BaseException | int, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The status and the standard error of a script that raises, or returns, `raised`."""
    def main(argv: Sequence[str]) -> int:
        if isinstance(raised, BaseException):
            raise raised
        return raised

    with pytest.raises(SystemExit) as ending:
        errors.run(main)
    assert isinstance(ending.value.code, int)
    return ending.value.code, capsys.readouterr().err


@pytest.fixture(autouse=True)
def no_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGOLAB_TRACEBACK", raising=False)


@pytest.mark.parametrize("status", [0, 1, 7])
def test_a_script_ends_with_the_status_it_returns(status: int,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(status, capsys) == (status, "")


@pytest.mark.parametrize("raised, lines", [
    (errors.Failure("no app 'x'", "see make list"),
     ["pgolab: no app 'x'", "hint: see make list"]),
    (errors.Failure("it failed", "read on", ["  first", "  second"]),
     ["pgolab: it failed", "  first", "  second", "hint: read on"]),
    (OSError(errno.ENOSPC, "No space left on device", "/a/b"),
     ["pgolab: '/a/b': No space left on device",
      "hint: free some space there (`df -h` shows where there is some), then run it again"]),
    (PermissionError(errno.EACCES, "Permission denied", b"/a/b"),
     ["pgolab: '/a/b': Permission denied", "hint: see who owns it with `ls -ld`"]),
    (ValueError("two\nlines"),
     ["pgolab: unexpected ValueError: 'two lines'", f"hint: {errors.RERUN}"]),
    (OSError("timed out"),
     ["pgolab: unexpected OSError: 'timed out'", f"hint: {errors.RERUN}"]),
], ids=lambda value: type(value).__name__)
def test_what_is_raised_becomes_a_message_and_a_hint(raised: Exception, lines: list[str],
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(raised, capsys) == (errors.FAILED, "\n".join(lines) + "\n")


def test_an_interrupted_script_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(KeyboardInterrupt(), capsys) == (130, "pgolab: interrupted\n")


def test_a_developer_gets_the_traceback_on_request(capsys: pytest.CaptureFixture[str],
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOLAB_TRACEBACK", "1")
    assert "Traceback (most recent call last)" in ended(ValueError("x"), capsys)[1]


def test_a_wrong_argument_looks_like_any_other_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(errors.Failure) as raised:
        errors.Parser(prog="doctor.py").parse_args(["--nope"])
    assert ended(raised.value, capsys)[1].startswith("pgolab: doctor.py: unrecognized arguments")


def run_script(body: str, stdout: int) -> subprocess.CompletedProcess[str]:
    """A script of its own: what becomes of its buffers when Python ends is part of the test."""
    code = f"from pgolab import errors\ndef main(argv):\n    {body}\n    return 0\nerrors.run(main)"
    env = {**os.environ, "PYTHONPATH": str(SCRIPTS), "PYTHONUNBUFFERED": ""}
    return subprocess.run([sys.executable, "-c", code], stdout=stdout, stderr=subprocess.PIPE,
                          text=True, env=env)


@pytest.mark.parametrize("count", [1, 100_000], ids=["at the end", "in the middle"])
def test_a_reader_that_leaves_early_is_no_error(count: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run_script(f"print('x' * {count})", writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_below_standard_output_is_said_once() -> None:
    with open("/dev/full", "w") as full:
        done = run_script("print('x')", full.fileno())
    assert done.returncode == errors.FAILED
    assert done.stderr.splitlines()[0] == "pgolab: No space left on device"
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("name, known, expected", [
    ("parsr", ["gzip", "parser"], "parser"),
    ("app", ["APPS", "APP", "RUN"], "APP"),
    ("o2-thin-pgo", ["o2-thin", "o2-pgo-thin", "o2-pgo"], "o2-pgo-thin"),
    ("o2-pgo-thinn", ["o2-thin", "o2-pgo-thin", "o2-pgo"], "o2-pgo-thin"),
    ("zebra", ["gzip", "parser"], None),
    ("x", [], None),
])
def test_the_nearest_name_is_what_was_meant(name: str, known: list[str],
                                            expected: str | None) -> None:
    assert nearest(name, known) == expected
