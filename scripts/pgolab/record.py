"""A run's raw files in results/RUN-ID/: run.json, samples.csv, metrics.csv and contents.csv."""

import csv
import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from pgolab import race
from pgolab.errors import Failure

SCHEMA = "pgolab.run/1"
COPY = "A/A"  # the variant name of the baseline's copy


@dataclass(frozen=True)
class Sample:
    """One timing. Times in seconds.

    block_s, steal_s and foreign_s belong to the whole block: how long it took, CPU time that the
    hypervisor gave to others, and CPU time of processes that are not pgolab's; load is the load
    average when it began. Block 0 warms up.
    """

    app: str
    workload: str
    variant: str
    layout: int
    block: int
    position: int
    wall_s: float
    user_s: float
    sys_s: float
    max_rss_bytes: int
    block_s: float
    steal_s: float
    foreign_s: float
    load: float


@dataclass(frozen=True)
class Metric:
    """One value that a timed run wrote to $PGOLAB_METRICS; better is 'lower' or 'higher'."""

    app: str
    workload: str
    variant: str
    block: int
    position: int
    metric: str
    value: float
    better: str


@dataclass(frozen=True)
class Content:
    """A section of a variant's binary, or a function in it: then function is its name, else ''."""

    app: str
    variant: str
    section: str
    function: str
    bytes: int
    sha256: str


Row = TypeVar("Row", Sample, Metric, Content)


class Writer(Generic[Row]):
    """Writes rows to a CSV file of a run; to the end of one that is there, if append is set."""

    def __init__(self, path: Path, kind: type[Row], append: bool = False) -> None:
        self._file = path.open("a" if append else "w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file, lineterminator="\n")
        if self._file.tell() == 0:
            self._csv.writerow([f.name for f in fields(kind)])

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            values = asdict(row).values()
            self._csv.writerow([f"{v:.9g}" if isinstance(v, float) else v for v in values])
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """The rows of a CSV file of a run; Failure when one is not of that kind."""
    columns = [f.name for f in fields(kind)]
    types: list[Any] = [f.type for f in fields(kind)]
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    if not lines or lines[0] != columns:
        raise Failure(f"'{path}' does not start with the columns of a run", "is it a run's file?")
    rows = []
    for number, line in enumerate(lines[1:], 2):
        try:
            values = [make(text) for make, text in zip(types, line, strict=True)]
            if not all(math.isfinite(v) for v in values if isinstance(v, float)):
                raise ValueError
        except ValueError:
            raise Failure(f"{path}:{number}: not a row of a run", "restore the file") from None
        rows.append(kind(*values))
    return rows


Block = tuple[list[Sample], list[Metric]]


class Journal:
    """The samples.csv and metrics.csv of a run that is being measured, block by block.

    A directory that an interrupted run left has blocks already, the last of which may be torn. A
    block's metrics are written before its samples: it is complete when all its samples are there.
    """

    def __init__(self, directory: Path) -> None:
        """Failure when what is there is not of a run."""
        self._samples = directory / "samples.csv"
        self._metrics = directory / "metrics.csv"
        self._blocks: dict[tuple[str, int], Block] = {}
        for sample in _whole_rows(self._samples, Sample):
            self._at(sample)[0].append(sample)
        for metric in _whole_rows(self._metrics, Metric):
            self._at(metric)[1].append(metric)
        self._open()

    def _at(self, row: Sample | Metric) -> Block:
        return self._blocks.setdefault((row.app, row.block), ([], []))

    def _open(self) -> None:
        self._to_samples = Writer(self._samples, Sample, append=True)
        self._to_metrics = Writer(self._metrics, Metric, append=True)

    def blocks(self, app: str) -> int:
        """How many blocks of an app are there."""
        return sum(name == app for name, _ in self._blocks)

    def take(self, app: str, number: int, timings: int) -> Block | None:
        """A block that is there, if it is complete with so many timings; else it is removed."""
        block = self._blocks.get((app, number))
        if block is None or len(block[0]) == timings:
            return block
        del self._blocks[app, number]
        self.close()
        kept = self._blocks.values()
        write_rows(self._metrics, Metric, (m for _, metrics in kept for m in metrics))
        write_rows(self._samples, Sample, (s for samples, _ in kept for s in samples))
        self._open()
        return None

    def add(self, samples: list[Sample], metrics: list[Metric]) -> None:
        """Writes a complete block."""
        self._to_metrics.add(metrics)
        self._to_samples.add(samples)

    def close(self) -> None:
        self._to_metrics.close()
        self._to_samples.close()


def _whole_rows(path: Path, kind: type[Row]) -> list[Row]:
    """The rows of a file that may end in a torn line, which is cut off, or not be there."""
    if not path.is_file():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return read_rows(path, kind) if whole else []


def write_rows(path: Path, kind: type[Row], rows: Iterable[Row]) -> None:
    """Writes a CSV file of a run by way of a temporary one."""
    temporary = path.with_name(f".{path.name}.tmp")
    writer = Writer(temporary, kind)
    writer.add(rows)
    writer.close()
    temporary.replace(path)


def check_samples(path: Path, samples: Iterable[Sample], run: dict[str, Any]) -> None:
    """Failure unless each block times what run.json says, each as often as the first block does."""
    counts: dict[str, dict[int, Counter[tuple[str, str]]]] = {name: {} for name in run["apps"]}
    for s in samples:
        if s.app in counts:
            counts[s.app].setdefault(s.block, Counter())[s.workload, s.variant] += 1
    for name, app in run["apps"].items():
        if "instructions" in app:
            continue
        first = counts[name].get(0, Counter())
        for block, found in (counts[name] or {0: first}).items():
            timed = {run["settings"]["baseline"], COPY, *race.timed(app, block)}
            wanted = {(w, v) for w in app["workloads"] for v in timed}
            if found.keys() != wanted or any(found[key] != first[key] for key in wanted):
                what = f"'{path}' lacks timings in block {block} of {name}"
                raise Failure(what, "restore the file")


# What a reader relies on: the keys at each place of run.json, * being any name. The whole is
# docs/schemas/run-1.json, which requires more.
def text_bytes(*binaries: dict[str, int]) -> int:
    """The code of a program and its libraries, by their sections.

    It is hot and cold: BOLT puts what is cold into a section of its own.
    """
    return sum(
        size
        for sections in binaries
        for name, size in sections.items()
        if f"{name}.".startswith(".text.")
    )


KEYS: dict[str, tuple[str, ...]] = {
    "": (
        "schema", "run", "settings", "seed", "git_commit", "toolchain", "machine", "apps",
    ),
    "settings": (
        "baseline", "precision", "budget_s", "min_effect", "layouts", "metric", "aslr", "aa_floor",
    ),
    "apps.*": ("about", "directory", "layouts", "pinned_cpu", "workloads", "variants", "profiles"),
    "apps.*.workloads.*": ("command", "scale", "work"),
    "apps.*.variants.*": (
        "sha256", "file_bytes", "sections", "layouts", "relinks", "profiles", "build_cpu_s",
        "build_peak_rss_bytes",
    ),
    "apps.*.variants.*.relinks": ("layouts", "wanted", "wall_s", "cpu_s"),
    "apps.*.profiles.*": ("sha256", "workloads", "instrumented"),
    "apps.*.profiles.*.workloads.*": ("wall_s",),
    "apps.*.profiles.*.instrumented": ("build_cpu_s", "build_peak_rss_bytes"),
    "compare": ("app", "variant", "baseline", "base", "new"),
    "compare.base": ("revision", "commit", "compiler"),
    "compare.new": ("revision", "commit", "compiler"),
}  # fmt: skip
ONLY_SOME = "compare"  # a part that is there, as a whole, when two sides were compared


def places(run: Any, pattern: str) -> list[tuple[str, Any]]:
    """The values at a place of KEYS, each with its path; None where there is none."""
    found = [("", run)]
    for part in pattern.split(".") if pattern else []:
        inner = []
        for path, value in found:
            known = value if isinstance(value, dict) else {}
            for name in known if part == "*" else [part]:
                inner.append((f"{path}.{name}".lstrip("."), known.get(name)))
        found = inner
    return found


def check_keys(path: Path, run: Any) -> None:
    """Failure that names the first key that a reader relies on and that is not there."""
    for pattern, keys in KEYS.items():
        if pattern.split(".")[0] == ONLY_SOME and ONLY_SOME not in run:
            continue
        for place, value in places(run, pattern):
            for key in keys:
                if not isinstance(value, dict) or key not in value:
                    raise Failure(
                        f"'{path}' has no '{f'{place}.{key}'.lstrip('.')}'",
                        "restore the file; docs/schemas/run-1.json says what a run holds",
                    )


def read_run(directory: Path) -> dict[str, Any]:
    """run.json of a run; Failure when it is none, lacks a key or is of another major version."""
    path = directory / "run.json"
    if not path.is_file():
        raise Failure(f"there is no run in '{directory}'", "a run is a directory results/<run-id>")
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        schema = run["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"'{path}' is not a run: {error}", "restore the file") from None
    name, _, version = str(schema).partition("/")
    if f"{name}/{version.split('.')[0]}" != SCHEMA:
        known = name == SCHEMA.partition("/")[0] and version.split(".")[0].isdecimal()
        raise Failure(
            f"'{path}' has the schema '{schema}', not '{SCHEMA}'",
            "a newer pgolab wrote it: use that one" if known else "is it a run's run.json?",
        )
    check_keys(path, run)
    return dict(run)
