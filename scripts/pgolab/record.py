"""A run's raw files in results/RUN-ID/: run.json, samples.csv and metrics.csv."""

import csv
import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

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


Row = TypeVar("Row", Sample, Metric)


class Writer(Generic[Row]):
    """Appends rows to a CSV file of a run."""

    def __init__(self, path: Path, kind: type[Row]) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._csv.writerow([f.name for f in fields(kind)])

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            values = asdict(row).values()
            self._csv.writerow([f"{v:.9g}" if isinstance(v, float) else v for v in values])
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """The rows of samples.csv or metrics.csv; Failure when one is not of that kind."""
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


def check_samples(path: Path, samples: Iterable[Sample], run: dict[str, Any]) -> None:
    """Failure unless each block times all that run.json names, as often as the first block does."""
    counts: dict[str, dict[int, Counter[tuple[str, str]]]] = {name: {} for name in run["apps"]}
    for s in samples:
        if s.app in counts:
            counts[s.app].setdefault(s.block, Counter())[s.workload, s.variant] += 1
    for name, app in run["apps"].items():
        if "instructions" in app:
            continue
        wanted = {(w, v) for w in app["workloads"] for v in (*app["variants"], COPY)}
        first = counts[name].get(0, Counter())
        for block, found in (counts[name] or {0: first}).items():
            if found.keys() != wanted or found != first:
                what = f"'{path}' lacks timings in block {block} of {name}"
                raise Failure(what, "restore the file")


def read_run(directory: Path) -> dict[str, Any]:
    """run.json of a run; Failure when there is none or it is of another major version."""
    path = directory / "run.json"
    if not path.is_file():
        raise Failure(f"there is no run in '{directory}'", "a run is a directory results/<run-id>")
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        schema = run["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"'{path}' is not a run: {error}", "restore the file") from None
    if schema != SCHEMA:
        raise Failure(f"'{path}' has the schema '{schema}', not '{SCHEMA}'", "use a newer pgolab")
    return dict(run)
