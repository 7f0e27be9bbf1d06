"""How `make test` runs tests, and how .ci/run counts them: on a project with tests of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PASSES = "def test_passes():\n    pass\n"
FAILS = "def test_fails():\n    assert False\n"
BROKEN = "import pytest\n@pytest.fixture\ndef no():\n    1 / 0\ndef test_errs(no):\n    pass\n"
ALONE = "import pytest\n@pytest.mark.alone\n"
WHERE = """\
import os
import pytest

def test_together():
    assert "PYTEST_XDIST_WORKER" in os.environ

@pytest.mark.alone
def test_alone():
    assert "PYTEST_XDIST_WORKER" not in os.environ
"""


def project(place: Path, tests: str = "") -> Path:
    """What CI and `make test` need, with set-up and linters that do nothing, and other tests."""
    for name in (".ci", "scripts", "tests", "sample-apps/one/tests"):
        (place / name).mkdir(parents=True)
    shutil.copy2(ROOT / ".ci/run", place / ".ci/run")
    shutil.copy2(ROOT / "setup.cfg", place / "setup.cfg")
    shutil.copy2(ROOT / "scripts/run_tests.py", place / "scripts/run_tests.py")
    shutil.copytree(ROOT / "scripts/pgolab", place / "scripts/pgolab")
    (place / "scripts/setup").write_text("#!/bin/sh\n")
    (place / "scripts/setup").chmod(0o755)
    (place / "Makefile").write_text(f"lint:\ntest:\n\t@{sys.executable} scripts/run_tests.py\n")
    (place / "tests/test_tests.py").write_text(tests)
    (place / "sample-apps/one/tests/test_one.py").write_text(WHERE)
    return place


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    own = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "PYTEST"))}
    return subprocess.run(command, env=own | variables, capture_output=True, text=True)


@pytest.mark.parametrize("tests, last, status, colour", [
    ("", "3 passed, 0 failed", 0, True),
    (FAILS, "3 passed, 1 failed", 1, False),
    (ALONE + FAILS, "3 passed, 1 failed", 1, True),
    (BROKEN, "3 passed, 1 failed", 1, False),
    ("def", "1 passed, 2 failed", 1, True),
], ids=["all pass", "together", "alone", "in a fixture", "no Python"])  # fmt: skip
def test_ci_sums_both_parts_and_fails_with_either(
    tmp_path: Path, tests: str, last: str, status: int, colour: bool
) -> None:
    ci = project(tmp_path / "p", PASSES + tests) / ".ci/run"
    done = run(ci, PY_COLORS="1" if colour else "0")
    assert (done.stdout.splitlines()[-1], done.returncode) == (last, status), done.stdout
    assert ("test] Error 1" in done.stdout) == (status != 0)
    assert ("\x1b[" in done.stdout) == colour


def test_modules_that_the_tests_lack_are_named(tmp_path: Path) -> None:
    place = project(tmp_path / "p")
    done = run(sys.executable, "-S", place / "scripts/run_tests.py")
    assert done.returncode != 0
    assert done.stderr == (
        "pgolab: the tests need pytest, xdist, hypothesis, jsonschema, yaml\n"
        "hint: run ./scripts/setup --tests\n"
    )
