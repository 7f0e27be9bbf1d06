"""Counting the instructions of a command: the same count for the same binary and input.

With hardware counters by perf, else by callgrind. The count says whether code generation changed;
it says nothing about what layout, prediction or caches do, and can move against the time.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pgolab import timing, tool
from pgolab.errors import Failure

PERF = ["perf", "stat", "-x;", "-e", "instructions:u", "--"]
CALLGRIND = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--"]


@cache
def method() -> str:
    """'perf' where it can count instructions, else 'callgrind'."""
    if shutil.which("perf"):
        done = subprocess.run([*PERF, "true"], capture_output=True, text=True)
        if done.returncode == 0 and re.match(r"\d+;", done.stderr):
            return "perf"
    if shutil.which("valgrind"):
        return "callgrind"
    raise Failure("neither perf nor valgrind can count instructions", "run ./scripts/setup")


def count(
    command: Sequence[str], where: Path, label: str, launcher: Sequence[str] = ()
) -> int:
    """Instructions that one run of a command takes, its children and launcher not included."""
    prefix, pattern = {
        "perf": (PERF, r"^(\d+);"),
        "callgrind": (CALLGRIND, r"Collected : (\d+)"),
    }[method()]
    with timing.busy("workloads"):
        done = subprocess.run(
            [*launcher, *prefix, *command],
            cwd=where,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    match = re.search(pattern, done.stderr, re.MULTILINE)
    if done.returncode != 0 or not match:
        raise Failure(
            f"instructions of {label} cannot be counted: {method()} ended with {done.returncode}",
            "programs built with -g need -gdwarf-4 in app.cflags for valgrind",
            done.stderr.splitlines()[-10:],
        )
    return int(match[1])


def version() -> str:
    """The program that counts, with its version."""
    name = {"perf": "perf", "callgrind": "valgrind"}[method()]
    return tool.output([name, "--version"]).strip()
