"""Runs that were interrupted: hidden directories of results/ that no process owns any more.

The same work goes on in the directory where it was. Other work is left alone, for its own command
may yet be given again, but without the binaries on its bench, and not for longer than a week.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pgolab import files, layouts, machine, record
from pgolab.settings import Settings
from pgolab.subject import Subject

KEPT_S = 7 * 24 * 3600
BENCH = "bench"  # the directory in which binaries are timed
REPORTED = "report.html"  # a run that lacks it was interrupted before its report


def identity(settings: Settings, subjects: Sequence[Subject], sides: Any = None) -> str:
    """What tells this work from other work: SHA-256 over all that its samples depend on.

    Those are the settings, the machine, and of each app the commands, the inputs and the binaries;
    sides: what run.json says of those that are compared.
    """
    parts: list[Any] = [asdict(settings), machine.facts(), sides]
    parts.append([f.name for kind in (record.Sample, record.Metric) for f in fields(kind)])
    for one in subjects:
        named = [one.build / "manifest" / k for k in ("app", "eval")] + [one.build / "inputs.sums"]
        parts += [one.name, [files.sha256(path) for path in named]]
        for variant, binaries in one.layouts().items():
            loaded = [path for b in binaries for path in (b, *layouts.libraries(b))]
            parts.append([variant, [files.sha256(path) for path in loaded]])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _run_in(directory: Path) -> dict[str, Any] | None:
    """run.json of a directory, or None where there is none that can be read."""
    try:
        run = json.loads((directory / "run.json").read_text(encoding="utf-8"))
        return run if run["schema"] == record.SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _age_s(path: Path) -> float:
    return time.time() - path.stat().st_ctime


def claim(results: Path, work: str) -> Path | None:
    """The newest unfinished run of this work, now this process's; tidies the others."""
    found = None
    for left in sorted(results.glob(".*"), reverse=True):
        # A directory without run.json may be new, and not yet claimed by who made it.
        if left.is_symlink() or not left.is_dir():
            continue
        if not (left / "run.json").exists() and _age_s(left) < 60:
            continue
        descriptor = files.claim(left)
        if descriptor is None:
            continue
        run = _run_in(left)
        if found is None and run and run.get("work") == work:
            found = left
            continue
        if run is None or run.get("work") == work or _age_s(left / "run.json") > KEPT_S:
            shutil.rmtree(left)
        else:
            shutil.rmtree(left / BENCH, ignore_errors=True)
        os.close(descriptor)
    return found


def unreported(results: Path, work: str) -> Path | None:
    """The newest complete run of this work whose report was interrupted."""
    for run in sorted(results.glob("[!.]*/run.json"), reverse=True):
        where = run.parent
        if where.is_symlink() or (where / REPORTED).exists() or _age_s(run) > KEPT_S:
            continue
        if (_run_in(where) or {}).get("work") == work:
            return where
    return None
