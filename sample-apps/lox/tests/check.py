"""Checks the Lox interpreter in three builds: -O2, with sanitizers, and with sanitizers and a
garbage collection at every allocation. In each, all tests of the language and all errors and
limits come out as they should, deep nesting is refused, and every allocation may fail; the
workloads print the same in all of them. Then scripts with random changes are run in the two
builds with sanitizers, whose results must be the same, with and without collections.

With --reference DIR, DIR being a checkout of https://github.com/munificent/craftinginterpreters,
the language's own tests must pass and print what the reference implementation prints, and its
benchmarks must not take longer than there."""

import argparse
import itertools
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import reference
import test_lox
from test_lox import APP, FAILING_MALLOC, SANITIZE

PACKAGES: list[str] = []
BUILDS = {"O2": ["-O2"], "sanitized": SANITIZE, "stressed": [*SANITIZE, "-DLOX_GC_STRESS"]}
CHANGED_SCRIPTS = 400
WORDS = "and class else false for fun if nil or print return super this true var while".split()
TOKEN = re.compile(r'//[^\n]*|"[^"]*"?|\w+|[=!<>]=|\s+|.', re.DOTALL)


def check_cases(name: str, binary: Path, scratch: Path) -> None:
    cases = test_lox.language_cases() + test_lox.error_cases() + test_lox.LIMITS
    for case in cases:
        test_lox.check(binary, scratch, case)
    for opening in test_lox.TOO_DEEP.values():
        test_lox.check_nesting(binary, scratch, opening)
    print(f"{name}: {len(cases)} scripts and {len(test_lox.TOO_DEEP)} kinds of nesting")


def check_workloads(binaries: dict[str, Path]) -> None:
    workloads = sorted(APP.glob("workloads/*/*.lox"))
    for path in workloads:
        results = [test_lox.run(binary, str(path)) for name, binary in binaries.items()
                   if name != "stressed"]
        assert all(result.returncode == 0 and result.stdout for result in results), path
        assert len({result.stdout for result in results}) == 1, path
    print(f"{len(workloads)} workloads print the same with and without sanitizers")


def kind(token: str) -> str:
    if token.isidentifier():
        return "word" if token in WORDS else "name"
    if token[0] == '"' or token[0].isdigit():
        return "literal"
    return "blank" if token.isspace() or token.startswith("//") else "operator"


def change(tokens: list[str], others: dict[str, list[str]], rng: random.Random) -> str:
    """The script with a few tokens replaced by ones of their kind, or removed."""
    changed = list(tokens)
    for _ in range(1 + rng.randrange(5)):
        i = rng.randrange(len(changed))
        alike = others[kind(changed[i] or " ")]
        changed[i] = alike[rng.randrange(len(alike))] if rng.randrange(8) else ""
    return "".join(changed)


def check_changed_scripts(binaries: dict[str, Path], scratch: Path) -> None:
    rng = random.Random(1)
    scripts = [TOKEN.findall(case.source) for case in test_lox.language_cases()]
    others: dict[str, list[str]] = {}
    for token in itertools.chain.from_iterable(scripts):
        others.setdefault(kind(token), []).append(token)
    statuses: dict[int, int] = {}
    for _ in range(CHANGED_SCRIPTS):
        source = change(scripts[rng.randrange(len(scripts))], others, rng)
        scratch.write_text(source, encoding="utf-8")
        results = [test_lox.run(binaries[name], "--max-steps", "5000", str(scratch))
                   for name in ("sanitized", "stressed")]
        got = {(result.stdout, result.stderr, result.returncode) for result in results}
        assert len(got) == 1 and results[0].returncode in (0, 65, 70), f"{source}\n{got}"
        statuses[results[0].returncode] = statuses.get(results[0].returncode, 0) + 1
    print(f"{CHANGED_SCRIPTS} changed scripts: exit statuses {dict(sorted(statuses.items()))}")


def check_reference(lox: Path, checkout: Path, clox: Path) -> None:
    reference.build_reference(checkout, clox)
    print(reference.check_tests(lox, clox, checkout))
    print("user time over that of the reference:")
    for line in reference.check_benchmarks(lox, clox, checkout):
        print(line, flush=True)


def check_all(directory: Path, checkout: Path | None) -> None:
    scratch = directory / "script.lox"
    binaries = {name: test_lox.build(directory / name, *flags) for name, flags in BUILDS.items()}
    for name, binary in binaries.items():
        check_cases(name, binary, scratch)
        failing = test_lox.build(directory / "failing", *BUILDS[name], *FAILING_MALLOC)
        print(f"{name}: {test_lox.check_failing_allocations(failing)} allocations failed")
    check_workloads(binaries)
    check_changed_scripts(binaries, scratch)
    if checkout is None:
        print("not compared with the reference implementation: no --reference given")
    else:
        check_reference(binaries["O2"], checkout, directory / "clox")


def main(argv: list[str]) -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--reference", type=Path, metavar="DIR")
    options = arguments.parse_args(argv)
    with tempfile.TemporaryDirectory() as directory:
        try:
            check_all(Path(directory), options.reference)
        except (AssertionError, subprocess.SubprocessError) as error:
            print(f"check.py: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
