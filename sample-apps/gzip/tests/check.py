"""Compare the sample application gzip with the system's gzip.

Each restores what the other one compressed, on this repository's files, programs, documents and
awkward sizes. Then sizes and speeds are compared on files of different kinds: ours may be at most
5 % larger, and must be at least 0.7 times as fast. Speed is the ratio of CPU times, the median of
interleaved runs.
"""

import resource
import runpy
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from random import Random

from test_gzip import APP, SOURCES, build

PACKAGES = ["gzip"]

THEIRS = "/usr/bin/gzip"
LEVELS = (1, 6, 9)
SIZE_MAX, SPEED_MIN = 1.05, 0.7
ROUNDS = 5
CORPUS_BYTES = 3_000_000
SAMPLE_BYTES_MAX = 5_000_000


def output(command: list[str], data: bytes) -> bytes:
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def readable(paths: Iterable[Path]) -> Iterable[Path]:
    return (path for path in sorted(paths) if path.is_file() and not path.is_symlink()
            and path.stat().st_size <= SAMPLE_BYTES_MAX)


def samples() -> dict[str, bytes]:
    """Every file of the repository and every few of the system's."""
    listed = subprocess.run(["git", "-C", str(APP), "ls-files", "-coz", "--exclude-standard",
                             "--full-name", ":/"], capture_output=True, text=True, check=True)
    root = APP.parent.parent
    paths = list(readable(root / name for name in listed.stdout.split("\0") if name))
    paths += list(readable(Path("/usr/bin").iterdir()))[::12]
    paths += list(readable(Path("/usr/share/doc").rglob("*")))[::25]
    return {str(path): path.read_bytes() for path in paths}


def awkward() -> dict[str, bytes]:
    """Sizes around the buffers' and the format's limits, of noise, zeros and text."""
    edges = [0, 32_768, 65_535, 65_536, 131_072]
    sizes = sorted({max(0, edge + delta) for edge in edges for delta in (-1, 0, 1, 2, 3)})
    noise = Random(1).randbytes(sizes[-1])
    text = b"%d bottles of beer on the wall\n" * 10_000 % tuple(range(10_000))
    kinds = {"noise": noise, "zeros": bytes(sizes[-1]), "text": text, "pairs": b"ab" * sizes[-1]}
    return {f"{size} bytes of {kind}": data[:size] for kind, data in kinds.items()
            for size in sizes}


def check_exchange(ours: str) -> bool:
    """Both programs restore what the other one made."""
    failures = 0
    files = samples() | awkward()
    for name, data in files.items():
        for level in LEVELS:
            for packer, unpacker in (ours, THEIRS), (THEIRS, ours):
                packed = output([packer, f"-{level}", "-c"], data)
                if output([unpacker, "-dc"], packed) != data:
                    print(f"FAIL: {unpacker} does not restore {name} of {packer} -{level}")
                    failures += 1
    total = sum(map(len, files.values())) / 1e6
    print(f"exchange: {len(files)} files, {total:.0f} MB, levels {LEVELS}: {failures} failures\n")
    return failures == 0


def joined(paths: Iterable[Path]) -> bytes:
    parts: list[bytes] = []
    for path in paths:
        if sum(map(len, parts)) < CORPUS_BYTES:
            parts.append(path.read_bytes())
    return b"".join(parts)[:CORPUS_BYTES]


def corpus() -> dict[str, bytes]:
    """Files of different kinds, all of about the same size."""
    make = runpy.run_path(str(APP / "generate.py"))
    rng = Random(99)
    return {
        "documents": joined(path for path in readable(Path("/usr/share/doc").rglob("*"))
                            if path.suffix != ".gz"),
        "headers": joined(readable(Path("/usr/include").rglob("*.h"))),
        "programs": joined(readable(Path("/usr/bin").iterdir())),
        "log": make["log"](rng, CORPUS_BYTES).encode(),
        "csv": make["table"](rng, CORPUS_BYTES).encode(),
        "json": make["messages"](rng, CORPUS_BYTES).encode(),
        "records": make["records"](rng, CORPUS_BYTES),
        "noise": rng.randbytes(CORPUS_BYTES),
        "zeros": bytes(CORPUS_BYTES),
    }


def cpu_seconds(command: list[str], path: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with path.open("rb") as file:
        subprocess.run(command, stdin=file, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare_speed(ours: str, option: str, path: Path) -> tuple[float, float]:
    """Median CPU seconds of ours, and the median ratio of theirs to ours."""
    times = [(cpu_seconds([ours, option, "-c"], path), cpu_seconds([THEIRS, option, "-c"], path))
             for _ in range(ROUNDS)]
    return (statistics.median(our for our, _ in times),
            statistics.median(their / our for our, their in times))


def check_sizes_and_speeds(ours: str, scratch: Path) -> bool:
    print(f"{'file':<11}{'':>4}{'bytes':>10}{'size':>8}{'MB/s':>8}{'speed':>8}   "
          f"(of ours; relative to gzip, size <= {SIZE_MAX}, speed >= {SPEED_MIN})")
    ok = True
    plain, packed = scratch / "plain", scratch / "packed"
    for name, data in corpus().items():
        plain.write_bytes(data)
        packed.write_bytes(output([THEIRS, "-6", "-c"], data))
        for option in [*(f"-{level}" for level in LEVELS), "-d"]:
            size, relative = "", 0.0
            if option != "-d":
                size = str(len(output([ours, option], data)))
                relative = int(size) / len(output([THEIRS, option, "-c"], data))
            seconds, speed = compare_speed(ours, option, packed if option == "-d" else plain)
            good = relative <= SIZE_MAX and speed >= SPEED_MIN
            ok = ok and good
            print(f"{name:<11}{option:>4}{size:>10}{f'{relative:.4f}' if size else '':>8}"
                  f"{len(data) / 1e6 / seconds:>8.0f}{speed:>8.2f}{'' if good else '   FAIL'}",
                  flush=True)
    return ok


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        ours = str(build(["-O2"], SOURCES, Path(directory) / "gzip"))
        exchanged = check_exchange(ours)
        return 0 if check_sizes_and_speeds(ours, Path(directory)) and exchanged else 1


if __name__ == "__main__":
    sys.exit(main())
