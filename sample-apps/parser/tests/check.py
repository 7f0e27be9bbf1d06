"""Long checks of the parser: doubles by the million, UTF-8, mutated documents, speed.

With --suite DIR, DIR being test_parsing of a checkout of https://github.com/nst/JSONTestSuite,
its documents are checked too.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from test_parser import (
    APP,
    build,
    expected_number,
    middles,
    mutants,
    python_accepts,
    random_numbers,
    run,
)

PACKAGES: list[str] = []

NUMBER_ROUNDS = 60
MUTANT_ROUNDS = 10
SPEED_ROUNDS = 9


class Failure(Exception):
    """What was found to be wrong."""


def check_numbers(program: pathlib.Path) -> str:
    """Reading and printing doubles agrees with Python, which does both exactly."""
    count = 0
    for seed in range(NUMBER_ROUNDS):
        rng = random.Random(1000 + seed)
        texts = random_numbers(rng, 7000) + middles(rng, 300)
        printed = run(program, "print", stdin=f"[{','.join(texts)}]".encode()).out
        for text, result in zip(texts, printed.strip(b"[]\n").split(b","), strict=True):
            if result != expected_number(text):
                raise Failure(f"{text} is printed as {result.decode()}")
        count += len(texts)
    return f"{count} numbers are read and printed as Python does"


def check_utf8(program: pathlib.Path, directory: pathlib.Path) -> str:
    """All code points pass; all sequences of bytes from the edges of ranges are judged right."""
    codes = "".join(map(chr, [*range(0x80, 0xD800), *range(0xE000, 0x110000)]))
    document = f'"{codes}"\n'.encode()
    if run(program, "print", stdin=document).out != document:
        raise Failure("code points do not pass unchanged")
    edges = bytes.fromhex("7f808f909fa0bfc0c1c2dfe0eceeedeff0f4f5ff")
    tails = [bytes([b, c, d]) for b in edges for c in edges[:8] for d in edges[:2]]
    return check_documents(
        program, directory, [b'"' + bytes([a]) + tail + b'"' for a in edges for tail in tails]
    )


def check_mutants(program: pathlib.Path, directory: pathlib.Path) -> str:
    """Mutated documents are judged as Python judges them."""
    return check_documents(program, directory, mutants(random.Random(2000), MUTANT_ROUNDS * 5000))


def check_documents(
    program: pathlib.Path, directory: pathlib.Path, documents: list[bytes]
) -> str:
    """Accepts what Python accepts, and prints it with the same meaning."""
    valid = 0
    for batch in batches(sorted(set(documents)), 500):
        paths = [directory / str(number) for number in range(len(batch))]
        for path, document in zip(paths, batch):
            path.write_bytes(document)
        expected = [document for document in batch if python_accepts(document)]
        lines = run(program, "print", *paths).out.splitlines()
        if len(lines) != len(expected):
            raise Failure(f"{len(lines)} documents accepted instead of {len(expected)}")
        for line, document in zip(lines, expected):
            if json.loads(line) != json.loads(document):
                raise Failure(f"{document!r} is printed as {line!r}")
        valid += len(expected)
    return f"{len(set(documents))} documents, {valid} of them valid, are judged as Python does"


def batches(documents: list[bytes], size: int) -> Iterator[list[bytes]]:
    """Consecutive parts of a list."""
    for start in range(0, len(documents), size):
        end = start + size
        yield documents[start:end]


def check_suite(program: pathlib.Path, suite: pathlib.Path) -> str:
    """y_ files are accepted, n_ files rejected, and no file is fatal."""
    allowed = {"y": {0}, "n": {1}, "i": {0, 1}}
    paths = sorted(suite.glob("[yni]_*.json"))
    if not paths:
        raise Failure(f"no documents in {suite}")
    for path in paths:
        status = run(program, "print", path).status
        if status not in allowed[path.name[0]]:
            raise Failure(f"{path.name}: status {status}")
    return f"{len(paths)} documents of {suite} are judged right"


def cpu_s(command: list[str]) -> float:
    """User and system time of a command."""
    before = os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def loads_s(data: bytes) -> float:
    """CPU time of Python's json, which is written in C, for the same document."""
    before = time.process_time()
    json.loads(data)
    return time.process_time() - before


def check_speed(program: pathlib.Path, inputs: pathlib.Path) -> Iterator[str]:
    """Throughput per command and document, medians of interleaved runs."""
    repeat = 50
    for path in sorted(inputs.glob("*/*.json")):
        data = path.read_bytes()
        rounds: list[tuple[float, float, float]] = []
        for _ in range(SPEED_ROUNDS):
            check, print_ = (
                cpu_s([str(program), command, "--repeat", str(repeat), str(path)]) / repeat
                for command in ("check", "print")
            )
            rounds.append((check, print_, loads_s(data)))
        check, print_ = (statistics.median(r[i] for r in rounds) for i in range(2))
        ratio = statistics.median(r[2] / r[0] for r in rounds)
        yield (
            f"{path.relative_to(inputs)!s:20} check {len(data) / check / 1e6:5.0f} MB/s, "
            f"{ratio:4.1f} times Python's json; print {len(data) / print_ / 1e6:5.0f} MB/s"
        )


def check_all(suite: pathlib.Path | None, directory: pathlib.Path) -> None:
    """Build, and do every check in turn."""
    sanitize = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    sources = sorted(APP.glob("*.c"))
    sanitized = build(directory / "sanitized", sanitize, sources)
    optimized = build(directory / "optimized", ["-O2"], sources)
    print(check_numbers(optimized), flush=True)
    print(check_utf8(sanitized, directory), flush=True)
    print(check_mutants(sanitized, directory), flush=True)
    if suite is None:
        print("JSONTestSuite not checked: no --suite given")
    else:
        print(check_suite(sanitized, suite), flush=True)
    inputs = directory / "inputs"
    subprocess.run([sys.executable, APP / "generate.py", inputs], check=True)
    for line in check_speed(optimized, inputs):
        print(line, flush=True)


def main(argv: list[str]) -> int:
    """Print what was checked; 1 after the first failure."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--suite", type=pathlib.Path, metavar="DIR")
    options = arguments.parse_args(argv)
    with tempfile.TemporaryDirectory() as directory:
        try:
            check_all(options.suite, pathlib.Path(directory))
        except Failure as failure:
            print(f"check.py: {failure}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
