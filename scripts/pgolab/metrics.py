"""Values that a workload measures itself and writes to the file named by $PGOLAB_METRICS.

Each line is {"metric": "p99_us", "value": 412.0, "better": "lower"}.
"""

import json
import math
from pathlib import Path

from pgolab.errors import Failure

VARIABLE = "PGOLAB_METRICS"


def _path(where: Path, number: int) -> Path:
    return where / f"metrics.{number}"


def environment(where: Path, number: int) -> list[str]:
    """The start of a command line that gives run `number` a metrics file of its own."""
    return ["env", f"{VARIABLE}={_path(where, number).resolve()}"]


def read(where: Path, number: int, label: str) -> list[tuple[str, float, str]]:
    """What run `number` wrote: (metric, value, better) each; nothing when it wrote no file."""
    path = _path(where, number)
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
            name, value, better = str(entry["metric"]), float(entry["value"]), entry["better"]
            if not (0 < value < math.inf and better in ("lower", "higher")):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise Failure(
                f"'{label}' wrote a line to ${VARIABLE} that is no metric: {line[:200]}",
                'it is {"metric": NAME, "value": a number above 0, "better": "lower" or "higher"}',
            ) from None
        found.append((name, value, better))
    return found
