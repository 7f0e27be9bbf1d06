"""Compares with the reference implementation of Lox: its tests, and its benchmarks.

Both are in a checkout of https://github.com/munificent/craftinginterpreters, whose C
implementation is built here with the compiler and the flags that lox is built with.
"""

import os
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

from test_lox import COMPILE_ERROR, RUNTIME_ERROR, run

# What the reference's own test runner does not give to its C implementation: tests of
# interpreters from earlier chapters. Benchmarks are measured instead.
NOT_TESTS = {"scanning", "expressions", "benchmark"}
ROUNDS = 5
STATUS_OF_MARK = {"output": 0, "compile": COMPILE_ERROR, "runtime": RUNTIME_ERROR}
EXPECTATIONS = {
    "output": re.compile(r"// expect: ?(.*)"),
    "runtime": re.compile(r"// expect runtime error: (.+)"),
    "compile": re.compile(r"// (?:\[(?:c )?line (\d+)\] )?(Error.*)"),
}


def build_reference(checkout: Path, target: Path) -> Path:
    sources = sorted(str(path) for path in checkout.glob("c/*.c"))
    assert sources, f"'{checkout}' has no c/*.c: it is no checkout of craftinginterpreters"
    compiler = os.environ.get("CLANG", "/usr/lib/llvm-22/bin/clang")
    subprocess.run([compiler, "-std=c99", "-O2", *sources, "-o", str(target)], check=True)
    return target


def expectations(source: str) -> dict[str, list[tuple[int, str]]]:
    """For each kind what the comments of a test expect, with the line that it is about."""
    found: dict[str, list[tuple[int, str]]] = {kind: [] for kind in EXPECTATIONS}
    for number, line in enumerate(source.splitlines(), 1):
        for kind, pattern in EXPECTATIONS.items():
            match = pattern.search(line)
            if match:
                about = match[1] if kind == "compile" and match[1] else number
                found[kind].append((int(about), match[match.lastindex or 1]))
                break
    return found


def check_expectations(binary: Path, path: Path) -> int:
    """Fails unless the test prints, reports and returns what it says; returns in how many
    comments it says so."""
    expected = expectations(path.read_text(encoding="utf-8"))
    done = run(binary, str(path))
    errors = done.stderr.splitlines()
    status = max(STATUS_OF_MARK[kind] for kind in expected if expected[kind] or kind == "output")
    assert done.returncode == status, f"{path}: exit status {done.returncode}, not {status}"
    assert done.stdout.splitlines() == [text for _, text in expected["output"]], path
    if expected["runtime"]:
        line, message = expected["runtime"][0]
        assert errors[0] == message, f"{path}: {errors[0]}"
        assert errors[1].startswith(f"[line {line}] in "), f"{path}: {errors[1]}"
    else:
        assert set(errors) == {f"[line {line}] {text}" for line, text in expected["compile"]}, path
    return sum(map(len, expected.values()))


def check_tests(lox: Path, clox: Path, checkout: Path) -> str:
    """Every test of the language does what its comments say, and prints on both outputs
    exactly what the reference does."""
    paths = [path for path in sorted(checkout.glob("test/**/*.lox"))
             if path.relative_to(checkout / "test").parts[0] not in NOT_TESTS]
    assert paths, f"'{checkout}' has no tests"
    comments = 0
    for path in paths:
        comments += check_expectations(lox, path)
        mine, theirs = run(lox, str(path)), run(clox, str(path))
        assert (mine.stdout, mine.stderr, mine.returncode) == (
            theirs.stdout, theirs.stderr, theirs.returncode), path
    return (f"{len(paths)} tests of the language with {comments} expectations pass, and print "
            "what the reference prints")


def user_s(binary: Path, path: Path) -> float:
    """User time of a benchmark; of one that runs for a fixed time, for each of its batches,
    whose number it prints on its second line."""
    with subprocess.Popen([str(binary), str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{path}: {output}"
    return usage.ru_utime / (float(output.splitlines()[1]) if is_batch(path) else 1)


def is_batch(path: Path) -> bool:
    return path.stem.endswith("_batch")


def check_refused(lox: Path, clox: Path, path: Path) -> bool:
    """Whether the reference cannot compile a benchmark, in which case lox must say the same."""
    if is_batch(path):
        return False
    theirs, mine = run(clox, str(path)), run(lox, str(path))
    assert (mine.stderr, mine.returncode) == (theirs.stderr, theirs.returncode), path
    return theirs.returncode == COMPILE_ERROR


def check_benchmarks(lox: Path, clox: Path, checkout: Path) -> Iterator[str]:
    """User time over that of the reference, medians of interleaved runs; fails if it is more
    in the geometric mean."""
    ratios = []
    for path in sorted(checkout.glob("test/benchmark/*.lox")):
        if check_refused(lox, clox, path):
            yield f"  {path.stem:16} refused by both in the same words"
            continue
        rounds = 1 if is_batch(path) else ROUNDS
        ratios.append(statistics.median(
            user_s(lox, path) / user_s(clox, path) for _ in range(rounds)))
        yield f"  {path.stem:16} {ratios[-1]:.2f}"
    mean = statistics.geometric_mean(ratios)
    yield f"  geometric mean   {mean:.2f}"
    assert mean <= 1, "slower than the reference"
